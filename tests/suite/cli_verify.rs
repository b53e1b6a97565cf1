//! `replay --verify`: what was recorded comes out again, and what does not is shown with both sides.

use crate::cli::{Ran, kuzet, path};
use serde_json::{Value, json};
use std::fs;

const PACK: &str = r#"
name = "mine"
version = "1"
uses = ["onevision.toml"]
[lists]
known = { file = "known.txt" }
[[rule]]
id = "to-known"
on = ["transfer"]
when = "counterparty in lists.known && amount > 10000"
action = "monitor"
"#;

/// A folder with a history, a pack and the decisions recorded of it.
struct Desk {
    folder: tempfile::TempDir,
    history: String,
}

impl Desk {
    fn new(emit: &str) -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        let history = kuzet(&["generate", "--events", "2000", "--patterns", "1", "--seed", "4"], b"").out;
        let desk = Desk { folder, history };
        desk.write("mine.toml", PACK);
        desk.write("known.txt", "77010000017\n");
        let file = desk.file("decisions.ndjson");
        let ran = kuzet(
            &["replay", "-", "--rules", &desk.file("mine.toml"), "--out", &file, "--emit", emit],
            desk.history.as_bytes(),
        );
        assert_eq!(ran.code, 0, "{}", ran.talk);
        desk
    }

    fn file(&self, name: &str) -> String {
        path(&self.folder.path().join(name)).to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    fn recorded(&self) -> String {
        fs::read_to_string(self.folder.path().join("decisions.ndjson")).expect("the decisions")
    }

    fn verify(&self, more: &[&str]) -> Ran {
        let (packs, record) = (self.file("mine.toml"), self.file("decisions.ndjson"));
        let arguments = [&["replay", "-", "--rules", &packs, "--verify", &record], more].concat();
        kuzet(&arguments, self.history.as_bytes())
    }

    fn json(&self) -> Value {
        let ran = self.verify(&["--json"]);
        let mut summary: Value = serde_json::from_str(&ran.out).expect("one JSON object");
        let found = summary["verify"].take();
        assert_eq!(ran.code, if found["holds"] == true { 0 } else { 3 }, "{}", ran.talk);
        found
    }
}

#[test]
fn what_was_recorded_comes_out_again() {
    for emit in ["all", "flagged"] {
        let desk = Desk::new(emit);
        let count = desk.recorded().lines().count();
        let found = desk.json();
        assert_eq!([&found["holds"], &found["same"], &found["different"]], [&json!(true), &json!(count), &json!(0)]);
        let two = desk.verify(&["--threads", "2"]);
        assert!(two.out.contains("decisions are the same to the byte"), "{}", two.out);
    }
}

