//! Rules on one event: what a measure says, whether it is over its limit, and what is remembered afterwards.
//!
//! Measuring and judging are apart: [`Turn::observe`] finds key and value, the windows measure, [`Turn::judge`] holds
//! the limit against it. What was observed is kept for the event, so that remembering asks nothing twice.

use super::{
    Changes, StateKey, Store, Turn,
    plan::{MILLION, MatcherId, Plan, Role, RulePlan, Slot},
};
use crate::{
    decision::{Action, Decision, Reason, RestrictionId, RestrictionReason, RuleId, RuleReason, Text},
    event::{Event, Field, Value},
    hash::HashKey,
    number::write_scaled,
    rules::{Counts, Measure, Mode, Packs},
    state::{
        Hash, SlotId,
        memory::{Kind, Known, Memory, Shape},
        special::Standing,
    },
    time::{Calendar, Timestamp},
    window::{Measured, Moment, Reach, log::One, streak},
};

/// What one event has been found to be, kept while it is on its way; used again for the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Counts events: what was found of an earlier one is not cleared, which would cost every rule of every type.
    turn: u64,
    /// For each condition, the event that it was judged for, and whether it holds.
    matched: Vec<(u64, bool)>,
    /// For each slot, what it makes of the event that it was asked for last.
    observed: Vec<Look>,
    /// Bytes of a key that is being hashed.
    bytes: Vec<u8>,
    /// A value as it is printed.
    text: String,
    /// Restrictions that stand on the event and apply to it.
    pub standing: Vec<RestrictionReason>,
    /// Those of the counterparty, before it is known which apply.
    pub counterparty: Vec<Standing>,
    /// Live rules that are over their limit.
    pub fired: Vec<RuleId>,
    /// Restrictions that this event imposed.
    pub imposed: Vec<RestrictionId>,
}

impl Scratch {
    pub fn reset(&mut self, plan: &Plan) {
        self.turn += 1;
        // A reload may bring more of them; what they hold is of an earlier turn.
        self.matched.resize(plan.matchers.len(), (0, false));
        self.observed.resize(plan.slots.len(), Look { turn: 0, key: None, own: Own::Nothing });
        self.fired.clear();
    }
}

/// Type, amount and counterparty in 64 bits: what a repeat must share with the first.
pub fn fingerprint(key: HashKey, event: &Event<'_>, type_mark: u64) -> u64 {
    // No amount is 0.
    let amount = event.amount.map_or(0, |amount| amount.0.cast_unsigned());
    key.fingerprint([type_mark, amount], event.counterparty.unwrap_or("").as_bytes())
}

/// What a slot makes of the event.
#[derive(Clone, Debug)]
struct Look {
    /// The event that this is of.
    turn: u64,
    /// Nothing where it does not match.
    key: Option<Hash>,
    own: Own,
}

/// The event's own entry in a slot.
#[derive(Clone, Debug)]
enum Own {
    Nothing,
    /// In millionths.
    Number(i128),
    Value(Hash),
    Known(Known),
}

impl Own {
    fn number(&self) -> i128 {
        match self {
            Own::Number(number) => *number,
            _ => MILLION,
        }
    }
    fn value(&self) -> Hash {
        match self {
            Own::Value(hash) => *hash,
            Own::Nothing | Own::Number(_) | Own::Known(_) => unreachable!("this slot observes a value"),
        }
    }
}

/// A rule that is over its limit: the texts of its reason.
#[derive(Default)]
struct Verdict {
    measured: Option<Text>,
    limit: Option<Text>,
    from: Option<Timestamp>,
}

/// Appends a value's canonical bytes: equal values, whatever their writing, give equal bytes.
fn canonical(value: &Value<'_>, out: &mut Vec<u8>) {
    let mut put = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend_from_slice(&u32::try_from(bytes.len()).expect("a record is below 4 GiB").to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Text(text) => put(b't', text.as_bytes()),
        Value::Number(number) => {
            let plain = number.normalize();
            put(b'n', &plain.mantissa().to_le_bytes());
            put(b's', &plain.scale().to_le_bytes());
        }
        Value::Bool(flag) => put(b'b', &[u8::from(*flag)]),
        Value::Time(time) => put(b'c', &time.0.to_le_bytes()),
        Value::Ip(std::net::IpAddr::V4(ip)) => put(b'4', &ip.octets()),
        Value::Ip(std::net::IpAddr::V6(ip)) => put(b'6', &ip.octets()),
    }
}

