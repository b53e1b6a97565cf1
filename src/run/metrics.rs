//! What a process counts, for Prometheus: names, units and labels in one place.
//!
//! Labels come from closed sets (actions, outcomes, partitions), never from what an event says, so that nobody outside can
//! make series. Counters are atomic, so a record costs an addition.

use crate::{decision::Action, sidecar::Partition};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::{
    fmt::{Error, Write},
    time::Duration,
};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Decided,
    Duplicate,
    Rejected,
    /// A mapping left it out.
    Skipped,
}

impl Outcome {
    const ALL: [Outcome; 4] = [Outcome::Decided, Outcome::Duplicate, Outcome::Rejected, Outcome::Skipped];

    fn name(self) -> &'static str {
        match self {
            Outcome::Decided => "decided",
            Outcome::Duplicate => "duplicate",
            Outcome::Rejected => "rejected",
            Outcome::Skipped => "skipped",
        }
    }
}

/// A label's value from a closed set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), Error> {
        encoder.write_str(self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAction {
    action: Word,
}

/// The label of what is counted by partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfBuild {
    version: &'static str,
    pack: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfPartition {
    pub partition: Partition,
}

/// All of a registry in Prometheus' text format (OpenMetrics 1.0).
pub(crate) fn text_of(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).expect("a string takes any text");
    text
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: [Counter; 4],
    decisions: [Counter; Action::ALL.len()],
    wrong_partition: Counter,
    lost: Counter,
    ticks: Histogram,
    commits: Histogram,
    producers: Counter,
    restored: Counter,
    next: Family<OfPartition, Gauge>,
    wallets: Family<OfPartition, Gauge>,
    build: Family<OfBuild, Gauge>,
}

impl Metrics {
    /// All at zero, so that a series that nothing has happened to is there.
    #[must_use]
    pub fn new(packs: &str) -> Metrics {
        let mut registry = Registry::with_prefix("kuzet");
        let events = Family::<OfOutcome, Counter>::default();
        let decisions = Family::<OfAction, Counter>::default();
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 14));
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let wrong_partition = counter("wrong_partition", "Records whose key belongs into another partition");
        let lost = counter("lost_offsets", "Offsets that were deleted before they were decided on, and skipped");
        let producers = counter("producers", "Producers that were made: more than one a worker tells of disturbances");
        let restored = counter("restored_records", "Records of the state that were read to restore partitions");
        registry.register("events", "Records of operations by what became of them", events.clone());
        registry.register("decisions", "Decisions by action, repeats among them", decisions.clone());
        let mut histogram = |name: &str, help: &str| {
            let histogram = seconds();
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
            histogram
        };
        let ticks = histogram("tick", "From a tick's beginning to its committed end");
        let commits = histogram("commit", "How long commits of transactions took");
        let next = Family::<OfPartition, Gauge>::default();
        let wallets = Family::<OfPartition, Gauge>::default();
        registry.register("next_offset", "The next record to decide on", next.clone());
        registry.register("wallets", "Wallets that are remembered", wallets.clone());
        let build = Family::<OfBuild, Gauge>::default();
        registry.register("build_info", "Which kuzet with which packs", build.clone());
        let metrics = Metrics {
            events: Outcome::ALL
                .map(|outcome| events.get_or_create_owned(&OfOutcome { outcome: Word(outcome.name()) })),
            decisions: Action::ALL
                .map(|action| decisions.get_or_create_owned(&OfAction { action: Word(action.name()) })),
            registry,
            wrong_partition,
            lost,
            ticks,
            commits,
            producers,
            restored,
            next,
            wallets,
            build,
        };
        metrics.in_force(packs);
        metrics
    }

    /// The packs that are decided by from here on.
    pub fn in_force(&self, packs: &str) {
        self.build.clear();
        self.build.get_or_create(&OfBuild { version: env!("CARGO_PKG_VERSION"), pack: packs.to_owned() }).set(1);
    }

    pub fn count(&self, outcome: Outcome) {
        self.events[outcome as usize].inc();
    }

    pub fn decided(&self, action: Action, duplicate: bool) {
        self.count(if duplicate { Outcome::Duplicate } else { Outcome::Decided });
        self.decisions[action as usize].inc();
    }

    pub fn wrong_partition(&self) {
        self.wrong_partition.inc();
    }

    pub fn lost(&self, offsets: i64) {
        self.lost.inc_by(u64::try_from(offsets).unwrap_or(0));
    }

    pub fn ticked(&self, took: Duration) {
        self.ticks.observe(took.as_secs_f64());
    }

    pub fn committed(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    pub fn producer_made(&self) {
        self.producers.inc();
    }

    pub fn restored(&self, records: u64) {
        self.restored.inc_by(records);
    }

    /// How far a partition is, and how much is remembered of it.
    pub fn stands(&self, partition: Partition, next: i64, wallets: usize) {
        self.next.get_or_create(&OfPartition { partition }).set(next);
        self.wallets.get_or_create(&OfPartition { partition }).set(i64::try_from(wallets).unwrap_or(i64::MAX));
    }

    /// A partition is not ours any more.
    pub fn forget(&self, partition: Partition) {
        self.next.remove(&OfPartition { partition });
        self.wallets.remove(&OfPartition { partition });
    }

    /// All of it in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(&self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::new("a@1");
        metrics.decided(Action::Hold, false);
        metrics.decided(Action::Allow, true);
        metrics.count(Outcome::Rejected);
        metrics.stands(3, 17, 5);
        metrics.ticked(Duration::from_millis(3));
        let text = metrics.text();
        for line in [
            "kuzet_events_total{outcome=\"decided\"} 1",
            "kuzet_events_total{outcome=\"duplicate\"} 1",
            "kuzet_events_total{outcome=\"rejected\"} 1",
            "kuzet_events_total{outcome=\"skipped\"} 0",
            "kuzet_decisions_total{action=\"hold\"} 1",
            "kuzet_next_offset{partition=\"3\"} 17",
            "kuzet_tick_seconds_count 1",
            "kuzet_build_info{version=\"0.1.0\",pack=\"a@1\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
        metrics.in_force("b@2");
        let builds: Vec<String> =
            metrics.text().lines().filter(|line| line.starts_with("kuzet_build_info{")).map(str::to_owned).collect();
        assert_eq!(builds, ["kuzet_build_info{version=\"0.1.0\",pack=\"b@2\"} 1"]);
        metrics.forget(3);
        assert!(!metrics.text().contains("partition="), "what is not ours is not told");
    }
}
