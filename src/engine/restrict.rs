//! Restrictions: imposing, lifting, what stands on an event, and the operations that wait for them.
//!
//! Imposing and lifting go by arrival, only the end goes by event time (spec, section 10). So a restriction that has
//! run out for one event may still stand for a later-arriving, earlier one; it is kept until no accepted event can
//! be that early.

use super::{Changes, StateKey, Store, Turn, address_hash, judge::Scratch, plan::Effect};
use crate::{
    decision::{Action, Decision, Of, RestrictionId, RestrictionReason, RuleId},
    event::Event,
    hash::HashKey,
    limits,
    rules::Target,
    state::special::{IdText, Restrictions, Special, Standing, Waiting},
};

/// Writes what stands on the open wallet, the event's address and all at the event's time, in pack order.
pub fn list_standing(store: &Store, key: HashKey, event: &Event<'_>, decision: &mut Decision) {
    if store.restricts_nobody() {
        return;
    }
    let all = store.wallets.open.special.standing.iter().chain(on_address(store, key, event)).chain(&store.all);
    let standing = all.filter(|standing| standing.stands(event.time));
    decision.restrictions.extend(standing.map(|standing| standing.restriction));
    decision.restrictions.sort_unstable();
}

impl Store {
    /// Whether nothing stands, or has stood, on the open wallet, on any address or on all.
    fn restricts_nobody(&self) -> bool {
        self.wallets.open.special.standing.is_empty() && self.addresses.is_empty() && self.all.is_empty()
    }

    /// Whether nothing but its wallet can stop an event.
    pub(super) fn is_free(&self, event: &Event<'_>, operation: bool, key: HashKey) -> bool {
        let stops = |counterparty: &str| self.incoming.contains_key(&key.hash(counterparty.as_bytes()));
        self.all.is_empty()
            && on_address(self, key, event).is_empty()
            && (self.incoming.is_empty() || !operation || !event.counterparty.is_some_and(stops))
    }
}

/// What stands, or has stood, on the event's address.
fn on_address<'a>(store: &'a Store, key: HashKey, event: &Event<'_>) -> &'a [Standing] {
    if store.addresses.is_empty() {
        return &[];
    }
    address_hash(key, event).and_then(|address| store.addresses.get(&address)).map_or(&[], Vec::as_slice)
}

/// Who asks for a restriction.
enum By {
    Rule(RuleId),
    Signal,
}

