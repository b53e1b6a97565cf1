//! Cost by the number of rules: it must grow with those that match an event, not with all.
//!
//! Three packs of each size, with measures of all kinds in turn: rules on types that the stream does not have, rules
//! whose condition fails, and rules of which a tenth match every event and keep a window each, which is the work that
//! was asked for, while the conditions of the others fail.

use super::{
    arguments,
    cost::{Feed, HEAD, HOUR, START, Step, median, pack, transfers},
};
use std::fmt::Write;

/// Measures of which none is ever over its limit, but for a country's change.
const MEASURES: [&str; 8] = [
    r#"count = { within = "1h", over = 1000000000 }"#,
    r#"sum = { of = "amount", within = "24h", over = 1000000000000 }"#,
    r#"distinct = { of = "counterparty", within = "2h", over = 1000000000 }"#,
    r#"change = { of = "device", within = "2h" }"#,
    r#"streak = { reset = ["login"], within = "24h", from = 1048576 }"#,
    r#"new = { of = "device", within = "30d" }"#,
    r#"idle = { since = ["transfer"], over = "12 months" }"#,
    r#"sum = { of = "amount", within = "calendar day", over = 1000000000000 }"#,
];

/// What keeps a pack's rules from firing, and from more than that.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reach {
    Elsewhere,
    ConditionFails,
    TenthMatches,
}

fn rules(count: usize, reach: Reach) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("elsewhere.requires = [\"amount\"]\n");
    for number in 0..count {
        let on = if reach == Reach::Elsewhere { "elsewhere" } else { "transfer" };
        // Every rule has a condition of its own, so that none shares a window with another.
        let fails = reach == Reach::ConditionFails || reach == Reach::TenthMatches && number % 10 > 0;
        let least = if fails { 1_000_000_000 + number } else { 0 };
        let when = format!("amount > {least}.{:02} && amount != {number}.07", number % 50);
        let measure = MEASURES[number / 10 % MEASURES.len()];
        writeln!(
            text,
            "[[rule]]\nid = \"r{number}\"\non = [\"{on}\"]\nwhen = '{when}'\n{measure}\naction = \"monitor\""
        )
        .expect("a String takes every text");
    }
    text
}

pub fn measure(test: bool) {
    let events = arguments::number("--events", if test { 200 } else { 100_000 });
    let rounds = if test { 1 } else { 3 };
    let sizes: &[usize] = if test { &[10, 100] } else { &[10, 100, 1_000] };
    let kinds = [Reach::Elsewhere, Reach::ConditionFails, Reach::TenthMatches];
    println!("| rules | on other types | condition fails | a tenth of them match |\n|---|---|---|---|");
    println!("| 0 | {:.0} ns | | |", cost(&rules(0, Reach::Elsewhere), events));
    for size in sizes {
        let costs = kinds.map(|kind| {
            let text = rules(*size, kind);
            median((0..rounds).map(|_| cost(&text, events)).collect())
        });
        let [elsewhere, fails, matches] = costs;
        println!("| {size} | {elsewhere:.0} ns | {fails:.0} ns | {matches:.0} ns |");
    }
}

/// In ns an event, once each of 1,000 wallets has been seen.
fn cost(text: &str, events: u64) -> f64 {
    let mut feed = Feed::new(&pack(text));
    let steps = |from: u64, to: u64| {
        (from..to).map(|number| Step {
            wallet: number % 1_000,
            time: START + i64::try_from(number).expect("few") * HOUR / 20_000,
        })
    };
    feed.run(steps(0, events / 5), transfers);
    feed.run(steps(events / 5, events), transfers).whole()
}
