//! Two rule sets over the same records: which decisions change, through which rules, and whom that concerns.
//!
//! The replay's own packs are *before*, the others *after*. A change that some rule makes is counted apart from one that
//! only a standing restriction carries: a new rule that hits a wallet once holds it until somebody calls, and the operations
//! that are held meanwhile say nothing of how often the rule is right.

pub mod render;

use super::{
    Outcome, Setup,
    companion::{Companion, Lane, Seen},
    summary::Wallets,
    words::{LocalTime, Words, named},
};
use crate::{
    decision::{Action, Decision, Reason, RuleId},
    event::Event,
    files::records::Record,
    limits,
    rules::{Mode, Packs},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What becomes of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was a bare `allow`, and is more.
    Appears,
    /// It was more than `allow`, and is that.
    Vanishes,
    Harsher,
    Milder,
    /// The action stays; the rules, the restrictions, their ends or the score behind it do not.
    Reasons,
}

impl Change {
    pub const ALL: [Change; 5] = [Change::Appears, Change::Vanishes, Change::Harsher, Change::Milder, Change::Reasons];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Change::Appears => "appears",
            Change::Vanishes => "vanishes",
            Change::Harsher => "harsher",
            Change::Milder => "milder",
            Change::Reasons => "reasons",
        }
    }

    fn of_actions(before: Action, after: Action) -> Option<Change> {
        match (before, after) {
            (before, after) if before == after => None,
            (Action::Allow, _) => Some(Change::Appears),
            (_, Action::Allow) => Some(Change::Vanishes),
            (before, after) if before < after => Some(Change::Harsher),
            _ => Some(Change::Milder),
        }
    }
}

/// Decisions, and whom and what they concern. Money and wallets of repeats of an event are those of the first.
#[derive(Debug, Default)]
pub struct Concern {
    pub decisions: u64,
    /// Of operations, in minor units.
    pub money: i128,
    pub wallets: Wallets,
}

impl Concern {
    fn add(&mut self, event: &Event<'_>, decision: &Decision) {
        self.decisions += 1;
        if !decision.flags.duplicate {
            self.money += event.amount.map_or(0, |amount| i128::from(amount.0));
        }
        self.wallets.insert(event.wallet);
    }
}

/// A rule of either set, or one that both have under the same id.
#[derive(Debug)]
pub struct RuleChange {
    pub id: String,
    pub clause: Option<String>,
    pub before: Option<RuleId>,
    pub after: Option<RuleId>,
    /// Decisions that name it: live, then shadow.
    pub hits_before: [u64; 2],
    pub hits_after: [u64; 2],
    /// Live hits of the one set that the other does not have.
    pub gained: u64,
    pub lost: u64,
    /// Changed decisions that it is behind, by [`Change`] and by the action after it (of one that vanishes, before it).
    pub changes: [[u64; Action::ALL.len()]; Change::ALL.len()],
    pub concern: Concern,
}

/// One changed decision, told.
#[derive(Debug)]
pub struct Example {
    pub change: Change,
    pub by_rule: bool,
    pub told: String,
    pub json: Value,
}

/// What changes between two sets of rules.
pub struct Comparison {
    before: Arc<Packs>,
    after: Arc<Packs>,
    lane: Lane,
    local: LocalTime,
    /// Decisions by the action before and after.
    pub actions: [[u64; Action::ALL.len()]; Action::ALL.len()],
    /// By [`Change`]: those that a rule makes, and those that only a restriction carries.
    pub changes: [[Concern; 2]; Change::ALL.len()],
    pub rules: Vec<RuleChange>,
    /// Records that only one set decides on: the other does not know the type, or asks for more.
    pub only_before: u64,
    pub only_after: u64,
    pub examples: Vec<Example>,
    rows: Rows,
    hits: Hits,
}

/// The rows of [`Comparison::rules`] by the places of rules in their packs.
struct Rows {
    before: Vec<usize>,
    after: Vec<usize>,
}

/// The rows of the rules behind one pair of decisions; used again for the next.
#[derive(Default)]
struct Hits {
    before: Vec<usize>,
    after: Vec<usize>,
    behind: Vec<usize>,
}

impl Comparison {
    #[must_use]
    pub fn new(setup: &Setup, after: Arc<Packs>) -> Comparison {
        let before = Arc::clone(&setup.packs);
        let (rules, rows) = line_up(&before, &after);
        Comparison {
            lane: Lane::new(setup, &after),
            local: LocalTime::of(before.zone.name()),
            actions: Default::default(),
            changes: Default::default(),
            rules,
            only_before: 0,
            only_after: 0,
            examples: Vec::new(),
            rows,
            hits: Hits::default(),
            before,
            after,
        }
    }

