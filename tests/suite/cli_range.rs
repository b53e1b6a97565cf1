//! `replay --from --to`: a part of a history is decided as the whole is, and nothing else of it is counted anywhere.

use crate::cli::{kuzet, path};
use serde_json::{Value, json};
use std::fs;

/// Short windows, nothing that stands longer than they are.
const PACK: &str = r#"
name = "short"
version = "1"
timezone = "Asia/Almaty"
currency = "KZT"
[event.transfer]
requires = ["amount", "counterparty"]
[event.payment]
requires = ["amount"]
[event.topup]
requires = ["amount"]
[[rule]]
id = "often"
on = ["transfer", "payment", "topup"]
count = { per = ["wallet"], within = "30h", over = 3 }
action = "monitor"
[[rule]]
id = "much"
on = ["transfer", "payment", "topup"]
sum = { of = "amount", within = "calendar day", over = 60000 }
action = "captcha"
counts = "accepted"
"#;

/// A folder with a history of some weeks, a short pack, and everything that it decides on the whole.
struct Desk {
    folder: tempfile::TempDir,
    whole: Vec<String>,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        let mut desk = Desk { folder, whole: Vec::new() };
        desk.write("short.toml", PACK);
        let history = kuzet(&["generate", "--events", "4000", "--patterns", "1", "--seed", "21"], b"").out;
        desk.write("history.ndjson", &history);
        desk.whole = desk.replay(&[]).0;
        desk
    }

    fn file(&self, name: &str) -> String {
        path(&self.folder.path().join(name)).to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// All decisions with these flags, and the summary.
    fn replay(&self, more: &[&str]) -> (Vec<String>, Value) {
        let (history, pack) = (self.file("history.ndjson"), self.file("short.toml"));
        let always = ["replay", &history, "--rules", &pack, "--out", "-", "--emit", "all", "--json"];
        let ran = kuzet(&[&always, more].concat(), b"");
        assert_eq!(ran.code, 0, "{}", ran.talk);
        let summary = serde_json::from_str(&ran.talk).unwrap_or_else(|_| panic!("{}", ran.talk));
        (ran.out.lines().map(str::to_owned).collect(), summary)
    }

    /// The decisions on the whole that lie within.
    fn within(&self, from: &str, to: &str) -> Vec<String> {
        let lies_within = |line: &&String| {
            let decision: Value = serde_json::from_str(line).expect("a decision");
            let time = instant(decision["time"].as_str().expect("a time"));
            instant(from) <= time && time < instant(to)
        };
        self.whole.iter().filter(lies_within).cloned().collect()
    }

    /// Two instants within the history with a quarter of it between them.
    fn part(&self) -> (String, String) {
        let at = |place: usize| {
            let decision: Value = serde_json::from_str(&self.whole[place]).expect("a decision");
            decision["time"].as_str().expect("a time").to_owned()
        };
        (at(self.whole.len() / 2), at(self.whole.len() * 3 / 4))
    }
}

fn instant(text: &str) -> jiff::Timestamp {
    text.parse().expect("an instant")
}

#[test]
fn a_part_is_decided_as_the_whole_is() {
    let desk = Desk::new();
    let (from, to) = desk.part();
    let expected = desk.within(&from, &to);
    assert!(expected.len() > 500 && expected.iter().any(|line| line.contains("\"often\"")));
    for threads in ["1", "2"] {
        for sort in [&[][..], &["--sort"]] {
            let flags = [&["--from", &from, "--to", &to, "--threads", threads], sort].concat();
            let (found, summary) = desk.replay(&flags);
            assert!(found == expected, "{threads} {sort:?}");
            let range = &summary["range"];
            assert_eq!(summary["decided"], expected.len());
            assert_eq!(range["reaches_back"], true);
            let count = |name: &str| range[name].as_u64().expect("a count");
            assert!(count("warm_up") > 50 && count("left_out") > 500 && count("after") > 100, "{range}");
            let all = count("warm_up") + count("left_out") + count("after") + expected.len() as u64;
            assert_eq!(all + summary["rejected"].as_u64().expect("a count"), summary["records"]);
        }
    }
    // The judge can tell: with no warm-up worth the name, windows are cut.
    let (cold, _) = desk.replay(&["--from", &from, "--to", &to, "--warm-up", "1ms"]);
    assert!(cold.len() == expected.len() && cold != expected);
}

