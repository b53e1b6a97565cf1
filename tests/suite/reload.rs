//! Other packs while running: what rules remember stays, what is new says `warming`, restrictions are never lost.

use crate::harness::Judge;
use kuzet::geo::Geo;
use std::sync::Arc;

/// A pack with `body` behind one header.
fn pack(body: &str) -> String {
    format!(
        "name = \"p\"\nversion = \"1\"\ntimezone = \"Asia/Almaty\"\ncurrency = \"KZT\"\n\
         [event.transfer]\nrequires = [\"amount\"]\n[event.login]\nrequires = []\n[event.freed]\nrequires = []\n{body}"
    )
}

fn rule(id: &str, measure: &str, more: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\non = [\"transfer\"]\n{measure}\naction = \"hold\"\n{more}\n")
}

fn event(id: u32, minute: u32) -> String {
    let (hour, minute) = (minute / 60, minute % 60);
    format!(
        "{{\"id\":\"e{id}\",\"type\":\"transfer\",\"time\":\"2026-03-01T{hour:02}:{minute:02}:00Z\",\"wallet\":\"w\",\"amount\":1}}"
    )
}

/// Feeds events at these minutes under the first pack, reloads, feeds the others; gives the actions and flags after.
fn after_reload(first: &str, then: &str, before: &[u32], after: &[u32]) -> Vec<String> {
    let mut judge = Judge::of_text(&pack(first));
    for (id, minute) in (0..).zip(before) {
        judge.feed(event(id, *minute).as_bytes()).expect("a decision");
    }
    judge.reload(&Judge::of_text(&pack(then)).packs).expect("packs that fit");
    (1_000..)
        .zip(after)
        .map(|(id, minute)| {
            let decision = judge.feed(event(id, *minute).as_bytes()).expect("a decision");
            let decision: serde_json::Value = serde_json::from_str(&decision).expect("JSON");
            let measured = decision["reasons"][0]["measured"].as_str().unwrap_or("-");
            format!("{measured}{}", if decision["flags"][0] == "warming" { " warming" } else { "" })
        })
        .collect()
}

const COUNT_1H: &str = "count = { within = \"1h\", over = 1 }";
const COUNT_2H: &str = "count = { within = \"2h\", over = 1 }";

#[test]
fn a_rule_that_stays_keeps_what_it_remembers() {
    let first = rule("a", COUNT_1H, "");
    let other = rule("b", "when = 'amount > 5'", "");
    assert_eq!(after_reload(&first, &(other + &first), &[0, 10, 20], &[30]), ["4"]);
}

#[test]
fn a_rule_with_another_limit_keeps_what_it_remembers() {
    let then = rule("a", "count = { within = \"1h\", over = 2 }", "");
    assert_eq!(after_reload(&rule("a", COUNT_1H, ""), &then, &[0, 10], &[30]), ["3"]);
}

#[test]
fn a_new_rule_warms_until_it_has_seen_its_window() {
    let then = rule("a", COUNT_1H, "");
    let first = rule("z", "when = 'amount > 5'", "");
    assert_eq!(after_reload(&first, &then, &[0, 10], &[20, 69, 70]), ["- warming", "2 warming", "3"]);
}

#[test]
fn a_longer_window_warms_and_a_shorter_one_does_not() {
    let (short, long) = (rule("a", COUNT_1H, ""), rule("a", COUNT_2H, ""));
    assert_eq!(after_reload(&short, &long, &[0, 10], &[20, 129, 130]), ["3 warming", "3 warming", "4"]);
    assert_eq!(after_reload(&long, &short, &[0, 10, 60], &[65]), ["3"]);
}

#[test]
fn a_restriction_that_may_stand_is_not_dropped() {
    let standing = "[restriction.r]\naction = \"hold\"\non = [\"transfer\"]\nlifted_by = [\"freed\"]\n";
    let imposing = rule("a", "", "restrict = \"r\"") + standing;
    let mut judge = Judge::of_text(&pack(&imposing));
    judge.feed(event(0, 0).as_bytes()).expect("a decision");
    let without = rule("b", "when = 'amount > 5'", "");
    let refused = judge.reload(&Judge::of_text(&pack(&without)).packs).expect_err("`r` may stand");
    assert!(refused.message.contains("restriction \"r\" may still stand"), "{refused}");
    let still = judge.feed(event(1, 1).as_bytes()).expect("a decision");
    assert!(still.contains("\"rule\":\"a\""), "the old packs stay in force: {still}");

    let retired = format!("retired = [\"r\"]\n{}", pack(&without));
    let retired = Judge::of_text(&retired).packs;
    judge.reload(&retired).expect("the restriction is retired");
    let held = judge.feed(event(2, 2).as_bytes()).expect("a decision");
    assert!(held.contains("\"restriction\":\"r\"") && held.contains("\"action\":\"hold\""), "{held}");
    assert_eq!(judge.packs.name, retired.name);
}

#[test]
fn a_reload_of_the_same_packs_changes_nothing() {
    let text = std::fs::read_to_string(crate::harness::in_repository("rules/onevision.toml")).expect("the pack");
    for seed in 0..6 {
        let stream = crate::streams::default_stream(seed, 400);
        let mut plain = Judge::of_text(&text);
        let mut reloaded = Judge::of_text(&text);
        for (number, record) in stream.iter().enumerate() {
            if number % 37 == 0 {
                let again = Arc::clone(&Judge::new(Arc::clone(&plain.packs), Geo::default()).packs);
                reloaded.reload(&again).expect("the same packs");
            }
            assert_eq!(plain.feed(record).ok(), reloaded.feed(record).ok(), "seed {seed}, record {number}");
        }
    }
}
