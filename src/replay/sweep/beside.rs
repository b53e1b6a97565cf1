//! Values that change nothing but the decisions on the events that they hit: what they come to follows from the replay's own
//! decisions, and no engine steps for them.

use super::{Made, Place, Point, Trial, class, heed_decisions, others};
use crate::{
    decision::{Action, RuleId},
    engine::Heeding,
    event::Event,
    files::records::Record,
    hash::HashKey,
    replay::{Outcome, Setup, companion::Companion, labels::Labels, severity},
    rules::{Mode, Packs},
};
use std::sync::Arc;

/// All of those values.
pub(super) struct Beside {
    packs: Arc<Packs>,
    labels: Option<Arc<Labels>>,
    key: HashKey,
    /// Something depends on whether operations were accepted.
    watches: bool,
    values: Vec<Value>,
}

/// One value.
struct Value {
    place: Place,
    probe: RuleId,
    /// The rule that is swept.
    swept: RuleId,
    live: bool,
    action: Action,
    score: u16,
    point: Point,
    /// Wallets of which it accepts what the engine does not, or the other way round, so that what followed is not known.
    parted: Heeding,
}

impl Beside {
    pub fn new(setup: &Setup, trials: &[Trial<'_>], labels: Option<&Arc<Labels>>) -> Beside {
        let value = |trial: &Trial<'_>| {
            let Trial { place, swept, rule, probe, .. } = *trial;
            let (action, score, live) = (rule.action, rule.score, rule.mode == Mode::Live);
            Value { place, probe, swept, live, action, score, point: Point::default(), parted: Heeding::default() }
        };
        Beside {
            packs: Arc::clone(&setup.packs),
            labels: labels.cloned(),
            key: setup.settings.hash_key,
            watches: heed_decisions(&setup.packs),
            values: trials.iter().map(value).collect(),
        }
    }

    /// Leaves out those of which too little is known.
    pub fn take_strays(&mut self) -> impl Iterator<Item = (Place, Heeding)> {
        self.values.extract_if(.., |value| !value.parted.is_none()).map(|value| (value.place, value.parted))
    }

    pub fn points(self) -> impl Iterator<Item = (Place, Point)> {
        self.values.into_iter().map(|value| (value.place, value.point))
    }
}

impl Companion for Beside {
    fn look_ahead(&mut self, _: &mut dyn Iterator<Item = &Event<'_>>) {}

    fn see(&mut self, _: usize, _: &Record<'_>, outcome: &Outcome<'_>) {
        let (event, decision, reported) = match outcome {
            Outcome::Decided { event, decision, .. } => (event, decision, true),
            Outcome::Passed { event, decision } => (event, decision, false),
            _ => return,
        };
        if decision.flags.duplicate {
            return;
        }
        // Rules come in pack order, the probes of all values behind them.
        let rules = decision.over.partition_point(|rule| usize::from(rule.0) < self.packs.rules.len());
        let probes = &decision.over[rules..];
        for value in &mut self.values {
            let hit = probes.binary_search(&value.probe).is_ok();
            let asked = (hit && value.live).then_some((value.action, value.score));
            let action = if value.live {
                severity::with_other(&self.packs, decision, value.swept, asked)
            } else {
                decision.action
            };
            if self.watches && action.accepted() != decision.action.accepted() {
                value.parted.add(self.key.hash(event.wallet.as_bytes()));
            }
            if reported {
                let made = Made { action, hit, any: (hit && value.live) || others(decision, value.swept) };
                value.point.add(event, &made, || class(self.labels.as_ref(), event));
            }
        }
    }
}
