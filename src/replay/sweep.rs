//! Many values of a rule's limit in one pass over the data.
//!
//! What a rule does with another limit is one of two questions. A rule that neither restricts nor counts `accepted` changes
//! nothing but its own decisions: copies of it in shadow, one for each value, share its window in one engine, and what each
//! decision would be follows from the others' reasons. That holds until a value changes whether an operation is
//! accepted and something counts what is accepted; such a value is found out and goes the other way. A rule
//! that restricts changes what comes after, so each of its values has an engine of its own.

pub mod render;
pub mod spec;

use super::{
    Outcome, Setup,
    companion::{Companion, Lane, Seen},
    labels::{Class, Labels, scores::Score},
    severity,
    summary::Wallets,
};
use crate::{
    decision::{Action, Decision, Reason, RuleId},
    event::Event,
    files::records::Record,
    rules::{Counts, Measure, Mode, Packs, Rule},
    time::Timestamp,
};
use spec::Spec;
use std::sync::Arc;

/// What one value comes to. Repeats of an event count for nothing.
#[derive(Debug, Default)]
pub struct Point {
    pub decided: u64,
    /// Events that the swept rule hits.
    pub rule: Score,
    /// Events that some live rule hits.
    pub any_rule: Score,
    /// By [`Action`].
    pub actions: [u64; Action::ALL.len()],
    /// Wallets that the swept rule hits.
    pub wallets: Wallets,
    /// The first and the last event.
    span: Option<(Timestamp, Timestamp)>,
}

/// What a value makes of one event.
struct Made {
    action: Action,
    /// The swept rule is over its limit.
    hit: bool,
    /// Some live rule is.
    any: bool,
}

impl Point {
    fn add(&mut self, event: &Event<'_>, made: &Made, class: impl FnOnce() -> Class) {
        self.decided += 1;
        self.actions[made.action as usize] += 1;
        let (from, to) = self.span.unwrap_or((event.time, event.time));
        self.span = Some((from.min(event.time), to.max(event.time)));
        if !made.hit && !made.any {
            return;
        }
        let (class, money) = (class(), event.amount.map_or(0, |amount| i128::from(amount.0)));
        if made.any {
            self.any_rule.add(class, money);
        }
        if made.hit {
            self.rule.add(class, money);
            self.wallets.insert(event.wallet);
        }
    }

    /// The time between the first and the last event, in ms.
    #[must_use]
    pub fn millis(&self) -> i64 {
        self.span.map_or(0, |(from, to)| to.0 - from.0)
    }
}

/// One sweep and what each of its values comes to.
pub struct Swept {
    pub spec: Spec,
    pub points: Vec<Point>,
}

/// All sweeps of a replay.
pub struct Sweeps {
    specs: Vec<Spec>,
    together: Option<Together>,
    apart: Vec<Apart>,
}

/// A value among those of all sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    sweep: usize,
    value: usize,
}

impl Sweeps {
    /// `again` tells that the data can be read a second time, for values that cannot go together after all.
    #[must_use]
    pub fn new(setup: &Setup, specs: Vec<Spec>, labels: Option<&Arc<Labels>>, again: bool) -> Sweeps {
        let (mut shared, mut own) = (Vec::new(), Vec::new());
        for (sweep, spec) in specs.iter().enumerate() {
            let together = acts_alone(&setup.packs, spec, again);
            let places = (0..spec.values.len()).map(|value| Place { sweep, value });
            if together { shared.extend(places) } else { own.extend(places) }
        }
        let apart = own.into_iter().map(|place| Apart::new(setup, &specs, place, labels)).collect();
        let together = (!shared.is_empty()).then(|| Together::new(setup, &specs, shared, labels));
        Sweeps { specs, together, apart }
    }

    pub fn companions(&mut self) -> impl Iterator<Item = &mut dyn Companion> {
        let together = self.together.iter_mut().map(|together| -> &mut dyn Companion { together });
        together.chain(self.apart.iter_mut().map(|apart| -> &mut dyn Companion { apart }))
    }

    /// What must be run once more with engines of their own: values that turned out to change what is accepted.
    pub fn left(&mut self, setup: &Setup, labels: Option<&Arc<Labels>>) -> Vec<Apart> {
        let Some(together) = &mut self.together else { return Vec::new() };
        let (kept, left): (Vec<Copy>, Vec<Copy>) = together.copies.drain(..).partition(|copy| !copy.strays);
        together.copies = kept;
        left.into_iter().map(|copy| Apart::new(setup, &self.specs, copy.place, labels)).collect()
    }

    /// Takes what has been run once more.
    pub fn take(&mut self, apart: Vec<Apart>) {
        self.apart.extend(apart);
    }

    /// Nothing more comes: what each value came to.
    #[must_use]
    pub fn settle(self) -> Vec<Swept> {
        let shared = self.together.into_iter().flat_map(|together| together.copies);
        let mut points: Vec<(Place, Point)> = shared.map(|copy| (copy.place, copy.point)).collect();
        points.extend(self.apart.into_iter().map(|apart| (apart.place, apart.point)));
        points.sort_by_key(|(place, _)| (place.sweep, place.value));
        let mut swept: Vec<Swept> = self.specs.into_iter().map(|spec| Swept { spec, points: Vec::new() }).collect();
        for (place, mut point) in points {
            point.wallets.settle();
            swept[place.sweep].points.push(point);
        }
        swept
    }
}

