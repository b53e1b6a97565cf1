//! The support desk of a backtest: lifts what rules impose after a fixed time, where history has no signals of its own.
//!
//! History was made without the rule that is being tried, so nobody ever called the wallets that it would have held, and
//! each of them would stay held for months. Here every restriction that a rule imposes is lifted by the signal that lifts
//! it and the fewest others, `lift_after` later, before the first event that is not earlier. It is no event itself: nothing
//! counts it, no rule judges it, and no window is older by it.

use crate::{
    decision::{Decision, Reason, RestrictionId},
    engine::{Changes, Engine, Hashed, Hasher, Hashes, Input},
    event::{Event, Fault, TypeId},
    rules::{Packs, Restriction, Target},
    time::Timestamp,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    net::IpAddr,
    sync::Arc,
};

/// An engine with the support desk that goes with it.
pub struct Supported {
    engine: Engine,
    desk: Option<Desk>,
}

impl Supported {
    /// `lift_after` is in ms of event time; without it nobody lifts anything.
    #[must_use]
    pub fn new(engine: Engine, lift_after: Option<i64>) -> Supported {
        let desk = lift_after.map(|after| Desk::new(Arc::clone(engine.packs()), after));
        Supported { engine, desk }
    }

    /// Tells the engine which events come next.
    pub fn look_ahead<'e, 'a: 'e>(&mut self, events: impl Iterator<Item = &'e Event<'a>>) -> Vec<Hashed<'e, 'a>> {
        self.engine.look_ahead(events)
    }

    /// Works out on another thread what looking ahead would here.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        self.engine.hasher()
    }

    /// Tells the engine which events come next, by their hashes.
    pub fn expect<'h>(&mut self, hashes: impl Iterator<Item = &'h Hashes>) {
        self.engine.expect(hashes);
    }

    /// Decides on one event, after everything that support has done before it. `reference` is the record's own timestamp.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn step(
        &mut self,
        event: &Event<'_>,
        reference: Option<Timestamp>,
        decision: &mut Decision,
        changes: &mut Changes,
    ) -> Result<(), Fault> {
        self.take(event, &Input::Event { event, reference }, decision, changes)
    }

    /// The same for an event that was told of ahead.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn step_hashed(
        &mut self,
        hashed: &Hashed<'_, '_>,
        reference: Option<Timestamp>,
        decision: &mut Decision,
        changes: &mut Changes,
    ) -> Result<(), Fault> {
        self.take(hashed.event(), &Input::Hashed { hashed, reference }, decision, changes)
    }

    fn take(
        &mut self,
        event: &Event<'_>,
        input: &Input<'_>,
        decision: &mut Decision,
        changes: &mut Changes,
    ) -> Result<(), Fault> {
        let Some(desk) = &mut self.desk else { return self.engine.step(input, decision, changes) };
        // For a record that is rejected nothing is lifted: it says nothing of the time.
        if desk.is_due(event.time) && !self.engine.rejects(input) {
            desk.lift_due(event.time, |signal| self.engine.lift(signal, decision, changes));
        }
        self.engine.step(input, decision, changes)?;
        desk.watch(event, decision);
        Ok(())
    }
}

/// One restriction that a rule has imposed, and when it is to be lifted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    time: Timestamp,
    /// Of two at one time the one that was imposed first.
    number: u64,
    wallet: Box<str>,
    restriction: RestrictionId,
    ip: Option<IpAddr>,
}

/// The support desk alone.
pub(super) struct Desk {
    packs: Arc<Packs>,
    after: i64,
    /// By restriction, the signal that lifts it.
    signals: Vec<Option<TypeId>>,
    queue: BinaryHeap<Reverse<Due>>,
    /// What is in the queue and has not been lifted meanwhile, with its number.
    pending: HashMap<(Box<str>, RestrictionId), u64>,
    scheduled: u64,
    lifted: u64,
}

impl Desk {
    /// `after` is in ms of event time.
    pub fn new(packs: Arc<Packs>, after: i64) -> Desk {
        let signals = packs.restrictions.iter().map(|restriction| mildest_signal(restriction, &packs)).collect();
        Desk { packs, after, signals, queue: BinaryHeap::new(), pending: HashMap::new(), scheduled: 0, lifted: 0 }
    }

    /// Whether something may be due before an event of this time.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.queue.peek().is_some_and(|Reverse(due)| due.time <= now)
    }

    /// Gives the signals that are due before an event of this time.
    pub fn lift_due(&mut self, now: Timestamp, mut lift: impl FnMut(&Event<'_>)) {
        while self.is_due(now) {
            let Some(Reverse(due)) = self.queue.pop() else { return };
            let key = (due.wallet, due.restriction);
            if self.pending.get(&key) != Some(&due.number) {
                continue;
            }
            self.pending.remove(&key);
            let Some(kind) = self.signals[usize::from(due.restriction.0)] else { continue };
            self.lifted += 1;
            let id = format!("support-{}", self.lifted);
            lift(&signal(&id, kind, due.time, &key.0, due.ip));
        }
    }

    /// Notes what rules have imposed on this event, and what a signal of history itself has lifted.
    pub fn watch(&mut self, event: &Event<'_>, decision: &Decision) {
        if self.packs.signals.contains(event.kind) && !self.pending.is_empty() {
            for (place, restriction) in (0_u16..).zip(&self.packs.restrictions) {
                if restriction.lifted_by.contains(event.kind) || restriction.cancelled_by.contains(event.kind) {
                    self.pending.remove(&(Box::from(event.wallet), RestrictionId(place)));
                }
            }
        }
        let packs = Arc::clone(&self.packs);
        for reason in &decision.reasons {
            let Reason::Rule(reason) = reason else { continue };
            for restriction in &packs.rule(reason.rule).restrict {
                self.schedule(event, *restriction);
            }
        }
    }

    fn schedule(&mut self, event: &Event<'_>, id: RestrictionId) {
        let restriction = self.packs.restriction(id);
        let due = Timestamp(event.time.0.saturating_add(self.after));
        let ends_before = restriction.lasts.is_some_and(|span| self.packs.zone.after(event.time, span) <= due);
        let without_address = restriction.target == Target::Ip && event.ip.is_none();
        let key = (Box::from(event.wallet), id);
        if ends_before
            || without_address
            || self.signals[usize::from(id.0)].is_none()
            || self.pending.contains_key(&key)
        {
            return;
        }
        self.scheduled += 1;
        let number = self.scheduled;
        let wallet = key.0.clone();
        self.pending.insert(key, number);
        self.queue.push(Reverse(Due { time: due, number, wallet, restriction: id, ip: event.ip }));
    }
}

/// The signal that lifts a restriction and does the least besides; of equal ones the first.
fn mildest_signal(restriction: &Restriction, packs: &Packs) -> Option<TypeId> {
    let touches = |kind: TypeId| {
        let of = |other: &&Restriction| {
            [other.imposed_by, other.lifted_by, other.cancelled_by].iter().any(|set| set.contains(kind))
        };
        packs.restrictions.iter().filter(of).count()
    };
    restriction.lifted_by.iter().min_by_key(|kind| touches(*kind))
}

fn signal<'a>(id: &'a str, kind: TypeId, time: Timestamp, wallet: &'a str, ip: Option<IpAddr>) -> Event<'a> {
    Event { ip, ..Event::new(id, kind, time, wallet) }
}
