//! `kuzet explain`, judged by replays: of the history as it is, and of one with the event changed as it says.

use crate::cli::{kuzet, path};
use serde_json::{Value, json};
use std::fs;

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn explained(file: &str, decision: &Value) -> Value {
    let arguments =
        ["explain", file, "--event", text(&decision["event"]), "--wallet", text(&decision["wallet"]), "--json"];
    let ran = kuzet(&arguments, b"");
    assert_eq!((ran.code, ran.talk.as_str()), (0, ""));
    serde_json::from_str(&ran.out).expect("one JSON object")
}

fn decisions(history: &str) -> Vec<Value> {
    let ran = kuzet(&["replay", "-", "--out", "-", "--emit", "all"], history.as_bytes());
    ran.out.lines().map(|line| serde_json::from_str(line).expect("a decision")).collect()
}

const ACTIONS: [&str; 7] = ["allow", "monitor", "captcha", "pin", "hold", "refuse", "block"];

/// Whether the event gets at most this action in a history with one member of it changed. It stands where its time puts it,
/// and with nothing after it.
fn passes(history: &str, decision: &Value, member: &str, value: &str, at_most: &str) -> bool {
    let events: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let is_it = |event: &Value| event["id"] == decision["event"] && event["wallet"] == decision["wallet"];
    let place = events.iter().position(is_it).expect("the event is there");
    let mut changed = events[place].clone();
    changed[member] = json!(value);
    let time = |event: &Value| event["time"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    let before: Vec<&Value> = match time(&changed) < time(&events[place]) {
        true => events[..place].iter().take_while(|event| time(event) <= time(&changed)).collect(),
        false => events[..place].iter().collect(),
    };
    let lines: Vec<String> = before.into_iter().chain([&changed]).map(Value::to_string).collect();
    let decided = decisions(&lines.join("\n")).pop().expect("a decision");
    assert_eq!(decided["event"], decision["event"]);
    let severity = |action: &str| ACTIONS.iter().position(|name| *name == action);
    severity(text(&decided["action"])) <= severity(at_most)
}

/// What stands in a window is what was measured.
fn hold_windows(found: &Value) -> usize {
    let mut held = 0;
    for rule in found["rules"].as_array().expect("rules") {
        let (looks_at, window) = (text(&rule["looks_at"]), rule["window"].as_array().expect("a window"));
        if window.is_empty() {
            continue;
        }
        let measured: f64 = text(&rule["measured"]).parse().unwrap_or(f64::NAN);
        let amounts =
            window.iter().map(|event| event["amount"].as_str().map_or(0.0, |amount| amount.parse().expect("digits")));
        let expected = match looks_at {
            counted if counted.starts_with("count") || counted.starts_with("in a row") => {
                f64::from(u32::try_from(window.len()).expect("a few"))
            }
            summed if summed.starts_with("sum of amount") => amounts.sum(),
            _ => continue,
        };
        assert!((measured - expected).abs() < 0.001, "{rule}");
        held += 1;
    }
    held
}

#[test]
fn explanations_are_borne_out_by_replays() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.ndjson");
    let history =
        kuzet(&["generate", "--events", "1200", "--patterns", "1", "--wallets", "40", "--seed", "21"], b"").out;
    fs::write(&file, &history).expect("a file");
    let flagged: Vec<Value> =
        decisions(&history).into_iter().filter(|decision| decision["action"] != "allow").collect();
    let (mut windows, mut amounts, mut above, mut times) = (0, 0, 0, 0);
    for decision in flagged.iter().step_by(flagged.len().div_ceil(70)) {
        let found = explained(path(&file), decision);
        assert_eq!(&found["decision"], decision);
        windows += hold_windows(&found);
        let would = &found["would_pass"];
        assert_eq!(would["unknown"], false, "{found}");
        let at_most = text(&would["action_at_most"]);
        for edge in ["amount", "amount_above"] {
            let Some(amount) = would[edge].as_str() else { continue };
            let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
            let minor: i64 = format!("{whole}{fraction:0<2}").parse().expect("digits");
            let more = format!("{}.{:02}", (minor + 1) / 100, (minor + 1) % 100);
            assert!(passes(&history, decision, "amount", amount, at_most), "{found}");
            assert!(!passes(&history, decision, "amount", &more, at_most), "{found}");
            amounts += 1;
            above += usize::from(edge == "amount_above");
        }
        for (side, step) in [("until", 1), ("from", -1)] {
            let Some(time) = would[side].as_str() else { continue };
            let time: jiff::Timestamp = time.parse().expect("a time");
            let next = time + jiff::SignedDuration::from_millis(step);
            assert!(passes(&history, decision, "time", &time.to_string(), at_most), "{side} {found}");
            assert!(!passes(&history, decision, "time", &next.to_string(), at_most), "{side} {found}");
            times += 1;
        }
    }
    assert!(windows > 10 && amounts > 3 && times > 10, "{windows} windows, {amounts} amounts, {times} times");
    assert!(above > 0, "of equal sums one is held, and a larger one is not");
}

