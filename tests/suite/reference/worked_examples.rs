//! Decisions worked out by hand from the specification, each quoting the sentence that it follows. They judge the
//! reference, which judges the engine; none was written down from what the reference said.

use super::{Outcome, Reference};

const HEAD: &str = r#"
timezone = "Asia/Almaty"
currency = "KZT"
[units.MCI]
"2025-01-01" = "3932"
"2026-01-01" = "4325"
[event.transfer]
requires = ["amount", "counterparty"]
[event.payment]
requires = ["amount"]
[event.login]
[event.failed]
[event.proof]
[event.order]
[event.cancel]
[event.nothing]
"#;

/// `"e1 transfer w1 10:00 amount=5 counterparty=c"` as a record; a bare time is one of 2026-03-01, in UTC.
fn record(shorthand: &str) -> String {
    let words: Vec<&str> = shorthand.split(' ').collect();
    let time = if words[3].contains('T') { words[3].to_owned() } else { format!("2026-03-01T{}", words[3]) };
    let time = if time.len() == 16 { time + ":00Z" } else { time };
    let mut record = format!(r#"{{"id":"{}","type":"{}","wallet":"{}","time":"{time}""#, words[0], words[1], words[2]);
    for word in &words[4..] {
        let (name, value) = word.split_once('=').expect("name=value");
        let quoted = if value == "true" { value.to_owned() } else { format!("\"{value}\"") };
        record += &format!(r#","{name}":{quoted}"#);
    }
    record + "}"
}

/// Feeds the events and compares what each decision says between `time` and `pack`, or the field of its reject.
fn check(pack: &str, steps: &[(&str, &str)]) {
    let text = format!("{HEAD}{pack}");
    let mut reference = Reference::new(&[&text], "p@1+0");
    for (shorthand, expected) in steps {
        let got = match reference.feed(record(shorthand).as_bytes()) {
            Outcome::Reject { field } => format!("reject {}", field.unwrap_or_default()),
            Outcome::Decision(text) => {
                let from = text.find("\"action\"").expect("every decision has an action");
                text[from..].strip_suffix(r#","pack":"p@1+0"}"#).expect("every decision ends with its pack").to_owned()
            }
        };
        assert_eq!(got, *expected, "{shorthand}");
    }
}

const ALLOW: &str = r#""action":"allow","score":0"#;
const LATE: &str = r#""action":"allow","score":0,"flags":["late"]"#;

#[test]
fn the_decision_of_section_7_is_reached_to_the_byte() {
    let pack = r#"
[restriction.suspicious]
clause = "7.13"
action = "hold"
on = ["transfer"]
lifted_by = ["proof"]
[restriction.monitoring]
action = "monitor"
on = ["transfer"]
status = "monitored"
lifted_by = ["proof"]
[[rule]]
id = "equal-transfers"
clause = "7.15(2)"
on = ["transfer"]
count = { per = ["wallet", "amount"], within = "1h", over = 1 }
score = 400
action = "hold"
restrict = ["suspicious", "monitoring"]
"#;
    let text = format!("{HEAD}{pack}");
    let mut reference = Reference::new(&[&text], "onevision@2026.1+9f2c1a7b");
    let first = reference
        .feed(record("e-9 transfer 77010000001 2026-03-01T13:14:00.000+05:00 amount=5.0 counterparty=c").as_bytes());
    let bare = r#"{"event":"e-9","type":"transfer","wallet":"77010000001","time":"2026-03-01T08:14:00Z","action":"allow","score":0,"pack":"onevision@2026.1+9f2c1a7b"}"#;
    assert_eq!(first, Outcome::Decision(bare.to_owned()));
    reference.feed(record("e-10 transfer 77010000001 2026-03-01T08:15:00Z amount=5 counterparty=c").as_bytes());
    let third = reference
        .feed(record("e-11 transfer 77010000001 2026-03-01T08:15:30.1239Z amount=5.00 counterparty=c").as_bytes());
    let full = concat!(
        r#"{"event":"e-11","type":"transfer","wallet":"77010000001","time":"2026-03-01T08:15:30.123Z","action":"hold","score":400,"#,
        r#""reasons":[{"rule":"equal-transfers","clause":"7.15(2)","action":"hold","score":400,"measured":"3","limit":"1","from":"2026-03-01T08:14:00Z"},"#,
        r#"{"restriction":"suspicious","clause":"7.13","action":"hold","since":"2026-03-01T08:15:00Z","by":"equal-transfers","by_event":"e-10"},"#,
        r#"{"restriction":"monitoring","action":"monitor","since":"2026-03-01T08:15:00Z","by":"equal-transfers","by_event":"e-10"}],"#,
        r#""restrictions":[{"name":"suspicious"},{"name":"monitoring","status":"monitored"}],"pack":"onevision@2026.1+9f2c1a7b"}"#,
    );
    assert_eq!(third, Outcome::Decision(full.to_owned()));
}

#[test]
fn a_window_holds_both_its_ends() {
    let pack = "[[rule]]\nid = 'r'\non = ['login']\ncount = { within = '1h', over = 1 }\naction = 'pin'\n";
    check(
        pack,
        &[
            ("a login w 10:00", ALLOW),
            (
                "b login w 11:00",
                r#""action":"pin","score":0,"reasons":[{"rule":"r","action":"pin","measured":"2","limit":"1","from":"2026-03-01T10:00:00Z"}]"#,
            ),
            ("c login v 12:00", ALLOW),
            ("d login v 2026-03-01T13:00:00.001Z", ALLOW),
        ],
    );
}

#[test]
fn a_late_event_gets_the_largest_window_that_holds_it() {
    // "For an event that comes late, a sliding measure is the largest over all windows of length W that hold the event."
    let pack = "[[rule]]\nid = 'r'\non = ['login']\ncount = { within = '1h', over = 2 }\n";
    check(
        pack,
        &[
            ("a login w 10:00", ALLOW),
            ("b login w 11:00", ALLOW),
            // [10:00, 11:00] holds three; the window that ends at 10:30 two.
            (
                "c login w 10:30",
                r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"3","limit":"2","from":"2026-03-01T10:00:00Z"}],"flags":["late"]"#,
            ),
            // [10:30, 11:30] holds three.
            (
                "d login w 11:30",
                r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"3","limit":"2","from":"2026-03-01T10:30:00Z"}]"#,
            ),
            // [10:30, 11:30] holds four; 10:00 is more than W + lateness behind 11:30, so [10:00, 11:00] has lost one.
            (
                "e login w 10:59",
                r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"4","limit":"2","from":"2026-03-01T10:30:00Z"}],"flags":["late"]"#,
            ),
        ],
    );
}

