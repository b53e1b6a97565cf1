//! The engine's state as records of a compacted topic: what has changed, once a tick, and the way back.

use super::Engine;
use crate::{
    geo::Geo,
    rules::Packs,
    state::record::{RecordError, StateRecord, TickRecord},
};
use std::sync::Arc;

/// What changed since it was asked last.
#[derive(Clone, Debug, Default)]
pub struct Exported {
    /// For the shard's partition of `state`.
    pub state: Vec<StateRecord>,
    /// For `restrictions`, which every instance reads.
    pub restrictions: Vec<StateRecord>,
}
