//! `replay --labels`, judged by counting over the decisions of a plain replay.

use crate::cli::{kuzet, path};
use kuzet::random::Random;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};

/// What a replay says of its labels, also on two threads.
fn scores(arguments: &[&str], input: &[u8]) -> Value {
    let [one, two] = ["1", "2"].map(|threads| {
        let ran = kuzet(&[&["replay", "-", "--json", "--threads", threads], arguments].concat(), input);
        assert_eq!(ran.code, 0, "{}", ran.talk);
        serde_json::from_str::<Value>(&ran.out).expect("one JSON object")["labels"].take()
    });
    assert_eq!(one, two, "threads change nothing");
    one
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// What one rule, or all, did; by hand.
#[derive(Debug, Default)]
struct Tally {
    fraud: u64,
    legitimate: u64,
    unlabelled: u64,
    caught: i64,
    alone: u64,
}

fn ratio(part: u64, whole: u64) -> Value {
    let number = |count: u64| f64::from(u32::try_from(count).expect("a small count"));
    if whole > 0 { json!(number(part) / number(whole)) } else { Value::Null }
}

/// Minor units of an amount of at most two decimals.
fn minor(amount: &Value) -> i64 {
    let Some(amount) = amount.as_str() else { return 0 };
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{fraction:0<2}").parse().expect("digits")
}

#[test]
fn scores_are_counted_over_decisions() {
    let folder = tempfile::tempdir().expect("a folder");
    let generated = kuzet(&["generate", "--events", "5000", "--patterns", "3", "--seed", "11"], b"");
    let mut random = Random::new(5);
    let events: Vec<Value> = generated.out.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let mut labels = String::from("event,wallet,label\n");
    let mut known = BTreeMap::new();
    for event in &events {
        let (id, wallet) = (text(&event["id"]), text(&event["wallet"]));
        let label = ["fraud", "legitimate", ""][random.place(3)];
        known.insert((wallet.to_owned(), id.to_owned()), label);
        if !label.is_empty() {
            labels += &format!("{id},{wallet},{label}\n");
        }
    }
    let file = folder.path().join("labels.csv");
    fs::write(&file, labels).expect("a file");
    let found = scores(&["--labels", path(&file), "--rules", "rules/typologies.toml"], generated.out.as_bytes());

    let arguments = ["replay", "-", "--rules", "rules/typologies.toml", "--out", "-", "--emit", "all"];
    let decided = kuzet(&arguments, generated.out.as_bytes());
    let mut rules: BTreeMap<String, Tally> = BTreeMap::new();
    let mut all_fraud = 0;
    for (line, event) in decided.out.lines().zip(&events) {
        let decision: Value = serde_json::from_str(line).expect("a decision");
        assert_eq!(decision["event"], event["id"]);
        let label = known[&(text(&event["wallet"]).to_owned(), text(&event["id"]).to_owned())];
        all_fraud += u64::from(label == "fraud");
        let reasons = decision["reasons"].as_array().cloned().unwrap_or_default();
        let mut hit: Vec<&str> = reasons.iter().filter_map(|reason| reason["rule"].as_str()).collect();
        let alone = hit.len() == 1;
        if !hit.is_empty() {
            hit.push("any");
        }
        for rule in hit {
            let tally = rules.entry(rule.to_owned()).or_default();
            tally.alone += u64::from(alone);
            match label {
                "fraud" => {
                    tally.fraud += 1;
                    tally.caught += minor(&event["amount"]);
                }
                "legitimate" => tally.legitimate += 1,
                _ => tally.unlabelled += 1,
            }
        }
    }
    assert!(rules.len() > 15, "the history makes many rules fire: {rules:?}");
    assert_eq!(found["events"]["fraud"], all_fraud);
    hold_against(&found, &rules, all_fraud);
}

/// What the replay says of each rule is what was counted.
fn hold_against(found: &Value, rules: &BTreeMap<String, Tally>, all_fraud: u64) {
    let of_rules = found["rules"].as_array().expect("rules").iter();
    for score in of_rules.chain([&found["any_rule"]]) {
        let name = score["rule"].as_str().unwrap_or("any");
        let none = Tally::default();
        let tally = rules.get(name).unwrap_or(&none);
        let counts = [&score["events"]["fraud"], &score["events"]["legitimate"], &score["events"]["unlabelled"]];
        assert_eq!(counts, [tally.fraud, tally.legitimate, tally.unlabelled], "{name}");
        assert_eq!(score["precision"], ratio(tally.fraud, tally.fraud + tally.legitimate), "{name}");
        assert_eq!(score["recall"], ratio(tally.fraud, all_fraud), "{name}");
        assert_eq!(minor(&score["money_caught"]), tally.caught, "{name}");
        if name != "any" {
            assert_eq!(score["alone"], tally.alone, "{name}");
        }
    }
}

fn transfer(id: &str, wallet: &str, day: usize, amount: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"transfer","time":"2026-03-{day:02}T08:00:00Z","wallet":"{wallet}","counterparty":"c","amount":"{amount}","attributes":{{"fraud":{}}}}}"#,
        amount.ends_with('1')
    ) + "\n"
}

