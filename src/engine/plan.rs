//! What the engine does for each event type, worked out once when packs are loaded.
//!
//! Rules are grouped by type, so that an event costs what its own type's rules cost. Rules that measure the same
//! entries (same `on`, `when`, `per`, `of` and `counts`) share one [`Slot`], which keeps what the longest of them
//! needs. Conditions that read the same are judged once an event, and fields that are hashed together are hashed once.

use super::{ahead::Plain, selection::Selection};
use crate::{
    decision::{RestrictionId, RuleId},
    event::{Field, TypeId, TypeSet},
    rules::{Counts, Limit, Measure, Mode, Packs, Restriction, Rule, condition::Condition},
    state::{
        SlotId,
        memory::{KeyForm, KeyId, Kind, MILLION, Shape},
    },
    time::{Calendar, Span, Timestamp},
};
use std::collections::HashMap;

/// A condition's place among the different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatcherId(pub u16);

/// A list of fields' place among the different ones that are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestId(pub u16);

/// A field's place among the different ones that are printed again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownId(pub u16);

/// What slots take from an event, each different thing once.
#[derive(Debug, Default)]
pub struct Taken {
    /// Lists of fields whose values some slot hashes together, as its key or as the value of an entry.
    pub digests: Vec<Vec<Field>>,
    /// Those of them that an event states plainly.
    pub plain: Vec<Option<Plain>>,
    /// Fields whose values `change` must be able to print.
    pub known: Vec<Field>,
}

/// Where what rules share is, while a plan is being made: by the texts that equal ones have in common.
#[derive(Debug, Default)]
struct Alike {
    matchers: HashMap<String, MatcherId>,
    slots: HashMap<String, SlotId>,
}

/// What is done for the events of the loaded packs.
#[derive(Debug)]
pub struct Plan {
    /// The different conditions of rules.
    pub matchers: Vec<Condition>,
    pub taken: Taken,
    pub slots: Vec<Slot>,
    /// What the memories of each slot look like.
    pub shapes: Vec<Shape>,
    /// By [`TypeId`].
    pub types: Vec<TypePlan>,
    /// Some restriction also stops operations towards its wallet.
    pub incoming: bool,
    alike: Alike,
}

/// What is done for one event type.
#[derive(Debug, Default)]
pub struct TypePlan {
    /// Live and shadow rules of the type, in pack order.
    pub rules: Vec<RulePlan>,
    /// Those that only say whether they are over their limit.
    pub probes: Vec<RulePlan>,
    /// After a reload: before this instant some rule has not seen its whole window yet.
    pub warm_from: Option<Timestamp>,
    pub remember: Vec<(SlotId, Role)>,
    /// Which of all these an event concerns; nothing where there are few conditions, which are asked one by one.
    pub selection: Option<Selection>,
    /// An operation requires an amount, and may wait.
    pub operation: bool,
    /// What a signal does, in pack order.
    pub effects: Vec<(RestrictionId, Effect)>,
}

/// Why a slot remembers events of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is a matching event.
    Matching,
    /// It ends a streak.
    Reset,
    /// It is what `after` or `idle` look back at, whatever it says.
    Landmark,
}

/// What a signal does to a restriction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Impose,
    Lift,
    Cancel,
}

/// How one rule is judged.
#[derive(Debug)]
pub struct RulePlan {
    pub rule: RuleId,
    pub when: Option<MatcherId>,
    pub slot: Option<SlotId>,
    /// Which of the slot's spans is the rule's.
    pub length: usize,
    pub limit: Limits,
    /// Where a lifted restriction may silence the rule for the rest of a period.
    pub calendar: Option<Calendar>,
    /// After a reload: before this instant the rule has not seen its whole window yet.
    pub warm_from: Option<Timestamp>,
}

/// A limit with its text, from each instant on, rising.
#[derive(Clone, Debug, Default)]
pub struct Limits(Vec<(Timestamp, i128, String)>);

/// What one is in the numbers that a slot's memories give: sums and calendar counts are kept in millionths, other
/// counts as they are.
#[must_use]
pub fn unit(shape: &Shape) -> i128 {
    match (shape.kind, shape.calendar()) {
        (Kind::Sum, _) | (Kind::Count, Some(_)) => MILLION,
        _ => 1,
    }
}

