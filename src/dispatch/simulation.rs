//! Worlds by seed around the machine: two processes that share partitions, crashes, lost partitions, transactions whose end nobody
//! knows, receivers that fail for hours; judged by what the decisions asked for.
//!
//! `KUZET_SEEDS=from..to cargo test --lib dispatch::simulation` replays or widens. Three planted flaws must show.

mod world;

use std::ops::Range;
use world::{Flaw, World};

/// Seeds that the machine must survive in every run of the tests.
const SEEDS: u64 = 400;
/// Seeds within which each flaw must show.
const FLAW_SEEDS: u64 = 100;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("KUZET_SEEDS") else { return 0..SEEDS };
    let (from, to) = text.split_once("..").expect("KUZET_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn nothing_is_missed_and_one_id_has_one_body() {
    let mut met = [0_u64; world::MET.len()];
    let seeds = seeds();
    let many = seeds.end - seeds.start >= SEEDS;
    for seed in seeds {
        let mut world = World::new(seed, None);
        world.run();
        if let Err(why) = world.judge() {
            panic!("{why}\nKUZET_SEEDS={seed}..{} cargo test --lib dispatch::simulation", seed + 1);
        }
        for (met, of) in met.iter_mut().zip(world.met()) {
            *met += of;
        }
    }
    println!("{:?}", world::MET.iter().zip(met).collect::<Vec<_>>());
    assert!(!many || met.iter().all(|met| *met >= 50), "each of these was met: {:?} {met:?}", world::MET);
}

#[test]
fn planted_flaws_show() {
    for flaw in [Flaw::CommitsWithoutSaving, Flaw::NobodyIsFenced, Flaw::SendsWhatIsNotSealed] {
        let shows = (0..FLAW_SEEDS).any(|seed| {
            let mut world = World::new(seed, Some(flaw));
            world.run();
            world.judge().is_err()
        });
        assert!(shows, "{flaw:?} shows in none of {FLAW_SEEDS} worlds");
    }
}