    /// Whether anything at all is different.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let changed = self.changes.iter().flatten().any(|concern| concern.decisions > 0);
        changed || self.only_before > 0 || self.only_after > 0
    }

    /// Nothing more comes.
    pub fn settle(&mut self) {
        let of_rules = self.rules.iter_mut().map(|rule| &mut rule.concern);
        for concern in self.changes.iter_mut().flatten().chain(of_rules) {
            concern.wallets.settle();
        }
    }
}

impl Companion for Comparison {
    fn look_ahead(&mut self, events: &mut dyn Iterator<Item = &Event<'_>>) {
        self.lane.look_ahead(events);
    }

    fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>) {
        let Comparison { lane, before, after, local, .. } = self;
        match (outcome, lane.decide(source, record, outcome).filter(|seen| seen.reported)) {
            (Outcome::Decided { event, decision: old, .. }, Some(Seen { event: same, decision: new, .. })) => {
                self.actions[old.action as usize][new.action as usize] += 1;
                if is_bare(old) && is_bare(new) {
                    return;
                }
                self.hits.gather(&mut self.rules, &self.rows, old, new, [before, after]);
                let Some(change) = self.hits.change(old, new, [before, after]) else { return };
                let by_rule = !self.hits.behind.is_empty();
                self.changes[change as usize][usize::from(!by_rule)].add(event, old);
                self.hits.charge(&mut self.rules, change, event, old, new);
                let told = |example: &&Example| example.change == change && example.by_rule == by_rule;
                if self.examples.iter().filter(told).count() < limits::COMPARE_EXAMPLES {
                    let sides = [(&**before, event, *old), (&**after, &same, new)];
                    self.examples.push(example(change, by_rule, sides, local));
                }
            }
            (Outcome::Decided { .. }, None) => self.only_before += 1,
            (_, Some(_)) => self.only_after += 1,
            (_, None) => {}
        }
    }
}

/// Nothing of it can be different from another bare one.
fn is_bare(decision: &Decision) -> bool {
    decision.action == Action::Allow && decision.score == 0 && decision.reasons.is_empty() && decision.shadow.is_empty()
}

/// Every rule of both sets that is not off, those of the same id in one row, in the order of the new set.
fn line_up(before: &Packs, after: &Packs) -> (Vec<RuleChange>, Rows) {
    let ids = |packs: &Packs| -> Vec<(RuleId, String, Option<String>)> {
        let rules = (0_u16..).map(RuleId).zip(&packs.rules);
        rules.map(|(id, rule)| (id, rule.id.clone(), rule.clause.clone())).collect()
    };
    let mut rules: Vec<RuleChange> = Vec::new();
    let mut rows = Rows { before: Vec::new(), after: Vec::new() };
    let mut row_of = |id: &str, clause: &Option<String>| {
        rules.iter().position(|rule| rule.id == id).unwrap_or_else(|| {
            rules.push(RuleChange {
                id: id.to_owned(),
                clause: clause.clone(),
                before: None,
                after: None,
                hits_before: [0; 2],
                hits_after: [0; 2],
                gained: 0,
                lost: 0,
                changes: Default::default(),
                concern: Concern::default(),
            });
            rules.len() - 1
        })
    };
    rows.after = ids(after).iter().map(|(_, id, clause)| row_of(id, clause)).collect();
    rows.before = ids(before).iter().map(|(_, id, clause)| row_of(id, clause)).collect();
    let place = |row: &usize, rows: &[usize]| rows.iter().position(|other| other == row);
    let rule_id = |place: usize| RuleId(u16::try_from(place).expect("rules are bounded by limits::RULES"));
    for (row, rule) in rules.iter_mut().enumerate() {
        rule.before = place(&row, &rows.before).map(rule_id);
        rule.after = place(&row, &rows.after).map(rule_id);
    }
    (rules, rows)
}

/// The live rules of a decision.
fn live(decision: &Decision) -> impl Iterator<Item = RuleId> + '_ {
    decision.reasons.iter().filter_map(|reason| match reason {
        Reason::Rule(reason) => Some(reason.rule),
        Reason::Restriction(_) => None,
    })
}