impl Limits {
    /// `unit` is what one is in the numbers that are held against the limit.
    fn new(limit: Limit, unit: i128, packs: &Packs) -> Self {
        let entry = |from: Timestamp, number: rust_decimal::Decimal| {
            // What is measured is a whole number of these, so a limit that is cut to one is exceeded by the same values.
            let cut = (number * rust_decimal::Decimal::from(unit)).floor().mantissa();
            (from, cut, number.normalize().to_string())
        };
        match limit.unit {
            None => Limits(vec![entry(Timestamp(i64::MIN), limit.number)]),
            Some(unit) => Limits(
                packs.units[usize::from(unit.0)]
                    .worth
                    .iter()
                    .map(|(date, worth)| entry(packs.zone.midnight(*date), limit.number * worth))
                    .collect(),
            ),
        }
    }

    /// The limit at `time`; nothing where its unit has no worth yet.
    #[must_use]
    #[inline]
    pub fn at(&self, time: Timestamp) -> Option<(i128, &str)> {
        self.0.iter().rev().find(|(from, _, _)| *from <= time).map(|(_, number, text)| (*number, text.as_str()))
    }
}

/// How a slot's key is found, less the wallet.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    Nothing,
    /// An amount is a key as it is.
    Amount,
    Digest(DigestId),
}

/// What an entry of a slot is besides its time.
#[derive(Debug)]
pub enum Of {
    Nothing,
    Amount,
    /// Another number that is summed.
    Number(Field),
    Known(KnownId),
    Digest(DigestId),
}

/// Something that is remembered for every key: shared by all rules that need the same.
#[derive(Debug)]
pub struct Slot {
    /// Everything that decides which entries are remembered, in the packs' own words: equal ones share a slot, and
    /// a reload finds its memories by it.
    pub identity: String,
    pub when: Option<MatcherId>,
    /// Whether the key holds the wallet; then the memory lies in the wallet's record.
    pub of_wallet: bool,
    pub key: Key,
    pub of: Of,
    pub counts: Counts,
}

impl Plan {
    #[must_use]
    pub fn new(packs: &Packs) -> Plan {
        let mut plan = Plan::without_rules(packs);
        for (id, rule) in packs.rules_with_ids() {
            if rule.mode != Mode::Off {
                plan.add_rule(id, packs);
            }
        }
        plan.finish();
        plan
    }

    /// A plan for an engine that is told which rules are over their limit, and can judge those that heed decisions itself.
    /// Shadow rules are left out.
    #[must_use]
    pub fn following(packs: &Packs) -> Plan {
        let mut plan = Plan::without_rules(packs);
        for (id, rule) in packs.rules_with_ids().filter(|(_, rule)| rule.mode == Mode::Live) {
            if rule.heeds_decisions() {
                plan.add_rule(id, packs);
            } else {
                plan.add_told_rule(id, rule);
            }
        }
        plan.finish();
        plan
    }

    /// Has rules and slots found by their conditions, now that all of them are there.
    fn finish(&mut self) {
        self.alike = Alike::default();
        self.select();
    }

    fn select(&mut self) {
        let Plan { types, slots, matchers, .. } = self;
        for kind in types {
            kind.selection = Selection::new(&kind.rules, &kind.remember, slots, matchers);
        }
    }

    fn without_rules(packs: &Packs) -> Plan {
        let mut plan = Plan {
            matchers: Vec::new(),
            taken: Taken::default(),
            slots: Vec::new(),
            shapes: Vec::new(),
            types: packs.types.types.iter().map(|_| TypePlan::default()).collect(),
            incoming: packs.restrictions.iter().any(|restriction| restriction.incoming),
            alike: Alike::default(),
        };
        for (kind, entry) in plan.types.iter_mut().zip(&packs.types.types) {
            kind.operation = entry.requires.contains(&Field::Amount);
        }
        for (place, restriction) in packs.restrictions.iter().enumerate() {
            let id = RestrictionId(u16::try_from(place).expect("restrictions are bounded by limits::RESTRICTIONS"));
            plan.add_restriction(id, restriction);
        }
        plan
    }

    /// Has the rules from this place on say whether they are over their limit, and nothing else.
    pub fn set_probes_apart(&mut self, RuleId(first): RuleId) {
        for kind in &mut self.types {
            let probes = kind.rules.partition_point(|plan| plan.rule.0 < first);
            kind.probes = kind.rules.split_off(probes);
        }
        self.select();
    }

    /// What the memories of a slot look like.
    #[must_use]
    pub fn shape(&self, slot: SlotId) -> &Shape {
        &self.shapes[usize::from(slot.0)]
    }

