//! How well rules find what the labels call fraud: counts by what events turned out to be, for each rule and for all.

use super::{CaseId, Class, Label, Labels};
use crate::{
    decision::{Action, Decision, Reason, RuleId},
    event::Event,
    files::records::Record,
    replay::{Outcome, companion::Companion, figures, severity},
    rules::{Mode, Packs},
    time::Timestamp,
};
use std::{collections::HashMap, sync::Arc};

/// Events by what they turned out to be, by the place of their [`Class`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    pub events: [u64; Class::ALL.len()],
    /// Amounts of operations, in minor units.
    pub money: [i128; Class::ALL.len()],
}

impl Score {
    pub fn add(&mut self, class: Class, money: i128) {
        self.events[class as usize] += 1;
        self.money[class as usize] += money;
    }

    #[must_use]
    pub fn count(&self, class: Class) -> u64 {
        self.events[class as usize]
    }

    #[must_use]
    pub fn hits(&self) -> u64 {
        self.events.iter().sum()
    }

    /// The part of fraud among what is fraud or legitimate.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        let fraud = self.count(Class::Fraud);
        figures::ratio(fraud, fraud + self.count(Class::Legitimate))
    }

    /// The part of all fraud.
    #[must_use]
    pub fn recall(&self, all: &Score) -> Option<f64> {
        figures::ratio(self.count(Class::Fraud), all.count(Class::Fraud))
    }

    /// The harmonic mean of precision and recall.
    #[must_use]
    pub fn f1(&self, all: &Score) -> Option<f64> {
        let (fraud, legitimate) = (self.count(Class::Fraud), self.count(Class::Legitimate));
        figures::ratio(2 * fraud, fraud + legitimate + all.count(Class::Fraud))
    }
}

/// What one rule does.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuleScore {
    pub score: Score,
    /// Hits that no other live rule shares, and those of them that are fraud.
    pub alone: Score,
    /// Decisions that would be milder without it.
    pub decisive: u64,
}

/// How long before a fraud became known it was found.
#[derive(Clone, Debug, Default)]
pub struct Leads {
    /// Cases of fraud that were found, with a time at which they became known: the lead of each in ms, rising. Negative
    /// where it was known already.
    pub millis: Vec<i64>,
}

impl Leads {
    #[must_use]
    pub fn median(&self) -> Option<i64> {
        let middle = self.millis.len() / 2;
        let upper = *self.millis.get(middle)?;
        Some(if self.millis.len() % 2 == 1 { upper } else { i64::midpoint(self.millis[middle - 1], upper) })
    }
}

/// Scores of all rules over one replay.
pub struct Scores {
    pub packs: Arc<Packs>,
    pub labels: Arc<Labels>,
    /// Every event but repeats.
    pub all: Score,
    /// Events that some live rule hit.
    pub any_rule: Score,
    /// Events that got more than `allow`, also those that only a standing restriction stopped.
    pub any_action: Score,
    pub rules: Vec<RuleScore>,
    /// Rules that hit the same event, those in shadow among them, the earlier in the packs first: events, and those of them that are
    /// fraud.
    pub overlap: HashMap<(RuleId, RuleId), [u64; 2]>,
    /// The earliest hit of each case of fraud, by rule and by any live rule.
    first: HashMap<(CaseId, Option<RuleId>), Timestamp>,
    /// Cases of fraud of which some event was seen.
    seen: Vec<bool>,
    /// Labels that name something in the data.
    named: Vec<bool>,
    /// Events whose field for labels holds one, and those where it holds something else.
    pub carried: [u64; 2],
    pub repeats: u64,
    span: Option<(Timestamp, Timestamp)>,
    cases: Vec<CaseId>,
    live: Vec<RuleId>,
}

impl Scores {
    #[must_use]
    pub fn new(packs: Arc<Packs>, labels: Arc<Labels>) -> Scores {
        Scores {
            all: Score::default(),
            any_rule: Score::default(),
            any_action: Score::default(),
            rules: vec![RuleScore::default(); packs.rules.len()],
            overlap: HashMap::new(),
            first: HashMap::new(),
            seen: vec![false; labels.cases.len()],
            named: vec![false; labels.cases.len()],
            carried: [0; 2],
            repeats: 0,
            span: None,
            cases: Vec::new(),
            live: Vec::new(),
            packs,
            labels,
        }
    }

