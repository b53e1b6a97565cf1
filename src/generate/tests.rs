//! The generator judged from its output alone, by plain and slow means that share no code with it.

use super::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};

fn options(events: u64) -> Options {
    let start = Timestamp::parse("2026-03-01T00:00:00+05:00").expect("a time");
    Options { seed: 1, events, wallets: 40, start, days: 31, patterns: 0, bad: 0 }
}

struct Output {
    events: Vec<u8>,
    truth: String,
    summary: Summary,
}

fn output(options: &Options) -> Output {
    let (mut events, mut truth) = (Vec::new(), Vec::new());
    let summary = generate(options, &mut events, Some(&mut truth)).expect("memory can be written");
    Output { events, truth: String::from_utf8(truth).expect("text"), summary }
}

fn json_lines(text: &[u8]) -> Vec<Value> {
    let lines = text.strip_suffix(b"\n").expect("a line end").split(|byte| *byte == b'\n');
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

fn time(event: &Value) -> i64 {
    Timestamp::parse(text(event, "time")).expect("a time").0
}

/// The amount in tiyn, read from its text.
fn tiyn(event: &Value) -> Option<i64> {
    let amount = match &event["amount"] {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    let (whole, fraction) = amount.split_once('.').unwrap_or((&amount, "0"));
    Some(whole.parse::<i64>().expect("digits") * 100 + format!("{fraction:0<2}").parse::<i64>().expect("digits"))
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let options = Options { patterns: 1, bad: 80, ..options(3_000) };
    let (first, again) = (output(&options), output(&options));
    assert!(first.events == again.events && first.truth == again.truth);
    let other = output(&Options { seed: 2, ..options });
    assert!(first.events != other.events);
}

/// The bytes themselves, so that a change of them is a decision and not an accident.
#[test]
fn the_bytes_of_seed_one_are_known() {
    let output = output(&Options { patterns: 1, bad: 80, ..options(3_000) });
    let digest = |bytes: &[u8]| Sha256::digest(bytes)[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((&*digest(&output.events), &*digest(output.truth.as_bytes())), ("4d74bc5d", "ed192976"));
}

#[test]
fn events_are_json_in_order_with_ids_of_their_own() {
    let output = output(&Options { patterns: 2, ..options(6_000) });
    let events = json_lines(&output.events);
    assert_eq!((events.len(), output.summary.events), (6_000, 6_000));
    assert!(events.is_sorted_by_key(time));
    let ids: HashSet<&str> = events.iter().map(|event| text(event, "id")).collect();
    assert_eq!(ids.len(), events.len());
    for event in &events {
        assert!(!text(event, "type").is_empty() && text(event, "wallet").starts_with("77"), "{event}");
        assert!(tiyn(event).is_none_or(|amount| amount > 0), "{event}");
    }
    let planted = events.iter().filter(|event| text(event, "id").starts_with("p-")).count();
    assert_eq!(u64::try_from(planted).expect("a count"), output.summary.planted);
}

#[test]
fn the_truth_speaks_of_events_that_are_there() {
    let output = output(&Options { patterns: 2, ..options(6_000) });
    assert!(output.summary.skipped.is_empty(), "{:?}", output.summary.skipped);
    let events = json_lines(&output.events);
    let order: HashMap<&str, usize> =
        events.iter().enumerate().map(|(place, event)| (text(event, "id"), place)).collect();
    let mut seen = HashSet::new();
    let truths = json_lines(output.truth.as_bytes());
    for truth in &truths {
        let places: Vec<usize> =
            truth["events"].as_array().expect("a list").iter().map(|id| order[id.as_str().expect("an id")]).collect();
        assert!(places.is_sorted(), "{truth}");
        assert!(places.iter().all(|place| seen.insert(*place)), "{truth}: an event of two instances");
        let fires = order.get(text(truth, "fires"));
        assert_eq!(fires.is_none(), truth["near_miss"] == true, "{truth}");
        assert!(fires.is_none_or(|fires| places.contains(fires)), "{truth}");
        let clear = order.get(text(truth, "clear"));
        assert!(clear.is_none_or(|clear| places.contains(clear) && Some(clear) > fires), "{truth}");
        let judged = fires.or(places.last()).expect("an instance has events");
        assert_eq!(text(&events[*judged], "wallet"), text(truth, "wallet"), "{truth}");
    }
    let near_misses = truths.iter().filter(|truth| truth["near_miss"] == true).count();
    assert_eq!(near_misses as u64, output.summary.near_misses);
    assert_eq!((truths.len() - near_misses) as u64, output.summary.patterns);
    assert_eq!(seen.len() as u64, output.summary.planted);
}

#[test]
fn every_rule_has_a_pattern_and_a_near_miss_and_every_restriction_a_pattern() {
    let rules = "limit-unidentified limit-identified unregistered-receiver over-balance large-transfer equal-transfers \
                 anonymous-operation anonymous-login country-change daily-pin password-captcha password-lockout \
                 secret-captcha inactive inactive-login structuring fan-out fan-in many-senders same-sum-days \
                 same-sum-repeated new-device-login new-device-large dormant-wakes password-spraying";
    let restrictions = "suspicious monitoring geolocation daily-pin ip-lockout inactive client-request third-party \
                        redemption-data suspicion-block fraud investigation documents-refused issuer-notice complaint \
                        arrest order suspension";
    let output = output(&Options { patterns: 1, ..options(3_000) });
    let truths = json_lines(output.truth.as_bytes());
    let named = |kind: &str, near_miss: bool| -> BTreeSet<String> {
        let of_kind = truths.iter().filter(|truth| (truth["near_miss"] == true) == near_miss);
        of_kind.filter_map(|truth| truth[kind].as_str()).map(str::to_owned).collect()
    };
    let expected = |names: &str| -> BTreeSet<String> { names.split_whitespace().map(str::to_owned).collect() };
    assert_eq!(named("rule", false), expected(rules));
    assert_eq!(named("rule", true), expected(rules));
    assert_eq!(named("restriction", false), expected(restrictions));
}

#[test]
fn planted_wallets_are_nobody_elses() {
    let output = output(&Options { patterns: 2, ..options(6_000) });
    let mut owners: HashMap<String, String> = HashMap::new();
    for event in json_lines(&output.events) {
        let id = text(&event, "id");
        let owner = if id.starts_with("e-") { "everyday" } else { id.rsplit_once('-').expect("a planted id").0 };
        for name in ["wallet", "counterparty", "device"] {
            let value = text(&event, name);
            if !value.is_empty() {
                let before = owners.entry(value.to_owned()).or_insert_with(|| owner.to_owned());
                assert_eq!(before, owner, "{event}");
            }
        }
    }
}

#[test]
fn a_suspension_holds_nobody_else() {
    let output = output(&Options { patterns: 20, days: 12, ..options(200_000) });
    let events = json_lines(&output.events);
    let mut standing = false;
    let mut suspensions = 0;
    for event in &events {
        match text(event, "type") {
            "suspension_ordered" => (standing, suspensions) = (true, suspensions + 1),
            "suspension_lifted" => standing = false,
            _ => assert!(!standing || text(event, "id").starts_with("p-"), "{event}"),
        }
    }
    assert_eq!(suspensions, 20);
}

/// Few wallets and many events, so that everybody runs into the caps. The limits are those of the packs.
#[test]
fn the_background_keeps_below_every_limit() {
    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    let output = output(&options(60_000));
    let events = json_lines(&output.events);
    let transfers: Vec<&Value> = events.iter().filter(|event| event["type"] == "transfer").collect();
    let local_day = |event: &Value| (time(event) + 5 * HOUR).div_euclid(DAY);

    let mut spent: HashMap<(&str, i64), i64> = HashMap::new();
    let mut pairs: HashMap<(&str, &str, i64), u32> = HashMap::new();
    let mut equal: HashMap<(&str, i64), Vec<i64>> = HashMap::new();
    let (mut receivers, mut senders) = (HashMap::<&str, HashSet<&str>>::new(), HashMap::<&str, HashSet<&str>>::new());
    for event in &events {
        let amount = tiyn(event).unwrap_or(0);
        assert!(amount <= 60_000 * 100, "{event}");
        if matches!(text(event, "type"), "transfer" | "payment" | "redemption") {
            *spent.entry((text(event, "wallet"), local_day(event))).or_default() += amount;
        }
    }
    for event in &transfers {
        let (wallet, counterparty) = (text(event, "wallet"), text(event, "counterparty"));
        let amount = tiyn(event).expect("a transfer's amount");
        assert_ne!(wallet, counterparty);
        *pairs.entry((wallet, counterparty, amount)).or_default() += 1;
        equal.entry((wallet, amount)).or_default().push(time(event));
        receivers.entry(wallet).or_default().insert(counterparty);
        senders.entry(counterparty).or_default().insert(wallet);
    }
    assert!(spent.values().all(|sum| *sum <= 100 * 4_325 * 100));
    assert!(pairs.values().all(|count| *count <= 5));
    assert!(equal.values().all(|times| times.windows(11).all(|eleven| eleven[10] - eleven[0] > HOUR)));
    assert!(receivers.values().chain(senders.values()).all(|others| others.len() <= 10));
    assert_one_home(&events);
}

/// One device and one country for each wallet, no anonymiser, and after a failed login one that works.
fn assert_one_home(events: &[Value]) {
    let mut homes: HashMap<(&str, &str), &str> = HashMap::new();
    let mut last: HashMap<&str, &str> = HashMap::new();
    for event in events {
        let (wallet, kind) = (text(event, "wallet"), text(event, "type"));
        assert!(event["anonymous"] != true, "{event}");
        for field in ["device", "country", "client_status"] {
            let value = text(event, field);
            let home = homes.entry((wallet, field)).or_insert(value);
            if home.is_empty() {
                *home = value;
            }
            assert!(value.is_empty() || *home == value, "{event}");
        }
        if last.insert(wallet, kind).is_some_and(|last| last.ends_with("_failed")) {
            assert_eq!(kind, "login", "{event}");
        }
    }
}

#[test]
fn bad_records_stand_where_the_truth_says() {
    let kinds = bad::KINDS.len() as u64;
    let output = output(&Options { bad: 2 * kinds, ..options(1_000) });
    assert_eq!(output.summary.bad, 2 * kinds);
    let lines: Vec<&[u8]> =
        output.events.strip_suffix(b"\n").expect("a line end").split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len() as u64, 1_000 + 2 * kinds);
    let truths = json_lines(output.truth.as_bytes());
    let bad_lines: HashMap<u64, &str> =
        truths.iter().map(|truth| (truth["line"].as_u64().expect("a line"), text(truth, "bad"))).collect();
    let names: HashSet<&str> = bad_lines.values().copied().collect();
    assert_eq!((names.len() as u64, bad_lines.len() as u64), (kinds, 2 * kinds));
    let mut amounts = HashMap::new();
    for (number, line) in (1..).zip(&lines) {
        let event = serde_json::from_slice::<Value>(line).ok();
        let everyday = event.filter(|event| text(event, "id").starts_with("e-"));
        match (bad_lines.get(&number), everyday) {
            (None, Some(event)) => drop(amounts.insert(text(&event, "id").to_owned(), tiyn(&event))),
            (Some(&"another-amount"), Some(event)) => {
                let before = amounts[text(&event, "id")];
                assert!(before.is_some() && before != tiyn(&event), "line {number}");
            }
            (Some(_), None) => {}
            (bad, everyday) => panic!("line {number} is {bad:?} to the truth file and {everyday:?}"),
        }
    }
}

#[test]
fn options_out_of_bounds_are_refused_by_name() {
    let base = options(1_000);
    let cases = [
        (Options { wallets: 15, ..base.clone() }, "--wallets is 15; it must be 16 to 4194304"),
        (Options { days: 0, ..base.clone() }, "--days is 0; it must be 1 to 180"),
        (Options { days: 181, ..base.clone() }, "--days is 181"),
        (Options { start: Timestamp(0), ..base.clone() }, "--start is 1970-01-01T00:00:00Z"),
        (Options { patterns: 501, ..base.clone() }, "--patterns is 501; it must be at most 500"),
        (Options { patterns: 2, ..base.clone() }, "--events is 1000, but --patterns 2 alone takes"),
    ];
    for (options, message) in cases {
        let error = generate(&options, &mut Vec::new(), None).expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn any_options_within_bounds_work() {
    for (events, wallets, days, start) in [
        (0, 16, 1, "2018-01-01T00:00:00+06:00"),
        (1, 16, 1, "2026-03-01T12:34:56.789Z"),
        (1_500, 17, 180, "2023-12-20T00:00:00+06:00"),
        (1_500, 1_000, 3, "2024-02-28T00:00:00+06:00"),
        (1_500, 16, 31, "2199-12-01T00:00:00Z"),
    ] {
        let start = Timestamp::parse(start).expect("a time");
        let patterns = u64::from(events > 1_000);
        let options = Options { events, wallets, days, start, patterns, ..options(0) };
        let output = output(&options);
        let lines = output.events.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines as u64, events);
    }
}
