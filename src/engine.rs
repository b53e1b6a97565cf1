//! The engine: the only place where state changes.
//!
//! One [`Engine`] is one shard, owned by one thread. [`Engine::step`] takes one event, follows the order of work of the
//! spec's section 8 and leaves a decision, the changed state and a list of what changed. It knows no clock, no file
//! and no socket, so that a run can be replayed and compared byte for byte.

mod judge;
mod plan;
mod reload;
mod restrict;

use crate::{
    decision::{Action, Decision, Of, Reason, RestrictionReason},
    event::{ClientStatus, Event, Fault},
    facts::Facts,
    geo::Geo,
    hash::HashKey,
    limits,
    rules::{Packs, condition::Condition},
    state::{Hash, HashedMap, Memory, Remembered, SlotId, Standing, Wallet},
    time::{Period, Timestamp},
    window::table::halves,
};
use plan::Plan;
use std::sync::Arc;

/// What an operator may set of the engine besides the packs. All in ms of event time.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub lateness: i64,
    pub dedup: i64,
    pub max_future: i64,
    pub max_past: i64,
    pub hash_key: HashKey,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lateness: limits::LATENESS_MS,
            dedup: limits::DEDUP_MS,
            max_future: limits::MAX_FUTURE_MS,
            max_past: limits::MAX_PAST_MS,
            hash_key: HashKey::default(),
        }
    }
}

/// What the engine is handed.
#[derive(Debug)]
pub enum Input<'a> {
    /// One event; `reference` is its record's own timestamp (Kafka's), which files do not have.
    Event { event: &'a Event<'a>, reference: Option<Timestamp> },
    /// Other packs, in force from the next event on. What rules remember stays theirs where they still need it.
    Packs(&'a Arc<Packs>),
}

/// A record of the state, as a log of it is keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateKey {
    Wallet(Hash),
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
    store: Store,
    /// The newest time of any event decided, by which records without a timestamp are judged.
    newest: Option<Timestamp>,
    /// No accepted event can be older than this.
    horizon: Timestamp,
    scratch: judge::Scratch,
}

/// Everything that is remembered.
#[derive(Debug, Default)]
struct Store {
    wallets: HashedMap<Hash, Wallet>,
    /// Memories whose key does not hold the wallet.
    foreign: HashedMap<(SlotId, Hash), Memory>,
    addresses: HashedMap<Hash, Vec<Standing>>,
    all: Vec<Standing>,
}

/// One event on its way: what every part of a step needs to know of it.
struct Turn<'a> {
    packs: &'a Packs,
    plan: &'a Plan,
    settings: &'a Settings,
    event: &'a Event<'a>,
    facts: Facts<'a>,
    wallet: Hash,
    address: Option<Hash>,
    horizon: Timestamp,
}

impl Engine {
    #[must_use]
    pub fn new(packs: Arc<Packs>, geo: Arc<Geo>, settings: Settings) -> Engine {
        let plan = Plan::new(&packs);
        Engine {
            plan,
            packs,
            geo,
            settings,
            store: Store::default(),
            newest: None,
            horizon: Timestamp::MIN,
            scratch: judge::Scratch::default(),
        }
    }

    /// The packs in force: those given, with what they retire.
    #[must_use]
    pub fn packs(&self) -> &Arc<Packs> {
        &self.packs
    }

    /// How many wallets are remembered.
    #[must_use]
    pub fn wallets(&self) -> usize {
        self.store.wallets.len()
    }

    /// Decides on one event, or says why its record must be rejected (a conflict, a time out of bounds).
    ///
    /// # Errors
    /// A [`Fault`]; nothing has changed then.
    pub fn step(&mut self, input: &Input<'_>, decision: &mut Decision, changes: &mut Changes) -> Result<(), Fault> {
        decision.clear();
        changes.touched.clear();
        let (event, reference) = match input {
            Input::Event { event, reference } => (event, reference),
            Input::Packs(packs) => return self.reload(packs),
        };
        let key = self.settings.hash_key;
        let wallet = key.hash(event.wallet.as_bytes());
        let address = event.ip.map(|ip| address_hash(key, ip));
        let [id, _] = halves(key.hash(event.id.as_bytes()));
        let type_name = self.packs.types.name(event.kind);
        let fingerprint = judge::fingerprint(key, event, type_name);
        if let Some(known) = self.store.wallets.get(&wallet).and_then(|wallet| self.repeated(wallet, id)) {
            if known.fingerprint != fingerprint {
                return Err(conflict(event));
            }
            self.repeat(&known, wallet, address, event, decision);
            return Ok(());
        }
        self.check_time(event, *reference)?;
        self.newest = self.newest.max(Some(event.time));
        let reference = reference.or(self.newest).expect("there is an event now");
        self.horizon = self.horizon.max(Timestamp(reference.0 - self.settings.max_past));

        let status = greet(&mut self.store, &self.settings, wallet, event, decision);
        let turn = Turn {
            packs: &self.packs,
            plan: &self.plan,
            settings: &self.settings,
            event,
            facts: Facts::new(event, type_name, status, self.packs.currency, &self.geo),
            wallet,
            address,
            horizon: self.horizon,
        };
        changes.touch(StateKey::Wallet(wallet));
        turn.decide(&mut self.store, &mut self.scratch, decision, changes);
        let record = self.store.wallets.get_mut(&wallet).expect("the wallet has been greeted");
        let oldest = Timestamp(record.newest.0 - self.settings.dedup);
        let (action, score) = (decision.action, decision.score);
        record.ids.remember(Remembered { id, time: event.time, fingerprint, action, score }, oldest);
        Ok(())
    }

