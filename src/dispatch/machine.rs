//! What is done next about alerts, without I/O: facts come in as calls with the time, attempts and checkpoints go out.
//!
//! An alert is sent at once. One that is not delivered soon is saved in `alerts-retry`, and only then may the offset of its
//! decision be committed; one that is done has its record deleted. Whoever takes a partition over begins with the records that are
//! left. A group's body is fixed and saved before it is first sent, because its count could otherwise come out differently
//! after a restart: one id has one body. A checkpoint ([`super::checkpoint`]) is one transaction, which the group
//! refuses to whoever has lost the partitions, so nobody's late writing undoes his successor's.

use super::{
    backoff::Backoff,
    endpoint::{Allowed, Endpoint, Standing, Ticket},
    ledger::Ledger,
    record::{self, Collected, Kept, Record, VERSION},
};
use crate::{
    limits,
    random::Random,
    sidecar::{Millis, Offset, Partition},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Makes a group's body of an endpoint's number and what was collected.
pub type Render = Box<dyn Fn(usize, &Collected) -> String + Send>;

/// What a machine works by.
#[derive(Clone, Debug)]
pub struct Settings {
    pub backoff: Backoff,
    /// An alert that is not delivered after so many ms is saved.
    pub save_after: Millis,
    /// For jitter.
    pub seed: u64,
}

/// What a decision asks to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The `webhook-id`.
    pub id: String,
    /// The endpoint's number.
    pub endpoint: usize,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Body(String),
    /// It is collected with others of the same key for a time, and sent with their count.
    Grouped(Member),
}

/// What a decision adds to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it is collected by, the endpoint included.
    pub key: String,
    pub window: Millis,
    /// When the operation happened, as the body tells it.
    pub time: i64,
    /// What the body is made of, where this is the first.
    pub seed: String,
}

/// An attempt to make, which [`Machine::answered`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub ticket: Ticket,
    pub endpoint: usize,
    pub id: String,
    pub body: String,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Delivered,
    /// It failed; the receiver may have said when to come again, in ms.
    Failed {
        after: Option<Millis>,
        why: String,
    },
    /// The receiver wants nothing more.
    Gone,
}

/// An alert that is not done with.
#[derive(Debug)]
pub(super) struct Item {
    pub kept: Kept,
    pub endpoint: Option<usize>,
    pub partition: Partition,
    /// Decisions that cannot be committed before it is saved, delivered or given up.
    pub holds: Vec<Offset>,
    pub phase: Phase,
    /// When it is to be saved; none once it is.
    pub save_at: Option<Millis>,
    /// There may be a record of it.
    pub written: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not before it is saved.
    Sealing,
    Waiting,
    InFlight,
    GivenUp,
    /// Its record is left.
    Done,
}

/// A group whose window is open.
#[derive(Debug)]
pub(super) struct Group {
    pub collected: Collected,
    pub endpoint: usize,
    pub holds: Vec<Offset>,
    pub written: bool,
}

/// A partition of `decisions`.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Records that are being restored.
    restoring: BTreeMap<Vec<u8>, Vec<u8>>,
    pub ledger: Option<Ledger>,
    /// The newest decision that was counted in a group before this process had the partition.
    counted: HashMap<String, Offset>,
}

pub(super) type GroupKey = (Partition, String);

/// The machine.
pub struct Machine {
    settings: Settings,
    render: Render,
    random: Random,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) shares: BTreeMap<Partition, Share>,
    pub(super) items: BTreeMap<Ticket, Item>,
    names: HashMap<(Partition, String), Ticket>,
    next: Ticket,
    /// Items that are not saved, by when they are to be.
    pub(super) unsaved: BTreeSet<(Millis, Ticket)>,
    /// Items whose record says less than is known.
    pub(super) stale: BTreeSet<Ticket>,
    /// In the order in which they were.
    pub(super) given_up: VecDeque<Ticket>,
    pub(super) done: BTreeSet<Ticket>,
    pub(super) groups: BTreeMap<GroupKey, Group>,
    closing: BTreeSet<(Millis, GroupKey)>,
    pub(super) changed: BTreeSet<GroupKey>,
    /// Groups that are closed, and may have a record.
    pub(super) buried: BTreeSet<GroupKey>,
    draining: bool,
}

