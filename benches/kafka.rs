//! `kuzet run` beside bare librdkafka loops that do nothing but consume and produce, in the same transactional setting on one
//! real broker.
//!
//! Throughput: `copy` writes one record for each that it reads; `as many` writes the records that Kuzet has just written, key,
//! headers and value as bytes, its state among them, each to a topic like Kuzet's and to the same partition of it: made-up
//! records of that length took half the room on the wire. All take turns over the same records. The first four turns of each
//! count for nothing, because the broker is compiled while it runs: of its processor time in a first turn that was more than
//! half. In every other round Kuzet comes last, so that none has what the broker does of an older turn all for itself. A round
//! is judged by its own ratio, the bench by the median of the rounds. A rate is that between the first tenth and the last of
//! the records, so that what starting costs is no part of it; so is the processor time of the contestant and of the broker
//! beside it. Clients have the same settings, and wait for deliveries by the same `drain`: what makes that cheaper makes the
//! loops faster too.
//! Latency: operations at a steady rate, half of what Kuzet did, from when each was due to when a read-committed reader
//! has its decision; `copy` and `as many` with the same ticks beside it. Wallets act ten times each, as they did where that rate was reached:
//! the state that an operation changes grows with how busy its wallet is. The first two rounds count for nothing here, too: at
//! another pace the broker is compiled anew, which took three tenths of a processor.
//! Restore: the state of a million wallets put together again, beside reading the same records and keeping nothing.
//! Needs what `deploy/kafka/start.sh` needs; without it the bench says so and measures nothing.
//!
//! `cargo bench --bench kafka -- --records 600000 --rounds 5 --tick 10000 --seconds 20 --wallets 1000000`; `--measure throughput`,
//! `latency` (with `--rate`) or `restore` alone.

#[path = "support/arguments.rs"]
mod arguments;

use kuzet::{
    engine::{Restoration, Settings},
    geo::Geo,
    hash::HashKey,
    kafka::{
        client::{Cluster, Member},
        drain::{self, drain},
        partitioner::Partitioner,
        restore::StateReader,
        tags::GROUND_KEY,
        topics::{Layout, Role, Topics},
    },
    load::{self, Figures, Load, Made, Percentile, Source},
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    ops::Range,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const PATIENCE: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 8;
/// Turns of each contestant while which Java compiles the broker: 1.7 s of a processor in the first turn of Kuzet's, 0.2 in the
/// fifth.
const WARMING: u64 = 4;
/// Rounds of the measure of latency meanwhile.
const WARMING_LATE: u64 = 2;
/// Of no number of wallets a multiple, so that every wallet comes as often as the others.
const A_PRIME: u64 = 2_654_435_761;

/// A broker that ends with its pipe.
struct Broker {
    address: String,
    child: Child,
    wanted: Option<ChildStdin>,
}

impl Broker {
    fn start() -> Option<Broker> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kafka/start.sh");
        let mut child = Command::new(script)
            .args(["--port", "19392", "--controller-port", "19393"])
            .env("KUZET_KAFKA_JVM", "-XX:TieredStopAtLevel=4")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let wanted = child.stdin.take();
        let mut address = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut address).ok()?;
        let address = address.trim().to_owned();
        (!address.is_empty()).then_some(Broker { address, child, wanted })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.wanted.take());
        let _ = self.child.wait();
    }
}

/// When each part of a run was reached: a rate leaves the first tenth and the last out.
struct Clock {
    all: u64,
    /// The contestant's process and the broker's.
    processes: [u32; 2],
    from: Option<Moment>,
    to: Option<Moment>,
}

/// How far a run was, and what its processes had spent by then.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    done: u64,
    spent: [Option<Duration>; 2],
}

/// What a run took between its first tenth and its last.
struct Took {
    /// Records a second.
    rate: f64,
    /// Processor time of the contestant and of the broker for each record, in µs; none where the system does not tell.
    each: [Option<f64>; 2],
}

impl Clock {
    fn new(all: u64, processes: [u32; 2]) -> Clock {
        Clock { all, processes, from: None, to: None }
    }

    fn at(&mut self, done: u64) {
        let processes = self.processes;
        let moment = || Moment { at: Instant::now(), done, spent: processes.map(processor_time) };
        if done >= self.all / 10 {
            self.from.get_or_insert_with(moment);
        }
        if done >= self.all / 10 * 9 {
            self.to.get_or_insert_with(moment);
        }
    }

