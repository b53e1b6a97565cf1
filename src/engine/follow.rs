//! An engine that goes along with another one over the same events and decides with one rule changed.
//!
//! What a window measures depends on the events alone, but for the few rules that heed decisions. So nearly all that a rule
//! with another limit changes is what is imposed, and whom that stops from then on. A follower is told which rules are over
//! their limit by the engine that it goes along with, which has a [probe](Engine::with_probes) for the changed rule,
//! and has restrictions of its own. As long as both accept the same operations of a wallet, it needs no windows either, and
//! remembers only wallets that something was imposed on: a fiftieth of a whole step. It decides the same.

use super::{
    Changes, Engine, Fixed, Hashed, Settings, Told, Turn, dictionary::Dictionary, greet, names::Names, plan::Plan,
};
use crate::{
    decision::{Decision, RuleId},
    event::{Event, Field},
    geo::Geo,
    limits,
    rules::{Measure, Mode, Packs},
    state::{
        Hash,
        wallets::{Asked, Expected},
    },
    time::Timestamp,
    window::Moment,
};
use std::{collections::HashSet, sync::Arc};

/// An engine that is told which rules are over their limit.
#[derive(Debug)]
pub struct Follower {
    engine: Engine,
    changes: Changes,
    changed: RuleId,
    probe: RuleId,
    heeding: Heeding,
    /// Nothing depends on what a wallet did on which nothing was imposed, but for rules that heed decisions.
    forgets: bool,
}

/// For which wallets a follower judges the rules that heed decisions by windows of its own. For all others it takes the
/// other engine's word, which holds until the two differ in whether they [accept](crate::decision::Action::accepted) an
/// operation of the wallet, or of any where such rules are not [`by_wallet`](Heeding::by_wallet); whoever drives both must
/// see to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heeding {
    All,
    Of(HashSet<Hash>),
}

impl Default for Heeding {
    /// For none.
    fn default() -> Self {
        Heeding::Of(HashSet::new())
    }
}

impl Heeding {
    /// Whether what one wallet did matters to no other's rules that heed decisions.
    #[must_use]
    pub fn by_wallet(packs: &Packs) -> bool {
        let mut heeding = packs.rules.iter().filter(|rule| rule.mode == Mode::Live && rule.heeds_decisions());
        heeding.all(|rule| {
            let per = rule.measure.as_ref().and_then(Measure::per);
            per.is_some_and(|per| per.contains(&Field::Wallet))
        })
    }

    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Heeding::Of(wallets) if wallets.is_empty())
    }

    #[must_use]
    pub fn holds(&self, wallet: Hash) -> bool {
        match self {
            Heeding::All => true,
            Heeding::Of(wallets) => wallets.contains(&wallet),
        }
    }

    /// Takes one more wallet in; after `limits::PARTED_WALLETS` all.
    pub fn add(&mut self, wallet: Hash) {
        if let Heeding::Of(wallets) = self {
            wallets.insert(wallet);
            if wallets.len() > limits::PARTED_WALLETS {
                *self = Heeding::All;
            }
        }
    }
}

impl Follower {
    /// `packs` are those of the engine that it goes along with, but for the rule at `changed`, of which that engine's `probe`
    /// tells.
    #[must_use]
    pub fn new(
        packs: Arc<Packs>,
        geo: Arc<Geo>,
        settings: Settings,
        (changed, probe): (RuleId, RuleId),
        heeding: Heeding,
    ) -> Follower {
        let plan = Plan::following(&packs);
        let mut names = Names::default();
        names.load(&packs, settings.hash_key);
        // What a signal imposes may depend on a status that the wallet stated long ago, and a score of 0 may be a band.
        let forgets = packs.restrictions.iter().all(|restriction| restriction.when.is_none())
            && packs.bands.iter().all(|(from, _)| *from > 0);
        let engine = Engine::of(packs, geo, settings, plan, Dictionary::default(), names);
        Follower { engine, changes: Changes::default(), changed, probe, heeding, forgets }
    }

    /// Whether it judges rules that heed decisions itself, for a wallet.
    #[must_use]
    pub fn heeds(&self, wallet: Hash) -> bool {
        self.heeding.holds(wallet)
    }

    /// Tells which wallets' events come next; nothing but the time that their steps take depends on it.
    pub fn look_ahead(&mut self, wallets: &[Asked]) {
        let Engine { store, plan, .. } = &self.engine;
        std::hint::black_box(store.wallets.look_ahead(Expected::records(wallets), &plan.shapes));
    }

    /// Does what a signal does to restrictions, and is no event.
    pub fn lift(&mut self, signal: &Event<'_>, decision: &mut Decision) {
        self.engine.lift(signal, decision, &mut self.changes);
    }

    /// Decides on an event that the other engine has decided on for the first time. Of the decision, action, score,
    /// which rules and restrictions it has for reasons, what stands and what waits are those of an engine of its own; what was
    /// measured and the flags are not told.
    ///
    /// # Panics
    /// Where the event is hashed with another key than that of the settings.
    pub fn step(&mut self, hashed: &Hashed<'_, '_>, over: &[RuleId], decision: &mut Decision) {
        let heeds = self.heeds(hashed.wallet);
        let Follower { engine, changes, changed, probe, forgets, .. } = self;
        let Engine { packs, geo, settings, plan, names, store, newest, horizon, scratch, .. } = engine;
        assert_eq!(hashed.key, settings.hash_key, "a wallet has one hash");
        decision.clear();
        changes.touched.clear();
        let (event, wallet) = (hashed.event, hashed.wallet);
        let record = store.wallets.find(wallet);
        let kind = &plan.types[usize::from(event.kind.0)];
        // Rules come in pack order, the probes of all values behind them.
        let (over, probes) = over.split_at(over.partition_point(|rule| usize::from(rule.0) < packs.rules.len()));
        let changed = (*changed, probes.binary_search(probe).is_ok());
        let told = Told { over, changed, heeds };
        if *forgets
            && !heeds
            && record.is_none()
            && kind.effects.is_empty()
            && !changed.1
            && over.iter().all(|rule| *rule == changed.0)
            && store.is_free(event, kind.operation, settings.hash_key)
        {
            return;
        }
        store.wallets.open(wallet, record, event.time, &plan.shapes);
        store.foreign.begin(event.time, &plan.shapes);
        let latest = newest.map_or(event.time, |newest| newest.max(event.time));
        *newest = Some(latest);
        // The other may know the record's own timestamp, which an event can be ahead of.
        *horizon = (*horizon).max(Timestamp(latest.0 - settings.max_past - settings.max_future));
        let status = greet(&mut store.wallets, settings, event, decision);
        let fixed = Fixed { packs, plan, names, settings, geo, horizon: *horizon };
        let turn = Turn {
            hashed: Some(hashed),
            told: Some(told),
            ..fixed.turn(event, wallet, status, store.wallets.open.newest)
        };
        turn.decide(store, scratch, decision, changes);
        store.wallets.close(&plan.shapes, &turn.moment);
        let reached = Moment { time: turn.horizon, newest: turn.horizon, lateness: 0, ..turn.moment };
        store.foreign.close(&plan.shapes, &reached);
    }
}
