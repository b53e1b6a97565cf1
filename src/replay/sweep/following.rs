//! Values of a rule that restricts: each has a follower of the replay's own engine, which is told what windows measure and has
//! restrictions of its own.
//!
//! Followers begin by taking the engine's word for rules that heed decisions, too. Wallets of which they accept what the
//! engine does not, or the other way round, are noted, and the value is run again with windows of its own for those.

use super::{Made, Place, Point, Trial, class, heed_decisions, others, packs_with};
use crate::{
    decision::{Decision, Reason, RuleId},
    engine::{Follower, Hashed, Heeding},
    event::Event,
    files::records::Record,
    hash::HashKey,
    replay::{Outcome, Setup, companion::Companion, labels::Labels, support::Desk},
    state::wallets::Asked,
};
use std::{num::NonZero, sync::Arc, thread};

/// Some of those values, on one thread.
pub(super) struct Following {
    labels: Option<Arc<Labels>>,
    values: Vec<Value>,
    key: HashKey,
    ahead: Vec<Asked>,
    decision: Decision,
}

/// One value.
struct Value {
    place: Place,
    swept: RuleId,
    follower: Follower,
    desk: Option<Desk>,
    /// It must accept what the engine accepts.
    watched: bool,
    /// Wallets of which it has not, so that what followed is not known.
    parted: Heeding,
    point: Point,
}

/// The values, shared out among as many as can be on threads of their own.
pub(super) fn shares(setup: &Setup, trials: &[Trial<'_>], labels: Option<&Arc<Labels>>) -> Vec<Following> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let watched = heed_decisions(&setup.packs);
    let value = |trial: &Trial<'_>| {
        let Trial { place, swept, rule, probe, ref heeding } = *trial;
        let packs = packs_with(&setup.packs, swept, rule.clone());
        let desk = setup.lift_after.map(|after| Desk::new(Arc::clone(&packs), after));
        let (geo, heeding) = (Arc::clone(&setup.geo), heeding.clone());
        let follower = Follower::new(packs, geo, setup.settings, (swept, probe), heeding);
        Value { place, swept, follower, desk, watched, parted: Heeding::default(), point: Point::default() }
    };
    let share = |trials: &[Trial<'_>]| Following {
        labels: labels.cloned(),
        values: trials.iter().map(value).collect(),
        key: setup.settings.hash_key,
        ahead: Vec::new(),
        decision: Decision::default(),
    };
    trials.chunks(trials.len().div_ceil(cores).max(1)).map(share).collect()
}

impl Value {
    /// Has support lift what is due before an event.
    fn lift_due(&mut self, event: &Event<'_>, decision: &mut Decision) {
        let Value { desk, follower, .. } = self;
        if let Some(desk) = desk {
            desk.lift_due(event.time, |signal| follower.lift(signal, decision));
        }
    }

    /// Tells support what was decided.
    fn watch(&mut self, event: &Event<'_>, decision: &Decision) {
        if let Some(desk) = &mut self.desk {
            desk.watch(event, decision);
        }
    }
}

impl Following {
    /// Leaves out those of which too little is known.
    pub fn take_strays(&mut self) -> impl Iterator<Item = (Place, Heeding)> {
        self.values.extract_if(.., |value| !value.parted.is_none()).map(|value| (value.place, value.parted))
    }

    pub fn points(self) -> impl Iterator<Item = (Place, Point)> {
        self.values.into_iter().map(|value| (value.place, value.point))
    }
}

impl Companion for Following {
    fn look_ahead(&mut self, events: &mut dyn Iterator<Item = &Event<'_>>) {
        let Following { values, key, ahead, .. } = self;
        ahead.clear();
        ahead.extend(events.map(|event| Asked::record_of(key.hash(event.wallet.as_bytes()))));
        for value in values {
            value.follower.look_ahead(ahead);
        }
    }

    fn see(&mut self, _: usize, _: &Record<'_>, outcome: &Outcome<'_>) {
        let (event, seen, reported) = match outcome {
            Outcome::Decided { event, decision, .. } => (event, decision, true),
            Outcome::Passed { event, decision } => (event, decision, false),
            _ => return,
        };
        let Following { labels, values, key, decision, .. } = self;
        let hashed = Hashed::new(event, *key);
        for value in values {
            value.lift_due(event, decision);
            if seen.flags.duplicate {
                value.watch(event, seen);
                continue;
            }
            value.follower.step(&hashed, &seen.over, decision);
            value.watch(event, decision);
            if value.watched
                && decision.action.accepted() != seen.action.accepted()
                && !value.follower.heeds(hashed.wallet())
            {
                value.parted.add(hashed.wallet());
            }
            if reported {
                let swept = value.swept;
                let own = |reason: &Reason| matches!(reason, Reason::Rule(reason) if reason.rule == swept);
                let hit = decision.reasons.iter().any(own);
                let made = Made { action: decision.action, hit, any: hit || others(decision, swept) };
                value.point.add(event, &made, || class(labels.as_ref(), event));
            }
        }
    }
}
