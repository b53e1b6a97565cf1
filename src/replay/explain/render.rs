//! An explanation as people read it, and as JSON.

use super::{
    Explanation, Target,
    counterfactual::Counterfactual,
    standing,
    told::{InWindow, RuleTold, State},
};
use crate::{
    decision::Decision,
    event::{Event, shown::Shown},
    limits,
    number::Amount,
    replay::{
        Setup,
        words::{LocalTime, Words, named},
    },
    rules::{Packs, Rule},
    time::Timestamp,
    wording::{grouped, several},
};
use serde_json::{Value, json};
use std::fmt::Write;

/// Events of a window that the text shows: the oldest, and the newest.
const SHOWN_OLDEST: usize = 3;
const SHOWN_NEWEST: usize = 9;

/// The explanation for people, ending with a line end.
#[must_use]
pub fn text(explanation: &Explanation, setup: &Setup) -> String {
    let packs = &*setup.packs;
    let local = LocalTime::of(packs.zone.name());
    explanation.event.with_event(packs, |event| {
        let words = Words { packs, local: &local };
        let mut out = format!("{}\n", words.operation(event));
        let target = &explanation.target;
        let _ = writeln!(out, "{}:{}, times in {}", Shown(&target.source), target.line, local.zone_name());
        let decision = &explanation.decision;
        let _ =
            writeln!(out, "decision: {}, score {}{}", decision.action.name(), decision.score, band(packs, decision));
        let flags: Vec<&str> = decision.flags.names().collect();
        if !flags.is_empty() {
            let _ = writeln!(out, "flags: {}", flags.join(", "));
        }
        rules(explanation, packs, &local, event, &mut out);
        restrictions(explanation, packs, &words, event, &mut out);
        would_pass(&explanation.counterfactual, packs, &local, event, &mut out);
        later(&explanation.target, &local, &mut out);
        if explanation.forgotten {
            out.push_str("\nthere were more events with its keys than are kept; the oldest are not shown\n");
        }
        for cut in &explanation.cuts {
            let _ = writeln!(out, "\n{cut}");
        }
        out
    })
}

/// The id was used again: which one this is, and how the others are asked for.
fn later(target: &Target, local: &LocalTime, out: &mut String) {
    if target.later.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nthe wallet's first event of this id; it came again {}", times(target.later_in_all));
    for later in &target.later {
        let what = if later.is_repeat {
            "a repeat, decided as the one before".to_owned()
        } else {
            format!("decided as a new event; --from {} explains it", later.time)
        };
        let _ = writeln!(out, "  {}:{} on {}: {what}", Shown(&later.source), later.line, local.text(later.time));
    }
    let hidden = target.later_in_all - target.later.len() as u64;
    if hidden > 0 {
        let _ = writeln!(out, "  and {} more", grouped(hidden));
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", grouped(count)) }
}

fn rules(explanation: &Explanation, packs: &Packs, local: &LocalTime, event: &Event<'_>, out: &mut String) {
    for (title, states) in [
        ("rules over their limit", &[State::Over][..]),
        ("shadow rules over their limit", &[State::Shadow]),
        ("rules under their limit", &[State::Under]),
        ("rules that did not apply", &[State::Condition, State::Nothing]),
    ] {
        let told: Vec<&RuleTold> = explanation.rules.iter().filter(|told| states.contains(&told.state)).collect();
        if told.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title}");
        for rule in told {
            one_rule(rule, packs, local, event, out);
        }
    }
}

