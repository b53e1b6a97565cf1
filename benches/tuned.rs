//! What a loop for exactly these five rules can do, and nothing else: the pace that a pack of rules has to keep.
//!
//! Borrowed serde_json, one packed record a wallet in a hashbrown table under its phone number as an integer and a
//! cheap hash, the transfers of an hour side by side in a short vector (in rings by amount once they are many), whole
//! tiyn, times as milliseconds with the day's text kept from one event to the next, decisions copied together from
//! ready pieces. It knows no duplicates, no late events and no limits, takes wallets up to 15 bytes and times in one
//! offset only, and forgets no wallet.

use super::sink::Sink;
use hashbrown::HashMap;
use serde::Deserialize;
use std::{
    collections::VecDeque,
    hash::{BuildHasherDefault, Hasher},
};

#[derive(Deserialize)]
struct Event<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    wallet: &'a str,
    amount: Option<&'a str>,
    country: Option<&'a str>,
    anonymous: Option<bool>,
}

const HOUR: i64 = 60 * 60 * 1_000;
const DAY: i64 = 24 * HOUR;
const ZONE: i64 = 5 * HOUR;
/// In tiyn.
const LARGE: i64 = 10_000_000;
const DAILY: i64 = 43_250_000;

/// Severities, in rising order, with their names.
const ALLOW: u8 = 0;
const PIN: u8 = 1;
const HOLD: u8 = 2;
const BLOCK: u8 = 3;
const ACTIONS: [&[u8]; 4] = [b"allow", b"pin", b"hold", b"block"];

/// Everything about one wallet.
struct Wallet {
    day: i64,
    spent: i64,
    seen: i64,
    country: [u8; 2],
    transfers: Transfers,
}

/// Transfers of the last hour.
enum Transfers {
    /// Times and amounts, packed and looked through.
    Few(Vec<(i64, i64)>),
    /// Rings of times by amount; too many were under way to look through.
    Many(HashMap<i64, VecDeque<i64>, BuildHasherDefault<Cheap>>),
}

/// Most transfers that are looked through.
const FEW: usize = 48;

/// The loop and what it remembers.
pub struct Tuned {
    /// The end of every decision.
    tail: Vec<u8>,
    wallets: HashMap<u128, Wallet, BuildHasherDefault<Cheap>>,
    dates: Dates,
    reasons: Vec<u8>,
}

