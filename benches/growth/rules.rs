//! Cost by the number of rules: it must grow with those whose condition holds for an event, not with all.
//!
//! Packs of each size with measures and conditions of all kinds in turn: rules on types that the stream does not have; rules
//! whose condition fails; the same with ten among them that match every event and keep a window each, which must cost the
//! same whatever the size; and with a tenth of them that do, which is the work that was asked for.

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
    TenMatch,
    TenthMatches,
}

const REACHES: [(Reach, &str); 4] = [
    (Reach::Elsewhere, "on other types"),
    (Reach::ConditionFails, "condition fails"),
    (Reach::TenMatch, "ten of them match"),
    (Reach::TenthMatches, "a tenth of them match"),
];

impl Reach {
    fn matches(self, number: usize, count: usize) -> bool {
        match self {
            Reach::Elsewhere | Reach::ConditionFails => false,
            Reach::TenMatch => number.is_multiple_of(count / 10),
            Reach::TenthMatches => number.is_multiple_of(10),
        }
    }
}

/// A condition that no transfer bears out. Every rule has one of its own, so that none shares a window with another.
fn failing(number: usize) -> String {
    let far = 1_000_000_000 + number;
    match number % 8 {
        0 => format!("amount > {far}.{:02}", number % 50),
        1 => format!(r#"device == "none-{number}""#),
        2 => format!(r#"counterparty in ["none-{number}", "nobody-{number}"]"#),
        3 => format!("amount >= {far} && amount < {far} + 1"),
        4 => format!(r#"ip.startsWith("192.168.{}.") && amount > {number}"#, number % 256),
        5 => format!("attributes.risk > 0.{number}"),
        6 => format!(r#"country == "AQ" && amount > {number}"#),
        _ => format!("counterparty in lists.nobody && amount > {number}"),
    }
}

/// One that every transfer bears out, but for an amount or two.
fn matching(number: usize) -> String {
    match number % 3 {
        0 => format!("amount > 0.00 && amount != {number}.07"),
        1 => format!(r#"has(device) && device != "none-{number}""#),
        _ => format!(r#"ip.startsWith("10.") && counterparty != "none-{number}""#),
    }
}

fn rules(count: usize, reach: Reach) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("elsewhere.requires = [\"amount\"]\n[lists]\nnobody = [\"none\", \"nobody\"]\n");
    let on = if reach == Reach::Elsewhere { "elsewhere" } else { "transfer" };
    let mut matched = 0;
    for number in 0..count {
        let (when, measure) = if reach.matches(number, count) {
            matched += 1;
            (matching(number), MEASURES[(matched - 1) % MEASURES.len()])
        } else {
            (failing(number), MEASURES[number / 8 % MEASURES.len()])
        };
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
    let sizes: &[usize] = if test { &[10, 100] } else { &[10, 100, 1_000, 10_000] };
    let only = arguments::value("--only");
    let headings = REACHES.map(|(_, heading)| heading);
    println!("| rules | {} |\n|---|---|---|---|---|", headings.join(" | "));
    println!("| 0 | {:.0} ns | | | |", cost(&rules(0, Reach::Elsewhere), events));
    for size in sizes {
        let cells = REACHES.map(|(reach, heading)| {
            // A thousand windows of each of a thousand wallets are another measurement.
            if reach == Reach::TenthMatches && *size > 1_000 || only.as_ref().is_some_and(|only| only != heading) {
                return String::new();
            }
            let text = rules(*size, reach);
            format!("{:.0} ns", median((0..rounds).map(|_| cost(&text, events)).collect()))
        });
        println!("| {size} | {} |", cells.join(" | "));
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
