//! Records as a producer might word them: the same value in several writings, fields in any order, and on demand one
//! fault and only one, so that the field at fault is known.

use chrono::{DateTime, Datelike, Days, FixedOffset, Months, NaiveTime, TimeZone};

use super::{DAY, HOUR, Random};

pub const WALLETS: &[&str] = &["77010000001", "77010000002", "77010000003"];
const COUNTERPARTIES: &[&str] = &["77010000001", "77010000002", "77010000003", "7702", "7703"];
const ADDRESSES: &[&str] = &["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2", "192.0.2.7", "2001:db8::1", "2001:DB8:0:0::1"];
const AMOUNTS: &[&str] = &["50", "100", "100.0", "100.00", "150", "150.01", "200.5", "301", "1000"];

/// Types with what they require, as every random pack declares them.
pub const OPERATIONS: &[&str] = &["transfer", "payment", "topup"];
pub const OTHERS: &[&str] = &["login", "login_failed", "status_changed", "time_passed"];
pub const SIGNALS: &[&str] = &[
    "alarm_raised",
    "block_ordered",
    "unblock_ordered",
    "proof_given",
    "pin_confirmed",
    "cancel_ordered",
    "address_freed",
];

/// A signal that comes so seldom that more operations wait for it than are remembered.
pub const CROWD_SIGNAL: &str = "doors_opened";

pub fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "transfer" => &["amount", "counterparty"],
        "payment" | "topup" => &["amount"],
        "status_changed" => &["client_status"],
        "address_freed" => &["ip"],
        _ => &[],
    }
}

pub fn instant(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).expect("written here").timestamp_millis()
}

/// Almaty's offset in hours, as far back as the streams go.
fn almaty_hours(time: i64) -> i32 {
    if time < instant("2024-02-29T18:00:00Z") { 6 } else { 5 }
}

fn local(time: i64, hours: i32) -> DateTime<FixedOffset> {
    let offset = FixedOffset::east_opt(hours * 3600).expect("hours of a day");
    offset.timestamp_millis_opt(time).single().expect("four-digit years")
}

pub fn next_local_midnight(time: i64) -> i64 {
    let tomorrow = local(time, almaty_hours(time)).date_naive() + Days::new(1);
    let guess = tomorrow.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    guess - i64::from(almaty_hours(guess - 5 * HOUR)) * HOUR
}

/// The same local time a month on.
pub fn month_later(time: i64) -> i64 {
    let later = local(time, almaty_hours(time)).naive_local() + Months::new(1);
    let guess = later.and_utc().timestamp_millis();
    guess - i64::from(almaty_hours(guess - 6 * HOUR)) * HOUR
}

/// 23:30 of a day by Almaty: the time that 2024-02-29 had twice, and late on the last days of a month.
pub fn late_evening(time: i64) -> i64 {
    let here = local(time, almaty_hours(time));
    let ahead = if here.month() == 1 { 29u32.saturating_sub(here.day()) } else { 0 };
    next_local_midnight(time) + i64::from(ahead) * DAY - HOUR / 2
}

/// How a record is worded.
pub struct Wording {
    offset_hours: i32,
    negative_zero: bool,
    digits: usize,
    rotated: usize,
    unknown_field: bool,
    escaped: bool,
}

impl Wording {
    pub const PLAIN: Wording =
        Wording { offset_hours: 0, negative_zero: false, digits: 3, rotated: 0, unknown_field: false, escaped: false };

    pub fn random(random: &mut Random) -> Wording {
        Wording {
            offset_hours: random.pick(&[0, 0, 5, 6, -3]),
            negative_zero: random.chance(10),
            digits: random.pick(&[0, 3, 3, 6, 9]),
            rotated: if random.chance(30) { random.below(6) } else { 0 },
            unknown_field: random.chance(10),
            escaped: random.chance(5),
        }
    }
}

