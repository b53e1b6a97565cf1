//! Shards beside one another: each sees what others impose and lift, in the order of the topic `restrictions`, and all that
//! have read the same agree.

use super::{Restrictions, Shard, dense_stream, seeds};
use crate::{
    harness::{Judge, packs},
    streams::{Random, Shape, random_pack, random_stream},
};
use kuzet::rules::Packs;
use std::sync::Arc;

const SHARDS: usize = 3;

/// The shard of a record's wallet, which ends in a digit.
fn shard_of(record: &[u8]) -> Option<usize> {
    let value: serde_json::Value = serde_json::from_slice(record).ok()?;
    let last = value["wallet"].as_str()?.bytes().last()?;
    Some(usize::from(last) % SHARDS)
}

fn restrictions(decision: &str) -> serde_json::Value {
    let decision: serde_json::Value = serde_json::from_str(decision).expect("JSON");
    decision["restrictions"].clone()
}

/// Shards of which each has a twin that is restarted now and then; gives them when all have read everything.
fn run(what: &str, packs: &Arc<Packs>, stream: &[Vec<u8>], seed: u64) -> (Vec<[Shard; 2]>, Restrictions) {
    let new = |partition| {
        let partition = i32::try_from(partition).expect("few");
        [Shard::of(partition, packs), Shard::of(partition, packs)]
    };
    let mut shards: Vec<[Shard; 2]> = (0..SHARDS).map(new).collect();
    let mut random = Random::new(seed);
    let mut topic = Restrictions::new();
    for (number, record) in stream.iter().enumerate() {
        let Some(place) = shard_of(record) else { continue };
        let [shard, twin] = &mut shards[place];
        assert_eq!(shard.feed(record), twin.feed(record), "{what}, record {number}");
        for [shard, twin] in &mut shards {
            if !random.chance(25) {
                continue;
            }
            let written = shard.tick();
            assert_eq!(written.restrictions, twin.tick().restrictions, "{what}, record {number}");
            topic.extend(written.restrictions);
            let until = shard.applied + random.below(topic.len() - shard.applied + 1);
            shard.apply(&topic, until);
            twin.apply(&topic, until);
            if random.chance(20) {
                twin.restart(&topic, &mut random);
            }
        }
    }
    // What is settled is freed, which is told, too.
    for _ in 0..4 {
        for shard in shards.iter_mut().flatten().step_by(2) {
            topic.extend(shard.tick().restrictions);
        }
        for shard in shards.iter_mut().flatten() {
            shard.tick();
            shard.apply(&topic, topic.len());
        }
    }
    (shards, topic)
}

/// What stood before an event and applies to it.
fn stood(decision: &str) -> Vec<serde_json::Value> {
    let decision: serde_json::Value = serde_json::from_str(decision).expect("JSON");
    let reasons = decision["reasons"].as_array().cloned().unwrap_or_default();
    reasons.into_iter().filter(|reason| reason.get("restriction").is_some()).collect()
}

/// What stands for a new wallet at each address, in each shard. Not what its own event imposes: what rules remember of an
/// address is the shard's alone.
fn agree(what: &str, (shards, topic): &mut (Vec<[Shard; 2]>, Restrictions), addresses: &[&str], time: &str) {
    let mut random = Random::new(0);
    for (number, address) in addresses.iter().enumerate() {
        for kind in ["login", "transfer", "payment"] {
            let probe = |shard: &mut Shard| {
                // Without what an earlier one has left behind.
                shard.restart(topic, &mut random);
                let event = format!(
                    "{{\"id\":\"probe-{number}-{kind}\",\"type\":\"{kind}\",\"time\":\"{time}\",\"wallet\":\"probe-{number}-{kind}\",\
                     \"ip\":\"{address}\",\"amount\":\"1\",\"counterparty\":\"nobody\"}}"
                );
                stood(&shard.feed(event.as_bytes()).expect("a decision"))
            };
            let mut probed: Vec<Vec<serde_json::Value>> = shards.iter_mut().flatten().map(probe).collect();
            probed.dedup();
            assert!(probed.len() == 1, "{what}, {kind} at {address}: {probed:?}");
        }
    }
}

#[test]
fn random_packs_and_streams() {
    for seed in seeds(40) {
        let packs = Judge::of_text(&random_pack(seed)).packs;
        for shape in [Shape::InOrder, Shape::Shuffled, Shape::Boundary] {
            let stream = random_stream(seed, 200, &shape);
            let what = format!("seed {seed}, {shape:?}");
            let mut shards = run(&what, &packs, &stream, seed);
            let last = stream.iter().rev().find_map(|record| {
                let value: serde_json::Value = serde_json::from_slice(record).ok()?;
                kuzet::time::Timestamp::parse(value["time"].as_str()?).ok()
            });
            let time = last.expect("a record that can be used").to_string();
            agree(&what, &mut shards, &["10.0.0.1", "10.0.0.2", "192.0.2.7", "2001:db8::1"], &time);
        }
    }
}