    /// The calendar that a rule measures by, if it is judged and has one.
    #[must_use]
    pub fn calendar(&self, rule: RuleId) -> Option<Calendar> {
        self.types.iter().flat_map(|kind| &kind.rules).find(|plan| plan.rule == rule)?.calendar
    }

    fn add_rule(&mut self, id: RuleId, packs: &Packs) {
        let rule = packs.rule(id);
        let when = rule.when.as_ref().map(|condition| self.matcher(condition));
        let found = rule.measure.as_ref().map(|measure| slot_of(measure, id, when, packs, &mut self.taken));
        let (slot, length, one) = match found {
            None => (None, 0, 1),
            Some((slot, shape, landmarks, resets)) => {
                let one = unit(&shape);
                let (place, length) = self.slot(slot, shape);
                self.remember(place, &rule.on, landmarks, resets);
                (Some(place), length, one)
            }
        };
        let limit = match &rule.measure {
            Some(Measure::Count { over, .. } | Measure::Sum { over, .. } | Measure::Distinct { over, .. }) => {
                Limits::new(*over, one, packs)
            }
            _ => Limits::default(),
        };
        let calendar = calendar_of(rule);
        let plan = |kind: TypeId| {
            (kind, RulePlan { rule: id, when, slot, length, limit: limit.clone(), calendar, warm_from: None })
        };
        for (kind, rule) in rule.on.iter().map(plan) {
            self.types[usize::from(kind.0)].rules.push(rule);
        }
    }

    fn add_told_rule(&mut self, id: RuleId, rule: &Rule) {
        for kind in rule.on.iter() {
            self.types[usize::from(kind.0)].rules.push(RulePlan {
                rule: id,
                when: None,
                slot: None,
                length: 0,
                limit: Limits::default(),
                calendar: calendar_of(rule),
                warm_from: None,
            });
        }
    }

    fn matcher(&mut self, condition: &Condition) -> MatcherId {
        let Plan { matchers, alike, .. } = self;
        *alike.matchers.entry(condition.source().to_owned()).or_insert_with(|| {
            matchers.push(condition.clone());
            MatcherId(u16::try_from(matchers.len() - 1).expect("there are no more conditions than rules"))
        })
    }

    /// The place of a slot, shared if it can be, and of its span in it.
    fn slot(&mut self, slot: Slot, shape: Shape) -> (SlotId, usize) {
        let span = shape.spans[0];
        let Plan { slots, shapes, alike, .. } = self;
        let id = *alike.slots.entry(slot.identity.clone()).or_insert_with(|| {
            slots.push(slot);
            shapes.push(shape);
            SlotId(u16::try_from(slots.len() - 1).expect("there are no more slots than rules"))
        });
        let spans = &mut shapes[usize::from(id.0)].spans;
        let length = spans.iter().position(|other| *other == span).unwrap_or_else(|| {
            spans.push(span);
            spans.len() - 1
        });
        (id, length)
    }

    fn remember(&mut self, slot: SlotId, on: &TypeSet, landmarks: Option<TypeSet>, resets: Option<TypeSet>) {
        let mut put = |types: &TypeSet, role| {
            for kind in types.iter() {
                let remember = &mut self.types[usize::from(kind.0)].remember;
                if !remember.contains(&(slot, role)) {
                    remember.push((slot, role));
                }
            }
        };
        // An event that is of both ends the row before it and is the first of the next: it stands between no two that follow it.
        if let Some(resets) = resets {
            put(&resets, Role::Reset);
        }
        match landmarks {
            Some(landmarks) => put(&landmarks, Role::Landmark),
            None => put(on, Role::Matching),
        }
    }

    fn add_restriction(&mut self, id: RestrictionId, restriction: &Restriction) {
        let mut put = |types: &TypeSet, effect| {
            for kind in types.iter() {
                self.types[usize::from(kind.0)].effects.push((id, effect));
            }
        };
        put(&restriction.imposed_by, Effect::Impose);
        put(&restriction.lifted_by, Effect::Lift);
        put(&restriction.cancelled_by, Effect::Cancel);
    }
}

impl Taken {
    fn digest(&mut self, fields: &[Field]) -> DigestId {
        let place = self.digests.iter().position(|other| other == fields).unwrap_or_else(|| {
            self.digests.push(fields.to_vec());
            self.plain.push(Plain::of(fields));
            self.digests.len() - 1
        });
        DigestId(u16::try_from(place).expect("a rule has two lists at most, and rules are bounded by limits::RULES"))
    }

