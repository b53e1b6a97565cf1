//! `replay --compare`, judged by two plain replays whose decisions are held against each other line by line.

use crate::cli::{kuzet, path};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// A folder with a generated history in it.
fn history() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let events = folder.path().join("events.ndjson");
    let ran = kuzet(&["generate", "--events", "6000", "--patterns", "2", "--seed", "7", "--out", path(&events)], b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    (folder, events)
}

fn decisions(events: &str, packs: &str, more: &[&str]) -> Vec<Value> {
    let arguments = [&["replay", events, "--rules", packs, "--out", "-", "--emit", "all"], more].concat();
    let ran = kuzet(&arguments, b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    ran.out.lines().map(|line| serde_json::from_str(line).expect("a decision")).collect()
}

fn compared(events: &str, arguments: &[&str]) -> Value {
    let ran = kuzet(&[&["replay", events, "--json"], arguments].concat(), b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    serde_json::from_str::<Value>(&ran.out).expect("one JSON object")["compare"].take()
}

const ACTIONS: [&str; 7] = ["allow", "monitor", "captcha", "pin", "hold", "refuse", "block"];

fn severity(decision: &Value) -> usize {
    ACTIONS.iter().position(|action| decision["action"] == **action).expect("an action")
}

fn named(decision: &Value, key: &str) -> BTreeSet<String> {
    let reasons = decision["reasons"].as_array().cloned().unwrap_or_default();
    reasons.iter().filter_map(|reason| Some(reason[key].as_str()?.to_owned())).collect()
}

/// The figures of a comparison, by hand: change, `rule` or `restriction`, and the number of decisions.
/// When the restrictions that stood on it end.
fn ends(decision: &Value) -> BTreeSet<String> {
    let reasons = decision["reasons"].as_array().into_iter().flatten();
    reasons
        .filter(|reason| reason["restriction"].is_string())
        .map(|reason| format!("{} {}", reason["restriction"], reason["until"]))
        .collect()
}

fn by_hand(before: &[Value], after: &[Value]) -> BTreeMap<(&'static str, &'static str), u64> {
    let mut found = BTreeMap::new();
    let after: BTreeMap<String, &Value> = after.iter().map(|decision| (key(decision), decision)).collect();
    for old in before {
        let Some(new) = after.get(&key(old)) else { continue };
        let change = match (severity(old), severity(new)) {
            (old_action, new_action) if old_action == new_action => {
                let same = ["rule", "restriction"].iter().all(|what| named(old, what) == named(new, what));
                if same && old["score"] == new["score"] && ends(old) == ends(new) {
                    continue;
                }
                "reasons"
            }
            (0, _) => "appears",
            (_, 0) => "vanishes",
            (old_action, new_action) if old_action < new_action => "harsher",
            _ => "milder",
        };
        let through = if named(old, "rule") == named(new, "rule") { "by_restriction" } else { "by_rule" };
        *found.entry((change, through)).or_default() += 1;
    }
    found
}

fn key(decision: &Value) -> String {
    format!("{} {}", decision["wallet"], decision["event"])
}

/// Stricter and laxer, with a rule of its own that restricts.
const OTHER: &str = r#"
name = "other"
version = "1"
uses = ["onevision.toml"]
[[rule]]
id = "any-payment"
on = ["payment"]
when = "amount > 3000"
action = "hold"
restrict = "suspicious"
[[rule]]
id = "any-failure"
on = ["login_failed", "transfer"]
when = "type == 'login_failed' || amount > 90000"
action = "refuse"
"#;

#[test]
fn changes_are_those_of_two_replays() {
    let (folder, events) = history();
    let events = path(&events);
    let other = folder.path().join("other.toml");
    fs::write(&other, OTHER).expect("a pack");
    let mut kinds = BTreeSet::new();
    for (before, after, more) in [
        ("rules/onevision.toml", path(&other), &[][..]),
        (path(&other), "rules/onevision.toml", &[]),
        ("rules/onevision.toml", path(&other), &["--lift-after", "2h"]),
        // Another set of event types: each side reads records on its own.
        ("rules/onevision.toml", "rules/ogo.toml", &[]),
        ("rules/ogo.toml", "rules/onevision.toml", &[]),
    ] {
        let sides = [before, after].map(|packs| decisions(events, packs, more));
        let expected = by_hand(&sides[0], &sides[1]);
        let ids = sides.each_ref().map(|side| side.iter().map(key).collect::<BTreeSet<_>>());
        let only = [ids[0].difference(&ids[1]).count(), ids[1].difference(&ids[0]).count()];
        let mut seen = Vec::new();
        for threads in ["1", "2"] {
            let flags = ["--rules", before, "--compare", after, "--threads", threads];
            let found = compared(events, &[&flags, more].concat());
            for change in ["appears", "vanishes", "harsher", "milder", "reasons"] {
                for through in ["by_rule", "by_restriction"] {
                    let count = expected.get(&(change, through)).copied().unwrap_or(0);
                    assert_eq!(
                        found["changes"][change][through]["decisions"], count,
                        "{before} {after} {change} {through}"
                    );
                    if count > 0 {
                        kinds.insert((change, through));
                    }
                }
            }
            assert_eq!([&found["only_before"], &found["only_after"]], [&json!(only[0]), &json!(only[1])]);
            assert_eq!(found["changed"], !expected.is_empty() || only != [0, 0]);
            seen.push(found);
        }
        assert_eq!(seen[0], seen[1], "threads change nothing");
    }
    assert!(kinds.len() >= 5, "the history shows many kinds of change: {kinds:?}");
}

fn transfer(id: &str, time: &str, amount: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"transfer","time":"2026-03-01T{time}Z","wallet":"77010000001","counterparty":"77010000002","amount":"{amount}"}}"#
    ) + "\n"
}

