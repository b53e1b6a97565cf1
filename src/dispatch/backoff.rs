//! When a failed attempt is tried again, and when an alert is given up.
//!
//! The waits are the configuration's, by default those that Standard Webhooks recommends: 27.6 hours in all, so that a receiver that
//! was down over a night loses nothing. Chance makes a wait shorter or longer: alerts that failed together do not come back together.

use crate::{random::Random, sidecar::Millis};

const MINUTE: Millis = 60_000;
/// How long a breaker stays open at first, and at most: no longer than the first waits, so that trials with short ones go fast.
const COOL_DOWN: Millis = 5_000;
const LONGEST_COOL_DOWN: Millis = 5 * MINUTE;

/// A schedule of attempts.
#[derive(Clone, Debug)]
pub struct Backoff {
    waits: Vec<Millis>,
    /// Percent.
    jitter: u64,
}

impl Backoff {
    /// The waits after the first, the second, … failed attempt in ms, made shorter or longer by up to `jitter` percent.
    #[must_use]
    pub fn new(waits: Vec<Millis>, jitter: u32) -> Backoff {
        Backoff { waits, jitter: u64::from(jitter) }
    }

    /// How long to wait after so many failed attempts; none when that was the last one.
    #[must_use]
    pub fn wait(&self, failed: u32, random: &mut Random) -> Option<Millis> {
        let place = usize::try_from(failed).ok()?.checked_sub(1)?;
        self.waits.get(place).map(|wait| self.jittered(*wait, random))
    }

    fn jittered(&self, wait: Millis, random: &mut Random) -> Millis {
        let part = wait * self.jitter / 100;
        wait - part + random.below(2 * part + 1)
    }

    /// The age at which an alert is given up whatever became of its attempts: later than the last attempt of an endpoint whose
    /// breaker held nothing back.
    #[must_use]
    pub fn lasts(&self) -> Millis {
        let waits: Millis = self.waits.iter().sum();
        waits + waits * self.jitter / 100 + waits / 8 + MINUTE
    }

    /// How long a breaker stays open after it tripped so often in a row, at least once.
    #[must_use]
    pub fn cool_down(&self, trips: u32, random: &mut Random) -> Millis {
        let first = self.waits.first().map_or(COOL_DOWN, |wait| COOL_DOWN.min(*wait));
        let longest = self.waits.get(1).map_or(LONGEST_COOL_DOWN, |wait| LONGEST_COOL_DOWN.min(*wait)).max(first);
        self.jittered(first.saturating_mul(1 << trips.saturating_sub(1).min(16)).min(longest), random)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const WAITS: [Millis; 7] = [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000];

    /// As `deploy/alert.toml` has it.
    pub fn usual() -> Backoff {
        Backoff::new(WAITS.to_vec(), 20)
    }

    #[test]
    fn waits_are_the_schedule_and_up_to_a_fifth_more_or_less() {
        let (backoff, mut random) = (usual(), Random::new(3));
        let (mut least, mut most) = (0, 0);
        for (failed, wait) in (1_u32..).zip(WAITS) {
            for _ in 0..200 {
                let drawn = backoff.wait(failed, &mut random).expect("one of seven");
                assert!((wait - wait / 5..=wait + wait / 5).contains(&drawn), "attempt {failed}: {drawn}");
                least += u64::from(drawn < wait - wait / 10);
                most += u64::from(drawn > wait + wait / 10);
            }
        }
        assert!(least > 200 && most > 200, "chance spreads them: {least} {most}");
        assert_eq!(backoff.wait(8, &mut random), None, "the eighth failure is the last");
        assert!(backoff.lasts() > WAITS.iter().map(|wait| wait + wait / 5).sum());
    }

    #[test]
    fn a_breaker_cools_down_ever_longer_up_to_five_minutes() {
        let mut random = Random::new(4);
        for (trips, seconds) in [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (60, 300)] {
            assert_eq!(Backoff::new(WAITS.to_vec(), 0).cool_down(trips, &mut random), seconds * 1_000, "trip {trips}");
        }
        assert_eq!(Backoff::new(vec![20, 50], 0).cool_down(9, &mut random), 50);
        assert_eq!(Backoff::new(Vec::new(), 0).wait(1, &mut random), None, "one attempt is all");
    }
}