impl Machine {
    #[must_use]
    pub fn new(settings: Settings, endpoints: Vec<Allowed>, render: Render) -> Machine {
        Machine {
            random: Random::new(settings.seed),
            settings,
            render,
            endpoints: endpoints.into_iter().map(Endpoint::new).collect(),
            shares: BTreeMap::new(),
            items: BTreeMap::new(),
            names: HashMap::new(),
            next: 0,
            unsaved: BTreeSet::new(),
            stale: BTreeSet::new(),
            given_up: VecDeque::new(),
            done: BTreeSet::new(),
            groups: BTreeMap::new(),
            closing: BTreeSet::new(),
            changed: BTreeSet::new(),
            buried: BTreeSet::new(),
            draining: false,
        }
    }

    /// A record of a partition that is being taken over, in the order of its topic.
    pub fn restored(&mut self, partition: Partition, key: &[u8], value: Option<&[u8]>) {
        let restoring = &mut self.shares.entry(partition).or_default().restoring;
        match value {
            Some(value) => restoring.insert(key.to_vec(), value.to_vec()),
            None => restoring.remove(key),
        };
    }

    /// Every record of the partition is restored, and its decisions are read from `next` on.
    ///
    /// # Errors
    /// A record that says nothing that is understood.
    pub fn begin(&mut self, now: Millis, partition: Partition, next: Offset) -> Result<(), String> {
        let share = self.shares.entry(partition).or_default();
        assert!(share.ledger.is_none(), "a partition begins once");
        share.ledger = Some(Ledger::new(next, next));
        let mut alerts = Vec::new();
        for (key, value) in std::mem::take(&mut share.restoring) {
            let record = record::parse(&key, &value);
            let name = || format!("a record of partition {partition}, {}, ", String::from_utf8_lossy(&key));
            match record.map_err(|why| name() + &why)? {
                Record::Alert(kept) => alerts.push(kept),
                Record::Group(collected) => self.regroup(now, partition, collected),
            }
        }
        // What came first has the room.
        alerts.sort_by_key(|kept| kept.born);
        for kept in alerts {
            if let Some(group) = &kept.group {
                self.counted(partition, group, kept.offset);
            }
            let endpoint = self.endpoint_of(&kept.endpoint);
            if kept.reason.is_some() {
                self.remember(partition, endpoint, kept);
                continue;
            }
            self.admit(now, partition, endpoint, kept, Vec::new(), Phase::Waiting, true);
        }
        Ok(())
    }

    /// An alert that is given up already, and whose decisions may be read again.
    fn remember(&mut self, partition: Partition, endpoint: Option<usize>, kept: Kept) {
        let ticket = self.next;
        self.next += 1;
        self.names.insert((partition, kept.key()), ticket);
        let item =
            Item { kept, endpoint, partition, holds: Vec::new(), phase: Phase::Done, save_at: None, written: true };
        self.items.insert(ticket, item);
        self.done.insert(ticket);
    }

    fn endpoint_of(&self, name: &str) -> Option<usize> {
        self.endpoints.iter().position(|endpoint| endpoint.name() == name)
    }

    fn counted(&mut self, partition: Partition, group: &str, offset: Offset) {
        let share = self.shares.entry(partition).or_default();
        let newest = share.counted.entry(group.to_owned()).or_insert(offset);
        *newest = offset.max(*newest);
    }

    fn regroup(&mut self, now: Millis, partition: Partition, collected: Collected) {
        self.counted(partition, &collected.group, collected.offset);
        let key = (partition, collected.group.clone());
        let Some(endpoint) = self.endpoint_of(&collected.endpoint) else {
            let mut kept =
                Kept::new(&collected.id, &collected.endpoint, collected.offset, collected.opened, &collected.seed);
            kept.group = Some(collected.group);
            self.buried.insert(key);
            self.admit(now, partition, None, kept, Vec::new(), Phase::Sealing, false);
            return;
        };
        self.closing.insert((collected.closes, key.clone()));
        self.groups.insert(key, Group { collected, endpoint, holds: Vec::new(), written: true });
    }

