//! How each client of Kafka is configured: what is set against librdkafka's defaults, and why.
//!
//! There are four: a member of the group that reads operations, a reader of whole partitions that belongs to no group, a
//! transactional producer, and the admin client. What exactly-once leans on is set here and cannot be set from
//! outside; an operator's options are let through only where they say how to reach the cluster. The decision to question:
//! that list is closed, so a new option of librdkafka has to be added here before anybody can use it.

use super::partitioner::Partitioner;
use crate::limits;
use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError};
use std::{collections::BTreeMap, fmt};

/// Options that say how to reach a cluster; with the families `ssl.` and `sasl.` all that is let through.
const LET_THROUGH: &[&str] = &[
    "broker.address.family",
    "client.dns.lookup",
    "client.rack",
    "connections.max.idle.ms",
    "debug",
    "enable.ssl.certificate.verification",
    "metadata.max.age.ms",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "security.protocol",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
];

/// What every client has.
const EVERY: &[(&str, &str)] = &[
    // A typing mistake in a name must be an error and not a new topic with the broker's defaults. Producers have no such
    // option: there the broker's own setting decides, which is why topics are checked before anything is written.
    ("allow.auto.create.topics", "false"),
];

/// What everything that reads has.
const READING: &[(&str, &str)] = &[
    // An offset that is gone is a loss that somebody has to judge; the default would skip to the newest record in silence.
    ("auto.offset.reset", "error"),
    // A record that was damaged on the way or on the broker's disk is an error, not an event.
    ("check.crcs", "true"),
    // What an aborted transaction wrote was never decided.
    ("isolation.level", "read_committed"),
    // Offsets are committed in the transaction that holds what was made of the records, and nowhere else.
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // Where more is fetched than is decided on, fetching goes on a moment later and not the default second.
    ("fetch.queue.backoff.ms", "10"),
];

/// What a member of the group has besides.
const MEMBER: &[(&str, &str)] = &[
    // A partition that stays keeps its state in memory: only what moves is restored.
    ("partition.assignment.strategy", "cooperative-sticky"),
    // Where a partition begins and ends is asked by the connection that fetches, behind a fetch for which nothing has come yet:
    // a worker that takes partitions over decides on nothing until it has those answers, two for each.
    ("fetch.wait.max.ms", "50"),
    // Partitions that are added to the topic stop the worker, which by default would learn of them after five minutes.
    ("topic.metadata.refresh.interval.ms", "10000"),
];

/// What a reader without a group has besides.
const READER: &[(&str, &str)] = &[
    // Records of aborted transactions and transaction marks take offsets without ever being handed out, so the end of a
    // partition shows in no record.
    ("enable.partition.eof", "true"),
    // Whoever restores waits for the end of a partition, and the broker says it only when a fetch has waited this long.
    ("fetch.wait.max.ms", "50"),
];

/// What a producer has besides.
const PRODUCER: &[(&str, &str)] = &[
    // Every copy that must be there has the record before it counts, once and in order.
    ("acks", "all"),
    ("enable.idempotence", "true"),
    // A tick sends all it has and waits for it; holding records back for company would only delay its commit.
    ("linger.ms", "0"),
    // Decisions and state repeat themselves; of what librdkafka brings along, LZ4 costs least for what it saves.
    ("compression.type", "lz4"),
    // What is delivered only needs to be counted. A failed delivery is told, and fails the commit besides.
    ("delivery.report.only.error", "true"),
];

/// How to reach a cluster, checked.
#[derive(Clone)]
pub struct Cluster {
    brokers: String,
    client: String,
    options: BTreeMap<String, String>,
}

/// A worker's place in the group that reads operations.
#[derive(Clone, Debug)]
pub struct Member {
    pub group: String,
    /// Static membership: the same name after a restart gets the same partitions back without a rebalance, if it comes
    /// within the session's time. Unique in the group; none for members that come and go.
    pub instance: Option<String>,
    /// How long the group waits for a silent member before it gives its partitions away, in ms.
    pub session_timeout_ms: u32,
}

impl Cluster {
    /// A cluster at `brokers` (`host:port`, with commas between), for a client that calls itself `client`, with an
    /// operator's own `options` for librdkafka.
    ///
    /// # Errors
    /// Every option that is not let through, that needs TLS in a build without it, or that librdkafka does not take.
    pub fn new(brokers: &str, client: &str, options: BTreeMap<String, String>) -> Result<Cluster, Vec<Refusal>> {
        let refusals: Vec<Refusal> =
            options.iter().filter_map(|(option, value)| refusal(option, value).err()).collect();
        if refusals.is_empty() {
            Ok(Cluster { brokers: brokers.to_owned(), client: client.to_owned(), options })
        } else {
            Err(refusals)
        }
    }

    /// The addresses as they were given.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// A client that looks at topics and creates them.
    #[must_use]
    pub fn admin(&self) -> ClientConfig {
        self.with(&[EVERY])
    }

    /// A member of the group that reads operations.
    #[must_use]
    pub fn member(&self, member: &Member) -> ClientConfig {
        let mut config = self.with(&[EVERY, READING, MEMBER]);
        config.set("group.id", &member.group);
        config.set("session.timeout.ms", member.session_timeout_ms.to_string());
        // Two may go missing before the group gives up.
        config.set("heartbeat.interval.ms", (member.session_timeout_ms / 3).to_string());
        if let Some(instance) = &member.instance {
            config.set("group.instance.id", instance);
        }
        config
    }

