//! The eight measures, each a rescan of everything that ever happened. Slow on purpose: a window is a filter over the
//! whole history, a row is replayed from the first event, and nothing is carried from one event to the next.

use super::calendar::{Calendar, MINUTE, Span, Window};
use super::decimal::Decimal;
use super::event::{Event, Value};
use super::mutation::Mutation;
use super::pack::{Action, Goal, Limit, Measure, Packs, Rule};

/// How far an event may be behind the newest before it is late.
pub const LATENESS: i64 = 5 * MINUTE;

/// An event that has been decided, in order of arrival.
pub struct Past {
    pub event: Event,
    /// The `client_status` that the record itself stated.
    pub stated_status: Option<Value>,
    pub action: Action,
    pub score: u64,
    /// For each rule whether this event matches it; a fact about the event that never changes.
    pub matches: Vec<bool>,
}

/// What a rule that is over its limit reports.
#[derive(Debug, Default)]
pub struct Finding {
    pub measured: Option<String>,
    pub limit: Option<String>,
    pub from: Option<i64>,
}

/// One event on the bench, and all that came before it.
pub struct Bench<'a> {
    pub packs: &'a Packs,
    pub history: &'a [Past],
    pub event: &'a Event,
    pub mutation: Option<Mutation>,
}

/// What a measure asks of an event beyond type, `when` and `per`.
pub fn measurable(measure: &Measure, event: &Event, remembers_unknown: bool) -> bool {
    match measure {
        Measure::Sum { of, .. } => matches!(event.field(of), Some(Value::Number(number)) if !number.is_negative()),
        Measure::Change { .. } if remembers_unknown => true,
        Measure::Distinct { of, .. } | Measure::Change { of, .. } | Measure::New { of, .. } => {
            event.field(of).is_some()
        }
        Measure::Nothing
        | Measure::Count { .. }
        | Measure::Streak { .. }
        | Measure::Idle { .. }
        | Measure::After { .. } => true,
    }
}

