//! Why one event got its decision: what every rule measured, which events stood in its window, what stood on the wallet and
//! why, and what would have passed.
//!
//! State keeps nothing for this. The history is replayed up to the event, by the same engine, with a copy in shadow of each
//! rule that has a limit of 0, so that also what stayed under its limit is measured. On the way the events that share
//! a key with the one in question are kept, and what would have passed is found by replaying those alone with another
//! amount or time; if they do not give the same decision for the event as it was, nothing is claimed.

pub mod counterfactual;
mod history;
pub mod render;
mod told;

use super::{
    Outcome, Replay, ReplayError, Setup,
    range::Unreported,
    words::{LocalTime, cuts},
};
use crate::{
    decision::{Decision, Reason, RestrictionReason, RuleId},
    event::Event,
    files::{InputError, Inputs, Taken},
    limits,
    number::Decimal,
    rules::{Limit, Measure, Mode, Packs, Rule},
    time::{Span, Timestamp},
};
use counterfactual::Counterfactual;
use history::{History, Kept, Keys};
use std::{fmt, sync::Arc};
use told::RuleTold;

/// The event in question.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its place among all records, from 0.
    place: u64,
    pub source: String,
    pub line: u64,
    pub wallet: String,
    /// Later events of the wallet with the same id, at most [`limits::SUMMARY_FLAGGED`], and how many there are.
    pub later: Vec<Later>,
    pub later_in_all: u64,
}

/// An event whose id was used again.
#[derive(Clone, Debug)]
pub struct Later {
    pub source: String,
    pub line: u64,
    pub time: Timestamp,
    /// It was taken for a repeat of the one before.
    pub is_repeat: bool,
}

/// Everything that is said of one decision.
pub struct Explanation {
    pub target: Target,
    /// The decision on the event, as a replay gives it.
    pub line: Vec<u8>,
    pub decision: Decision,
    event: Kept,
    pub rules: Vec<RuleTold>,
    pub counterfactual: Counterfactual,
    /// There were more events with its keys than are kept.
    pub forgotten: bool,
    /// Why the history may begin too late, each as a sentence.
    pub cuts: Vec<String>,
}

impl Target {
    fn note(&mut self, later: Later) {
        self.later_in_all += 1;
        if self.later.len() < limits::SUMMARY_FLAGGED {
            self.later.push(later);
        }
    }
}

/// Why nothing can be explained. The person who asked must act.
#[derive(Debug)]
pub enum ExplainError {
    Input(InputError),
    Replay(ReplayError),
    NotFound(String),
    /// Several wallets have an event of that id.
    Several(Vec<String>),
    /// The record was rejected.
    Rejected(String),
}

impl fmt::Display for ExplainError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExplainError::Input(error) => error.fmt(out),
            ExplainError::Replay(error) => error.fmt(out),
            ExplainError::NotFound(what) => write!(out, "no event {what} was found in the inputs"),
            ExplainError::Several(wallets) => {
                write!(out, "several wallets have an event of that id; add --wallet, one of {}", wallets.join(", "))
            }
            ExplainError::Rejected(why) => write!(out, "the record is rejected, so there is no decision on it: {why}"),
        }
    }
}

impl std::error::Error for ExplainError {}

/// Goes through all records until `take` has enough.
fn go_through(
    setup: &Setup,
    mut inputs: Inputs,
    take: &mut dyn FnMut(u64, &Taken<'_>, &Outcome<'_>) -> bool,
) -> Result<(), ExplainError> {
    let mut replay = Replay::new(setup);
    let mut place = 0;
    loop {
        while let Some(taken) = inputs.take() {
            let outcome = replay.decide(taken.source, &taken.record).map_err(|misfit| {
                ExplainError::Replay(ReplayError::Misfit { source: taken.name.to_owned(), misfit })
            })?;
            if !take(place, &taken, &outcome) {
                return Ok(());
            }
            place += 1;
        }
        if replay.has_ended() || !inputs.fill().map_err(ExplainError::Input)? {
            return Ok(());
        }
    }
}

/// Looks for the first event of this id, of this wallet where one is named, and for those that have its id again.
///
/// # Errors
/// There is none, several wallets have one, or an input cannot be read.
pub fn find(setup: &Setup, inputs: Inputs, id: &str, wallet: Option<&str>) -> Result<Target, ExplainError> {
    let mut found: Vec<Target> = Vec::new();
    let mut rejected = None;
    go_through(setup, inputs, &mut |place, taken, outcome| {
        match outcome {
            Outcome::Decided { event, decision, .. }
                if event.id == id && wallet.is_none_or(|wallet| event.wallet == wallet) =>
            {
                let (source, line) = (taken.name.to_owned(), taken.record.line);
                match found.iter_mut().find(|target| target.wallet == event.wallet) {
                    Some(first) => {
                        let later = Later { source, line, time: event.time, is_repeat: decision.flags.duplicate };
                        first.note(later);
                    }
                    None => {
                        let wallet = event.wallet.to_owned();
                        found.push(Target { place, source, line, wallet, later: Vec::new(), later_in_all: 0 });
                    }
                }
            }
            Outcome::Rejected(fault) if rejected.is_none() => {
                let text = String::from_utf8_lossy(taken.record.bytes);
                if text.contains(&format!("\"{id}\"")) {
                    rejected = Some(format!("{}:{}: {fault}", taken.name, taken.record.line));
                }
            }
            _ => {}
        }
        true
    })?;
    match (found.len(), rejected) {
        (1, _) => Ok(found.remove(0)),
        (0, Some(why)) => Err(ExplainError::Rejected(why)),
        (0, None) => Err(ExplainError::NotFound(id.to_owned())),
        _ => Err(ExplainError::Several(found.into_iter().map(|target| target.wallet).collect())),
    }
}

