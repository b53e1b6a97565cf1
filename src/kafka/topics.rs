//! Which topics there are, with which settings; creating those that lack and refusing those that are wrong.
//!
//! Exactly-once, and finding state again, lean on settings of topics that anybody with Kafka's tools can change: a `state` that
//! is deleted by age forgets wallets, an `operations` that believes its producers' clocks lets one of them empty
//! windows. So every start checks all of them, and only `kuzet run --init` creates. A topic that is there is never
//! changed: what is in it was written by rules that only its owner knows, so the refusal names the command to run.

use super::{
    hearsay::{self, Asker},
    tags::GROWN,
    wait::wait_for,
};
use crate::limits;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode},
    metadata::Metadata,
};
use std::{
    fmt, thread,
    time::{Duration, Instant},
};

/// How long one question to the cluster may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before asking again.
const STEP: Duration = Duration::from_millis(20);
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Events, by the user's systems.
    Operations,
    /// What each operation gets.
    Decisions,
    /// Records that could not be used, with the diagnosis.
    DeadLetters,
    /// What the engine remembers; partition by partition that of `operations`.
    State,
    /// Restrictions that every instance must see.
    Restrictions,
    /// Alerts that no receiver took.
    AlertsFailed,
    /// Alerts that wait for another attempt; partition by partition those of `decisions`.
    AlertsRetry,
}

impl Role {
    pub const ALL: [Role; 7] = [
        Role::Operations,
        Role::Decisions,
        Role::DeadLetters,
        Role::State,
        Role::Restrictions,
        Role::AlertsFailed,
        Role::AlertsRetry,
    ];
    /// What `kuzet alert` reads and writes.
    pub const ALERT: [Role; 3] = [Role::Decisions, Role::AlertsFailed, Role::AlertsRetry];

    /// The topic's name where the configuration gives no other.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Operations => "operations",
            Role::Decisions => "decisions",
            Role::DeadLetters => "dead-letters",
            Role::State => "state",
            Role::Restrictions => "restrictions",
            Role::AlertsFailed => "alerts-failed",
            Role::AlertsRetry => "alerts-retry",
        }
    }

    fn settings(self) -> &'static [Setting] {
        match self {
            Role::Operations => OPERATIONS,
            Role::Decisions => DECISIONS,
            Role::DeadLetters => DEAD_LETTERS,
            Role::State | Role::Restrictions | Role::AlertsRetry => COMPACTED,
            Role::AlertsFailed => ALERTS_FAILED,
        }
    }

    /// How many partitions the topic must have beside `operations` and `decisions`; none where any number will do.
    fn partitions(self, beside: Beside) -> Option<Required> {
        match self {
            Role::State => Some(Required {
                partitions: beside.operations?,
                because: "each partition of operations has its own state",
            }),
            Role::AlertsRetry => Some(Required {
                partitions: beside.decisions?,
                because: "each partition of decisions has its own alerts",
            }),
            Role::Restrictions => Some(Required {
                partitions: 1,
                because: "every instance applies restrictions in one order, and says with one number how far it is",
            }),
            Role::Operations | Role::Decisions | Role::DeadLetters | Role::AlertsFailed => None,
        }
    }
}

/// How many partitions the topics have that others go by; none of one that is not there.
#[derive(Clone, Copy)]
struct Beside {
    operations: Option<usize>,
    decisions: Option<usize>,
}

struct Required {
    partitions: usize,
    because: &'static str,
}

/// One setting of a topic.
struct Setting {
    name: &'static str,
    rule: Rule,
    because: &'static str,
}

/// What a setting must be, and what it is created as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Is(&'static str),
    AtLeast {
        least: i64,
        created: i64,
    },
    AtMost {
        most: i64,
    },
    /// A time in ms, −1 for ever.
    KeptFor {
        least: i64,
        created: i64,
    },
}

