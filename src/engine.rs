//! The engine: the only place where state changes.
//!
//! One [`Engine`] is one shard, owned by one thread. [`Engine::step`] takes one event, follows the order of work of the
//! spec's section 8 and leaves a decision, the changed state and a list of what changed. It knows no clock, no file
//! and no socket, so that a run can be replayed and compared byte for byte.

mod ahead;
mod dictionary;
mod follow;
mod judge;
mod lift;
mod names;
mod plan;
mod records;
mod reload;
mod restore;
mod restrict;
mod selection;
mod shared;
mod values;

pub use ahead::{Hashed, Hasher, Hashes};
pub use follow::{Follower, Heeding};
pub use records::Exported;
pub use restore::{Restoration, RestoreError};

use crate::{
    decision::{Action, Decision, Reason, RuleId},
    event::{ClientStatus, Event, Fault},
    facts::Facts,
    geo::Geo,
    hash::HashKey,
    limits,
    memory::Supply,
    rules::{Packs, Rule, condition::Condition},
    state::{
        Hash, SlotId,
        foreign::Foreign,
        ids::Remembered,
        map::SegmentedMap,
        special::{Special, Standing},
        wallets::Wallets,
    },
    time::{Period, Timestamp},
    window::Moment,
};
use ahead::Ahead;
use dictionary::Dictionary;
use names::Names;
use plan::Plan;
use records::Recorder;
use reload::Successor;
use shared::Shared;
use std::sync::Arc;

/// What an operator may set of the engine besides the packs. All in ms of event time.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub lateness: i64,
    pub dedup: i64,
    pub max_future: i64,
    pub max_past: i64,
    pub hash_key: HashKey,
    /// The partition of `operations` that the shard decides on. Where it is given, changes are noted for
    /// [`Engine::export`], which must then be asked now and then.
    pub partition: Option<i32>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lateness: limits::LATENESS_MS,
            dedup: limits::DEDUP_MS,
            max_future: limits::MAX_FUTURE_MS,
            max_past: limits::MAX_PAST_MS,
            hash_key: HashKey::default(),
            partition: None,
        }
    }
}

/// What the engine is handed.
#[derive(Debug)]
pub enum Input<'a> {
    /// One event; `reference` is its record's own timestamp (Kafka's), which files do not have.
    Event { event: &'a Event<'a>, reference: Option<Timestamp> },
    /// The same of an event that was told of [ahead](Engine::look_ahead).
    Hashed { hashed: &'a Hashed<'a, 'a>, reference: Option<Timestamp> },
    /// Other packs, in force from the next event on. What rules remember stays theirs where they still need it.
    Packs(&'a Arc<Packs>),
}

/// A record of the state, as a log of it is keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKey {
    Wallet(Hash),
    /// One memory of a wallet that has many.
    Cell(Hash, SlotId, Hash),
    Foreign(SlotId, Hash),
    /// The restrictions on an address.
    Address(Hash),
    /// The restrictions on all.
    All,
}

/// What a step changed of the state, in order, each once.
#[derive(Debug, Default)]
pub struct Changes {
    pub touched: Vec<StateKey>,
}

impl Changes {
    /// Notes a key that nothing has touched yet.
    #[inline]
    fn note(&mut self, key: StateKey) {
        debug_assert!(!self.touched.contains(&key), "{key:?} is touched twice");
        self.touched.push(key);
    }

    fn touch(&mut self, key: StateKey) {
        if !self.touched.contains(&key) {
            self.touched.push(key);
        }
    }
}

/// One shard of the engine.
#[derive(Debug)]
pub struct Engine {
    packs: Arc<Packs>,
    geo: Arc<Geo>,
    settings: Settings,
    plan: Plan,
    dictionary: Dictionary,
    names: Names,
    store: Store,
    recorder: Option<Recorder>,
    shared: Option<Shared>,
    /// The newest time of any event decided, by which records without a timestamp are judged.
    newest: Option<Timestamp>,
    /// No accepted event can be older than this.
    horizon: Timestamp,
    scratch: judge::Scratch,
    ahead: Ahead,
}

