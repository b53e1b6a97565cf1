//! The part of a history that is reported on (`--from`, `--to`), and what must be decided on besides for it to come out right.
//!
//! From the packs' longest window before `--from` on everything is decided and nothing is reported: that is the warm-up.
//! What is earlier is left out altogether. What is later than `--to` is still decided, for a late event of the part may come after it,
//! until no such event can be accepted any more.
//!
//! A record without an event has no time: it belongs where the one before it does.

use super::intake::Said;
use crate::{
    limits,
    rules::{Measure, Mode, Rule},
    time::{Span, Timestamp, Zone},
};

/// Which part of a history is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first instant that is reported.
    pub from: Timestamp,
    /// The first that no longer is.
    pub to: Timestamp,
    /// The first that is decided on.
    pub since: Timestamp,
    /// That is as early as rules look back; else somebody has said how early.
    pub as_rules_look_back: bool,
    /// How far behind its record's timestamp an event is accepted, in ms.
    pub max_past: i64,
}

/// Where an event stands to a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is not decided on.
    Before,
    /// It is decided on and not reported.
    WarmUp,
    Reported,
    /// It is decided on and not reported.
    After,
    /// Nothing that comes after it can be an event of the range.
    Beyond,
}

impl Range {
    #[must_use]
    pub fn part(&self, time: Timestamp) -> Part {
        if time < self.since {
            Part::Before
        } else if time < self.from {
            Part::WarmUp
        } else if time < self.to {
            Part::Reported
        } else if time.0 - self.to.0 < self.max_past {
            Part::After
        } else {
            Part::Beyond
        }
    }

    #[must_use]
    pub fn reports(&self, time: Timestamp) -> bool {
        self.part(time) == Part::Reported
    }

    /// Has the warm-up begin early enough for these rules.
    pub fn reach_back<'r>(&mut self, rules: impl IntoIterator<Item = &'r Rule>, zone: &Zone) {
        if !self.as_rules_look_back {
            return;
        }
        // A repeat is known by its id for as long as this, whatever the rules are.
        let repeats = early(Timestamp(self.from.0.saturating_sub(limits::DEDUP_MS)));
        let looks_back = rules.into_iter().filter_map(|rule| self.needed_since(rule, zone));
        self.since = looks_back.fold(self.since.min(repeats), Timestamp::min);
    }

    /// The rule that the warm-up is as long as it is for.
    #[must_use]
    pub fn longest<'r>(&self, rules: &'r [Rule], zone: &Zone) -> Option<&'r Rule> {
        rules.iter().find(|rule| self.needed_since(rule, zone) == Some(self.since))
    }

    /// From when on a rule must have seen events.
    fn needed_since(&self, rule: &Rule, zone: &Zone) -> Option<Timestamp> {
        let span = rule.measure.as_ref().filter(|_| rule.mode != Mode::Off).and_then(looks_back)?;
        Some(early(begin(self.from, span, zone)))
    }
}

/// As much earlier as an event may come late.
fn early(time: Timestamp) -> Timestamp {
    Timestamp(time.0.saturating_sub(limits::LATENESS_MS)).max(Timestamp::MIN)
}

/// The earliest instant that a span which ends at `from` holds.
fn begin(from: Timestamp, span: Span, zone: &Zone) -> Timestamp {
    match span {
        Span::Millis(millis) => Timestamp(from.0 - millis),
        Span::Months(months) => zone.add_months(from, -i64::from(months)),
        Span::Calendar(calendar) => zone.start(zone.period(from, calendar), calendar),
    }
}

/// How far a measure looks back.
fn looks_back(measure: &Measure) -> Option<Span> {
    match measure {
        Measure::Idle { over, .. } => Some(*over),
        measure => measure.within(),
    }
}

/// Lets records in, in their order.
#[derive(Debug)]
pub struct Gate {
    range: Option<Range>,
    /// Where the last event stood.
    last: Part,
    ended: bool,
}

impl Gate {
    #[must_use]
    pub fn new(range: Option<Range>) -> Gate {
        let is_open = range.is_none_or(|range| range.from == Timestamp::MIN);
        Gate { range, last: if is_open { Part::Reported } else { Part::Before }, ended: false }
    }

    /// Whether an event of that time is decided on. `reference` is its record's own timestamp, where it has one: by that it is known
    /// how late an event can still be accepted.
    #[inline]
    pub fn lets_in(&mut self, time: Timestamp, reference: Option<Timestamp>) -> bool {
        let Some(range) = self.range else { return true };
        let last = reference.map_or(self.last, |reference| range.part(reference));
        self.last = match (last, range.part(time), reference) {
            (Part::Beyond, _, Some(_)) => Part::Beyond,
            (_, Part::Beyond, Some(_)) => Part::After,
            (_, part, _) => part,
        };
        self.ended |= self.last == Part::Beyond;
        !self.ended && self.last != Part::Before
    }

