//! What would have passed: the same event with another amount or at another time, the rest of history as it was.
//!
//! Found by replaying the events that share its keys, many times, and looking for the edge by halves: what is told is an
//! amount or a time that passes with its neighbour that does not.

use super::history::{History, Kept};
use crate::{
    decision::{Action, Decision},
    engine::Changes,
    event::{Event, decode::Decoder},
    number::Amount,
    replay::{Setup, support::Supported},
    time::Timestamp,
};

const HOUR: i64 = 60 * 60 * 1_000;

/// How far ahead a later time is looked for, in ms: the first of these that passes has the edge before it.
const LATER: [i64; 6] = [HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR, 31 * 24 * HOUR, 366 * 24 * HOUR];

/// What passes, of each kind where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counterfactual {
    /// The most severe action that counts as passing; nothing where the event did pass.
    pub at_most: Option<Action>,
    /// This amount passes, and one minor unit more does not.
    pub amount: Option<Amount>,
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
    let amount = event.with_event(&setup.packs, |event| event.amount).and_then(|Amount(amount)| {
        let passes = |minor: i64| passes(&|event: &mut Event<'_>| event.amount = Some(Amount(minor)));
        passes(1).then(|| Amount(edge(1, amount, &passes)))
    });
    let at = |millis: i64| passes(&|event: &mut Event<'_>| event.time = Timestamp(millis));
    let now = event.time.0;
    let from = later(now, &at);
    let first = history.kept.iter().map(|kept| kept.time.0).min().unwrap_or(now) - 1;
    let until = (first < now && at(first)).then(|| Timestamp(edge(first, now, &at)));
    Counterfactual { at_most: Some(at_most), amount, until, from, unknown: false }
}

/// A later time that passes, where one does.
fn later(now: i64, passes: &dyn Fn(i64) -> bool) -> Option<Timestamp> {
    let mut failing = now;
    for ahead in LATER {
        let time = now.saturating_add(ahead);
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
    /// The action and score of the changed event; it comes before what is later than it is now.
    fn decide(&self, change: &dyn Fn(&mut Event<'_>)) -> Option<(Action, u16)> {
        let packs = &self.setup.packs;
        let mut engine = self.setup.engine();
        let (mut decision, mut changes) = (Decision::default(), Changes::default());
        let moved = self.event.with_event(packs, |event| {
            let mut event = event.clone();
            change(&mut event);
            event.time
        });
        let mut decoder = Decoder::default();
        let earlier = moved < self.event.time;
        for kept in &self.history.kept {
            if earlier && kept.time > moved {
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