/// Three operations: one that the lower limit catches, one that it holds, and one later.
fn three() -> String {
    transfer("e-1", "08:00:00", "60000") + &transfer("e-2", "09:59:59.999", "10") + &transfer("e-3", "10:00:00", "10")
}

fn lower_limit(folder: &tempfile::TempDir) -> PathBuf {
    let text = fs::read_to_string(crate::harness::in_repository("rules/onevision.toml")).expect("the pack");
    let lower = text.replace("when     = 'amount > 100000'", "when     = 'amount > 50000'");
    let examples = lower.find("[[rule.example]]").expect("examples");
    assert!(lower != text && examples > 0, "the limit is lower");
    let path = folder.path().join("lower.toml");
    fs::write(&path, lower).expect("a pack");
    path
}

#[test]
fn what_changes_is_told_with_money_and_wallets() {
    let folder = tempfile::tempdir().expect("a folder");
    let lower = lower_limit(&folder);
    let ran = kuzet(&["replay", "-", "--compare", path(&lower), "--fail-on-change"], three().as_bytes());
    assert_eq!((ran.code, ran.talk.as_str()), (3, ""));
    let told = ran.out.split("\nchanged decisions\n").nth(1).unwrap_or_else(|| panic!("{}", ran.out));
    assert_eq!(
        told,
        "           through             decisions  wallets      money
  appears  a rule                      1        1  60,000.00
  appears  only a restriction          2        1      20.00

actions that change
  before  after  decisions
  allow   hold           3

rules behind the changes
  rule                      hits before  after  gained  lost  appear  vanish  harsher  milder      money
  large-transfer (7.15(1))            0      1       1     0       1       0        0       0  60,000.00

examples of what changes
  2026-03-01 13:00:00  77010000001 transfer e-1 of 60000.00: allow → hold: large-transfer (7.15(1))
  2026-03-01 14:59:59  77010000001 transfer e-2 of 10.00: allow → hold: suspicious (7.13) stands since 13:00:00 by large-transfer (event e-1); monitoring (7.14) stands since 13:00:00 by large-transfer (event e-1)
  2026-03-01 15:00:00  77010000001 transfer e-3 of 10.00: allow → hold: suspicious (7.13) stands since 13:00:00 by large-transfer (event e-1); monitoring (7.14) stands since 13:00:00 by large-transfer (event e-1)
"
    );
}

