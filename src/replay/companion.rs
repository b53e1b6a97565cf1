//! What goes along with a replay: it sees every record and what became of it, in their order, and may have an engine of
//! its own.
//!
//! A comparison, the scores against labels and each value of a sweep are companions. They do not know of one another, so
//! they can be on any thread.

use super::{
    Outcome, Setup,
    intake::{Intake, Said},
    range::Range,
    support::Supported,
};
use crate::{
    decision::Decision,
    engine::{Changes, Engine},
    event::Event,
    files::records::Record,
    rules::Packs,
};
use std::sync::Arc;

/// Sees what became of each record.
pub trait Companion: Send {
    /// Told which events come next, which changes nothing.
    fn look_ahead(&mut self, events: &mut dyn Iterator<Item = &Event<'_>>);

    /// Sees one record of input number `source` and what became of it.
    fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>);
}

/// Other packs beside those of the replay, over the same records.
pub struct Lane {
    /// Reads records where the packs declare other event types than those of the replay.
    intake: Option<Intake>,
    engine: Supported,
    range: Option<Range>,
    decision: Decision,
    changes: Changes,
}

/// What other packs make of a record.
pub struct Seen<'a> {
    pub event: Event<'a>,
    pub decision: &'a Decision,
    /// It lies within what is reported; else it only goes by.
    pub reported: bool,
}

impl Lane {
    /// Everything but the packs is that of the replay.
    #[must_use]
    pub fn new(setup: &Setup, packs: &Arc<Packs>) -> Lane {
        let engine = Engine::new(Arc::clone(packs), Arc::clone(&setup.geo), setup.settings);
        let intake =
            (!declare_the_same(&setup.packs, packs)).then(|| Intake::new(packs, setup.mapping.as_ref(), setup.range));
        Lane {
            intake,
            engine: Supported::new(engine, setup.lift_after),
            range: setup.range,
            decision: Decision::default(),
            changes: Changes::default(),
        }
    }

    /// Tells which events come next; they are of the replay's types.
    pub fn look_ahead(&mut self, events: &mut dyn Iterator<Item = &Event<'_>>) {
        if self.intake.is_none() {
            self.engine.look_ahead(events);
        }
    }

    /// Decides on a record that the replay has dealt with; nothing where it is rejected, no record at all, or so far
    /// outside of what is reported that nobody decides on it.
    ///
    /// # Panics
    /// Where a mapping does not fit the record's file, on which the replay would have stopped.
    pub fn decide<'a>(
        &'a mut self,
        source: usize,
        record: &'a Record<'a>,
        outcome: &'a Outcome<'a>,
    ) -> Option<Seen<'a>> {
        let event = match (&mut self.intake, outcome) {
            (None, Outcome::Decided { event, .. } | Outcome::Passed { event, .. }) => event.clone(),
            (None, _) => return None,
            (Some(intake), _) => match intake.read(source, record).expect("the replay has read the same file") {
                Said::Event(event) => event,
                _ => return None,
            },
        };
        self.engine.step(&event, &mut self.decision, &mut self.changes).ok()?;
        let reported = self.range.is_none_or(|range| range.reports(event.time));
        Some(Seen { event, decision: &self.decision, reported })
    }
}

/// An event of the one is an event of the other, with the same place for its type.
fn declare_the_same(one: &Packs, other: &Packs) -> bool {
    one.currency == other.currency
        && one.types.types.len() == other.types.types.len()
        && one
            .types
            .types
            .iter()
            .zip(&other.types.types)
            .all(|(one, other)| one.name == other.name && one.requires == other.requires)
}