/// Everything that is remembered.
#[derive(Debug, Default)]
struct Store {
    wallets: Wallets,
    /// Memories whose key does not hold the wallet.
    foreign: Foreign,
    addresses: SegmentedMap<Hash, Vec<Standing>>,
    all: Vec<Standing>,
    /// Wallets that bear, or have borne, a restriction that stops operations towards them: few, so that a look at
    /// the counterparty of every transfer seldom costs more than a look in here.
    incoming: SegmentedMap<Hash, ()>,
    /// What stands on wallets of other shards and stops operations towards them.
    elsewhere: SegmentedMap<Hash, Vec<Standing>>,
}

impl Store {
    /// Memories that have gone since this was asked last, where that is noted.
    fn take_gone(&mut self) -> Vec<StateKey> {
        let foreign = self.foreign.take_gone().into_iter().map(|(slot, key)| StateKey::Foreign(slot, key));
        let cells = self.wallets.take_gone().into_iter().map(|(wallet, slot, key)| StateKey::Cell(wallet, slot, key));
        foreign.chain(cells).collect()
    }
}

/// One event on its way: what every part of a step needs to know of it.
struct Turn<'a> {
    packs: &'a Packs,
    plan: &'a Plan,
    names: &'a Names,
    settings: &'a Settings,
    event: &'a Event<'a>,
    /// The same, if hashes of it are known.
    hashed: Option<&'a Hashed<'a, 'a>>,
    /// Where somebody else judges rules.
    told: Option<Told<'a>>,
    facts: Facts<'a>,
    wallet: Hash,
    horizon: Timestamp,
    /// What the wallet's measures are told.
    moment: Moment<'a>,
}

/// An event whose record is not rejected.
struct Met {
    wallet: Hash,
    id: u64,
    /// What a repeat must share with the first.
    fingerprint: u64,
    /// The first, if this is a repeat.
    known: Option<Remembered>,
}

/// What somebody else says of the rules on an event.
#[derive(Clone, Copy)]
struct Told<'a> {
    /// Those that are over their limit, as they are there.
    over: &'a [RuleId],
    /// The one that is another here, and whether it is over its limit.
    changed: (RuleId, bool),
    /// Rules that heed decisions are judged all the same.
    heeds: bool,
}

impl Told<'_> {
    fn is_over(&self, rule: RuleId) -> bool {
        let (changed, over) = self.changed;
        if rule == changed { over } else { self.over.contains(&rule) }
    }
}

/// What a step reads and does not change.
#[derive(Clone, Copy)]
struct Fixed<'a> {
    packs: &'a Packs,
    plan: &'a Plan,
    names: &'a Names,
    settings: &'a Settings,
    geo: &'a Geo,
    horizon: Timestamp,
}

impl<'a> Fixed<'a> {
    /// One event's turn; `newest` is the time of the newest event of its wallet.
    #[inline]
    fn turn(self, event: &'a Event<'a>, wallet: Hash, status: ClientStatus, newest: Timestamp) -> Turn<'a> {
        let Fixed { packs, plan, names, settings, geo, horizon } = self;
        Turn {
            packs,
            plan,
            names,
            settings,
            event,
            hashed: None,
            told: None,
            facts: Facts::new(event, packs.types.name(event.kind), status, packs.currency, geo),
            wallet,
            horizon,
            moment: Moment { time: event.time, newest, lateness: settings.lateness, zone: &packs.zone },
        }
    }
}

impl Engine {
    #[must_use]
    pub fn new(packs: Arc<Packs>, geo: Arc<Geo>, settings: Settings) -> Engine {
        let successor = Successor::new(&Dictionary::default(), None, &packs);
        let Successor { packs, plan, dictionary } = successor.expect("nothing stands that the packs could drop");
        let mut names = Names::default();
        names.load(&packs, settings.hash_key);
        Engine::of(packs, geo, settings, plan, dictionary, names)
    }