    /// The decision at `offset` was read, and asks for these alerts.
    pub fn decided(&mut self, now: Millis, partition: Partition, offset: Offset, alerts: Vec<Alert>) {
        // What the client brings a second time has been dealt with.
        if !self.ledger(partition).read(offset) {
            return;
        }
        for alert in alerts {
            match alert.content {
                Content::Body(body) => {
                    let kept = Kept::new(&alert.id, self.endpoints[alert.endpoint].name(), offset, now, &body);
                    // Saved by whoever had the partition before, and read again.
                    if self.names.contains_key(&(partition, kept.key())) {
                        continue;
                    }
                    self.ledger(partition).hold(offset);
                    self.admit(now, partition, Some(alert.endpoint), kept, vec![offset], Phase::Waiting, false);
                }
                Content::Grouped(member) => {
                    let counted = self.shares[&partition].counted.get(&member.key).copied();
                    if counted.is_some_and(|counted| offset <= counted) {
                        continue;
                    }
                    self.ledger(partition).hold(offset);
                    self.collect(now, partition, offset, alert.id, alert.endpoint, member);
                }
            }
        }
    }

    fn ledger(&mut self, partition: Partition) -> &mut Ledger {
        let share = self.shares.get_mut(&partition).expect("only partitions that have begun are read");
        share.ledger.as_mut().expect("only partitions that have begun are read")
    }

    fn collect(
        &mut self,
        now: Millis,
        partition: Partition,
        offset: Offset,
        id: String,
        endpoint: usize,
        member: Member,
    ) {
        let Member { key: group, window, time, seed } = member;
        let key = (partition, group.clone());
        // Where there is no room for more groups, this one is as long as a moment.
        let window = if self.groups.len() < limits::ALERT_GROUPS { window } else { 0 };
        let closes = now + window;
        if !self.groups.contains_key(&key) {
            self.closing.insert((closes, key.clone()));
            let name = self.endpoints[endpoint].name().to_owned();
            let (version, count, opened, last) = (VERSION, 0, now, time);
            let collected = Collected { version, id, endpoint: name, group, offset, count, opened, closes, last, seed };
            self.groups.insert(key.clone(), Group { collected, endpoint, holds: Vec::new(), written: false });
        }
        let group = self.groups.get_mut(&key).expect("it was opened where there was none");
        group.collected.count += 1;
        group.collected.offset = offset;
        group.collected.last = group.collected.last.max(time);
        group.holds.push(offset);
        self.changed.insert(key);
    }

    /// Fixes the bodies of groups whose window is over.
    fn close_groups(&mut self, now: Millis) {
        while let Some((_, key)) = self.closing.first().filter(|(closes, _)| *closes <= now).cloned() {
            self.closing.pop_first();
            let Group { collected, endpoint, holds, written } = self.groups.remove(&key).expect("what closes is open");
            self.changed.remove(&key);
            let body = (self.render)(endpoint, &collected);
            let mut kept = Kept::new(&collected.id, &collected.endpoint, collected.offset, collected.opened, &body);
            kept.group = Some(collected.group);
            kept.due = now;
            if written {
                self.buried.insert(key.clone());
            }
            self.admit(now, key.0, Some(endpoint), kept, holds, Phase::Sealing, false);
        }
    }

    /// An alert comes in: by a decision, by a group that closes, or as a record.
    #[expect(clippy::too_many_arguments, reason = "each is a fact about the alert, used once")]
    fn admit(
        &mut self,
        now: Millis,
        partition: Partition,
        endpoint: Option<usize>,
        kept: Kept,
        holds: Vec<Offset>,
        phase: Phase,
        saved: bool,
    ) {
        let ticket = self.next;
        self.next += 1;
        self.names.insert((partition, kept.key()), ticket);
        let refused = match endpoint.map(|endpoint| &self.endpoints[endpoint]) {
            None => Some("no endpoint of this name is configured"),
            Some(endpoint) if endpoint.is_disabled() => Some(DISABLED),
            Some(endpoint) if endpoint.is_full(kept.body.len()) => Some("too many alerts wait for this endpoint"),
            Some(_) => None,
        };
        let (born, due, bytes) = (kept.born, kept.due, kept.body.len());
        let save_at = (!saved).then_some(if phase == Phase::Sealing { now } else { now + self.settings.save_after });
        let item = Item { kept, endpoint, partition, holds, phase, save_at, written: saved };
        self.items.insert(ticket, item);
        if let Some(reason) = refused {
            self.give_up(ticket, reason);
            return;
        }
        if let Some(save_at) = save_at {
            self.unsaved.insert((save_at, ticket));
        }
        let endpoint = &mut self.endpoints[endpoint.expect("an alert without an endpoint was refused")];
        endpoint.admit(ticket, born, bytes);
        if phase == Phase::Waiting {
            endpoint.wait(ticket, due);
        }
    }

