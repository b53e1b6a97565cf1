//! Other packs while the engine runs: what rules remember is found again by what it is, not by where it was.
//!
//! A slot keeps its memories when a slot of the new plan has the same identity. A rule that is new, or looks back
//! further than its slot did, has not seen its whole window yet; until it has, decisions of its types say `warming`.
//! Restrictions stand on under their names; a pack that drops one that may still stand is refused unless it lists
//! the name as retired, and then the restriction runs on as it was imposed.

use super::{Ahead, Engine, Store, dictionary::Dictionary, plan::Plan};
use crate::{
    decision::{RestrictionId, RuleId},
    event::Fault,
    rules::{Packs, Restriction},
    state::{
        SlotId,
        special::{Restrictions, Special, Standing},
        wallets,
    },
    time::{Span, Timestamp},
};
use std::sync::Arc;

/// Packs that take over from others.
pub(super) struct Successor {
    pub packs: Arc<Packs>,
    pub plan: Plan,
    pub dictionary: Dictionary,
}

impl Successor {
    /// # Errors
    /// A [`Fault`] that names a restriction that may still stand and is gone.
    pub(super) fn new(before: &Dictionary, newest: Option<Timestamp>, packs: &Arc<Packs>) -> Result<Successor, Fault> {
        let packs = with_retired(before, packs)?;
        let mut plan = Plan::new(&packs);
        let mut dictionary = Dictionary::after(before, &packs, &plan);
        warm(before, newest, &packs, &mut plan, &mut dictionary);
        Ok(Successor { packs, plan, dictionary })
    }
}

/// Where everything of the old packs is in the new ones.
struct Moves {
    slots: Vec<Option<SlotId>>,
    rules: Vec<Option<RuleId>>,
    restrictions: Vec<Option<RestrictionId>>,
}

impl Engine {
    /// Whether other packs can take over.
    ///
    /// # Errors
    /// A [`Fault`] that names a restriction that may still stand and is gone.
    pub fn check_packs(&self, packs: &Arc<Packs>) -> Result<(), Fault> {
        with_retired(&self.dictionary, packs).map(drop)
    }

    /// Puts other packs in force.
    ///
    /// # Errors
    /// A [`Fault`] that names a restriction that may still stand and is gone; the old packs stay in force then.
    pub(super) fn reload(&mut self, packs: &Arc<Packs>) -> Result<(), Fault> {
        let Successor { packs, plan, dictionary } = Successor::new(&self.dictionary, self.newest, packs)?;
        let (old, new) = (self.dictionary.numbers(), dictionary.numbers());
        let moves = Moves {
            slots: moved(&old.slots, &new.slots, SlotId),
            rules: moved(&old.rules, &new.rules, RuleId),
            restrictions: moved(&old.restrictions, &new.restrictions, RestrictionId),
        };
        let gone = self.store.take_gone();
        moves.store(&mut self.store, &self.plan, &plan, &packs);
        self.names.load(&packs, self.settings.hash_key);
        if let Some(recorder) = &mut self.recorder {
            recorder.reloaded(gone, |slot| moves.slot_of(slot));
        }
        self.ahead = Ahead::new(&plan);
        self.plan = plan;
        self.packs = packs;
        self.dictionary = dictionary;
        self.settle_all();
        Ok(())
    }
}

/// The packs with those restrictions that they retire, as they were.
fn with_retired(before: &Dictionary, packs: &Arc<Packs>) -> Result<Arc<Packs>, Fault> {
    let declared = |name: &str| packs.restrictions.iter().any(|restriction| restriction.name == name);
    let missing = || before.restrictions.iter().filter(|restriction| !declared(&restriction.name));
    if let Some(restriction) = missing().find(|restriction| !packs.retired.contains(&restriction.name)) {
        let name = &restriction.name;
        let message = format!(
            "restriction \"{name}\" may still stand on wallets and is no longer declared; \
             declare it, or write retired = [\"{name}\"] to let it run on as it was imposed"
        );
        return Err(Fault { field: None, message });
    }
    let retired: Vec<Restriction> = missing().map(|restriction| restriction.retired(packs)).collect();
    Ok(if retired.is_empty() { Arc::clone(packs) } else { Arc::new(packs.and_restrictions(retired)) })
}

