//! What `kuzet alert` counts, for Prometheus. `docs/runbook.md` has a line for each alarm on it.
//!
//! Endpoints are the configuration's, so nothing that comes from outside makes series.

use super::endpoint::Standing;
use crate::{
    run::metrics::{OfPartition, text_of},
    sidecar::{Offset, Partition},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};
use std::sync::atomic::Ordering;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEndpoint {
    endpoint: String,
}

/// What there is of one endpoint.
#[derive(Debug)]
struct Told {
    sent: Counter,
    retried: Counter,
    failed: Counter,
    waiting: Gauge,
    in_flight: Gauge,
    oldest: Gauge,
    breaker: Gauge,
    disabled: Gauge,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    endpoints: Vec<Told>,
    decisions: Counter,
    unreadable: Counter,
    lost: Counter,
    checkpoints: Counter,
    checkpoint_failures: Counter,
    next: Family<OfPartition, Gauge>,
}

impl Metrics {
    /// All at zero, so that a series that nothing has happened to is there.
    #[must_use]
    pub fn new(endpoints: &[&str]) -> Metrics {
        let mut registry = Registry::with_prefix("kuzet_alert");
        let mut counters = |name: &str, help: &str| {
            let family = Family::<OfEndpoint, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let sent = counters("sent", "Alerts that an endpoint has taken");
        let retried = counters("retried", "Attempts that failed and are made again");
        let failed = counters("failed", "Alerts that were given up and went to alerts-failed");
        let mut gauges = |name: &str, help: &str| {
            let family = Family::<OfEndpoint, Gauge>::default();
            registry.register(name, help, family.clone());
            family
        };
        let waiting = gauges("waiting", "Alerts that wait for an attempt");
        let in_flight = gauges("in_flight", "Attempts under way");
        let breaker = gauges("breaker", "The circuit breaker: 0 closed, 1 half-open, 2 open");
        let disabled = gauges("disabled", "1 where the endpoint said 410 Gone");
        let oldest = Family::<OfEndpoint, Gauge>::default();
        let words = "Age of the oldest alert that is not delivered; 0 where there is none";
        registry.register_with_unit("oldest", words, Unit::Seconds, oldest.clone());
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let decisions = counter("decisions", "Decisions that were read");
        let unreadable = counter("unreadable", "Records of decisions that are none, and were passed over");
        let lost = counter("lost_offsets", "Decisions that were deleted before they were read, and skipped");
        let checkpoints = counter("checkpoints", "Transactions that saved alerts or offsets");
        let failures = counter("checkpoint_failures", "Transactions that failed and were made again");
        let next = Family::<OfPartition, Gauge>::default();
        registry.register("next_offset", "The next decision to commit", next.clone());
        registry.register("build", "Which kuzet", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        let told = |name: &&str| {
            let label = OfEndpoint { endpoint: (*name).to_owned() };
            Told {
                sent: sent.get_or_create_owned(&label),
                retried: retried.get_or_create_owned(&label),
                failed: failed.get_or_create_owned(&label),
                waiting: waiting.get_or_create_owned(&label),
                in_flight: in_flight.get_or_create_owned(&label),
                oldest: oldest.get_or_create_owned(&label),
                breaker: breaker.get_or_create_owned(&label),
                disabled: disabled.get_or_create_owned(&label),
            }
        };
        let endpoints = endpoints.iter().map(told).collect();
        Metrics { endpoints, registry, decisions, unreadable, lost, checkpoints, checkpoint_failures: failures, next }
    }

    /// How an endpoint stands now.
    pub fn stands(&self, endpoint: usize, standing: &Standing) {
        let told = &self.endpoints[endpoint];
        told.sent.inner().store(standing.counts.sent, Ordering::Relaxed);
        told.retried.inner().store(standing.counts.retried, Ordering::Relaxed);
        told.failed.inner().store(standing.counts.failed, Ordering::Relaxed);
        let figure = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        told.waiting.set(figure(standing.waiting));
        told.in_flight.set(figure(standing.in_flight));
        told.oldest.set(i64::try_from(standing.oldest / 1_000).unwrap_or(i64::MAX));
        told.breaker.set(standing.breaker.figure());
        told.disabled.set(i64::from(standing.disabled));
    }

    pub fn read(&self) {
        self.decisions.inc();
    }

    pub fn unreadable(&self) {
        self.unreadable.inc();
    }

    pub fn lost(&self, offsets: Offset) {
        self.lost.inc_by(u64::try_from(offsets).unwrap_or(0));
    }

    pub fn checkpointed(&self) {
        self.checkpoints.inc();
    }

    /// How far a partition is committed.
    pub fn stands_at(&self, partition: Partition, next: Offset) {
        self.next.get_or_create(&OfPartition { partition }).set(next);
    }

    pub fn checkpoint_failed(&self) {
        self.checkpoint_failures.inc();
    }

    /// A partition is not ours any more.
    pub fn forget(&self, partition: Partition) {
        self.next.remove(&OfPartition { partition });
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
    use crate::dispatch::{breaker::Breaker, endpoint::Counts};

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::new(&["desk", "chat"]);
        let standing = Standing {
            counts: Counts { sent: 3, retried: 2, failed: 1 },
            waiting: 4,
            in_flight: 5,
            oldest: 61_900,
            breaker: Breaker::Open { until: 9, trips: 1 },
            disabled: true,
        };
        metrics.stands(1, &standing);
        metrics.stands_at(2, 17);
        let text = metrics.text();
        for line in [
            "kuzet_alert_sent_total{endpoint=\"desk\"} 0",
            "kuzet_alert_sent_total{endpoint=\"chat\"} 3",
            "kuzet_alert_retried_total{endpoint=\"chat\"} 2",
            "kuzet_alert_failed_total{endpoint=\"chat\"} 1",
            "kuzet_alert_oldest_seconds{endpoint=\"chat\"} 61",
            "kuzet_alert_breaker{endpoint=\"chat\"} 2",
            "kuzet_alert_disabled{endpoint=\"chat\"} 1",
            "kuzet_alert_next_offset{partition=\"2\"} 17",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
    }
}