/// Two rules, of which the second says nothing that the first does not.
const PACK: &str = r#"
name = "two"
version = "1"
timezone = "Asia/Almaty"
currency = "KZT"
[event.transfer]
requires = ["amount", "counterparty"]
[[rule]]
id = "large"
on = ["transfer"]
when = "amount > 100"
action = "hold"
[[rule]]
id = "larger"
on = ["transfer"]
when = "amount > 1000"
action = "monitor"
[[rule]]
id = "tried"
on = ["transfer"]
when = "amount > 50"
action = "block"
mode = "shadow"
"#;

fn history() -> String {
    transfer("a", "w-1", 1, "2001")
        + &transfer("b", "w-2", 2, "2000")
        + &transfer("c", "w-1", 3, "91")
        + &transfer("d", "w-3", 4, "501")
        + &transfer("e", "w-4", 11, "300")
        + &transfer("e", "w-4", 11, "300")
}

#[test]
fn figures_worked_out_by_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = folder.path().join("two.toml");
    fs::write(&pack, PACK).expect("a pack");
    let found = scores(&["--rules", path(&pack), "--label-field", "attributes.fraud"], history().as_bytes());
    assert_eq!(found["events"], json!({"fraud": 3, "legitimate": 2, "young": 0, "unlabelled": 0}));
    assert_eq!(found["repeats"], 1);
    let [large, larger, tried] = [0, 1, 2].map(|place| &found["rules"][place]);
    assert_eq!([&large["precision"], &large["recall"], &large["f1"]], [0.5, 2.0 / 3.0, 4.0 / 7.0]);
    assert_eq!([&large["false_positives_a_day"], &larger["false_positives_a_day"]], [0.2, 0.1]);
    assert_eq!([&large["money_caught"], &large["money_hit"]], ["2502", "4802"]);
    assert_eq!([&large["adds_nothing"], &larger["adds_nothing"], &tried["adds_nothing"]], [false, true, false]);
    assert_eq!([&large["decisive"], &larger["decisive"], &tried["alone"]], [4, 0, 1]);
    assert_eq!(tried["shadow"], true);
    // The one in shadow shares all four hits of the first: by hand, c alone is its own.
    let overlap = json!([
        {"rules": ["large", "tried"], "events": 4, "fraud": 2},
        {"rules": ["large", "larger"], "events": 2, "fraud": 1},
        {"rules": ["larger", "tried"], "events": 2, "fraud": 1},
    ]);
    assert_eq!(found["overlap"], overlap);
}

#[test]
fn wallets_are_cases_with_a_lead() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pack, labels) = (folder.path().join("two.toml"), folder.path().join("labels.csv"));
    fs::write(&pack, PACK).expect("a pack");
    fs::write(&labels, "nr,verdict,since\nw-1,1,2026-03-03T08:00:00Z\nw-3,1,2026-03-04T07:00:00Z\nw-9,1,2026-03-01\nw-2,0,2026-03-20\n")
        .expect("labels");
    let arguments =
        ["--rules", path(&pack), "--labels", path(&labels), "--label-columns", "wallet=nr,label=verdict,known=since"];
    let found = scores(&arguments, history().as_bytes());
    assert_eq!(found["events"], json!({"fraud": 3, "legitimate": 1, "young": 0, "unlabelled": 1}));
    assert_eq!([&found["cases"], &found["any_rule"]["cases_found"]], [2, 2]);
    // Nothing in the data is of w-9.
    assert_eq!([&found["labels"], &found["labels_that_name_nothing"]], [4, 1]);
    // w-1 was found two days before it was known, w-3 an hour after.
    let lead = json!({"cases": 2, "least": -3_600, "median": 84_600, "most": 172_800});
    assert_eq!(found["any_rule"]["lead_seconds"], lead);
    let early = [&arguments[..], &["--as-of", "2026-03-04", "--label-age", "2d"]].concat();
    assert_eq!(
        scores(&early, history().as_bytes())["events"],
        json!({"fraud": 3, "legitimate": 0, "young": 1, "unlabelled": 1})
    );
}