/// Notes from when on each rule has seen its whole window.
fn warm(before: &Dictionary, newest: Option<Timestamp>, packs: &Packs, plan: &mut Plan, dictionary: &mut Dictionary) {
    let Some(newest) = newest else { return };
    for rule in plan.types.iter_mut().flat_map(|kind| &mut kind.rules) {
        let Some(SlotId(slot)) = rule.slot else { continue };
        let span = plan.shapes[usize::from(slot)].spans[rule.length];
        let number = dictionary.slots[usize::from(slot)].number;
        let old = before.slots.iter().find(|old| old.number == number);
        let reach = |span: Span| packs.zone.after(newest, span);
        let whole = old.is_some_and(|old| old.spans.iter().any(|kept| *kept == span || reach(*kept) >= reach(span)));
        let RuleId(place) = rule.rule;
        let ruled = &mut dictionary.rules[usize::from(place)];
        let known = before.rules.iter().find(|old| old.number == ruled.number);
        rule.warm_from = if whole { known.and_then(|known| known.warm_from) } else { Some(reach(span)) };
        ruled.warm_from = rule.warm_from;
    }
    for kind in &mut plan.types {
        kind.warm_from = kind.rules.iter().filter_map(|rule| rule.warm_from).max();
    }
}

/// Where that which has these numbers is among those.
fn moved<I>(old: &[u32], new: &[u32], id: impl Fn(u16) -> I) -> Vec<Option<I>> {
    let find = |number: &u32| new.iter().position(|other| other == number);
    old.iter().map(|number| find(number).and_then(|at| u16::try_from(at).ok()).map(&id)).collect()
}

impl Moves {
    fn store(&self, store: &mut Store, old: &Plan, new: &Plan, packs: &Packs) {
        store.wallets.move_all(self, &old.shapes);
        store.foreign.move_all(|slot| self.slot_of(slot), &old.shapes, &new.shapes);
        for list in store.addresses.iter_mut().map(|(_, list)| list).chain([&mut store.all]) {
            self.standing(list);
        }
        store.find_incoming(packs);
    }

    fn standing(&self, list: &mut [Standing]) {
        for standing in list {
            standing.restriction = self.restriction(standing.restriction);
        }
    }

    fn slot_of(&self, old: SlotId) -> Option<SlotId> {
        self.slots[usize::from(old.0)]
    }

    fn rule(&self, old: RuleId) -> Option<RuleId> {
        self.rules[usize::from(old.0)]
    }

    fn restriction(&self, old: RestrictionId) -> RestrictionId {
        self.restrictions[usize::from(old.0)].expect("a reload that drops a restriction is refused or retires it")
    }
}

impl wallets::Moves for Moves {
    fn slot(&self, old: SlotId) -> Option<SlotId> {
        self.slot_of(old)
    }

    fn special(&self, special: &mut Special) {
        self.standing(&mut special.standing);
        for operation in &mut special.waiting {
            let mut waits_for = Restrictions::default();
            operation.waits_for.iter().for_each(|id| waits_for.insert(self.restriction(id)));
            operation.waits_for = waits_for;
        }
        let asked = special.asked.iter().filter_map(|(of, rule)| Some((self.restriction(*of), self.rule(*rule)?)));
        special.asked = asked.collect();
        let confirmed = special.confirmed.iter().filter_map(|(rule, period)| Some((self.rule(*rule)?, *period)));
        special.confirmed = confirmed.collect();
    }
}

impl Store {
    /// Which restrictions stop operations towards their wallet may have changed.
    pub(super) fn find_incoming(&mut self, packs: &Packs) {
        self.incoming.clear();
        let Store { wallets, incoming, elsewhere, .. } = self;
        elsewhere.iter().for_each(|(wallet, _)| incoming.insert(*wallet, ()));
        wallets.each_restricted(|wallet, standing| {
            if standing.iter().any(|standing| packs.restriction(standing.restriction).incoming) {
                incoming.insert(wallet, ());
            }
        });
    }
}