    /// The same with rules that do nothing but say whether they are over their limit: they are told of in
    /// [`Decision::over`] by the places behind those of the packs' own, and show nowhere else.
    #[must_use]
    pub fn with_probes(packs: &Arc<Packs>, probes: &[Rule], geo: Arc<Geo>, settings: Settings) -> Engine {
        if probes.is_empty() {
            return Engine::new(Arc::clone(packs), geo, settings);
        }
        let first = RuleId(u16::try_from(packs.rules.len()).expect("rules are bounded by limits::RULES"));
        let mut more = Packs::clone(packs);
        more.rules.extend_from_slice(probes);
        let mut engine = Engine::new(Arc::new(more), geo, settings);
        engine.plan.set_probes_apart(first);
        engine
    }

    /// The packs in force: those given, with what they retire and with probes.
    #[must_use]
    pub fn packs(&self) -> &Arc<Packs> {
        &self.packs
    }

    /// Where memory comes from for what is remembered; without, it is asked of the system in the middle of a step.
    pub fn supply(&mut self, supply: &Supply) {
        self.store.wallets.supply(supply);
        self.store.foreign.supply(supply);
    }

    /// How many wallets are remembered.
    #[must_use]
    pub fn wallets(&self) -> usize {
        self.store.wallets.count()
    }