impl Rule {
    fn holds(self, value: &str) -> bool {
        let number = || value.parse::<i64>().ok();
        match self {
            Rule::Is(wanted) => value == wanted,
            Rule::AtLeast { least, .. } => number().is_some_and(|number| number >= least),
            Rule::AtMost { most } => number().is_some_and(|number| number <= most),
            Rule::KeptFor { least, .. } => number().is_some_and(|number| number == -1 || number >= least),
        }
    }

    /// The value that a topic is created with.
    fn created(self) -> String {
        match self {
            Rule::Is(wanted) => wanted.to_owned(),
            Rule::AtMost { most } => most.to_string(),
            Rule::AtLeast { created, .. } | Rule::KeptFor { created, .. } => created.to_string(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Is(wanted) => write!(f, "`{wanted}`"),
            Rule::AtLeast { least, .. } => write!(f, "at least {least}"),
            Rule::AtMost { most } => write!(f, "at most {most}"),
            Rule::KeptFor { least, .. } => write!(f, "at least {least} or -1"),
        }
    }
}

const DELETED: Setting = Setting {
    name: "cleanup.policy",
    rule: Rule::Is("delete"),
    because: "each record of it stands for itself, and compaction keeps only the newest of a key",
};

/// Whoever reads must be able to be away for a day.
const fn kept_for(days: i64) -> Setting {
    Setting {
        name: "retention.ms",
        rule: Rule::KeptFor { least: DAY_MS, created: days * DAY_MS },
        because: "a reader that was away for a day must find what it has not read yet",
    }
}

const KEPT_A_WEEK: Setting = kept_for(7);
const KEPT_A_MONTH: Setting = kept_for(30);

const KEPT_HOWEVER_MUCH: Setting = Setting {
    name: "retention.bytes",
    rule: Rule::Is("-1"),
    because: "a limit of size deletes what has not been read yet, however young it is",
};

const OPERATIONS: &[Setting] = &[
    DELETED,
    Setting {
        name: "message.timestamp.type",
        rule: Rule::Is("LogAppendTime"),
        because: "an event's time is held against the broker's clock, since a producer's own may be wrong",
    },
    KEPT_A_WEEK,
    KEPT_HOWEVER_MUCH,
    Setting {
        name: "max.message.bytes",
        rule: Rule::AtMost { most: limits::OPERATION_BATCH_BYTES },
        because: "what comes in must fit into a dead letter",
    },
];

const DECISIONS: &[Setting] = &[DELETED, KEPT_A_WEEK, KEPT_HOWEVER_MUCH, LARGE_ENOUGH];

const DEAD_LETTERS: &[Setting] = &[
    DELETED,
    KEPT_A_MONTH,
    KEPT_HOWEVER_MUCH,
    Setting {
        name: "max.message.bytes",
        rule: Rule::AtLeast { least: limits::DEAD_LETTER_BATCH_BYTES, created: limits::DEAD_LETTER_BATCH_BYTES },
        because: "whatever came in must fit, with its diagnosis",
    },
];

const ALERTS_FAILED: &[Setting] = &[DELETED, KEPT_A_MONTH, KEPT_HOWEVER_MUCH, LARGE_ENOUGH];

const COMPACTED: &[Setting] = &[
    Setting {
        name: "cleanup.policy",
        rule: Rule::Is("compact"),
        because: "the newest record of each key is what is remembered, however old it is",
    },
    Setting {
        name: "delete.retention.ms",
        rule: Rule::AtLeast { least: DAY_MS, created: DAY_MS },
        because: "whoever restores must see that a key was deleted, or the deleted comes back to life",
    },
    LARGE_ENOUGH,
];

const LARGE_ENOUGH: Setting = Setting {
    name: "max.message.bytes",
    rule: Rule::AtLeast { least: limits::OPERATION_BATCH_BYTES, created: limits::OPERATION_BATCH_BYTES },
    because: "our producers fill batches up to that",
};

/// Two copies that have a record before it counts, and no election of a leader that lacks some.
const COPIED: &[Setting] = &[
    Setting {
        name: "min.insync.replicas",
        rule: Rule::AtLeast { least: 2, created: 2 },
        because: "what one broker alone has is lost with it",
    },
    Setting {
        name: "unclean.leader.election.enable",
        rule: Rule::Is("false"),
        because: "a leader that lacks records would lose what was committed",
    },
];

/// Copies of every partition where more than one broker is there.
const COPIES: i32 = 3;

/// What the topics of one installation are.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Names by role, in the order of [`Role::ALL`].
    pub names: [String; 7],
    /// Those that are used.
    pub roles: &'static [Role],
    /// Partitions of `operations`, if it has to be created.
    pub partitions: u16,
    /// One broker, one copy: for trying, and for tests.
    pub single_node: bool,
}