fn one_rule(told: &RuleTold, packs: &Packs, local: &LocalTime, event: &Event<'_>, out: &mut String) {
    let rule = packs.rule(told.rule);
    let _ = write!(out, "  {}", named(&rule.id, rule.clause.as_deref()));
    let details: Vec<String> = [
        told.measured.as_ref().map(|measured| {
            Timestamp::parse(measured).map_or_else(|_| Shown(measured).to_string(), |time| local.text(time))
        }),
        told.limit.as_ref().map(|limit| format!("limit {limit}")),
        told.from.map(|from| format!("since {}", local.text(from))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !details.is_empty() {
        let _ = write!(out, ": {}", details.join(", "));
    }
    let _ = writeln!(out, "\n    {}{}", told.words, effect(told, rule));
    if told.state == State::Over || told.state == State::Shadow {
        in_window(told, local, event, out);
    }
}

/// The band that a score reaches, where that is what the decision is.
fn band(packs: &Packs, decision: &Decision) -> String {
    let reached = packs.bands.iter().rev().find(|(from, _)| *from <= decision.score);
    match reached {
        Some((from, action)) if *from > 0 && *action == decision.action => {
            format!(" (from {from} on {})", action.name())
        }
        _ => String::new(),
    }
}

/// What a rule that is over its limit does to the decision.
fn effect(told: &RuleTold, rule: &Rule) -> String {
    match (told.state, rule.score) {
        (State::Over, 0) => format!(" → {}", rule.action.name()),
        (State::Over, score) => format!(" → {}, score {score}", rule.action.name()),
        _ => String::new(),
    }
}

fn in_window(told: &RuleTold, local: &LocalTime, event: &Event<'_>, out: &mut String) {
    let count = told.window.len();
    let hidden = count.saturating_sub(SHOWN_OLDEST + SHOWN_NEWEST);
    for (place, seen) in told.window.iter().enumerate() {
        if hidden > 0 && place == SHOWN_OLDEST {
            let _ = writeln!(out, "      … {} more", several(hidden as u64, "event"));
        }
        if place >= SHOWN_OLDEST && place < SHOWN_OLDEST + hidden {
            continue;
        }
        let whose = if seen.wallet == event.wallet { String::new() } else { format!(" of {}", Shown(&seen.wallet)) };
        let amount = seen.amount.as_deref().unwrap_or("-");
        let (time, action) = (local.text(seen.time), seen.action.name());
        let _ = writeln!(out, "      {time}  {amount:>14}  {action:<7}  {}{whose}", Shown(&seen.id));
    }
}

fn restrictions(explanation: &Explanation, packs: &Packs, words: &Words<'_>, event: &Event<'_>, out: &mut String) {
    let decision = &explanation.decision;
    if standing(decision).next().is_none() {
        return;
    }
    out.push_str("\nrestrictions that stood before it\n");
    for reason in standing(decision) {
        let restriction = packs.restriction(reason.restriction);
        let _ = writeln!(out, "  {}: {}", words.restriction(reason, event, decision), restriction.action.name());
        let signals: Vec<&str> = restriction.lifted_by.iter().map(|kind| packs.types.name(kind)).collect();
        if !signals.is_empty() {
            let _ = writeln!(out, "    lifted by {}", signals.join(", "));
        }
    }
}

fn would_pass(found: &Counterfactual, packs: &Packs, local: &LocalTime, event: &Event<'_>, out: &mut String) {
    let Some(at_most) = found.at_most else { return };
    let _ = writeln!(out, "\nwhat would have passed ({} at most)", at_most.name());
    if found.unknown {
        out.push_str("  unknown: more than the events that share its keys is behind the decision\n");
        return;
    }
    if let Some(amount) = found.amount {
        let _ = writeln!(out, "  a sum of {amount} {}, but not 0.01 more", packs.currency.as_str());
    }
    if let Some((above, amount)) = found.above.zip(event.amount) {
        let (next, currency) = (Amount(amount.0 + 1), packs.currency.as_str());
        let _ = match above.0 {
            limits::AMOUNT_MINOR_MAX => writeln!(out, "  a sum of {next} {currency} or more"),
            _ => writeln!(out, "  a sum of {next} {currency} too, and up to {above}, but not 0.01 more"),
        };
    }
    if found.in_turn {
        out.push_str("  the same if it had come in its turn, before what happened later\n");
    }
    let moment = |time: Timestamp| match time.0.rem_euclid(1_000) {
        0 => local.text(time),
        millis => format!("{}.{millis:03}", local.text(time)),
    };
    if let Some(until) = found.until {
        let _ = writeln!(out, "  the same at {}, but not a millisecond later", moment(until));
    }
    if let Some(from) = found.from {
        let _ = writeln!(out, "  the same at {}, with nothing in between, but not a millisecond earlier", moment(from));
    }
    let of_amounts = found.amount.or(found.above).is_some();
    if !of_amounts && !found.in_turn && found.until.or(found.from).is_none() {
        let sum = if event.amount.is_some() { "sum and no " } else { "" };
        let _ = writeln!(out, "  no {sum}time within a year");
    }
}

/// The explanation as one JSON object, without a line end.
#[must_use]
pub fn json(explanation: &Explanation, setup: &Setup) -> String {
    let packs = &*setup.packs;
    let decision: Value = serde_json::from_slice(&explanation.line).expect("a decision is JSON");
    let found = &explanation.counterfactual;
    let restrictions: Vec<Value> = standing(&explanation.decision)
        .map(|reason| {
            let restriction = packs.restriction(reason.restriction);
            let signals: Vec<&str> = restriction.lifted_by.iter().map(|kind| packs.types.name(kind)).collect();
            json!({
                "restriction": restriction.name,
                "clause": restriction.clause,
                "of": reason.of.name(),
                "action": restriction.action.name(),
                "since": reason.since.to_string(),
                "until": reason.until.map(|until| until.to_string()),
                "by": explanation.decision.text(reason.by),
                "by_event": explanation.decision.text(reason.by_event),
                "lifted_by": signals,
            })
        })
        .collect();
    let value = json!({
        "source": explanation.target.source,
        "line": explanation.target.line,
        "cuts": explanation.cuts,
        "decision": decision,
        "rules": explanation.rules.iter().map(|told| rule_json(told, packs)).collect::<Vec<_>>(),
        "restrictions": restrictions,
        "would_pass": found.at_most.map(|at_most| json!({
            "action_at_most": at_most.name(),
            "unknown": found.unknown,
            "amount": found.amount.map(|amount| amount.to_string()),
            "amount_above": found.above.map(|amount| amount.to_string()),
            "in_turn": found.in_turn,
            "until": found.until.map(|time| time.to_string()),
            "from": found.from.map(|time| time.to_string()),
        })),
        "forgotten": explanation.forgotten,
        "later": explanation.target.later.iter().map(|later| json!({
            "source": later.source,
            "line": later.line,
            "time": later.time.to_string(),
            "duplicate": later.is_repeat,
        })).collect::<Vec<_>>(),
        "later_in_all": explanation.target.later_in_all,
    });
    value.to_string()
}

fn rule_json(told: &RuleTold, packs: &Packs) -> Value {
    let rule = packs.rule(told.rule);
    let seen = |seen: &InWindow| {
        json!({
            "event": seen.id,
            "wallet": seen.wallet,
            "time": seen.time.to_string(),
            "amount": seen.amount,
            "action": seen.action.name(),
        })
    };
    json!({
        "rule": rule.id,
        "clause": rule.clause,
        "title": rule.title,
        "action": rule.action.name(),
        "score": rule.score,
        "state": told.state.name(),
        "looks_at": told.words,
        "measured": told.measured,
        "limit": told.limit,
        "from": told.from.map(|from| from.to_string()),
        "window": told.window.iter().map(seen).collect::<Vec<_>>(),
    })
}
