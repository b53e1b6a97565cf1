//! What `generate` plants is what the engine finds: every pattern fires at the event that the truth file names, no
//! near miss fires, nothing of the everyday traffic is flagged, and every bad record is rejected.

use crate::harness::Judge;
use kuzet::generate::{Options, generate};
use kuzet::time::Timestamp;
use std::collections::{HashMap, HashSet};

struct Run {
    /// Rules and restrictions that are a decision's reasons, by event id.
    reasons: HashMap<String, HashSet<String>>,
    rejected: HashSet<u64>,
    truth: Vec<serde_json::Value>,
}

fn run(pack: &str, seed: u64) -> Run {
    let start = Timestamp::parse("2026-03-01T00:00:00+05:00").expect("a time");
    let options = Options { seed, events: 30_000, wallets: 300, start, days: 40, patterns: 2, bad: 150 };
    let (mut events, mut truth) = (Vec::new(), Vec::new());
    generate(&options, &mut events, Some(&mut truth)).expect("written to memory");
    let mut judge = Judge::of(pack);
    let (mut reasons, mut rejected) = (HashMap::new(), HashSet::new());
    for (line, record) in (1..).zip(events.strip_suffix(b"\n").expect("a last line end").split(|byte| *byte == b'\n')) {
        let Ok(decision) = judge.feed(record) else {
            rejected.insert(line);
            continue;
        };
        let decision: serde_json::Value = serde_json::from_str(&decision).expect("JSON");
        let names = decision["reasons"].as_array().into_iter().flatten().map(name_of);
        let id = decision["event"].as_str().expect("a text").to_owned();
        reasons.entry(id).or_insert_with(HashSet::new).extend(names);
    }
    let truth = String::from_utf8(truth).expect("UTF-8");
    let truth = truth.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    Run { reasons, rejected, truth }
}

/// What a reason or a line of the truth is about: a rule and a restriction may bear the same name.
fn name_of(line: &serde_json::Value) -> String {
    let text = |key: &str| line.get(key).and_then(serde_json::Value::as_str);
    text("rule").map_or_else(|| format!("restriction {}", text("restriction").expect("one of them")), rule_name)
}

fn rule_name(id: &str) -> String {
    format!("rule {id}")
}

fn check(pack: &str, seed: u64) {
    let Run { reasons, rejected, truth } = run(pack, seed);
    let known = names_in(pack);
    let mut bad = HashSet::new();
    for line in &truth {
        if line.get("bad").is_some() {
            bad.insert(line["line"].as_u64().expect("a line"));
            continue;
        }
        let name = name_of(line);
        if !known.contains(&name) {
            continue;
        }
        let has = |event: &serde_json::Value| reasons[event.as_str().expect("an id")].contains(&name);
        let events = line["events"].as_array().expect("events");
        if line.get("near_miss").is_some() {
            assert!(!events.iter().any(has), "a near miss fires: {line}");
            continue;
        }
        let before = events.iter().take_while(|event| **event != line["fires"]);
        assert!(!before.into_iter().any(has), "fires too early: {line}");
        assert!(has(&line["fires"]), "does not fire: {line}");
        assert!(line.get("clear").is_none_or(|clear| !has(clear)), "still stands: {line}");
    }
    assert_eq!(rejected, bad, "records that were rejected, and records that must be");
    let everyday: Vec<_> = reasons.iter().filter(|(id, reasons)| id.starts_with("e-") && !reasons.is_empty()).collect();
    assert!(everyday.is_empty(), "everyday traffic is flagged: {everyday:?}");
}

/// Rules and restrictions of a pack and of what it uses.
fn names_in(pack: &str) -> HashSet<String> {
    let packs = crate::harness::packs(pack);
    let rules = packs.rules.iter().map(|rule| rule_name(&rule.id));
    rules.chain(packs.restrictions.iter().map(|restriction| format!("restriction {}", restriction.name))).collect()
}

#[test]
fn the_default_pack_finds_what_was_planted() {
    for seed in 1..4 {
        check("rules/onevision.toml", seed);
    }
}

#[test]
fn the_typologies_find_what_was_planted() {
    for seed in 1..4 {
        check("rules/typologies.toml", seed);
    }
}
