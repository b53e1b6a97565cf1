//! One endpoint: its own queue, bound of concurrency, breaker and rate, so that nothing of it slows another.

use super::{backoff::Backoff, breaker::Breaker, pace::Pace};
use crate::{limits, random::Random, sidecar::Millis};
use std::collections::BTreeSet;

/// An alert in this process; numbers grow in the order in which alerts came.
pub type Ticket = u64;

/// What an endpoint is allowed.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// As the configuration and the records know it.
    pub name: String,
    /// Attempts under way at once.
    pub concurrency: usize,
    /// Attempts in a time in ms.
    pub rate: Option<(u32, Millis)>,
    /// Alerts that wait.
    pub queue: usize,
    /// Bytes of their bodies.
    pub queue_bytes: usize,
}

impl Allowed {
    /// With the usual room.
    #[must_use]
    pub fn new(name: &str, concurrency: usize, rate: Option<(u32, Millis)>) -> Allowed {
        Allowed {
            name: name.to_owned(),
            concurrency,
            rate,
            queue: limits::ALERT_QUEUE,
            queue_bytes: limits::ALERT_QUEUE_BYTES,
        }
    }
}

/// What has happened to alerts of one endpoint since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: u64,
    pub retried: u64,
    pub failed: u64,
}

/// How an endpoint stands, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub counts: Counts,
    pub waiting: usize,
    pub in_flight: usize,
    /// Age of the oldest alert that is not delivered, in ms; 0 where there is none.
    pub oldest: Millis,
    pub breaker: Breaker,
    pub disabled: bool,
}

/// An endpoint's queue.
#[derive(Debug)]
pub struct Endpoint {
    allowed: Allowed,
    pace: Option<Pace>,
    pub counts: Counts,
    breaker: Breaker,
    probe: Option<Ticket>,
    /// The receiver asked for rest until then.
    rests_until: Millis,
    disabled: bool,
    /// Alerts by when they are due.
    waiting: BTreeSet<(Millis, Ticket)>,
    in_flight: BTreeSet<Ticket>,
    /// Alerts that are not delivered, by when they came.
    births: BTreeSet<(Millis, Ticket)>,
    bytes: usize,
}

impl Endpoint {
    #[must_use]
    pub fn new(allowed: Allowed) -> Endpoint {
        Endpoint {
            pace: allowed.rate.map(|(most, within)| Pace::new(most, within)),
            allowed,
            counts: Counts::default(),
            breaker: Breaker::default(),
            probe: None,
            rests_until: 0,
            disabled: false,
            waiting: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            births: BTreeSet::new(),
            bytes: 0,
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.allowed.name
    }

    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// The receiver wants no more.
    pub fn disable(&mut self) {
        self.disabled = true;
    }

    /// Whether there is no room for a body of so many bytes more.
    #[must_use]
    pub fn is_full(&self, bytes: usize) -> bool {
        self.births.len() >= self.allowed.queue || self.bytes + bytes > self.allowed.queue_bytes
    }

    /// An alert that is not delivered yet.
    pub fn admit(&mut self, ticket: Ticket, born: Millis, bytes: usize) {
        assert!(self.births.insert((born, ticket)), "an alert is admitted once");
        self.bytes += bytes;
    }

    /// It is delivered, given up, or not ours any more.
    pub fn dismiss(&mut self, ticket: Ticket, born: Millis, due: Millis, bytes: usize, now: Millis) {
        assert!(self.births.remove(&(born, ticket)), "only what was admitted is dismissed");
        self.bytes -= bytes;
        self.waiting.remove(&(due, ticket));
        self.in_flight.remove(&ticket);
        if self.probe == Some(ticket) {
            self.probe = None;
            self.breaker.abandoned(now);
        }
    }

    /// An alert waits for its time.
    pub fn wait(&mut self, ticket: Ticket, due: Millis) {
        self.waiting.insert((due, ticket));
    }

    /// The next alert to attempt, now under way.
    pub fn attempt(&mut self, now: Millis) -> Option<Ticket> {
        if now < self.next()? {
            return None;
        }
        let (_, ticket) = self.waiting.pop_first()?;
        self.in_flight.insert(ticket);
        if self.breaker.attempted() {
            self.probe = Some(ticket);
        }
        if let Some(pace) = &mut self.pace {
            pace.attempted(now);
        }
        Some(ticket)
    }

    /// When another attempt may go out, whatever is due; none while answers are waited for.
    fn earliest(&self) -> Option<Millis> {
        if self.disabled || self.in_flight.len() >= self.allowed.concurrency {
            return None;
        }
        let paced = self.pace.as_ref().map_or(0, Pace::next);
        Some(self.breaker.opens_at()?.max(self.rests_until).max(paced))
    }

    /// When the next attempt may go out.
    fn next(&self) -> Option<Millis> {
        let (due, _) = self.waiting.first()?;
        Some(self.earliest()?.max(*due))
    }

    /// An attempt succeeded.
    pub fn succeeded(&mut self, ticket: Ticket) {
        self.in_flight.remove(&ticket);
        self.probe = self.probe.filter(|probe| *probe != ticket);
        self.breaker.succeeded();
    }

    /// An attempt failed. A receiver that says when to come again is busy, not broken: it rests, and its breaker stays.
    pub fn failed(
        &mut self,
        ticket: Ticket,
        now: Millis,
        rest: Option<Millis>,
        backoff: &Backoff,
        random: &mut Random,
    ) {
        self.in_flight.remove(&ticket);
        let probe = self.probe == Some(ticket);
        if probe {
            self.probe = None;
        }
        match rest {
            Some(rest) => {
                self.rests_until = self.rests_until.max(now + rest);
                if probe {
                    self.breaker.abandoned(now + rest);
                }
            }
            None => self.breaker.failed(probe, now, backoff, random),
        }
    }

    /// The oldest alert that is not delivered.
    #[must_use]
    pub fn oldest(&self) -> Option<(Millis, Ticket)> {
        self.births.first().copied()
    }

    /// All alerts that are not delivered.
    pub fn undelivered(&self) -> impl Iterator<Item = Ticket> + '_ {
        self.births.iter().map(|(_, ticket)| *ticket)
    }

