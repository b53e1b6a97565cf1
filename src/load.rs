//! `kuzet load`: operations at a steady rate through a real broker, and how long each decision took, from when its operation
//! was due.
//!
//! Open loop: an operation is due at its moment whatever became of those before it, so that an engine that stalls is
//! charged with everybody who waits behind (what closed loops leave out). The end is when a read-committed reader has the
//! decision in hand, so the tick, the transaction and the way back are in the figure.
//!
//! What this side takes to start is not: librdkafka asks for a producer's number half a second after the producer was made, and whatever
//! was due until then would wait for that. So one operation goes ahead, and the others are due from when its decision is there.

mod source;

use crate::{
    hash::HashKey,
    kafka::{
        client::Cluster,
        drain::drain,
        errors,
        hearsay::{self, Asker},
        partitioner::Partitioner,
        stretches,
        topics::{Layout, Role},
    },
    limits,
    state::HashedMap,
};
use hdrhistogram::Histogram;
use rdkafka::{
    Message, TopicPartitionList,
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord},
};
pub use source::{Made, Operation, Source};
use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// How long the decisions of what was sent last may take, and how long to look for the topic.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a topic may take to be known.
const KNOWN: Duration = Duration::from_secs(5);
/// How long the operations wait for the decision of the one that goes ahead; a rejected one has none.
const AHEAD: Duration = Duration::from_secs(5);
/// How long a poll waits.
const WAIT: Duration = Duration::from_millis(10);
/// How long an operation waits for company, in ms, as the Java producer has it since Kafka 4.0 (KIP-1030). With less, this one
/// producer's batches keep a broker busy that many real ones would not.
const LINGER_MS: &str = "5";
/// Between two looks at whether an operation is due.
const STEP: Duration = Duration::from_millis(1);

/// What is asked for.
pub struct Load {
    pub cluster: Cluster,
    pub layout: Layout,
    pub partitioner: Partitioner,
    /// Operations a second.
    pub rate: u32,
    /// Print decisions that are more than a bare allow.
    pub show: bool,
}

