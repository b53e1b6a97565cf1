//! Kuzet from bytes to bytes on many events together, as `replay` runs it on one core: read, decode, look ahead, step,
//! encode.

use super::{sink::Sink, together::Together};
use kuzet::{
    encode::encode,
    files::records::{Framed, Framing, Records},
    limits::{BATCH_RECORDS, READ_BYTES, RECORD_BYTES},
    rules::Packs,
};
use std::sync::Arc;

/// One engine on a stream.
pub struct Batches {
    together: Together,
    records: Records,
    /// Where the records of a batch lie.
    framed: Vec<Framed>,
}

impl Batches {
    pub fn new(packs: &Arc<Packs>) -> Batches {
        Batches { together: Together::new(packs), records: records(), framed: Vec::with_capacity(BATCH_RECORDS) }
    }

    /// Decides on every record of the stream.
    pub fn run(&mut self, mut stream: &[u8], sink: &mut Sink) {
        while read_on(&mut self.records, &mut stream) {
            while self.decide(sink) {}
        }
    }

    /// Decides on as many records as may be together; false where there are none but those that must be read first.
    fn decide(&mut self, sink: &mut Sink) -> bool {
        let Batches { together, records, framed } = self;
        records.frame(BATCH_RECORDS, framed);
        let taken = framed.iter().map(|framed| records.record(framed).bytes);
        let decided = together.decide(taken, |decision, event, packs| {
            encode(decision, event, packs, &mut sink.buffer);
            sink.end_line();
        });
        decided > 0
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
