//! Many values of a rule's limit in one pass over the data.
//!
//! What a rule does with another limit is one of two questions. A rule that neither restricts nor counts `accepted` changes
//! nothing but its own decisions: copies of it in shadow, one for each value, share its window in one engine, and what each
//! decision would be follows from the others' reasons. That holds until a value changes whether an operation is
//! accepted and something counts what is accepted. A rule that restricts changes what comes after, too. Where the data can be
//! read again and what changes stays within the wallets that are decided on otherwise, a second pass shows these alone
//! to an engine for each value (`fork`); else such a value has an engine of its own for all wallets.

mod fork;
pub mod render;
pub mod spec;

use super::{
    Outcome, Setup,
    companion::{Companion, Lane},
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
use fork::{Forks, Parted, is_confined};
use spec::Spec;
use std::{mem, sync::Arc};

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

    /// Adds what another part of the events comes to.
    fn absorb(&mut self, mut other: Point) {
        self.wallets.settle();
        other.wallets.settle();
        self.wallets.absorb(&other.wallets);
        self.decided += other.decided;
        self.rule.absorb(&other.rule);
        self.any_rule.absorb(&other.any_rule);
        for (sum, count) in self.actions.iter_mut().zip(other.actions) {
            *sum += count;
        }
        let ends = [self.span, other.span].into_iter().flatten();
        self.span = ends.reduce(|one, two| (one.0.min(two.0), one.1.max(two.1)));
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
    /// Values that need an engine of their own for all wallets, found out in the second pass.
    strayed: Vec<Place>,
}

/// What needs one more pass over the data.
#[derive(Default)]
pub struct Left {
    apart: Vec<Apart>,
    forks: Option<Forks>,
}

impl Left {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.apart.is_empty() && self.forks.is_none()
    }

    pub fn companions(&mut self) -> impl Iterator<Item = &mut dyn Companion> {
        let forks = self.forks.iter_mut().map(|forks| -> &mut dyn Companion { forks });
        forks.chain(self.apart.iter_mut().map(|apart| -> &mut dyn Companion { apart }))
    }
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
            let confined = again && is_confined(setup, setup.packs.rule(spec.rule));
            let together = acts_alone(&setup.packs, spec, again) || confined;
            let places = (0..spec.values.len()).map(|value| Place { sweep, value });
            if together { shared.extend(places) } else { own.extend(places) }
        }
        let apart = own.into_iter().map(|place| Apart::new(setup, &specs, place, labels)).collect();
        let together = (!shared.is_empty()).then(|| Together::new(setup, &specs, shared, labels, again));
        Sweeps { specs, together, apart, strayed: Vec::new() }
    }

    pub fn companions(&mut self) -> impl Iterator<Item = &mut dyn Companion> {
        let together = self.together.iter_mut().map(|together| -> &mut dyn Companion { together });
        together.chain(self.apart.iter_mut().map(|apart| -> &mut dyn Companion { apart }))
    }

    /// What needs one more pass: values that turned out to change what is accepted, or what follows of some wallets. To be
    /// run, taken, and asked for again until nothing is left.
    pub fn left(&mut self, setup: &Setup, labels: Option<&Arc<Labels>>) -> Left {
        let Some(together) = &mut self.together else { return Left::default() };
        let full = together.parted.is_full();
        let (kept, gone): (Vec<Copy>, Vec<Copy>) =
            together.copies.drain(..).partition(|copy| !(copy.strays || full && copy.confined));
        let places = gone.iter().map(|copy| copy.place).chain(self.strayed.drain(..));
        let apart = places.map(|place| Apart::new(setup, &self.specs, place, labels)).collect();
        together.copies = kept;
        let parted = mem::replace(&mut together.parted, Parted::new(&setup.packs));
        let forks = (parted.is_needed() && !full).then(|| {
            let values = together.copies.iter().filter(|copy| copy.confined).map(|copy| {
                let rule = &self.specs[copy.place.sweep].values[copy.place.value].rule;
                (copy.number, copy.place, copy.swept, packs_with(&setup.packs, copy.swept, rule.clone()))
            });
            Forks::new(setup, parted, values, labels)
        });
        Left { apart, forks }
    }

    /// Takes what has had one more pass.
    pub fn take(&mut self, left: Left) {
        self.apart.extend(left.apart);
        let Some(together) = &mut self.together else { return };
        for fork in left.forks.into_iter().flat_map(Forks::into_values) {
            let at = together.copies.iter().position(|copy| copy.place == fork.place);
            let at = at.expect("a fork is of a value that was kept");
            if fork.strays {
                self.strayed.push(together.copies.remove(at).place);
            } else {
                together.copies[at].point.absorb(fork.point);
            }
        }
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

/// Whether one live rule is behind a decision.
fn is_hit(decision: &Decision, rule: RuleId) -> bool {
    decision.reasons.iter().any(|reason| matches!(reason, Reason::Rule(reason) if reason.rule == rule))
}

/// What packs with a value in the place of the swept rule's have made of an event.
fn made(decision: &Decision, swept: RuleId) -> Made {
    let live = is_hit(decision, swept);
    let hit = live || decision.shadow.iter().any(|reason| reason.rule == swept);
    Made { action: decision.action, hit, any: live || others(decision, swept) }
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
    parted: Parted,
    /// By copy, whether it is over its limit; of one event.
    over: Vec<bool>,
    /// By copy, whether it has parted with the packs on the wallet of one event.
    gone: Vec<bool>,
}

/// One value as a shadow rule.
struct Copy {
    place: Place,
    /// Its place among the copies, for good.
    number: usize,
    /// The rule that is swept.
    swept: RuleId,
    live: bool,
    action: Action,
    score: u16,
    point: Point,
    /// What it changes stays within the wallets on which it decides otherwise.
    confined: bool,
    restricts: bool,
    /// It has changed what is accepted, so that what followed is not known.
    strays: bool,
}

impl Together {
    fn new(setup: &Setup, specs: &[Spec], places: Vec<Place>, labels: Option<&Arc<Labels>>, again: bool) -> Together {
        let mut packs = (*setup.packs).clone();
        let copies: Vec<Copy> = places
            .into_iter()
            .enumerate()
            .map(|(number, place)| {
                let spec = &specs[place.sweep];
                let rule = &spec.values[place.value].rule;
                packs.rules.push(Rule { mode: Mode::Shadow, restrict: Vec::new(), ..rule.clone() });
                let (action, score, live) = (rule.action, rule.score, rule.mode == Mode::Live);
                Copy {
                    place,
                    number,
                    swept: spec.rule,
                    live,
                    action,
                    score,
                    point: Point::default(),
                    confined: again && is_confined(setup, setup.packs.rule(spec.rule)),
                    restricts: !rule.restrict.is_empty(),
                    strays: false,
                }
            })
            .collect();
        let packs = Arc::new(packs);
        Together {
            lane: Lane::new(setup, &packs),
            labels: labels.cloned(),
            watches: counts_accepted(&setup.packs),
            parted: Parted::new(&setup.packs),
            over: vec![false; copies.len()],
            gone: vec![false; copies.len()],
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
        let Some((event, decision)) = self.lane.decide(source, record, outcome) else { return };
        self.parted.pass(&event, decision);
        if decision.flags.duplicate {
            return;
        }
        self.parted.mark(event.wallet, &mut self.gone);
        self.over.fill(false);
        for reason in &decision.shadow {
            if let Some(copy) = usize::from(reason.rule.0).checked_sub(self.packs.rules.len()) {
                self.over[copy] = true;
            }
        }
        for (copy, hit) in self.copies.iter_mut().zip(&self.over).filter(|(copy, _)| !self.gone[copy.number]) {
            let asked = (*hit && copy.live).then_some((copy.action, copy.score));
            let action = if copy.live {
                severity::with_other(&self.packs, decision, copy.swept, asked)
            } else {
                decision.action
            };
            let accepts = !self.watches || action.accepted() == decision.action.accepted();
            let restricts = !copy.restricts || !copy.confined || *hit == is_hit(decision, copy.swept);
            if copy.confined && !(accepts && restricts) {
                self.parted.part(event.wallet, copy.number);
                continue;
            }
            copy.strays |= !accepts;
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
        let Some((event, decision)) = self.lane.decide(source, record, outcome) else { return };
        if decision.flags.duplicate {
            return;
        }
        let made = made(decision, self.swept);
        self.point.add(&event, &made, || class(self.labels.as_ref(), &event));
    }
}