impl Hits {
    /// Finds the rows of both decisions' rules and counts their hits.
    fn gather(&mut self, rules: &mut [RuleChange], rows: &Rows, old: &Decision, new: &Decision, packs: [&Packs; 2]) {
        self.before.clear();
        self.after.clear();
        self.behind.clear();
        self.before.extend(live(old).map(|rule| rows.before[usize::from(rule.0)]));
        self.after.extend(live(new).map(|rule| rows.after[usize::from(rule.0)]));
        for reason in &old.shadow {
            rules[rows.before[usize::from(reason.rule.0)]].hits_before[1] += 1;
        }
        for reason in &new.shadow {
            rules[rows.after[usize::from(reason.rule.0)]].hits_after[1] += 1;
        }
        for row in &self.before {
            let rule = &mut rules[*row];
            rule.hits_before[0] += 1;
            if !self.after.contains(row) {
                rule.lost += 1;
                self.behind.push(*row);
            }
        }
        for row in &self.after {
            let rule = &mut rules[*row];
            rule.hits_after[0] += 1;
            let [before, after] = packs;
            let asks = |packs: &Packs, id: Option<RuleId>| id.map(|id| (packs.rule(id).action, packs.rule(id).score));
            if !self.before.contains(row) {
                rule.gained += 1;
                self.behind.push(*row);
            } else if asks(before, rule.before) != asks(after, rule.after) {
                self.behind.push(*row);
            }
        }
    }

    fn change(&self, old: &Decision, new: &Decision, packs: [&Packs; 2]) -> Option<Change> {
        let of_actions = Change::of_actions(old.action, new.action);
        let same = || {
            let [before, after] = packs.map(|packs| move |decision: &Decision| restrictions(packs, decision));
            self.behind.is_empty() && old.score == new.score && before(old) == after(new)
        };
        of_actions.or_else(|| (!same()).then_some(Change::Reasons))
    }

    /// Puts a change to the account of the rules behind it.
    fn charge(&self, rules: &mut [RuleChange], change: Change, event: &Event<'_>, old: &Decision, new: &Decision) {
        let action = if change == Change::Vanishes { old.action } else { new.action };
        for row in &self.behind {
            let rule = &mut rules[*row];
            rule.changes[change as usize][action as usize] += 1;
            rule.concern.add(event, old);
        }
    }
}

/// The names of the restrictions that apply and their ends, in alphabetical order.
fn restrictions<'a>(packs: &'a Packs, decision: &Decision) -> Vec<(&'a str, Option<Timestamp>)> {
    let mut names: Vec<(&str, Option<Timestamp>)> = decision
        .reasons
        .iter()
        .filter_map(|reason| match reason {
            Reason::Restriction(reason) => Some((packs.restriction(reason.restriction).name.as_str(), reason.until)),
            Reason::Rule(_) => None,
        })
        .collect();
    names.sort_unstable();
    names
}

/// A decision of some packs on an event of their types.
type Side<'a> = (&'a Packs, &'a Event<'a>, &'a Decision);

fn example(change: Change, by_rule: bool, sides: [Side<'_>; 2], local: &LocalTime) -> Example {
    let [(before, event, old), (after, same, new)] = sides;
    let operation = Words { packs: before, local }.operation(event);
    let (packs, event, decision) = if change == Change::Vanishes { (before, event, old) } else { (after, same, new) };
    let reasons = Words { packs, local }.reasons(event, decision);
    let arrow = match change {
        Change::Reasons => new.action.name().to_owned(),
        _ => format!("{} → {}", old.action.name(), new.action.name()),
    };
    let side = |packs: &Packs, decision: &Decision| {
        let rules: Vec<&str> = live(decision).map(|rule| packs.rule(rule).id.as_str()).collect();
        let (action, score) = (decision.action.name(), decision.score);
        let restrictions: Vec<&str> = restrictions(packs, decision).into_iter().map(|(name, _)| name).collect();
        json!({"action": action, "score": score, "rules": rules, "restrictions": restrictions})
    };
    let json = json!({
        "change": change.name(),
        "by_rule": by_rule,
        "event": event.id,
        "type": packs.types.name(event.kind),
        "wallet": event.wallet,
        "time": event.time.to_string(),
        "amount": event.amount.map(|amount| amount.to_string()),
        "before": side(before, old),
        "after": side(after, new),
    });
    Example { change, by_rule, told: format!("{operation}: {arrow}: {reasons}"), json }
}

/// `live`, `shadow`, `off`, or nothing where the set has no such rule.
fn mode(packs: &Packs, rule: Option<RuleId>) -> Option<&'static str> {
    rule.map(|rule| match packs.rule(rule).mode {
        Mode::Live => "live",
        Mode::Shadow => "shadow",
        Mode::Off => "off",
    })
}

/// A rule's name with its clause, and what became of it between the two sets.
fn rule_name(rule: &RuleChange, before: &Packs, after: &Packs) -> String {
    let name = named(&rule.id, rule.clause.as_deref());
    match (mode(before, rule.before), mode(after, rule.after)) {
        (None, _) => format!("{name}, new"),
        (_, None) => format!("{name}, gone"),
        (Some(old), Some(new)) if old != new => format!("{name}, {old} → {new}"),
        _ => name,
    }
}