/// A value as reasons print it.
fn write_plain(value: &Value<'_>, out: &mut String) {
    use std::fmt::Write;
    match value {
        Value::Text(text) => out.push_str(text),
        Value::Number(number) => {
            write_scaled(out, number.mantissa(), number.scale()).expect("a String takes every text");
        }
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Time(time) => write!(out, "{time}").expect("a String takes every text"),
        Value::Ip(ip) => write!(out, "{ip}").expect("a String takes every text"),
    }
}

/// The key of an event in a slot whose key is one field that the event states; no other key is guessed at.
pub fn plain_key(slot: &Slot, event: &Event<'_>, key: HashKey, bytes: &mut Vec<u8>) -> Option<Hash> {
    let value = match slot.per.as_slice() {
        [Field::Counterparty] => Value::Text(event.counterparty?),
        [Field::Merchant] => Value::Text(event.merchant?),
        [Field::Device] => Value::Text(event.device?),
        [Field::Ip] => Value::Ip(event.ip?),
        _ => return None,
    };
    bytes.clear();
    canonical(&value, bytes);
    Some(key.hash(bytes))
}

/// A value that must be printed again later.
fn known(value: &Value<'_>, text: &mut String) -> Known {
    let tag = match value {
        Value::Text(text) => return Known::new(b't', text),
        Value::Number(_) => b'n',
        Value::Bool(_) => b'b',
        Value::Time(_) => b'c',
        Value::Ip(_) => b'i',
    };
    text.clear();
    write_plain(value, text);
    Known::new(tag, text)
}

/// A number in millionths, where it is one that is not negative.
fn millionths(value: &Value<'_>) -> Option<i128> {
    let Value::Number(number) = value else { return None };
    let scale = 6_u32.checked_sub(number.scale())?;
    (!number.is_sign_negative() || number.is_zero()).then(|| number.mantissa() * 10_i128.pow(scale))
}

