//! The flags by which `replay` and `explain` read a range of a Kafka topic instead of files.
//!
//! Where the cluster is, how it is reached and what its topics are called is said as for `kuzet run`, in the same file, and so are
//! packs, mapping and GeoIP files where no flag says otherwise: what is replayed then is what the sidecar does.

use super::Failure;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub(super) struct TopicArgs {
    /// Read a topic instead of files, at these brokers (host:port, with commas between) or those of --config: what is committed
    /// there now, in the order of the records' timestamps, each partition in its own. No group is joined, nothing is written
    #[arg(long, value_name = "BROKERS", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["files", "sort"])]
    kafka: Option<String>,

    /// The topic of operations [default: that of --config, else operations]
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,

    /// How `kuzet run` is configured (TOML): the cluster and how it is reached, secrets, topics, keys, and what no flag says
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The flag that only a replay has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub(super) struct VerifyTopicArgs {
    /// Derive the decisions of a topic once more, as the sidecar derived them, show the first that differs, and end with 3 if one
    /// does [default: that of --config, else decisions]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "verify")]
    pub verify_topic: Option<String>,
}

#[cfg(feature = "kafka")]
pub(super) use with_kafka::Production;

#[cfg(feature = "kafka")]
mod with_kafka {
    use super::{super::options, Failure, TopicArgs};
    use crate::{
        engine,
        files::{Extent, InputError, Inputs},
        kafka::{
            range::{self, RangeReader},
            stretches,
            topics::Role,
        },
        replay::{
            Setup,
            verify::{
                Verification,
                log::{Log, Sidecar},
            },
        },
        run::{
            Keys,
            config::{self, Settings},
        },
        time::Timestamp,
    };
    use anyhow::anyhow;
    use std::{
        cell::OnceCell,
        io::{self, IsTerminal},
        path::{Path, PathBuf},
    };

    /// The sidecar whose topic is read.
    pub struct Production {
        pub settings: Settings,
        /// What is read, found once: whoever reads again reads the same.
        extent: OnceCell<Extent>,
    }

    impl TopicArgs {
        /// The sidecar that is asked for.
        pub fn production(&self) -> Result<Option<Production>, Failure> {
            let Some(brokers) = &self.kafka else {
                let told = |flag: &str| Err(Failure::usage(anyhow!("{flag} is about a topic; --kafka reads one")));
                return match (&self.topic, &self.config) {
                    (Some(_), _) => told("--topic"),
                    (None, Some(_)) => told("--config"),
                    (None, None) => Ok(None),
                };
            };
            let given = |path: &str, flag: &str, text: &str| (path.to_owned(), flag.to_owned(), text.to_owned());
            let brokers = (!brokers.is_empty()).then(|| given("kafka.brokers", "--kafka", brokers));
            let topic = self.topic.as_ref().map(|topic| given("topics.operations", "--topic", topic));
            let given: Vec<_> = brokers.into_iter().chain(topic).collect();
            let file = options::file(self.config.as_deref())?;
            let settings = config::settings(config::BUILT_IN.read(file, &given))
                .map_err(|diagnostics| Failure::Told(diagnostics.render(io::stderr().is_terminal())))?;
            Ok(Some(Production { settings, extent: OnceCell::new() }))
        }
    }

    impl Production {
        /// The decisions of this topic, to be held against what a replay reads; nothing stands for the configured one.
        pub fn verification(&self, decisions: &str, setup: &Setup) -> Result<Verification, Failure> {
            const DAY_MS: i64 = 24 * 3_600_000;
            let layout = &self.settings.layout;
            let decisions = if decisions.is_empty() { layout.name(Role::Decisions) } else { decisions };
            let sidecar = Sidecar {
                cluster: &self.settings.cluster,
                group: &self.settings.group,
                operations: layout.name(Role::Operations),
                decisions,
                restrictions: layout.name(Role::Restrictions),
                partitioner: self.settings.partitioner,
                // A decision bears the clock of the instance that made it, which may be slow.
                since: self.since(setup).map(|since| Timestamp(since.0 - DAY_MS)),
            };
            // Records are looked at first, so that each that is decided on has its decision in what is read after.
            self.extent(setup).map_err(Failure::failed)?;
            let log = Log::open(&sidecar, setup);
            let log = log.map_err(|trouble| Failure::failed(range::input_error(decisions, trouble)))?;
            Ok(Verification::of_log(log, &setup.packs))
        }

        pub fn rules(&self) -> &[PathBuf] {
            &self.settings.rules
        }

        pub fn map(&self) -> Option<&Path> {
            self.settings.map.as_deref()
        }

        pub fn geo(&self) -> [Option<&Path>; 2] {
            [self.settings.geo_country.as_deref(), self.settings.geo_anonymous.as_deref()]
        }

        pub fn engine(&self) -> engine::Settings {
            self.settings.engine
        }

        /// From which of the records' own timestamps on they can be of what is decided on.
        pub fn since(&self, setup: &Setup) -> Option<Timestamp> {
            let since = setup.range.as_ref().map(|range| range.since).filter(|since| *since > Timestamp::MIN)?;
            Some(Timestamp(since.0 - setup.settings.max_future))
        }

        fn extent(&self, setup: &Setup) -> Result<&Extent, InputError> {
            if let Some(extent) = self.extent.get() {
                return Ok(extent);
            }
            let topic = self.settings.layout.name(Role::Operations);
            let found = stretches::find(&self.settings.cluster, topic, self.since(setup));
            let stretches = found.map_err(|trouble| range::input_error(topic, trouble))?;
            Ok(self.extent.get_or_init(|| Extent { topic: topic.to_owned(), stretches }))
        }

        /// Begins to read what is needed for the range that is reported.
        pub fn open(&self, setup: &Setup) -> Result<Inputs, InputError> {
            let topic = self.settings.layout.name(Role::Operations);
            let extent = self.extent(setup)?.clone();
            let by_wallet = self.settings.keys == Keys::Wallet;
            let reader = RangeReader::open(&self.settings.cluster, extent, by_wallet);
            let reader = reader.map_err(|trouble| range::input_error(topic, trouble))?;
            Ok(Inputs::topic(Box::new(reader)))
        }
    }
}

#[cfg(not(feature = "kafka"))]
pub(super) use without_kafka::Production;

#[cfg(not(feature = "kafka"))]
mod without_kafka {
    use super::{Failure, TopicArgs};
    use crate::{
        engine,
        files::{InputError, Inputs},
        replay::{Setup, verify::Verification},
    };
    use anyhow::anyhow;
    use std::path::{Path, PathBuf};

    /// There is none.
    pub enum Production {}

    impl TopicArgs {
        /// Refuses what this build cannot do.
        pub fn production(&self) -> Result<Option<Production>, Failure> {
            let TopicArgs { kafka, topic, config } = self;
            match (kafka, topic, config) {
                (None, None, None) => Ok(None),
                _ => Err(Failure::usage(anyhow!(
                    "this kuzet was built without Kafka (cargo feature `kafka`); read files, or build it with the feature"
                ))),
            }
        }
    }

    impl Production {
        pub fn verification(&self, _: &str, _: &Setup) -> Result<Verification, Failure> {
            match *self {}
        }

        pub fn rules(&self) -> &[PathBuf] {
            match *self {}
        }

        pub fn map(&self) -> Option<&Path> {
            match *self {}
        }

        pub fn geo(&self) -> [Option<&Path>; 2] {
            match *self {}
        }

        pub fn engine(&self) -> engine::Settings {
            match *self {}
        }

        pub fn open(&self, _: &Setup) -> Result<Inputs, InputError> {
            match *self {}
        }
    }
}