/// What stands for long is known where everything before is gone through.
#[test]
fn restrictions_of_before_stand_after_a_whole_warm_up() {
    let desk = Desk::new();
    desk.write("short.toml", "name = \"mine\"\nversion = \"1\"\nuses = [\"onevision.toml\"]\n");
    fs::copy("rules/onevision.toml", desk.folder.path().join("onevision.toml")).expect("the pack");
    let whole = desk.replay(&[]).0;
    let (from, to) = desk.part();
    let (found, summary) = desk.replay(&["--from", &from, "--to", &to, "--warm-up", "all"]);
    let expected = Desk { whole, ..desk }.within(&from, &to);
    assert!(expected.iter().any(|line| line.contains("\"restriction\"")));
    assert!(found == expected);
    assert_eq!([&summary["range"]["since"], &summary["range"]["reaches_back"]], [&Value::Null, &json!(true)]);
}

#[test]
fn data_that_do_not_reach_back_are_told() {
    let history = payment("a", "2026-03-01T00:00:00Z") + &payment("b", "2026-03-10T00:00:00Z");
    let ran = kuzet(&["replay", "-", "--from", "2026-03-10"], history.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.talk);
    let told = "not reported: 1 event to warm up, 0 after the range; 0 records left out\n\
                the data do not reach back far enough: rule inactive looks back to 2025-03-09 23:55:00, they begin \
                2026-03-01 05:00:00\n";
    assert!(ran.out.contains(told) && !ran.out.contains("reading ended"), "{}", ran.out);
    let ran = kuzet(&["replay", "-", "--from", "2026-03-10", "--warm-up", "1h"], history.as_bytes());
    assert!(!ran.out.contains("reach back") && ran.out.contains("; 1 record left out"), "{}", ran.out);
    let ran = kuzet(&["replay", "-", "--from", "2026-03-10", "--warm-up", "1h"], b"");
    assert!(
        ran.out.contains("far enough: the warm-up goes back to 2026-03-09 23:00:00, there are none\n"),
        "{}",
        ran.out
    );
}

/// Companions see what went before, and count none of it.
#[test]
fn comparisons_sweeps_and_labels_count_the_part_alone() {
    let desk = Desk::new();
    let (from, to) = desk.part();
    let part = ["--from", &from, "--to", &to];
    let (decisions, plain) = desk.replay(&part);
    desk.write("other.toml", &PACK.replace("over = 3", "over = 2").replace("30h", "40h"));
    desk.write("types.toml", &PACK.replace("[event.topup]\nrequires = [\"amount\"]\n", "").replace(", \"topup\"", ""));
    let other = desk.file("other.toml");
    let mut judged = desk.replay(&["--from", &from, "--to", &to, "--warm-up", "40h"]).0;
    assert!(judged == decisions);
    // The other pack looks back further, and so do both.
    let (_, summary) = desk.replay(&[&part[..], &["--compare", &other]].concat());
    let since = |summary: &Value| instant(summary["range"]["since"].as_str().expect("an instant"));
    assert_eq!(since(&plain).duration_since(since(&summary)).as_hours(), 10);
    let compared: u64 = summary["compare"]["actions"]
        .as_array()
        .expect("pairs")
        .iter()
        .map(|pair| pair["decisions"].as_u64().expect("a count"))
        .sum();
    assert_eq!(compared, decisions.len() as u64, "{}", summary["compare"]["actions"]);
    fs::copy(desk.file("other.toml"), desk.file("short.toml")).expect("the pack");
    judged = desk.replay(&part).0;
    let action = |line: &String| serde_json::from_str::<Value>(line).expect("a decision")["action"].clone();
    let changed = decisions.iter().zip(&judged).filter(|(one, two)| action(one) != action(two)).count();
    let told: u64 = summary["compare"]["actions"]
        .as_array()
        .expect("pairs")
        .iter()
        .filter(|pair| pair["before"] != pair["after"])
        .map(|pair| pair["decisions"].as_u64().expect("a count"))
        .sum();
    assert!(changed > 0 && told == changed as u64, "{told} and {changed}");
    desk.write("short.toml", PACK);

    // Another set of event types is read by itself.
    let (_, summary) = desk.replay(&[&part[..], &["--compare", &desk.file("types.toml")]].concat());
    let topups = decisions.iter().filter(|line| line.contains("\"type\":\"topup\"")).count();
    assert!(topups > 0 && summary["compare"]["only_before"] == topups, "{}", summary["compare"]);

    // The value that the rule has comes to what the rule does, with and without restrictions of its own.
    for (sweep, rule) in [("often.over=3..4", "often"), ("much.over=60000..70000:10000", "much")] {
        let (_, summary) = desk.replay(&[&part[..], &["--sweep", sweep]].concat());
        let hits = plain["rules"].as_array().expect("rules").iter().find(|found| found["rule"] == rule).expect("it");
        let point = &summary["sweeps"][0]["points"][0];
        assert!(hits["hits"].as_u64().expect("a count") > 0);
        assert_eq!([&point["hits"], &point["actions"]], [&hits["hits"], &plain["actions"]], "{sweep}: {point}");
    }

    let (_, summary) = desk.replay(&[&part[..], &["--label-field", "channel"]].concat());
    let classes = summary["labels"]["events"].as_object().expect("classes");
    let all: u64 = classes.values().map(|count| count.as_u64().expect("a count")).sum();
    assert_eq!(all, decisions.len() as u64, "{}", summary["labels"]["events"]);
}

