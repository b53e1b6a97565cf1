//! Kuzet from bytes to bytes, as `replay` runs it on one core: decode, step, encode.

use kuzet::{
    decision::Decision,
    encode::encode,
    engine::{Changes, Engine, Input, Settings},
    event::decode::Decoder,
    geo::Geo,
    rules::Packs,
};
use std::sync::Arc;

/// One engine with everything that it uses again and again.
pub struct Kuzet {
    packs: Arc<Packs>,
    engine: Engine,
    decoder: Decoder,
    decision: Decision,
    changes: Changes,
}

impl Kuzet {
    pub fn new(packs: &Arc<Packs>) -> Kuzet {
        Kuzet {
            packs: Arc::clone(packs),
            engine: Engine::new(Arc::clone(packs), Arc::new(Geo::default()), Settings::default()),
            decoder: Decoder::default(),
            decision: Decision::default(),
            changes: Changes::default(),
        }
    }

    /// Decides on one record and appends the decision, without a line end.
    ///
    /// # Panics
    /// On a record that is rejected: the streams here have none.
    pub fn decide(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let event = match self.decoder.decode(record, &self.packs.types, self.packs.currency) {
            Ok(event) => event,
            Err(fault) => panic!("{fault}: {}", String::from_utf8_lossy(record)),
        };
        let input = Input::Event { event: &event, reference: None };
        if let Err(fault) = self.engine.step(&input, &mut self.decision, &mut self.changes) {
            panic!("{fault}: {}", String::from_utf8_lossy(record));
        }
        encode(&self.decision, &event, &self.packs, out);
    }
}