/// A record that holds what was allowed holds everything; one that only has flagged decisions lacks the rest.
#[test]
fn a_record_that_was_cut_short_is_told() {
    let desk = Desk::new("all");
    let recorded = desk.recorded();
    let count = recorded.lines().count();
    let allowed = |line: &&str| line.contains(r#""action":"allow""#);
    // What was cut off at the end are bare allows.
    let end = recorded.lines().collect::<Vec<_>>().iter().rposition(|line| !allowed(line)).expect("a flagged one") + 1;
    assert!(end < count);
    let kept: Vec<&str> = recorded.lines().take(end).collect();
    desk.write("decisions.ndjson", &(kept.join("\n") + "\n"));
    let found = desk.json();
    assert_eq!([&found["holds"], &found["different"]], [&json!(false), &json!(count - end)]);
    assert_eq!([&found["first"]["recorded"], &found["first"]["derived"]["action"]], [&json!(null), &json!("allow")]);
    let desk = Desk::new("flagged");
    let found = desk.json();
    let flagged = desk.recorded().lines().count();
    assert_eq!([&found["holds"], &found["unrecorded"]], [&json!(true), &json!(count - flagged)]);
}

#[test]
fn the_first_that_differs_is_shown_with_both_sides() {
    let desk = Desk::new("flagged");
    let recorded = desk.recorded();
    let lines: Vec<&str> = recorded.lines().collect();
    let changed = lines[3].replacen("\"score\":", "\"score\":1", 1);
    let members = json!(["score"]);
    for (text, line, first, different) in [
        // Another score; one that is missing; one that no event gives.
        ([&lines[..3], &[changed.as_str()], &lines[4..]].concat(), json!(4), &members, 1),
        ([&lines[..3], &lines[4..]].concat(), Value::Null, &json!([]), 1),
        ([&lines[..], &lines[3..4]].concat(), json!(lines.len() + 1), &json!([]), 1),
    ] {
        desk.write("decisions.ndjson", &(text.join("\n") + "\n"));
        let found = desk.json();
        assert_eq!([&found["first"]["line"], &found["first"]["members"]], [&line, first]);
        assert_eq!(found["different"], different, "{found}");
    }
    desk.write("decisions.ndjson", &([&lines[..3], &[changed.as_str()], &lines[4..]].concat().join("\n") + "\n"));
    let told = desk.verify(&[]).out;
    let shown =
        format!("\nthe first that differs, line 4, in score\n  recorded  {changed}\n  derived   {}\n", lines[3]);
    assert!(told.ends_with(&shown), "{told}");
}

#[test]
fn the_input_that_differs_is_named() {
    let desk = Desk::new("all");
    let count = desk.recorded().lines().count();
    // A list of the pack, which changes no decision.
    desk.write("known.txt", "77010000017\n7\n");
    let found = desk.json();
    assert_eq!([&found["other_packs"], &found["different"]], [&json!(count), &json!(0)]);
    let inputs = found["other_inputs"].as_array().expect("a list");
    let told = inputs[0].as_str().expect("a text");
    assert!(inputs.len() == 1 && told.starts_with("the text of pack mine, or a list that it reads: mine@1+"), "{told}");
    // Another version, which does.
    desk.write(
        "mine.toml",
        &PACK.replace("version = \"1\"", "version = \"2\"").replace("monitor", "captcha").replace("10000", "1"),
    );
    let found = desk.json();
    let told = found["other_inputs"][0].as_str().expect("a text");
    assert!(told.starts_with("the version of pack mine: mine@1+"), "{told}");
    assert_ne!(found["different"], 0);
}

#[test]
fn what_is_no_record_is_told() {
    let desk = Desk::new("flagged");
    desk.write("decisions.ndjson", "rubbish\n");
    let ran = desk.verify(&[]);
    assert!(
        ran.code == 3 && ran.out.contains("decisions.ndjson: line 1 is no decision: it is no JSON object"),
        "{}",
        ran.out
    );
    let ran = kuzet(&["replay", "-", "--verify", "nowhere"], b"");
    assert!(ran.code == 2 && ran.talk.contains("cannot read nowhere: there is no such file"), "{}", ran.talk);
}

/// Rows of CSV are the decisions of NDJSON, and nothing that an event says becomes a formula.
#[test]
fn decisions_as_csv() {
    let events = r#"{"id":"=1+2","type":"transfer","time":"2026-03-01T08:00:00Z","wallet":"+77010000001","counterparty":"a,\"b\"","amount":"150000.5"}
{"id":"e-2","type":"transfer","time":"2026-03-01T09:00:00Z","wallet":"+77010000001","counterparty":"7","amount":"10"}
"#;
    let [one, two] = ["1", "2"].map(|threads| {
        let ran = kuzet(&["replay", "-", "--out", "-", "--format", "csv", "--threads", threads], events.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.talk);
        ran.out
    });
    assert_eq!(one, two);
    // The name of a file says it as well.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("decisions.csv");
    let ran = kuzet(&["replay", "-", "--out", path(&file)], events.as_bytes());
    assert_eq!((ran.code, fs::read_to_string(&file).expect("a file")), (0, one.clone()), "{}", ran.talk);
    let pack = one.rsplit(',').next().expect("a last cell").trim().to_owned();
    assert_eq!(
        one,
        format!(
            "event,type,wallet,time,counterparty,merchant,amount,action,score,rules,restrictions,shadow,standing,flags,pack\n\
             '=1+2,transfer,'+77010000001,2026-03-01T08:00:00Z,\"a,\"\"b\"\"\",,150000.5,hold,300,large-transfer,,,suspicious monitoring,,{pack}\n\
             e-2,transfer,'+77010000001,2026-03-01T09:00:00Z,7,,10,hold,0,,suspicious monitoring,,suspicious monitoring,,{pack}\n"
        )
    );
}
