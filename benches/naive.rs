//! The yardstick: the five rules of `five.toml` as a good engineer writes them in an afternoon.
//!
//! Its parts are fixed, so that a ratio to it means the same next year: serde_json into owned structs, chrono for
//! times, `rust_decimal` for money, the standard library's `HashMap` by `String` with a `VecDeque` for each window, the
//! profile, allocator, reader and writer of all others. It is not built to lose: it reads only the fields that it
//! needs, looks a wallet up once (three maps with composed keys took a tenth more), and allocates a text only where
//! the parts above do. It knows no duplicates, no late events and no bounds, and forgets no wallet.

use super::sink::Sink;
use chrono::{DateTime, Duration, FixedOffset, NaiveDate, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

/// What a record says, as far as rules and decisions need it.
#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    time: String,
    wallet: String,
    amount: Option<String>,
    country: Option<String>,
    anonymous: Option<bool>,
}

#[derive(Serialize)]
struct Decision<'a> {
    event: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    wallet: &'a str,
    time: String,
    action: &'static str,
    score: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
    pack: &'a str,
}

#[derive(Serialize)]
struct Reason {
    rule: &'static str,
    clause: &'static str,
    action: &'static str,
    score: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

/// From the mildest to the most severe.
const ACTIONS: [&str; 7] = ["allow", "monitor", "captcha", "pin", "hold", "refuse", "block"];

/// The loop and what it remembers.
pub struct Naive {
    pack: String,
    zone: FixedOffset,
    large: Decimal,
    daily: Decimal,
    wallets: HashMap<String, Wallet>,
}

/// What is remembered of one wallet.
#[derive(Default)]
struct Wallet {
    /// Times of its transfers, by amount.
    transfers: HashMap<Decimal, VecDeque<DateTime<Utc>>>,
    /// Where it was last, and when.
    country: Option<(DateTime<Utc>, String)>,
    /// What it has spent on its last day.
    day: NaiveDate,
    spent: Decimal,
}

impl Naive {
    /// `pack` is what decisions say of their origin.
    pub fn new(pack: &str) -> Naive {
        Naive {
            pack: pack.to_owned(),
            zone: FixedOffset::east_opt(5 * 60 * 60).expect("five hours are an offset"),
            large: Decimal::from(100_000),
            daily: Decimal::from(100 * 4_325),
            wallets: HashMap::new(),
        }
    }

    pub fn decide(&mut self, line: &[u8], sink: &mut Sink) {
        let line = std::str::from_utf8(line).expect("the stream is UTF-8");
        let event: Event = serde_json::from_str(line).expect("and holds good records");
        let time = DateTime::parse_from_rfc3339(&event.time).expect("with good times").with_timezone(&Utc);
        let amount: Option<Decimal> = event.amount.as_ref().map(|text| text.parse().expect("and good amounts"));
        let reasons = self.judge(&event, time, amount);
        let action = reasons.iter().map(|reason| reason.action).max_by_key(|action| severity(action));
        let decision = Decision {
            event: &event.id,
            kind: &event.kind,
            wallet: &event.wallet,
            time: text(time),
            action: action.unwrap_or("allow"),
            score: reasons.iter().map(|reason| reason.score).sum::<u32>().min(1_000),
            reasons,
            pack: &self.pack,
        };
        serde_json::to_writer(&mut sink.buffer, &decision).expect("a Vec takes every byte");
        sink.end_line();
    }

    fn judge(&mut self, event: &Event, time: DateTime<Utc>, amount: Option<Decimal>) -> Vec<Reason> {
        let kind = event.kind.as_str();
        let outgoing = matches!(kind, "transfer" | "payment" | "redemption");
        let mut reasons = Vec::new();
        let wallet = match self.wallets.get_mut(&event.wallet) {
            Some(wallet) => wallet,
            None => self.wallets.entry(event.wallet.clone()).or_default(),
        };
        if let ("transfer", Some(amount)) = (kind, amount) {
            if amount > self.large {
                reasons.push(Reason::plain("large-transfer", "7.15(1)", "hold", 300));
            }
            reasons.extend(wallet.equal_transfers(time, amount));
        }
        if event.anonymous == Some(true) && (outgoing || matches!(kind, "topup" | "login")) {
            reasons.push(Reason::plain("anonymous", "7.15(3)", "hold", 300));
        }
        if let (true, Some(country)) = (outgoing || kind == "login", &event.country) {
            reasons.extend(wallet.country_change(time, country));
        }
        if let (true, Some(amount)) = (outgoing, amount) {
            reasons.extend(wallet.daily_sum(time.with_timezone(&self.zone), amount, self.daily));
        }
        reasons
    }
}

impl Wallet {
    fn equal_transfers(&mut self, time: DateTime<Utc>, amount: Decimal) -> Option<Reason> {
        let times = self.transfers.entry(amount).or_default();
        while times.front().is_some_and(|first| time - *first > Duration::hours(1)) {
            times.pop_front();
        }
        times.push_back(time);
        (times.len() > 10).then(|| Reason {
            measured: Some(times.len().to_string()),
            limit: Some("10".to_owned()),
            from: Some(text(times[0])),
            ..Reason::plain("equal-transfers", "7.15(2)", "hold", 400)
        })
    }

    fn country_change(&mut self, time: DateTime<Utc>, country: &str) -> Option<Reason> {
        let Some((before, known)) = &mut self.country else {
            self.country = Some((time, country.to_owned()));
            return None;
        };
        let changed = (known != country && time - *before <= Duration::hours(2)).then(|| Reason {
            measured: Some(country.to_owned()),
            limit: Some(known.clone()),
            from: Some(text(*before)),
            ..Reason::plain("country-change", "7.15(4)", "block", 500)
        });
        *before = time;
        if known != country {
            country.clone_into(known);
        }
        changed
    }

    fn daily_sum(&mut self, time: DateTime<FixedOffset>, amount: Decimal, limit: Decimal) -> Option<Reason> {
        let today = time.date_naive();
        if self.day != today {
            (self.day, self.spent) = (today, Decimal::ZERO);
        }
        self.spent += amount;
        (self.spent > limit).then(|| {
            let midnight = today.and_hms_opt(0, 0, 0).expect("midnight exists in a fixed offset");
            let midnight = midnight.and_local_timezone(time.timezone()).single().expect("and once");
            Reason {
                measured: Some(self.spent.normalize().to_string()),
                limit: Some(limit.to_string()),
                from: Some(text(midnight.with_timezone(&Utc))),
                ..Reason::plain("daily-sum", "7.17", "pin", 100)
            }
        })
    }
}

impl Reason {
    fn plain(rule: &'static str, clause: &'static str, action: &'static str, score: u32) -> Reason {
        Reason { rule, clause, action, score, measured: None, limit: None, from: None }
    }
}

fn severity(action: &str) -> usize {
    ACTIONS.iter().position(|known| *known == action).expect("every action is listed")
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