/// A block of sixty days has its end, though a wallet that is left alone for a year is blocked again.
#[test]
fn the_end_of_a_long_block_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.ndjson");
    let event = |id: &str, kind: &str, minute: u32, more: &str| {
        format!(r#"{{"id":"{id}","type":"{kind}","time":"2026-03-13T05:{minute}:21Z","wallet":"7701"{more}}}"#) + "\n"
    };
    let history = event("1", "login", 38, "")
        + &event("2", "suspicion_confirmed", 39, "")
        + &event("3", "payment", 40, r#","amount":"3000""#);
    fs::write(&file, history).expect("a file");
    let ran = kuzet(&["explain", path(&file), "--event", "3", "--json"], b"");
    let found: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(found["would_pass"]["from"], "2026-05-12T05:39:21Z", "{}", ran.out);
}

/// What is held because it came late would have passed in its turn, whatever its time.
#[test]
fn a_late_event_is_explained_by_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, pack) = (folder.path().join("e.ndjson"), folder.path().join("pack.toml"));
    fs::write(
        &pack,
        PACK.split("[[rule]]").next().expect("a head").to_owned()
            + "[[rule]]\nid = \"moved\"\non = [\"transfer\"]\nchange = { of = \"country\", within = \"10m\" }\naction = \"refuse\"\n",
    )
    .expect("a file");
    let at = |id: &str, time: &str, country: &str| {
        transfer(id, time, "10").replace("}\n", &format!(r#","country":"{country}"}}"#)) + "\n"
    };
    let history = at("1", "12:00:00", "KZ") + &at("2", "12:12:00", "RU") + &at("3", "12:05:20", "KZ");
    fs::write(&file, history).expect("a file");
    let arguments = ["explain", path(&file), "--rules", path(&pack), "--event", "3"];
    let ran = kuzet(&arguments, b"");
    assert!(
        ran.out.contains("(monitor at most)\n  the same if it had come in its turn, before what happened later\n"),
        "{}{}",
        ran.out,
        ran.talk
    );
    assert!(!ran.out.contains("not a millisecond later"), "{}", ran.out);
}

fn transfer(id: &str, time: &str, amount: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"transfer","time":"2026-03-01T{time}Z","wallet":"77010000001","counterparty":"77010000002","amount":"{amount}","client_status":"identified"}}"#
    ) + "\n"
}

const PACK: &str = r#"
name = "small"
version = "1"
timezone = "Asia/Almaty"
currency = "KZT"
[event.transfer]
requires = ["amount", "counterparty"]
[event.contact]
requires = []
[restriction.suspicious]
action = "hold"
on = ["transfer"]
lifted_by = ["contact"]
[[rule]]
id = "spent"
clause = "1.1"
on = ["transfer"]
sum = { of = "amount", per = ["wallet"], within = "1h", over = 1000 }
action = "hold"
restrict = "suspicious"
[[rule]]
id = "many"
on = ["transfer"]
when = 'client_status == "identified"'
count = { per = ["counterparty"], within = "1d", over = 5 }
action = "monitor"
"#;

