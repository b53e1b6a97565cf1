//! Kuzet from bytes to bytes on many events together, as `replay` runs it on one core: read, decode, look ahead, step,
//! encode.

use super::sink::Sink;
use kuzet::{
    decision::Decision,
    encode::encode,
    engine::{Changes, Engine, Input, Settings},
    event::{Event, decode::Decoder},
    files::records::{Framed, Framing, Records},
    geo::Geo,
    limits::{BATCH_RECORDS, READ_BYTES, RECORD_BYTES},
    rules::Packs,
};
use std::sync::Arc;

/// One engine with everything that it uses again and again.
pub struct Batches {
    packs: Arc<Packs>,
    engine: Engine,
    records: Records,
    /// Where the records of a batch lie.
    framed: Vec<Framed>,
    /// One for each event of a batch, which borrows from it.
    decoders: Vec<Decoder>,
    decision: Decision,
    changes: Changes,
}

impl Batches {
    pub fn new(packs: &Arc<Packs>) -> Batches {
        Batches {
            packs: Arc::clone(packs),
            engine: Engine::new(Arc::clone(packs), Arc::new(Geo::default()), Settings::default()),
            records: records(),
            framed: Vec::with_capacity(BATCH_RECORDS),
            decoders: (0..BATCH_RECORDS).map(|_| Decoder::default()).collect(),
            decision: Decision::default(),
            changes: Changes::default(),
        }
    }

    /// Decides on every record of the stream.
    pub fn run(&mut self, mut stream: &[u8], sink: &mut Sink) {
        while read_on(&mut self.records, &mut stream) {
            while self.decide(sink) {}
        }
    }

    /// Decides on as many records as may be together; false where there are none but those that must be read first.
    fn decide(&mut self, sink: &mut Sink) -> bool {
        let Batches { packs, engine, records, framed, decoders, decision, changes } = self;
        records.frame(BATCH_RECORDS, framed);
        let decoded = decoders.iter_mut().zip(&*framed).map(|(decoder, framed)| {
            let record = records.record(framed).bytes;
            match decoder.decode(record, &packs.types, packs.currency) {
                Ok(event) => event,
                Err(fault) => panic!("{fault}: {}", String::from_utf8_lossy(record)),
            }
        });
        let events: Vec<Event<'_>> = decoded.collect();
        let ahead = engine.look_ahead(events.iter());
        for hashed in &ahead {
            if let Err(fault) = engine.step(&Input::Hashed { hashed, reference: None }, decision, changes) {
                panic!("{fault}: {:?}", hashed.event());
            }
            encode(decision, hashed.event(), packs, &mut sink.buffer);
            sink.end_line();
        }
        !events.is_empty()
    }
}

/// Calls `take` with each record of the stream.
pub fn read_records(mut stream: &[u8], mut take: impl FnMut(&[u8])) {
    let mut records = records();
    while read_on(&mut records, &mut stream) {
        while let Some(record) = records.take() {
            take(record.bytes);
        }
    }
}

/// The reader of `replay`.
fn records() -> Records {
    Records::new(Framing::Lines, RECORD_BYTES, READ_BYTES)
}

/// Reads more of the stream; false where everything has been taken.
fn read_on(records: &mut Records, stream: &mut &[u8]) -> bool {
    if records.is_finished() {
        return false;
    }
    records.fill(stream).expect("memory can be read");
    true
}
