//! Restrictions: imposing, lifting, what stands on an event, and the operations that wait for them.
//!
//! Imposing and lifting go by arrival, only the end goes by event time (spec, section 10). So a restriction that has
//! run out for one event may still stand for a later-arriving, earlier one; it is kept until no accepted event can
//! be that early.

use super::{Changes, StateKey, Store, Turn, judge::Scratch, plan::Effect};
use crate::{
    decision::{Action, Decision, Of, RestrictionId, RuleId},
    limits,
    rules::Target,
    state::{Hash, Special, Standing, Waiting},
    time::Timestamp,
};

/// A standing restriction that applies to the event, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub restriction: RestrictionId,
    /// The wallet on which it stands, for those of a counterparty.
    counterparty: Option<Hash>,
}

impl Found {
    pub fn look_up<'a>(&self, store: &'a Store, turn: &Turn<'_>) -> &'a Standing {
        let list = match turn.packs.restriction(self.restriction).target {
            Target::Wallet => store.wallets[&self.counterparty.unwrap_or(turn.wallet)].standing(),
            Target::Ip => turn.address.and_then(|address| store.addresses.get(&address)).map_or(&[][..], Vec::as_slice),
            Target::All => &store.all,
        };
        list.iter().find(|standing| standing.restriction == self.restriction).expect("it was found standing just now")
    }
}

/// Writes what stands on the wallet, the address and all at `time`, in pack order.
pub fn list_standing(store: &Store, wallet: Hash, address: Option<Hash>, time: Timestamp, decision: &mut Decision) {
    let on_wallet = store.wallets.get(&wallet).map_or(&[][..], |wallet| wallet.standing());
    let on_address = address.and_then(|address| store.addresses.get(&address)).map_or(&[][..], Vec::as_slice);
    let all = on_wallet.iter().chain(on_address).chain(&store.all);
    decision.restrictions.extend(all.filter(|standing| standing.stands(time)).map(|standing| standing.restriction));
    decision.restrictions.sort_unstable();
}

/// Who asks for a restriction.
enum By {
    Rule(RuleId),
    Signal,
}

