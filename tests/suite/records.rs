//! The state as records: an engine that is put together from them decides as the one that never stopped.
//!
//! A shard exports after every few events into a map that keeps the newest value of each key, as a compacted topic does;
//! now and then it is thrown away and restored. All decisions must be those of an engine that was left alone. A failure
//! prints the seed: `KUZET_SEEDS=17..18 cargo test --test suite records`.

mod hostile;
mod shards;

use crate::{
    harness::{Judge, in_repository, packs},
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
    state::record::{StateRecord, VERSION},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

type Log = BTreeMap<Vec<u8>, Vec<u8>>;

/// The topic `restrictions`: an offset is a place.
type Restrictions = Vec<StateRecord>;

/// A shard with its compacted topic.
struct Shard {
    packs: Arc<Packs>,
    engine: Engine,
    log: Log,
    partition: i32,
    /// How much of the topic `restrictions` the shard has been told.
    applied: usize,
    decoder: Decoder,
    decision: Decision,
    changes: Changes,
    /// Bytes and records that were exported, and the letters of their keys.
    written: (usize, usize),
    letters: BTreeSet<u8>,
}

fn settings(partition: i32) -> Settings {
    Settings { partition: Some(partition), ..Settings::default() }
}

impl Shard {
    fn new(packs: &Arc<Packs>) -> Shard {
        Shard::of(0, packs)
    }

    fn of(partition: i32, packs: &Arc<Packs>) -> Shard {
        Shard {
            partition,
            applied: 0,
            packs: Arc::clone(packs),
            engine: Engine::new(Arc::clone(packs), Arc::default(), settings(partition)),
            log: Log::new(),
            decoder: Decoder::default(),
            decision: Decision::default(),
            changes: Changes::default(),
            written: (0, 0),
            letters: BTreeSet::new(),
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
        let mut keys = BTreeSet::new();
        for (key, value) in exported.state.iter() {
            assert!(keys.insert(key), "a record is written once");
            let length = key.len() + value.map_or(0, <[u8]>::len);
            assert!(length <= kuzet::limits::STATE_RECORD_BYTES, "{length} bytes");
            self.letters.insert(key[0]);
            self.written = (self.written.0 + length, self.written.1 + 1);
            match value {
                Some(value) => drop(self.log.insert(key.to_vec(), value.to_vec())),
                None => drop(self.log.remove(key)),
            }
        }
        exported
    }

    /// Is told of the topic up to that offset.
    fn apply(&mut self, topic: &Restrictions, until: usize) {
        for (offset, record) in topic.iter().enumerate().take(until).skip(self.applied) {
            let offset = i64::try_from(offset).expect("a place");
            self.engine.apply_restriction(record, offset).expect("what was written");
        }
        self.applied = self.applied.max(until);
    }

    /// The same shard in another process, which finds the topic `restrictions` compacted.
    fn restart(&mut self, topic: &Restrictions, random: &mut Random) {
        self.engine = restored_as(self.partition, &self.log, &self.packs, random).expect("what was written");
        let mut newest: BTreeMap<&Vec<u8>, usize> = BTreeMap::new();
        newest.extend(topic.iter().take(self.applied).enumerate().map(|(offset, record)| (&record.key, offset)));
        let mut offsets: Vec<usize> = newest.into_values().collect();
        offsets.sort_unstable();
        for offset in offsets {
            let record = &topic[offset];
            let offset = i64::try_from(offset).expect("a place");
            self.engine.apply_restriction(record, offset).expect("what was written");
        }
    }
}

/// The shard of a log, whose records come in any order.
fn restored(log: &Log, packs: &Arc<Packs>, random: &mut Random) -> Result<Engine, RestoreError> {
    restored_as(0, log, packs, random)
}

fn restored_as(partition: i32, log: &Log, packs: &Arc<Packs>, random: &mut Random) -> Result<Engine, RestoreError> {
    let mut restoration = Restoration::new(HashKey::default());
    let mut records: Vec<_> = log.iter().collect();
    random.shuffle(&mut records);
    for (key, value) in records {
        restoration.take(key, Some(value))?;
    }
    restoration.finish(packs, Arc::new(Geo::default()), settings(partition))
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
    let mut topic = Restrictions::new();
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
        let written = shard.tick();
        assert_eq!(written.restrictions, never.tick().restrictions, "{what}, record {number}");
        topic.extend(written.restrictions);
        // What a shard wrote itself comes back to it later.
        let until = shard.applied + random.below(topic.len() - shard.applied + 1);
        shard.apply(&topic, until);
        never.apply(&topic, until);
        until_restart -= 1;
        if until_restart == 0 {
            until_restart = 1 + random.below(life.restart);
            shard.restart(&topic, &mut random);
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
        let letters: String = shard.letters.iter().copied().map(char::from).collect();
        assert_eq!(letters, "ACDFLMWfim", "every kind of record was written");
    }
}

/// Packs that change while a shard lives, and while it does not: both are the same.
#[test]
fn packs_that_change() {
    let text = std::fs::read_to_string(in_repository("fixtures/packs/dense.toml")).expect("the pack");
    let without = |id: &str| {
        let rules = text.split("[[rule]]").filter(|rule| !rule.contains(&format!("\"{id}\"")));
        rules.collect::<Vec<_>>().join("[[rule]]")
    };
    let renamed = text.replace("[restriction.stopped]", "[restriction.halted]");
    let longer = text.replace("within = \"1h\", over = 40", "within = \"90m\", over = 40");
    let versions = [
        text.clone(),
        without("count-long"),
        longer,
        without("count-equal"),
        without("into-one"),
        without("streak"),
        renamed,
    ];
    // A restriction that was retired once is retired by all packs to come, or declared again.
    let of = |(number, text): (usize, &String)| {
        let retired = if number == 6 { "stopped" } else { "halted" };
        Judge::of_text(&format!("retired = [\"{retired}\"]\n{text}")).packs
    };
    let versions: Vec<Arc<Packs>> = versions.iter().enumerate().map(of).collect();
    for seed in seeds(3) {
        let mut random = Random::new(seed);
        let mut shards = [Shard::new(&versions[0]), Shard::new(&versions[0])];
        for (number, record) in dense_stream(seed, 4_000).iter().enumerate() {
            let [live, restarted] = &mut shards;
            assert_eq!(restarted.feed(record), live.feed(record), "seed {seed}, record {number}");
            if number % 40 == 7 {
                restarted.tick();
            }
            if number % 200 == 7 {
                let packs = &versions[random.below(versions.len())];
                live.reload(packs);
                if random.chance(30) {
                    restarted.reload(packs);
                    restarted.tick();
                    restarted.restart(&Restrictions::new(), &mut random);
                } else {
                    restarted.packs = Arc::clone(packs);
                    restarted.restart(&Restrictions::new(), &mut random);
                    restarted.packs = Arc::clone(restarted.engine.packs());
                }
            }
        }
    }
}

/// The comparison must notice a record that was lost, if the state were put together without it.
#[test]
fn a_lost_record_is_noticed() {
    let packs = packs("fixtures/packs/dense.toml");
    let stream = dense_stream(1, 2_500);
    let (before, after) = stream.split_at(1_500);
    let mut shard = Shard::new(&packs);
    for record in before {
        drop(shard.feed(record));
    }
    shard.tick();
    let mut random = Random::new(1);
    for key in shard.log.keys() {
        let mut log = shard.log.clone();
        log.remove(key);
        let error = restored(&log, &packs, &mut random).expect_err("a record is missing");
        assert!(matches!(error, RestoreError::Records(_)), "{error}");
    }
    // Without transactions a wallet may be of an earlier tick; then decisions differ.
    let wallets: Vec<Vec<u8>> = shard.log.keys().filter(|key| key[0] == b'W').cloned().collect();
    let decisions = |engine: Engine| {
        let mut other = Shard { engine, ..Shard::new(&packs) };
        after.iter().map(|record| other.feed(record)).collect::<Vec<_>>()
    };
    let whole = decisions(restored(&shard.log, &packs, &mut random).expect("all of it"));
    for wallet in wallets.iter().filter(|wallet| shard.log[*wallet].len() > 200) {
        let mut restoration = Restoration::new(HashKey::default()).torn();
        for (key, value) in &shard.log {
            // What a wallet has besides its own record goes with it.
            if key.get(1..17) != wallet.get(1..17) || key[0] == b'A' {
                restoration.take(key, Some(value)).expect("what was written");
            }
        }
        let lacking = restoration.finish(&packs, Arc::default(), settings(0)).expect("one wallet less");
        assert!(decisions(lacking) != whole, "decisions are the same without wallet {wallet:?}");
    }
}

/// A shard that is put together and has decided nothing has nothing to write.
#[test]
fn a_restart_changes_nothing() {
    let packs = packs("fixtures/packs/dense.toml");
    let mut shard = Shard::new(&packs);
    let mut random = Random::new(4);
    for (number, record) in dense_stream(4, 2_000).iter().enumerate() {
        drop(shard.feed(record));
        if number % 100 == 0 {
            shard.tick();
            shard.restart(&Restrictions::new(), &mut random);
            let written = shard.tick();
            assert!(written.state.is_empty() && written.restrictions.is_empty(), "record {number}: {written:?}");
        }
    }
}

/// What a wallet of the default pack costs in the topic: ten events a day for a month, exported after each.
#[test]
fn a_quiet_wallet_is_small() {
    let packs = packs("rules/onevision.toml");
    let mut shard = Shard::new(&packs);
    let mut random = Random::new(5);
    let (mut clock, mut writes) = (1_767_300_000_000_i64, 0);
    for number in 0..300 {
        clock += random.time_below(2 * 144 * 60 * 1_000);
        let (time, amount) = (kuzet::time::Timestamp(clock), 1_000 + random.below(40_000));
        let event = match random.below(10) {
            0..3 => format!(
                "{{\"id\":\"e{number}\",\"type\":\"login\",\"time\":\"{time}\",\"wallet\":\"77010000001\",\"country\":\"KZ\"}}"
            ),
            _ => format!(
                "{{\"id\":\"e{number}\",\"type\":\"transfer\",\"time\":\"{time}\",\"wallet\":\"77010000001\",\"country\":\"KZ\",\
                 \"amount\":\"{amount}\",\"counterparty\":\"77010000{:03}\",\"client_status\":\"identified\"}}",
                random.below(40)
            ),
        };
        shard.feed(event.as_bytes()).expect("a decision");
        let exported = shard.tick();
        let wallet = exported.state.iter().filter(|(key, _)| key[0] == b'W');
        writes += wallet.map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len)).sum::<usize>();
    }
    let bytes = writes / 300;
    println!("{bytes} bytes a wallet with its key");
    assert!(bytes < 250, "{bytes} bytes");
}