/// Why there are no figures.
#[derive(Debug)]
pub enum LoadError {
    Kafka(KafkaError),
    /// The cluster does not answer: the error and its cause.
    NoAnswer(String),
    /// There is no such topic.
    NoTopic(String),
    Read(io::Error),
    Thread(io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Kafka(error) => write!(out, "Kafka: {error}"),
            LoadError::NoAnswer(explained) => write!(out, "no answer from Kafka: {explained}"),
            LoadError::NoTopic(topic) => write!(out, "topic `{topic}` does not exist; `kuzet run --init` creates it"),
            LoadError::Read(error) => write!(out, "the operations cannot be read: {error}"),
            LoadError::Thread(error) => write!(out, "the system gives no thread ({error})"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<KafkaError> for LoadError {
    fn from(error: KafkaError) -> Self {
        LoadError::Kafka(error)
    }
}

/// What came of it.
pub struct Figures {
    pub sent: u64,
    pub decided: u64,
    /// Of what was sent and nothing was heard of in time: rejected, or still on its way.
    pub unheard: u64,
    /// How long sending took, less the operation that went ahead.
    pub seconds: f64,
    /// From due to in hand, in µs, of what was heard of but the operation that went ahead.
    pub latency: Histogram<u64>,
}

/// The latency below which a part of the operations are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Percentile {
    /// In ms.
    Within(f64),
    /// Fewer were heard of: those that were not are slower than all that were.
    Unheard,
}

impl Figures {
    /// The latency below which so many of a hundred are; nothing where no operation followed the one that went ahead.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<Percentile> {
        let (timed, heard) = (self.sent.checked_sub(1).filter(|timed| *timed > 0)?, self.latency.len());
        // Of those that were heard of, so many make that share of all.
        let share = percent * as_f64(timed) / as_f64(heard);
        if share > 100.0 {
            return Some(Percentile::Unheard);
        }
        let micros = self.latency.value_at_percentile(share);
        Some(Percentile::Within(Duration::from_micros(micros).as_secs_f64() * 1e3))
    }
}

/// What takes longer than this, an hour in µs, is shown as this.
const LONGEST_US: u64 = 60 * 60 * 1_000_000;

/// When each operation that is under way was due, by the hash of its id; nothing of the one that goes ahead.
type UnderWay = Mutex<HashedMap<u128, Option<Instant>>>;

fn known_by(id: &[u8]) -> u128 {
    HashKey::default().hash(id)
}

/// Sends all operations of `source`, each when it is due, and waits for their decisions.
///
/// # Errors
/// A cluster that does not do its part, operations that cannot be read.
pub fn run(load: &Load, source: Source) -> Result<Figures, LoadError> {
    let under_way = Arc::new(UnderWay::default());
    let heard = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let listener = Listener {
        reader: reader(load)?,
        under_way: Arc::clone(&under_way),
        heard: Arc::clone(&heard),
        stop: Arc::clone(&stop),
        show: load.show,
    };
    let (ready, is_ready) = mpsc::channel();
    let thread = thread::Builder::new().name("listener".to_owned());
    let listening = thread.spawn(move || listener.listen(&ready)).map_err(LoadError::Thread)?;
    // Whatever is decided before the listener stands at the end would be missed.
    let _ = is_ready.recv_timeout(PATIENCE);
    let sent = send(load, source, &under_way, &heard);
    wait_for_the_rest(&under_way, &heard);
    stop.store(true, Ordering::SeqCst);
    let latency = listening.join().expect("the listener does not panic")?;
    let Sent { count: sent, seconds } = sent?;
    let decided = heard.load(Ordering::SeqCst);
    Ok(Figures { sent, decided, unheard: sent.saturating_sub(decided), seconds, latency })
}

fn wait_for_the_rest(under_way: &UnderWay, heard: &AtomicU64) {
    let mut last = (Instant::now(), 0);
    while !under_way.lock().expect("no panic holds it").is_empty() && last.0.elapsed() < PATIENCE / 6 {
        let now = heard.load(Ordering::SeqCst);
        if now != last.1 {
            last = (Instant::now(), now);
        }
        thread::sleep(WAIT);
    }
}

/// How many operations were sent, and how long that took.
struct Sent {
    count: u64,
    seconds: f64,
}

/// Sends one operation ahead, and each other one when it is due.
fn send(load: &Load, mut source: Source, under_way: &UnderWay, heard: &AtomicU64) -> Result<Sent, LoadError> {
    let mut config = load.cluster.idempotent(load.partitioner);
    let producer = config.set("linger.ms", LINGER_MS).create()?;
    let sender = Sender { producer, topic: load.layout.name(Role::Operations), under_way };
    let Some(first) = source.take().map_err(LoadError::Read)? else { return Ok(Sent { count: 0, seconds: 0.0 }) };
    sender.send(&first, None)?;
    sender.deliver()?;
    let until = Instant::now() + AHEAD;
    while heard.load(Ordering::SeqCst) == 0 && Instant::now() < until {
        thread::sleep(STEP);
    }
    let began = Instant::now();
    let mut timed = 0_u64;
    while let Some(operation) = source.take().map_err(LoadError::Read)? {
        let due = began + Duration::from_secs(1).mul_f64(as_f64(timed) / f64::from(load.rate));
        sender.wait_until(due);
        sender.send(&operation, Some(due))?;
        timed += 1;
        if timed.is_multiple_of(64) {
            sender.producer.poll(Duration::ZERO);
        }
    }
    sender.deliver()?;
    Ok(Sent { count: timed + 1, seconds: began.elapsed().as_secs_f64() })
}

/// Where operations are sent, and noted.
struct Sender<'a> {
    producer: BaseProducer,
    topic: &'a str,
    under_way: &'a UnderWay,
}

