//! STUB of the engine: the interface that the shells build on.

use crate::{
    decision::Decision,
    event::{Event, Fault},
    geo::Geo,
    hash::HashKey,
    limits,
    rules::Packs,
    time::Timestamp,
};
use std::sync::Arc;

/// What an operator may set of the engine besides the packs. All in ms of event time.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub lateness: i64,
    pub dedup: i64,
    pub max_future: i64,
    pub max_past: i64,
    pub hash_key: HashKey,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lateness: limits::LATENESS_MS,
            dedup: limits::DEDUP_MS,
            max_future: limits::MAX_FUTURE_MS,
            max_past: limits::MAX_PAST_MS,
            hash_key: HashKey::default(),
        }
    }
}

/// What the engine is handed.
pub enum Input<'a> {
    /// One event; `reference` is its record's own timestamp (Kafka's), which files do not have.
    Event { event: &'a Event<'a>, reference: Option<Timestamp> },
}

/// What a step changed of the state, for whoever keeps a log of it.
#[derive(Debug, Default)]
pub struct Changes {}

/// One shard of the engine.
pub struct Engine {}

impl Engine {
    #[must_use]
    pub fn new(_packs: Arc<Packs>, _geo: Arc<Geo>, _settings: Settings) -> Engine {
        Engine {}
    }

    /// Decides on one event, or says why its record must be rejected (a conflict, a time out of bounds).
    ///
    /// # Errors
    /// A [`Fault`]; nothing has changed then.
    pub fn step(&mut self, _input: &Input<'_>, _decision: &mut Decision, _changes: &mut Changes) -> Result<(), Fault> {
        todo!()
    }

    /// How many wallets are remembered.
    #[must_use]
    pub fn wallets(&self) -> usize {
        0
    }
}