#[test]
fn of_windows_that_tie_the_earliest_gives_from() {
    let pack = "[[rule]]\nid = 'r'\non = ['login']\ncount = { within = '10m', over = 1 }\n";
    check(
        pack,
        &[
            ("a login w 10:00", ALLOW),
            ("b login w 10:13", ALLOW),
            // [10:00, 10:10] and [10:05, 10:15] hold two each.
            (
                "c login w 10:08",
                r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"2","limit":"1","from":"2026-03-01T10:00:00Z"}]"#,
            ),
        ],
    );
}

#[test]
fn what_is_more_than_w_and_lateness_behind_is_gone() {
    // W + lateness is 15 min: at newest 10:15, 10:00 is left and 09:59:59.999 is gone.
    let pack = "[[rule]]\nid = 'r'\non = ['login']\ncount = { within = '10m', over = 1 }\n";
    let two = |from: &str| {
        format!(
            r#""action":"allow","score":0,"reasons":[{{"rule":"r","action":"allow","measured":"2","limit":"1","from":"{from}"}}],"flags":["late"]"#
        )
    };
    check(
        pack,
        &[("a login w 10:00", ALLOW), ("b nothing w 10:15", ALLOW), ("c login w 10:05", &two("2026-03-01T10:00:00Z"))],
    );
    check(
        pack,
        &[("a login w 2026-03-01T09:59:59.999Z", ALLOW), ("b nothing w 10:15", ALLOW), ("c login w 10:05", LATE)],
    );
    // An event behind the bound counts itself and is not remembered.
    check(
        pack,
        &[("b nothing w 10:15", ALLOW), ("a login w 2026-03-01T09:59:59.999Z", LATE), ("c login w 10:05", LATE)],
    );
}

#[test]
fn late_is_judged_within_the_key_of_the_measure() {
    // Without the wallet in `per`, another wallet's or another rule's events do not age the key.
    let pack = "[[rule]]\nid = 'r'\non = ['login']\ncount = { per = ['ip'], within = '10m', over = 1 }\n";
    check(
        pack,
        &[
            ("a login w 10:00 ip=1.1.1.1", ALLOW),
            ("b login w 12:00 ip=2.2.2.2", ALLOW),
            (
                "c login w 10:05 ip=::ffff:1.1.1.1",
                r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"2","limit":"1","from":"2026-03-01T10:00:00Z"}],"flags":["late"]"#,
            ),
        ],
    );
}

#[test]
fn over_is_strict_and_a_unit_is_taken_at_the_events_local_date() {
    let pack = "[[rule]]\nid = 'r'\non = ['payment']\nsum = { of = 'amount', within = 'calendar day', over = '100 MCI' }\naction = 'pin'\n";
    check(
        pack,
        &[
            // 393 200 on 2025-12-31, 432 500 from local midnight, 19:00 UTC.
            ("a payment w 2025-12-31T18:59:59.999Z amount=393200", ALLOW),
            (
                "b payment w 2025-12-31T18:59:59.999Z amount=0.01",
                r#""action":"pin","score":0,"reasons":[{"rule":"r","action":"pin","measured":"393200.01","limit":"393200","from":"2025-12-30T19:00:00Z"}]"#,
            ),
            ("c payment w 2025-12-31T19:00:00Z amount=432500", ALLOW),
            (
                "d payment w 2025-12-31T19:00:00Z amount=0.10",
                r#""action":"pin","score":0,"reasons":[{"rule":"r","action":"pin","measured":"432500.1","limit":"432500","from":"2025-12-31T19:00:00Z"}]"#,
            ),
        ],
    );
    // "A unit before its first date is unknown, and what needs it is false."
    check(pack, &[("a payment w 2024-12-30T00:00:00Z amount=999999999", ALLOW)]);
}

