//! Rules on one event: what a measure says, whether it is over its limit, and what is remembered afterwards.
//!
//! Measuring and judging are apart: [`Turn::observe`] finds key and value, the windows measure, [`Turn::judge`] holds
//! the limit against it. Conditions and hashes are kept for the event, so that no rule asks for what another has asked.

use super::{
    Changes, StateKey, Store, Told, Turn,
    plan::{self, DigestId, Key, KnownId, MatcherId, Of, Plan, Role, RulePlan, Slot, Taken},
    selection::Selected,
    values::{canonical, canonical_amount, known, millionths, write_plain},
};
use crate::{
    decision::{Action, Decision, Reason, RestrictionId, RestrictionReason, RuleId, RuleReason, Text},
    event::{Event, Field, Value},
    hash::HashKey,
    number::write_scaled,
    rules::{Counts, Measure, Mode, Packs, Rule},
    state::{
        Hash, SlotId,
        memory::{Item, Kind, Known, MILLION, Memory, Shape},
        packed::{Look, PackedLog},
        special::Standing,
    },
    time::{Calendar, Span, Timestamp},
    window::{Measured, Moment, Reach, log::One, newest_first, streak},
};

/// What one event has been found to be, kept while it is on its way; used again for the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Counts events: what was found of an earlier one is not cleared, which would cost every rule of every type.
    pub(super) turn: u64,
    /// For each condition, the event that it was judged for, and whether it holds.
    pub(super) matched: Vec<(u64, bool)>,
    /// Of a type with many conditions, the rules and slots that the event concerns.
    pub(super) selected: Selected,
    /// For each digest, the event that it was worked out for, and the hash; nothing where a field is lacking.
    digests: Vec<(u64, Option<Hash>)>,
    /// The same of values that must be printed again later.
    known: Vec<(u64, Option<Known>)>,
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
    #[inline]
    pub fn reset(&mut self, plan: &Plan) {
        self.turn += 1;
        self.fired.clear();
        let Taken { digests, known, .. } = &plan.taken;
        if self.matched.len() < plan.matchers.len()
            || self.digests.len() < digests.len()
            || self.known.len() < known.len()
        {
            self.grow(plan);
        }
    }

    /// A reload may bring more; what is there already is of earlier turns, whatever it stood for.
    #[cold]
    fn grow(&mut self, plan: &Plan) {
        self.matched.resize(plan.matchers.len(), (0, false));
        self.digests.resize(plan.taken.digests.len(), (0, None));
        self.known.resize(plan.taken.known.len(), (0, None));
    }
}

/// Type, amount and counterparty in 64 bits: what a repeat must share with the first.
pub fn fingerprint(key: HashKey, event: &Event<'_>, type_mark: u64) -> u64 {
    // No amount is 0.
    let amount = event.amount.map_or(0, |amount| amount.0.cast_unsigned());
    key.fingerprint([type_mark, amount], event.counterparty.unwrap_or("").as_bytes())
}

/// A rule that is over its limit: the texts of its reason.
#[derive(Default)]
struct Verdict {
    measured: Option<Text>,
    limit: Option<Text>,
    from: Option<Timestamp>,
}

