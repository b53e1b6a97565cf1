//! The circuit breaker of one endpoint: closed, open for a while, then one probe that decides.
//!
//! What a dead receiver would be sent in vain waits instead, without using up its attempts. Answers to attempts that were under
//! way when the breaker tripped change nothing.

use super::backoff::Backoff;
use crate::{random::Random, sidecar::Millis};

/// Failures in a row that trip it.
pub const TRIPS_AT: u32 = 5;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Attempts go out; so many have failed in a row.
    Closed { failures: u32 },
    /// Nothing goes out until then.
    Open { until: Millis, trips: u32 },
    /// One attempt is under way, and its answer decides.
    HalfOpen { trips: u32 },
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker::Closed { failures: 0 }
    }
}

impl Breaker {
    /// When it may next allow an attempt; none where an answer decides that.
    #[must_use]
    pub fn opens_at(self) -> Option<Millis> {
        match self {
            Breaker::Closed { .. } => Some(0),
            Breaker::Open { until, .. } => Some(until),
            Breaker::HalfOpen { .. } => None,
        }
    }

    /// An attempt that was allowed goes out; true when it is the probe.
    pub fn attempted(&mut self) -> bool {
        if let Breaker::Open { trips, .. } = *self {
            *self = Breaker::HalfOpen { trips };
        }
        matches!(self, Breaker::HalfOpen { .. })
    }

    /// An attempt succeeded: whoever takes alerts is well.
    pub fn succeeded(&mut self) {
        *self = Breaker::default();
    }

    /// An attempt failed.
    pub fn failed(&mut self, probe: bool, now: Millis, backoff: &Backoff, random: &mut Random) {
        let trips = match *self {
            Breaker::Closed { failures } if failures + 1 < TRIPS_AT => {
                *self = Breaker::Closed { failures: failures + 1 };
                return;
            }
            Breaker::Closed { .. } => 1,
            Breaker::HalfOpen { trips } if probe => trips + 1,
            Breaker::Open { .. } | Breaker::HalfOpen { .. } => return,
        };
        *self = Breaker::Open { until: now + backoff.cool_down(trips, random), trips };
    }

    /// The probe's answer will never come, because nobody owns its alert any more: another may be sent.
    pub fn abandoned(&mut self, now: Millis) {
        if let Breaker::HalfOpen { trips } = *self {
            *self = Breaker::Open { until: now, trips };
        }
    }

    /// As a figure for a metric: 0 closed, 1 half-open, 2 open.
    #[must_use]
    pub fn figure(self) -> i64 {
        match self {
            Breaker::Closed { .. } => 0,
            Breaker::HalfOpen { .. } => 1,
            Breaker::Open { .. } => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::backoff::tests::usual;
    use super::*;

    impl Breaker {
        fn allows(self, now: Millis) -> bool {
            self.opens_at().is_some_and(|at| now >= at)
        }
    }

    #[test]
    fn five_failures_trip_it_and_a_probe_decides() {
        let (backoff, mut random) = (usual(), Random::new(1));
        let mut breaker = Breaker::default();
        for _ in 1..TRIPS_AT {
            breaker.failed(false, 0, &backoff, &mut random);
            assert!(breaker.allows(0));
        }
        breaker.failed(false, 0, &backoff, &mut random);
        let Breaker::Open { until, trips: 1 } = breaker else { panic!("{breaker:?}") };
        assert!(!breaker.allows(until - 1) && breaker.allows(until));
        breaker.failed(false, until, &backoff, &mut random);
        assert_eq!(breaker, Breaker::Open { until, trips: 1 }, "a late answer changes nothing");
        assert!(breaker.attempted() && !breaker.allows(until), "one probe at a time");
        breaker.failed(true, until, &backoff, &mut random);
        assert!(matches!(breaker, Breaker::Open { trips: 2, .. }));
        breaker.attempted();
        breaker.abandoned(7);
        assert!(breaker.allows(7));
        breaker.attempted();
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
        assert!(!breaker.attempted(), "no attempt of a closed breaker is a probe");
    }

    #[test]
    fn a_success_in_between_starts_the_row_afresh() {
        let (backoff, mut random) = (usual(), Random::new(1));
        let mut breaker = Breaker::default();
        for number in 0..40 {
            if number % 4 == 3 {
                breaker.succeeded();
            } else {
                breaker.failed(false, 0, &backoff, &mut random);
            }
            assert!(breaker.allows(0));
        }
    }
}