/// Whether the rule's other values change nothing but its own decisions; where the data can be read `again`, that may
/// still be found out to be wrong.
fn acts_alone(packs: &Packs, spec: &Spec, again: bool) -> bool {
    let rule = packs.rule(spec.rule);
    let restricts = !rule.restrict.is_empty() || rule.counts == Counts::Accepted;
    rule.mode == Mode::Shadow || (!restricts && (again || !counts_accepted(packs)))
}

/// Something depends on whether operations were accepted.
fn counts_accepted(packs: &Packs) -> bool {
    packs.rules.iter().filter(|rule| rule.mode != Mode::Off).any(|rule| {
        let resets = matches!(&rule.measure, Some(Measure::Streak { reset, .. }) if !reset.is_empty());
        rule.counts == Counts::Accepted || resets
    })
}

/// The packs with one rule as it is with a value.
fn packs_with(packs: &Packs, place: RuleId, rule: Rule) -> Arc<Packs> {
    let mut packs = packs.clone();
    packs.rules[usize::from(place.0)] = rule;
    Arc::new(packs)
}

/// The live rules of a decision but one.
fn others(decision: &Decision, rule: RuleId) -> bool {
    decision.reasons.iter().any(|reason| matches!(reason, Reason::Rule(reason) if reason.rule != rule))
}

fn class(labels: Option<&Arc<Labels>>, event: &Event<'_>) -> Class {
    labels.map_or(Class::Unlabelled, |labels| labels.class(event, &mut Vec::new()))
}

/// Values that share an engine with the packs as they are.
struct Together {
    packs: Arc<Packs>,
    lane: Lane,
    labels: Option<Arc<Labels>>,
    /// Something depends on whether operations were accepted.
    watches: bool,
    copies: Vec<Copy>,
    /// By copy, whether it is over its limit; of one event.
    over: Vec<bool>,
}

/// One value as a shadow rule.
struct Copy {
    place: Place,
    /// The rule that is swept.
    swept: RuleId,
    live: bool,
    action: Action,
    score: u16,
    point: Point,
    /// It has changed what is accepted, so that what followed is not known.
    strays: bool,
}

impl Together {
    fn new(setup: &Setup, specs: &[Spec], places: Vec<Place>, labels: Option<&Arc<Labels>>) -> Together {
        let mut packs = (*setup.packs).clone();
        let copies: Vec<Copy> = places
            .into_iter()
            .map(|place| {
                let spec = &specs[place.sweep];
                let rule = &spec.values[place.value].rule;
                packs.rules.push(Rule { mode: Mode::Shadow, restrict: Vec::new(), ..rule.clone() });
                let (action, score, live) = (rule.action, rule.score, rule.mode == Mode::Live);
                Copy { place, swept: spec.rule, live, action, score, point: Point::default(), strays: false }
            })
            .collect();
        let packs = Arc::new(packs);
        Together {
            lane: Lane::new(setup, &packs),
            labels: labels.cloned(),
            watches: counts_accepted(&setup.packs),
            over: vec![false; copies.len()],
            copies,
            packs: Arc::clone(&setup.packs),
        }
    }
}

impl Companion for Together {
    fn look_ahead(&mut self, events: &mut dyn Iterator<Item = &Event<'_>>) {
        self.lane.look_ahead(events);
    }

    fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>) {
        let Some(Seen { event, decision, reported }) = self.lane.decide(source, record, outcome) else { return };
        if decision.flags.duplicate {
            return;
        }
        self.over.fill(false);
        for reason in &decision.shadow {
            if let Some(copy) = usize::from(reason.rule.0).checked_sub(self.packs.rules.len()) {
                self.over[copy] = true;
            }
        }
        for (copy, hit) in self.copies.iter_mut().zip(&self.over) {
            let asked = (*hit && copy.live).then_some((copy.action, copy.score));
            let action = if copy.live {
                severity::with_other(&self.packs, decision, copy.swept, asked)
            } else {
                decision.action
            };
            copy.strays |= self.watches && action.accepted() != decision.action.accepted();
            if !reported {
                continue;
            }
            let any = (*hit && copy.live) || others(decision, copy.swept);
            let made = Made { action, hit: *hit, any };
            copy.point.add(&event, &made, || class(self.labels.as_ref(), &event));
        }
    }
}

/// A value with an engine of its own.
pub struct Apart {
    place: Place,
    swept: RuleId,
    lane: Lane,
    labels: Option<Arc<Labels>>,
    point: Point,
}

impl Apart {
    fn new(setup: &Setup, specs: &[Spec], place: Place, labels: Option<&Arc<Labels>>) -> Apart {
        let spec = &specs[place.sweep];
        let packs = packs_with(&setup.packs, spec.rule, spec.values[place.value].rule.clone());
        Apart {
            place,
            swept: spec.rule,
            lane: Lane::new(setup, &packs),
            labels: labels.cloned(),
            point: Point::default(),
        }
    }
}

impl Companion for Apart {
    fn look_ahead(&mut self, events: &mut dyn Iterator<Item = &Event<'_>>) {
        self.lane.look_ahead(events);
    }

    fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>) {
        let Some(Seen { event, decision, reported }) = self.lane.decide(source, record, outcome) else { return };
        if decision.flags.duplicate || !reported {
            return;
        }
        let own = |rule: RuleId| rule == self.swept;
        let live = decision.reasons.iter().any(|reason| matches!(reason, Reason::Rule(reason) if own(reason.rule)));
        let hit = live || decision.shadow.iter().any(|reason| own(reason.rule));
        let made = Made { action: decision.action, hit, any: live || others(decision, self.swept) };
        self.point.add(&event, &made, || class(self.labels.as_ref(), &event));
    }
}