#[test]
fn an_explanation_reads_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, pack) = (folder.path().join("e.ndjson"), folder.path().join("small.toml"));
    let history = transfer("e-1", "08:00:00", "400")
        + &transfer("e-2", "08:10:00", "350.50")
        + &transfer("e-3", "08:20:00", "300")
        + &transfer("e-4", "08:30:00", "1");
    fs::write(&file, &history).expect("a file");
    fs::write(&pack, PACK).expect("a pack");
    let told = |event: &str| {
        let ran = kuzet(&["explain", path(&file), "--rules", path(&pack), "--event", event], b"");
        assert_eq!((ran.code, ran.talk.as_str()), (0, ""));
        ran.out.replace(path(folder.path()), "")
    };
    assert_eq!(
        told("e-3"),
        "2026-03-01 13:20:00  77010000001 transfer e-3 of 300.00
/e.ndjson:3, times in Asia/Almaty
decision: hold, score 0

rules over their limit
  spent (1.1): 1050.5, limit 1000, since 2026-03-01 13:00:00
    sum of amount per wallet within 1h → hold
      2026-03-01 13:00:00             400  allow    e-1
      2026-03-01 13:10:00           350.5  allow    e-2
      2026-03-01 13:20:00             300  hold     e-3

rules under their limit
  many: 3, limit 5, since 2026-03-01 13:00:00
    count per counterparty within 1d, where client_status == \"identified\"

what would have passed (monitor at most)
  a sum of 249.5 KZT, but not 0.01 more
  the same at 2026-03-01 13:09:59.999, but not a millisecond later
  the same at 2026-03-01 14:00:00.001, with nothing in between, but not a millisecond earlier
"
    );
    let standing = told("e-4");
    let stood = standing.split("\nrestrictions that stood before it\n").nth(1).unwrap_or_else(|| panic!("{standing}"));
    assert_eq!(
        stood,
        "  suspicious stands since 13:20:00 by spent (event e-3): hold
    lifted by contact

what would have passed (monitor at most)
  the same at 2026-03-01 13:19:59.999, but not a millisecond later
"
    );
    let ran = kuzet(&["explain", path(&file), "--rules", path(&pack), "--wallet", "77010000001"], b"");
    assert!(
        ran.out.starts_with("4 events, 2 of them more than a bare allow\n2026-03-01 13:20:00  hold "),
        "{}",
        ran.out
    );
}

/// An id is remembered until the wallet has gone on for an hour: till then comes a repeat, then a new event, which a range that begins
/// there explains.
#[test]
fn an_id_that_came_again_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, pack) = (folder.path().join("e.ndjson"), folder.path().join("small.toml"));
    let first = transfer("e-1", "08:00:00", "400");
    fs::write(&file, first.clone() + &first + &transfer("e-2", "09:30:00", "1") + &transfer("e-1", "10:00:00", "1200"))
        .expect("a file");
    fs::write(&pack, PACK).expect("a pack");
    let told = |more: &[&str]| {
        let always = ["explain", path(&file), "--rules", path(&pack), "--event", "e-1", "--wallet", "77010000001"];
        let ran = kuzet(&[&always, more].concat(), b"");
        assert_eq!(ran.code, 0, "{}", ran.talk);
        ran.out.replace(path(folder.path()), "")
    };
    let whole = told(&[]);
    assert!(whole.contains("/e.ndjson:1, times in") && whole.contains("decision: allow"), "{whole}");
    let again = whole.split("\nthe wallet's first event of this id; it came again 2 times\n").nth(1);
    assert_eq!(
        again,
        Some(
            "  /e.ndjson:2 on 2026-03-01 13:00:00: a repeat, decided as the one before
  /e.ndjson:4 on 2026-03-01 15:00:00: decided as a new event; --from 2026-03-01T10:00:00Z explains it
"
        ),
        "{whole}"
    );
    let later = told(&["--from", "2026-03-01T10:00:00Z"]);
    assert!(later.contains("/e.ndjson:4, times in") && later.contains("decision: hold"), "{later}");
    assert!(!later.contains("of this id"), "{later}");
    let found: Value = serde_json::from_str(&told(&["--json"])).expect("an explanation");
    assert_eq!(
        [&found["later"][0]["duplicate"], &found["later"][1]["line"], &found["later_in_all"]],
        [&Value::from(true), &Value::from(4), &Value::from(2)]
    );
}