#[test]
fn busy_wallets() {
    for seed in seeds(2) {
        let mut shards = run("dense pack", &packs("fixtures/packs/dense.toml"), &dense_stream(seed, 2_500), seed);
        agree("dense pack", &mut shards, &["10.0.0.0", "10.0.0.1", "10.0.0.2"], "2026-01-20T00:00:00Z");
        let kinds = |prefix: &str| shards.1.iter().filter(|record| record.key.starts_with(prefix.as_bytes())).count();
        assert!(kinds("wallet:") > 0 && kinds("ip:") > 0 && kinds("all:") > 0, "all kinds were told");
    }
}

/// Events of the dense pack in a row.
fn event(number: usize, kind: &str, wallet: &str, more: &str) -> Vec<u8> {
    format!(
        "{{\"id\":\"n{number}\",\"type\":\"{kind}\",\"time\":\"2026-01-05T10:{:02}:00Z\",\"wallet\":\"{wallet}\",\
         \"amount\":\"5\",\"counterparty\":\"c1\",\"ip\":\"10.0.0.9\"{more}}}",
        number % 60
    )
    .into_bytes()
}

/// One story, told by hand: an address is barred in one shard and freed in another, a wallet is locked in its own.
#[test]
fn what_one_imposes_another_sees_and_lifts() {
    let packs = packs("fixtures/packs/dense.toml");
    let (mut first, mut second) = (Shard::of(0, &packs), Shard::of(1, &packs));
    let mut topic = Restrictions::new();
    let standing = |shard: &mut Shard, record: Vec<u8>| restrictions(&shard.feed(&record).expect("a decision"));
    let exchange = |first: &mut Shard, second: &mut Shard, topic: &mut Restrictions| {
        topic.extend(first.tick().restrictions);
        topic.extend(second.tick().restrictions);
        first.apply(topic, topic.len());
        second.apply(topic, topic.len());
    };
    for number in 0..4 {
        let _ = first.feed(&event(number, "login_failed", "w0", ""));
    }
    assert_eq!(standing(&mut second, event(4, "login", "w1", "")), serde_json::Value::Null, "not yet told");
    exchange(&mut first, &mut second, &mut topic);
    let barred = standing(&mut second, event(5, "login", "w1", ""));
    assert_eq!(barred, serde_json::json!([{"name": "barred"}]));
    assert_eq!(topic.iter().filter(|record| record.key.starts_with(b"ip:")).count(), 1);

    // The second lifts what the first imposed, and both stop it for all payments.
    let _ = second.feed(&event(6, "unbarred", "w1", ""));
    exchange(&mut first, &mut second, &mut topic);
    let stopped = serde_json::json!([{"name": "stopped"}]);
    assert_eq!(standing(&mut first, event(7, "login", "w2", "")), stopped, "and no longer barred");

    // A wallet of the first is locked; whoever pays to it from the second is held.
    let _ = first.feed(&event(8, "transfer", "w4", "").to_vec());
    let mule = String::from_utf8(event(9, "transfer", "w4", "")).expect("UTF-8").replace("\"c1\"", "\"c7\"");
    let _ = first.feed(mule.as_bytes());
    exchange(&mut first, &mut second, &mut topic);
    let to_it = String::from_utf8(event(10, "transfer", "w1", "")).expect("UTF-8").replace("\"c1\"", "\"w4\"");
    let held = second.feed(to_it.as_bytes()).expect("a decision");
    assert!(held.contains("\"restriction\":\"locked\",\"of\":\"counterparty\""), "{held}");
    let _ = first.feed(&event(11, "freed", "w4", ""));
    exchange(&mut first, &mut second, &mut topic);
    let to_it = to_it.replace("n10", "n12");
    let free = second.feed(to_it.as_bytes()).expect("a decision");
    assert!(!free.contains("counterparty\""), "{free}");
}

/// What nobody needs any more is not kept: lifted, told, and come back.
#[test]
fn what_is_settled_is_freed() {
    let packs = packs("fixtures/packs/dense.toml");
    let mut shard = Shard::new(&packs);
    let mut topic = Restrictions::new();
    for number in 0..4 {
        let _ = shard.feed(&event(number, "login_failed", "w0", ""));
    }
    let mut tick = |shard: &mut Shard| {
        topic.extend(shard.tick().restrictions);
        shard.apply(&topic, topic.len());
        topic.iter().filter(|record| record.key.starts_with(b"ip:")).map(|record| record.value.is_some()).collect()
    };
    let written: Vec<bool> = tick(&mut shard);
    assert_eq!(written, [true]);
    assert!(shard.log.keys().any(|key| key[0] == b'A'));
    let _ = shard.feed(&event(5, "unbarred", "w0", ""));
    assert_eq!(tick(&mut shard), [true, true], "lifted");
    assert_eq!(tick(&mut shard), [true, true, false], "and freed");
    assert!(!shard.log.keys().any(|key| key[0] == b'A'));
}
