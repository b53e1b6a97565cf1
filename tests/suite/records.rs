//! The state as records: an engine that is put together from them decides as the one that never stopped.
//!
//! A shard exports after every few events into a map that keeps the newest value of each key, as a compacted topic does;
//! now and then it is thrown away and restored. All decisions must be those of an engine that was left alone. A failure
//! prints the seed: `KUZET_SEEDS=17..18 cargo test --test suite records`.

mod hostile;

use crate::{
    harness::{Judge, packs},
    streams::{Random, Shape, default_stream, random_pack, random_stream},
};
use kuzet::{
    decision::Decision,
    encode::encode,
    engine::{Changes, Engine, Exported, Input, Restoration, RestoreError, Settings},
    event::decode::Decoder,
    geo::Geo,
    hash::HashKey,
    rules::Packs,
};
use std::{collections::BTreeMap, sync::Arc};

type Log = BTreeMap<Vec<u8>, Vec<u8>>;

/// A shard with its compacted topic.
struct Shard {
    packs: Arc<Packs>,
    engine: Engine,
    log: Log,
    decoder: Decoder,
    decision: Decision,
    changes: Changes,
    /// Bytes and records that were exported.
    written: (usize, usize),
}

fn settings() -> Settings {
    Settings { partition: Some(0), ..Settings::default() }
}

impl Shard {
    fn new(packs: &Arc<Packs>) -> Shard {
        Shard {
            packs: Arc::clone(packs),
            engine: Engine::new(Arc::clone(packs), Arc::default(), settings()),
            log: Log::new(),
            decoder: Decoder::default(),
            decision: Decision::default(),
            changes: Changes::default(),
            written: (0, 0),
        }
    }

    fn feed(&mut self, record: &[u8]) -> Result<String, String> {
        let event =
            self.decoder.decode(record, &self.packs.types, self.packs.currency).map_err(|fault| fault.message)?;
        let input = Input::Event { event: &event, reference: None };
        let stepped = self.engine.step(&input, &mut self.decision, &mut self.changes);
        stepped.map_err(|fault| fault.message)?;
        let mut out = Vec::new();
        encode(&self.decision, &event, &self.packs, &mut out);
        Ok(String::from_utf8(out).expect("a decision is UTF-8"))
    }

    fn reload(&mut self, packs: &Arc<Packs>) {
        self.engine.step(&Input::Packs(packs), &mut self.decision, &mut self.changes).expect("packs that can follow");
        self.packs = Arc::clone(self.engine.packs());
    }

    /// What one tick writes.
    fn tick(&mut self) -> Exported {
        let mut exported = Exported::default();
        self.engine.export(&mut exported);
        let mut keys = std::collections::BTreeSet::new();
        for record in &exported.state {
            assert!(keys.insert(&record.key), "a record is written once");
            let length = record.key.len() + record.value.as_ref().map_or(0, Vec::len);
            assert!(length <= kuzet::limits::STATE_RECORD_BYTES, "{length} bytes");
            self.written = (self.written.0 + length, self.written.1 + 1);
            match &record.value {
                Some(value) => drop(self.log.insert(record.key.clone(), value.clone())),
                None => drop(self.log.remove(&record.key)),
            }
        }
        exported
    }

    /// The same shard in another process.
    fn restart(&mut self, random: &mut Random) {
        self.engine = restored(&self.log, &self.packs, random).expect("what was written");
    }
}

/// The shard of a log, whose records come in any order.
fn restored(log: &Log, packs: &Arc<Packs>, random: &mut Random) -> Result<Engine, RestoreError> {
    let mut restoration = Restoration::new(HashKey::default());
    let mut records: Vec<_> = log.iter().collect();
    random.shuffle(&mut records);
    for (key, value) in records {
        restoration.take(key, Some(value))?;
    }
    restoration.finish(packs, Arc::new(Geo::default()), settings())
}

/// How a shard lives.
struct Life {
    /// Events of a tick, and ticks from one restart to the next, at most.
    tick: usize,
    restart: usize,
}

