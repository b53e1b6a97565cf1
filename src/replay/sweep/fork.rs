//! Values of a rule that restricts, without an engine for all wallets each.
//!
//! Another value changes what follows only for the wallets on which it decides otherwise: until then they share the engine of
//! the packs as they are. The first pass over the data finds these wallets and from which event on; in a second pass each
//! value has an engine that is shown these wallets alone, from their first event on, and counts from where they part.
//!
//! That is exact where what a rule remembers and restricts is a wallet's own ([`is_confined`]). What some wallets do to others,
//! restrictions on an address, on all, or on whoever pays to them, is the same with each value as long as no value imposes
//! it elsewhere; the wallets that do are shown to every engine, and a value that imposes it elsewhere is found out
//! and has an engine for all wallets after all.

use super::{Place, Point, class, made};
use crate::{
    decision::{Decision, Reason, RuleId},
    event::{Event, Field, TypeSet},
    files::records::Record,
    hash::HashKey,
    limits,
    replay::{
        Outcome, Setup,
        companion::{Companion, Lane},
        labels::Labels,
        support,
    },
    rules::{Measure, Mode, Packs, Restriction, Rule, Target},
};
use std::{collections::HashMap, sync::Arc};

/// Whether what a value of this rule changes stays within the wallets on which it decides otherwise.
pub fn is_confined(setup: &Setup, rule: &Rule) -> bool {
    let packs = &setup.packs;
    let in_force = || packs.rules.iter().filter(|rule| rule.mode != Mode::Off);
    let own = |rule: &Rule| rule.restrict.iter().all(|id| !concerns_others(packs.restriction(*id)));
    let lifts_own = || {
        let imposed = in_force().flat_map(|rule| &rule.restrict).map(|id| packs.restriction(*id));
        let signals = imposed.filter(|of| !concerns_others(of)).filter_map(|of| support::mildest_signal(of, packs));
        let others = || packs.restrictions.iter().filter(|of| concerns_others(of));
        let touches = |of: &Restriction, kind| {
            [of.imposed_by, of.lifted_by, of.cancelled_by].iter().any(|set: &TypeSet| set.contains(kind))
        };
        let mut signals = signals;
        signals.all(|kind| !others().any(|of| touches(of, kind)))
    };
    rule.mode == Mode::Live
        && own(rule)
        && in_force().all(|rule| rule.measure.as_ref().is_none_or(is_per_wallet))
        && (setup.lift_after.is_none() || lifts_own())
}

fn is_per_wallet(measure: &Measure) -> bool {
    match measure {
        Measure::Count { per, .. }
        | Measure::Sum { per, .. }
        | Measure::Distinct { per, .. }
        | Measure::Change { per, .. }
        | Measure::Streak { per, .. }
        | Measure::New { per, .. }
        | Measure::After { per, .. } => per.contains(&Field::Wallet),
        Measure::Idle { .. } => true,
    }
}

/// It may stop an operation of another wallet than the one that it was imposed by.
fn concerns_others(restriction: &Restriction) -> bool {
    restriction.target != Target::Wallet || restriction.incoming
}

/// A wallet's name in [`Parted`]. Two that share one are both shown to the engines, which changes nothing.
fn name(wallet: &str) -> u64 {
    HashKey(0, 0).short_hash(wallet.as_bytes())
}

/// One wallet that some engine must be shown.
#[derive(Debug, Default)]
struct Parting {
    /// It does something to other wallets, whatever the value.
    concerns_others: bool,
    /// By value, which of its events is the first on which that decides otherwise.
    from: Vec<(usize, u64)>,
}

impl Parting {
    /// Once `from` is in order.
    fn of(&self, value: usize) -> Option<u64> {
        self.from.binary_search_by_key(&value, |(of, _)| *of).ok().map(|place| self.from[place].1)
    }
}

/// The wallets on which values decide otherwise, and those that concern others.
#[derive(Debug)]
pub struct Parted {
    packs: Arc<Packs>,
    wallets: HashMap<u64, Parting>,
    /// Values with wallets, in all.
    pairs: usize,
    /// Events that were decided so far.
    event: u64,
}

impl Parted {
    pub fn new(packs: &Arc<Packs>) -> Parted {
        Parted { packs: Arc::clone(packs), wallets: HashMap::new(), pairs: 0, event: 0 }
    }

    /// One more event is decided on.
    pub fn pass(&mut self, event: &Event<'_>, decision: &Decision) {
        self.event += 1;
        let imposes = |of: &&Restriction| {
            let lifted = of.target != Target::Wallet
                && (of.lifted_by.contains(event.kind) || of.cancelled_by.contains(event.kind));
            concerns_others(of) && (of.imposed_by.contains(event.kind) || lifted)
        };
        let by_signal =
            self.packs.signals.contains(event.kind) && self.packs.restrictions.iter().any(|of| imposes(&of));
        if by_signal || imposing(&self.packs, decision).next().is_some() {
            self.wallets.entry(name(event.wallet)).or_default().concerns_others = true;
        }
    }

    /// Values that have parted with the packs on this wallet are marked in `parted`.
    pub fn mark(&self, wallet: &str, parted: &mut [bool]) {
        parted.fill(false);
        if self.pairs == 0 {
            return;
        }
        for (value, _) in self.wallets.get(&name(wallet)).into_iter().flat_map(|parting| &parting.from) {
            parted[*value] = true;
        }
    }