    /// What is left of a record that has no event. By its own timestamp it is known where it belongs, too.
    pub fn without_event<'a, T>(&mut self, said: Said<'a, T>, reference: Option<Timestamp>) -> Said<'a, T> {
        let Some(range) = self.range else { return said };
        if let Some(reference) = reference {
            self.last = range.part(reference);
        }
        match said {
            Said::Rejected(_) | Said::Skipped { .. } if self.ended || self.last != Part::Reported => {
                Said::Outside { time: None }
            }
            said => said,
        }
    }

    /// Nothing that comes can be an event of the range.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

/// What of the records is not reported.
#[derive(Clone, Debug)]
pub struct Unreported {
    pub range: Range,
    /// The earliest event of all.
    pub earliest: Option<Timestamp>,
    /// Records that were not decided on.
    pub left_out: u64,
    /// Events that were decided on, earlier than the range and later.
    pub warm_up: u64,
    pub after: u64,
    /// An event beyond the range, at which reading ended.
    pub ended_at: Option<Timestamp>,
}

impl Unreported {
    #[must_use]
    pub fn new(range: Range) -> Unreported {
        Unreported { range, earliest: None, left_out: 0, warm_up: 0, after: 0, ended_at: None }
    }

    /// An event of any part.
    pub fn saw(&mut self, time: Timestamp) {
        self.earliest = Some(self.earliest.map_or(time, |earliest| earliest.min(time)));
    }

    /// An event that was decided on and is not reported.
    pub fn passed(&mut self, time: Timestamp) {
        self.saw(time);
        *(if time < self.range.from { &mut self.warm_up } else { &mut self.after }) += 1;
    }

    /// A record that was not decided on; its time, where it has one.
    pub fn left_out(&mut self, time: Option<Timestamp>) {
        self.left_out += 1;
        let Some(time) = time else { return };
        self.saw(time);
        if self.ended_at.is_none() && self.range.part(time) == Part::Beyond {
            self.ended_at = Some(time);
        }
    }

    /// The data begin later than the warm-up.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.range.since > Timestamp::MIN && self.earliest.is_none_or(|earliest| earliest > self.range.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn both_ends_are_where_they_are_said_to_be() {
        let range = Range {
            from: time("2026-03-01T00:00:00Z"),
            to: time("2026-03-02T00:00:00Z"),
            since: time("2026-02-01T00:00:00Z"),
            as_rules_look_back: true,
            max_past: limits::MAX_PAST_MS,
        };
        for (at, part) in [
            ("2026-01-31T23:59:59.999Z", Part::Before),
            ("2026-02-01T00:00:00Z", Part::WarmUp),
            ("2026-02-28T23:59:59.999Z", Part::WarmUp),
            ("2026-03-01T00:00:00Z", Part::Reported),
            ("2026-03-01T23:59:59.999Z", Part::Reported),
            ("2026-03-02T00:00:00Z", Part::After),
            ("2026-03-08T23:59:59.999Z", Part::After),
            ("2026-03-09T00:00:00Z", Part::Beyond),
        ] {
            assert_eq!(range.part(time(at)), part, "{at}");
        }
    }

    #[test]
    fn the_warm_up_is_as_long_as_the_longest_window() {
        let from = time("2026-03-31T10:00:00Z");
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        for (within, since) in [
            ("1m", "2026-03-31T08:55:00Z"),
            ("30d", "2026-03-01T09:55:00Z"),
            ("1 month", "2026-02-28T09:55:00Z"),
            ("calendar day", "2026-03-30T18:55:00Z"),
            ("calendar month", "2026-02-28T18:55:00Z"),
        ] {
            let pack = format!(
                "name = \"p\"\nversion = \"1\"\ntimezone = \"Asia/Almaty\"\ncurrency = \"KZT\"\n[event.payment]\nrequires = []\n\
                 [[rule]]\nid = \"r\"\non = [\"payment\"]\ncount = {{ within = \"{within}\", over = 1 }}\n"
            );
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("p.toml");
            std::fs::write(&path, pack).expect("a file");
            let Ok(loaded) = crate::pack_files::load_paths(&[path]) else { panic!("{within}: the pack loads") };
            let mut range = Range {
                from,
                to: Timestamp::MAX,
                since: from,
                as_rules_look_back: true,
                max_past: limits::MAX_PAST_MS,
            };
            range.reach_back(&loaded.packs.rules, &zone);
            assert_eq!(range.since, time(since), "{within}");
        }
    }
}