    /// The attempts to make now.
    pub fn attempts(&mut self, now: Millis) -> Vec<Attempt> {
        self.close_groups(now);
        let mut attempts = Vec::new();
        if self.draining {
            return attempts;
        }
        for number in 0..self.endpoints.len() {
            self.expire(number, now);
            while let Some(ticket) = self.endpoints[number].attempt(now) {
                let item = self.items.get_mut(&ticket).expect("what waits is there");
                item.phase = Phase::InFlight;
                let Kept { id, body, .. } = &item.kept;
                attempts.push(Attempt { ticket, endpoint: number, id: id.clone(), body: body.clone() });
            }
        }
        attempts
    }

    /// Gives up what a breaker or a rate has held back until its time was up.
    fn expire(&mut self, endpoint: usize, now: Millis) {
        let lasts = self.settings.backoff.lasts();
        while let Some((born, ticket)) = self.endpoints[endpoint].oldest() {
            if born + lasts > now || self.items[&ticket].phase != Phase::Waiting {
                return;
            }
            self.release_room(ticket, now);
            self.give_up(ticket, "its time was up while the endpoint failed");
        }
    }

    /// What became of an attempt; an answer to somebody else's alert changes nothing.
    pub fn answered(&mut self, now: Millis, ticket: Ticket, answer: &Answer) {
        let Some(item) = self.items.get_mut(&ticket).filter(|item| item.phase == Phase::InFlight) else { return };
        let number = item.endpoint.expect("only what has an endpoint is attempted");
        let endpoint = &mut self.endpoints[number];
        match answer {
            Answer::Delivered => {
                endpoint.counts.sent += 1;
                endpoint.succeeded(ticket);
                self.release_room(ticket, now);
                self.deliver(ticket);
            }
            Answer::Failed { after, why } => {
                let rest = *after;
                endpoint.failed(ticket, now, rest, &self.settings.backoff, &mut self.random);
                item.kept.failed += 1;
                let wait = self.settings.backoff.wait(item.kept.failed, &mut self.random);
                match wait {
                    Some(wait) if !endpoint.is_disabled() => {
                        endpoint.counts.retried += 1;
                        item.kept.due = now + wait.max(rest.unwrap_or(0));
                        item.phase = Phase::Waiting;
                        endpoint.wait(ticket, item.kept.due);
                        self.save_soon(now, ticket);
                    }
                    Some(_) => {
                        self.release_room(ticket, now);
                        self.give_up(ticket, DISABLED);
                    }
                    None => {
                        self.release_room(ticket, now);
                        self.give_up(ticket, why);
                    }
                }
            }
            Answer::Gone => {
                endpoint.disable();
                self.release_room(ticket, now);
                self.give_up(ticket, DISABLED);
                self.give_up_waiting(number, now);
            }
        }
    }

    fn give_up_waiting(&mut self, endpoint: usize, now: Millis) {
        let undelivered: Vec<Ticket> = self.endpoints[endpoint].undelivered().collect();
        for ticket in undelivered {
            if self.items[&ticket].phase == Phase::Waiting {
                self.release_room(ticket, now);
                self.give_up(ticket, DISABLED);
            }
        }
    }

    /// More is known of an alert than its record says.
    fn save_soon(&mut self, now: Millis, ticket: Ticket) {
        let item = self.items.get_mut(&ticket).expect("it was answered just now");
        match &mut item.save_at {
            Some(save_at) => {
                self.unsaved.remove(&(*save_at, ticket));
                *save_at = now;
                self.unsaved.insert((now, ticket));
            }
            None => {
                self.stale.insert(ticket);
            }
        }
    }

    fn release_room(&mut self, ticket: Ticket, now: Millis) {
        let item = &self.items[&ticket];
        let endpoint = item.endpoint.expect("only what has an endpoint has room");
        let Kept { born, due, body, .. } = &item.kept;
        self.endpoints[endpoint].dismiss(ticket, *born, *due, body.len(), now);
    }

    fn unlist(&mut self, ticket: Ticket) {
        if let Some(save_at) = self.items[&ticket].save_at {
            self.unsaved.remove(&(save_at, ticket));
        }
        self.stale.remove(&ticket);
    }