impl Turn<'_> {
    /// Evaluates every rule of the type, writes the reasons and gives the capped total of scores.
    pub(super) fn judge_rules(&self, store: &mut Store, scratch: &mut Scratch, decision: &mut Decision) -> u16 {
        let mut total = 0_u32;
        for plan in &self.plan.types[usize::from(self.event.kind.0)].rules {
            let rule = self.packs.rule(plan.rule);
            if !self.matches(plan.when, scratch) {
                continue;
            }
            let Some(verdict) = self.judge(plan, store, scratch, decision) else { continue };
            let time = self.event.time;
            let valid =
                rule.valid_from.is_none_or(|from| from <= time) && rule.valid_until.is_none_or(|until| time < until);
            if !valid || self.silenced(&store.wallets.open.special, plan) {
                continue;
            }
            let Verdict { measured, limit, from } = verdict;
            let reason = RuleReason { rule: plan.rule, measured, limit, from };
            if rule.mode == Mode::Shadow {
                decision.shadow.push(reason);
                continue;
            }
            decision.reasons.push(Reason::Rule(reason));
            decision.action = decision.action.max(rule.action);
            total += u32::from(rule.score);
            scratch.fired.push(plan.rule);
        }
        u16::try_from(total).unwrap_or(u16::MAX).min(crate::limits::SCORE)
    }

    fn matches(&self, when: Option<MatcherId>, scratch: &mut Scratch) -> bool {
        let Some(MatcherId(place)) = when else { return true };
        let place = usize::from(place);
        let (turn, matched) = &mut scratch.matched[place];
        if *turn != scratch.turn {
            let rule = self.packs.rule(self.plan.matchers[place]);
            let condition = rule.when.as_ref().expect("a matcher is a rule with a condition");
            let Packs { units, lists, zone, .. } = self.packs;
            (*turn, *matched) = (scratch.turn, condition.holds(&self.facts, units, lists, zone));
        }
        *matched
    }

    /// The key that the event has in a slot, if it matches; with it, its value is found, once.
    fn observe(&self, id: SlotId, scratch: &mut Scratch) -> Option<Hash> {
        let place = usize::from(id.0);
        if scratch.observed[place].turn != scratch.turn {
            let slot = &self.plan.slots[place];
            let key = if self.matches(slot.when, scratch) { self.look(id, slot, scratch) } else { None };
            let look = &mut scratch.observed[place];
            (look.turn, look.key) = (scratch.turn, key);
        }
        scratch.observed[place].key
    }

    fn look(&self, id: SlotId, slot: &Slot, scratch: &mut Scratch) -> Option<Hash> {
        let key = self.key(slot, &mut scratch.bytes)?;
        let Some(of) = &slot.of else { return Some(key) };
        scratch.observed[usize::from(id.0)].own = match (self.plan.shape(id).kind, of) {
            (Kind::Sum, Field::Amount) => Own::Number(i128::from(self.event.amount?.0) * MILLION / 100),
            (Kind::Sum, _) => Own::Number(millionths(&self.facts.value(of)?)?),
            (Kind::Change, _) => Own::Known(known(&self.facts.value(of)?, &mut scratch.text)),
            _ => {
                scratch.bytes.clear();
                canonical(&self.facts.value(of)?, &mut scratch.bytes);
                Own::Value(self.settings.hash_key.hash(&scratch.bytes))
            }
        };
        Some(key)
    }

    /// The key of the event in a slot, less the wallet; nothing where a field is lacking.
    fn key(&self, slot: &Slot, bytes: &mut Vec<u8>) -> Option<Hash> {
        match slot.per.as_slice() {
            [] => Some(0),
            // An amount is a key as it is.
            [Field::Amount] if slot.of_wallet => self.event.amount.map(|amount| u128::from(amount.0.unsigned_abs())),
            fields => {
                bytes.clear();
                for field in fields {
                    canonical(&self.facts.value(field)?, bytes);
                }
                Some(self.settings.hash_key.hash(bytes))
            }
        }
    }

    /// What a rule's measure says, if the event is over its limit.
    fn judge(
        &self,
        plan: &RulePlan,
        store: &mut Store,
        scratch: &mut Scratch,
        decision: &mut Decision,
    ) -> Option<Verdict> {
        let Some(id) = plan.slot else { return Some(Verdict::default()) };
        let (slot, shape) = (&self.plan.slots[usize::from(id.0)], self.plan.shape(id));
        let key = match shape.kind {
            Kind::After | Kind::Newest => self.key(slot, &mut scratch.bytes)?,
            _ => self.observe(id, scratch)?,
        };
        let own = &scratch.observed[usize::from(id.0)].own;
        let measure = self.packs.rule(plan.rule).measure.as_ref().expect("a rule with a slot measures");
        let (memory, moment) = if slot.of_wallet {
            (store.wallets.memory(id, key, &self.plan.shapes), self.moment)
        } else {
            let memory = store.foreign.memory(id, key);
            let newest = memory.as_ref().and_then(|memory| newest_of(memory, shape, self.packs));
            (memory, self.moment_of(newest))
        };
        let judgement = Judgement { turn: self, plan, shape, moment };
        match measure {
            Measure::Count { .. } | Measure::Sum { .. } | Measure::Distinct { .. } => {
                judgement.amounts(memory, own, decision)
            }
            Measure::Change { .. } => judgement.changes(memory, own, decision),
            Measure::New { of, .. } => judgement.is_new(memory, own, of, decision),
            Measure::After { .. } => judgement.comes_after(memory, decision),
            Measure::Streak { at_least, exactly, .. } => judgement.runs_on(memory, *at_least, *exactly, decision),
            Measure::Idle { over_text, .. } => judgement.wakes(memory, over_text, decision),
        }
    }

    /// Remembers the event in every slot of its type.
    pub(super) fn remember(&self, store: &mut Store, scratch: &mut Scratch, action: Action, changes: &mut Changes) {
        for (id, role) in &self.plan.types[usize::from(self.event.kind.0)].remember {
            let slot = &self.plan.slots[usize::from(id.0)];
            match role {
                Role::Matching if slot.counts == Counts::Accepted && !action.accepted() => {}
                Role::Matching => {
                    if let Some(key) = self.observe(*id, scratch) {
                        self.keep(*id, slot, key, &scratch.observed[usize::from(id.0)].own, store, changes);
                    }
                }
                Role::Landmark => {
                    if let Some(key) = self.key(slot, &mut scratch.bytes) {
                        self.keep(*id, slot, key, &Own::Nothing, store, changes);
                    }
                }
                Role::Reset if !action.accepted() => {}
                Role::Reset => {
                    if let Some(key) = self.key(slot, &mut scratch.bytes) {
                        self.reset(*id, slot, key, store, changes);
                    }
                }
            }
        }
    }

    fn reset(&self, id: SlotId, slot: &Slot, key: Hash, store: &mut Store, changes: &mut Changes) {
        let memory = if slot.of_wallet {
            store.wallets.memory(id, key, &self.plan.shapes)
        } else {
            store.foreign.memory_to_change(id, key)
        };
        if let Some(Memory::Streak(row)) = memory {
            *row = None;
            if !slot.of_wallet {
                changes.touch(StateKey::Foreign(id, key));
            }
        }
    }

    fn keep(&self, id: SlotId, slot: &Slot, key: Hash, own: &Own, store: &mut Store, changes: &mut Changes) {
        let shape = self.plan.shape(id);
        if slot.of_wallet {
            let memory = store.wallets.memory_or_new(id, key, &self.plan.shapes, &self.moment);
            keep_in(memory, shape, &self.moment, own);
            return;
        }
        changes.touch(StateKey::Foreign(id, key));
        let memory = store.foreign.memory_or_new(id, key);
        let moment = self.moment_of(newest_of(memory, shape, self.packs));
        keep_in(memory, shape, &moment, own);
    }

    /// What a measure without the wallet in its key is told; `newest` is what the key remembers.
    fn moment_of(&self, newest: Option<Timestamp>) -> Moment<'_> {
        Moment { newest: newest.map_or(self.event.time, |newest| newest.max(self.event.time)), ..self.moment }
    }
}

