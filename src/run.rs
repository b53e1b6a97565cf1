//! `kuzet run`: operations from Kafka through the engine to decisions, exactly once.
//!
//! A process has workers, each with a thread, a member of the consumer group, a producer and the state of its partitions; one
//! reader of restrictions for all; and a thread that tells metrics and health. What a worker does next is said by
//! [`crate::sidecar`]; `worker` carries it out, and `shard` decides. This file starts them, waits, and says how it ended.

pub mod config;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod metrics;
mod outbox;
mod packs;
mod shard;
pub(crate) mod start;
mod worker;

use crate::{
    geo::Geo,
    kafka::{
        client::{self, Cluster},
        restrictions::{self, Feed},
        topics::{Layout, Role, Topics, Trouble},
    },
    limits,
    mapping::Mapping,
    rules::Packs,
    sidecar::{self, Ending},
};
use config::Settings;
pub use packs::Reload;
use rdkafka::error::KafkaError;
use shard::Common;
pub use shard::Keys;
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use worker::Worker;

/// After SIGTERM a process is over by then, whatever still hangs.
const OVER: Duration = Duration::from_millis(limits::DRAIN_MS + 300);
/// How often the process looks at its workers.
const LOOK: Duration = Duration::from_millis(20);

/// What a process works with, loaded.
pub struct Loaded {
    /// Those of the start.
    pub packs: Arc<Packs>,
    pub geo: Arc<Geo>,
    pub mapping: Option<Arc<Mapping>>,
}

/// Why a process could not begin.
#[derive(Debug)]
pub enum Refused {
    Topics(Trouble),
    Client(KafkaError),
    Listen { address: SocketAddr, cause: io::Error },
    Thread(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Topics(trouble) => trouble.fmt(out),
            Refused::Client(error) => write!(out, "librdkafka makes no client: {error}"),
            Refused::Listen { address, cause } => {
                write!(out, "nothing can listen on {address} ({cause}); `http.listen` names another, or none")
            }
            Refused::Thread(cause) => write!(out, "the system gives no thread ({cause})"),
        }
    }
}

impl std::error::Error for Refused {}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As asked: everything is committed and the group is left.
    pub drained: bool,
    /// Why, one line a worker that says anything else.
    pub reasons: Vec<String>,
}

/// Creates the topics that are missing and checks all; says which were created.
///
/// # Errors
/// What cannot be created, and what is wrong with what is there.
pub fn init(settings: &Settings) -> Result<Vec<String>, Refused> {
    let topics = Topics::new(&settings.cluster.admin()).map_err(Refused::Client)?;
    topics.init(&settings.layout).map_err(Refused::Topics)
}

/// Works until `shutdown` is set or a worker must stop.
///
/// # Errors
/// Topics that are missing or wrong, and whatever else keeps it from beginning.
pub fn run(
    settings: &Settings,
    loaded: &Loaded,
    shutdown: &Arc<AtomicBool>,
    reload: &Reload<'_>,
) -> Result<Ended, Refused> {
    log::start(settings.level);
    let Some(partitions) = checked(settings, shutdown)? else {
        tracing::info!("asked to stop before anything was begun");
        return Ok(Ended { drained: true, reasons: Vec::new() });
    };
    let metrics = Arc::new(metrics::Metrics::new(&loaded.packs.name));
    let common = Arc::new(Common {
        packs: packs::InForce::new(Arc::clone(&loaded.packs)),
        mapping: loaded.mapping.clone(),
        hash_key: settings.engine.hash_key,
        topic: settings.layout.name(Role::Operations).to_owned(),
        keys: settings.keys,
        partitioner: settings.partitioner,
        partitions: u32::try_from(partitions).expect("Kafka counts partitions in an i32"),
        stop_at_wrong_partition: settings.stop_at_wrong_partition,
        metrics: Arc::clone(&metrics),
    });
    if settings.fixed_hash_key {
        tracing::warn!(
            "wallets are hashed with the fixed key; give `secrets.hash_key` one of your own before there is state"
        );
    }
    let crew = Crew::start(settings, loaded, &common, shutdown)?;
    if let Some(address) = settings.listen {
        let text = Box::new(move || metrics.text());
        let told = http::Told { text, workers: crew.health.clone() };
        let bound = http::start(address, told).map_err(|cause| Refused::Listen { address, cause })?;
        tracing::info!(address = %bound, "metrics and health are told");
    }
    let brokers = settings.cluster.brokers();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pack = loaded.packs.name, brokers, partitions, "kuzet runs");
    Ok(crew.wait(shutdown, || reload.attend(&common.packs)))
}

/// How many partitions `operations` has, if all topics are as they must be; nothing where `shutdown` was set before the cluster
/// had answered.
fn checked(settings: &Settings, shutdown: &AtomicBool) -> Result<Option<usize>, Refused> {
    let topics = Topics::new(&settings.cluster.admin()).map_err(Refused::Client)?;
    let layout = settings.layout.clone();
    let (sender, answer) = mpsc::channel();
    let ask = move || {
        let checked = topics.check(&layout).and_then(|()| topics.partitions(layout.name(Role::Operations)));
        let _ = sender.send(checked);
        // The admin client takes a second to end, which neither the start nor the stop waits for.
        drop(topics);
    };
    thread::Builder::new().name("topics".to_owned()).spawn(ask).map_err(Refused::Thread)?;
    while !shutdown.load(Ordering::SeqCst) {
        match answer.recv_timeout(LOOK) {
            Ok(checked) => return checked.map(Some).map_err(Refused::Topics),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => unreachable!("it answers before it ends"),
        }
    }
    Ok(None)
}

