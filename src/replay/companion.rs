//! What goes along with a replay: it sees every record and what became of it, in their order, and may have an engine of
//! its own.
//!
//! A comparison, the scores against labels and each value of a sweep are companions. They do not know of one another, so
//! they can be on any thread.

use super::{
    Outcome, Setup,
    intake::{Intake, Said},
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
    decision: Decision,
    changes: Changes,
}

impl Lane {
    /// Everything but the packs is that of the replay.
    #[must_use]
    pub fn new(setup: &Setup, packs: &Arc<Packs>) -> Lane {
        let engine = Engine::new(Arc::clone(packs), Arc::clone(&setup.geo), setup.settings);
        let intake = (!declare_the_same(&setup.packs, packs)).then(|| Intake::new(packs, setup.mapping.as_ref()));
        Lane {
            intake,
            engine: Supported::new(engine, setup.lift_after),
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

    /// Decides on a record that the replay has dealt with; nothing where it is rejected, or no record at all.
    ///
    /// # Panics
    /// Where a mapping does not fit the record's file, on which the replay would have stopped.
    pub fn decide<'a>(
        &'a mut self,
        source: usize,
        record: &'a Record<'a>,
        outcome: &'a Outcome<'a>,
    ) -> Option<(Event<'a>, &'a Decision)> {
        let event = match (&mut self.intake, outcome) {
            (None, Outcome::Decided { event, .. }) => event.clone(),
            (None, _) => return None,
            (Some(intake), _) => match intake.read(source, record).expect("the replay has read the same file") {
                Said::Event(event) => event,
                _ => return None,
            },
        };
        self.engine.step(&event, &mut self.decision, &mut self.changes).ok()?;
        Some((event, &self.decision))
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