    /// A reader of whole partitions, to restore from them: it is told what to read and commits nothing.
    #[must_use]
    pub fn reader(&self) -> ClientConfig {
        let mut config = self.with(&[EVERY, READING, READER]);
        // librdkafka asks for a group's name also where no group is joined.
        config.set("group.id", format!("{}-reader", self.client));
        config
    }

    /// A transactional producer. `id` is the same after a restart, so that a new one shuts its forerunner out.
    #[must_use]
    pub fn transactional(&self, id: &str, partitioner: Partitioner) -> ClientConfig {
        let mut config = self.with(&[EVERY, PRODUCER]);
        let timeout = limits::TRANSACTION_TIMEOUT_MS;
        config.set("transactional.id", id);
        // A worker that died keeps read-committed readers waiting for this long; a slow tick must not take longer.
        config.set("transaction.timeout.ms", timeout.to_string());
        config.set("message.timeout.ms", timeout.to_string());
        // No request is tried again because it was slow before the coordinator itself has given the transaction up: a late
        // copy of the end of one transaction could otherwise end the next one (KAFKA-17754).
        config.set("socket.timeout.ms", (timeout + 100).to_string());
        // A connection that breaks while a request is under way is told in the debug log alone, and whoever commits must know.
        tell_of_connections(&mut config);
        produces(&mut config, partitioner);
        config
    }

    /// A producer without transactions: what it sends is there at once, each record once and in order while it lives.
    #[must_use]
    pub fn idempotent(&self, partitioner: Partitioner) -> ClientConfig {
        let mut config = self.with(&[EVERY, PRODUCER]);
        config.set("message.timeout.ms", limits::TRANSACTION_TIMEOUT_MS.to_string());
        produces(&mut config, partitioner);
        config
    }

    /// A reader of whole partitions that sees what is not yet committed: how far a partition really goes.
    #[must_use]
    pub fn uncommitted_reader(&self) -> ClientConfig {
        let mut config = self.reader();
        config.set("isolation.level", "read_uncommitted");
        config
    }

    fn with(&self, tables: &[&[(&str, &str)]]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", &self.client);
        for (option, value) in &self.options {
            config.set(option, value);
        }
        for (option, value) in tables.iter().copied().flatten() {
            config.set(*option, *value);
        }
        config
    }
}

/// Has connections that break, or cannot be made, told in the debug log, beside what an operator wants to see there.
pub(super) fn tell_of_connections(config: &mut ClientConfig) {
    let asked = config.get("debug").map_or_else(String::new, |asked| format!("{asked},"));
    config.set("debug", format!("{asked}broker")).set_log_level(RDKafkaLogLevel::Debug);
}

/// Where every producer puts a key, and how much it holds.
fn produces(config: &mut ClientConfig, partitioner: Partitioner) {
    config.set("partitioner", partitioner.name());
    config.set("message.max.bytes", limits::DEAD_LETTER_BATCH_BYTES.to_string());
    config.set("queue.buffering.max.kbytes", limits::PRODUCER_QUEUE_KIB.to_string());
}

/// An option that cannot be had, for whoever writes the configuration. It never shows the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotLetThrough { option: String },
    NeedsTls { option: String },
    NotTaken { option: String, reason: String },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotLetThrough { option } => write!(
                f,
                "`{option}` cannot be set: options say how to reach the cluster, everything else is Kuzet's own. Let through are `ssl.…`, `sasl.…`, `{}`",
                LET_THROUGH.join("`, `")
            ),
            Refusal::NeedsTls { option } => {
                write!(f, "`{option}` needs TLS, which this build leaves out: build with `cargo build --features tls`")
            }
            Refusal::NotTaken { option, reason } => write!(f, "`{option}`: {reason}"),
        }
    }
}

impl std::error::Error for Refusal {}

fn refusal(option: &str, value: &str) -> Result<(), Refusal> {
    let known = LET_THROUGH.contains(&option) || option.starts_with("ssl.") || option.starts_with("sasl.");
    if !known {
        return Err(Refusal::NotLetThrough { option: option.to_owned() });
    }
    if !cfg!(feature = "tls") && needs_tls(option, value) {
        return Err(Refusal::NeedsTls { option: option.to_owned() });
    }
    let mut config = ClientConfig::new();
    match config.set(option, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(_, reason, ..)) => {
            Err(Refusal::NotTaken { option: option.to_owned(), reason: without(&reason, value) })
        }
        Err(error) => Err(Refusal::NotTaken { option: option.to_owned(), reason: without(&error.to_string(), value) }),
    }
}

/// What `reason` says without the value, which it may quote.
fn without(reason: &str, value: &str) -> String {
    if value.is_empty() { reason.to_owned() } else { reason.replace(value, "…") }
}

/// PLAIN over plain text is all that librdkafka can do without a TLS library.
fn needs_tls(option: &str, value: &str) -> bool {
    match option {
        "security.protocol" => value.to_ascii_lowercase().contains("ssl"),
        "sasl.mechanism" | "sasl.mechanisms" => value != "PLAIN",
        _ => option.starts_with("ssl.") || option.starts_with("enable.ssl.") || option.starts_with("sasl.oauthbearer."),
    }
}