/// Feeds a stream to a shard that is restarted and to an engine that is not; gives the shard.
fn compare(what: &str, packs: &Arc<Packs>, stream: &[Vec<u8>], life: &Life, seed: u64) -> Shard {
    let mut alone = Judge::new(Arc::clone(packs), Geo::default());
    let mut never = Shard::new(packs);
    let mut shard = Shard::new(packs);
    let mut random = Random::new(seed);
    let (mut until_tick, mut until_restart) = (1, 2);
    for (number, record) in stream.iter().enumerate() {
        let expected = alone.feed(record).map_err(|fault| fault.message);
        assert_eq!(shard.feed(record), expected, "{what}, record {number}: {}", String::from_utf8_lossy(record));
        assert_eq!(never.feed(record), expected, "{what}, record {number}, without restarts");
        until_tick -= 1;
        if until_tick > 0 {
            continue;
        }
        until_tick = 1 + random.below(life.tick);
        shard.tick();
        never.tick();
        until_restart -= 1;
        if until_restart == 0 {
            until_restart = 1 + random.below(life.restart);
            shard.restart(&mut random);
            assert!(shard.tick().state.is_empty(), "{what}, record {number}: a restart changes nothing");
        }
    }
    shard
}

/// The seeds to run: `KUZET_SEEDS=from..to`, or the first `few`.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("KUZET_SEEDS") else { return 0..few };
    let (from, to) = text.split_once("..").expect("KUZET_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn random_packs_and_streams() {
    for seed in seeds(60) {
        let packs = Judge::of_text(&random_pack(seed)).packs;
        for shape in Shape::ALL {
            let stream = random_stream(seed, 150, shape);
            compare(&format!("seed {seed}, {shape:?}"), &packs, &stream, &Life { tick: 6, restart: 4 }, seed);
        }
    }
}

#[test]
fn the_default_pack() {
    for seed in seeds(8) {
        let stream = default_stream(seed, 600);
        let packs = packs("rules/onevision.toml");
        compare(&format!("default pack, seed {seed}"), &packs, &stream, &Life { tick: 12, restart: 5 }, seed);
    }
}

/// Events of a few busy wallets, so that windows, ids, values and keys outgrow their records, and silences in which they
/// shrink again.
pub fn dense_stream(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    let mut clock = 1_767_300_000_000_i64;
    let mut made: Vec<String> = Vec::new();
    for number in 0..count {
        clock += match random.below(1_000) {
            0 => 30 * 60 * 60 * 1_000,
            1..4 => 3 * 60 * 60 * 1_000,
            4..10 => 40 * 60 * 1_000,
            10..800 => random.time_below(6_000),
            _ => random.time_below(40_000),
        };
        if random.chance(4) && !made.is_empty() {
            let from = made.len().saturating_sub(200);
            made.push(made[from + random.below(made.len() - from)].clone());
            continue;
        }
        let late = if random.chance(12) { random.time_below(12 * 60 * 1_000) } else { 0 };
        let time = kuzet::time::Timestamp(clock - late);
        let kind = match random.below(100) {
            0..60 => "transfer",
            60..85 => "payment",
            85..92 => "login",
            92..97 => "login_failed",
            97..99 => "freed",
            _ => "unbarred",
        };
        // One wallet does half of everything, with amounts that hardly come twice.
        let wallet = random.pick(&[0, 0, 0, 1, 1, 2, 3]);
        let amount = 1 + random.below(if wallet == 0 { 90 } else { 30 });
        let devices = random.pick(&[40, 900]);
        let device = random.below(devices);
        made.push(format!(
            "{{\"id\":\"e{number}\",\"type\":\"{kind}\",\"time\":\"{time}\",\"wallet\":\"w{wallet}\",\"amount\":\"{amount}\",\
             \"counterparty\":\"{}\",\"ip\":\"10.0.0.{}\",\"device\":\"d{device}\",\
             \"attributes\":{{\"place\":\"{}\",\"weight\":{}.{}}}}}",
            if random.chance(20) { format!("w{}", random.below(4)) } else { format!("c{}", random.below(1_500)) },
            random.below(3),
            "p".repeat(1 + random.below(3) * 30),
            random.below(4),
            random.below(1_000),
        ));
    }
    made.into_iter().map(String::into_bytes).collect()
}

#[test]
fn what_outgrows_its_record() {
    for seed in seeds(3) {
        let packs = packs("fixtures/packs/dense.toml");
        let stream = dense_stream(seed, 6_000);
        let life = Life { tick: 50, restart: 6 };
        let shard = compare(&format!("dense pack, seed {seed}"), &packs, &stream, &life, seed);
        let letters: std::collections::BTreeSet<u8> = shard.log.keys().map(|key| key[0]).collect();
        let letters: String = letters.into_iter().map(char::from).collect();
        assert_eq!(letters, "ACDFLMWfim", "every kind of record is there");
    }
}