#[test]
fn a_calendar_measure_holds_its_period_before_and_after_the_event() {
    // The current and the previous day are kept; the day before is gone, and an event of it is measured alone.
    let pack = "[[rule]]\nid = 'r'\non = ['login']\ncount = { within = 'calendar day', over = 1 }\n";
    let two = |from: &str, flags: &str| {
        format!(
            r#""action":"allow","score":0,"reasons":[{{"rule":"r","action":"allow","measured":"2","limit":"1","from":"{from}"}}]{flags}"#
        )
    };
    let late = r#","flags":["late"]"#;
    check(
        pack,
        &[
            ("a login w 2026-03-01T10:00:00Z", ALLOW),
            ("b login w 2026-03-01T09:00:00Z", &two("2026-02-28T19:00:00Z", late)),
            ("c login w 2026-03-02T10:00:00Z", ALLOW),
            ("d login w 2026-03-03T10:00:00Z", ALLOW),
            ("e login w 2026-03-01T11:00:00Z", LATE),
            ("f login w 2026-03-01T11:30:00Z", LATE),
            ("g login w 2026-03-02T09:00:00Z", &two("2026-03-01T19:00:00Z", late)),
        ],
    );
}

#[test]
fn accepted_leaves_out_what_was_refused_or_blocked() {
    let pack = r#"
[[rule]]
id = "refuse"
on = ["payment"]
when = "amount > 100"
action = "refuse"
[[rule]]
id = "sum"
on = ["payment"]
sum = { of = "amount", within = "1h", over = 150 }
counts = "accepted"
"#;
    check(
        pack,
        &[
            (
                "a payment w 10:00 amount=101",
                r#""action":"refuse","score":0,"reasons":[{"rule":"refuse","action":"refuse"}]"#,
            ),
            ("b payment w 10:01 amount=100", ALLOW),
            // The event itself is measured, though it will be refused.
            (
                "c payment w 10:02 amount=101",
                r#""action":"refuse","score":0,"reasons":[{"rule":"refuse","action":"refuse"},{"rule":"sum","action":"allow","measured":"201","limit":"150","from":"2026-03-01T10:01:00Z"}]"#,
            ),
            ("d payment w 10:03 amount=50", ALLOW),
        ],
    );
}

#[test]
fn distinct_counts_values_and_needs_them() {
    let pack = "[[rule]]\nid = 'r'\non = ['transfer', 'payment']\ndistinct = { of = 'counterparty', within = '1h', over = 1 }\n";
    check(
        pack,
        &[
            ("a transfer w 10:00 amount=1 counterparty=x", ALLOW),
            ("b transfer w 10:01 amount=1 counterparty=x", ALLOW),
            ("c payment w 10:02 amount=1", ALLOW),
            (
                "d transfer w 10:03 amount=1 counterparty=y",
                r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"2","limit":"1","from":"2026-03-01T10:00:00Z"}]"#,
            ),
        ],
    );
}

#[test]
fn change_is_judged_against_both_neighbours() {
    let pack = "[[rule]]\nid = 'r'\non = ['login']\nchange = { of = 'country', within = '2h' }\n";
    let changed = |new: &str, old: &str, from: &str, flags: &str| {
        format!(
            r#""action":"allow","score":0,"reasons":[{{"rule":"r","action":"allow","measured":"{new}","limit":"{old}","from":"2026-03-01T{from}:00Z"}}]{flags}"#
        )
    };
    let late = r#","flags":["late"]"#;
    check(
        pack,
        &[
            ("a login w 10:00 country=KZ", ALLOW),
            ("b login w 11:00", ALLOW),
            ("c login w 12:00 country=RU", &changed("RU", "KZ", "10:00", "")),
            // Both differ: the earlier is named.
            ("d login w 11:00 country=CN", &changed("CN", "KZ", "10:00", late)),
            // The earlier, d, is the same; the later differs.
            ("e login w 11:30 country=CN", &changed("CN", "RU", "12:00", late)),
            ("f login w 2026-03-01T14:00:00.001Z country=KZ", ALLOW),
        ],
    );
}