    /// The value decides otherwise on this event, the last one that was passed.
    pub fn part(&mut self, wallet: &str, value: usize) {
        if !self.is_full() {
            self.wallets.entry(name(wallet)).or_default().from.push((value, self.event));
            self.pairs += 1;
        }
    }

    /// There are so many that engines for all wallets need no more memory.
    pub fn is_full(&self) -> bool {
        self.pairs >= limits::SWEEP_PARTED
    }

    /// Some value decides otherwise somewhere.
    pub fn is_needed(&self) -> bool {
        self.pairs > 0
    }
}

/// The live rules of a decision that impose what concerns others.
fn imposing<'a>(packs: &'a Packs, decision: &'a Decision) -> impl Iterator<Item = RuleId> + 'a {
    decision.reasons.iter().filter_map(|reason| match reason {
        Reason::Rule(reason) => {
            let restricts = &packs.rule(reason.rule).restrict;
            restricts.iter().any(|id| concerns_others(packs.restriction(*id))).then_some(reason.rule)
        }
        Reason::Restriction(_) => None,
    })
}

/// The second pass: engines of values that are shown what has parted.
pub struct Forks {
    parted: Parted,
    /// The packs as they are, to be held against the values.
    lane: Lane,
    labels: Option<Arc<Labels>>,
    forks: Vec<Fork>,
    event: u64,
    /// The rules of one event that impose what concerns others.
    imposing: Vec<RuleId>,
}

/// One value.
pub struct Fork {
    pub place: Place,
    swept: RuleId,
    /// Its number among the values of the first pass.
    value: usize,
    lane: Lane,
    pub point: Point,
    /// It imposes what concerns others where the packs do not, or the other way round.
    pub strays: bool,
}

impl Forks {
    /// `values` are all of the first pass, with their packs; those that never part need no engine.
    pub fn new(
        setup: &Setup,
        mut parted: Parted,
        values: impl Iterator<Item = (usize, Place, RuleId, Arc<Packs>)>,
        labels: Option<&Arc<Labels>>,
    ) -> Forks {
        for parting in parted.wallets.values_mut() {
            parting.from.sort_unstable();
        }
        let parts = |value: usize| parted.wallets.values().any(|parting| parting.of(value).is_some());
        let forks = values.filter(|(value, ..)| parts(*value)).map(|(value, place, swept, packs)| Fork {
            place,
            swept,
            value,
            lane: Lane::new(setup, &packs),
            point: Point::default(),
            strays: false,
        });
        let forks = forks.collect();
        let lane = Lane::new(setup, &setup.packs);
        Forks { parted, lane, labels: labels.cloned(), forks, event: 0, imposing: Vec::new() }
    }

    pub fn into_values(self) -> impl Iterator<Item = Fork> {
        self.forks.into_iter()
    }
}

impl Companion for Forks {
    fn look_ahead(&mut self, _: &mut dyn Iterator<Item = &Event<'_>>) {}

    fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>) {
        let Outcome::Decided { event, .. } = outcome else { return };
        self.event += 1;
        let Forks { parted, lane, labels, forks, event: number, imposing: imposed } = self;
        let Some(parting) = parted.wallets.get(&name(event.wallet)) else { return };
        imposed.clear();
        if let Some((_, decision)) = lane.decide(source, record, outcome) {
            imposed.extend(imposing(&parted.packs, decision));
        }
        for fork in forks {
            let from = parting.of(fork.value);
            if from.is_none() && !parting.concerns_others {
                continue;
            }
            let Some((event, decision)) = fork.lane.decide(source, record, outcome) else { continue };
            fork.strays |= !imposing(&parted.packs, decision).eq(imposed.iter().copied());
            if !decision.flags.duplicate && from.is_some_and(|from| *number >= from) {
                let made = made(decision, fork.swept);
                fork.point.add(&event, &made, || class(labels.as_ref(), &event));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::Settings, geo::Geo};

    fn confined(rule: &str, packs: &[&str], lift_after: Option<i64>) -> bool {
        let paths: Vec<std::path::PathBuf> = packs.iter().map(std::path::PathBuf::from).collect();
        let packs = crate::pack_files::load_paths(&paths).unwrap_or_else(|_| panic!("shipped packs load")).packs;
        let setup = Setup {
            packs: Arc::new(packs),
            geo: Arc::new(Geo::default()),
            settings: Settings::default(),
            mapping: None,
            lift_after,
        };
        is_confined(&setup, setup.packs.rules.iter().find(|known| known.id == rule).expect("the rule"))
    }

    #[test]
    fn what_is_a_wallets_own_is_confined() {
        for rule in ["large-transfer", "equal-transfers", "daily-pin", "country-change", "limit-identified"] {
            assert!(confined(rule, &[], None), "{rule}");
            assert!(confined(rule, &[], Some(7_200_000)), "{rule}");
        }
        assert!(!confined("password-lockout", &[], None), "it restricts an address");
        let typologies = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/typologies.toml");
        assert!(!confined("large-transfer", &[typologies], None), "some rules measure across wallets");
    }
}