#[test]
fn a_record_of_all_decisions_holds_for_a_part() {
    let desk = Desk::new();
    let (from, to) = desk.part();
    desk.write("recorded.ndjson", &(desk.whole.join("\n") + "\n"));
    let part = ["--from", &from, "--to", &to, "--verify", &desk.file("recorded.ndjson")];
    let (decisions, summary) = desk.replay(&part);
    assert_eq!([&summary["verify"]["holds"], &summary["verify"]["same"]], [&json!(true), &json!(decisions.len())]);
}

fn payment(id: &str, time: &str) -> String {
    format!("{{\"id\":\"{id}\",\"type\":\"payment\",\"time\":\"{time}\",\"wallet\":\"7\",\"amount\":\"10\"}}\n")
}

/// A date is its whole local day, an instant is where the part ends; what cannot be used goes with what came before it.
#[test]
fn both_ends_and_what_has_no_time() {
    let history = [
        "early rubbish\n",
        &payment("a", "2026-03-01T18:59:59.999Z"),
        "rubbish of before\n",
        &payment("b", "2026-03-01T19:00:00Z"),
        "rubbish within\n",
        &payment("c", "2026-03-02T18:59:59Z"),
        &payment("d", "2026-03-02T19:00:00Z"),
        "rubbish of after\n",
    ]
    .concat();
    for (ends, expected, rejected) in [
        (&["--from", "2026-03-02", "--to", "2026-03-02"][..], &["b", "c"][..], 1),
        (&["--from", "2026-03-01T19:00:00Z", "--to", "2026-03-02T18:59:59Z"], &["b"], 1),
        (&["--to", "2026-03-01"], &["a"], 2),
        (&["--from", "2026-03-03"], &["d"], 1),
        (&["--from", "2026-03-02", "--warm-up", "all"], &["b", "c", "d"], 2),
    ] {
        let ran =
            kuzet(&[&["replay", "-", "--out", "-", "--emit", "all", "--json"], ends].concat(), history.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.talk);
        let id = |line: &str| serde_json::from_str::<Value>(line).expect("a decision")["event"].clone();
        assert_eq!(ran.out.lines().map(id).collect::<Vec<_>>(), expected, "{ends:?}");
        assert_eq!(serde_json::from_str::<Value>(&ran.talk).expect("a summary")["rejected"], rejected, "{ends:?}");
    }
    for (ends, why) in [
        (&["--from", "2026-03-02", "--to", "2026-03-01"][..], "nothing lies between --from, 2026-03-01T19:00:00Z, and"),
        (&["--from", "soon"], "--from: \"soon\""),
        (&["--to", "2026-03-01", "--warm-up", "1d"], "--from"),
        (&["--from", "2026-03-02", "--warm-up", "6 months"], "write a time of fixed length"),
    ] {
        let ran = kuzet(&[&["replay", "-"], ends].concat(), b"");
        assert!(ran.code == 2 && ran.talk.contains(why), "{}", ran.talk);
    }
}

/// What comes after is not read: it may well be cut, or the rest of ten years.
#[test]
fn reading_ends_where_nothing_more_can_be_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| path(&folder.path().join(name)).to_owned();
    let days = ["01", "02", "08", "09", "10"].map(|day| payment(day, &format!("2026-03-{day}T00:00:00Z")));
    fs::write(file("1"), days.concat()).expect("a file");
    fs::write(file("2"), b"\x1f\x8b\x08\x00cut").expect("a file");
    for threads in ["1", "2"] {
        let ran = kuzet(&["replay", &file("1"), &file("2"), "--to", "2026-03-02T00:00:00Z", "--threads", threads], b"");
        assert_eq!(ran.code, 0, "{}", ran.talk);
        let told = "reading ended at an event of 2026-03-09 05:00:00: nothing of the range can come after it\n";
        assert!(ran.out.contains(told), "{}", ran.out);
        assert!(ran.out.starts_with("events decided  1 "), "{}", ran.out);
        assert!(
            ran.out.contains("not reported: 0 events to warm up, 2 after the range; 2 records left out"),
            "{}",
            ran.out
        );
    }
}

/// Where Kafka is not built in, asking for a topic says so.
#[cfg(not(feature = "kafka"))]
#[test]
fn a_topic_needs_kafka() {
    let ran = kuzet(&["replay", "--kafka", "127.0.0.1:9092"], b"");
    assert_eq!(ran.code, 2);
    assert!(ran.talk.contains("this kuzet was built without Kafka (cargo feature `kafka`)"), "{}", ran.talk);
}