    fn repeated(&self, wallet: &Wallet, id: u64) -> Option<Remembered> {
        wallet.ids.find(id, Timestamp(wallet.newest.0 - self.settings.dedup))
    }

    /// Answers as the first time, with what stands at the repeat's own time.
    fn repeat(
        &self,
        known: &Remembered,
        wallet: Hash,
        address: Option<Hash>,
        event: &Event<'_>,
        decision: &mut Decision,
    ) {
        decision.action = known.action;
        decision.score = known.score;
        decision.flags.duplicate = true;
        restrict::list_standing(&self.store, wallet, address, event.time, decision);
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
fn greet(
    store: &mut Store,
    settings: &Settings,
    wallet: Hash,
    event: &Event<'_>,
    decision: &mut Decision,
) -> ClientStatus {
    let record = store.wallets.entry(wallet).or_insert_with(|| Wallet::new(event.time));
    decision.flags.late = event.time.0 < record.newest.0 - settings.lateness;
    record.newest = record.newest.max(event.time);
    record.status = event.client_status.or(record.status);
    record.status.unwrap_or(ClientStatus::Unidentified)
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

fn address_hash(key: HashKey, ip: std::net::IpAddr) -> Hash {
    match ip {
        std::net::IpAddr::V4(ip) => key.hash(&ip.octets()),
        std::net::IpAddr::V6(ip) => key.hash(&ip.octets()),
    }
}

impl Turn<'_> {
    /// Steps 3 to 8 of the spec's section 8.
    fn decide(&self, store: &mut Store, scratch: &mut judge::Scratch, decision: &mut Decision, changes: &mut Changes) {
        scratch.reset(self.plan);
        let plan = &self.plan.types[usize::from(self.event.kind.0)];
        let warming = |rule: &plan::RulePlan| rule.warm_from.is_some_and(|from| self.event.time < from);
        decision.flags.warming = plan.rules.iter().any(warming);
        for (restriction, effect) in &plan.effects {
            self.signal(store, *restriction, *effect, changes);
        }
        self.list_waiting(store, decision);
        self.find_standing(store, &mut scratch.standing);

        let total = self.judge_rules(store, scratch, decision);
        decision.score = total;
        let band = self.packs.bands.iter().rev().find(|(from, _)| *from <= total).map(|(_, action)| *action);
        decision.action = decision.action.max(band.unwrap_or_default());
        for (_, standing) in &scratch.standing {
            decision.action = decision.action.max(self.packs.restriction(standing.restriction).action);
        }
        self.give_standing_reasons(store, &scratch.standing, decision);

        scratch.imposed.clear();
        for fired in &scratch.fired {
            for restriction in &self.packs.rule(*fired).restrict {
                self.impose_by_rule(store, *restriction, *fired, &mut scratch.imposed, changes);
            }
        }
        if plan.operation && matches!(decision.action, Action::Hold | Action::Pin) {
            self.let_wait(store, scratch);
        }
        self.remember(store, scratch, decision.action, changes);
        restrict::list_standing(store, self.wallet, self.address, self.event.time, decision);
    }

    fn give_standing_reasons(&self, store: &Store, standing: &[(Of, restrict::Found)], decision: &mut Decision) {
        for (of, found) in standing {
            let standing = found.look_up(store, self);
            let by = decision.put(&standing.by);
            let by_event = decision.put(&standing.by_event);
            decision.reasons.push(Reason::Restriction(RestrictionReason {
                restriction: found.restriction,
                of: *of,
                since: standing.since,
                until: standing.until,
                by,
                by_event,
            }));
        }
    }

    /// Whether a lifted restriction has silenced the rule for the period that holds the event.
    fn silenced(&self, wallet: &Wallet, rule: &plan::RulePlan) -> bool {
        let (Some(calendar), Some(special)) = (rule.calendar, &wallet.special) else { return false };
        if special.confirmed.is_empty() {
            return false;
        }
        let period: Period = self.packs.zone.period(self.event.time, calendar);
        special.confirmed.contains(&(rule.rule, period))
    }
}
