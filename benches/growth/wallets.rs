//! Cost by the number of wallets, from the first sight of each to a steady state, by the default pack.
//!
//! Every wallet is seen once; then a fixed number of events falls on all of them alike. What grows is the cost of a
//! cache that no longer holds them: at most threefold from the fewest to the most. `--most 10000000` goes further than
//! the million that a run without it ends at, and takes some gigabytes.

use super::{
    arguments,
    cost::{Feed, HOUR, START, Step},
    packs,
};

pub fn measure(test: bool) {
    let most = arguments::number("--most", if test { 1_000 } else { 1_000_000 });
    let steady = if test { 500 } else { 500_000 };
    let pack = packs::load("rules/onevision.toml");
    println!("| wallets | first sight, ns | steady, ns | to the first line |\n|---|---|---|---|");
    let mut least = None;
    let mut wallets = if test { 100 } else { 10_000 };
    while wallets <= most {
        let mut feed = Feed::new(&pack);
        let first = feed.run(steps(0, wallets, wallets), |_, _| ()).whole();
        let steady = feed.run(steps(wallets, wallets + steady, wallets), |_, _| ()).whole();
        let ratio = steady / *least.get_or_insert(steady);
        let over = if ratio > 3.0 { " OVER" } else { "" };
        println!("| {wallets} | {first:.0} | {steady:.0} | {ratio:.2}{over} |");
        wallets *= 10;
    }
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
