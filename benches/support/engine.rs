//! Kuzet from bytes to bytes, as `replay` runs it on one core: decode, step, encode.

use kuzet::{
    decision::Decision,
    encode::encode,
    engine::{Changes, Engine, Input, Settings},
    event::{Event, decode::Decoder},
    geo::Geo,
    memory::Supply,
    rules::Packs,
};
use std::sync::Arc;

/// One engine with everything that it uses again and again, in two halves: an event borrows the first while the second
/// decides on it.
pub struct Kuzet {
    pub decoding: Decoding,
    pub deciding: Deciding,
}

/// Bytes to events.
pub struct Decoding {
    packs: Arc<Packs>,
    decoder: Decoder,
}

/// Events to decisions, and those to bytes.
pub struct Deciding {
    packs: Arc<Packs>,
    engine: Engine,
    decision: Decision,
    changes: Changes,
}

impl Kuzet {
    pub fn new(packs: &Arc<Packs>) -> Kuzet {
        let mut engine = Engine::new(Arc::clone(packs), Arc::new(Geo::default()), Settings::default());
        engine.supply(&Supply::start());
        Kuzet {
            decoding: Decoding { packs: Arc::clone(packs), decoder: Decoder::default() },
            deciding: Deciding {
                packs: Arc::clone(packs),
                engine,
                decision: Decision::default(),
                changes: Changes::default(),
            },
        }
    }

    /// Decides on one record and appends the decision, without a line end.
    ///
    /// # Panics
    /// On a record that is rejected: the streams here have none.
    pub fn decide(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let event = self.decoding.decode(record);
        self.deciding.step(&event);
        self.deciding.encode(&event, out);
    }
}

impl Decoding {
    /// The first stage.
    ///
    /// # Panics
    /// On a record that is not an event.
    pub fn decode<'a>(&'a mut self, record: &'a [u8]) -> Event<'a> {
        match self.decoder.decode(record, &self.packs.types, self.packs.currency) {
            Ok(event) => event,
            Err(fault) => panic!("{fault}: {}", String::from_utf8_lossy(record)),
        }
    }
}

impl Deciding {
    /// The second stage.
    ///
    /// # Panics
    /// On an event that is rejected.
    pub fn step(&mut self, event: &Event<'_>) {
        let input = Input::Event { event, reference: None };
        if let Err(fault) = self.engine.step(&input, &mut self.decision, &mut self.changes) {
            panic!("{fault}: {event:?}");
        }
    }

    /// The third stage: appends the decision on the event that was stepped last.
    pub fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        encode(&self.decision, event, &self.packs, out);
    }
}
