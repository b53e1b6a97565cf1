//! Records that are not what was written: each is an error, never a panic, never another state.

use super::{Log, Shard, mixed_stream, restored, settings, wallets};
use crate::{harness::packs, streams::Random};
use kuzet::{
    engine::{Restoration, RestoreError},
    hash::HashKey,
    state::record::{RecordError, Records, Sealer, TickRecord, VERSION, key::Key},
};
use std::sync::Arc;

fn log() -> Log {
    let packs = packs("fixtures/packs/dense.toml");
    let mut shard = Shard::new(&packs);
    for record in mixed_stream(2, 1_200) {
        drop(shard.feed(&record));
    }
    shard.tick();
    let own = wallets(&shard.log).filter(|(_, flags, _)| flags & 8 != 0).count();
    assert!(own > 20, "{own} wallets have their memories in their own record");
    shard.log
}

/// The first records of each kind, the shortest of them.
fn samples(log: &Log) -> Vec<(&Vec<u8>, &Vec<u8>)> {
    let mut samples: Vec<_> = log.iter().collect();
    samples.sort_by_key(|(key, value)| (key[0], value.len()));
    let mut seen = std::collections::BTreeMap::new();
    samples.retain(|(key, _)| {
        let count = seen.entry((key[0], key.len())).or_insert(0);
        *count += 1;
        *count <= 2
    });
    samples
}

fn take(key: &[u8], value: &[u8]) -> Result<(), RecordError> {
    Restoration::new(HashKey::default()).take(key, Some(value))
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    for (key, value) in samples(&log()) {
        take(key, value).expect("what was written");
        for end in 0..value.len() {
            assert!(take(key, &value[..end]).is_err(), "{key:?} cut at {end}");
        }
        for end in 0..key.len() {
            assert!(take(&key[..end], value).is_err(), "{key:?}: the key cut at {end}");
        }
        for bit in 0..(8 * value.len()).min(20_000) {
            let mut other = value.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(take(key, &other).is_err(), "{key:?} with bit {bit} of the value flipped");
        }
        for bit in 0..8 * key.len() {
            let mut other = key.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(take(&other, value).is_err(), "{key:?} with bit {bit} of the key flipped");
        }
    }
}

#[test]
fn another_version_is_refused() {
    for (key, value) in &log() {
        let mut other = value.clone();
        other[0] = VERSION + 1;
        let error = take(key, &other).expect_err("another version");
        assert!(matches!(error, RecordError::Version { found, .. } if found == VERSION + 1), "{error}");
    }
}

#[test]
fn another_hash_key_is_refused() {
    let log = log();
    let (key, value) = log.iter().next().expect("a record");
    let error = Restoration::new(HashKey(1, 2)).take(key, Some(value)).expect_err("another key");
    assert!(error.to_string().contains("another hash key"), "{error}");
}

/// Whoever has the hash key may seal anything; what is not a state is refused all the same, and nothing panics.
#[test]
fn sealed_nonsense_is_refused_or_a_state() {
    let (log, packs) = (log(), packs("fixtures/packs/dense.toml"));
    let sealer = Sealer(HashKey::default());
    let mut random = Random::new(3);
    let mut refused = 0;
    let samples: Vec<(Vec<u8>, Vec<u8>)> = samples(&log).into_iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    const ROUNDS: usize = 400;
    for _ in 0..ROUNDS {
        let (key, value) = &samples[random.below(samples.len())];
        let (name, part) = Key::read(key).expect("a key");
        if part > 0 || value[9] != 1 {
            continue;
        }
        let mut body = value[10..].to_vec();
        for _ in 0..1 + random.below(3) {
            let at = random.below(body.len() + 1);
            match (random.below(4), body.get_mut(at)) {
                (0, _) => body.truncate(at),
                (1, _) | (_, None) => body.insert(at, 0xff),
                (2, Some(byte)) => *byte ^= 1 << random.below(8),
                (_, Some(byte)) => *byte = u8::try_from(random.below(256)).expect("a byte"),
            }
        }
        let mut forged = Records::default();
        sealer.write(name, &body, &mut forged);
        let mut log = log.clone();
        for (key, value) in forged.iter() {
            log.insert(key.to_vec(), value.expect("no tombstone").to_vec());
        }
        let Ok(engine) = restored(&log, &packs, &mut random) else {
            refused += 1;
            continue;
        };
        // It says something else, and something that can be.
        let mut shard = Shard { engine, ..Shard::new(&packs) };
        for record in mixed_stream(2, 1_400).split_off(1_600) {
            drop(shard.feed(&record));
        }
        shard.tick();
    }
    assert!(refused > ROUNDS / 4, "{refused} of {ROUNDS} were refused");
}

#[test]
fn a_tick_comes_back() {
    let tick = TickRecord { next: 1 << 40, incarnation: u64::MAX, tick: 7, positions: vec![0, 12, 1 << 50] };
    let record = tick.record(HashKey::default());
    let mut restoration = Restoration::new(HashKey::default());
    restoration.take(&record.key, record.value.as_deref()).expect("a tick");
    assert_eq!(restoration.tick(), Some(&tick));
    let packs = packs("rules/onevision.toml");
    restoration.finish(&packs, Arc::default(), settings(0)).expect("a shard that has decided nothing yet");
    let mut gone = Restoration::new(HashKey::default());
    gone.take(&record.key, record.value.as_deref()).and_then(|()| gone.take(&record.key, None)).expect("a tombstone");
    assert_eq!(gone.tick(), None);
}

/// A long body goes in parts; none may be missing, and none of another time.
#[test]
fn parts_belong_together() {
    let sealer = Sealer(HashKey::default());
    let packs = packs("rules/onevision.toml");
    let parts = |byte: u8, length: usize| {
        let mut out = Records::default();
        sealer.write(Key::Dictionary, &vec![byte; length], &mut out);
        let owned = |(key, value): (&[u8], Option<&[u8]>)| (key.to_vec(), value.expect("no tombstone").to_vec());
        out.iter().map(owned).collect::<Vec<_>>()
    };
    let (one, other) = (parts(1, 40_000), parts(2, 40_000));
    assert_eq!((one.len(), parts(1, 0).len()), (3, 1));
    for (missing, replaced) in [(Some(0), None), (Some(1), None), (Some(2), None), (None, Some(1)), (None, Some(2))] {
        let mut restoration = Restoration::new(HashKey::default());
        for (number, record) in one.iter().enumerate().filter(|(number, _)| Some(*number) != missing) {
            let (key, value) = if replaced == Some(number) { &other[number] } else { record };
            restoration.take(key, Some(value)).expect("sealed");
        }
        let error = restoration.finish(&packs, Arc::default(), settings(0)).expect_err("not one body");
        let text = error.to_string();
        assert!(matches!(error, RestoreError::Records(_)) && !text.contains("span"), "{text}");
    }
}