impl Bench<'_> {
    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn rule(&self, index: usize) -> &Rule {
        &self.packs.rules[index]
    }

    /// The calendar of windows.
    pub fn calendar(&self) -> Calendar {
        if self.is(Mutation::CalendarInUtc) { self.packs.calendar.in_utc() } else { self.packs.calendar }
    }

    /// What the rule finds, if the event is over its limit. The event is known to match.
    pub fn judge(&self, index: usize) -> Option<Finding> {
        match &self.rule(index).measure {
            Measure::Nothing => Some(Finding::default()),
            Measure::Count { within, over } => self.figure(index, None, *within, over),
            Measure::Sum { of, within, over } | Measure::Distinct { of, within, over } => {
                self.figure(index, Some(of), *within, over)
            }
            Measure::Change { of, within } => self.change(index, of, *within),
            Measure::Streak { reset, within, goal } => self.streak(index, reset, *within, *goal),
            Measure::New { of, within } => self.new_value(index, of, *within),
            Measure::Idle { since, over, written } => self.idle(since, *over, written),
            Measure::After { within, .. } => self.after(index, *within),
        }
    }

    fn same_key(&self, index: usize, other: &Event) -> bool {
        self.rule(index).per.iter().all(|name| {
            let mine = self.event.field(name);
            mine.is_some() && mine == other.field(name)
        })
    }

    fn counts(&self, index: usize, past: &Past) -> bool {
        if !self.rule(index).accepted || self.is(Mutation::AcceptedCountsRefused) {
            return true;
        }
        let drops = past.action.turns_away() || (self.is(Mutation::AcceptedDropsHeld) && past.action == Action::Hold);
        !drops
    }

    /// Everything of the event's key that the measure ever counted, the event itself not among it.
    fn counted(&self, index: usize) -> Vec<&Event> {
        let mut events: Vec<&Event> = self
            .history
            .iter()
            .filter(|past| match &self.rule(index).measure {
                Measure::After { of, .. } => {
                    of.contains(&past.event.kind) && !(self.is(Mutation::AfterByAccepted) && past.action.turns_away())
                }
                _ => past.matches[index] && self.counts(index, past),
            })
            .map(|past| &past.event)
            .filter(|other| self.same_key(index, other))
            .collect();
        events.sort_by_key(|event| event.time);
        events
    }

    /// The newest event by which the measure's key is judged, this one included.
    fn newest(&self, index: usize, counted: &[&Event]) -> i64 {
        let per_wallet = self.rule(index).per.iter().any(|name| name == "wallet");
        let by_wallet =
            (per_wallet || self.is(Mutation::NewestOfWalletForAnyKey)) && !self.is(Mutation::NewestOfRuleOnly);
        let newest = if by_wallet {
            self.history.iter().filter(|past| past.event.wallet == self.event.wallet).map(|past| past.event.time).max()
        } else {
            counted.iter().map(|event| event.time).max()
        };
        newest.unwrap_or(self.event.time).max(self.event.time)
    }

    /// Whether what happened at `time` is still there when the key's newest event is at `newest`.
    fn is_left(&self, time: i64, window: Window, newest: i64) -> bool {
        if self.is(Mutation::NothingIsGone) {
            return true;
        }
        match window {
            Window::Sliding(span) => {
                let reaches = self.packs.calendar.add(time, span);
                let bound = newest - LATENESS;
                if self.is(Mutation::GoneAtBound) { reaches > bound } else { reaches >= bound }
            }
            calendar_window => {
                let calendar = self.calendar();
                let kept_before = if self.is(Mutation::PreviousPeriodGone) { 0 } else { 1 };
                calendar.period(time, calendar_window) >= calendar.period(newest, calendar_window) - kept_before
            }
        }
    }

    /// What is left of the key's events in order of (time, arrival), the event itself not among it.
    fn left(&self, index: usize, window: Window) -> Vec<&Event> {
        let counted = self.counted(index);
        let newest = self.newest(index, &counted);
        counted.into_iter().filter(|other| self.is_left(other.time, window, newest)).collect()
    }

    /// Whether a window of this length that ends at `end` holds what happened at `time`.
    fn holds(&self, time: i64, end: i64, span: Span) -> bool {
        let reaches = self.packs.calendar.add(time, span);
        let exclusive = self.is(Mutation::WindowStartExclusive);
        time <= end && if exclusive { reaches > end } else { reaches >= end }
    }

    /// The figures of `count`, `sum` and `distinct`.
    fn figure(&self, index: usize, of: Option<&str>, within: Window, over: &Limit) -> Option<Finding> {
        let mut events = self.left(index, within);
        events.push(self.event);
        events.sort_by_key(|event| event.time);
        let (value, from) = match within {
            Window::Sliding(span) => self.largest_window(index, of, &events, span),
            calendar_window => {
                let calendar = self.calendar();
                let period = calendar.period(self.event.time, calendar_window);
                events.retain(|other| calendar.period(other.time, calendar_window) == period);
                if self.is(Mutation::CalendarLooksBackOnly) {
                    events.retain(|other| other.time <= self.event.time);
                }
                (self.value(index, of, &events), calendar.period_start(self.event.time, calendar_window))
            }
        };
        let limit = self.limit(over)?;
        let is_over = value.exceeds(limit) || (self.is(Mutation::OverIsAtLeast) && value == limit);
        is_over.then(|| Finding { measured: Some(value.to_string()), limit: Some(limit.to_string()), from: Some(from) })
    }

    /// The largest figure over all windows of the length that hold the event, and its first event's time. It is enough
    /// to try the windows that end at an event: any other can be moved back to one without losing anything.
    fn largest_window(&self, index: usize, of: Option<&str>, events: &[&Event], span: Span) -> (Decimal, i64) {
        let mut best: Option<(Decimal, i64)> = None;
        for end in events.iter().map(|event| event.time) {
            let looks_back_only = self.is(Mutation::LateLooksBackOnly) && end != self.event.time;
            if !self.holds(self.event.time, end, span) || looks_back_only {
                continue;
            }
            let inside: Vec<&Event> =
                events.iter().copied().filter(|event| self.holds(event.time, end, span)).collect();
            let (value, from) = (self.value(index, of, &inside), inside[0].time);
            let better = best.is_none_or(|(best_value, best_from)| {
                let tie_wins = if self.is(Mutation::TieTakesLatest) { from > best_from } else { from < best_from };
                value.exceeds(best_value) || (value == best_value && tie_wins)
            });
            if better {
                best = Some((value, from));
            }
        }
        best.expect("the window that ends at the event holds it")
    }

    fn value(&self, index: usize, of: Option<&str>, events: &[&Event]) -> Decimal {
        let values = events.iter().filter_map(|event| event.field(of?));
        match self.rule(index).measure {
            Measure::Sum { .. } => values.fold(Decimal::whole(0), |sum, value| match value {
                Value::Number(number) => sum.plus(number).expect("2^20 amounts fit 38 digits"),
                other => panic!("{other} is no number, and does not match"),
            }),
            Measure::Distinct { .. } => {
                let mut different: Vec<Value> = Vec::new();
                for value in values {
                    if !different.contains(&value) {
                        different.push(value);
                    }
                }
                Decimal::whole(different.len() as i128)
            }
            _ => Decimal::whole(events.len() as i128),
        }
    }

    /// The limit on the event's local date; `None` while a unit has no worth yet.
    fn limit(&self, over: &Limit) -> Option<Decimal> {
        match &over.unit {
            None => Some(over.figure),
            Some(unit) => over.figure.times(self.worth(unit)?),
        }
    }

    /// A unit's worth for the event.
    pub fn worth(&self, unit: &str) -> Option<Decimal> {
        let mut time = self.event.time;
        if self.is(Mutation::UnitAtNewestDate) {
            time = self.history.iter().map(|past| past.event.time).fold(time, i64::max);
        }
        let calendar =
            if self.is(Mutation::UnitByUtcDate) { self.packs.calendar.in_utc() } else { self.packs.calendar };
        self.packs.worth(unit, time, calendar)
    }

    fn change(&self, index: usize, of: &str, within: Span) -> Option<Finding> {
        let left = self.left(index, Window::Sliding(within));
        let value = self.event.field(of)?;
        let mine = self.event.time;
        let before = left
            .iter()
            .rev()
            .find(|other| other.time <= mine)
            .filter(|other| self.packs.calendar.add(other.time, within) >= mine);
        let after = left
            .iter()
            .find(|other| other.time > mine)
            .filter(|other| self.packs.calendar.add(mine, within) >= other.time);
        let after = if self.is(Mutation::ChangeEarlierOnly) { None } else { after };
        let neighbours = if self.is(Mutation::ChangeNamesLater) { [after, before] } else { [before, after] };
        let differs = |other: &&&Event| other.field(of).is_some_and(|theirs| theirs != value);
        let neighbour = neighbours.into_iter().flatten().find(differs)?;
        let limit = neighbour.field(of)?.to_string();
        Some(Finding { measured: Some(value.to_string()), limit: Some(limit), from: Some(neighbour.time) })
    }

    fn streak(&self, index: usize, reset: &[String], within: Span, goal: Goal) -> Option<Finding> {
        let per_wallet = self.rule(index).per.iter().any(|name| name == "wallet");
        let mut row: Option<Row> = None;
        let mut wallet_newest = i64::MIN;
        for past in self.history {
            if past.event.wallet == self.event.wallet {
                wallet_newest = wallet_newest.max(past.event.time);
            }
            if !self.same_key(index, &past.event) {
                continue;
            }
            let resets =
                reset.contains(&past.event.kind) && (!past.action.turns_away() || self.is(Mutation::RefusedResets));
            if resets && !self.is(Mutation::StreakNotReset) {
                row = None;
            }
            if past.matches[index] && self.counts(index, past) {
                let longer = self.extended(row, past.event.time, within, per_wallet.then_some(wallet_newest));
                let starts_afresh =
                    matches!(goal, Goal::At(at) if longer.length >= at) && !self.is(Mutation::StreakAtGoesOn);
                row = if starts_afresh { None } else { Some(longer) };
            }
        }
        let newest = wallet_newest.max(self.event.time);
        let row = self.extended(row, self.event.time, within, per_wallet.then_some(newest));
        let (fires, limit) = match goal {
            Goal::From(from) => (row.length >= from, from),
            Goal::At(at) => (row.length == at, at),
        };
        fires.then(|| Finding {
            measured: Some(row.length.to_string()),
            limit: Some(limit.to_string()),
            from: Some(row.earliest),
        })
    }

    /// The row with one more event at `time`, or the row that it begins. Without the wallet in `per` the newest event
    /// that the key remembers is one of the row.
    fn extended(&self, row: Option<Row>, time: i64, within: Span, wallet_newest: Option<i64>) -> Row {
        let begun = Row { length: 1, last: time, earliest: time };
        let Some(row) = row else { return begun };
        let newest = wallet_newest.unwrap_or(row.last.max(time));
        let reaches = self.packs.calendar.add(row.last, within);
        let is_gap = reaches < time || (self.is(Mutation::StreakGapExclusive) && reaches == time);
        if !self.is_left(row.last, Window::Sliding(within), newest) || is_gap {
            return begun;
        }
        let last = if self.is(Mutation::StreakLateMovesTime) { time } else { row.last.max(time) };
        let earliest = if self.is(Mutation::StreakFromFirstArrival) { row.earliest } else { row.earliest.min(time) };
        Row { length: row.length + 1, last, earliest }
    }

    fn new_value(&self, index: usize, of: &str, within: Span) -> Option<Finding> {
        let value = self.event.field(of)?;
        let left = self.left(index, Window::Sliding(within));
        let sees_later = self.is(Mutation::NewSeesLater);
        let in_span = |other: &&Event| {
            (sees_later || other.time <= self.event.time)
                && self.packs.calendar.add(other.time, within) >= self.event.time
        };
        let seen: Vec<Value> = left.into_iter().filter(in_span).filter_map(|other| other.field(of)).collect();
        let another_was = !seen.is_empty() || self.is(Mutation::NewWithoutOther);
        (another_was && !seen.contains(&value))
            .then(|| Finding { measured: Some(value.to_string()), ..Finding::default() })
    }

    fn idle(&self, since: &[String], over: Span, written: &str) -> Option<Finding> {
        let mine = self
            .history
            .iter()
            .filter(|past| past.event.wallet == self.event.wallet && since.contains(&past.event.kind));
        let mut times = mine.map(|past| past.event.time);
        let last = if self.is(Mutation::IdleByArrival) { times.next_back() } else { times.max() };
        let last = if self.is(Mutation::IdleCountsItself) && since.contains(&self.event.kind) {
            last.max(Some(self.event.time))
        } else {
            last
        };
        let last = last?;
        let is_longer = self.packs.calendar.add(last, over) < self.event.time;
        is_longer.then(|| Finding {
            measured: Some(super::calendar::print(last)),
            limit: Some(written.to_owned()),
            from: None,
        })
    }

    fn after(&self, index: usize, within: Span) -> Option<Finding> {
        let left = self.left(index, Window::Sliding(within));
        let came = left.iter().filter(|other| other.time <= self.event.time).any(|other| {
            let reaches = self.packs.calendar.add(other.time, within);
            if self.is(Mutation::AfterExclusive) { reaches > self.event.time } else { reaches >= self.event.time }
        });
        came.then(Finding::default)
    }
}

/// A row of a `streak`, as it stands after one of its events.
#[derive(Clone, Copy)]
struct Row {
    length: u64,
    /// The newest time in the row.
    last: i64,
    earliest: i64,
}
