//! The wallets with the most decisions that were more than `allow`, in bounded memory.
//!
//! Exact while at most [`limits::REPORT_WALLETS`] wallets have such decisions. Past that, what the median wallet has is taken
//! from all (Misra and Gries, 1982, many at a time): a figure is then too low by at most what was taken, and says so.
//! Repeats of an event count for nothing.

use crate::{
    decision::{Action, Decision, Reason},
    event::Event,
    limits,
};
use std::{cmp::Reverse, collections::HashMap};

/// What became of one wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Decisions that were more than `allow`.
    pub decisions: u64,
    /// Those of them that a live rule hit; a standing restriction alone carries the others.
    pub by_rule: u64,
    /// Amounts of the operations, in minor units.
    pub money: i128,
    pub worst: Action,
    /// The id of the first event whose decision was the worst.
    pub event: Box<str>,
}

/// Wallets while they are counted.
#[derive(Debug, Default)]
pub struct Wallets {
    tallies: HashMap<Box<str>, Tally>,
    /// The most that a wallet's decisions may be short of.
    taken: u64,
    most: usize,
}

impl Wallets {
    #[must_use]
    pub fn new() -> Wallets {
        Wallets { most: limits::REPORT_WALLETS, ..Wallets::default() }
    }

    pub fn add(&mut self, event: &Event<'_>, decision: &Decision) {
        if decision.action == Action::Allow || decision.flags.duplicate {
            return;
        }
        if !self.tallies.contains_key(event.wallet) {
            if self.tallies.len() >= self.most {
                self.make_room();
            }
            let (worst, event_id) = (Action::Allow, Box::default());
            let tally = Tally { decisions: 0, by_rule: 0, money: 0, worst, event: event_id };
            self.tallies.insert(Box::from(event.wallet), tally);
        }
        let tally = self.tallies.get_mut(event.wallet).expect("it is there, or was put there");
        tally.decisions += 1;
        tally.by_rule += u64::from(decision.reasons.iter().any(|reason| matches!(reason, Reason::Rule(_))));
        tally.money += event.amount.map_or(0, |amount| i128::from(amount.0));
        if decision.action > tally.worst {
            tally.worst = decision.action;
            tally.event = Box::from(event.id);
        }
    }

    /// Takes from all what the median has; at least half of them have nothing left and go.
    fn make_room(&mut self) {
        let mut counts: Vec<u64> = self.tallies.values().map(|tally| tally.decisions).collect();
        let middle = counts.len() / 2;
        let median = *counts.select_nth_unstable(middle).1;
        self.taken += median;
        self.tallies.retain(|_, tally| {
            tally.decisions = tally.decisions.saturating_sub(median);
            tally.by_rule = tally.by_rule.min(tally.decisions);
            tally.decisions > 0
        });
    }

    /// The most that a wallet's decisions may be more than what is told; 0 where all were counted.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Those with the most decisions that a rule hit; of equal ones those with more decisions, then by their names.
    #[must_use]
    pub fn first(&self) -> Vec<(&str, &Tally)> {
        let mut all: Vec<(&str, &Tally)> = self.tallies.iter().map(|(name, tally)| (&**name, tally)).collect();
        all.sort_unstable_by_key(|(name, tally)| (Reverse(tally.by_rule), Reverse(tally.decisions), *name));
        all.truncate(limits::REPORT_WALLETS_SHOWN);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::decode::Decoder, random::Random, replay::words::tests::packs};

    /// Every wallet that was hit more often than the bound is short of is found, and no figure is too high.
    #[test]
    fn the_busiest_are_found_in_little_memory() {
        let packs = packs();
        let mut decoder = Decoder::default();
        let mut random = Random::new(11);
        let mut wallets = Wallets { most: 100, ..Wallets::default() };
        let mut counts: HashMap<String, u64> = HashMap::new();
        let mut decision = Decision::default();
        decision.action = Action::Hold;
        for number in 0..20_000_u64 {
            let wallet = if random.below(3) == 0 { random.below(5) } else { 100 + number };
            let wallet = format!("w-{wallet}");
            let line =
                format!(r#"{{"id":"e-{number}","type":"login","time":"2026-03-01T08:00:00Z","wallet":"{wallet}"}}"#);
            let event = decoder.decode(line.as_bytes(), &packs.types, packs.currency).expect("an event");
            wallets.add(&event, &decision);
            *counts.entry(wallet).or_default() += 1;
            assert!(wallets.tallies.len() <= 100);
        }
        assert!(wallets.taken() > 0);
        for (wallet, count) in &counts {
            let told = wallets.tallies.get(wallet.as_str()).map_or(0, |tally| tally.decisions);
            assert!(told <= *count && *count <= told + wallets.taken(), "{wallet}: {told} of {count}");
        }
        let mut first: Vec<&str> = wallets.first().into_iter().take(5).map(|(name, _)| name).collect();
        first.sort_unstable();
        assert_eq!(first, ["w-0", "w-1", "w-2", "w-3", "w-4"]);
    }
}