impl Sender<'_> {
    /// Waits, where that time has not come, for a step at least: what is due within it is sent in one go. A sleep for each
    /// would wake the processors thousands of times a second, of which whoever decides needs every one.
    fn wait_until(&self, due: Instant) {
        while Instant::now() < due {
            self.producer.poll(Duration::ZERO);
            thread::sleep(STEP);
        }
    }

    fn send(&self, operation: &Operation<'_>, due: Option<Instant>) -> Result<(), LoadError> {
        self.under_way.lock().expect("no panic holds it").insert(known_by(operation.id), due);
        let mut record = BaseRecord::<[u8], [u8]>::to(self.topic);
        (record.key, record.payload) = (operation.key, Some(operation.value));
        while let Err((error, back)) = self.producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            self.producer.poll(WAIT);
            record = back;
        }
        Ok(())
    }

    /// Waits until all of them are in the topic.
    fn deliver(&self) -> Result<(), LoadError> {
        if drain(&self.producer, PATIENCE) {
            Ok(())
        } else {
            Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut).into())
        }
    }
}

fn as_f64(count: u64) -> f64 {
    // Exact up to 2^53, which at a million a second is 285 years.
    Duration::from_micros(count).as_secs_f64() * 1e6
}

/// A reader that stands at the end of every partition of `decisions`.
fn reader(load: &Load) -> Result<Asker, LoadError> {
    let mut config = load.cluster.reader();
    config.set("fetch.wait.max.ms", "10");
    let reader = hearsay::asker(config)?;
    let begun = Instant::now();
    let partitions_of = |topic: &str| loop {
        match stretches::partitions_of(&reader, topic) {
            // One that was created just now is not yet known to every broker.
            Ok(partitions) if partitions.is_empty() && begun.elapsed() < KNOWN => thread::sleep(WAIT),
            Ok(partitions) if partitions.is_empty() => break Err(LoadError::NoTopic(topic.to_owned())),
            Ok(partitions) => break Ok(partitions),
            Err(error) => break Err(LoadError::NoAnswer(hearsay::explain(&reader, &error))),
        }
    };
    partitions_of(load.layout.name(Role::Operations))?;
    let topic = load.layout.name(Role::Decisions);
    let partitions = partitions_of(topic)?;
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        let (_, end) = reader.fetch_watermarks(topic, partition, PATIENCE)?;
        list.add_partition_offset(topic, partition, rdkafka::Offset::Offset(end))?;
    }
    reader.assign(&list)?;
    Ok(reader)
}

/// Hears of decisions.
struct Listener {
    reader: Asker,
    under_way: Arc<UnderWay>,
    heard: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    show: bool,
}

impl Listener {
    fn listen(self, ready: &mpsc::Sender<()>) -> Result<Histogram<u64>, LoadError> {
        let mut latency = Histogram::new_with_bounds(1, LONGEST_US, 3).expect("three digits are between 0 and 5");
        let mut out = io::stdout();
        let _ = ready.send(());
        while !self.stop.load(Ordering::SeqCst) {
            match self.reader.poll(WAIT) {
                None => {}
                // A broker that is away for a moment is what some loads are for.
                Some(Err(error)) if errors::remedy(&error) == errors::Remedy::Retry => {}
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(message)) => {
                    let decision = message.payload().unwrap_or_default();
                    let due = event_of(decision).and_then(|id| {
                        let mut under_way = self.under_way.lock().expect("no panic holds it");
                        under_way.remove(&known_by(id))
                    });
                    if let Some(due) = due {
                        if let Some(due) = due {
                            latency.saturating_record(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
                        }
                        self.heard.fetch_add(1, Ordering::SeqCst);
                    }
                    if self.show && !contains(decision, b"\"action\":\"allow\"") {
                        // Whoever has stopped reading is not told more; the figures go on.
                        let _ = out.write_all(&[decision, b"\n"].concat());
                    }
                }
            }
        }
        Ok(latency)
    }
}

/// The event's id, which a decision begins with; one with escapes is nobody's of ours.
fn event_of(decision: &[u8]) -> Option<&[u8]> {
    let rest = decision.strip_prefix(b"{\"event\":\"")?;
    rest.split(|byte| *byte == b'"').next()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

// An id of ours is one that events may have.
const _: () = assert!(limits::ID_BYTES >= 64);