    fn took(&self) -> Took {
        let (from, to) = (self.from.expect("it got there"), self.to.expect("it got there"));
        let records = f64::from(u32::try_from(to.done - from.done).expect("few enough to wait for"));
        let each = |place: usize| Some((to.spent[place]? - from.spent[place]?).as_secs_f64() * 1e6 / records);
        Took { rate: records / (to.at - from.at).as_secs_f64(), each: [each(0), each(1)] }
    }
}

/// What a process has spent so far, where the system is Linux, which counts hundredths of a second.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut after_name = stat.rsplit(')').next()?.split_whitespace();
    let (user, system) = (after_name.nth(11)?.parse::<u64>().ok()?, after_name.next()?.parse::<u64>().ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

fn cluster(address: &str) -> Cluster {
    Cluster::new(address, "bench", BTreeMap::new()).expect("no options")
}

fn layout(address: &str, name: &str) -> Layout {
    let mut layout = Layout::new(8, true);
    layout.names = Role::ALL.map(|role| format!("{name}.{}", role.name()));
    // All contestants read the same records.
    layout.names[0] = "operations".to_owned();
    Topics::new(&cluster(address).admin()).expect("a client").init(&layout).expect("topics");
    layout
}

/// Operations of a tenth as many wallets, or of as many as there are.
fn fill(address: &str, topic: &str, records: u64, wallets: u64) {
    let producer: BaseProducer =
        cluster(address).idempotent(Partitioner::Murmur2).set("linger.ms", "20").create().expect("a producer");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("it fits");
    for number in 0..records {
        let wallet = format!("7701{:07}", number.wrapping_mul(A_PRIME) % wallets.max(1));
        let time = kuzet::time::Timestamp(now + i64::try_from(number / 1_000).expect("few"));
        let text = format!(
            r#"{{"id":"e-{number}","type":"transfer","time":"{time}","wallet":"{wallet}","counterparty":"7702{:07}","amount":"{}","currency":"KZT","ip":"10.0.{}.{}","country":"KZ","client_status":"identified","device":"d-{}","channel":"app"}}"#,
            number % 999_983,
            100 + number % 20_000,
            number % 250,
            number / 250 % 250,
            number % 1_000
        );
        let mut record = BaseRecord::<str, str>::to(topic).key(&wallet).payload(&text);
        while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) = producer.send(record) {
            producer.poll(Duration::from_millis(1));
            record = back;
        }
    }
    assert!(drain(&producer, PATIENCE), "everything is there");
}

/// Where a record of Kuzet's went, and what it holds.
struct Letter {
    role: Role,
    partition: i32,
    key: Range<usize>,
    value: Range<usize>,
}

/// What Kuzet wrote, in the order in which a reader gets it.
struct Written {
    /// Records for each that was read.
    each: f64,
    /// The mean length of key, headers and value.
    mean: usize,
    /// The first [`SAMPLE`] bytes of it.
    bytes: Vec<u8>,
    records: Vec<Letter>,
}

impl Written {
    /// Record by record, again and again.
    fn cycle<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = BaseRecord<'a, [u8], [u8]>> {
        self.records.iter().cycle().map(|letter| {
            let record = BaseRecord::to(layout.name(letter.role)).partition(letter.partition);
            record.key(&self.bytes[letter.key.clone()]).payload(&self.bytes[letter.value.clone()])
        })
    }

    fn keep(&mut self, role: Role, message: &BorrowedMessage<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(message.key().unwrap_or_default());
        let key = start..self.bytes.len();
        // A bare loop needs no headers, but writes as much.
        for header in message.headers().into_iter().flat_map(Headers::iter) {
            self.bytes.extend_from_slice(header.key.as_bytes());
            self.bytes.extend_from_slice(header.value.unwrap_or_default());
        }
        self.bytes.extend_from_slice(message.payload().unwrap_or_default());
        let end = self.bytes.len();
        let (partition, value) = (message.partition(), key.end..end);
        self.records.push(Letter { role, partition, key, value });
    }
}

/// Bytes of what Kuzet wrote that are kept to be written again.
const SAMPLE: usize = 256 << 20;

