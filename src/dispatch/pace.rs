//! The rate limit of one endpoint: so many attempts in a time, evenly, with a burst of as many after a rest (GCRA).
//!
//! It delays and never drops: an alert that waits for it is as durable as one that waits for its receiver.

use crate::sidecar::Millis;

/// A limit and where it stands.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Between two attempts, in µs: a limit of many a second is no whole number of ms.
    interval: u64,
    /// How far the next attempt may lie ahead of its time, in µs.
    burst: u64,
    /// When the next attempt would go out without any burst, in µs.
    due: u64,
}

impl Pace {
    /// `most` attempts `within` a time, in ms.
    ///
    /// # Panics
    /// When either is 0.
    #[must_use]
    pub fn new(most: u32, within: Millis) -> Pace {
        assert!(most > 0 && within > 0, "a rate is something in some time");
        let interval = (within * 1_000 / u64::from(most)).max(1);
        Pace { interval, burst: interval * u64::from(most - 1), due: 0 }
    }

    /// When the next attempt may go out; in the past where at once.
    #[must_use]
    pub fn next(&self) -> Millis {
        self.due.saturating_sub(self.burst).div_ceil(1_000)
    }

    /// An attempt goes out.
    pub fn attempted(&mut self, now: Millis) {
        self.due = self.due.max(now * 1_000) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stretch_of_time_has_more_than_twice_the_limit() {
        for (most, within) in [(1, 1_000), (30, 60_000), (5_000, 1_000)] {
            let mut pace = Pace::new(most, within);
            let (mut now, mut sent) = (1_000_000, Vec::new());
            while sent.len() < 4 * most as usize {
                now = pace.next().max(now);
                pace.attempted(now);
                sent.push(now);
            }
            let most = most as usize;
            assert_eq!(sent[most - 1], 1_000_000, "a burst after a rest");
            for (early, late) in sent.iter().zip(&sent[2 * most..]) {
                assert!(late - early >= within, "{most} in {within}: {early} {late}");
            }
        }
    }
}
