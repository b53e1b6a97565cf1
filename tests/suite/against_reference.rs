//! The engine against the naive reference: the same bytes for every record of random streams under random packs.
//!
//! The reference keeps whole histories and rescans them; it was written from the specification alone and shares no
//! code with the engine. A difference prints the pack, the seed and the first record that differs, which is all
//! that replaying it takes: `KUZET_SEEDS=17..18 cargo test --test suite against_reference`.

use crate::{
    harness::Judge,
    reference::{Mutation, Outcome, Reference},
    streams::{Shape, crowded_pack, default_stream, orders_of_small_sets, random_pack, random_stream},
};

/// The seeds to run: `KUZET_SEEDS=from..to`, or the first `few`.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("KUZET_SEEDS") else { return 0..few };
    let (from, to) = text.split_once("..").expect("KUZET_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

/// Feeds a stream to both and stops at the first record on which they differ.
fn compare(what: &str, pack: &str, stream: &[Vec<u8>]) {
    let mut judge = Judge::of_text(pack);
    let name = judge.packs.name.clone();
    compare_with(what, pack, &mut judge, Reference::new(&[pack], &name), stream);
}

fn compare_with(what: &str, pack: &str, judge: &mut Judge, mut reference: Reference, stream: &[Vec<u8>]) {
    for (number, record) in stream.iter().enumerate() {
        let record_text = String::from_utf8_lossy(record);
        let context = || {
            let before: Vec<_> = stream[..number].iter().map(|record| String::from_utf8_lossy(record)).collect();
            format!("{what}, record {number}: {record_text}\npack:\n{pack}\nbefore:\n{}", before.join("\n"))
        };
        match (judge.feed(record), reference.feed(record)) {
            (Ok(decision), Outcome::Decision(expected)) => {
                assert!(decision == expected, "engine    {decision}\nreference {expected}\n{}", context());
            }
            (Err(_), Outcome::Reject { .. }) => {}
            (engine, expected) => panic!("engine    {engine:?}\nreference {expected:?}\n{}", context()),
        }
    }
}

#[test]
fn random_packs_and_streams() {
    for seed in seeds(300) {
        let pack = random_pack(seed);
        for shape in Shape::ALL {
            compare(&format!("seed {seed}, {shape:?}"), &pack, &random_stream(seed, 200, shape));
        }
    }
}

/// So many conditions that they are found by an index.
#[test]
fn random_packs_of_many_rules() {
    for seed in seeds(25) {
        let pack = crowded_pack(seed);
        for shape in Shape::ALL {
            compare(&format!("many rules, seed {seed}, {shape:?}"), &pack, &random_stream(seed, 120, shape));
        }
    }
}

#[test]
fn all_orders_of_small_sets() {
    for set in orders_of_small_sets() {
        for order in &set.orders {
            compare(set.name, &set.pack, order);
        }
    }
}

#[test]
fn the_default_pack() {
    let text = std::fs::read_to_string(crate::harness::in_repository("rules/onevision.toml")).expect("the pack");
    for seed in seeds(20) {
        compare(&format!("default pack, seed {seed}"), &text, &default_stream(seed, 600));
    }
}

/// A test that cannot fail proves nothing: each deliberate mistake in the reference must show.
#[test]
fn every_mutation_of_the_reference_is_caught() {
    let mut uncaught = Mutation::ALL.to_vec();
    for seed in 0..200 {
        let pack = random_pack(seed);
        for shape in Shape::ALL {
            let stream = random_stream(seed, 150, shape);
            let mut judge = Judge::of_text(&pack);
            let decided: Vec<Option<String>> = stream.iter().map(|record| judge.feed(record).ok()).collect();
            uncaught.retain(|mutation| {
                let mut mutated = Reference::new(&[&pack], &judge.packs.name).with_mutation(*mutation);
                let same = |(record, engine): (&Vec<u8>, &Option<String>)| match (mutated.feed(record), engine) {
                    (Outcome::Decision(other), Some(engine)) => other == *engine,
                    (Outcome::Reject { .. }, None) => true,
                    _ => false,
                };
                stream.iter().zip(&decided).all(same)
            });
        }
        if uncaught.is_empty() {
            return;
        }
    }
    panic!("no stream notices these mistakes: {uncaught:?}");
}
