//! `replay --sweep`, judged by one plain replay for each value with a pack that says it.

use crate::{
    cli::{kuzet, path},
    harness::in_repository,
};
use serde_json::{Value, json};
use std::fs;

fn json_of(arguments: &[&str], input: &[u8]) -> Value {
    let ran = kuzet(&[&["replay", "--json"], arguments].concat(), input);
    assert_eq!(ran.code, 0, "{}", ran.talk);
    serde_json::from_str(&ran.out).expect("one JSON object")
}

/// A pack whose rules neither restrict nor are all alike: `spread` may refuse, which `spent` counts by.
const PACK: &str = r#"
name = "swept"
version = "1"
uses = ["onevision.toml"]
[[rule]]
id = "spread"
on = ["transfer"]
count = { per = ["wallet"], within = "1d", over = 3 }
action = "ACTION"
score = 250
[[rule]]
id = "spent"
on = ["transfer", "payment"]
sum = { of = "amount", per = ["wallet"], within = "2d", over = 20000 }
counts = "accepted"
action = "monitor"
[[rule]]
id = "some"
on = ["payment"]
when = "amount > 4000"
action = "captcha"
"#;

/// Each value of the sweep comes to what a replay of the pack with that value does.
fn check(action: &str, sweep: &str, written: &str, values: &[&str], input: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let events = folder.path().join("events.ndjson");
    fs::write(&events, input).expect("a file");
    let pack = folder.path().join("swept.toml");
    let text = PACK.replace("ACTION", action);
    fs::write(&pack, &text).expect("a pack");
    let (rule, _) = sweep.split_once('.').expect("a rule and its key");
    for (file, threads) in [(path(&events), "1"), (path(&events), "2"), ("-", "1")] {
        let flags = [file, "--rules", path(&pack), "--sweep", sweep, "--threads", threads];
        let found = json_of(&flags, input.as_bytes());
        let points = found["sweeps"][0]["points"].as_array().expect("points");
        assert_eq!(points.iter().map(|point| &point["value"]).collect::<Vec<_>>(), values, "{sweep}");
        for point in points {
            let value = point["value"].as_str().expect("a value");
            let other = folder.path().join("other.toml");
            let (before, now) = written.split_once('#').expect("a place for the value");
            let old = text.split(before).nth(1).expect("it is written").split(now).next().expect("it ends");
            fs::write(&other, text.replacen(&format!("{before}{old}{now}"), &format!("{before}{value}{now}"), 1))
                .expect("a pack");
            let plain = json_of(&[path(&events), "--rules", path(&other)], b"");
            let rules = plain["rules"].as_array().expect("rules").iter();
            let hits = rules.clone().find(|entry| entry["rule"] == rule).expect("the rule");
            assert_eq!(point["hits"], hits["hits"], "{action} {sweep} {value} {file}");
            assert_eq!(point["actions"], plain["actions"], "{action} {sweep} {value} {file}");
            assert_eq!(point["decided"], plain["decided"], "{action} {sweep} {value} {file}");
            assert_eq!(point["current"], old == value, "{sweep} {value}");
        }
        assert_ne!(points[0]["hits"], points[points.len() - 1]["hits"], "{sweep}: {points:?}");
    }
}

fn history() -> String {
    kuzet(&["generate", "--events", "4000", "--wallets", "60", "--seed", "3"], b"").out
}

#[test]
fn values_that_go_together_are_single_replays() {
    let input = history();
    for action in ["monitor", "pin"] {
        check(action, "spread.over=1..4", "within = \"1d\", over = # }", &["1", "2", "3", "4"], &input);
    }
    check("hold", "some.limit=1000..9000:4000", "amount > #\"", &["1000", "5000", "9000"], &input);
    check("hold", "spread.within=12h,1d", "within = \"#\", over = 3", &["12h", "1d"], &input);
}

/// `refuse` changes what is accepted, and a score that blocks does: such values get an engine each.
#[test]
fn values_that_change_what_is_accepted_are_single_replays() {
    let input = history();
    check("refuse", "spread.over=2,4", "within = \"1d\", over = # }", &["2", "4"], &input);
    check("monitor", "spent.over=10000,30000", "within = \"2d\", over = # }", &["10000", "30000"], &input);
}

/// The same out of order, and with records that say other things of events that were there, some of which are rejected.
/// There are no repeats, of which a sweep counts none.
fn disorderly_history() -> String {
    let history = history();
    let lines: Vec<&str> = history.lines().collect();
    let mut mixed = String::new();
    for (number, some) in lines.chunks(6).enumerate() {
        let other = lines[number * 6 - number.min(30)].replacen("\"amount\":\"", "\"amount\":\"1", 1);
        let other = (number % 10 == 9 && other.contains("\"amount\":\"")).then_some(other.as_str());
        for line in some.iter().rev().copied().chain(other) {
            mixed.push_str(line);
            mixed.push('\n');
        }
    }
    mixed
}

