//! Kuzet from bytes to bytes on many events together, as `replay` runs it on one core: decode, look ahead, step, encode.

use kuzet::{
    decision::Decision,
    encode::encode,
    engine::{Changes, Engine, Input, Settings},
    event::decode::{Decoder, Events},
    geo::Geo,
    rules::Packs,
};
use std::sync::Arc;

/// One engine with everything that it uses again and again.
pub struct Batches {
    packs: Arc<Packs>,
    engine: Engine,
    decoder: Decoder,
    decision: Decision,
    changes: Changes,
    /// Events that have been decoded and not yet decided on.
    events: Events,
}

/// Events that are decided on together, so that their wallets can be looked for ahead.
const BATCH: usize = 256;

impl Batches {
    pub fn new(packs: &Arc<Packs>) -> Batches {
        Batches {
            packs: Arc::clone(packs),
            engine: Engine::new(Arc::clone(packs), Arc::new(Geo::default()), Settings::default()),
            decoder: Decoder::default(),
            decision: Decision::default(),
            changes: Changes::default(),
            events: Events::default(),
        }
    }

    /// Takes one record; decides on it with others, once there are enough or `record` is empty, and calls `end_line`
    /// after each decision.

    pub fn take(&mut self, record: &[u8], out: &mut Vec<u8>) {
        if !record.is_empty() {
            match self.decoder.decode(record, &self.packs.types, self.packs.currency) {
                Ok(event) => self.events.push(&event),
                Err(fault) => panic!("{fault}: {}", String::from_utf8_lossy(record)),
            }
            if self.events.len() < BATCH {
                return;
            }
        }
        let Batches { events, engine, decision, changes, packs, .. } = self;
        engine.look_ahead((0..events.len()).map(|place| events.get(place)));
        for place in 0..events.len() {
            let event = events.get(place);
            if let Err(fault) = engine.step(&Input::Event { event: &event, reference: None }, decision, changes) {
                panic!("{fault}: {}", events.record(place));
            }
            encode(decision, &event, packs, out);
            out.push(b'\n');
        }
        events.clear();
    }
}