/// The threads of a process.
struct Crew {
    health: Vec<Arc<health::Worker>>,
    endings: mpsc::Receiver<(usize, Ending)>,
    stop_reader: Arc<AtomicBool>,
}

impl Crew {
    fn start(
        settings: &Settings,
        loaded: &Loaded,
        common: &Arc<Common>,
        shutdown: &Arc<AtomicBool>,
    ) -> Result<Crew, Refused> {
        let layout = Arc::new(settings.layout.clone());
        let feeds: Vec<Feed> = (0..settings.workers).map(|_| Feed::default()).collect();
        let health: Vec<Arc<health::Worker>> = (0..settings.workers).map(|_| Arc::default()).collect();
        let (sender, endings) = mpsc::channel();
        let mut workers = Vec::with_capacity(settings.workers);
        for (number, (feed, health)) in feeds.iter().zip(&health).enumerate() {
            workers.push(worker::Setup {
                common: Arc::clone(common),
                geo: Arc::clone(&loaded.geo),
                engine: settings.engine,
                cluster: settings.cluster.clone(),
                layout: Arc::clone(&layout),
                member: member(settings, number),
                name: name(settings, number),
                machine: machine(settings),
                start: settings.start,
                feed: feed.clone(),
                shutdown: Arc::clone(shutdown),
                health: Arc::clone(health),
            });
        }
        let stop_reader = Arc::new(AtomicBool::new(false));
        read_restrictions(&settings.cluster, &layout, feeds, &stop_reader)?;
        for (number, setup) in workers.into_iter().enumerate() {
            let worker = Worker::new(setup).map_err(Refused::Client)?;
            let sender = sender.clone();
            let thread = thread::Builder::new().name(format!("worker-{number}"));
            let run = move || {
                let _ = sender.send((number, worker.run()));
            };
            thread.spawn(run).map_err(Refused::Thread)?;
        }
        Ok(Crew { health, endings, stop_reader })
    }

    /// Waits for every worker, attending to what else is asked; one that ends by itself ends the others.
    fn wait(self, shutdown: &AtomicBool, attend: impl Fn()) -> Ended {
        let mut ended = Ended { drained: true, reasons: Vec::new() };
        let mut over: Option<Instant> = None;
        let mut running = self.health.len();
        while running > 0 {
            if shutdown.load(Ordering::SeqCst) {
                over.get_or_insert_with(|| Instant::now() + OVER);
            }
            if over.is_some_and(|over| Instant::now() >= over) {
                ended.drained = false;
                ended.reasons.push(format!("{running} workers were not over in time"));
                break;
            }
            attend();
            match self.endings.recv_timeout(LOOK) {
                Ok((number, ending)) => {
                    running -= 1;
                    let (well, words) = worker::told(&ending);
                    if well {
                        tracing::info!(worker = number, "{words}");
                    } else {
                        tracing::error!(worker = number, "{words}");
                        ended.drained = false;
                        ended.reasons.push(words);
                        shutdown.store(true, Ordering::SeqCst);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    ended.drained = false;
                    ended.reasons.push("a worker panicked; its last words are above".to_owned());
                    break;
                }
            }
        }
        self.stop_reader.store(true, Ordering::SeqCst);
        ended
    }
}

fn read_restrictions(
    cluster: &Cluster,
    layout: &Layout,
    feeds: Vec<Feed>,
    stop: &Arc<AtomicBool>,
) -> Result<(), Refused> {
    restrictions::start(cluster, layout.name(Role::Restrictions), feeds, Arc::clone(stop)).map_err(Refused::Client)?;
    Ok(())
}

fn member(settings: &Settings, number: usize) -> client::Member {
    client::Member {
        group: settings.group.clone(),
        instance: settings.instance.as_ref().map(|instance| format!("{instance}-{number}")),
        session_timeout_ms: settings.session_timeout_ms,
    }
}

/// The transactional id of one worker.
fn name(settings: &Settings, number: usize) -> String {
    format!("{}-{number}", transactional_id(&settings.group, settings.instance.as_deref()))
}

fn machine(settings: &Settings) -> sidecar::Settings {
    sidecar::Settings {
        delivery: settings.delivery,
        incarnation: chance(),
        tick: settings.tick_ms,
        tick_records: settings.tick_records,
        session_timeout: u64::from(settings.session_timeout_ms),
        ..sidecar::Settings::default()
    }
}

/// What a process of a group calls its transactions: the same after a restart where the instance has a name, else something
/// new, whose forerunner's open transaction is then ended by its timeout.
pub(crate) fn transactional_id(group: &str, instance: Option<&str>) -> String {
    let instance = instance.map_or_else(|| format!("{:016x}", chance()), str::to_owned);
    format!("kuzet-{group}-{instance}")
}

/// A number that nobody has had before.
pub(crate) fn chance() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