#[test]
fn what_cannot_be_explained_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.ndjson");
    let other = transfer("e-1", "08:00:00", "400").replace("77010000001", "77010000003");
    fs::write(&file, transfer("e-1", "08:00:00", "400") + &other + &transfer("e-2", "08:00:00", "bad"))
        .expect("a file");
    for (arguments, code, expected) in [
        (&["--event", "e-9"][..], 1, "error: no event e-9 was found in the inputs\n"),
        (
            &["--event", "e-1"],
            1,
            "error: several wallets have an event of that id; add --wallet, one of 77010000001, 77010000003\n",
        ),
        (&["--event", "e-2"], 1, "error: the record is rejected, so there is no decision on it: "),
        (&["--wallet", "7"], 1, "error: no event of wallet 7 was found in the inputs\n"),
        (&[], 2, "error: the following required arguments were not provided:"),
    ] {
        let ran = kuzet(&[&["explain", path(&file)], arguments].concat(), b"");
        assert!(ran.code == code && ran.talk.starts_with(expected), "{} {}", ran.code, ran.talk);
    }
    let ran = kuzet(&["explain", "-", "--event", "x"], b"");
    assert!(ran.code == 2 && ran.talk.contains("write them to a file"), "{}", ran.talk);
}

/// A part of a history that is sorted first explains an event as the whole does, where what rules look back to is there; where
/// it is not, that is said.
#[test]
fn a_part_of_a_shuffled_history_explains_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = kuzet(&["generate", "--events", "3000", "--patterns", "2", "--seed", "12"], b"").out;
    let mut lines: Vec<&str> = history.lines().collect();
    let time = |line: &str| serde_json::from_str::<Value>(line).expect("an event")["time"].as_str().map(str::to_owned);
    lines.sort_by_key(|line| time(line));
    let (ordered, shuffled) = (folder.path().join("ordered.ndjson"), folder.path().join("shuffled.ndjson"));
    fs::write(&ordered, lines.join("\n")).expect("a file");
    let flagged: Vec<Value> =
        decisions(&lines.join("\n")).into_iter().filter(|made| made["action"] != "allow").collect();
    let last = flagged.last().expect("something is held");
    // By another order of the same lines, the latest first.
    lines.reverse();
    fs::write(&shuffled, lines.join("\n")).expect("a file");
    let whole = explained(path(&ordered), last);
    let (event, wallet) = (text(&last["event"]), text(&last["wallet"]));
    let from = &text(&last["time"])[..10];
    let explain = |more: &[&str]| {
        let arguments = ["explain", path(&shuffled), "--sort", "--event", event, "--wallet", wallet, "--json"];
        kuzet(&[&arguments, more].concat(), b"")
    };
    for more in [&[][..], &["--from", from, "--warm-up", "all"], &["--to", from, "--from", from, "--warm-up", "all"]] {
        let ran = explain(more);
        assert_eq!(ran.code, 0, "{}", ran.talk);
        let mut part: Value = serde_json::from_str(&ran.out).expect("JSON");
        assert_eq!(part["cuts"], json!([]), "{more:?}");
        part["source"] = whole["source"].clone();
        part["line"] = whole["line"].clone();
        assert_eq!(part, whole, "{more:?}");
    }
    // A thousand days back there is nothing.
    let ran = explain(&["--from", from, "--warm-up", "1000d"]);
    let cut: Value = serde_json::from_str(&ran.out).expect("JSON");
    let said = cut["cuts"][0].as_str().expect("a sentence");
    assert!(said.starts_with("the data do not reach back far enough: the warm-up goes back to"), "{said}");
    assert_eq!(explain(&["--to", "2000-01-01"]).code, 1, "the event is not in the range");
    assert_eq!(kuzet(&["explain", "--event", "x"], b"").code, 2, "nothing is named to read");
}