/// A wallet that makes twenty thousand events an hour writes about what a quiet one does for each of them.
#[test]
fn a_busy_wallet_writes_what_has_changed() {
    let packs = packs("rules/onevision.toml");
    let mut shard = Shard::new(&packs);
    let mut random = Random::new(6);
    let mut early = 0;
    for number in 0..20_000 {
        let time = kuzet::time::Timestamp(1_767_300_000_000 + number * 180);
        let event = format!(
            "{{\"id\":\"e{number}\",\"type\":\"transfer\",\"time\":\"{time}\",\"wallet\":\"77010000001\",\"country\":\"KZ\",\
             \"amount\":\"{}\",\"counterparty\":\"7702\",\"client_status\":\"identified\"}}",
            1 + random.below(30)
        );
        shard.feed(event.as_bytes()).expect("a decision");
        shard.tick();
        if number == 9_999 {
            early = shard.written.0;
        }
    }
    let (first, second) = (early / 10_000, (shard.written.0 - early) / 10_000);
    println!("{first} bytes an event, then {second}");
    assert!(second < 4_000 && second < first + first / 4, "{first} bytes an event, then {second}");
}

/// Busy wallets, whose memories are records of their own, and among them quiet ones, each with all in its own record; one does
/// the same again and again, so that its memories are few, and long.
fn mixed_stream(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    let mut stream = Vec::new();
    for (number, record) in dense_stream(seed, count).into_iter().enumerate() {
        let text = String::from_utf8(record.clone()).expect("a text").replace("\"id\":\"e", "\"id\":\"q");
        let (head, rest) = text.split_once("\"wallet\":\"").expect("it has one");
        let (_, rest) = rest.split_once('"').expect("it ends");
        if number % 9 == 0 {
            let same = "\"amount\":\"5\",\"counterparty\":\"c\",\"ip\":\"10.0.0.1\",\"device\":\"d\"";
            stream.push(format!("{head}\"wallet\":\"same\",{same}}}").into_bytes());
        } else if number % 3 == 0 {
            stream.push(format!("{head}\"wallet\":\"quiet{}\"{rest}", random.below(60)).into_bytes());
        }
        stream.push(record);
    }
    stream
}