impl Layout {
    /// The usual names.
    #[must_use]
    pub fn new(partitions: u16, single_node: bool) -> Layout {
        Layout { names: Role::ALL.map(|role| role.name().to_owned()), roles: &Role::ALL, partitions, single_node }
    }

    /// The name of the topic for `role`.
    #[must_use]
    pub fn name(&self, role: Role) -> &str {
        &self.names[role as usize]
    }

    fn settings(&self, role: Role) -> impl Iterator<Item = &'static Setting> {
        role.settings().iter().chain(if self.single_node { &[][..] } else { COPIED })
    }

    fn copies(&self) -> i32 {
        if self.single_node { 1 } else { COPIES }
    }
}

/// What state is made with, and what would become of a new topic of that name.
const MADE_WITH: &[(Role, &str)] = &[
    (Role::Operations, "New records would be taken for ones that were decided on already"),
    (
        Role::Restrictions,
        "What it said of addresses and of other partitions' wallets is gone, and they would be let through",
    ),
];

/// One thing that is wrong with a topic, for the platform engineer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Missing {
        topic: String,
    },
    /// It is missing, and there is state that was made with it.
    Lost {
        topic: String,
        state: String,
        because: &'static str,
    },
    Setting {
        topic: String,
        setting: &'static str,
        value: String,
        wanted: String,
        create: String,
        because: &'static str,
    },
    Copies {
        topic: String,
        copies: usize,
        wanted: i32,
    },
    Partitions {
        topic: String,
        partitions: usize,
        wanted: usize,
        because: &'static str,
        /// What it means if the topic that it goes by has grown.
        grown: String,
    },
}

impl Fault {
    /// What is wrong, and the command that mends it, with `brokers` as the address.
    fn tell(&self, f: &mut fmt::Formatter<'_>, brokers: &str) -> fmt::Result {
        match self {
            Fault::Missing { topic } => {
                write!(f, "topic `{topic}` does not exist.\n  `kuzet run --init` creates it as it must be")
            }
            Fault::Lost { topic, state, because } => write!(
                f,
                "topic `{topic}` does not exist, and `{state}` holds the state of its partitions: it was deleted, or has another name. \
                 {because}.\n  Bring `{topic}` back, or give the configuration the names of new topics, `{state}` among them, and another group"
            ),
            Fault::Setting { topic, setting, value, wanted, create, because } if value.is_empty() => write!(
                f,
                "topic `{topic}`: `{setting}` is not told and must be {wanted}: {because}.\n  \
                 Let this user describe the topic's settings (kafka-acls.sh --operation DescribeConfigs); where it is wrong: \
                 kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config {setting}={create}"
            ),
            Fault::Setting { topic, setting, value, wanted, create, because } => write!(
                f,
                "topic `{topic}`: `{setting}` is `{value}` and must be {wanted}: {because}.\n  \
                 kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config {setting}={create}"
            ),
            Fault::Copies { topic, copies, wanted } => write!(
                f,
                "topic `{topic}`: a partition has {copies} copies and must have at least {wanted}: what fewer brokers have is lost with them.\n  \
                 Add copies with kafka-reassign-partitions.sh; `--single-node` is for trying on one broker"
            ),
            Fault::Partitions { topic, partitions, wanted, because, grown } if partitions < wanted => write!(
                f,
                "topic `{topic}` has {partitions} partitions and must have {wanted}: {because}.{grown}\n  \
                 kafka-topics.sh --bootstrap-server {brokers} --alter --topic {topic} --partitions {wanted}"
            ),
            Fault::Partitions { topic, partitions, wanted, because, .. } => write!(
                f,
                "topic `{topic}` has {partitions} partitions and must have {wanted}: {because}.\n  \
                 Kafka takes no partition away: give the configuration the name of a new topic and run `kuzet run --init`"
            ),
        }
    }
}