#[test]
fn support_lifts_what_rules_impose() {
    let folder = tempfile::tempdir().expect("a folder");
    let lower = lower_limit(&folder);
    let arguments = ["replay", "-", "--rules", path(&lower), "--lift-after", "2h", "--out", "-", "--emit", "all"];
    let ran = kuzet(&arguments, three().as_bytes());
    let actions: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["action"].take()).collect();
    assert_eq!(actions, ["hold", "hold", "allow"], "{}", ran.out);

    // The same as signals that stand in the history itself, at the same times.
    let signal = |id: &str, kind: &str| {
        format!(r#"{{"id":"{id}","type":"{kind}","time":"2026-03-01T10:00:00Z","wallet":"77010000001"}}"#) + "\n"
    };
    let lines = three();
    let (first, last) = lines.split_at(lines.find(r#"{"id":"e-3""#).expect("the third"));
    let signals = signal("support-1", "contact_confirmed") + &signal("support-2", "monitoring_pin_confirmed");
    let with_signals = format!("{first}{signals}{last}");
    let other =
        kuzet(&["replay", "-", "--rules", path(&lower), "--out", "-", "--emit", "all"], with_signals.as_bytes());
    let operations: Vec<&str> = other.out.lines().filter(|line| !line.contains("support-")).collect();
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), operations);
}

/// A restriction that lasts longer changes decisions, though nothing happens between its two ends.
#[test]
fn a_longer_restriction_is_a_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let [short, long] = ["1h", "60d"].map(|lasts| {
        let file = folder.path().join(format!("{lasts}.toml"));
        let text = format!(
            "name = \"p\"\nversion = \"1\"\ntimezone = \"Asia/Almaty\"\ncurrency = \"KZT\"\n[event.transfer]\nrequires = [\"amount\"]\n\
             [restriction.held]\naction = \"hold\"\non = [\"transfer\"]\nlasts = \"{lasts}\"\n\
             [[rule]]\nid = \"large\"\non = [\"transfer\"]\nwhen = \"amount > 500\"\naction = \"hold\"\nrestrict = \"held\"\n"
        );
        fs::write(&file, text).expect("a file");
        file
    });
    let events = transfer("1", "08:00:00", "900") + &transfer("2", "08:10:00", "10");
    let arguments = ["replay", "-", "--rules", path(&short), "--compare", path(&long), "--fail-on-change", "--json"];
    let ran = kuzet(&arguments, events.as_bytes());
    let summary: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.code, &summary["compare"]["changed"]), (3, &json!(true)), "{}", ran.talk);
}

#[test]
fn nothing_changes_between_equal_packs() {
    let arguments = ["replay", "-", "--compare", "rules/onevision.toml", "--fail-on-change", "--json"];
    let ran = kuzet(&arguments, three().as_bytes());
    let summary: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.code, &summary["compare"]["changed"]), (0, &json!(false)));
    let ran = kuzet(&["replay", "-", "--compare", "rules/onevision.toml"], three().as_bytes());
    assert!(ran.out.ends_with("\nno decision changes\n"), "{}", ran.out);
}

#[test]
fn wrong_usage_is_told() {
    for (arguments, expected) in [
        (&["--fail-on-change"][..], "--compare <PACK>"),
        (&["--lift-after", "1 month"], "write a time of fixed length, such as 2h or 1d"),
        (&["--compare", "nowhere.toml"], "nowhere.toml cannot be read: there is no such file"),
    ] {
        let ran = kuzet(&[&["replay", "-"], arguments].concat(), b"");
        assert_eq!(ran.code, 2, "{}", ran.talk);
        assert!(ran.talk.contains(expected), "{}", ran.talk);
    }
}