/// Each value stops the wallets that it hits, on all threads and in a part of the data; with a support desk, until that lifts it.
#[test]
fn a_rule_that_restricts_stops_wallets_for_each_value_by_itself() {
    let input = disorderly_history();
    let folder = tempfile::tempdir().expect("a folder");
    let events = folder.path().join("events.ndjson");
    fs::write(&events, &input).expect("a file");
    let text = fs::read_to_string(in_repository("rules/onevision.toml")).expect("the pack");
    let text = text.replace("'amount > 100000'", "'amount > 20000'");
    let [pack, other] = ["pack.toml", "other.toml"].map(|name| folder.path().join(name));
    fs::write(&pack, &text).expect("a pack");
    let part = input.lines().nth(2_000).and_then(|line| line.split("\"time\":\"").nth(1)).expect("a time");
    let part = part.split('"').next().expect("it ends");
    for beside in [&[][..], &["--lift-after", "2h"], &["--from", part], &["--from", part, "--warm-up", "6h"]] {
        for (rule, before, values) in [
            ("large-transfer.limit", "'amount > #'", ["5000", "100000", "20000"]),
            ("daily-pin.over", "over = \"# MCI\"", ["1", "20", "100"]),
            // From a score of 900 on, an operation is blocked, which `daily-pin` heeds.
            ("large-transfer.score", "score    = #\n", ["1000", "50", "300"]),
        ] {
            let (name, _) = rule.split_once('.').expect("a rule and its key");
            let (start, written) = text.split_once(&format!("id       = \"{name}\"")).expect("the rule");
            for threads in ["1", "2"] {
                let sweep = format!("{rule}={}", values.join(","));
                let flags = [path(&events), "--rules", path(&pack), "--sweep", &sweep, "--threads", threads];
                let found = json_of(&[&flags[..], beside].concat(), b"");
                let points = found["sweeps"][0]["points"].as_array().expect("points");
                for (value, point) in values.iter().zip(points) {
                    let (old, new) = (before.replace('#', values[2]), before.replace('#', value));
                    assert!(written.contains(&old), "{old}");
                    let changed = written.replacen(&old, &new, 1);
                    fs::write(&other, format!("{start}id = \"{name}\"{changed}")).expect("a pack");
                    let plain = json_of(&[&[path(&events), "--rules", path(&other)], beside].concat(), b"");
                    let hits =
                        plain["rules"].as_array().and_then(|rules| rules.iter().find(|entry| entry["rule"] == name));
                    let told = format!("{rule} {value} {beside:?} on {threads}");
                    assert_eq!(point["actions"], plain["actions"], "{told}");
                    assert_eq!(point["hits"], hits.expect("the rule")["hits"], "{told}");
                    assert_eq!(point["current"], *value == values[2], "{told}");
                }
                assert_ne!(points[0]["actions"], points[2]["actions"], "{rule} {beside:?}");
                assert_eq!(points[2]["actions"], found["actions"], "{rule} {beside:?}");
            }
        }
    }
}

fn payment(id: usize, amount: &str, fraud: bool) -> String {
    format!(
        r#"{{"id":"e-{id}","type":"payment","time":"2026-03-0{id}T08:00:00Z","wallet":"w-{id}","amount":"{amount}","attributes":{{"fraud":{fraud}}}}}"#
    ) + "\n"
}

#[test]
fn the_table_has_curves_and_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = folder.path().join("swept.toml");
    fs::write(&pack, PACK.replace("ACTION", "hold")).expect("a pack");
    let input =
        payment(1, "5000", true) + &payment(2, "4500", false) + &payment(3, "3000", true) + &payment(4, "10", false);
    let sweep = ["--sweep", "some.limit=2000,4000,5000"];
    let arguments =
        [&["replay", "-", "--rules", path(&pack), "--label-field", "attributes.fraud"], &sweep[..]].concat();
    let ran = kuzet(&arguments, input.as_bytes());
    let told = ran.out.split("\nsweep of some.limit\n").nth(1).unwrap_or_else(|| panic!("{} {}", ran.out, ran.talk));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "  value       hits  a day  wallets  money hit  over allow  fraud  legitimate  precision   recall     F1  money caught                      hits",
            "  2000           3    1.0        3  12,500.00           3      2           1     66.7 %  100.0 %  0.800      8,000.00  ████████████████████████",
            "  4000 (now)     2    0.7        2   9,500.00           2      1           1     50.0 %   50.0 %  0.500      5,000.00  ████████████████",
            "  5000           0    0.0        0       0.00           0      0           0          -    0.0 %  0.000          0.00",
        ]
    );
    let found = json_of(&[&arguments[1..]].concat(), input.as_bytes());
    assert_eq!(found["sweeps"][0]["points"][1]["rule"]["precision"], json!(0.5));
}

#[test]
fn wrong_sweeps_are_told() {
    for (sweep, expected) in [
        ("x", "error: --sweep: \"x\" is not RULE.KEY=VALUES"),
        ("large-transfer.limit=1..10,5..2", "error: --sweep: the range 5..2 is empty"),
    ] {
        let ran = kuzet(&["replay", "-", "--sweep", sweep], b"");
        assert!(ran.code == 2 && ran.talk.starts_with(expected), "{}", ran.talk);
    }
    let many = ["--sweep", "equal-transfers.over=1..600", "--sweep", "equal-transfers.score=1..600"];
    let ran = kuzet(&[&["replay", "-"], &many[..]].concat(), b"");
    assert!(ran.code == 2 && ran.talk.contains("1200 values in all; at most 1000"), "{}", ran.talk);
}
