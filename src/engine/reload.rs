//! Other packs while the engine runs: what rules remember is found again by what it is, not by where it was.
//!
//! A slot keeps its memories when a slot of the new plan has the same identity. A rule that is new, or looks back
//! further than its slot did, has not seen its whole window yet; until it has, decisions of its types say `warming`.
//! Restrictions stand on under their names; a pack that drops one that may still stand is refused unless it lists
//! the name as retired, and then the restriction runs on as it was imposed.

use super::{Engine, Store, plan::Plan};
use crate::{
    decision::{RestrictionId, RuleId},
    event::{Fault, TypeSet},
    rules::{Packs, Restriction},
    state::{
        SlotId,
        special::{Restrictions, Special, Standing},
        wallets,
    },
    time::Span,
};
use std::sync::Arc;

/// Where everything of the old packs is in the new ones.
struct Moves {
    slots: Vec<Option<SlotId>>,
    rules: Vec<Option<RuleId>>,
    restrictions: Vec<Option<RestrictionId>>,
}

impl Engine {
    /// Puts other packs in force.
    ///
    /// # Errors
    /// A [`Fault`] that names a restriction that may still stand and is gone; the old packs stay in force then.
    pub(super) fn reload(&mut self, packs: &Arc<Packs>) -> Result<(), Fault> {
        let packs = self.with_retired(packs)?;
        let mut plan = Plan::new(&packs);
        let moves = Moves {
            slots: places(&self.plan.slots, |slot| {
                plan.slots.iter().position(|other| other.identity == slot.identity).and_then(place).map(SlotId)
            }),
            rules: places(&self.packs.rules, |rule| {
                packs.rules.iter().position(|other| other.id == rule.id).and_then(place).map(RuleId)
            }),
            restrictions: places(&self.packs.restrictions, |restriction| {
                let same = |other: &Restriction| other.name == restriction.name;
                packs.restrictions.iter().position(same).and_then(place).map(RestrictionId)
            }),
        };
        self.warm(&mut plan, &packs, &moves);
        moves.store(&mut self.store, &self.plan, &packs);
        self.names.load(&packs, self.settings.hash_key);
        self.ahead = super::Ahead::new(&plan);
        self.plan = plan;
        self.packs = packs;
        Ok(())
    }

    /// The packs with those restrictions that they retire, as they were.
    fn with_retired(&self, packs: &Arc<Packs>) -> Result<Arc<Packs>, Fault> {
        let declared = |name: &str| packs.restrictions.iter().any(|restriction| restriction.name == name);
        let missing: Vec<&Restriction> =
            self.packs.restrictions.iter().filter(|restriction| !declared(&restriction.name)).collect();
        if let Some(restriction) = missing.iter().find(|restriction| !packs.retired.contains(&restriction.name)) {
            let name = &restriction.name;
            let message = format!(
                "restriction \"{name}\" may still stand on wallets and is no longer declared; \
                 declare it, or write retired = [\"{name}\"] to let it run on as it was imposed"
            );
            return Err(Fault { field: None, message });
        }
        if missing.is_empty() {
            return Ok(Arc::clone(packs));
        }
        let types = |old: &TypeSet| {
            let mut new = TypeSet::default();
            for kind in old.iter().filter_map(|kind| packs.types.find(self.packs.types.name(kind))) {
                new.insert(kind);
            }
            new
        };
        let retired: Vec<Restriction> = missing
            .into_iter()
            .map(|old| Restriction {
                name: old.name.clone(),
                clause: old.clause.clone(),
                on: types(&old.on),
                imposed_by: TypeSet::default(),
                when: None,
                lifted_by: types(&old.lifted_by),
                cancelled_by: types(&old.cancelled_by),
                status: old.status.clone(),
                ..*old
            })
            .collect();
        Ok(Arc::new(packs.and_restrictions(retired)))
    }

    /// Notes from when on each rule of the new plan has seen its whole window.
    fn warm(&self, plan: &mut Plan, packs: &Packs, moves: &Moves) {
        let Some(newest) = self.newest else { return };
        for rule in plan.types.iter_mut().flat_map(|kind| &mut kind.rules) {
            let Some(slot) = rule.slot else { continue };
            let span = plan.shapes[usize::from(slot.0)].spans[rule.length];
            let old = moves.slots.iter().position(|moved| *moved == Some(slot));
            let reach = |span: Span| packs.zone.after(newest, span);
            let whole = old.is_some_and(|old| {
                self.plan.shapes[old].spans.iter().any(|kept| *kept == span || reach(*kept) >= reach(span))
            });
            let was_warming = self
                .plan
                .types
                .iter()
                .flat_map(|kind| &kind.rules)
                .find(|before| moves.rules[usize::from(before.rule.0)] == Some(rule.rule));
            rule.warm_from = if whole { was_warming.and_then(|before| before.warm_from) } else { Some(reach(span)) };
        }
        for kind in &mut plan.types {
            kind.warm_from = kind.rules.iter().filter_map(|rule| rule.warm_from).max();
        }
    }
}

fn place(at: usize) -> Option<u16> {
    u16::try_from(at).ok()
}

fn places<T, I>(old: &[T], find: impl Fn(&T) -> Option<I>) -> Vec<Option<I>> {
    old.iter().map(find).collect()
}

impl Moves {
    fn store(&self, store: &mut Store, old: &Plan, packs: &Packs) {
        store.wallets.move_all(self, &old.shapes);
        store.foreign.move_all(|slot| self.slot_of(slot));
        for list in store.addresses.values_mut().chain([&mut store.all]) {
            self.standing(list);
        }
        // Which restrictions stop operations towards their wallet may have changed.
        store.incoming.clear();
        let Store { wallets, incoming, .. } = store;
        wallets.each_restricted(|wallet, standing| {
            if standing.iter().any(|standing| packs.restriction(standing.restriction).incoming) {
                incoming.insert(wallet);
            }
        });
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
