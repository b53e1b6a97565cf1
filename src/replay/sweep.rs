//! Many values of a rule's limit in one pass over the data.
//!
//! What a rule does with another limit is one of two questions. A rule that neither restricts nor counts `accepted` changes
//! nothing but its own decisions: a [probe](Engine::with_probes) in the replay's own engine says where each value is over its
//! limit, and what each decision would be follows from the others' reasons (`beside`). That holds until a value changes whether
//! an operation is accepted and something counts what is accepted; such a value is found out and goes another way.
//! A rule that restricts changes what comes after, so each of its values has restrictions of its own: in a [`Follower`], which
//! is told what windows measure (`following`), or in a whole engine where a support desk adds events of its own (`apart`).

mod apart;
mod beside;
mod following;
pub mod render;
pub mod spec;

pub use apart::Apart;

use super::{
    Setup,
    companion::Companion,
    labels::{Class, Labels, scores::Score},
    summary::Wallets,
};
use crate::{
    decision::{Action, Decision, Reason, RuleId},
    event::Event,
    rules::{Counts, Mode, Packs, Rule},
    time::Timestamp,
};
use beside::{Beside, Made};
use following::Following;
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
    beside: Option<Beside>,
    following: Vec<Following>,
    apart: Vec<Apart>,
}

/// A value among those of all sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    sweep: usize,
    value: usize,
}

/// One value: where it is swept, and the probe that says where it is over its limit.
struct Trial<'a> {
    place: Place,
    swept: RuleId,
    rule: &'a Rule,
    probe: RuleId,
}

impl Sweeps {
    /// Gives the replay's engine the probes that it needs. `again` tells that the data can be read a second time, for
    /// values that change more than their own decisions after all.
    #[must_use]
    pub fn new(setup: &mut Setup, specs: Vec<Spec>, labels: Option<&Arc<Labels>>, again: bool) -> Sweeps {
        let (mut beside, mut following, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        for (sweep, spec) in specs.iter().enumerate() {
            for (value, tried) in spec.values.iter().enumerate() {
                let (place, rule) = (Place { sweep, value }, &tried.rule);
                let probe = setup.packs.rules.len() + setup.probes.len();
                let probe = RuleId(u16::try_from(probe).expect("limits::SWEEP_VALUES and limits::RULES are few"));
                let trial = Trial { place, swept: spec.rule, rule, probe };
                if acts_alone(&setup.packs, spec, again) {
                    beside.push(trial);
                } else if setup.lift_after.is_none() {
                    following.push(trial);
                } else {
                    apart.push(place);
                    continue;
                }
                setup.probes.push(rule.clone());
            }
        }
        let setup = &*setup;
        let apart = apart.into_iter().map(|place| Apart::new(setup, &specs, place, labels)).collect();
        let beside = (!beside.is_empty()).then(|| Beside::new(setup, &beside, labels));
        let following = following::shares(setup, &following, labels);
        Sweeps { specs, beside, following, apart }
    }

    pub fn companions(&mut self) -> impl Iterator<Item = &mut dyn Companion> {
        let beside = self.beside.iter_mut().map(|beside| -> &mut dyn Companion { beside });
        let following = self.following.iter_mut().map(|following| -> &mut dyn Companion { following });
        beside.chain(following).chain(self.apart.iter_mut().map(|apart| -> &mut dyn Companion { apart }))
    }

    /// What must be run once more with engines of their own: values that turned out to change what is accepted.
    pub fn left(&mut self, setup: &Setup, labels: Option<&Arc<Labels>>) -> Vec<Apart> {
        let strays = self.beside.as_mut().map(Beside::take_strays).unwrap_or_default();
        strays.into_iter().map(|place| Apart::new(setup, &self.specs, place, labels)).collect()
    }

    /// Takes what has been run once more.
    pub fn take(&mut self, apart: Vec<Apart>) {
        self.apart.extend(apart);
    }

    /// Nothing more comes: what each value came to.
    #[must_use]
    pub fn settle(self) -> Vec<Swept> {
        let mut points: Vec<(Place, Point)> = self.beside.into_iter().flat_map(Beside::points).collect();
        points.extend(self.following.into_iter().flat_map(Following::points));
        points.extend(self.apart.into_iter().map(Apart::point));
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
    rule.mode == Mode::Shadow || (!restricts && (again || !heed_decisions(packs)))
}

/// Something depends on whether operations were accepted.
fn heed_decisions(packs: &Packs) -> bool {
    packs.rules.iter().any(|rule| rule.mode != Mode::Off && rule.heeds_decisions())
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
