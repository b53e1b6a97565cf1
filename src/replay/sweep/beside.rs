//! Values that change nothing but the decisions on the events that they hit: what they come to follows from the replay's own
//! decisions, and no engine steps for them.

use super::{Made, Place, Point, Trial, class, heed_decisions, others};
use crate::{
    decision::{Action, RuleId},
    event::Event,
    files::records::Record,
    hash::HashKey,
    replay::{Outcome, Setup, companion::Companion, labels::Labels, severity},
    rules::{Mode, Packs},
    state::Hash,
};
use std::{collections::HashSet, sync::Arc};

/// All of those values.
pub(super) struct Beside {
    packs: Arc<Packs>,
    labels: Option<Arc<Labels>>,
    key: HashKey,
    /// Something depends on whether operations were accepted.
    watches: bool,
    copies: Vec<Copy>,
}

/// One value.
struct Copy {
    place: Place,
    probe: RuleId,
    /// The rule that is swept.
    swept: RuleId,
    live: bool,
    action: Action,
    score: u16,
    point: Point,
    /// Wallets of which it accepts what the engine does not, or the other way round, so that what followed is not known.
    parted: HashSet<Hash>,
}

impl Beside {
    pub fn new(setup: &Setup, trials: &[Trial<'_>], labels: Option<&Arc<Labels>>) -> Beside {
        let copy = |trial: &Trial<'_>| {
            let Trial { place, swept, rule, probe, .. } = *trial;
            let (action, score, live) = (rule.action, rule.score, rule.mode == Mode::Live);
            Copy { place, probe, swept, live, action, score, point: Point::default(), parted: HashSet::new() }
        };
        Beside {
            packs: Arc::clone(&setup.packs),
            labels: labels.cloned(),
            key: setup.settings.hash_key,
            watches: heed_decisions(&setup.packs),
            copies: trials.iter().map(copy).collect(),
        }
    }

    /// Leaves out those of which too little is known.
    pub fn take_strays(&mut self) -> impl Iterator<Item = (Place, HashSet<Hash>)> {
        self.copies.extract_if(.., |copy| !copy.parted.is_empty()).map(|copy| (copy.place, copy.parted))
    }

    pub fn points(self) -> impl Iterator<Item = (Place, Point)> {
        self.copies.into_iter().map(|copy| (copy.place, copy.point))
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
        for copy in &mut self.copies {
            let hit = decision.over.contains(&copy.probe);
            let asked = (hit && copy.live).then_some((copy.action, copy.score));
            let action = if copy.live {
                severity::with_other(&self.packs, decision, copy.swept, asked)
            } else {
                decision.action
            };
            if self.watches && action.accepted() != decision.action.accepted() {
                copy.parted.insert(self.key.hash(event.wallet.as_bytes()));
            }
            if reported {
                let made = Made { action, hit, any: (hit && copy.live) || others(decision, copy.swept) };
                copy.point.add(event, &made, || class(self.labels.as_ref(), event));
            }
        }
    }
}