#[test]
fn a_streak_counts_in_a_row_and_is_reset() {
    let pack = "[[rule]]\nid = 'r'\non = ['failed']\nstreak = { reset = ['login'], within = '1h', from = 2 }\n";
    let row = |length: u32, from: &str, flags: &str| {
        format!(
            r#""action":"allow","score":0,"reasons":[{{"rule":"r","action":"allow","measured":"{length}","limit":"2","from":"2026-03-01T{from}:00Z"}}]{flags}"#
        )
    };
    check(
        pack,
        &[
            ("a failed w 10:00", ALLOW),
            ("b failed w 11:00", &row(2, "10:00", "")),
            // "An event older than the streak's last counts, however late, without changing its time."
            ("c failed w 10:30", &row(3, "10:00", r#","flags":["late"]"#)),
            ("d failed w 12:00", &row(4, "10:00", "")),
            ("e login w 12:01", ALLOW),
            ("f failed w 12:02", ALLOW),
            ("g failed w 2026-03-01T13:02:00.001Z", ALLOW),
            ("h failed w 09:00", &row(2, "09:00", r#","flags":["late"]"#)),
        ],
    );
}

#[test]
fn a_streak_is_let_go_when_its_last_event_is() {
    // The row's last is at 10:00 and W + lateness is 65 min: with the wallet at 11:05 it is left, a millisecond on it is gone.
    let pack = "[[rule]]\nid = 'r'\non = ['failed']\nstreak = { within = '1h', from = 2 }\n";
    let row = r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"2","limit":"2","from":"2026-03-01T10:00:00Z"}],"flags":["late"]"#;
    check(pack, &[("a failed w 10:00", ALLOW), ("b nothing w 11:05", ALLOW), ("c failed w 10:30", row)]);
    check(
        pack,
        &[("a failed w 10:00", ALLOW), ("b nothing w 2026-03-01T11:05:00.001Z", ALLOW), ("c failed w 10:30", LATE)],
    );
}

#[test]
fn with_at_a_streak_starts_afresh() {
    let pack = "[[rule]]\nid = 'r'\non = ['failed']\nstreak = { within = '1h', at = 2 }\naction = 'block'\n";
    let fires = |from: &str| {
        format!(
            r#""action":"block","score":0,"reasons":[{{"rule":"r","action":"block","measured":"2","limit":"2","from":"2026-03-01T{from}:00Z"}}]"#
        )
    };
    check(
        pack,
        &[
            ("a failed w 10:00", ALLOW),
            ("b failed w 10:01", &fires("10:00")),
            ("c failed w 10:02", ALLOW),
            ("d failed w 10:03", &fires("10:02")),
        ],
    );
    // "With `accepted`, an `at`-th event that was refused or blocked is forgotten, and the next one fires again."
    let accepted = format!("{pack}counts = 'accepted'\n");
    check(
        &accepted,
        &[("a failed w 10:00", ALLOW), ("b failed w 10:01", &fires("10:00")), ("c failed w 10:02", &fires("10:00"))],
    );
    // "`valid_from` limits firing, not memory, nor a streak's restart": local midnight is 19:00 UTC.
    let valid = format!("{pack}valid_from = 2026-03-02\n");
    check(
        &valid,
        &[
            ("a failed w 18:58", ALLOW),
            ("b failed w 18:59", ALLOW),
            ("c failed w 19:00", ALLOW),
            ("d failed w 19:01", &fires("19:00")),
        ],
    );
}

#[test]
fn new_asks_for_another_value_in_the_span() {
    let pack = "[[rule]]\nid = 'r'\non = ['login']\nnew = { of = 'device', within = '1h' }\n";
    let new = |value: &str, flags: &str| {
        format!(r#""action":"allow","score":0,"reasons":[{{"rule":"r","action":"allow","measured":"{value}"}}]{flags}"#)
    };
    check(
        pack,
        &[
            ("a login w 10:00 device=x", ALLOW),
            ("b login w 10:30 device=y", &new("y", "")),
            ("c login w 11:00 device=x", ALLOW),
            ("d login w 11:31 device=y", &new("y", "")),
            // [10:29, 11:29] holds y at 10:30 and x at 11:00, not the z to come.
            ("e login w 11:29 device=z", &new("z", "")),
            ("f login w 13:00 device=q", ALLOW),
        ],
    );
}

#[test]
fn idle_compares_with_the_newest_before_it() {
    let pack = "[[rule]]\nid = 'r'\non = ['payment']\nidle = { since = ['login', 'payment'], over = '1 month' }\n";
    check(
        pack,
        &[
            // A wallet never seen is not idle.
            ("a payment w 2026-01-31T10:00:00Z amount=1", ALLOW),
            ("b payment w 2026-02-28T10:00:00Z amount=1", ALLOW),
            (
                "c payment w 2026-03-28T10:00:00.001Z amount=1",
                r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"2026-02-28T10:00:00Z","limit":"1 month"}]"#,
            ),
            ("d nothing w 2026-05-01T10:00:00Z", ALLOW),
            ("e login w 2026-05-01T10:00:00Z", ALLOW),
            ("f payment w 2026-05-01T11:00:00Z amount=1", ALLOW),
        ],
    );
}

#[test]
fn after_sees_what_came_at_most_within_before() {
    let pack = "[[rule]]\nid = 'r'\non = ['payment']\nafter = { of = ['login'], within = '1h' }\naction = 'hold'\n";
    check(
        pack,
        &[
            ("a login w 10:00", ALLOW),
            ("b payment w 11:00 amount=1", r#""action":"hold","score":0,"reasons":[{"rule":"r","action":"hold"}]"#),
            ("c payment w 2026-03-01T11:00:00.001Z amount=1", ALLOW),
            ("d payment w 2026-03-01T09:59:59.999Z amount=1", LATE),
            ("e payment v 11:00 amount=1", ALLOW),
        ],
    );
}

#[test]
fn a_sliding_window_in_months_holds_what_reaches_the_event() {
    // Jan 31 10:00 + 1 month is Feb 28 10:00 in Almaty.
    let pack = "[[rule]]\nid = 'r'\non = ['login']\ncount = { within = '1 month', over = 1 }\n";
    let two = r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"2","limit":"1","from":"2026-01-31T05:00:00Z"}]"#;
    check(pack, &[("a login w 2026-01-31T10:00:00+05:00", ALLOW), ("b login w 2026-02-28T10:00:00+05:00", two)]);
    check(pack, &[("a login w 2026-01-31T10:00:00+05:00", ALLOW), ("b login w 2026-02-28T10:00:00.001+05:00", ALLOW)]);
}