    fn known(&mut self, field: &Field) -> KnownId {
        let place = self.known.iter().position(|other| other == field).unwrap_or_else(|| {
            self.known.push(field.clone());
            self.known.len() - 1
        });
        KnownId(u16::try_from(place).expect("a rule has one field, and rules are bounded by limits::RULES"))
    }
}

/// The calendar that a rule measures by.
fn calendar_of(rule: &Rule) -> Option<Calendar> {
    let (Measure::Count { within, .. } | Measure::Sum { within, .. } | Measure::Distinct { within, .. }) =
        rule.measure.as_ref()?
    else {
        return None;
    };
    match within {
        Span::Calendar(calendar) => Some(*calendar),
        Span::Millis(_) | Span::Months(_) => None,
    }
}

/// The slot that a measure needs, with the types that it looks back at and those that reset it.
fn slot_of(
    measure: &Measure,
    id: RuleId,
    when: Option<MatcherId>,
    packs: &Packs,
    taken: &mut Taken,
) -> (Slot, Shape, Option<TypeSet>, Option<TypeSet>) {
    let rule = packs.rule(id);
    let names = |types: &TypeSet| -> Vec<&str> { types.iter().map(|kind| packs.types.name(kind)).collect() };
    let mut slot = |kind, per: &[Field], of: Option<&Field>, span: Span, landmarks: &TypeSet| {
        let mut fields: Vec<Field> = per.iter().filter(|field| **field != Field::Wallet).cloned().collect();
        fields.sort();
        fields.dedup();
        let look_back = matches!(kind, Kind::After | Kind::Newest);
        let (on, when, counts) =
            if look_back { (TypeSet::default(), None, Counts::Attempted) } else { (rule.on, when, rule.counts) };
        let source = when.and(rule.when.as_ref()).map(super::Condition::source);
        let of_wallet = per.contains(&Field::Wallet);
        // Sliding lengths share what the longest needs; a streak's gap and a calendar period are part of what is kept.
        let length = match (kind, span) {
            (Kind::Streak(_), _) | (_, Span::Calendar(_)) => Some(span),
            _ => None,
        };
        let (on, landmarks) = (names(&on), names(landmarks));
        let identity =
            format!("{kind:?} {on:?} {source:?} {of_wallet} {fields:?} {of:?} {counts:?} {landmarks:?} {length:?}");
        let (key, form) = match fields.as_slice() {
            [] if of_wallet => (Key::Nothing, KeyForm::Nothing),
            [Field::Amount] if of_wallet => (Key::Amount, KeyForm::Amount),
            fields => {
                let digest = taken.digest(fields);
                (Key::Digest(digest), if of_wallet { KeyForm::Hashed } else { KeyForm::OfRecord(KeyId(digest.0)) })
            }
        };
        let of = match (kind, of) {
            (_, None) => Of::Nothing,
            (Kind::Sum, Some(Field::Amount)) => Of::Amount,
            (Kind::Sum, Some(field)) => Of::Number(field.clone()),
            (Kind::Change, Some(field)) => Of::Known(taken.known(field)),
            (_, Some(field)) => Of::Digest(taken.digest(std::slice::from_ref(field))),
        };
        let slot = Slot { identity, when, of_wallet, key, of, counts };
        (slot, Shape { kind, key: form, spans: vec![span] })
    };
    let none = TypeSet::default();
    let ((slot, shape), landmarks, resets) = match measure {
        Measure::Count { per, within, .. } => (slot(Kind::Count, per, None, *within, &none), None, None),
        Measure::Sum { of, per, within, .. } => (slot(Kind::Sum, per, Some(of), *within, &none), None, None),
        Measure::Distinct { of, per, within, .. } => (slot(Kind::Distinct, per, Some(of), *within, &none), None, None),
        Measure::Change { of, per, within } => (slot(Kind::Change, per, Some(of), *within, &none), None, None),
        Measure::New { of, per, within } => (slot(Kind::New, per, Some(of), *within, &none), None, None),
        Measure::Streak { per, reset, within, at_least, exactly } => {
            let restart = exactly.then_some(*at_least);
            (slot(Kind::Streak(restart), per, None, *within, reset), None, Some(*reset))
        }
        Measure::After { of, per, within } => (slot(Kind::After, per, None, *within, of), Some(*of), None),
        Measure::Idle { since, over, .. } => {
            (slot(Kind::Newest, &[Field::Wallet], None, *over, since), Some(*since), None)
        }
    };
    (slot, shape, landmarks, resets)
}