#[test]
fn the_scores_read_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = folder.path().join("two.toml");
    fs::write(&pack, PACK).expect("a pack");
    let ran =
        kuzet(&["replay", "-", "--rules", path(&pack), "--label-field", "attributes.fraud"], history().as_bytes());
    let told = ran.out.split("\nlabels\n").nth(1).unwrap_or_else(|| panic!("{}", ran.out));
    assert_eq!(
        told,
        "              events   share     money
  fraud            3  60.0 %  2,593.00
  legitimate       2  40.0 %  2,300.00
  young            0   0.0 %      0.00
  unlabelled       0   0.0 %      0.00
  repeats of an event, not counted again: 1

rules against the labels
  rule                  hits  fraud  legitimate  young  unlabelled  precision   recall     F1  false a day  money caught  money hit  alone  decisive  lead
  large                    4      2           2      0           0     50.0 %   66.7 %  0.571          0.2      2,502.00   4,802.00      2         4     -
  larger                   2      1           1      0           0     50.0 %   33.3 %  0.400          0.1      2,001.00   4,001.00      0         0     -
  tried, shadow            5      3           2      0           0     60.0 %  100.0 %  0.750          0.2      2,593.00   4,893.00      1         0     -
  any live rule            4      2           2      0           0     50.0 %   66.7 %  0.571          0.2      2,502.00   4,802.00                      -
  any action but allow     4      2           2      0           0     50.0 %   66.7 %  0.571          0.2      2,502.00   4,802.00
  these add nothing, others hit wherever they do: larger

rules that hit together
  rule    and            both  of the first  of the second  fraud
  large   tried, shadow     4       100.0 %         80.0 %      2
  large   larger            2        50.0 %        100.0 %      1
  larger  tried, shadow     2       100.0 %         40.0 %      1
"
    );
}

#[test]
fn wrong_labels_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let labels = folder.path().join("labels.csv");
    fs::write(&labels, "event,label\na,perhaps\n").expect("labels");
    let (undated, half) = (folder.path().join("undated.csv"), folder.path().join("half.csv"));
    fs::write(&undated, "event,label\na,1\nb,0\n").expect("labels");
    fs::write(&half, "event,label,known\na,1,2026-03-01\nb,0,\n").expect("labels");
    for (arguments, expected) in [
        (&["--labels", path(&labels)][..], "labels.csv:2: the label \"perhaps\" is neither fraud"),
        (&["--labels", "nowhere.csv"], "cannot read nowhere.csv: there is no such file"),
        (&["--label-field", "amount"], "amount cannot carry a label; name an attribute"),
        (&["--as-of", "2026-03-01"], "--as-of and --label-age are about labels"),
        (
            &["--label-field", "cause", "--label-age", "2d"],
            "there is no label that says when it became known; give that day by --as-of",
        ),
        (&["--labels", path(&undated), "--label-age", "2d"], "looked up, and no label says when it became known;"),
        (&["--labels", path(&half), "--label-age", "2d"], "and 1 of 2 labels do not say when they became known;"),
        (&["--label-field", "cause", "--as-of", "soon"], "--as-of: \"soon\" is not an RFC 3339"),
        (&["--labels", path(&labels), "--label-columns", "x"], "\"x\" is not NAME=COLUMN"),
    ] {
        let ran = kuzet(&[&["replay", "-"], arguments].concat(), b"");
        assert_eq!(ran.code, 2, "{}", ran.talk);
        assert!(ran.talk.contains(expected), "{}", ran.talk);
    }
    let out = ["replay", "-", "--labels", path(&labels), "--out", path(&labels)];
    fs::write(&labels, "event,label\na,1\n").expect("labels");
    let ran = kuzet(&out, b"");
    assert!(ran.code == 2 && ran.talk.contains("would overwrite"), "{}", ran.talk);
}