impl Tuned {
    pub fn new(pack: &str) -> Tuned {
        Tuned {
            tail: format!(r#","pack":"{pack}"}}"#).into_bytes(),
            wallets: HashMap::default(),
            dates: Dates { day: i64::MIN, text: [0; 10] },
            reasons: Vec::new(),
        }
    }

    pub fn decide(&mut self, line: &[u8], sink: &mut Sink) {
        let line = std::str::from_utf8(line).expect("the stream is UTF-8");
        let event: Event<'_> = serde_json::from_str(line).expect("and holds good records");
        let time = parse_time(event.time.as_bytes());
        self.reasons.clear();
        let (action, score) = self.judge(&event, time);
        let out = &mut sink.buffer;
        put(out, &[b"{\"event\":\"", event.id.as_bytes(), b"\",\"type\":\"", event.kind.as_bytes()]);
        put(out, &[b"\",\"wallet\":\"", event.wallet.as_bytes(), b"\",\"time\":\""]);
        self.dates.write(time, out);
        put(out, &[b"\",\"action\":\"", ACTIONS[usize::from(action)], b"\",\"score\":"]);
        out.extend_from_slice(itoa::Buffer::new().format(score.min(1_000)).as_bytes());
        if !self.reasons.is_empty() {
            put(out, &[b",\"reasons\":[", &self.reasons[1..], b"]"]);
        }
        out.extend_from_slice(&self.tail);
        sink.end_line();
    }

    /// Writes the reasons, each behind a comma, and gives the action and the score.
    fn judge(&mut self, event: &Event<'_>, time: i64) -> (u8, u32) {
        let (transfer, outgoing, access) = match event.kind {
            "transfer" => (true, true, true),
            "payment" | "redemption" => (false, true, true),
            "login" => (false, false, true),
            "topup" => (false, false, false),
            _ => return (ALLOW, 0),
        };
        let amount = event.amount.map_or(0, |text| parse_amount(text.as_bytes()));
        let wallet = self.wallets.entry(name(event.wallet.as_bytes())).or_insert_with(Wallet::new);
        let (mut action, mut score) = (ALLOW, 0);
        let mut fire = |severity: u8, points: u32| {
            action = action.max(severity);
            score += points;
        };
        let out = &mut self.reasons;
        if transfer && amount > LARGE {
            out.extend_from_slice(br#",{"rule":"large-transfer","clause":"7.15(1)","action":"hold","score":300}"#);
            fire(HOLD, 300);
        }
        if transfer && let Some((count, first)) = wallet.transfers.add(amount, time) {
            out.extend_from_slice(br#",{"rule":"equal-transfers","clause":"7.15(2)","action":"hold","score":400"#);
            out.extend_from_slice(br#","measured":""#);
            out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
            out.extend_from_slice(br#"","limit":"10","from":""#);
            self.dates.write(first, out);
            out.extend_from_slice(b"\"}");
            fire(HOLD, 400);
        }
        if event.anonymous == Some(true) {
            out.extend_from_slice(br#",{"rule":"anonymous","clause":"7.15(3)","action":"hold","score":300}"#);
            fire(HOLD, 300);
        }
        if access
            && let Some(country) = event.country
            && let Some((known, seen)) = wallet.arrive(country.as_bytes(), time)
        {
            out.extend_from_slice(br#",{"rule":"country-change","clause":"7.15(4)","action":"block","score":500"#);
            put(out, &[b",\"measured\":\"", country.as_bytes(), b"\",\"limit\":\"", &known, b"\",\"from\":\""]);
            self.dates.write(seen, out);
            out.extend_from_slice(b"\"}");
            fire(BLOCK, 500);
        }
        if outgoing && wallet.spend(amount, time) > DAILY {
            out.extend_from_slice(br#",{"rule":"daily-sum","clause":"7.17","action":"pin","score":100,"measured":""#);
            write_amount(wallet.spent, out);
            out.extend_from_slice(br#"","limit":"432500","from":""#);
            self.dates.write(wallet.day * DAY - ZONE, out);
            out.extend_from_slice(b"\"}");
            fire(PIN, 100);
        }
        (action, score)
    }
}

/// A wallet's text as a number: up to 15 bytes, which phone numbers are, and their length.
fn name(wallet: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes[..wallet.len()].copy_from_slice(wallet);
    bytes[15] = u8::try_from(wallet.len()).expect("at most 15");
    u128::from_le_bytes(bytes)
}

impl Wallet {
    fn new() -> Wallet {
        let transfers = Transfers::Few(Vec::new());
        Wallet { day: i64::MIN, spent: 0, seen: i64::MIN / 2, country: [0; 2], transfers }
    }

    /// Notes where the wallet is; gives the other country where it was at most two hours ago, and when.
    fn arrive(&mut self, country: &[u8], time: i64) -> Option<([u8; 2], i64)> {
        let known = (self.country, self.seen);
        self.country = [country[0], country[1]];
        self.seen = time;
        (known.0 != self.country && time - known.1 <= 2 * HOUR).then_some(known)
    }

    /// Adds to what the wallet has spent on the local day, and gives it.
    fn spend(&mut self, amount: i64, time: i64) -> i64 {
        let day = (time + ZONE).div_euclid(DAY);
        if self.day != day {
            (self.day, self.spent) = (day, 0);
        }
        self.spent += amount;
        self.spent
    }
}

impl Transfers {
    /// Notes a transfer; gives how many equal ones the last hour saw, and the time of the first, if these are over ten.
    fn add(&mut self, amount: i64, time: i64) -> Option<(usize, i64)> {
        match self {
            Transfers::Few(entries) => {
                let gone = entries.iter().take_while(|(first, _)| time - first > HOUR).count();
                entries.drain(..gone);
                entries.push((time, amount));
                let mut equal = entries.iter().filter(|(_, other)| *other == amount);
                let first = equal.next().map_or(time, |(first, _)| *first);
                let count = 1 + equal.count();
                if entries.len() > FEW {
                    *self = Transfers::many(entries);
                }
                (count > 10).then_some((count, first))
            }
            Transfers::Many(rings) => {
                let times = rings.entry(amount).or_default();
                while times.front().is_some_and(|first| time - *first > HOUR) {
                    times.pop_front();
                }
                times.push_back(time);
                (times.len() > 10).then(|| (times.len(), times[0]))
            }
        }
    }

    fn many(entries: &[(i64, i64)]) -> Transfers {
        let mut rings = HashMap::<i64, VecDeque<i64>, _>::default();
        for (time, amount) in entries {
            rings.entry(*amount).or_default().push_back(*time);
        }
        Transfers::Many(rings)
    }
}

fn put(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

fn digits(text: &[u8]) -> i64 {
    text.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// `2026-03-01T08:15:30.123+05:00`, with or without the milliseconds.
fn parse_time(text: &[u8]) -> i64 {
    let millis = if text[19] == b'.' { digits(&text[20..23]) } else { 0 };
    let of_day = digits(&text[11..13]) * HOUR + digits(&text[14..16]) * 60_000 + digits(&text[17..19]) * 1_000;
    days(digits(&text[..4]), digits(&text[5..7]), digits(&text[8..10])) * DAY + of_day + millis - ZONE
}

/// Days since 1970 of a date after it (counted in years that begin in March).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469
}

fn parse_amount(text: &[u8]) -> i64 {
    match text.iter().position(|byte| *byte == b'.') {
        None => digits(text) * 100,
        Some(point) if text.len() - point == 2 => digits(&text[..point]) * 100 + digits(&text[point + 1..]) * 10,
        Some(point) => digits(&text[..point]) * 100 + digits(&text[point + 1..]),
    }
}

/// Without trailing zeros.
fn write_amount(tiyn: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(tiyn / 100).as_bytes());
    let rest = u8::try_from(tiyn % 100).expect("below a hundred");
    match (rest / 10, rest % 10) {
        (0, 0) => {}
        (tens, 0) => out.extend_from_slice(&[b'.', b'0' + tens]),
        (tens, ones) => out.extend_from_slice(&[b'.', b'0' + tens, b'0' + ones]),
    }
}

/// Writes times; most are of the day of the one before.
struct Dates {
    day: i64,
    text: [u8; 10],
}

impl Dates {
    fn write(&mut self, time: i64, out: &mut Vec<u8>) {
        let day = time.div_euclid(DAY);
        if day != self.day {
            self.day = day;
            self.text = date(day);
        }
        let of_day = time.rem_euclid(DAY);
        let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
        let [h, hh] = pair(seconds / 3_600);
        let [m, mm] = pair(seconds / 60 % 60);
        let [s, ss] = pair(seconds % 60);
        out.extend_from_slice(&self.text);
        out.extend_from_slice(&[b'T', h, hh, b':', m, mm, b':', s, ss]);
        if millis > 0 {
            let [tens, ones] = pair(millis % 100);
            out.extend_from_slice(&[b'.', pair(millis / 100)[1], tens, ones]);
        }
        out.push(b'Z');
    }
}

fn pair(value: i64) -> [u8; 2] {
    let value = u8::try_from(value).expect("below a hundred");
    [b'0' + value / 10, b'0' + value % 10]
}

/// `2026-03-01` of days since 1970: the inverse of [`days`], by trying; called once a day.
fn date(day: i64) -> [u8; 10] {
    let year = (1970..).take_while(|year| days(*year, 1, 1) <= day).last().expect("times are after 1970");
    let month = (1..=12).take_while(|month| days(year, *month, 1) <= day).last().expect("a year begins in January");
    let [y, yy] = pair(year / 100);
    let [yyy, yyyy] = pair(year % 100);
    let [m, mm] = pair(month);
    let [d, dd] = pair(day - days(year, month, 1) + 1);
    [y, yy, yyy, yyyy, b'-', m, mm, b'-', d, dd]
}

/// A hash of multiplications (the idea of rustc's): good for keys that nobody chooses to collide.
#[derive(Default)]
struct Cheap(u64);

impl Cheap {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Cheap {
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("keys here are numbers")
    }
    fn write_u128(&mut self, word: u128) {
        let [low, high] = [word, word >> 64].map(|half| half & u128::from(u64::MAX));
        self.mix(u64::try_from(low).expect("masked"));
        self.mix(u64::try_from(high).expect("masked"));
    }
    fn write_i64(&mut self, word: i64) {
        self.mix(word.cast_unsigned());
    }
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}