    fn deliver(&mut self, ticket: Ticket) {
        self.unlist(ticket);
        self.settle(ticket);
    }

    fn give_up(&mut self, ticket: Ticket, reason: &str) {
        self.unlist(ticket);
        let item = self.items.get_mut(&ticket).expect("it is given up once");
        item.phase = Phase::GivenUp;
        item.kept.reason = Some(reason.chars().take(limits::ALERT_REASON_CHARACTERS).collect());
        if let Some(endpoint) = item.endpoint {
            self.endpoints[endpoint].counts.failed += 1;
        }
        self.given_up.push_back(ticket);
    }

    /// An alert is delivered, or is in `alerts-failed`: nothing is left of it but its record.
    pub(super) fn settle(&mut self, ticket: Ticket) {
        let item = self.items.get_mut(&ticket).expect("it is settled once");
        let holds = std::mem::take(&mut item.holds);
        let partition = item.partition;
        if item.written {
            item.phase = Phase::Done;
            item.kept.body = String::new();
            self.done.insert(ticket);
        } else {
            self.forget(ticket);
        }
        holds.into_iter().for_each(|offset| self.ledger(partition).release(offset));
    }

    /// All that is not saved is due to be, also in the next checkpoint should this one fail: offsets never go back.
    pub(super) fn save_all(&mut self, now: Millis) {
        for (save_at, ticket) in std::mem::take(&mut self.unsaved) {
            let save_at = save_at.min(now);
            self.items.get_mut(&ticket).expect("what is not saved is there").save_at = Some(save_at);
            self.unsaved.insert((save_at, ticket));
        }
    }

    pub(super) fn forget(&mut self, ticket: Ticket) {
        let item = self.items.remove(&ticket).expect("it is forgotten once");
        self.names.remove(&(item.partition, item.kept.key()));
    }

    /// The alert is saved: its decisions may be committed, and a body that was to be saved first may be sent.
    pub(super) fn keep(&mut self, ticket: Ticket) {
        let item = self.items.get_mut(&ticket).expect("what was saved is there");
        let (holds, partition) = (std::mem::take(&mut item.holds), item.partition);
        if let Some(save_at) = item.save_at.take() {
            self.unsaved.remove(&(save_at, ticket));
        }
        self.stale.remove(&ticket);
        if item.phase == Phase::Sealing {
            item.phase = Phase::Waiting;
            let endpoint = item.endpoint.expect("only what has an endpoint is sealed");
            self.endpoints[endpoint].wait(ticket, item.kept.due);
        }
        holds.into_iter().for_each(|offset| self.ledger(partition).release(offset));
    }

    /// The partition is somebody else's: answers to its attempts mean nothing any more.
    pub fn drop_partition(&mut self, now: Millis, partition: Partition) {
        let items = &self.items;
        self.given_up.retain(|ticket| items[ticket].partition != partition);
        let tickets: Vec<Ticket> =
            self.items.iter().filter(|(_, item)| item.partition == partition).map(|(ticket, _)| *ticket).collect();
        for ticket in tickets {
            if !matches!(self.items[&ticket].phase, Phase::GivenUp | Phase::Done) {
                self.release_room(ticket, now);
            }
            self.unlist(ticket);
            self.done.remove(&ticket);
            self.forget(ticket);
        }
        self.groups.retain(|(of, _), _| *of != partition);
        self.closing.retain(|(_, (of, _))| *of != partition);
        self.changed.retain(|(of, _)| *of != partition);
        self.buried.retain(|(of, _)| *of != partition);
        self.shares.remove(&partition);
    }

    /// No attempt is made any more.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// How many alerts wait to be saved.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.unsaved.len()
    }

    /// Whether no answer is waited for.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.items.values().all(|item| item.phase != Phase::InFlight)
    }

    /// Bodies that are fixed and not saved.
    #[cfg(test)]
    pub(super) fn sealing(&self) -> Vec<(String, String)> {
        let sealing = self.items.values().filter(|item| item.phase == Phase::Sealing);
        sealing.map(|item| (item.kept.id.clone(), item.kept.body.clone())).collect()
    }

    /// How an endpoint stands.
    #[must_use]
    pub fn standing(&self, endpoint: usize, now: Millis) -> Standing {
        self.endpoints[endpoint].standing(now)
    }
}

const DISABLED: &str = "the receiver said 410 Gone, which disables the endpoint until the next start";