pub fn print_time(time: i64, wording: &Wording) -> String {
    let local = local(time, wording.offset_hours);
    let millisecond = time.rem_euclid(1000);
    let fraction = match wording.digits {
        0..3 if millisecond == 0 => String::new(),
        0..=3 => format!(".{millisecond:03}"),
        more => format!(".{millisecond:03}{}", "9".repeat(more - 3)),
    };
    let offset = match wording.offset_hours {
        0 if wording.negative_zero => "-00:00".to_owned(),
        0 => "Z".to_owned(),
        hours => format!("{}{:02}:00", if hours < 0 { '-' } else { '+' }, hours.abs()),
    };
    format!("{}{fraction}{offset}", local.format("%Y-%m-%dT%H:%M:%S"))
}

/// An event before it is worded. The values of `members` are JSON.
#[derive(Clone)]
pub struct Draft {
    pub id: String,
    pub kind: String,
    pub time: i64,
    pub wallet: String,
    members: Vec<(String, String)>,
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

impl Draft {
    pub fn new(id: String, kind: &str, time: i64, wallet: &str) -> Draft {
        Draft { id, kind: kind.to_owned(), time, wallet: wallet.to_owned(), members: Vec::new() }
    }

    pub fn with(mut self, name: &str, json: &str) -> Draft {
        self.set(name, json);
        self
    }

    pub fn with_text(self, name: &str, text: &str) -> Draft {
        self.with(name, &quoted(text))
    }

    pub fn set(&mut self, name: &str, json: &str) {
        self.members.retain(|(other, _)| other != name);
        self.members.push((name.to_owned(), json.to_owned()));
    }

    /// The same happening once more: another id at another time.
    pub fn again(mut self, id: String, time: i64) -> Draft {
        self.id = id;
        self.time = time;
        self
    }

    fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(other, _)| other == name)
    }

    /// The draft with what its type requires.
    pub fn completed(mut self) -> Draft {
        for name in required(&self.kind) {
            if !self.has(name) {
                let json = match *name {
                    "amount" => "\"100\"",
                    "counterparty" => "\"7702\"",
                    "client_status" => "\"identified\"",
                    _ => "\"10.0.0.1\"",
                };
                self.set(name, json);
            }
        }
        self
    }

    pub fn random(random: &mut Random, id: String, time: i64) -> Draft {
        let kind = match random.below(20) {
            _ if random.below(400) == 0 => CROWD_SIGNAL,
            0..6 => "transfer",
            6..9 => "payment",
            9 => "topup",
            10..12 => "login",
            12..15 => "login_failed",
            15 => random.pick(&["status_changed", "time_passed"]),
            _ => random.pick(SIGNALS),
        };
        // Another wallet may use the same id.
        let id = if random.chance(3) { "shared".to_owned() } else { id };
        let wallet = if random.chance(60) { WALLETS[0] } else { random.pick(WALLETS) };
        let mut draft = Draft::new(id, kind, time, wallet);
        let is_operation = OPERATIONS.contains(&kind);
        if is_operation || random.chance(5) {
            let amount = random.pick(AMOUNTS);
            draft.set("amount", &if random.chance(50) { quoted(amount) } else { amount.to_owned() });
        }
        if kind == "transfer" || (is_operation && random.chance(20)) {
            draft.set("counterparty", &quoted(random.pick(COUNTERPARTIES)));
        }
        if random.chance(65) || kind == "address_freed" {
            draft.set("ip", &quoted(random.pick(ADDRESSES)));
        }
        if random.chance(10) || kind == "status_changed" {
            draft.set("client_status", random.pick(&["\"unregistered\"", "\"unidentified\"", "\"identified\""]));
        }
        draft.decorated(random).completed()
    }

    fn decorated(mut self, random: &mut Random) -> Draft {
        if random.chance(50) {
            self.set("country", random.pick(&["\"KZ\"", "\"KZ\"", "\"RU\"", "\"CN\""]));
        }
        if random.chance(40) {
            self.set("device", random.pick(&["\"d1\"", "\"d2\"", "\"d3\""]));
        }
        if random.chance(20) {
            self.set("anonymous", random.pick(&["true", "false"]));
        }
        if random.chance(20) {
            self.set("balance", random.pick(&["\"100\"", "-5", "\"-0.01\"", "300.5", "0"]));
        }
        if random.chance(10) {
            self.set("channel", random.pick(&["\"web\"", "\"mobile\"", "null"]));
        }
        if random.chance(10) {
            self.set("merchant", random.pick(&["\"shop\"", "\"caf\u{e9} \\\"x\\\"\""]));
        }
        if random.chance(5) {
            self.set("currency", "\"KZT\"");
        }
        if random.chance(50) {
            let tag = random.pick(&["\"a\"", "\"b\"", "\"ab\"", "null", "7"]);
            let level = random.pick(&["1", "2.5", "2.50", "-3", "0", "0.000001", "\"high\"", "null"]);
            let flag = random.pick(&["true", "false", "null"]);
            self.set("attributes", &format!(r#"{{"tag":{tag},"level":{level},"flag":{flag},"other":"x"}}"#));
        }
        self
    }

    fn pairs(&self, wording: &Wording) -> Vec<(String, String)> {
        let mut pairs = vec![
            ("id".to_owned(), quoted(&self.id)),
            ("type".to_owned(), quoted(&self.kind)),
            ("time".to_owned(), quoted(&print_time(self.time, wording))),
            ("wallet".to_owned(), quoted(&self.wallet)),
        ];
        pairs.extend(self.members.iter().cloned());
        if wording.unknown_field {
            pairs.push(("x".to_owned(), r#"[{"id":1,"id":[[],"\u0041\ud83d\ude00"]},1e9,null]"#.to_owned()));
        }
        let rotated = wording.rotated % pairs.len();
        pairs.rotate_left(rotated);
        pairs
    }

    pub fn print(&self, wording: Wording) -> Vec<u8> {
        let mut text = join(&self.pairs(&wording));
        if wording.escaped {
            text = text.replace("\"wallet\":\"7", "\"w\\u0061llet\" : \"\\u0037");
        }
        text.into_bytes()
    }

    /// The record with one fault.
    pub fn broken(&self, random: &mut Random) -> Vec<u8> {
        let mut pairs = self.pairs(&Wording::PLAIN);
        match random.below(10) {
            0 => return unreadable(&join(&pairs), random),
            1 => {
                // Without one of the fields that every event has, or that its type requires.
                let mut needed = vec!["id", "type", "time", "wallet"];
                needed.extend(required(&self.kind));
                let lacking = random.pick(&needed);
                pairs.retain(|(name, _)| name != lacking);
                if random.chance(30) {
                    pairs.push((lacking.to_owned(), "null".to_owned()));
                }
            }
            2 => {
                // A known field twice, be it null the second time.
                let (name, value) = pairs[random.below(pairs.len())].clone();
                pairs.push((name, if random.chance(50) { value } else { "null".to_owned() }));
            }
            _ => {
                let (name, value) = random.pick(BAD_VALUES);
                pairs.retain(|(other, _)| other != name);
                pairs.push((name.to_owned(), value.to_owned()));
            }
        }
        join(&pairs).into_bytes()
    }
}

fn join(pairs: &[(String, String)]) -> String {
    let members: Vec<String> = pairs.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// A record that is no JSON object, or not one that may be taken in.
fn unreadable(record: &str, random: &mut Random) -> Vec<u8> {
    let open = &record[..record.len() - 1];
    match random.below(12) {
        0 => open.as_bytes().to_vec(),
        1 => format!("\u{feff}{record}").into_bytes(),
        2 => format!("{record}{record}").into_bytes(),
        3 => format!("[{record}]").into_bytes(),
        4 => b"null".to_vec(),
        5 => [open.as_bytes(), b",\"x\":\"\xff\"}"].concat(),
        6 => format!("{open},\"x\":{}{}}}", "[".repeat(16), "]".repeat(16)).into_bytes(),
        7 => format!("{open},\"x\":\"{}\"}}", "a".repeat(65_536)).into_bytes(),
        8 => format!("{open},}}").into_bytes(),
        9 => format!("{open},\"x\":01}}").into_bytes(),
        10 => format!("{open},\"x\":\"\t\"}}").into_bytes(),
        _ => format!("{open},\"x\":nul}}").into_bytes(),
    }
}

/// Values that no field of the name takes.
const BAD_VALUES: &[(&str, &str)] = &[
    ("id", "\"\""),
    ("id", "5"),
    ("type", "\"gift\""),
    ("type", "\"Transfer\""),
    ("type", "true"),
    ("wallet", "\"\""),
    ("wallet", "[\"w\"]"),
    ("wallet", "\"01234567890123456789012345678901234567890123456789012345678901234\""),
    ("time", "\"2026-03-01 10:00:00Z\""),
    ("time", "\"2026-03-01t10:00:00Z\""),
    ("time", "\"2026-03-01T10:00:00z\""),
    ("time", "\"2026-03-01T10:00:60Z\""),
    ("time", "\"2026-03-01T10:00:00\""),
    ("time", "\"2026-02-30T10:00:00Z\""),
    ("time", "\"2026-03-01T24:00:00Z\""),
    ("time", "1772359200000"),
    ("time", "\"0000-01-01T00:00:00+01:00\""),
    ("amount", "0"),
    ("amount", "\"0.00\""),
    ("amount", "-1"),
    ("amount", "1e3"),
    ("amount", "\"1.000\""),
    ("amount", "1.001"),
    ("amount", "\"01\""),
    ("amount", "\" 1\""),
    ("amount", "\"+1\""),
    ("amount", "\"1,5\""),
    ("amount", "\"1.\""),
    ("amount", "\".5\""),
    ("amount", "1000000000000000.01"),
    ("amount", "10000000000000000"),
    ("amount", "\"\""),
    ("amount", "{}"),
    ("currency", "\"USD\""),
    ("currency", "\"kzt\""),
    ("ip", "\"10.0.0\""),
    ("ip", "\"10.0.0.01\""),
    ("ip", "\"10.0.0.256\""),
    ("ip", "\"::g\""),
    ("ip", "167772161"),
    ("country", "\"kz\""),
    ("country", "\"KAZ\""),
    ("country", "\"K1\""),
    ("anonymous", "\"true\""),
    ("anonymous", "1"),
    ("client_status", "\"Identified\""),
    ("client_status", "\"\""),
    ("balance", "\"+1\""),
    ("balance", "\"1.005\""),
    ("balance", "-1000000000000000.01"),
    ("balance", "true"),
    ("device", "\"\""),
    ("device", "7"),
    ("channel", "[]"),
    ("merchant", "false"),
    ("counterparty", "\"\""),
    ("cause", "1"),
    ("method", "{}"),
    ("attributes", "[]"),
    ("attributes", "\"x\""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_worded_and_placed() {
        let time = instant("2024-02-29T12:34:56.789Z");
        let wording = Wording { offset_hours: 5, digits: 6, ..Wording::PLAIN };
        assert_eq!(print_time(time, &wording), "2024-02-29T17:34:56.789999+05:00");
        assert_eq!(next_local_midnight(time), instant("2024-02-29T19:00:00Z"));
        assert_eq!(next_local_midnight(instant("2024-02-28T12:00:00Z")), instant("2024-02-28T18:00:00Z"));
        assert_eq!(month_later(instant("2024-01-31T04:00:00Z")), instant("2024-02-29T04:00:00Z"));
        assert_eq!(month_later(instant("2024-02-15T04:00:00Z")), instant("2024-03-15T05:00:00Z"));
    }
}
