//! When a failed attempt is tried again, and when an alert is given up.
//!
//! The waits are those that Standard Webhooks recommends: 27.6 hours in all, so that a receiver that was down over a night loses
//! nothing. Chance makes a wait up to a fifth longer, never shorter: alerts that failed together do not come back together.

use crate::{random::Random, sidecar::Millis};

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;

/// The waits after the first, the second, … failed attempt.
pub const WAITS: [Millis; 7] = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];

/// The longest that a receiver's `Retry-After` is heeded: past that it would outlive the alert.
pub const RETRY_AFTER: Millis = 24 * HOUR;

/// A schedule of attempts.
#[derive(Clone, Debug)]
pub struct Backoff {
    waits: Vec<Millis>,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { waits: WAITS.to_vec() }
    }
}

impl Backoff {
    /// The usual waits, each divided by `by`: hours become seconds for a trial or a test.
    ///
    /// # Panics
    /// When `by` is 0.
    #[must_use]
    pub fn faster(by: u64) -> Backoff {
        Backoff { waits: WAITS.iter().map(|wait| (wait / by).max(1)).collect() }
    }

    /// How long to wait after so many failed attempts; none when that was the last one.
    #[must_use]
    pub fn wait(&self, failed: u32, random: &mut Random) -> Option<Millis> {
        let place = usize::try_from(failed).ok()?.checked_sub(1)?;
        self.waits.get(place).map(|wait| wait + random.below(wait / 5 + 1))
    }

    /// The age at which an alert is given up whatever became of its attempts: later than the last attempt of an endpoint whose
    /// breaker held nothing back.
    #[must_use]
    pub fn lasts(&self) -> Millis {
        let waits: Millis = self.waits.iter().sum();
        waits + waits / 4 + MINUTE
    }

    /// How long a breaker stays open after it tripped so often in a row, at least once.
    #[must_use]
    pub fn cool_down(&self, trips: u32, random: &mut Random) -> Millis {
        let doubled = self.waits[0].saturating_mul(1 << trips.saturating_sub(1).min(16));
        let wait = doubled.min(self.waits[1]);
        wait + random.below(wait / 5 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_the_schedule_and_up_to_a_fifth_more() {
        let (backoff, mut random) = (Backoff::default(), Random::new(3));
        let (mut least, mut most) = (0, 0);
        for (failed, wait) in (1_u32..).zip(WAITS) {
            for _ in 0..200 {
                let drawn = backoff.wait(failed, &mut random).expect("one of seven");
                assert!((wait..=wait + wait / 5).contains(&drawn), "attempt {failed}: {drawn}");
                least += u64::from(drawn < wait + wait / 20);
                most += u64::from(drawn > wait + 3 * wait / 20);
            }
        }
        assert!(least > 200 && most > 200, "chance spreads them: {least} {most}");
        assert_eq!(backoff.wait(8, &mut random), None, "the eighth failure is the last");
        assert!(backoff.lasts() > WAITS.iter().map(|wait| wait + wait / 5).sum());
    }

    #[test]
    fn a_breaker_cools_down_ever_longer_up_to_five_minutes() {
        let (backoff, mut random) = (Backoff::default(), Random::new(4));
        for (trips, seconds) in [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (60, 300)] {
            let wait = seconds * SECOND;
            assert!((wait..=wait + wait / 5).contains(&backoff.cool_down(trips, &mut random)), "trip {trips}");
        }
        assert!(Backoff::faster(1_000).cool_down(1, &mut random) <= 6);
    }
}