    /// Tells which events come next, and gives them with hashes that their steps need not work out again. Nothing
    /// else changes, but the records of their wallets and of their foreign keys are on their way from memory by the time
    /// that they are asked for: with a hundred thousand wallets a quarter of a step is waiting for one.
    pub fn look_ahead<'e, 'a: 'e>(&mut self, events: impl Iterator<Item = &'e Event<'a>>) -> Vec<Hashed<'e, 'a>> {
        let (key, ahead) = (self.settings.hash_key, &mut self.ahead);
        ahead.clear();
        // Of a batch in which some records are no events, it is known how many there are at most.
        let most = events.size_hint().1.unwrap_or_default().min(limits::BATCH_RECORDS);
        let mut hashed = Vec::with_capacity(most);
        hashed.extend(events.map(|event| ahead.note(event, key)));
        self.read_ahead();
        hashed
    }

    /// Works out on another thread what [`Engine::look_ahead`] would here; good until other packs are in force.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        Hasher::new(self.settings.hash_key, self.names.marks(), &self.ahead)
    }

    /// Tells which events come next, of which a [`Hasher`] of this engine has worked out the hashes.
    pub fn expect<'h>(&mut self, hashes: impl Iterator<Item = &'h Hashes>) {
        self.ahead.clear();
        hashes.for_each(|hashes| self.ahead.expect(hashes));
        self.read_ahead();
    }

    fn read_ahead(&self) {
        let ahead = &self.ahead;
        let wallets = self.store.wallets.look_ahead(ahead.of_wallets(), &self.plan.shapes);
        std::hint::black_box(wallets ^ self.store.foreign.look_ahead(&ahead.foreign, &self.plan.shapes));
    }

    /// Decides on one event, or says why its record must be rejected (a conflict, a time out of bounds).
    ///
    /// # Errors
    /// A [`Fault`]; nothing has changed then.
    pub fn step(&mut self, input: &Input<'_>, decision: &mut Decision, changes: &mut Changes) -> Result<(), Fault> {
        decision.clear();
        changes.touched.clear();
        let (event, reference, hashed) = match *input {
            Input::Event { event, reference } => (event, reference, None),
            Input::Hashed { hashed, reference } => (hashed.event, reference, Some(hashed)),
            Input::Packs(packs) => return self.reload(packs),
        };
        let hashed = hashed.filter(|hashed| hashed.key == self.settings.hash_key);
        let Met { wallet, id, fingerprint, known } = self.meet(event, reference, hashed)?;
        if let Some(known) = known {
            self.repeat(&known, event, decision);
            return Ok(());
        }
        self.newest = self.newest.max(Some(event.time));
        let reference = reference.or(self.newest).expect("there is an event now");
        self.horizon = self.horizon.max(Timestamp(reference.0 - self.settings.max_past));

        let status = greet(&mut self.store.wallets, &self.settings, event, decision);
        let fixed = Fixed {
            packs: &self.packs,
            plan: &self.plan,
            names: &self.names,
            settings: &self.settings,
            geo: &self.geo,
            horizon: self.horizon,
        };
        let turn = Turn { hashed, ..fixed.turn(event, wallet, status, self.store.wallets.open.newest) };
        changes.note(StateKey::Wallet(wallet));
        turn.decide(&mut self.store, &mut self.scratch, decision, changes);
        let wallets = &mut self.store.wallets;
        let oldest = Timestamp(wallets.open.newest.0 - self.settings.dedup);
        let (action, score) = (decision.action, decision.score);
        let remembered = Remembered { id, time: event.time, fingerprint, action, score };
        wallets.remember(remembered, oldest);
        if let Some(recorder) = &mut self.recorder {
            let one_of_many = wallets.has_many_ids() && event.time >= oldest;
            recorder.note(&changes.touched, one_of_many.then_some((wallet, remembered)));
        }
        wallets.close(&self.plan.shapes, &turn.moment);
        let reached = Moment { time: self.horizon, newest: self.horizon, lateness: 0, ..turn.moment };
        self.store.foreign.close(&self.plan.shapes, &reached);
        Ok(())
    }

    /// Opens the event's wallet, and looks whether the event is a repeat.
    ///
    /// # Errors
    /// Its record must be rejected.
    #[inline(always)]
    fn meet(
        &mut self,
        event: &Event<'_>,
        reference: Option<Timestamp>,
        hashed: Option<&Hashed<'_, '_>>,
    ) -> Result<Met, Fault> {
        let key = self.settings.hash_key;
        let wallet = hashed.map_or_else(|| key.hash(event.wallet.as_bytes()), |hashed| hashed.wallet);
        // The record is on its way from memory while the rest is hashed.
        let record = self.store.wallets.find(wallet);
        let id = hashed.map_or_else(|| key.short_hash(event.id.as_bytes()), |hashed| hashed.id);
        let fingerprint = self.fingerprint(event, hashed);
        self.store.wallets.open(wallet, record, event.time, &self.plan.shapes);
        self.store.foreign.begin(event.time, &self.plan.shapes);
        let oldest = Timestamp(self.store.wallets.open.newest.0 - self.settings.dedup);
        let known = self.store.wallets.remembered(id, oldest);
        match &known {
            Some(known) if known.fingerprint != fingerprint => return Err(conflict(event)),
            Some(_) => {}
            None => self.check_time(event, reference)?,
        }
        Ok(Met { wallet, id, fingerprint, known })
    }

    /// What a repeat must share with the first.
    #[inline]
    fn fingerprint(&self, event: &Event<'_>, hashed: Option<&Hashed<'_, '_>>) -> u64 {
        let known = hashed.and_then(|hashed| hashed.fingerprint);
        known.unwrap_or_else(|| judge::fingerprint(self.settings.hash_key, event, self.names.mark(event.kind)))
    }

    /// Answers as the first time, with what stands at the repeat's own time.
    fn repeat(&self, known: &Remembered, event: &Event<'_>, decision: &mut Decision) {
        decision.action = known.action;
        decision.score = known.score;
        decision.flags.duplicate = true;
        restrict::list_standing(&self.store, self.settings.hash_key, event, decision);
    }

    /// An event is neither too far ahead of its record's timestamp nor too far behind.
    fn check_time(&self, event: &Event<'_>, reference: Option<Timestamp>) -> Result<(), Fault> {
        let fault = |message| Err(Fault { field: Some("time".to_owned()), message });
        let Settings { max_future, max_past, .. } = self.settings;
        if let Some(reference) = reference
            && event.time.0 > reference.0 + max_future
        {
            let bound = crate::time::Span::Millis(max_future);
            return fault(format!(
                "time: {} is more than {bound} ahead of the record's own timestamp {reference}",
                event.time
            ));
        }
        let (behind, of) = match (reference, self.newest) {
            (Some(reference), _) => (reference, "the record's own timestamp"),
            (None, Some(newest)) => (newest, "the newest event so far; sort the input by time:"),
            (None, None) => return Ok(()),
        };
        if event.time.0 < behind.0 - max_past {
            let bound = crate::time::Span::Millis(max_past);
            return fault(format!("time: {} is more than {bound} behind {of} {behind}", event.time));
        }
        Ok(())
    }
}