fn keep_in(memory: &mut Memory, shape: &Shape, moment: &Moment<'_>, own: &Own) {
    let spans = &shape.spans;
    match memory {
        Memory::Count(window) => window.remember(spans, moment, One),
        Memory::Sum(window) => window.remember(spans, moment, own.number()),
        Memory::Distinct(window) => window.remember(spans, moment, own.value()),
        Memory::Total(periods) => periods.remember(calendar_of(shape), moment, own.number()),
        Memory::Values(periods) => periods.remember(calendar_of(shape), moment, own.value()),
        Memory::New(trail) => trail.remember(spans, moment, own.value()),
        Memory::After(trail) => trail.remember(spans, moment, One),
        Memory::Newest(newest) => *newest = moment.time.max(*newest),
        Memory::Change(trail) => {
            let Own::Known(known) = own else { unreachable!("a change observes a value with its text") };
            trail.remember(spans, moment, known.clone());
        }
        Memory::Streak(row) => {
            let longer = streak::lengthen(*row, spans[0], moment);
            let restarts = shape.kind == Kind::Streak(Some(longer.length));
            *row = (!restarts).then_some(longer);
        }
    }
}

fn calendar_of(shape: &Shape) -> Calendar {
    shape.calendar().expect("a memory of periods belongs to a calendar measure")
}

/// The newest time that a foreign key remembers.
fn newest_of(memory: &Memory, shape: &Shape, packs: &Packs) -> Option<Timestamp> {
    memory.newest(|period| packs.zone.start(period, calendar_of(shape)))
}

/// One rule's measure held against its limit.
struct Judgement<'a> {
    turn: &'a Turn<'a>,
    plan: &'a RulePlan,
    shape: &'a Shape,
    moment: Moment<'a>,
}

