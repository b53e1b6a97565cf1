//! Many values of a rule's limit in one pass over the data.
//!
//! What a rule does with another limit is one of two questions. A rule that neither restricts nor counts `accepted` changes
//! nothing but its own decisions: a [probe](crate::engine::Engine::with_probes) in the replay's own engine says where each
//! value is over its limit, and what each decision would be follows from the others' reasons (`beside`). A rule that
//! restricts changes what comes after, so each of its values has restrictions of its own, in a
//! [`Follower`](crate::engine::Follower), which is told what windows measure (`following`).
//!
//! Both hold as long as a value accepts the operations that the engine accepts, where something heeds that. The wallets of
//! which it does not are noted, and the value is a follower in a second reading of the data, with windows of its own for
//! those wallets; should it then part from the engine over others, in a third, with windows for all. Data that cannot
//! be read again, and few values that are likely to part, have windows for all from the start.

mod beside;
mod following;
pub mod render;
pub mod spec;

use super::{
    Setup,
    companion::Companion,
    labels::{Class, Labels, scores::Score},
    summary::Wallets,
};
use crate::{
    decision::{Action, Decision, Reason, RuleId},
    engine::Heeding,
    event::Event,
    rules::{Counts, Mode, Packs, Rule},
    time::Timestamp,
};
use beside::Beside;
use following::Following;
use spec::Spec;
use std::{collections::HashMap, sync::Arc};

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
    labels: Option<Arc<Labels>>,
    /// Those of each reading of the data.
    passes: Vec<Pass>,
}

/// The values that go along with one reading of the data.
#[derive(Default)]
struct Pass {
    beside: Option<Beside>,
    following: Vec<Following>,
}

impl Pass {
    fn companions(&mut self) -> impl Iterator<Item = &mut dyn Companion> {
        let Pass { beside, following } = self;
        let beside = beside.iter_mut().map(|beside| -> &mut dyn Companion { beside });
        beside.chain(following.iter_mut().map(|following| -> &mut dyn Companion { following }))
    }

    /// Leaves out the values that turned out to change what is accepted.
    fn take_strays(&mut self) -> HashMap<Place, Heeding> {
        let beside = self.beside.iter_mut().flat_map(Beside::take_strays);
        beside.chain(self.following.iter_mut().flat_map(Following::take_strays)).collect()
    }

    fn points(self) -> impl Iterator<Item = (Place, Point)> {
        let beside = self.beside.into_iter().flat_map(Beside::points);
        beside.chain(self.following.into_iter().flat_map(Following::points))
    }
}

/// A value among those of all sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    sweep: usize,
    value: usize,
}

/// Values up to which it is cheaper to have windows for all wallets than to read the data twice.
const FEW_REFUSING: usize = 3;

/// One value: where it is swept, and the probe that says where it is over its limit.
struct Trial<'a> {
    place: Place,
    swept: RuleId,
    rule: &'a Rule,
    probe: RuleId,
    heeding: Heeding,
}

impl Sweeps {
    /// Gives the replay's engine a probe for each value, in the order of `trials`. `rereadable` tells that the data can be
    /// read several times, for values that change what is accepted.
    #[must_use]
    pub fn new(setup: &mut Setup, specs: Vec<Spec>, labels: Option<&Arc<Labels>>, rereadable: bool) -> Sweeps {
        setup.probes = specs.iter().flat_map(|spec| &spec.values).map(|tried| tried.rule.clone()).collect();
        let packs = &setup.packs;
        let refusing = trials(&specs, packs).filter(|trial| may_refuse(packs, trial.rule)).count();
        // One reading with more windows costs less than two.
        let few = |trial: &Trial<'_>| refusing <= FEW_REFUSING && may_refuse(packs, trial.rule);
        let heed_all = |trial: &Trial<'_>| heed_decisions(packs) && (!rereadable || few(trial));
        let alone = |trial: &Trial<'_>| {
            trial.rule.mode == Mode::Shadow || (acts_alone(packs.rule(trial.swept)) && !heed_all(trial))
        };
        let (beside, mut following): (Vec<Trial<'_>>, Vec<Trial<'_>>) = trials(&specs, packs).partition(alone);
        for trial in following.iter_mut().filter(|trial| heed_all(trial)) {
            trial.heeding = Heeding::All;
        }
        let beside = (!beside.is_empty()).then(|| Beside::new(setup, &beside, labels));
        let first = Pass { beside, following: following::shares(setup, &following, labels) };
        Sweeps { specs, labels: labels.cloned(), passes: vec![first] }
    }

    pub fn companions(&mut self) -> impl Iterator<Item = &mut dyn Companion> {
        self.passes.iter_mut().flat_map(Pass::companions)
    }

    /// What must go along with one more reading of the data, until that is nothing: values that turned out to change what is
    /// accepted.
    pub fn next_pass(&mut self, setup: &Setup) -> impl Iterator<Item = &mut dyn Companion> {
        let Sweeps { specs, labels, passes } = self;
        let mut strays = passes.last_mut().map(Pass::take_strays).unwrap_or_default();
        let by_wallet = passes.len() == 1 && Heeding::by_wallet(&setup.packs);
        let again = trials(specs, &setup.packs).filter_map(|trial| {
            let parted = strays.remove(&trial.place)?;
            Some(Trial { heeding: if by_wallet { parted } else { Heeding::All }, ..trial })
        });
        let following = following::shares(setup, &again.collect::<Vec<_>>(), labels.as_ref());
        passes.push(Pass { beside: None, following });
        passes.last_mut().into_iter().flat_map(Pass::companions)
    }

    /// Nothing more comes: what each value came to.
    #[must_use]
    pub fn settle(self) -> Vec<Swept> {
        let mut points: Vec<(Place, Point)> = self.passes.into_iter().flat_map(Pass::points).collect();
        points.sort_by_key(|(place, _)| (place.sweep, place.value));
        let mut swept: Vec<Swept> = self.specs.into_iter().map(|spec| Swept { spec, points: Vec::new() }).collect();
        for (place, mut point) in points {
            point.wallets.settle();
            swept[place.sweep].points.push(point);
        }
        swept
    }
}

/// All values of all sweeps, in order.
fn trials<'a>(specs: &'a [Spec], packs: &Packs) -> impl Iterator<Item = Trial<'a>> {
    let first = packs.rules.len();
    let places = specs.iter().enumerate().flat_map(|(sweep, spec)| {
        spec.values.iter().enumerate().map(move |(value, tried)| (Place { sweep, value }, spec.rule, &tried.rule))
    });
    places.enumerate().map(move |(number, (place, swept, rule))| {
        let probe = u16::try_from(first + number).expect("limits::RULES and limits::SWEEP_VALUES are few");
        Trial { place, swept, rule, probe: RuleId(probe), heeding: Heeding::default() }
    })
}

/// Whether other values of a live rule change nothing but its own decisions, and what is accepted.
fn acts_alone(rule: &Rule) -> bool {
    rule.restrict.is_empty() && rule.counts != Counts::Accepted
}

/// Whether what a live rule asks for is not accepted, scores aside. It is a guess at which way costs less.
fn may_refuse(packs: &Packs, rule: &Rule) -> bool {
    let imposed = rule.restrict.iter().map(|restriction| packs.restriction(*restriction).action);
    rule.mode == Mode::Live && imposed.chain([rule.action]).any(|action| !action.accepted())
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
