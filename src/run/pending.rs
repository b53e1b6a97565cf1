//! Stands in for the engine's records until they are built.

use crate::{
    engine::{Engine, Settings},
    geo::Geo,
    hash::HashKey,
    rules::Packs,
    state::record::{RecordError, StateRecord, TickRecord},
};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct Exported {
    pub state: Vec<StateRecord>,
    pub restrictions: Vec<StateRecord>,
}

pub trait Records {
    fn export(&mut self, out: &mut Exported);
    fn apply_restriction(&mut self, record: &StateRecord, offset: i64) -> Result<(), RecordError>;
}

impl Records for Engine {
    fn export(&mut self, _: &mut Exported) {}
    fn apply_restriction(&mut self, _: &StateRecord, _: i64) -> Result<(), RecordError> {
        Ok(())
    }
}

#[derive(Default)]
pub struct Restoration {
    tick: Option<TickRecord>,
}

impl Restoration {
    pub fn new(_: HashKey) -> Restoration {
        Restoration::default()
    }
    pub fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), RecordError> {
        if key == b"tick" {
            let text = std::str::from_utf8(value.expect("x")).expect("x");
            let n: Vec<i128> = text.split(' ').map(|n| n.parse().expect("n")).collect();
            self.tick = Some(TickRecord {
                next: n[0] as i64,
                incarnation: n[1] as u64,
                tick: n[2] as u64,
                positions: n[3..].iter().map(|n| *n as i64).collect(),
            });
        }
        Ok(())
    }
    pub fn tick(&self) -> Option<&TickRecord> {
        self.tick.as_ref()
    }
    pub fn finish(self, packs: Arc<Packs>, geo: Arc<Geo>, settings: Settings) -> Result<Engine, String> {
        Ok(Engine::new(packs, geo, settings))
    }
}

pub fn record(tick: &TickRecord, _: HashKey) -> StateRecord {
    let mut text = format!("{} {} {}", tick.next, tick.incarnation, tick.tick);
    for p in &tick.positions {
        text += &format!(" {p}");
    }
    StateRecord { key: b"tick".to_vec(), value: Some(text.into_bytes()) }
}