/// What any version wrote stays readable: a shard that version 1 or 2 wrote decides as it would have gone on, and what it
/// writes then, beside what it has left alone, is read by the next.
#[test]
fn every_version_stays_readable() {
    let packs = packs("fixtures/packs/dense.toml");
    let stream = mixed_stream(9, 1_300);
    let (before, after) = stream.split_at(1_500);
    for version in 1..=VERSION {
        let path = in_repository(&format!("fixtures/state/version-{version}.txt"));
        let mut shard = Shard::new(&packs);
        for record in before {
            drop(shard.feed(record));
        }
        shard.tick();
        if version == VERSION && std::env::var_os("KUZET_WRITE_FIXTURES").is_some() {
            std::fs::write(&path, as_hex(&shard.log)).expect("a fixture");
        }
        let log = of_hex(&std::fs::read_to_string(&path).expect("the fixture"));
        let wallets: Vec<(u8, u8, bool)> = wallets(&log).collect();
        assert!(wallets.iter().all(|(wrote, ..)| *wrote == version), "{wallets:?}");
        let of =
            |flags: u8, long: bool| wallets.iter().filter(|wallet| (wallet.1 & 12, wallet.2) == (flags, long)).count();
        let own = if version == 1 { 0 } else { 8 };
        let kinds = [of(own, false), of(own, true), of(4, true) + of(4, false)];
        assert!(kinds[0] > 20 && kinds[1] > 0 && kinds[2] > 2, "own records, some long, many: {kinds:?}");
        let mut random = Random::new(1);
        let engine = restored(&log, &packs, &mut random).expect("a version that was written");
        let mut other = Shard { engine, log, ..Shard::new(&packs) };
        for (number, record) in after.iter().enumerate() {
            assert_eq!(other.feed(record), shard.feed(record), "{}", String::from_utf8_lossy(record));
            if number % 10 == 9 {
                other.tick();
                other.engine = restored(&other.log, &packs, &mut random).expect("versions side by side");
            }
            if number == 49 {
                let versions: BTreeSet<u8> = self::wallets(&other.log).map(|(wrote, ..)| wrote).collect();
                assert_eq!(versions, BTreeSet::from([version, VERSION]), "some wallets are left alone");
            }
        }
    }
}

/// Of each wallet's own record its version, its flags, and whether a memory of it is in pieces.
fn wallets(log: &Log) -> impl Iterator<Item = (u8, u8, bool)> {
    let own = log.iter().filter(|(key, _)| key[0] == b'W' && key.len() == 17);
    own.map(|(key, value)| {
        // Behind the version, the seal, one part, a time and a status stand the flags.
        let time = value[10..].iter().position(|byte| *byte < 0x80).expect("a time ends");
        let in_pieces = log.keys().any(|piece| piece[0] == b'm' && piece[1..17] == key[1..17]);
        (value[0], value[10 + time + 2], in_pieces)
    })
}

fn as_hex(log: &Log) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    log.iter().map(|(key, value)| format!("{} {}\n", hex(key), hex(value))).collect()
}

fn of_hex(text: &str) -> Log {
    let bytes = |hex: &str| -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
        pairs.map(byte).collect()
    };
    let lines = text.lines().map(|line| line.split_once(' ').expect("a key and a value"));
    lines.map(|(key, value)| (bytes(key), bytes(value))).collect()
}