    fn decided(&mut self, event: &Event<'_>, decision: &Decision) {
        if decision.flags.duplicate {
            self.repeats += 1;
            return;
        }
        let (from, to) = self.span.unwrap_or((event.time, event.time));
        self.span = Some((from.min(event.time), to.max(event.time)));
        let labelled = self.labels.of(event);
        if let Some(label) = labelled.carried {
            self.carried[usize::from(label.is_none())] += 1;
        }
        for case in labelled.cases() {
            self.named[case.0 as usize] = true;
        }
        self.cases.clear();
        let class = self.labels.class_by(&labelled, event, &mut self.cases);
        for case in &self.cases {
            self.seen[case.0 as usize] = true;
        }
        let money = event.amount.map_or(0, |amount| i128::from(amount.0));
        self.all.add(class, money);
        if decision.action > Action::Allow {
            self.any_action.add(class, money);
        }
        self.live.clear();
        self.live.extend(decision.reasons.iter().filter_map(|reason| match reason {
            Reason::Rule(reason) => Some(reason.rule),
            Reason::Restriction(_) => None,
        }));
        if !self.live.is_empty() {
            self.any_rule.add(class, money);
            self.note(None, event.time);
            self.live_rules(class, money, event, decision);
        }
        for (place, reason) in decision.shadow.iter().enumerate() {
            for live in 0..self.live.len() {
                self.together(class, self.live[live], reason.rule);
            }
            for other in &decision.shadow[place + 1..] {
                self.together(class, reason.rule, other.rule);
            }
            let rule = &mut self.rules[usize::from(reason.rule.0)];
            rule.score.add(class, money);
            if self.live.is_empty() {
                rule.alone.add(class, money);
            }
            self.note(Some(reason.rule), event.time);
        }
    }

    fn live_rules(&mut self, class: Class, money: i128, event: &Event<'_>, decision: &Decision) {
        for place in 0..self.live.len() {
            let id = self.live[place];
            self.note(Some(id), event.time);
            for after in place + 1..self.live.len() {
                self.together(class, id, self.live[after]);
            }
            let rule = &mut self.rules[usize::from(id.0)];
            rule.score.add(class, money);
            if self.live.len() == 1 {
                rule.alone.add(class, money);
            }
            rule.decisive += u64::from(severity::with_other(&self.packs, decision, id, None) < decision.action);
        }
    }

    /// Two rules hit the same event.
    fn together(&mut self, class: Class, one: RuleId, other: RuleId) {
        let [both, fraud] = self.overlap.entry((one.min(other), one.max(other))).or_default();
        *both += 1;
        *fraud += u64::from(class == Class::Fraud);
    }

    /// A hit at this time on the cases of the event.
    fn note(&mut self, rule: Option<RuleId>, time: Timestamp) {
        for case in &self.cases {
            let first = self.first.entry((*case, rule)).or_insert(time);
            *first = time.min(*first);
        }
    }

    /// Labels of a file that count, and those of them that name something in the data.
    #[must_use]
    pub fn named(&self) -> (u64, u64) {
        (self.named.len() as u64, self.named.iter().filter(|named| **named).count() as u64)
    }

    /// The time between the first and the last event, in ms.
    #[must_use]
    pub fn millis(&self) -> i64 {
        self.span.map_or(0, |(from, to)| to.0 - from.0)
    }

    /// Cases of fraud with an event in the data, and those of them that some event was hit of: by one rule, or by any.
    #[must_use]
    pub fn cases(&self, rule: Option<RuleId>) -> (u64, u64) {
        let fraud = self.seen.iter().filter(|seen| **seen).count() as u64;
        let found = self.first.keys().filter(|(_, of)| *of == rule).count() as u64;
        (fraud, found)
    }

    /// How long before they became known cases of fraud were found, by one rule or by any.
    #[must_use]
    pub fn leads(&self, rule: Option<RuleId>) -> Leads {
        let of_rule = self.first.iter().filter(|((_, of), _)| *of == rule);
        let lead = |((case, _), first): (&(CaseId, Option<RuleId>), &Timestamp)| {
            let case = &self.labels.cases[case.0 as usize];
            debug_assert_eq!(case.label, Label::Fraud);
            Some(case.known?.0 - first.0)
        };
        let mut millis: Vec<i64> = of_rule.filter_map(lead).collect();
        millis.sort_unstable();
        Leads { millis }
    }

    /// A live rule that changes nothing: wherever it hits, another does too, and the decision would be no milder.
    #[must_use]
    pub fn adds_nothing(&self, rule: RuleId) -> bool {
        let score = &self.rules[usize::from(rule.0)];
        self.packs.rule(rule).mode == Mode::Live
            && score.score.hits() > 0
            && score.decisive == 0
            && score.alone.hits() == 0
    }
}

impl Companion for Scores {
    fn look_ahead(&mut self, _: &mut dyn Iterator<Item = &Event<'_>>) {}

    fn see(&mut self, _: usize, _: &Record<'_>, outcome: &Outcome<'_>) {
        if let Outcome::Decided { event, decision, .. } = outcome {
            self.decided(event, decision);
        }
    }
}
