//! Sweeps of rules that restrict, over random packs and streams: read from a file, where values share an engine until they
//! part; from standard input, where each has its own; and as one plain replay for each value. All three must say the same.

use crate::cli::{kuzet, path};
use kuzet::random::Random;
use serde_json::Value;
use std::{fmt::Write, fs};

const PACK: &str = r#"
name = "random"
version = "1"
timezone = "Asia/Almaty"
currency = "KZT"
score = { hold = 500, block = 700 }
event.transfer.requires = ["amount", "counterparty"]
event.login.requires = []
event.fail.requires = []
event.lift.requires = []
event.ask.requires = []
event.unlock.requires = ["ip"]
[restriction.held]
action = "STANDING"
on = TYPES
lifted_by = ["lift"]
LASTS
[restriction.day]
action = "pin"
on = ["transfer"]
lifted_by = ["lift"]
lasts = "calendar day"
CONFIRMS
[restriction.lock]
action = "block"
on = ["transfer", "login"]
target = "ip"
lasts = "2h"
lifted_by = ["unlock"]
[restriction.asked]
action = "block"
on = ["transfer"]
imposed_by = ["ask"]
lifted_by = ["lift"]
lasts = "6h"
INCOMING
[[rule]]
id = "swept"
on = ["transfer"]
sum = { of = "amount", per = ["wallet"], within = "6h", over = LIMIT }
action = "ACTION"
restrict = "held"
score = SCORE
counts = "COUNTS"
[[rule]]
id = "spent"
on = ["transfer"]
sum = { of = "amount", per = ["wallet"], within = "calendar day", over = 2500 }
counts = "accepted"
restrict = "day"
action = "pin"
score = 200
[[rule]]
id = "fails"
on = ["fail"]
LOCKS
action = "captcha"
restrict = "lock"
[[rule]]
id = "back"
on = ["login"]
idle = { since = ["transfer"], over = "10h" }
action = "monitor"
score = 300
FOREIGN"#;

/// What counts across wallets, which keeps values apart.
const FAN_IN: &str = r#"
[[rule]]
id = "fan-in"
on = ["transfer"]
count = { per = ["counterparty"], within = "1d", over = 9 }
action = "monitor"
"#;

/// A pack in which what is swept restricts wallets, and everything else that could carry that on: what counts `accepted`, rows
/// that a blocked login does not end, a restriction that confirms, one on addresses, one on whoever pays to a wallet.
fn pack(random: &mut Random, limit: &str) -> String {
    let one_of = |random: &mut Random, of: &[&str]| of[random.place(of.len())].to_owned();
    let action = one_of(random, &["monitor", "pin", "hold", "refuse", "block"]);
    let standing = one_of(random, &["pin", "hold", "block"]);
    let on = one_of(random, &["[\"transfer\"]", "[\"transfer\", \"login\"]", "[\"transfer\", \"login\", \"fail\"]"]);
    let lasts = one_of(random, &["", "lasts = \"3h\"", "lasts = \"calendar day\""]);
    let confirms = one_of(random, &["", "confirms = true"]);
    let counts = one_of(random, &["attempted", "accepted"]);
    let locks = one_of(random, &["streak = { per = [\"wallet\"], reset = [\"login\"], within = \"24h\", at = 2 }", ""]);
    let incoming = one_of(random, &["", "incoming = true"]);
    let foreign = one_of(random, &["", "", "", "", "", "", "", FAN_IN]);
    let parts = [
        ("STANDING", standing),
        ("LASTS", lasts),
        ("CONFIRMS", confirms),
        ("INCOMING", incoming),
        ("LIMIT", limit.to_owned()),
        ("ACTION", action),
        ("SCORE", random.below(500).to_string()),
        ("COUNTS", counts),
        ("LOCKS", locks),
        ("TYPES", on),
        ("FOREIGN", foreign),
    ];
    parts.into_iter().fold(PACK.to_owned(), |text, (name, value)| text.replace(name, &value))
}

/// Some days of a few wallets on fewer addresses, some events late, some repeated.
fn stream(random: &mut Random) -> String {
    let mut lines: Vec<String> = Vec::new();
    for number in 0..500_u64 {
        if number > 0 && random.chance(1, 25) {
            lines.push(lines[random.place(lines.len())].clone());
            continue;
        }
        let kind =
            random.weighted(&[(60, "transfer"), (20, "login"), (10, "fail"), (4, "lift"), (1, "ask"), (1, "unlock")]);
        let minutes = number * 8 + random.below(30);
        let (day, hour, minute) = (1 + minutes / 1_440, minutes / 60 % 24, minutes % 60);
        let (wallet, other, ip) = (random.below(12), random.below(12), random.below(3));
        let mut line = format!(
            r#"{{"id":"e-{number}","type":"{kind}","time":"2026-03-{day:02}T{hour:02}:{minute:02}:00Z","wallet":"w-{wallet}","ip":"10.0.0.{ip}""#
        );
        if kind == "transfer" {
            let (amount, fraud) = (100 + random.below(900), random.chance(1, 5));
            let _ = write!(line, r#","counterparty":"w-{other}","amount":"{amount}","attributes":{{"fraud":{fraud}}}"#);
        }
        lines.push(line + "}");
    }
    lines.join("\n") + "\n"
}

fn json(arguments: &[&str], input: &[u8]) -> Value {
    let ran = kuzet(&[&["replay", "--json"], arguments].concat(), input);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.talk);
    serde_json::from_str(&ran.out).expect("one JSON object")
}

#[test]
fn values_that_part_are_single_replays() {
    const VALUES: [&str; 4] = ["800", "1500", "2500", "9000"];
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(&folder.path().join(name)).to_owned();
    let mut different = 0;
    for seed in 0..60 {
        let input = stream(&mut Random::of(seed, 1));
        fs::write(at("events.ndjson"), &input).expect("a file");
        fs::write(at("pack.toml"), pack(&mut Random::of(seed, 2), "1500")).expect("a pack");
        let lift: &[&str] = if seed % 3 == 0 { &["--lift-after", "90m"] } else { &[] };
        let sweep = format!("swept.over={}", VALUES.join(","));
        let flags = ["--rules", &at("pack.toml"), "--label-field", "attributes.fraud", "--sweep", &sweep];
        let flags = [&flags[..], lift].concat();
        let threads = if seed % 2 == 0 { "1" } else { "2" };
        let of_file = json(&[&[at("events.ndjson").as_str(), "--threads", threads], &flags[..]].concat(), b"");
        let of_pipe = json(&[&["-"], &flags[..]].concat(), input.as_bytes());
        assert_eq!(of_file["sweeps"], of_pipe["sweeps"], "seed {seed}");
        let points = of_file["sweeps"][0]["points"].as_array().expect("points");
        for (value, point) in VALUES.iter().zip(points) {
            fs::write(at("other.toml"), pack(&mut Random::of(seed, 2), value)).expect("a pack");
            let plain = json(&[&[at("events.ndjson").as_str(), "--rules", &at("other.toml")], lift].concat(), b"");
            assert_eq!(point["actions"], plain["actions"], "seed {seed}, {value}");
            assert_eq!(point["decided"], plain["decided"], "seed {seed}, {value}");
        }
        different += u32::from(points[0]["actions"] != points[3]["actions"]);
    }
    assert!(different > 50, "{different} of 60 sweeps have values that differ");
}
