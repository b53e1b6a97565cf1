//! A value that has a whole engine of its own, because nothing that is known of the replay's own holds for it.

use super::{Made, Place, Point, Trial, class, others, packs_with};
use crate::{
    decision::{Reason, RuleId},
    event::Event,
    files::records::Record,
    replay::{
        Outcome, Setup,
        companion::{Companion, Lane, Seen},
        labels::Labels,
    },
};
use std::sync::Arc;

/// A value with an engine of its own.
pub(super) struct Apart {
    place: Place,
    swept: RuleId,
    lane: Lane,
    labels: Option<Arc<Labels>>,
    point: Point,
}

impl Apart {
    pub fn new(setup: &Setup, trial: &Trial<'_>, labels: Option<&Arc<Labels>>) -> Apart {
        let Trial { place, swept, rule, .. } = *trial;
        let packs = packs_with(&setup.packs, swept, rule.clone());
        Apart { place, swept, lane: Lane::new(setup, &packs), labels: labels.cloned(), point: Point::default() }
    }

    pub fn point(self) -> (Place, Point) {
        (self.place, self.point)
    }
}

impl Companion for Apart {
    fn look_ahead(&mut self, events: &mut dyn Iterator<Item = &Event<'_>>) {
        self.lane.look_ahead(events);
    }

    fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>) {
        let Some(Seen { event, decision, reported }) = self.lane.decide(source, record, outcome) else { return };
        if decision.flags.duplicate || !reported {
            return;
        }
        let own = |rule: RuleId| rule == self.swept;
        let live = decision.reasons.iter().any(|reason| matches!(reason, Reason::Rule(reason) if own(reason.rule)));
        let hit = live || decision.shadow.iter().any(|reason| own(reason.rule));
        let made = Made { action: decision.action, hit, any: live || others(decision, self.swept) };
        self.point.add(&event, &made, || class(self.labels.as_ref(), &event));
    }
}