/// Notes what the event itself says of its wallet: that it is there, how new it is, the client's status.
fn greet(wallets: &mut Wallets, settings: &Settings, event: &Event<'_>, decision: &mut Decision) -> ClientStatus {
    let wallet = &mut wallets.open;
    decision.flags.late = event.time.0 < wallet.newest.0 - settings.lateness;
    wallet.newest = wallet.newest.max(event.time);
    wallet.status = event.client_status.or(wallet.status);
    wallet.status.unwrap_or(ClientStatus::Unidentified)
}

fn conflict(event: &Event<'_>) -> Fault {
    Fault {
        field: Some("id".to_owned()),
        message: format!(
            "id: \"{}\" was seen before with another type, amount or counterparty; a new operation needs a new id",
            crate::event::printable(event.id)
        ),
    }
}

/// What stands for the event's address in the state.
fn address_hash(key: HashKey, event: &Event<'_>) -> Option<Hash> {
    Some(match event.ip? {
        std::net::IpAddr::V4(ip) => key.hash(&ip.octets()),
        std::net::IpAddr::V6(ip) => key.hash(&ip.octets()),
    })
}

impl Turn<'_> {
    /// Steps 3 to 8 of the spec's section 8.
    #[inline(always)]
    fn decide(&self, store: &mut Store, scratch: &mut judge::Scratch, decision: &mut Decision, changes: &mut Changes) {
        scratch.reset(self.plan);
        let plan = &self.plan.types[usize::from(self.event.kind.0)];
        decision.flags.warming = plan.warm_from.is_some_and(|from| self.event.time < from);
        for (restriction, effect) in &plan.effects {
            self.signal(store, *restriction, *effect, changes);
        }
        self.list_waiting(store, decision);
        self.find_standing(store, scratch, decision);

        let heeds = self.told.is_none_or(|told| told.heeds);
        if heeds && let Some(selection) = &plan.selection {
            self.select(selection, scratch);
        }
        let total = match self.told {
            None => self.judge_rules(store, scratch, decision),
            Some(told) => self.follow_rules(told, store, scratch, decision),
        };
        store.wallets.open.special.judged();
        decision.score = total;
        let band = self.packs.bands.iter().rev().find(|(from, _)| *from <= total).map(|(_, action)| *action);
        decision.action = decision.action.max(band.unwrap_or_default());
        for standing in &scratch.standing {
            decision.action = decision.action.max(self.packs.restriction(standing.restriction).action);
            decision.reasons.push(Reason::Restriction(*standing));
        }

        scratch.imposed.clear();
        for fired in &scratch.fired {
            for restriction in &self.packs.rule(*fired).restrict {
                self.impose_by_rule(store, *restriction, *fired, &mut scratch.imposed, changes);
            }
        }
        if plan.operation && matches!(decision.action, Action::Hold | Action::Pin) {
            self.let_wait(store, scratch);
        }
        if heeds {
            self.remember(store, scratch, decision.action, changes);
        }
        restrict::list_standing(store, self.settings.hash_key, self.event, decision);
    }

    /// Whether a lifted restriction has silenced the rule for the period that holds the event.
    fn silenced(&self, special: &Special, rule: &plan::RulePlan) -> bool {
        if special.confirmed.is_empty() {
            return false;
        }
        let Some(calendar) = rule.calendar else { return false };
        let period: Period = self.packs.zone.period(self.event.time, calendar);
        special.confirmed.contains(&(rule.rule, period))
    }
}

#[cfg(test)]
mod tests;