#[test]
fn a_duplicate_is_answered_as_the_first_and_a_conflict_rejected() {
    let pack = "[restriction.held]\naction = 'hold'\non = ['payment']\nimposed_by = ['order']\nlasts = '30m'\n[[rule]]\nid = 'r'\non = ['payment']\ncount = { within = '2h', over = 1 }\nscore = 7\naction = 'pin'\n";
    let standing = r#"{"restriction":"held","action":"hold","since":"2026-03-01T10:01:00Z","until":"2026-03-01T10:31:00Z","by":"order","by_event":"o"}"#;
    let second = format!(
        r#""action":"hold","score":7,"reasons":[{{"rule":"r","action":"pin","score":7,"measured":"2","limit":"1","from":"2026-03-01T10:00:00Z"}},{standing}],"restrictions":[{{"name":"held"}}]"#
    );
    check(
        pack,
        &[
            ("a payment w 10:00 amount=1", ALLOW),
            ("o order w 10:01", r#""action":"allow","score":0,"restrictions":[{"name":"held"}]"#),
            ("b payment w 10:02 amount=1", &second),
            (
                "b payment w 10:02 amount=1.00",
                r#""action":"hold","score":7,"restrictions":[{"name":"held"}],"flags":["duplicate"]"#,
            ),
            // "The restrictions that stand at its own time, and no other flag"; it releases nothing.
            ("b payment w 12:02 amount=1", r#""action":"hold","score":7,"flags":["duplicate"]"#),
            ("b payment w 10:02 amount=2", "reject id"),
            ("b transfer w 10:02 amount=1 counterparty=c", "reject id"),
            ("b payment v 10:02 amount=2", ALLOW),
        ],
    );
}

#[test]
fn an_id_is_remembered_for_dedup_behind_the_newest() {
    let pack = "[[rule]]\nid = 'r'\non = ['login']\ncount = { within = '1d', over = 1 }\n";
    let duplicate = r#""action":"allow","score":0,"flags":["duplicate"]"#;
    check(
        pack,
        &[
            ("a login w 10:00", ALLOW),
            ("n nothing w 11:00", ALLOW),
            ("a login w 10:00", duplicate),
            ("a nothing w 10:00", "reject id"),
        ],
    );
    let again = r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow","measured":"2","limit":"1","from":"2026-03-01T10:00:00Z"}],"flags":["late"]"#;
    let third = again.replace("\"2\"", "\"3\"");
    // A millisecond on it is a new event, and one that comes so late is not remembered either.
    let pack = pack.replace("1d", "24h");
    check(
        &pack,
        &[
            ("a login w 10:00", ALLOW),
            ("n nothing w 2026-03-01T11:00:00.001Z", ALLOW),
            ("a login w 10:00", again),
            ("a login w 10:00", &third),
        ],
    );
}

#[test]
fn seven_days_behind_the_newest_is_too_far() {
    check(
        "",
        &[
            ("a login w 2026-03-08T10:00:00Z", ALLOW),
            ("b login v 2026-03-01T10:00:00Z", ALLOW),
            ("c login v 2026-03-01T09:59:59.999Z", "reject time"),
            // A duplicate is found before any bound is judged.
            ("b login v 2026-02-01T10:00:00Z", r#""action":"allow","score":0,"flags":["duplicate"]"#),
        ],
    );
}

#[test]
fn late_is_more_than_five_minutes_behind_the_wallet() {
    check(
        "",
        &[
            ("a login w 10:05", ALLOW),
            ("b login w 10:00", ALLOW),
            ("c login w 2026-03-01T09:59:59.999Z", LATE),
            ("d login v 09:00", ALLOW),
        ],
    );
}

#[test]
fn scores_add_up_are_capped_and_reach_bands() {
    let pack = r#"
[score]
monitor = 300
block = 1000
[[rule]]
id = "small"
on = ["payment"]
score = 300
[[rule]]
id = "large"
on = ["payment"]
when = "amount > 10"
score = 900
[[rule]]
id = "shade"
on = ["payment"]
mode = "shadow"
score = 900
action = "block"
[[rule]]
id = "out"
on = ["payment"]
mode = "off"
action = "block"
"#;
    let shadow = r#""shadow":[{"rule":"shade","action":"block","score":900}]"#;
    check(
        pack,
        &[
            (
                "a payment w 10:00 amount=1",
                &format!(
                    r#""action":"monitor","score":300,"reasons":[{{"rule":"small","action":"allow","score":300}}],{shadow}"#
                ),
            ),
            (
                "b payment w 10:00 amount=11",
                &format!(
                    r#""action":"block","score":1000,"reasons":[{{"rule":"small","action":"allow","score":300}},{{"rule":"large","action":"allow","score":900}}],{shadow}"#
                ),
            ),
        ],
    );
}

const HELD: &str = r#"
[restriction.held]
action = "hold"
on = ["payment"]
imposed_by = ["order"]
lasts = "1h"
lifted_by = ["proof"]
cancelled_by = ["cancel"]
"#;

fn held(by: &str, flags: &str) -> String {
    format!(
        r#""action":"hold","score":0,"reasons":[{{"restriction":"held","action":"hold","since":"2026-03-01T10:00:00Z","until":"2026-03-01T11:00:00Z","by":"order","by_event":"{by}"}}],"restrictions":[{{"name":"held"}}]{flags}"#
    )
}

#[test]
fn what_waited_is_released_cancelled_or_expired_once() {
    let bears = r#""action":"allow","score":0,"restrictions":[{"name":"held"}]"#;
    let start = |last: (&'static str, &'static str)| {
        let held = held("o", "");
        check(
            HELD,
            &[
                ("o order w 10:00", bears),
                ("b payment w 10:10 amount=1", &held),
                ("a payment w 10:09 amount=1", &held),
                last,
                ("z nothing w 12:00", ALLOW),
            ],
        );
    };
    start(("p proof w 10:20", r#""action":"allow","score":0,"released":["a","b"]"#));
    start(("c cancel w 10:20", r#""action":"allow","score":0,"cancelled":["a","b"]"#));
    start(("n nothing w 11:00", r#""action":"allow","score":0,"expired":["a","b"]"#));
    // A signal that comes at the end or later does not lift: what waited has expired.
    start(("p proof w 11:00", r#""action":"allow","score":0,"expired":["a","b"]"#));
    start(("c cancel w 11:01", r#""action":"allow","score":0,"expired":["a","b"]"#));
}

#[test]
fn the_end_goes_by_event_time_and_lifting_by_arrival() {
    let bears = r#""action":"allow","score":0,"restrictions":[{"name":"held"}]"#;
    check(
        HELD,
        &[
            ("o order w 10:00", bears),
            ("a payment w 2026-03-01T10:59:59.999Z amount=1", &held("o", "")),
            ("n nothing w 11:30", r#""action":"allow","score":0,"expired":["a"]"#),
            // It has run out for 11:30, yet it stands for what is older than its end, and for what is older than its beginning.
            ("b payment w 10:58 amount=1", &held("o", r#","flags":["late"]"#)),
            ("c payment w 09:00 amount=1", &held("o", r#","flags":["late"]"#)),
            ("p proof w 11:31", r#""action":"allow","score":0,"expired":["c","b"]"#),
            ("d payment w 10:58 amount=1", LATE),
        ],
    );
}

#[test]
fn imposed_again_it_keeps_its_end_unless_it_renews() {
    let bears = r#""action":"allow","score":0,"restrictions":[{"name":"held"}]"#;
    let steps = |last: &str| {
        let pack = if last.contains("11:30") {
            HELD.replace("lifted_by", "renews = true\nlifted_by")
        } else {
            HELD.to_owned()
        };
        check(&pack, &[("o order w 10:00", bears), ("q order w 10:30", bears), ("a payment w 10:31 amount=1", last)]);
    };
    steps(&held("o", ""));
    steps(&held("o", "").replace("T11:00", "T11:30"));
    // Once it has run out, it is a new one.
    let anew = held("q", "").replace("T11:00", "T12:00").replace("T10:00", "T11:00");
    check(HELD, &[("o order w 10:00", bears), ("q order w 11:00", bears), ("a payment w 11:01 amount=1", &anew)]);
}

#[test]
fn incoming_restrictions_stop_what_goes_to_the_wallet() {
    let pack = "[restriction.closed]\naction = 'block'\non = ['transfer']\nimposed_by = ['order']\nlifted_by = ['proof']\nincoming = true\n";
    let reason = |of: &str| {
        format!(
            r#""action":"block","score":0,"reasons":[{{"restriction":"closed",{of}"action":"block","since":"2026-03-01T10:00:00Z","by":"order","by_event":"o"}}]"#
        )
    };
    let bears = r#","restrictions":[{"name":"closed"}]"#;
    check(
        pack,
        &[
            ("o order w 10:00", &format!(r#""action":"allow","score":0{bears}"#)),
            ("a transfer v 10:01 amount=1 counterparty=w", &reason(r#""of":"counterparty","#)),
            ("b transfer w 10:02 amount=1 counterparty=v", &format!("{}{bears}", reason(""))),
            ("c transfer w 10:03 amount=1 counterparty=w", &format!("{}{bears}", reason(""))),
            ("d transfer v 10:04 amount=1 counterparty=u", ALLOW),
        ],
    );
}

#[test]
fn addresses_and_everyone_bear_restrictions_too() {
    let pack = r#"
[restriction.lockout]
action = "block"
target = "ip"
on = ["login"]
lasts = "24h"
[restriction.suspension]
action = "hold"
target = "all"
on = ["payment"]
imposed_by = ["order"]
lifted_by = ["proof"]
[[rule]]
id = "r"
on = ["failed"]
streak = { within = "1h", at = 2 }
restrict = "lockout"
"#;
    let fired = r#""reasons":[{"rule":"r","action":"allow","measured":"2","limit":"2","from":"2026-03-01T10:00:00Z"}]"#;
    let lockout = r#"{"restriction":"lockout","of":"ip","action":"block","since":"2026-03-01T10:01:00Z","until":"2026-03-02T10:01:00Z","by":"r","by_event":"b"}"#;
    let suspension = r#"{"restriction":"suspension","of":"all","action":"hold","since":"2026-03-01T10:04:00Z","by":"order","by_event":"f"}"#;
    check(
        pack,
        &[
            ("a failed w 10:00", ALLOW),
            (
                "b failed w 10:01 ip=1.2.3.4",
                &format!(r#""action":"allow","score":0,{fired},"restrictions":[{{"name":"lockout"}}]"#),
            ),
            (
                "c login v 10:02 ip=::ffff:1.2.3.4",
                &format!(r#""action":"block","score":0,"reasons":[{lockout}],"restrictions":[{{"name":"lockout"}}]"#),
            ),
            ("d login w 10:03 ip=1.2.3.5", ALLOW),
            ("f order u 10:04", r#""action":"allow","score":0,"restrictions":[{"name":"suspension"}]"#),
            (
                "g payment w 10:05 amount=1",
                &format!(
                    r#""action":"hold","score":0,"reasons":[{suspension}],"restrictions":[{{"name":"suspension"}}]"#
                ),
            ),
            // Nobody waits for a restriction on all.
            ("h proof w 10:06", ALLOW),
        ],
    );
}

#[test]
fn a_confirmed_rule_is_silent_for_the_rest_of_its_day() {
    let pack = r#"
[restriction.daily]
action = "pin"
on = ["payment"]
lasts = "calendar day"
lifted_by = ["proof"]
confirms = true
[[rule]]
id = "r"
on = ["payment"]
sum = { of = "amount", within = "calendar day", over = 10 }
action = "pin"
counts = "accepted"
restrict = "daily"
"#;
    let fired = |measured: u32, from: &str| {
        format!(
            r#""action":"pin","score":0,"reasons":[{{"rule":"r","action":"pin","measured":"{measured}","limit":"10","from":"{from}"}}"#
        )
    };
    let first = format!(r#"{}],"restrictions":[{{"name":"daily"}}]"#, fired(11, "2026-02-28T19:00:00Z"));
    let second = format!(
        r#"{},{{"restriction":"daily","action":"pin","since":"2026-03-01T10:00:00Z","until":"2026-03-01T19:00:00Z","by":"r","by_event":"a"}}],"restrictions":[{{"name":"daily"}}]"#,
        fired(12, "2026-02-28T19:00:00Z")
    );
    let next_day = format!(r#"{}],"restrictions":[{{"name":"daily"}}]"#, fired(11, "2026-03-01T19:00:00Z"));
    check(
        pack,
        &[
            ("a payment w 10:00 amount=11", &first),
            ("b payment w 10:01 amount=1", &second),
            ("p proof w 10:02", r#""action":"allow","score":0,"released":["a","b"]"#),
            ("c payment w 18:59 amount=500", ALLOW),
            ("d payment w 19:00 amount=11", &next_day),
        ],
    );
}

#[test]
fn an_operation_waits_until_the_last_restriction_is_gone() {
    let pack = r#"
[restriction.one]
action = "hold"
on = ["payment"]
imposed_by = ["order"]
lifted_by = ["proof"]
[restriction.two]
action = "hold"
on = ["transfer"]
cancelled_by = ["cancel"]
[[rule]]
id = "r"
on = ["payment"]
restrict = "two"
"#;
    let held = r#""action":"hold","score":0,"reasons":[{"rule":"r","action":"allow"},{"restriction":"one","action":"hold","since":"2026-03-01T10:00:00Z","by":"order","by_event":"o"}],"restrictions":[{"name":"one"},{"name":"two"}]"#;
    check(
        pack,
        &[
            ("o order w 10:00", r#""action":"allow","score":0,"restrictions":[{"name":"one"}]"#),
            ("a payment w 10:01 amount=1", held),
            ("c cancel w 10:02", r#""action":"allow","score":0,"restrictions":[{"name":"one"}]"#),
            ("p proof w 10:03", r#""action":"allow","score":0,"cancelled":["a"]"#),
        ],
    );
}

#[test]
fn only_the_newest_64_waiting_operations_are_remembered() {
    let text = format!("{HEAD}{HELD}");
    let mut reference = Reference::new(&[&text], "p");
    reference.feed(record("o order w 10:00").as_bytes());
    for number in 0..65 {
        reference
            .feed(record(&format!("e{number} payment w 2026-03-01T10:01:{:02}Z amount=1", number % 60)).as_bytes());
    }
    let Outcome::Decision(text) = reference.feed(record("p proof w 10:30").as_bytes()) else {
        panic!("a signal is decided")
    };
    // e0 and e60 share the oldest second; e0 arrived first, so it is the forgotten one.
    assert!(text.contains(r#""released":["e60","e1","e61","e2","e62","e3","e63","e4","e64","e5","e6","#), "{text}");
    assert!(text.contains(r#""e59"],"waiting_forgotten":true,"pack""#), "{text}");
}

#[test]
fn client_status_is_the_last_one_stated() {
    let pack = "[[rule]]\nid = 'r'\non = ['payment']\nwhen = \"client_status == 'identified'\"\n";
    let fires = r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow"}]"#;
    check(
        pack,
        &[
            ("a payment w 10:00 amount=1", ALLOW),
            ("b login w 10:01 client_status=identified", ALLOW),
            ("c payment w 10:02 amount=1", fires),
            ("d payment w 10:03 amount=1 client_status=unregistered", ALLOW),
            (
                "d payment w 10:03 amount=1 client_status=identified",
                r#""action":"allow","score":0,"flags":["duplicate"]"#,
            ),
            ("e payment w 10:04 amount=1", ALLOW),
            // By arrival, though it is older.
            ("f nothing w 10:00 client_status=identified", ALLOW),
            ("g payment w 10:05 amount=1", fires),
        ],
    );
}

#[test]
fn what_the_address_tells_fills_what_the_producer_leaves_out() {
    let text = format!(
        "{HEAD}[[rule]]\nid = 'r'\non = ['login']\nwhen = \"anonymous && country == 'DE'\"\naction = 'monitor'\n"
    );
    let mut reference =
        Reference::new(&[&text], "p").with_geo(|_| Some("DE".to_owned()), |address| Some(address.is_ipv4()));
    let mut action = |shorthand: &str| match reference.feed(record(shorthand).as_bytes()) {
        Outcome::Decision(text) => text.contains("monitor"),
        Outcome::Reject { field } => panic!("{field:?}"),
    };
    assert!(action("a login w 10:00 ip=1.1.1.1"));
    assert!(!action("b login w 10:00 ip=1.1.1.1 country=KZ"));
    assert!(!action("c login w 10:00 ip=2001:db8::1"));
    assert!(action("d login w 10:00 ip=2001:db8::1 anonymous=true"));
    assert!(!action("e login w 10:00"));
}

#[test]
fn lists_hold_plain_and_expiring_entries() {
    let pack = r#"
[lists]
mules = ["x", { value = "y", until = 2026-03-01T10:00:00Z, note = "until ten" }]
shared = ["10.0.0.0/8"]
[[rule]]
id = "r"
on = ["transfer"]
when = "counterparty in lists.mules || ip in lists.shared"
"#;
    let fires = r#""action":"allow","score":0,"reasons":[{"rule":"r","action":"allow"}]"#;
    check(
        pack,
        &[
            ("a transfer w 09:59 amount=1 counterparty=y", fires),
            ("b transfer w 10:00 amount=1 counterparty=y", ALLOW),
            ("c transfer w 10:00 amount=1 counterparty=x", fires),
            ("d transfer w 10:00 amount=1 counterparty=z ip=10.9.9.9", fires),
            ("e transfer w 10:00 amount=1 counterparty=z ip=11.9.9.9", ALLOW),
        ],
    );
}

#[test]
fn lasting_six_months_or_a_calendar_day_follows_the_calendar() {
    let pack = "[restriction.long]\naction = 'monitor'\non = ['payment']\nimposed_by = ['order']\nlasts = '6 months'\n[restriction.day]\naction = 'pin'\non = ['payment']\nimposed_by = ['proof']\nlasts = 'calendar day'\n";
    check(
        pack,
        &[
            ("o order w 2023-08-31T10:00:00+06:00", r#""action":"allow","score":0,"restrictions":[{"name":"long"}]"#),
            (
                "p proof w 2024-02-29T05:00:00+06:00",
                r#""action":"allow","score":0,"restrictions":[{"name":"long"},{"name":"day"}]"#,
            ),
            (
                "a payment w 2024-02-29T09:59:59.999+06:00 amount=1",
                concat!(
                    r#""action":"pin","score":0,"reasons":["#,
                    r#"{"restriction":"long","action":"monitor","since":"2023-08-31T04:00:00Z","until":"2024-02-29T04:00:00Z","by":"order","by_event":"o"},"#,
                    r#"{"restriction":"day","action":"pin","since":"2024-02-28T23:00:00Z","until":"2024-02-29T19:00:00Z","by":"proof","by_event":"p"}],"#,
                    r#""restrictions":[{"name":"long"},{"name":"day"}]"#,
                ),
            ),
            ("b nothing w 2024-02-29T10:00:00+06:00", r#""action":"allow","score":0,"restrictions":[{"name":"day"}]"#),
            ("c nothing w 2024-02-29T19:00:00Z", r#""action":"allow","score":0,"expired":["a"]"#),
        ],
    );
}