impl Turn<'_> {
    /// Finds the restrictions that stand on the event and apply to it, in pack order, the wallet's before the
    /// counterparty's before the address's before those on all.
    pub(super) fn find_standing(&self, store: &mut Store, scratch: &mut Scratch, decision: &mut Decision) {
        let Scratch { standing: found, counterparty: theirs, .. } = scratch;
        found.clear();
        theirs.clear();
        if store.restricts_nobody() && store.incoming.is_empty() {
            return;
        }
        if self.plan.incoming
            && !store.incoming.is_empty()
            && self.plan.types[usize::from(self.event.kind.0)].operation
            && let Some(counterparty) = self.event.counterparty
            && counterparty != self.event.wallet
        {
            let hash = self.settings.hash_key.hash(counterparty.as_bytes());
            if store.incoming.contains_key(&hash) {
                store.wallets.standing_of(hash, theirs);
                theirs.extend(store.elsewhere.get(&hash).into_iter().flatten());
            }
        }
        let on_address = on_address(store, self.settings.hash_key, self.event);
        let lists = [
            (Of::Wallet, store.wallets.open.special.standing.as_slice()),
            (Of::Counterparty, theirs),
            (Of::Ip, on_address),
            (Of::All, &store.all),
        ];
        for (of, list) in lists {
            for standing in list.iter().filter(|standing| self.applies(standing, of)) {
                found.push(RestrictionReason {
                    restriction: standing.restriction,
                    of,
                    since: standing.since,
                    until: standing.until,
                    by: decision.put(self.names.text(standing.by)),
                    by_event: decision.put(standing.by_event.as_str()),
                });
            }
        }
        found.sort_unstable_by_key(|reason| (reason.restriction, reason.of));
    }

    fn applies(&self, standing: &Standing, of: Of) -> bool {
        let restriction = self.packs.restriction(standing.restriction);
        standing.stands(self.event.time)
            && restriction.on.contains(self.event.kind)
            && (of != Of::Counterparty || restriction.incoming)
    }

    /// What a signal does to one restriction.
    pub(super) fn signal(&self, store: &mut Store, id: RestrictionId, effect: Effect, changes: &mut Changes) {
        let restriction = self.packs.restriction(id);
        if effect == Effect::Impose {
            let (units, lists) = (&self.packs.units, &self.packs.lists);
            if restriction.when.as_ref().is_none_or(|when| when.holds(&self.facts, units, lists, &self.packs.zone)) {
                self.impose(store, id, &By::Signal, changes);
            }
            return;
        }
        match restriction.target {
            Target::Wallet => self.lift_from_wallet(store, id, effect == Effect::Cancel),
            Target::Ip => {
                if let Some(address) = address_hash(self.settings.hash_key, self.event)
                    && let Some(list) = store.addresses.get_mut(&address)
                {
                    list.retain(|standing| standing.restriction != id);
                    if list.is_empty() {
                        store.addresses.remove(&address);
                    }
                    changes.touch(StateKey::Address(address));
                }
            }
            Target::All => {
                store.all.retain(|standing| standing.restriction != id);
                changes.touch(StateKey::All);
            }
        }
    }

    fn lift_from_wallet(&self, store: &mut Store, id: RestrictionId, cancelled: bool) {
        let special = &mut store.wallets.open.special;
        let Some(standing) = special.take_standing(id) else { return };
        let ran_out = !standing.stands(self.event.time);
        special.gone(id, cancelled && !ran_out, ran_out);
        let Special { asked, confirming, standing, .. } = special;
        if !ran_out && !cancelled {
            for (_, rule) in asked.iter().filter(|(of, _)| *of == id) {
                if let Some(calendar) = self.plan.calendar(*rule) {
                    confirming.push((*rule, self.packs.zone.period(self.event.time, calendar)));
                }
            }
        }
        asked.retain(|(of, _)| *of != id);
        if !standing.iter().any(|standing| self.packs.restriction(standing.restriction).incoming) {
            store.incoming.remove(&self.wallet);
        }
    }

    /// A rule that is over its limit asks for a restriction.
    pub(super) fn impose_by_rule(
        &self,
        store: &mut Store,
        id: RestrictionId,
        rule: RuleId,
        imposed: &mut Vec<RestrictionId>,
        changes: &mut Changes,
    ) {
        self.impose(store, id, &By::Rule(rule), changes);
        imposed.push(id);
    }

    /// Imposes a restriction at the event's time, or renews it.
    fn impose(&self, store: &mut Store, id: RestrictionId, by: &By, changes: &mut Changes) {
        let restriction = self.packs.restriction(id);
        let time = self.event.time;
        let standing = || Standing {
            restriction: id,
            since: time,
            until: restriction.lasts.map(|span| self.packs.zone.after(time, span)),
            by: match by {
                By::Rule(rule) => self.names.of_rule(*rule),
                By::Signal => self.names.of_type(self.event.kind),
            },
            by_event: IdText::new(self.event.id),
        };
        match restriction.target {
            Target::Wallet => self.impose_on_wallet(store, id, standing, by),
            Target::Ip => {
                let Some(address) = address_hash(self.settings.hash_key, self.event) else { return };
                changes.touch(StateKey::Address(address));
                if store.addresses.len() >= limits::ADDRESSES && !store.addresses.contains_key(&address) {
                    let horizon = self.horizon;
                    let passed =
                        |_: &u128, list: &mut Vec<Standing>| !list.iter().any(|standing| standing.stands(horizon));
                    // Each is met once, and looked for nowhere.
                    store.addresses.extract_next(passed, |other, _| changes.touched.push(StateKey::Address(other)));
                }
                let list = store.addresses.get_or_insert_with(address, Vec::new);
                put_standing(list, standing(), restriction.renews);
            }
            Target::All => {
                changes.touch(StateKey::All);
                put_standing(&mut store.all, standing(), restriction.renews);
            }
        }
    }

    /// `standing` is made only where it changes anything: most that are asked for stand already.
    fn impose_on_wallet(&self, store: &mut Store, id: RestrictionId, standing: impl FnOnce() -> Standing, by: &By) {
        let restriction = self.packs.restriction(id);
        if restriction.incoming {
            store.incoming.insert(self.wallet, ());
        }
        let special = &mut store.wallets.open.special;
        let known = special.standing.iter().find(|other| other.restriction == id);
        let stands = known.map(|known| known.stands(self.event.time));
        if stands == Some(false) {
            special.gone(id, false, true);
        }
        self.let_go(special);
        let changes = stands != Some(true) || restriction.renews;
        if changes && put_standing(&mut special.standing, standing(), restriction.renews) {
            special.asked.retain(|(of, _)| *of != id);
        }
        if let By::Rule(rule) = by
            && restriction.confirms
            && !special.asked.contains(&(id, *rule))
        {
            special.asked.push((id, *rule));
        }
    }

    /// Lets go of confirmations whose period no accepted event can reach any more. Restrictions that have run out stay
    /// until another of their name comes: a repeat of any time may still ask what stood then.
    fn let_go(&self, special: &mut Special) {
        special.confirmed.retain(|(rule, period)| {
            self.plan.calendar(*rule).is_some_and(|calendar| *period >= self.packs.zone.period(self.horizon, calendar))
        });
    }

    /// Lists the operations that now wait for nothing, oldest first.
    pub(super) fn list_waiting(&self, store: &mut Store, decision: &mut Decision) {
        let Special { standing, waiting, done, forgotten, .. } = &mut store.wallets.open.special;
        // Nearly always all that they wait for stands.
        let all_stand = standing.iter().all(|standing| standing.stands(self.event.time));
        if all_stand && !*done {
            return;
        }
        *done = false;
        let ran_out = |id: RestrictionId| {
            standing.iter().any(|standing| standing.restriction == id && !standing.stands(self.event.time))
        };
        waiting.retain(|operation| {
            if !operation.waits_for.iter().all(ran_out) {
                return true;
            }
            let id = decision.put(operation.id.as_str());
            if operation.cancelled {
                decision.cancelled.push(id);
            } else if operation.expired || !operation.waits_for.is_empty() {
                decision.expired.push(id);
            } else {
                decision.released.push(id);
            }
            false
        });
        let listed = !(decision.released.is_empty() && decision.cancelled.is_empty() && decision.expired.is_empty());
        decision.waiting_forgotten = listed && std::mem::take(forgotten);
    }

    /// The event waits for what held it and for what it imposed.
    pub(super) fn let_wait(&self, store: &mut Store, scratch: &Scratch) {
        let stood = scratch.standing.iter().filter(|reason| reason.of == Of::Wallet).map(|reason| reason.restriction);
        let mut waits_for = Restrictions::default();
        for id in stood.chain(scratch.imposed.iter().copied()) {
            let restriction = self.packs.restriction(id);
            if restriction.target == Target::Wallet && matches!(restriction.action, Action::Hold | Action::Pin) {
                waits_for.insert(id);
            }
        }
        if !waits_for.is_empty() {
            store.wallets.open.special.wait(Waiting {
                id: IdText::new(self.event.id),
                time: self.event.time,
                waits_for,
                cancelled: false,
                expired: false,
            });
        }
    }
}

/// Puts a restriction among those of one place, unless it stands there already; then it may be renewed. Whether it is
/// a new one.
fn put_standing(list: &mut Vec<Standing>, standing: Standing, renews: bool) -> bool {
    let same = |other: &Standing| other.restriction == standing.restriction;
    if let Some(known) = list.iter_mut().find(|other| same(other) && other.stands(standing.since)) {
        if renews {
            known.until = known.until.zip(standing.until).map(|(old, new)| old.max(new));
        }
        return false;
    }
    list.retain(|other| !same(other));
    list.push(standing);
    true
}
