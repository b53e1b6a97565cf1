//! Cost by the number of wallets, of the first event of each and of the third, by the default pack.
//!
//! All wallets are seen twice, and then once more or as far as a fixed number of events goes. So a wallet remembers as much
//! at each size, and what grows is the cost of a cache that no longer holds them all: at most threefold from the fewest to the
//! most. Few wallets are gone through many times, each time by a new engine, and the median counts.
//! `--most 10000000` goes further than the million that a run without it ends at, and takes some gigabytes.

use super::{
    arguments,
    cost::{Feed, HOUR, START, Step, median},
    packs,
};
use kuzet::rules::Packs;
use std::sync::Arc;

pub fn measure(test: bool) {
    let most = arguments::number("--most", if test { 1_000 } else { 1_000_000 });
    let measured = if test { 500 } else { 500_000 };
    let pack = packs::load("rules/onevision.toml");
    println!("| wallets | first sight, ns | third, ns | to the first line |\n|---|---|---|---|");
    let mut least = None;
    let mut wallets = if test { 100 } else { 10_000 };
    while wallets <= most {
        let rounds = (0..(measured / wallets).max(1)).map(|_| round(&pack, wallets, measured));
        let (first, third): (Vec<f64>, Vec<f64>) = rounds.unzip();
        let (first, third) = (median(first), median(third));
        let ratio = third / *least.get_or_insert(third);
        let over = if ratio > 3.0 { " OVER" } else { "" };
        println!("| {wallets} | {first:.0} | {third:.0} | {ratio:.2}{over} |");
        wallets *= 10;
    }
}

/// What the first events of all wallets cost, and the third ones of as many as are `measured`.
fn round(pack: &Arc<Packs>, wallets: u64, measured: u64) -> (f64, f64) {
    let mut feed = Feed::new(pack);
    let first = feed.run(steps(0, wallets, wallets), |_, _| ()).whole();
    feed.run(steps(wallets, 2 * wallets, wallets), |_, _| ());
    let third = feed.run(steps(2 * wallets, 2 * wallets + measured.min(wallets), wallets), |_, _| ()).whole();
    (first, third)
}

/// All wallets in an order without a pattern, again and again; each pass over them takes an hour of event time.
fn steps(from: u64, to: u64, wallets: u64) -> impl Iterator<Item = Step> {
    (from..to).map(move |number| Step {
        wallet: scattered(number, wallets),
        time: START + i64::try_from(number).expect("few") * HOUR / i64::try_from(wallets).expect("few"),
    })
}

/// A permutation of the wallets for each pass: the step is a prime that divides none of the numbers of wallets in use.
pub fn scattered(number: u64, wallets: u64) -> u64 {
    let (pass, place) = (number / wallets, number % wallets);
    (place * 7_368_787 + pass * 104_729) % wallets
}