impl Judgement<'_> {
    /// Counts, sums and distinct values.
    fn amounts(&self, memory: Option<&mut Memory>, own: &Own, decision: &mut Decision) -> Option<Verdict> {
        let (limit, limit_text) = self.plan.limit.at(self.moment.time)?;
        let measured = self.measure(memory, own);
        let calendar = self.shape.calendar();
        // Sums and calendar counts are kept in millionths, other counts as they are.
        let millionths = match (self.shape.kind, calendar) {
            (Kind::Sum, _) | (Kind::Count, Some(_)) => measured.value,
            _ => measured.value * MILLION,
        };
        decision.flags.capped |= measured.capped;
        if millionths <= limit {
            return None;
        }
        let zone = self.moment.zone;
        let from = calendar.map_or(measured.from, |of| zone.start(zone.period(self.moment.time, of), of));
        let text = decision.put_with(|out| write_scaled(out, millionths, 6).expect("a String takes every text"));
        Some(Verdict { measured: Some(text), limit: Some(decision.put(limit_text)), from: Some(from) })
    }

    /// What the window says. Where a calendar period begins is worked out only for those who are told.
    fn measure(&self, memory: Option<&mut Memory>, own: &Own) -> Measured {
        let (spans, length, moment) = (&self.shape.spans, self.plan.length, &self.moment);
        let alone = |value| Measured { value, from: moment.time, capped: false };
        match memory {
            Some(Memory::Count(window)) => window.measure(spans, length, moment, One),
            Some(Memory::Sum(window)) => window.measure(spans, length, moment, own.number()),
            Some(Memory::Distinct(window)) => window.measure(spans, length, moment, own.value()),
            Some(Memory::Total(periods)) => alone(periods.total(calendar_of(self.shape), moment, own.number())),
            Some(Memory::Values(periods)) => alone(periods.total(calendar_of(self.shape), moment, own.value())),
            Some(_) => unreachable!("a slot's memories are of its kind"),
            None => match self.shape.kind {
                Kind::Sum => alone(own.number()),
                Kind::Count if self.shape.calendar().is_some() => alone(own.number()),
                _ => alone(1),
            },
        }
    }

    /// `change`: one of the two neighbours has another value; of two, the earlier is named.
    fn changes(&self, memory: Option<&mut Memory>, own: &Own, decision: &mut Decision) -> Option<Verdict> {
        let (Some(Memory::Change(trail)), Own::Known(own)) = (memory, own) else { return None };
        let within = self.shape.spans[self.plan.length];
        decision.flags.capped |= trail.capped(within, &self.moment);
        let neighbours = [trail.before(within, &self.moment), trail.after(within, &self.moment)];
        let (time, other) = neighbours.into_iter().flatten().find(|(_, other)| other != own)?;
        Some(Verdict {
            measured: Some(decision.put(own.as_str())),
            limit: Some(decision.put(other.as_str())),
            from: Some(time),
        })
    }

    fn is_new(&self, memory: Option<&mut Memory>, own: &Own, of: &Field, decision: &mut Decision) -> Option<Verdict> {
        let Some(Memory::New(trail)) = memory else { return None };
        let within = self.shape.spans[self.plan.length];
        decision.flags.capped |= trail.capped(within, &self.moment);
        let (any, same) = trail.seen(within, &self.moment, &own.value());
        if !any || same {
            return None;
        }
        let value = self.turn.facts.value(of).expect("an event that was observed has the value");
        let measured = decision.put_with(|out| write_plain(&value, out));
        Some(Verdict { measured: Some(measured), ..Verdict::default() })
    }

    fn comes_after(&self, memory: Option<&mut Memory>, decision: &mut Decision) -> Option<Verdict> {
        let Some(Memory::After(trail)) = memory else { return None };
        let within = self.shape.spans[self.plan.length];
        decision.flags.capped |= trail.capped(within, &self.moment);
        let (any, _) = trail.seen(within, &self.moment, &One);
        any.then(Verdict::default)
    }

    fn runs_on(
        &self,
        memory: Option<&mut Memory>,
        at_least: u64,
        exactly: bool,
        decision: &mut Decision,
    ) -> Option<Verdict> {
        let row = match memory {
            Some(Memory::Streak(row)) => *row,
            _ => None,
        };
        let row = streak::lengthen(row, self.shape.spans[0], &self.moment);
        if row.length < at_least || exactly && row.length > at_least {
            return None;
        }
        let mut put = |number: u64| decision.put(itoa::Buffer::new().format(number));
        Some(Verdict { measured: Some(put(row.length)), limit: Some(put(at_least)), from: Some(row.earliest) })
    }

    fn wakes(&self, memory: Option<&mut Memory>, over_text: &str, decision: &mut Decision) -> Option<Verdict> {
        let Some(Memory::Newest(last)) = memory else { return None };
        let reach = Reach::new(self.shape.spans[self.plan.length], &self.moment);
        if reach.holds(*last, self.moment.time) || self.moment.time <= *last {
            return None;
        }
        let measured = decision.put_with(|out| write_plain(&Value::Time(*last), out));
        Some(Verdict { measured: Some(measured), limit: Some(decision.put(over_text)), from: None })
    }
}
