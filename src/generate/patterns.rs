//! Plants known patterns and writes down what they must do: the truth file.
//!
//! Each planted instance has wallets, counterparties, addresses and devices of its own, so that what one of them sets off
//! never touches another or the background. A pattern that the dates leave no room for is skipped and reported.

pub mod catalogue;
pub mod script;

use super::{Random, Record, Zone};
use crate::time::{Calendar, Timestamp};
use catalogue::{CATALOGUE, Judge, Pattern};
use script::Script;
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

const DAY: i64 = 24 * 60 * 60 * 1_000;
const HOUR: i64 = 60 * 60 * 1_000;
const SECOND: i64 = 1_000;

/// Patterns begin from nine to eight local time; the short ones then end on the day on which they began.
const FIRST_HOUR: i64 = 9;
const HOURS: i64 = 11;

/// Wallets that one instance may use; its numbers begin at a multiple of this.
pub const WALLETS_EACH: u64 = 128;
/// Most instances of every pattern, so that wallet numbers keep their seven digits.
pub const INSTANCES_MAX: u64 = 500;
const _: () = assert!((INSTANCES_MAX * (CATALOGUE.len() as u64) + 1) * WALLETS_EACH < 10_000_000);

/// Everything that is planted, and what is true of it.
#[derive(Default)]
pub struct Plan {
    /// In the order of time.
    pub events: Vec<Record>,
    pub truths: Vec<Truth>,
    /// Spans of time, both ends in, that belong to one instance alone; in order.
    pub exclusive: Vec<(i64, i64)>,
    /// Patterns that did not fit between the dates, and how many instances of each.
    pub skipped: BTreeMap<&'static str, u64>,
}

/// What must come of one planted instance.
pub struct Truth {
    pub pattern: &'static str,
    pub judge: Judge,
    pub near_miss: bool,
    /// Whose event fires, or comes nearest to it.
    pub wallet: String,
    /// Ids of its events, in the order of time.
    pub events: Vec<String>,
    /// The event of which the rule, or the restriction, must be a reason.
    pub fires: Option<String>,
    /// A later event of which the restriction must no longer be a reason.
    pub clear: Option<String>,
}

impl Truth {
    /// Writes one line of the truth file.
    ///
    /// # Errors
    /// Only those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (kind, name) = match self.judge {
            Judge::Rule(name) => ("rule", name),
            Judge::Restriction(name) => ("restriction", name),
        };
        let near_miss = if self.near_miss { ",\"near_miss\":true" } else { "" };
        write!(out, "{{\"pattern\":\"{}\"{near_miss},\"{kind}\":\"{name}\"", self.pattern)?;
        write!(out, ",\"wallet\":\"{}\",\"events\":[\"{}\"]", self.wallet, self.events.join("\",\""))?;
        for (name, id) in [("fires", &self.fires), ("clear", &self.clear)] {
            if let Some(id) = id {
                write!(out, ",\"{name}\":\"{id}\"")?;
            }
        }
        out.write_all(b"}\n")
    }
}

/// Plants `instances` of every pattern of the catalogue between two instants.
pub fn plan(seed: u64, zone: &Zone, range: (i64, i64), instances: u64) -> Plan {
    let mut plan = Plan::default();
    let mut random = Random::of(seed, u64::MAX - 1);
    let mut number = 0;
    for _ in 0..instances {
        for pattern in CATALOGUE {
            number += 1;
            match place(pattern, zone, range, &mut random) {
                Some(begin) => plan.add(pattern, number, begin, zone),
                None => *plan.skipped.entry(pattern.name).or_default() += 1,
            }
        }
    }
    // Stable, so that events of one instance and instant stay as they were written.
    plan.events.sort_by_key(|event| event.time);
    plan.exclusive.sort_unstable();
    plan
}

impl Plan {
    fn add(&mut self, pattern: &Pattern, number: u64, mut begin: i64, zone: &Zone) {
        let mut script = write(pattern, number, begin, zone);
        while script.exclusive.is_some_and(|span| self.exclusive.contains(&span)) {
            begin += SECOND;
            script = write(pattern, number, begin, zone);
        }
        assert!(pattern.near_miss == script.fires.is_none(), "{} fires where it should not", pattern.name);
        let id = |place: Option<usize>| place.map(|place| script.records[place].id.clone());
        self.truths.push(Truth {
            pattern: pattern.name,
            judge: pattern.judge,
            near_miss: pattern.near_miss,
            wallet: script.records[script.fires.unwrap_or(script.records.len() - 1)].wallet.clone(),
            events: script.records.iter().map(|record| record.id.clone()).collect(),
            fires: id(script.fires),
            clear: id(script.clear),
        });
        self.exclusive.extend(script.exclusive);
        self.events.extend(script.records);
    }
}

fn write(pattern: &Pattern, number: u64, begin: i64, zone: &Zone) -> Script {
    let mut script = Script::new(number, begin, zone);
    pattern.steps.write(&mut script);
    script
}

/// An instant, on a whole second, from which the pattern fits; nothing when there is none.
fn place(pattern: &Pattern, zone: &Zone, (start, end): (i64, i64), random: &mut Random) -> Option<i64> {
    let length = pattern.seconds * SECOND;
    let days = (end - start - length).div_euclid(DAY);
    if days < 0 {
        return None;
    }
    let month = |time| zone.period(Timestamp(time), Calendar::Month);
    let fits = |begin: i64| {
        begin >= start && begin + length < end && (!pattern.one_month || month(begin) == month(begin + length))
    };
    let first = zone.date(Timestamp(start));
    let morning = |day: i64| zone.midnight(first + day).0 + FIRST_HOUR * HOUR;
    // Most draws fit; where few do, as for thirty days of a month, every morning is tried in turn.
    for _ in 0..8 {
        let begin = morning(random.below_signed(days + 1)) + random.below_signed(HOURS * 3_600) * SECOND;
        if fits(begin) {
            return Some(begin);
        }
    }
    (0..=days + 1).map(morning).find(|begin| fits(*begin))
}