/// Consumes and produces in transactions of `tick` records: each record as it was read, or as many as were `written`, and the same.
fn bare(broker: &Broker, layout: &Layout, group: &str, (records, tick): (u64, u64), written: Option<&Written>) -> Took {
    let address = broker.address.as_str();
    let member = Member { group: group.to_owned(), instance: None, session_timeout_ms: 10_000 };
    let consumer: BaseConsumer = cluster(address).member(&member).create().expect("a member");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset("operations", partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("an assignment");
    let config = cluster(address).transactional(group, Partitioner::Murmur2);
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("transactions");
    let topic = layout.name(Role::Decisions);
    let mut clock = Clock::new(records, [std::process::id(), broker.child.id()]);
    let (mut done, mut owed) = (0, 0.0);
    let mut others = written.map(|written| written.cycle(layout));
    while done < records {
        producer.begin_transaction().expect("none is open");
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        let until = records.min(done + tick);
        while done < until {
            let Some(message) = consumer.poll(Duration::from_secs(5)) else { panic!("records come") };
            let message = message.expect("a record");
            next.insert(message.partition(), message.offset() + 1);
            owed += written.map_or(1.0, |written| written.each);
            while owed >= 1.0 {
                owed -= 1.0;
                let same = || {
                    let record = BaseRecord::<[u8], [u8]>::to(topic);
                    record.key(message.key().expect("a key")).payload(message.payload().expect("a value"))
                };
                let mut record = others.as_mut().and_then(Iterator::next).unwrap_or_else(same);
                while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) =
                    producer.send(record)
                {
                    drain::serve(&producer, Duration::from_micros(200));
                    record = back;
                }
            }
            done += 1;
        }
        assert!(drain(&producer, PATIENCE), "all is delivered");
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in next {
            offsets.add_partition_offset("operations", partition, Offset::Offset(next)).expect("a partition");
        }
        let metadata = consumer.group_metadata().expect("a group");
        producer.send_offsets_to_transaction(&offsets, &metadata, PATIENCE).expect("offsets");
        producer.commit_transaction(PATIENCE).expect("committed");
        clock.at(done);
    }
    clock.took()
}

/// `kuzet run` that ends when it is dropped.
struct Sidecar(Child);

impl Sidecar {
    fn start(address: &str, layout: &Layout, group: &str, more: &[&str]) -> Sidecar {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
        command.args(["run", "--kafka-brokers", address, "--single-node", "--kafka-group", group]);
        command.args(["--http-listen", "127.0.0.1:19394", "--start", "earliest"]).args(more);
        for role in Role::ALL {
            command.args([format!("--topics-{}", role.name()), layout.name(role).to_owned()]);
        }
        Sidecar(command.stderr(Stdio::null()).spawn().expect("kuzet starts"))
    }

