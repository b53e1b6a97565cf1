//! Thousands of worlds by seed: the machine, a model of Kafka, a toy engine, and every fault that they must stand.
//!
//! `KUZET_SEEDS=from..to cargo test --lib sidecar::simulation` replays or widens; a failure prints that line and the last
//! of its trace; `KUZET_TRACE=file` writes all of it. It proves the machine under this model of Kafka, not librdkafka.

mod broker;
mod flaw;
mod group;
mod judge;
mod log;
mod process;
mod random;
mod toy;
mod world;

use super::Delivery;
use flaw::Flaw;
use std::{collections::BTreeMap, ops::Range};
use world::{Case, World};

/// Seeds that the machine must survive in every run of the tests.
const SEEDS: u64 = 1_500;
/// Seeds within which each flaw must show.
const FLAW_SEEDS: u64 = 1_000;

fn seeds(few: u64) -> Range<u64> {
    let Ok(text) = std::env::var("KUZET_SEEDS") else { return 0..few };
    let (from, to) = text.split_once("..").expect("KUZET_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

fn case(seed: u64) -> Case {
    Case { seed, delivery: Delivery::ExactlyOnce, flaw: None, bump_each: false, loses_markers: false, traced: false }
}

fn run(case: Case) -> (World, Result<(), String>) {
    let mut world = World::new(case);
    world.run();
    let verdict = judge::judge(&mut world);
    (world, verdict)
}

/// Fails with all that replaying takes.
fn must_hold(case: Case) -> World {
    let (world, verdict) = run(case);
    let Err(why) = verdict else { return world };
    let (traced, _) = run(Case { traced: true, ..case });
    if let Ok(path) = std::env::var("KUZET_TRACE") {
        std::fs::write(path, traced.trace.join("\n")).expect("the trace is written");
    }
    let last = traced.trace.len().saturating_sub(50);
    panic!(
        "{}\n\n{why}\nKUZET_SEEDS={}..{} cargo test --lib sidecar::simulation   # {case:?}",
        traced.trace[last..].join("\n"),
        case.seed,
        case.seed + 1
    );
}

/// What the default seeds must have met at least this often, or they prove less than they claim.
const MET: u64 = 10;
const FAULTS: [&str; 21] = [
    "kill while Polling",
    "kill while Gathering",
    "kill while Sending",
    "kill while SendingOffsets",
    "kill while Committing",
    "kill while GatheringAhead",
    "kill while DecidingAhead",
    "dropped ahead",
    "dropped sealed ahead",
    "kill while Resolving",
    "kill while Restoring",
    "pause past the session",
    "broker restart",
    "request lost",
    "answer lost",
    "request held",
    "call timed out",
    "error made up",
    "lost",
    "revoked",
    "drained",
];

#[test]
fn every_input_is_decided_exactly_once() {
    let mut tally: BTreeMap<String, u64> = BTreeMap::new();
    let range = seeds(SEEDS);
    for seed in range.clone() {
        let world = must_hold(case(seed));
        world.tally.into_iter().for_each(|(what, times)| *tally.entry(what).or_default() += times);
    }
    println!("{range:?}: {tally:#?}");
    if range == (0..SEEDS) {
        let unmet: Vec<_> = FAULTS.iter().filter(|fault| tally.get(**fault).is_none_or(|times| *times < MET)).collect();
        assert!(unmet.is_empty(), "hardly ever met: {unmet:?}");
    }
}

#[test]
fn without_transactions_no_input_is_lost() {
    for seed in seeds(SEEDS / 4) {
        must_hold(Case { delivery: Delivery::AtLeastOnce, ..case(seed) });
    }
}

/// A broker that loses the ends of transactions (KAFKA-20734) may stop a partition; nothing is doubled, lost or swapped before.
#[test]
fn a_broker_that_loses_markers_doubles_nothing() {
    let mut lost = 0;
    for seed in seeds(SEEDS / 3) {
        let world = must_hold(Case { loses_markers: true, ..case(seed) });
        lost += world.broker.lost;
    }
    assert!(lost >= MET || std::env::var_os("KUZET_SEEDS").is_some(), "markers were lost {lost} times");
}

#[test]
fn a_seed_is_a_world() {
    for seed in 0..20 {
        let traced = || run(Case { traced: true, ..case(seed) }).0.trace;
        assert!(traced() == traced(), "seed {seed} is not the same twice");
    }
}

/// The first seed that shows a flaw, and what it shows.
fn first_sign(flaw: Flaw, bump_each: bool) -> Option<(u64, String)> {
    (0..FLAW_SEEDS).find_map(|seed| {
        // Only there it makes a difference.
        let loses_markers = flaw == Flaw::NotSettled;
        let (_, verdict) = run(Case { flaw: Some(flaw), bump_each, loses_markers, ..case(seed) });
        verdict.err().map(|why| (seed, why))
    })
}

#[test]
fn every_flaw_is_found() {
    let signs = Flaw::ALL.map(|flaw| (flaw, first_sign(flaw, false)));
    for (flaw, sign) in &signs {
        println!("{flaw:?}: {sign:?}");
    }
    let missed: Vec<_> = signs.iter().filter(|(_, sign)| sign.is_none()).map(|(flaw, _)| flaw).collect();
    assert!(missed.is_empty(), "no seed below {FLAW_SEEDS} shows {missed:?}");
}

/// The control of the KAFKA-17754 defence: where the epoch rises with each transaction, nothing needs defending.
#[test]
fn with_kip_890_a_producer_may_be_reused() {
    assert_eq!(first_sign(Flaw::ProducerReused, true), None);
}