impl Turn<'_> {
    /// Evaluates every rule of the type, writes the reasons and gives the capped total of scores.
    pub(super) fn judge_rules(&self, store: &mut Store, scratch: &mut Scratch, decision: &mut Decision) -> u16 {
        let mut total = 0;
        let kind = &self.plan.types[usize::from(self.event.kind.0)];
        if kind.selection.is_some() {
            total = self.judge_selected(&kind.rules, store, scratch, decision);
        } else {
            for plan in &kind.rules {
                if !self.matches(plan.when, scratch) {
                    continue;
                }
                let Some(verdict) = self.judge(plan, store, scratch, decision) else { continue };
                total += self.tell(plan, verdict, store, scratch, decision);
            }
        }
        if !kind.probes.is_empty() {
            self.judge_probes(&kind.probes, store, scratch, decision);
        }
        capped(total)
    }

    /// The same of those that were selected.
    #[inline(never)]
    fn judge_selected(
        &self,
        rules: &[RulePlan],
        store: &mut Store,
        scratch: &mut Scratch,
        decision: &mut Decision,
    ) -> u32 {
        let mut total = 0;
        let mut selected = std::mem::take(&mut scratch.selected.rules);
        selected.drain(|place| {
            if let Some(verdict) = self.judge(&rules[place], store, scratch, decision) {
                total += self.tell(&rules[place], verdict, store, scratch, decision);
            }
        });
        scratch.selected.rules = selected;
        total
    }

    /// The same where somebody else says which rules are over their limit.
    pub(super) fn follow_rules(
        &self,
        told: Told<'_>,
        store: &mut Store,
        scratch: &mut Scratch,
        decision: &mut Decision,
    ) -> u16 {
        let mut total = 0;
        scratch.selected.rules.clear();
        for plan in &self.plan.types[usize::from(self.event.kind.0)].rules {
            // Only those that heed decisions have a slot here.
            let verdict = if plan.slot.is_none() || !told.heeds {
                told.is_over(plan.rule).then(Verdict::default)
            } else if self.matches(plan.when, scratch) {
                self.judge(plan, store, scratch, decision)
            } else {
                None
            };
            if let Some(verdict) = verdict {
                total += self.tell(plan, verdict, store, scratch, decision);
            }
        }
        capped(total)
    }

    /// A rule is over its limit: what that comes to, and its score.
    fn tell(
        &self,
        plan: &RulePlan,
        verdict: Verdict,
        store: &Store,
        scratch: &mut Scratch,
        decision: &mut Decision,
    ) -> u32 {
        let rule = self.packs.rule(plan.rule);
        if !is_valid(rule, self.event.time) {
            return 0;
        }
        decision.over.push(plan.rule);
        if self.silenced(&store.wallets.open.special, plan) {
            return 0;
        }
        let Verdict { measured, limit, from } = verdict;
        let reason = RuleReason { rule: plan.rule, measured, limit, from };
        if rule.mode == Mode::Shadow {
            decision.shadow.push(reason);
            return 0;
        }
        decision.reasons.push(Reason::Rule(reason));
        decision.action = decision.action.max(rule.action);
        scratch.fired.push(plan.rule);
        u32::from(rule.score)
    }

    /// Notes which probes are over their limit, which nothing else shows.
    #[inline(never)]
    fn judge_probes(&self, probes: &[RulePlan], store: &mut Store, scratch: &mut Scratch, decision: &mut Decision) {
        let flags = decision.flags;
        for plan in probes {
            if self.matches(plan.when, scratch)
                && self.judge(plan, store, scratch, decision).is_some()
                && is_valid(self.packs.rule(plan.rule), self.event.time)
            {
                decision.over.push(plan.rule);
            }
        }
        decision.flags = flags;
    }

    #[inline]
    fn matches(&self, when: Option<MatcherId>, scratch: &mut Scratch) -> bool {
        let Some(MatcherId(place)) = when else { return true };
        let place = usize::from(place);
        let (turn, matched) = &mut scratch.matched[place];
        if *turn != scratch.turn {
            let Packs { units, lists, zone, .. } = self.packs;
            (*turn, *matched) = (scratch.turn, self.plan.matchers[place].holds(&self.facts, units, lists, zone));
        }
        *matched
    }

    /// The key that the event has in a slot, less the wallet, and its own entry; nothing where it does not match or
    /// lacks a field.
    #[inline(always)]
    fn observe<'s>(&self, slot: &Slot, scratch: &'s mut Scratch) -> Option<(Hash, Item<'s>)> {
        if !self.matches(slot.when, scratch) {
            return None;
        }
        let key = self.key(slot.key, scratch)?;
        let own = match &slot.of {
            Of::Nothing => Item::Nothing,
            Of::Amount => Item::Number(i128::from(self.event.amount?.0) * (MILLION / 100)),
            Of::Digest(digest) => Item::Value(self.digest(*digest, scratch)?),
            Of::Number(field) => Item::Number(millionths(&self.facts.value(field)?)?),
            Of::Known(known) => Item::Known(self.known(*known, scratch)?),
        };
        Some((key, own))
    }

    /// The key of the event, less the wallet; nothing where a field is lacking.
    #[inline]
    fn key(&self, key: Key, scratch: &mut Scratch) -> Option<Hash> {
        match key {
            Key::Nothing => Some(0),
            Key::Amount => self.event.amount.map(|amount| u128::from(amount.0.unsigned_abs())),
            Key::Digest(digest) => self.digest(digest, scratch),
        }
    }

    /// The hash of some fields' values, worked out once an event; nothing where one is lacking.
    #[inline(always)]
    fn digest(&self, DigestId(place): DigestId, scratch: &mut Scratch) -> Option<Hash> {
        let place = usize::from(place);
        if scratch.digests[place].0 != scratch.turn {
            let Taken { digests, plain, .. } = &self.plan.taken;
            let known = self.hashed.zip(plain[place]).and_then(|(hashed, field)| hashed.known(field));
            let hash = known.or_else(|| self.hash(&digests[place], &mut scratch.bytes));
            scratch.digests[place] = (scratch.turn, hash);
        }
        scratch.digests[place].1
    }

    /// A value that must be printed again later, worked out once an event.
    fn known<'s>(&self, KnownId(place): KnownId, scratch: &'s mut Scratch) -> Option<&'s Known> {
        let Scratch { turn, known: found, text, .. } = scratch;
        let place = usize::from(place);
        let (found_in, value) = &mut found[place];
        if *found_in != *turn {
            *found_in = *turn;
            match &self.plan.taken.known[place] {
                Field::Country => match self.facts.country() {
                    Some(country) => Known::put_letters(value, b't', country.0),
                    None => *value = None,
                },
                field => *value = self.facts.value(field).map(|value| known(&value, text)),
            }
        }
        value.as_ref()
    }

    #[inline(never)]
    fn hash(&self, fields: &[Field], bytes: &mut Vec<u8>) -> Option<Hash> {
        bytes.clear();
        for field in fields {
            match field {
                Field::Amount => canonical_amount(self.event.amount?, bytes),
                field => canonical(&self.facts.value(field)?, bytes),
            }
        }
        Some(self.settings.hash_key.hash(bytes))
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
        let (key, own) = self.observe(slot, scratch)?;
        let of_key;
        let (look, moment) = if slot.of_wallet {
            (store.wallets.look(id, key, &self.plan.shapes, &self.moment), &self.moment)
        } else {
            let look = store.foreign.look(id, key, &self.plan.shapes, &self.moment);
            let newest = match &look {
                Look::Memory(memory) => newest_of(memory, shape, self.packs),
                _ => None,
            };
            of_key = self.moment_of(newest);
            (look, &of_key)
        };
        let judgement = Judgement { turn: self, plan, shape, moment };
        match shape.kind {
            Kind::Count | Kind::Sum | Kind::Distinct => judgement.amounts(look, own, decision),
            Kind::Change => judgement.changes(look, own, decision),
            Kind::New => judgement.is_new(look, own, decision),
            Kind::After => judgement.comes_after(look, decision),
            Kind::Streak(_) => judgement.runs_on(look, decision),
            Kind::Newest => judgement.wakes(look, decision),
        }
    }

    /// Remembers the event in every slot of its type.
    pub(super) fn remember(&self, store: &mut Store, scratch: &mut Scratch, action: Action, changes: &mut Changes) {
        let kind = &self.plan.types[usize::from(self.event.kind.0)];
        if kind.selection.is_some() {
            return self.remember_selected(&kind.remember, store, scratch, action, changes);
        }
        for entry in &kind.remember {
            self.remember_in(*entry, store, scratch, action, changes);
        }
    }

    #[inline(never)]
    fn remember_selected(
        &self,
        remember: &[(SlotId, Role)],
        store: &mut Store,
        scratch: &mut Scratch,
        action: Action,
        changes: &mut Changes,
    ) {
        let mut selected = std::mem::take(&mut scratch.selected.remembered);
        selected.drain(|place| self.remember_in(remember[place], store, scratch, action, changes));
        scratch.selected.remembered = selected;
    }

    #[inline(always)]
    fn remember_in(
        &self,
        (id, role): (SlotId, Role),
        store: &mut Store,
        scratch: &mut Scratch,
        action: Action,
        changes: &mut Changes,
    ) {
        let slot = &self.plan.slots[usize::from(id.0)];
        match role {
            Role::Matching if slot.counts == Counts::Accepted && !action.accepted() => {}
            Role::Matching => {
                if let Some((key, own)) = self.observe(slot, scratch) {
                    self.keep(id, slot, key, own, store, changes);
                }
            }
            Role::Landmark => {
                if let Some(key) = self.key(slot.key, scratch) {
                    self.keep(id, slot, key, Item::Nothing, store, changes);
                }
            }
            Role::Reset if !action.accepted() => {}
            Role::Reset => {
                if let Some(key) = self.key(slot.key, scratch) {
                    self.reset(id, slot, key, store, changes);
                }
            }
        }
    }

    fn reset(&self, id: SlotId, slot: &Slot, key: Hash, store: &mut Store, changes: &mut Changes) {
        let memory = if slot.of_wallet {
            if store.wallets.has_many_memories() {
                changes.touch(StateKey::Cell(self.wallet, id, key));
            }
            store.wallets.memory(id, key, &self.plan.shapes)
        } else {
            store.foreign.memory_to_change(id, key, &self.plan.shapes)
        };
        if let Some(Memory::Streak(row)) = memory {
            *row = None;
            if !slot.of_wallet {
                changes.touch(StateKey::Foreign(id, key));
            }
        }
    }

    fn keep(&self, id: SlotId, slot: &Slot, key: Hash, own: Item<'_>, store: &mut Store, changes: &mut Changes) {
        let (shape, shapes) = (self.plan.shape(id), &self.plan.shapes);
        // The same event may have ended the row before it.
        let mut changed =
            |key| if matches!(shape.kind, Kind::Streak(_)) { changes.touch(key) } else { changes.note(key) };
        if slot.of_wallet {
            if store.wallets.has_many_memories() {
                // It is not in the wallet's own record.
                changed(StateKey::Cell(self.wallet, id, key));
            }
            if !store.wallets.append(id, key, shapes, &self.moment, own) {
                store.wallets.memory_or_new(id, key, shapes, &self.moment).remember(shape, &self.moment, own);
            }
            return;
        }
        changed(StateKey::Foreign(id, key));
        if !store.foreign.append(id, key, shapes, &self.moment, own) {
            let memory = store.foreign.memory_or_new(id, key, shapes);
            let moment = self.moment_of(newest_of(memory, shape, self.packs));
            memory.remember(shape, &moment, own);
        }
    }

    /// What a measure without the wallet in its key is told; `newest` is what the key remembers.
    fn moment_of(&self, newest: Option<Timestamp>) -> Moment<'_> {
        Moment { newest: newest.map_or(self.event.time, |newest| newest.max(self.event.time)), ..self.moment }
    }
}