/// Shows `tell` every event of one wallet that is more than allowed; gives the number of all.
///
/// # Errors
/// An input that cannot be read, or a wallet without events.
pub fn story(
    setup: &Setup,
    inputs: Inputs,
    wallet: &str,
    tell: &mut dyn FnMut(&Event<'_>, &Decision),
) -> Result<u64, ExplainError> {
    let mut events = 0;
    go_through(setup, inputs, &mut |_, _, outcome| {
        if let Outcome::Decided { event, decision, .. } = outcome
            && event.wallet == wallet
        {
            events += 1;
            if decision.is_flagged() {
                tell(event, decision);
            }
        }
        true
    })?;
    if events == 0 { Err(ExplainError::NotFound(format!("of wallet {wallet}"))) } else { Ok(events) }
}

/// Explains the decision on one event. `open` opens the inputs anew.
///
/// # Errors
/// An input that cannot be read.
pub fn explain(
    setup: &Setup,
    target: Target,
    open: &dyn Fn() -> Result<Inputs, InputError>,
) -> Result<Explanation, ExplainError> {
    let keys = keys_of(setup, &target, open().map_err(ExplainError::Input)?)?;
    let measuring = Setup { packs: with_unlimited(&setup.packs), ..setup.clone() };
    let mut history = History::new(&setup.packs, &setup.geo, keys);
    let mut decision = None;
    let inputs = open().map_err(ExplainError::Input)?;
    let mut unreported = setup.range.map(Unreported::new);
    let extent = inputs.extent().cloned();
    go_through(&measuring, inputs, &mut |place, _, outcome| {
        if let (Some(unreported), Outcome::Outside { time: Some(time) }) = (&mut unreported, outcome) {
            unreported.saw(*time);
        }
        if let Outcome::Decided { event, decision: made, .. } | Outcome::Passed { event, decision: made } = outcome {
            history.note(event, made);
            if let Some(unreported) = &mut unreported {
                unreported.saw(event.time);
            }
            if place == target.place {
                decision = Some((Kept::new(event, &setup.packs, made), (*made).clone()));
            }
        }
        place < target.place
    })?;
    let Some((event, decision)) = decision else { return Err(ExplainError::NotFound(target.wallet)) };
    // What was noted last is the event itself.
    history.kept.pop_back();
    let rules = told::rules(setup, &history, &event, &decision);
    let mut decision = decision;
    decision.shadow.retain(|reason| usize::from(reason.rule.0) < setup.packs.rules.len());
    let mut line = Vec::new();
    event.with_event(&setup.packs, |event| crate::encode::encode(&decision, event, &setup.packs, &mut line));
    let counterfactual = counterfactual::find(setup, &history, &event, &decision);
    let local = LocalTime::of(setup.packs.zone.name());
    let cuts = cuts(unreported.as_ref(), extent.as_ref(), &setup.packs, &local);
    Ok(Explanation { target, line, decision, event, rules, counterfactual, forgotten: history.forgotten, cuts })
}

/// What events share with the one in question that matter to it.
fn keys_of(setup: &Setup, target: &Target, inputs: Inputs) -> Result<Keys, ExplainError> {
    let mut keys = None;
    go_through(setup, inputs, &mut |place, _, outcome| {
        if let Outcome::Decided { event, .. } = outcome
            && place == target.place
        {
            keys = Some(Keys::new(event, &setup.packs, &setup.geo));
        }
        place < target.place
    })?;
    keys.ok_or_else(|| ExplainError::NotFound(target.wallet.clone()))
}

/// The packs with a copy in shadow of every rule that has a limit of its own, with nothing for a limit; the copy of rule
/// number `n` is found by [`unlimited_of`].
fn with_unlimited(packs: &Arc<Packs>) -> Arc<Packs> {
    let mut doubled = (**packs).clone();
    doubled.rules.extend(packs.rules.iter().map(unlimited));
    Arc::new(doubled)
}

/// The copy that measures what a rule measures.
fn unlimited_of(packs: &Packs, rule: RuleId) -> RuleId {
    let place = packs.rules.len() + usize::from(rule.0);
    RuleId(u16::try_from(place).expect("twice as many rules as limits::RULES are few"))
}

fn unlimited(rule: &Rule) -> Rule {
    const NOTHING: Limit = Limit { number: Decimal::ZERO, unit: None };
    let mut copy = Rule { restrict: Vec::new(), mode: Mode::Shadow, ..rule.clone() };
    let measures = match &mut copy.measure {
        Some(Measure::Count { over, .. } | Measure::Sum { over, .. } | Measure::Distinct { over, .. }) => {
            *over = NOTHING;
            true
        }
        Some(Measure::Streak { at_least, exactly: false, .. }) => {
            *at_least = 1;
            true
        }
        Some(Measure::Idle { over, .. }) => {
            *over = Span::Millis(1);
            true
        }
        _ => false,
    };
    if !measures || rule.mode == Mode::Off {
        copy.mode = Mode::Off;
    }
    copy
}

/// The restrictions that stood and applied.
fn standing(decision: &Decision) -> impl Iterator<Item = &RestrictionReason> {
    decision.reasons.iter().filter_map(|reason| match reason {
        Reason::Restriction(reason) => Some(reason),
        Reason::Rule(_) => None,
    })
}
