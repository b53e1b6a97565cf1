//! Cost by one wallet's events: a million an hour beside quiet wallets, for every measure.
//!
//! Quiet is a thousand wallets with ten events an hour each, hour after hour: few enough that their records stay in the
//! cache, which makes it the harder yardstick. The hot wallet has as many events, all in a bit over one hour; then again
//! with each of them arriving up to 299 s after it happened.

use super::{
    arguments,
    cost::{Cost, Feed, HEAD, HOUR, START, Step, median, pack, transfers},
};
use kuzet::random::Random;

/// Every measure, calendar windows too.
const MEASURES: [(&str, &str); 11] = [
    ("count", r#"count = { within = "1h", over = 1000000000 }"#),
    ("sum", r#"sum = { of = "amount", within = "1h", over = 1000000000000 }"#),
    ("distinct", r#"distinct = { of = "counterparty", within = "1h", over = 1000000000 }"#),
    ("change", r#"change = { of = "country", within = "1h" }"#),
    ("streak", r#"streak = { reset = ["login"], within = "1h", from = 1048576 }"#),
    ("new", r#"new = { of = "counterparty", within = "1h" }"#),
    ("idle", r#"idle = { since = ["transfer"], over = "12 months" }"#),
    ("after", r#"after = { of = ["transfer"], within = "1h" }"#),
    ("count of a day", r#"count = { within = "calendar day", over = 1000000000 }"#),
    ("sum of a day", r#"sum = { of = "amount", within = "calendar day", over = 1000000000000 }"#),
    ("distinct of a day", r#"distinct = { of = "counterparty", within = "calendar day", over = 1000000000 }"#),
];

/// Most that an event of the hot wallet may cost, in costs of a quiet wallet's.
const BOUND: f64 = 1.5;
const BOUND_SHUFFLED: f64 = 3.0;
const MOST_LATE_MS: u64 = 299_000;

pub fn measure(test: bool) {
    let events = arguments::number("--events", if test { 2_000 } else { 1_000_000 });
    let rounds = arguments::number("--rounds", if test { 1 } else { 3 });
    println!("{events} events; ns an event, bytes to bytes (and without decoding)");
    println!("| measure | quiet | hot | ratio | hot, shuffled | ratio |\n|---|---|---|---|---|---|");
    for (name, measure) in MEASURES {
        let text = format!("{HEAD}[[rule]]\nid = \"it\"\non = [\"transfer\"]\n{measure}\n");
        let mut costs: [Vec<Cost>; 3] = Default::default();
        for _ in 0..rounds {
            costs[0].push(run(&text, quiet(events)));
            costs[1].push(run(&text, hot(events)));
            costs[2].push(run(&text, shuffled(events)));
        }
        let [quiet, hot, shuffled] = costs.map(|costs| {
            let whole = median(costs.iter().map(Cost::whole).collect());
            (whole, median(costs.iter().map(Cost::deciding).collect()))
        });
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            cell(quiet),
            cell(hot),
            ratio(hot, quiet, BOUND),
            cell(shuffled),
            ratio(shuffled, quiet, BOUND_SHUFFLED),
        );
    }
}

fn cell((whole, deciding): (f64, f64)) -> String {
    format!("{whole:.0} ({deciding:.0})")
}

fn ratio(ours: (f64, f64), quiet: (f64, f64), bound: f64) -> String {
    let over = if ours.0 / quiet.0 > bound { " OVER" } else { "" };
    format!("{:.2} ({:.2}){over}", ours.0 / quiet.0, ours.1 / quiet.1)
}

fn run(text: &str, steps: impl Iterator<Item = Step>) -> Cost {
    Feed::new(&pack(text)).run(steps, transfers)
}

fn quiet(events: u64) -> impl Iterator<Item = Step> {
    (0..events).map(|number| Step { wallet: number % 1_000, time: START + signed(number) * HOUR / 10_000 })
}

fn hot(events: u64) -> impl Iterator<Item = Step> {
    (0..events).map(|number| Step { wallet: 0, time: START + signed(number) * HOUR / 1_000_000 })
}

fn shuffled(events: u64) -> impl Iterator<Item = Step> {
    let mut random = Random::new(11);
    let mut steps: Vec<(i64, Step)> =
        hot(events).map(|step| (step.time + signed(random.below(MOST_LATE_MS)), step)).collect();
    steps.sort_by_key(|(arrival, _)| *arrival);
    steps.into_iter().map(|(_, step)| step)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("streams are shorter")
}