    #[must_use]
    pub fn standing(&self, now: Millis) -> Standing {
        Standing {
            counts: self.counts,
            waiting: self.births.len() - self.in_flight.len(),
            in_flight: self.in_flight.len(),
            oldest: self.oldest().map_or(0, |(born, _)| now.saturating_sub(born)),
            breaker: self.breaker,
            disabled: self.disabled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::backoff::tests::usual;
    use super::*;

    fn endpoint(concurrency: usize, rate: Option<(u32, Millis)>) -> Endpoint {
        let mut endpoint = Endpoint::new(Allowed { queue: 10, ..Allowed::new("a", concurrency, rate) });
        for ticket in 0..8 {
            endpoint.admit(ticket, 100 + ticket, 10);
            endpoint.wait(ticket, 100 + ticket);
        }
        endpoint
    }

    #[test]
    fn concurrency_due_times_and_rates_hold_attempts_back() {
        let mut a = endpoint(2, None);
        assert_eq!((a.next(), a.attempt(99)), (Some(100), None));
        assert_eq!((a.attempt(105), a.attempt(105), a.attempt(105)), (Some(0), Some(1), None));
        assert_eq!(a.next(), None, "an answer is waited for");
        a.succeeded(0);
        assert_eq!(a.attempt(105), Some(2));
        assert_eq!(a.standing(205).oldest, 105);
        let mut paced = endpoint(8, Some((2, 1_000)));
        assert_eq!((paced.attempt(200), paced.attempt(200), paced.attempt(200)), (Some(0), Some(1), None));
        assert_eq!(paced.next(), Some(700));
    }

    #[test]
    fn a_receiver_that_asks_for_rest_gets_it_and_is_not_broken() {
        let (mut endpoint, backoff, mut random) = (endpoint(2, None), usual(), Random::new(1));
        for _ in 0..20 {
            let now = endpoint.next().expect("one waits").max(1_000);
            let ticket = endpoint.attempt(now).expect("it is time");
            endpoint.failed(ticket, now, Some(60_000), &backoff, &mut random);
            endpoint.wait(ticket, now);
            assert_eq!(endpoint.next(), Some(now + 60_000));
        }
        assert_eq!(endpoint.standing(0).breaker, Breaker::default());
    }

    #[test]
    fn an_open_breaker_lets_one_probe_out_and_a_probe_that_is_dismissed_does_not_keep_it_shut() {
        let (mut endpoint, backoff, mut random) = (endpoint(8, None), usual(), Random::new(1));
        for _ in 0..5 {
            let ticket = endpoint.attempt(200).expect("closed");
            endpoint.failed(ticket, 200, None, &backoff, &mut random);
            endpoint.wait(ticket, 200);
        }
        let opens = endpoint.next().expect("the breaker says when");
        assert!(opens >= 5_200, "{opens}");
        let probe = endpoint.attempt(opens).expect("a probe");
        assert_eq!(endpoint.attempt(opens), None);
        endpoint.dismiss(probe, 100 + probe, 200, 10, opens);
        assert!(endpoint.attempt(opens).is_some());
    }
}