/// Why topics cannot be used.
#[derive(Debug)]
pub enum Trouble {
    /// The cluster does not answer, or does not let us ask; whoever runs it must act. `told` says what was asked, and the cause.
    NoAnswer { error: KafkaError, told: String },
    /// A topic could not be created.
    NotCreated { topic: String, code: RDKafkaErrorCode },
    /// Topics are missing or wrong, every fault at once.
    Wrong { brokers: String, faults: Vec<Fault> },
}

impl Trouble {
    /// Whether a broker did not know a topic, as far as this says.
    fn is_about_missing(&self) -> bool {
        match self {
            Trouble::NoAnswer { error, .. } => *error == KafkaError::AdminOp(RDKafkaErrorCode::UnknownTopicOrPartition),
            Trouble::NotCreated { .. } => false,
            Trouble::Wrong { faults, .. } => faults.iter().any(|fault| matches!(fault, Fault::Missing { .. })),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoAnswer { told, .. } => f.write_str(told),
            Trouble::NotCreated { topic, code: RDKafkaErrorCode::InvalidReplicationFactor } => write!(
                f,
                "topic `{topic}` could not be created: {COPIES} copies need as many brokers. `--single-node` is for trying on one"
            ),
            Trouble::NotCreated { topic, code } => write!(f, "topic `{topic}` could not be created: {code}"),
            Trouble::Wrong { brokers, faults } => {
                for (number, fault) in faults.iter().enumerate() {
                    if number > 0 {
                        writeln!(f)?;
                    }
                    fault.tell(f, brokers)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Trouble {}

/// Looks at topics and creates them.
pub struct Topics {
    asker: Asker,
    admin: AdminClient<DefaultClientContext>,
    brokers: String,
}

impl Topics {
    /// With an admin client's configuration, [`super::client::Cluster::admin`].
    ///
    /// # Errors
    /// Those of librdkafka for a configuration that it does not take.
    pub fn new(config: &ClientConfig) -> Result<Topics, KafkaError> {
        let brokers = config.get("bootstrap.servers").unwrap_or_default().to_owned();
        Ok(Topics { asker: hearsay::asker(config.clone())?, admin: config.create()?, brokers })
    }

    /// Creates what is missing, says what that was, and checks all as [`Topics::check`] does.
    ///
    /// # Errors
    /// A topic that cannot be created, and what `check` finds.
    pub fn init(&self, layout: &Layout) -> Result<Vec<String>, Trouble> {
        let there = self.metadata()?;
        let known = beside(&there, layout);
        let operations = known.operations.unwrap_or(usize::from(layout.partitions));
        let decisions = known.decisions.unwrap_or(operations);
        let lost = self.lost(&there, layout)?;
        if !lost.is_empty() {
            return Err(Trouble::Wrong { brokers: self.brokers.clone(), faults: lost });
        }
        let mut created = Vec::new();
        for role in layout.roles.iter().copied() {
            let topic = layout.name(role);
            if partitions_of(&there, topic).is_none() && self.create(layout, role, operations, decisions)? {
                created.push(topic.to_owned());
            }
        }
        if created.is_empty() {
            self.check(layout)?
        } else {
            self.check_once_known(layout)?
        }
        Ok(created)
    }

    /// Checks topics that were created just now. The controller says that a topic is there before every broker knows
    /// of it, so a topic that is missing is asked for again for a while.
    fn check_once_known(&self, layout: &Layout) -> Result<(), Trouble> {
        let begun = Instant::now();
        loop {
            match self.check_all(&self.metadata()?, layout, Vec::new()) {
                Err(trouble) if trouble.is_about_missing() && begun.elapsed() < PATIENCE => thread::sleep(STEP),
                answer => return answer,
            }
        }
    }

    /// Whether every topic is there and as it must be.
    ///
    /// # Errors
    /// Every fault of every topic, or a cluster that does not answer.
    pub fn check(&self, layout: &Layout) -> Result<(), Trouble> {
        let there = self.metadata()?;
        self.check_all(&there, layout, self.lost(&there, layout)?)
    }

    /// The same, beside faults that are known already.
    fn check_all(&self, there: &Metadata, layout: &Layout, mut faults: Vec<Fault>) -> Result<(), Trouble> {
        let known = beside(there, layout);
        for role in layout.roles.iter().copied() {
            let topic = layout.name(role);
            match partitions_of(there, topic) {
                None if faults
                    .iter()
                    .any(|fault| matches!(fault, Fault::Lost { topic: lost, .. } if lost == topic)) => {}
                None => faults.push(Fault::Missing { topic: topic.to_owned() }),
                Some(partitions) => {
                    faults.extend(self.wrong_settings(layout, role)?);
                    faults.extend(too_few_copies(there, topic, layout.copies()));
                    faults.extend(wrong_partitions(role, topic, partitions, known));
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Trouble::Wrong { brokers: self.brokers.clone(), faults }) }
    }

    /// Topics that are missing while there is state that was made with them. Created anew they would pass for the old ones.
    fn lost(&self, there: &Metadata, layout: &Layout) -> Result<Vec<Fault>, Trouble> {
        let state = layout.name(Role::State);
        let missing = MADE_WITH.iter().filter(|(role, _)| partitions_of(there, layout.name(*role)).is_none());
        let missing: Vec<&(Role, &str)> = missing.filter(|(role, _)| layout.roles.contains(role)).collect();
        if missing.is_empty() || !layout.roles.contains(&Role::State) || !self.holds_records(there, state)? {
            return Ok(Vec::new());
        }
        let lost = |(role, because): &(Role, &'static str)| Fault::Lost {
            topic: layout.name(*role).to_owned(),
            state: state.to_owned(),
            because,
        };
        Ok(missing.into_iter().map(lost).collect())
    }

    /// Whether there is anything in a topic, if there is such a topic.
    fn holds_records(&self, there: &Metadata, topic: &str) -> Result<bool, Trouble> {
        for partition in 0..partitions_of(there, topic).unwrap_or(0) {
            let partition = i32::try_from(partition).expect("Kafka counts partitions in an i32");
            let bounds = self.asker.fetch_watermarks(topic, partition, PATIENCE);
            let (low, high) = bounds.map_err(|error| self.no_answer("where a topic ends", error))?;
            if low < high {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// A cluster that does not answer, and a topic that is not there.
    pub fn partitions(&self, topic: &str) -> Result<usize, Trouble> {
        let there = self.metadata()?;
        partitions_of(&there, topic).ok_or_else(|| Trouble::Wrong {
            brokers: self.brokers.clone(),
            faults: vec![Fault::Missing { topic: topic.to_owned() }],
        })
    }

    /// Creates one topic; false when somebody else was quicker.
    fn create(&self, layout: &Layout, role: Role, operations: usize, decisions: usize) -> Result<bool, Trouble> {
        let topic = layout.name(role);
        let beside = Beside { operations: Some(operations), decisions: Some(decisions) };
        let partitions = role.partitions(beside).map_or(operations, |required| required.partitions);
        let partitions = i32::try_from(partitions).expect("Kafka counts partitions in an i32");
        let values: Vec<(&str, String)> =
            layout.settings(role).map(|setting| (setting.name, setting.rule.created())).collect();
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(layout.copies()));
        for (name, value) in &values {
            new = new.set(name, value);
        }
        // The second limit is for the controller, the first for the whole request.
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let answers = wait_for(self.admin.create_topics([&new], &options))
            .map_err(|error| self.no_answer("creating topics", error))?;
        match answers.into_iter().next() {
            Some(Ok(_)) => Ok(true),
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
            Some(Err((topic, code))) => Err(Trouble::NotCreated { topic, code }),
            None => Err(self.no_answer("creating topics", KafkaError::Canceled)),
        }
    }

    fn wrong_settings(&self, layout: &Layout, role: Role) -> Result<Vec<Fault>, Trouble> {
        let topic = layout.name(role);
        let resource = self.describe(topic)?;
        let mut faults = Vec::new();
        for setting in layout.settings(role) {
            let value = resource.get(setting.name).and_then(|entry| entry.value.clone()).unwrap_or_default();
            if !setting.rule.holds(&value) {
                faults.push(Fault::Setting {
                    topic: topic.to_owned(),
                    setting: setting.name,
                    value,
                    wanted: setting.rule.to_string(),
                    create: setting.rule.created(),
                    because: setting.because,
                });
            }
        }
        Ok(faults)
    }

    fn describe(&self, topic: &str) -> Result<ConfigResource, Trouble> {
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let failed = |error| self.no_answer("the settings of a topic", error);
        let answers =
            wait_for(self.admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options)).map_err(failed)?;
        match answers.into_iter().next() {
            Some(Ok(resource)) => Ok(resource),
            Some(Err(code)) => Err(failed(KafkaError::AdminOp(code))),
            None => Err(failed(KafkaError::Canceled)),
        }
    }

    fn metadata(&self) -> Result<Metadata, Trouble> {
        self.asker.fetch_metadata(None, PATIENCE).map_err(|error| self.no_answer("its topics", error))
    }

    fn no_answer(&self, question: &str, error: KafkaError) -> Trouble {
        let why = hearsay::explain(&self.asker, &error);
        Trouble::NoAnswer { error, told: format!("no answer from Kafka at {} about {question}: {why}", self.brokers) }
    }
}

/// How many partitions a topic has; none if there is no such topic.
fn partitions_of(there: &Metadata, topic: &str) -> Option<usize> {
    let found = there.topics().iter().find(|found| found.name() == topic && found.error().is_none())?;
    Some(found.partitions().len())
}

fn too_few_copies(there: &Metadata, topic: &str, wanted: i32) -> Option<Fault> {
    let found = there.topics().iter().find(|found| found.name() == topic)?;
    let copies = found.partitions().iter().map(|partition| partition.replicas().len()).min()?;
    let enough = i32::try_from(copies).is_ok_and(|copies| copies >= wanted);
    (!enough).then(|| Fault::Copies { topic: topic.to_owned(), copies, wanted })
}

fn beside(there: &Metadata, layout: &Layout) -> Beside {
    let of = |role| partitions_of(there, layout.name(role));
    Beside { operations: of(Role::Operations), decisions: of(Role::Decisions) }
}

fn wrong_partitions(role: Role, topic: &str, partitions: usize, beside: Beside) -> Option<Fault> {
    let required = role.partitions(beside)?;
    (partitions != required.partitions).then(|| Fault::Partitions {
        topic: topic.to_owned(),
        partitions,
        wanted: required.partitions,
        because: required.because,
        grown: match role {
            Role::State => format!(
                " Where operations was given more partitions, wallets have moved and their state has not. {GROWN}.\n  \
                 Where nothing has been decided on yet:"
            ),
            _ => String::new(),
        },
    })
}