fn capped(total: u32) -> u16 {
    u16::try_from(total).unwrap_or(u16::MAX).min(crate::limits::SCORE)
}

fn is_valid(rule: &Rule, time: Timestamp) -> bool {
    rule.valid_from.is_none_or(|from| from <= time) && rule.valid_until.is_none_or(|until| time < until)
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
    moment: &'a Moment<'a>,
}

impl Judgement<'_> {
    /// Counts, sums and distinct values.
    fn amounts(&self, look: Look<'_>, own: Item<'_>, decision: &mut Decision) -> Option<Verdict> {
        let (limit, limit_text) = self.plan.limit.at(self.moment.time)?;
        if let Look::Short(log) = &look
            && self.shape.kind != Kind::Sum
            && (log.count() as i128) < limit
        {
            // Not even all of them would be too many.
            return None;
        }
        let measured = self.measure(look, own, limit);
        decision.flags.capped |= measured.capped;
        if measured.value <= limit {
            return None;
        }
        let (zone, calendar) = (self.moment.zone, self.shape.calendar());
        let from = calendar.map_or(measured.from, |of| zone.start(zone.period(self.moment.time, of), of));
        let scale = if plan::unit(self.shape) == MILLION { 6 } else { 0 };
        let text =
            decision.put_with(|out| write_scaled(out, measured.value, scale).expect("a String takes every text"));
        Some(Verdict { measured: Some(text), limit: Some(decision.put(limit_text)), from: Some(from) })
    }

    /// What the window says. Where a calendar period begins is worked out only for those who are told.
    fn measure(&self, look: Look<'_>, own: Item<'_>, limit: i128) -> Measured {
        let (spans, length, moment) = (&self.shape.spans, self.plan.length, self.moment);
        let alone = |value| Measured { value, from: moment.time, capped: false };
        let memory = match look {
            Look::Memory(memory) => memory,
            Look::Short(log) => return self.measure_short(log, own),
            Look::Total(total) => return alone(total + own.number()),
            Look::Values(values) => return alone(values.total(own.value())),
            Look::Newest(_) => unreachable!("an instant is not measured"),
            Look::Nothing => {
                return match self.shape.kind {
                    Kind::Sum => alone(own.number()),
                    Kind::Count if self.shape.calendar().is_some() => alone(own.number()),
                    _ => alone(1),
                };
            }
        };
        match memory {
            Memory::Count(window) => window.measure(spans, length, moment, One, limit),
            Memory::Sum(window) => window.measure(spans, length, moment, own.number(), limit),
            Memory::Distinct(window) => window.measure(spans, length, moment, own.value(), limit),
            Memory::Total(periods) => alone(periods.total(calendar_of(self.shape), moment, own.number())),
            Memory::Values(periods) => alone(periods.total(calendar_of(self.shape), moment, own.value())),
            _ => unreachable!("a slot's memories are of its kind"),
        }
    }

    fn measure_short(&self, log: PackedLog<'_>, own: Item<'_>) -> Measured {
        let (millis, moment) = (self.millis(), self.moment);
        match self.shape.kind {
            Kind::Count => newest_first::measure(log.entries(), millis, moment, One),
            Kind::Sum => newest_first::measure(log.entries(), millis, moment, own.number()),
            Kind::Distinct => newest_first::measure(log.entries(), millis, moment, own.value()),
            _ => unreachable!("only amounts are measured"),
        }
    }

    /// The rule's length in ms.
    fn millis(&self) -> i64 {
        match self.shape.spans[self.plan.length] {
            Span::Millis(millis) => millis,
            Span::Months(_) | Span::Calendar(_) => unreachable!("only logs of exact lengths are read as they lie"),
        }
    }

    /// What the rule measures, as its pack has it.
    fn measure_of_rule(&self) -> &Measure {
        self.turn.packs.rule(self.plan.rule).measure.as_ref().expect("a rule with a slot measures")
    }

    /// `change`: one of the two neighbours has another value; of two, the earlier is named.
    fn changes(&self, look: Look<'_>, own: Item<'_>, decision: &mut Decision) -> Option<Verdict> {
        let own = own.known();
        let another = |neighbour: Option<(Timestamp, Known)>| neighbour.filter(|(_, value)| value != own);
        let (time, other) = match look {
            Look::Short(log) => {
                let (time, tag, text) = log.newest_text();
                if !newest_first::holds(time, self.millis(), self.moment) || own.is(tag, text) {
                    return None;
                }
                (time, Known::of_bytes(tag, text))
            }
            Look::Memory(Memory::Change(trail)) => {
                let within = self.shape.spans[self.plan.length];
                decision.flags.capped |= trail.capped(within, self.moment);
                another(trail.before(within, self.moment)).or_else(|| another(trail.after(within, self.moment)))?
            }
            _ => return None,
        };
        Some(Verdict {
            measured: Some(decision.put(own.as_str())),
            limit: Some(decision.put(other.as_str())),
            from: Some(time),
        })
    }

    fn is_new(&self, look: Look<'_>, own: Item<'_>, decision: &mut Decision) -> Option<Verdict> {
        let (any, same) = match look {
            Look::Short(log) => newest_first::seen(log.entries(), self.millis(), self.moment, &own.value()),
            Look::Memory(Memory::New(trail)) => {
                let within = self.shape.spans[self.plan.length];
                decision.flags.capped |= trail.capped(within, self.moment);
                trail.seen(within, self.moment, &own.value())
            }
            _ => return None,
        };
        if !any || same {
            return None;
        }
        let Measure::New { of, .. } = self.measure_of_rule() else { unreachable!("a slot's kind is its measure's") };
        let value = self.turn.facts.value(of).expect("an event that was observed has the value");
        let measured = decision.put_with(|out| write_plain(&value, out));
        Some(Verdict { measured: Some(measured), ..Verdict::default() })
    }

    fn comes_after(&self, look: Look<'_>, decision: &mut Decision) -> Option<Verdict> {
        let any = match look {
            Look::Short(log) => newest_first::any(log.entries(), self.millis(), self.moment),
            Look::Memory(Memory::After(trail)) => {
                let within = self.shape.spans[self.plan.length];
                decision.flags.capped |= trail.capped(within, self.moment);
                trail.seen(within, self.moment, &One).0
            }
            _ => return None,
        };
        any.then(Verdict::default)
    }

    fn runs_on(&self, look: Look<'_>, decision: &mut Decision) -> Option<Verdict> {
        let Measure::Streak { at_least, exactly, .. } = *self.measure_of_rule() else {
            unreachable!("a slot's kind is its measure's")
        };
        let row = match look {
            Look::Memory(Memory::Streak(row)) => *row,
            _ => None,
        };
        let row = streak::lengthen(row, self.shape.spans[0], self.moment);
        if row.length < at_least || exactly && row.length > at_least {
            return None;
        }
        let mut put = |number: u64| decision.put(itoa::Buffer::new().format(number));
        Some(Verdict { measured: Some(put(row.length)), limit: Some(put(at_least)), from: Some(row.earliest) })
    }

    fn wakes(&self, look: Look<'_>, decision: &mut Decision) -> Option<Verdict> {
        let last = match look {
            Look::Newest(last) => last,
            Look::Memory(Memory::Newest(last)) => *last,
            _ => return None,
        };
        let reach = Reach::new(self.shape.spans[self.plan.length], self.moment);
        if reach.holds(last, self.moment.time) || self.moment.time <= last {
            return None;
        }
        let Measure::Idle { over_text, .. } = self.measure_of_rule() else {
            unreachable!("a slot's kind is its measure's")
        };
        let measured = decision.put_with(|out| write_plain(&Value::Time(last), out));
        Some(Verdict { measured: Some(measured), limit: Some(decision.put(over_text)), from: None })
    }
}
