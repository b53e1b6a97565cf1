//! What would have passed: the same event with another amount or at another time, the rest of history as it was.
//!
//! Found by replaying the events that share its keys, many times, and looking for the edge by halves: what is told is an
//! amount or a time that passes with its neighbour that does not.

use super::{
    history::{History, Kept},
    standing,
};
use crate::{
    decision::{Action, Decision},
    engine::Changes,
    event::{Event, decode::Decoder},
    limits,
    number::Amount,
    replay::{Setup, support::Supported},
    time::Timestamp,
};

const HOUR: i64 = 60 * 60 * 1_000;

const DAY: i64 = 24 * HOUR;

/// How far ahead a later time is looked for, in ms, besides the ends of what stands: the first of these that passes has the edge
/// before it.
const LATER: [i64; 10] = [HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY, 31 * DAY, 62 * DAY, 93 * DAY, 184 * DAY, 366 * DAY];

/// What passes, of each kind where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counterfactual {
    /// The most severe action that counts as passing; nothing where the event did pass.
    pub at_most: Option<Action>,
    /// This amount passes, is less, and one minor unit more does not.
    pub amount: Option<Amount>,
    /// One minor unit more than the amount passes, and this is the most that does: some rules ask for equal amounts.
    pub above: Option<Amount>,
    /// It passes at its own time if it comes before what happened later.
    pub in_turn: bool,
    /// An earlier time that passes, and a millisecond later does not.
    pub until: Option<Timestamp>,
    /// A later time that passes with nothing in between, and a millisecond earlier does not.
    pub from: Option<Timestamp>,
    /// The events that share its keys do not explain the decision alone, so nothing is claimed.
    pub unknown: bool,
}

/// Looks for what passes.
pub(super) fn find(setup: &Setup, history: &History, event: &Kept, decision: &Decision) -> Counterfactual {
    if decision.action == Action::Allow || decision.flags.duplicate {
        return Counterfactual::default();
    }
    // What is monitored goes through; what is monitored itself is flipped by nothing less than `allow`.
    let at_most = if decision.action == Action::Monitor { Action::Allow } else { Action::Monitor };
    let trial = Trial { setup, history, event };
    let same = trial.decide(&|_| {}).is_some_and(|again| again == (decision.action, decision.score));
    if !same {
        return Counterfactual { at_most: Some(at_most), unknown: true, ..Counterfactual::default() };
    }
    let passes = |change: &dyn Fn(&mut Event<'_>)| trial.decide(change).is_some_and(|(action, _)| action <= at_most);
    let amount = event.with_event(&setup.packs, |event| event.amount).map(|Amount(amount)| {
        let passes = |minor: i64| passes(&|event: &mut Event<'_>| event.amount = Some(Amount(minor)));
        (passes(1).then(|| Amount(edge(1, amount, &passes))), above(amount, &passes))
    });
    let (amount, above) = amount.unwrap_or_default();
    let at = |millis: i64| passes(&|event: &mut Event<'_>| event.time = Timestamp(millis));
    let now = event.time.0;
    let ends = standing(decision).filter_map(|reason| reason.until).map(|until| until.0);
    let from = later(now, ends, &at);
    let came_late = history.kept.iter().any(|kept| kept.time > event.time);
    let in_turn = came_late && trial.in_turn().is_some_and(|(action, _)| action <= at_most);
    let first = history.kept.iter().map(|kept| kept.time.0).min().unwrap_or(now) - 1;
    // Where its place in the order is why, any earlier time would pass just as well.
    let until = (!in_turn && first < now && at(first)).then(|| Timestamp(edge(first, now, &at)));
    Counterfactual { at_most: Some(at_most), amount, above, in_turn, until, from, unknown: false }
}

/// The most that passes with everything between it and the amount, as far as doubling the step shows; none where one minor unit more
/// does not pass.
fn above(amount: i64, passes: &dyn Fn(i64) -> bool) -> Option<Amount> {
    let (mut passing, mut step) = (amount + 1, 1);
    if passing > limits::AMOUNT_MINOR_MAX || !passes(passing) {
        return None;
    }
    while passing < limits::AMOUNT_MINOR_MAX {
        let next = passing.saturating_add(step).min(limits::AMOUNT_MINOR_MAX);
        if !passes(next) {
            return Some(Amount(edge(passing, next, passes)));
        }
        (passing, step) = (next, step.saturating_mul(2));
    }
    Some(Amount(passing))
}

/// A later time that passes, where one does.
fn later(now: i64, ends: impl Iterator<Item = i64>, passes: &dyn Fn(i64) -> bool) -> Option<Timestamp> {
    let mut times: Vec<i64> = LATER.iter().map(|ahead| now.saturating_add(*ahead)).chain(ends).collect();
    times.retain(|time| *time > now);
    times.sort_unstable();
    let mut failing = now;
    for time in times {
        if passes(time) {
            return Some(Timestamp(edge(time, failing, passes)));
        }
        failing = time;
    }
    None
}

/// The value nearest to `fails` that passes beside one that does not, between the two.
fn edge(mut passing: i64, mut failing: i64, passes: &dyn Fn(i64) -> bool) -> i64 {
    while passing.abs_diff(failing) > 1 {
        let middle = i64::midpoint(passing, failing);
        if passes(middle) {
            passing = middle;
        } else {
            failing = middle;
        }
    }
    passing
}

/// The history around the event, to be replayed with a change.
struct Trial<'a> {
    setup: &'a Setup,
    history: &'a History,
    event: &'a Kept,
}

impl Trial<'_> {
    /// The action and score of the event had it come before what happened later.
    fn in_turn(&self) -> Option<(Action, u16)> {
        self.decide_before(Some(self.event.time), &|_| {})
    }

    /// The action and score of the changed event; where it is earlier than it was, it comes before what is later than it is now.
    fn decide(&self, change: &dyn Fn(&mut Event<'_>)) -> Option<(Action, u16)> {
        let moved = self.event.with_event(&self.setup.packs, |event| {
            let mut event = event.clone();
            change(&mut event);
            event.time
        });
        self.decide_before((moved < self.event.time).then_some(moved), change)
    }

    /// The same after what has come and is no later than `latest`.
    fn decide_before(&self, latest: Option<Timestamp>, change: &dyn Fn(&mut Event<'_>)) -> Option<(Action, u16)> {
        let mut engine = self.setup.engine();
        let (mut decision, mut changes) = (Decision::default(), Changes::default());
        let mut decoder = Decoder::default();
        for kept in &self.history.kept {
            if latest.is_some_and(|latest| kept.time > latest) {
                break;
            }
            step(&mut engine, kept, self.setup, &mut decoder, &|_| {}, &mut decision, &mut changes);
        }
        let decided = step(&mut engine, self.event, self.setup, &mut decoder, change, &mut decision, &mut changes);
        decided.then_some((decision.action, decision.score))
    }
}

fn step(
    engine: &mut Supported,
    kept: &Kept,
    setup: &Setup,
    decoder: &mut Decoder,
    change: &dyn Fn(&mut Event<'_>),
    decision: &mut Decision,
    changes: &mut Changes,
) -> bool {
    let mut event = kept.decoded(&setup.packs, decoder);
    change(&mut event);
    engine.step(&event, None, decision, changes).is_ok()
}