    /// The sum of the offsets that it has committed, once it can be asked.
    fn committed(&mut self) -> Option<u64> {
        let ended = self.0.try_wait().expect("a child can be waited for");
        assert!(ended.is_none(), "`kuzet run` goes on, and has ended with {ended:?}");
        let mut stream = TcpStream::connect("127.0.0.1:19394").ok()?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let values = text.lines().filter(|line| line.starts_with("kuzet_next_offset{"));
        Some(values.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// `kuzet run` over the same records; its rate, and what it wrote for each.
fn kuzet(broker: &Broker, layout: &Layout, group: &str, (records, tick): (u64, u64)) -> (Took, Written) {
    let address = broker.address.as_str();
    let mut sidecar =
        Sidecar::start(address, layout, group, &["--tick-records", &tick.to_string(), "--tick-wait", "1s"]);
    let mut clock = Clock::new(records, [sidecar.0.id(), broker.child.id()]);
    let mut done = 0;
    while done < records {
        // Each look costs the sidecar as much as some dozen operations.
        thread::sleep(Duration::from_millis(25));
        done = sidecar.committed().unwrap_or(done);
        clock.at(done);
    }
    drop(sidecar);
    let roles = [Role::Decisions, Role::State, Role::Restrictions, Role::DeadLetters];
    (clock.took(), written(address, layout, &roles, records))
}

/// What the topics of these roles hold.
fn written(address: &str, layout: &Layout, roles: &[Role], read: u64) -> Written {
    let reader: BaseConsumer = cluster(address).reader().create().expect("a reader");
    let mut list = TopicPartitionList::new();
    for &role in roles {
        let partitions = if role == Role::Restrictions { 1 } else { PARTITIONS };
        for partition in 0..partitions {
            list.add_partition_offset(layout.name(role), partition, Offset::Beginning).expect("a partition");
        }
    }
    reader.assign(&list).expect("an assignment");
    let mut written = Written { each: 0.0, mean: 0, bytes: Vec::new(), records: Vec::new() };
    let (mut records, mut ends) = (0_u32, 0);
    while ends < list.count() {
        match reader.poll(PATIENCE) {
            Some(Ok(message)) => {
                records += 1;
                if written.bytes.len() < SAMPLE {
                    let role = roles.iter().find(|role| layout.name(**role) == message.topic());
                    written.keep(*role.expect("one of those that are read"), &message);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            other => panic!("{other:?} while reading what was written"),
        }
    }
    written.each = f64::from(records) / f64::from(u32::try_from(read).expect("few"));
    written.mean = written.bytes.len() / written.records.len().max(1);
    written
}

/// Copies operations to decisions in ticks like Kuzet's until it is told to stop, and writes the state that was `written` for as
/// many beside them, to the partitions that those are of.
fn copy(address: &str, layout: &Layout, group: &str, written: Option<&Written>, stop: &AtomicBool) {
    let member = Member { group: group.to_owned(), instance: None, session_timeout_ms: 10_000 };
    let consumer: BaseConsumer = cluster(address).member(&member).create().expect("a member");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(layout.name(Role::Operations), partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("an assignment");
    let producer: BaseProducer =
        cluster(address).transactional(group, Partitioner::Murmur2).create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("transactions");
    let mut value = Vec::new();
    let (mut others, mut owed) = (written.map(|written| written.cycle(layout)), 0.0);
    while !stop.load(Ordering::SeqCst) {
        let Some(first) = consumer.poll(Duration::from_millis(100)) else { continue };
        producer.begin_transaction().expect("none is open");
        let due = Instant::now() + Duration::from_millis(kuzet::limits::TICK_MS);
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        let (mut message, mut done) = (Some(first), 0);
        while let Some(got) = message {
            let got = got.expect("a record");
            next.insert(got.partition(), got.offset() + 1);
            // A decision begins with its event.
            let (key, rest) = (got.key().expect("a key"), &got.payload().expect("a value")[br#"{"id""#.len()..]);
            value.clear();
            value.extend_from_slice(br#"{"event""#);
            value.extend_from_slice(rest);
            let record = BaseRecord::<[u8], [u8]>::to(layout.name(Role::Decisions)).key(key).payload(&value);
            producer.send(record).map_err(|(error, _)| error).expect("there is room");
            owed += written.map_or(0.0, |written| written.each);
            while owed >= 1.0 {
                owed -= 1.0;
                let other = others.as_mut().and_then(Iterator::next).expect("some was written");
                let other = other.partition(got.partition());
                producer.send(other).map_err(|(error, _)| error).expect("there is room");
            }
            done += 1;
            let left = due.saturating_duration_since(Instant::now());
            message = if done < kuzet::limits::TICK_RECORDS && !left.is_zero() { consumer.poll(left) } else { None };
        }
        assert!(drain(&producer, PATIENCE), "all is delivered");
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in next {
            let topic = layout.name(Role::Operations);
            offsets.add_partition_offset(topic, partition, Offset::Offset(next)).expect("a partition");
        }
        let metadata = consumer.group_metadata().expect("a group");
        producer.send_offsets_to_transaction(&offsets, &metadata, PATIENCE).expect("offsets");
        producer.commit_transaction(PATIENCE).expect("committed");
    }
}

/// Topics of a contestant's own, its operations among them.
fn own(address: &str, name: &str) -> Layout {
    let mut layout = Layout::new(8, true);
    layout.names = Role::ALL.map(|role| format!("{name}.{}", role.name()));
    Topics::new(&cluster(address).admin()).expect("a client").init(&layout).expect("topics");
    layout
}

/// A steady load upon whoever decides on these topics; the first second is warming up.
///
/// A wallet acts as often as where the rate was measured: of a tenth as many wallets as operations.
fn loaded(address: &str, layout: &Layout, rate: u32, seconds: u64) -> Figures {
    let wallets = u64::from(rate) * seconds / 10;
    let once = |seconds: u64| {
        let load = Load {
            cluster: cluster(address),
            layout: layout.clone(),
            partitioner: Partitioner::Murmur2,
            rate,
            show: false,
        };
        load::run(&load, Source::Made(Made::new(seconds, wallets, u64::from(rate) * seconds))).expect("figures")
    };
    once(1);
    let figures = once(seconds);
    assert_eq!(figures.unheard, 0, "every operation is answered");
    figures
}

fn latency(address: &str, rate: u32, seconds: u64, rounds: u64) {
    println!("\nLatency at {rate} operations a second for {seconds} s, default ticks, ms:\n");
    println!(
        "| round | kuzet run: median | p99 | p99.9 | copy: median | p99 | p99.9 | ratio of p99.9 | as many: median | p99 | p99.9 | ratio of p99.9 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let warming = if rounds > 1 { WARMING_LATE } else { 0 };
    for round in 0..warming + rounds {
        let layout = own(address, &format!("late-kuzet-{round}"));
        let sidecar = Sidecar::start(address, &layout, &format!("late-kuzet-{round}"), &[]);
        let ours = loaded(address, &layout, rate, seconds);
        drop(sidecar);
        let state = written(address, &layout, &[Role::State], u64::from(rate) * (seconds + 1));
        let bare = |name: &str, written: Option<&Written>| {
            let layout = own(address, name);
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| copy(address, &layout, name, written, &stop));
                let bare = loaded(address, &layout, rate, seconds);
                stop.store(true, Ordering::SeqCst);
                bare
            })
        };
        let copy = bare(&format!("late-copy-{round}"), None);
        let many = bare(&format!("late-many-{round}"), Some(&state));
        let of = |figures: &Figures| {
            [50.0, 99.0, 99.9].map(|percent| match figures.percentile(percent) {
                Some(Percentile::Within(millis)) => millis,
                other => panic!("{other:?}: every operation is answered"),
            })
        };
        let [ours, copy, many] = [ours, copy, many].map(|figures| of(&figures));
        if round < warming {
            continue;
        }
        let told = |[median, late, latest]: [f64; 3]| format!("{median:.1} | {late:.1} | {latest:.1}");
        println!(
            "| {} | {} | {} | {:.2} | {} | {:.2} |",
            round - warming + 1,
            told(ours),
            told(copy),
            ours[2] / copy[2],
            told(many),
            ours[2] / many[2]
        );
    }
}

/// Reads every partition of `state` to its end, and says how long that took and how many records there were.
fn read(address: &str, layout: &Layout, mut take: impl FnMut(i32, &[u8], Option<&[u8]>)) -> u64 {
    let mut reader = StateReader::new(&cluster(address), layout.name(Role::State)).expect("a reader");
    let mut records = 0;
    for partition in 0..PARTITIONS {
        loop {
            let slice = reader.slice(partition, u64::MAX, PATIENCE, |key, value| {
                take(partition, key, value);
                Ok(())
            });
            let slice = slice.expect("a slice");
            records += slice.records;
            if slice.ended {
                break;
            }
        }
    }
    records
}

fn restore(address: &str, wallets: u64, rounds: u64) {
    let layout = own(address, "restore");
    fill(address, layout.name(Role::Operations), wallets, wallets);
    let mut sidecar = Sidecar::start(address, &layout, "restore", &["--tick-records", "10000", "--tick-wait", "1s"]);
    while sidecar.committed().unwrap_or(0) < wallets {
        thread::sleep(Duration::from_millis(100));
    }
    drop(sidecar);
    let packs = Arc::new(kuzet::pack_files::builtin().packs);
    println!("\nRestore of {wallets} wallets in {PARTITIONS} partitions:\n");
    println!("| round | records | reading | restoring | ratio | a wallet |");
    println!("|---|---|---|---|---|---|");
    for round in 1..=rounds {
        let began = Instant::now();
        let mut kept = 0;
        let records = read(address, &layout, |_, key, value| kept += key.len() + value.map_or(0, <[u8]>::len));
        let reading = began.elapsed();
        assert!(kept > 0, "there are bytes");
        let began = Instant::now();
        let mut partitions: Vec<Restoration> = (0..PARTITIONS).map(|_| Restoration::new(HashKey::default())).collect();
        read(address, &layout, |partition, key, value| {
            if key != GROUND_KEY {
                let place = usize::try_from(partition).expect("not negative");
                partitions[place].take(key, value).expect("a record of ours");
            }
        });
        let mut found = 0;
        for (partition, restoration) in (0..).zip(partitions) {
            let settings = Settings { partition: Some(partition), ..Settings::default() };
            let engine = restoration.finish(&packs, Arc::new(Geo::default()), settings).expect("a whole state");
            found += engine.wallets();
        }
        let restoring = began.elapsed();
        assert_eq!(u64::try_from(found).expect("few"), wallets, "every wallet is there");
        let each = restoring.as_secs_f64() * 1e6 / f64::from(u32::try_from(wallets).expect("few"));
        println!(
            "| {round} | {records} | {:.2} s | {:.2} s | {:.2} | {each:.2} µs |",
            reading.as_secs_f64(),
            restoring.as_secs_f64(),
            restoring.as_secs_f64() / reading.as_secs_f64()
        );
    }
}

/// The one in the middle; of an even number, the lower one of two.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() - 1) / 2]
}

/// Kuzet's own rate in the median round.
fn throughput(broker: &Broker, records: u64, tick: u64, rounds: u64) -> f64 {
    let address = broker.address.as_str();
    layout(address, "fill");
    fill(address, "operations", records, records / 10);
    println!(
        "Throughput of {records} operations, {tick} a transaction; processor time of an operation, and the broker's, in µs:\n"
    );
    println!(
        "| round | kuzet run | µs | copy | µs | ratio | as many | µs | ratio | records written for each | bytes of one |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let (mut rates, mut of_copy, mut of_many) = (Vec::new(), Vec::new(), Vec::new());
    let mut written = None;
    for round in 0..WARMING + rounds {
        let name = |what: &str| format!("{what}-{round}");
        let layouts = ["kuzet", "copy", "many"].map(|what| layout(address, &name(what)));
        let ours = || kuzet(broker, &layouts[0], &name("kuzet"), (records, tick));
        let first = (round % 2 == 0).then(|| {
            let (took, wrote) = ours();
            written = Some(wrote);
            took
        });
        let copy = bare(broker, &layouts[1], &name("copy"), (records, tick), None);
        let many = bare(broker, &layouts[2], &name("many"), (records, tick), written.as_ref());
        let ours = first.unwrap_or_else(|| ours().0);
        let wrote = written.as_ref().expect("Kuzet comes first in the first round");
        let spent = |took: &Took| {
            let [own, broker] = took.each.map(|each| each.map_or("-".to_owned(), |each| format!("{each:.1}")));
            format!("{own} + {broker}")
        };
        if round < WARMING {
            continue;
        }
        println!(
            "| {} | {:.0}/s | {} | {:.0}/s | {} | {:.2} | {:.0}/s | {} | {:.2} | {:.2} | {} |",
            round - WARMING + 1,
            ours.rate,
            spent(&ours),
            copy.rate,
            spent(&copy),
            ours.rate / copy.rate,
            many.rate,
            spent(&many),
            ours.rate / many.rate,
            wrote.each,
            wrote.mean
        );
        rates.push(ours.rate);
        of_copy.push(ours.rate / copy.rate);
        of_many.push(ours.rate / many.rate);
    }
    let rate = median(rates);
    println!("| median | {rate:.0}/s | | | | {:.2} | | | {:.2} | | |", median(of_copy), median(of_many));
    rate
}

fn main() {
    let testing = arguments::test_mode();
    let number = |name, short, long| arguments::number(name, if testing { short } else { long });
    let (records, tick) = (number("--records", 2_000, 600_000), number("--tick", 100, 10_000));
    let (rounds, seconds) = (number("--rounds", 1, 5), number("--seconds", 1, 20));
    let (wallets, asked_rate) = (number("--wallets", 500, 1_000_000), number("--rate", 200, 0));
    let measure = arguments::value("--measure");
    let measures = |what: &str| measure.as_deref().is_none_or(|asked| asked == what);
    let Some(broker) = Broker::start() else {
        println!("no broker can be had here: nothing is measured");
        return;
    };
    let address = broker.address.as_str();
    println!("`kuzet run` beside bare librdkafka, {PARTITIONS} partitions, Apache Kafka {} on one node\n", version());
    let mut rate = asked_rate;
    if measures("throughput") {
        let reached = Duration::from_secs_f64(throughput(&broker, records, tick, rounds) / 2e9).as_nanos();
        rate = if rate == 0 { u64::try_from(reached).expect("a rate") } else { rate };
    }
    if measures("latency") {
        let rate =
            u32::try_from(rate).ok().filter(|rate| *rate > 0).expect("`--rate` where throughput is not measured");
        latency(address, rate, seconds, rounds);
    }
    if measures("restore") {
        restore(address, wallets, rounds);
    }
}

/// What the pom names.
fn version() -> &'static str {
    let pom = include_str!("../deploy/kafka/pom.xml");
    let rest = pom.split("<kafka.version>").nth(1).expect("it names one");
    rest.split('<').next().expect("it ends")
}
