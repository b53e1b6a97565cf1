//! What events cost, decided on in batches as `replay` and `run` do it: they are written in chunks untimed, then decoded
//! alone, then decided, each timed.

use super::{
    draft::{Draft, Kind},
    packs,
    together::Together,
};
use kuzet::{
    encode::encode, event::decode::Decoder, limits::BATCH_RECORDS, random::Random, rules::Packs, time::Timestamp,
};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

/// 2026-03-02 14:00 in Almaty.
pub const START: i64 = 1_772_442_000_000;
pub const HOUR: i64 = 60 * 60 * 1_000;

/// Which wallet does something when; its place in the order of arrival is its id.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub wallet: u64,
    pub time: i64,
}

/// Time taken for so many events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    decoding: Duration,
    whole: Duration,
    events: u64,
}

impl Cost {
    pub fn events(&self) -> u64 {
        self.events
    }

    /// From bytes to bytes, in ns an event.
    pub fn whole(&self) -> f64 {
        self.whole.as_secs_f64() * 1e9 / float(self.events)
    }

    /// Without decoding, in ns an event.
    pub fn deciding(&self) -> f64 {
        self.whole.saturating_sub(self.decoding).as_secs_f64() * 1e9 / float(self.events)
    }
}

/// Events that are written, and then timed, together: few enough for the cache of a core.
const CHUNK: usize = 1_000;

/// Feeds one engine.
pub struct Feed {
    packs: Arc<Packs>,
    together: Together,
    decoder: Decoder,
    next: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    out: Vec<u8>,
}

impl Feed {
    pub fn new(packs: &Arc<Packs>) -> Feed {
        Feed {
            packs: Arc::clone(packs),
            together: Together::new(packs),
            decoder: Decoder::default(),
            next: 0,
            bytes: Vec::new(),
            ends: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Has all steps decided, `shape` having the last word on what each event is.
    pub fn run(&mut self, steps: impl Iterator<Item = Step>, shape: impl Fn(u64, &mut Draft)) -> Cost {
        let mut cost = Cost::default();
        for step in steps {
            let mut draft = Draft::random(&mut Random::new(self.next), step.wallet, Timestamp(step.time));
            shape(self.next, &mut draft);
            draft.write(self.next, &mut self.bytes);
            self.ends.push(self.bytes.len());
            self.next += 1;
            if self.ends.len() == CHUNK {
                self.decide_chunk(&mut cost);
            }
        }
        self.decide_chunk(&mut cost);
        cost
    }

    fn decide_chunk(&mut self, cost: &mut Cost) {
        let start = Instant::now();
        for record in records(&self.bytes, &self.ends) {
            let event = self.decoder.decode(record, &self.packs.types, self.packs.currency);
            black_box(event.is_ok());
        }
        let decoded = Instant::now();
        let written: Vec<&[u8]> = records(&self.bytes, &self.ends).collect();
        for batch in written.chunks(BATCH_RECORDS) {
            self.out.clear();
            self.together
                .decide(batch.iter().copied(), |decision, event, packs| encode(decision, event, packs, &mut self.out));
            black_box(&self.out);
        }
        cost.whole += decoded.elapsed();
        cost.decoding += decoded - start;
        cost.events += self.ends.len() as u64;
        self.bytes.clear();
        self.ends.clear();
    }
}

fn records<'a>(bytes: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| &bytes[start..*end])
}

/// Every event a transfer.
pub fn transfers(_number: u64, draft: &mut Draft) {
    draft.kind = Kind::Transfer;
}

/// A pack given as text.
pub fn pack(text: &str) -> Arc<Packs> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pack.toml");
    std::fs::write(&path, text).expect("a file in it");
    packs::load(path)
}

/// What every generated pack begins with; the types are those that drafts have.
pub const HEAD: &str = r#"
name = "growth"
version = "1"
timezone = "Asia/Almaty"
currency = "KZT"
[event]
transfer.requires = ["amount", "counterparty"]
payment.requires = ["amount"]
topup.requires = ["amount"]
login.requires = []
identity_confirmed.requires = []
"#;

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// For quotients that people read.
pub fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).expect("figures here are below four billion"))
}