impl Turn<'_> {
    /// Finds the restrictions that stand on the event and apply to it, in pack order, the wallet's before the
    /// counterparty's before the address's before those on all.
    pub(super) fn find_standing(&self, store: &Store, found: &mut Vec<(Of, Found)>) {
        found.clear();
        let mut collect = |of: Of, list: &[Standing], counterparty: Option<Hash>| {
            for standing in list {
                let restriction = self.packs.restriction(standing.restriction);
                let concerned = of != Of::Counterparty || restriction.incoming;
                if concerned && restriction.on.contains(self.event.kind) && standing.stands(self.event.time) {
                    found.push((of, Found { restriction: standing.restriction, counterparty }));
                }
            }
        };
        collect(Of::Wallet, store.wallets[&self.wallet].standing(), None);
        if self.plan.incoming
            && self.plan.types[usize::from(self.event.kind.0)].operation
            && let Some(counterparty) = self.event.counterparty
            && counterparty != self.event.wallet
        {
            let hash = self.settings.hash_key.hash(counterparty.as_bytes());
            let list = store.wallets.get(&hash).map_or(&[][..], |wallet| wallet.standing());
            collect(Of::Counterparty, list, Some(hash));
        }
        if let Some(list) = self.address.and_then(|address| store.addresses.get(&address)) {
            collect(Of::Ip, list, None);
        }
        collect(Of::All, &store.all, None);
        found.sort_unstable_by_key(|(of, found)| (found.restriction, *of));
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
            Target::Wallet => {
                let wallet = store.wallets.get_mut(&self.wallet).expect("the wallet has been greeted");
                if let Some(special) = wallet.special.as_deref_mut() {
                    self.lift_from_wallet(special, id, effect == Effect::Cancel);
                }
            }
            Target::Ip => {
                if let Some(address) = self.address
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

    fn lift_from_wallet(&self, special: &mut Special, id: RestrictionId, cancelled: bool) {
        let Some(at) = special.standing.iter().position(|standing| standing.restriction == id) else { return };
        let standing = special.standing.remove(at);
        let ran_out = !standing.stands(self.event.time);
        special.gone(id, cancelled && !ran_out, ran_out);
        if ran_out || cancelled {
            return;
        }
        for rule in standing.asked {
            if let Some(calendar) = self.plan.calendar(rule) {
                let silenced = (rule, self.packs.zone.period(self.event.time, calendar));
                if !special.confirmed.contains(&silenced) {
                    special.confirmed.push(silenced);
                }
            }
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
        let until = restriction.lasts.map(|span| self.packs.zone.after(time, span));
        let list = match (restriction.target, self.address) {
            (Target::Wallet, _) => {
                let special = store.wallets.get_mut(&self.wallet).expect("the wallet has been greeted").special();
                let standing = special.standing.iter().any(|other| other.restriction == id && !other.stands(time));
                if standing {
                    special.gone(id, false, true);
                }
                self.let_go(special);
                &mut special.standing
            }
            (Target::Ip, Some(address)) => {
                changes.touch(StateKey::Address(address));
                if store.addresses.len() == store.addresses.capacity() && store.addresses.len() >= limits::ADDRESSES {
                    let horizon = self.horizon;
                    store.addresses.retain(|_, list| list.iter().any(|standing| standing.stands(horizon)));
                }
                store.addresses.entry(address).or_default()
            }
            (Target::Ip, None) => return,
            (Target::All, _) => {
                changes.touch(StateKey::All);
                &mut store.all
            }
        };
        let asked = match by {
            By::Rule(rule) if restriction.confirms => Some(*rule),
            _ => None,
        };
        if let Some(standing) = list.iter_mut().find(|other| other.restriction == id && other.stands(time)) {
            if restriction.renews {
                standing.until = standing.until.zip(until).map(|(old, new)| old.max(new));
            }
            standing.asked.extend(asked.filter(|rule| !standing.asked.contains(rule)));
            return;
        }
        list.retain(|other| other.restriction != id);
        let name = match by {
            By::Rule(rule) => &self.packs.rule(*rule).id,
            By::Signal => self.packs.types.name(self.event.kind),
        };
        list.push(Standing {
            restriction: id,
            since: time,
            until,
            by: name.into(),
            by_event: self.event.id.into(),
            asked: asked.into_iter().collect(),
        });
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
        let wallet = store.wallets.get_mut(&self.wallet).expect("the wallet has been greeted");
        let Some(special) = wallet.special.as_deref_mut() else { return };
        let Special { standing, waiting, forgotten, .. } = special;
        let ran_out = |id: &RestrictionId| {
            standing.iter().any(|standing| standing.restriction == *id && !standing.stands(self.event.time))
        };
        let due = |operation: &Waiting| operation.waits_for.iter().all(ran_out);
        waiting.retain(|operation| {
            if !due(operation) {
                return true;
            }
            let id = decision.put(&operation.id);
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
        let holds = |id: &RestrictionId| {
            let restriction = self.packs.restriction(*id);
            restriction.target == Target::Wallet && matches!(restriction.action, Action::Hold | Action::Pin)
        };
        let stood = scratch.standing.iter().filter(|(of, _)| *of == Of::Wallet).map(|(_, found)| found.restriction);
        let mut waits_for: Vec<RestrictionId> =
            stood.chain(scratch.imposed.iter().copied()).filter(|id| holds(id)).collect();
        waits_for.sort_unstable();
        waits_for.dedup();
        if waits_for.is_empty() {
            return;
        }
        let wallet = store.wallets.get_mut(&self.wallet).expect("the wallet has been greeted");
        wallet.special().wait(Waiting {
            id: self.event.id.into(),
            time: self.event.time,
            waits_for,
            cancelled: false,
            expired: false,
        });
    }
}
