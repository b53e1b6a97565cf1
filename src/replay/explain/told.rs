//! What each rule says of the event in question: over its limit or under it, with what stood in its window.

use super::{
    history::{History, Kept, key},
    unlimited_of,
};
use crate::{
    check,
    decision::{Action, Decision, Reason, RuleId, RuleReason},
    number::Decimal,
    replay::Setup,
    rules::{Counts, Limit, Measure, Mode, Packs, Rule},
    time::{Span, Timestamp},
};

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Over its limit, and part of the decision.
    Over,
    /// Over its limit, reported beside the decision.
    Shadow,
    /// Measured, and not over its limit.
    Under,
    /// Its condition does not hold.
    Condition,
    /// The event lacks what it would need, or there is nothing to measure yet.
    Nothing,
}

impl State {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Over => "over",
            State::Shadow => "shadow",
            State::Under => "under",
            State::Condition => "condition",
            State::Nothing => "nothing",
        }
    }
}

/// One rule that judged the event.
#[derive(Debug)]
pub struct RuleTold {
    pub rule: RuleId,
    pub state: State,
    pub words: String,
    pub measured: Option<String>,
    pub limit: Option<String>,
    pub from: Option<Timestamp>,
    /// What was counted, oldest first, the event itself last.
    pub window: Vec<InWindow>,
}

/// One event that stood in a rule's window.
#[derive(Debug)]
pub struct InWindow {
    pub id: String,
    pub wallet: String,
    pub time: Timestamp,
    pub amount: Option<String>,
    pub action: Action,
}

/// Every rule of the event's type that is not off.
pub(super) fn rules(setup: &Setup, history: &History, event: &Kept, decision: &Decision) -> Vec<RuleTold> {
    let packs = &setup.packs;
    let kind = event.with_event(packs, |event| event.kind);
    (0_u16..)
        .map(RuleId)
        .zip(&packs.rules)
        .filter(|(_, rule)| rule.mode != Mode::Off && rule.on.contains(kind))
        .map(|(id, rule)| one(packs, history, event, decision, id, rule))
        .collect()
}

fn one(packs: &Packs, history: &History, event: &Kept, decision: &Decision, id: RuleId, rule: &Rule) -> RuleTold {
    let live = decision.reasons.iter().find_map(|reason| match reason {
        Reason::Rule(reason) if reason.rule == id => Some(reason),
        _ => None,
    });
    let in_shadow = |id: RuleId| decision.shadow.iter().find(|reason| reason.rule == id);
    let (shadow, unlimited) = (in_shadow(id), in_shadow(unlimited_of(packs, id)));
    let holds = rule.when.as_ref().is_none_or(|when| {
        history.with_facts(event, history.status(), |facts| when.holds(facts, &packs.units, &packs.lists, &packs.zone))
    });
    let (state, reason) = match (live, shadow, unlimited) {
        (Some(reason), _, _) => (State::Over, Some(reason)),
        (None, Some(reason), _) => (State::Shadow, Some(reason)),
        _ if !holds => (State::Condition, None),
        (None, None, Some(reason)) => (State::Under, Some(reason)),
        (None, None, None) => (State::Nothing, None),
    };
    let text = |of: fn(&RuleReason) -> Option<crate::decision::Text>| {
        reason.and_then(of).map(|text| decision.text(text).to_owned())
    };
    let limit = match state {
        State::Under => limit_of(packs, rule, event.time),
        _ => text(|reason| reason.limit),
    };
    let from = reason.and_then(|reason| reason.from);
    let window = match (&rule.measure, from) {
        (Some(measure), Some(from)) => window(packs, history, event, rule, measure, from),
        _ => Vec::new(),
    };
    let words = check::measure_in_words(packs, rule);
    RuleTold { rule: id, state, words, measured: text(|reason| reason.measured), limit, from, window }
}

/// The limit of a rule that is not over it, as a reason would print it.
fn limit_of(packs: &Packs, rule: &Rule, time: Timestamp) -> Option<String> {
    let worth = |limit: &Limit| -> Option<Decimal> {
        let unit = limit.unit.map(|unit| packs.units[usize::from(unit.0)].on(packs.zone.date(time)));
        Some(limit.number * unit.unwrap_or(Some(Decimal::ONE))?)
    };
    match rule.measure.as_ref()? {
        Measure::Count { over, .. } | Measure::Sum { over, .. } | Measure::Distinct { over, .. } => {
            Some(worth(over)?.normalize().to_string())
        }
        Measure::Streak { at_least, .. } => Some(at_least.to_string()),
        Measure::Idle { over_text, .. } => Some(over_text.clone()),
        Measure::Change { .. } | Measure::New { .. } | Measure::After { .. } => None,
    }
}

/// The events that a rule has counted from `from` on.
fn window(
    packs: &Packs,
    history: &History,
    event: &Kept,
    rule: &Rule,
    measure: &Measure,
    from: Timestamp,
) -> Vec<InWindow> {
    let (Some(per), Some(within)) = (measure.per(), length(measure)) else { return Vec::new() };
    let wanted = history.with_facts(event, history.status(), |facts| key(facts, per));
    let end = match within {
        // A window of a calendar holds what has arrived of its period, also what lies after the event.
        Span::Calendar(_) => Timestamp(packs.zone.after(event.time, within).0 - 1),
        _ => packs.zone.after(from, within).max(event.time),
    };
    let counted = |kept: &Kept| {
        (from..=end).contains(&kept.time)
            && !kept.duplicate
            && (rule.counts == Counts::Attempted || kept.action.accepted())
            && history.with_facts(kept, kept.status, |facts| {
                rule.on.contains(facts.event.kind)
                    && key(facts, per) == wanted
                    && rule.when.as_ref().is_none_or(|when| when.holds(facts, &packs.units, &packs.lists, &packs.zone))
            })
    };
    let told = |kept: &Kept| {
        kept.with_event(packs, |event| InWindow {
            id: event.id.to_owned(),
            wallet: event.wallet.to_owned(),
            time: event.time,
            amount: event.amount.map(|amount| amount.to_string()),
            action: kept.action,
        })
    };
    let mut found: Vec<InWindow> = history.kept.iter().filter(|kept| counted(kept)).map(told).collect();
    found.sort_by_key(|event| event.time);
    found.push(told(event));
    found
}

fn length(measure: &Measure) -> Option<Span> {
    match measure {
        // A row is as long as its gaps allow; all of it began at `from`.
        Measure::Streak { .. } => Some(Span::Months(1_200)),
        Measure::New { .. } | Measure::After { .. } => None,
        measure => measure.within(),
    }
}
