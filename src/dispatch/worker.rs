//! The thread that speaks to Kafka: takes partitions over, hands decisions to the machine, and commits its checkpoints.
//!
//! Nothing is decided here about alerts. A partition is restored from `alerts-retry` before its first decision is read. Of a
//! transaction that failed, was slow or was disturbed nothing is believed: its producer is dropped, a new one of the same id shuts it out,
//! and the next checkpoint says the same again (KAFKA-17754 cannot end another transaction than the one it belongs to).

use super::{
    asks,
    checkpoint::{Checkpoint, Save},
    courier::Courier,
    machine::Machine,
    metrics::Metrics,
};
use crate::{
    alert::{self, Endpoint},
    kafka::{
        client::{self, Cluster},
        errors::failure,
        inbox::Inbox,
        member::{Member, Polled, Reads, Wish},
        partitioner::Partitioner,
        restore::StateReader,
        sender::{Handed, Sender},
        topics::{Layout, Role},
    },
    limits,
    run::{health, start::Start},
    sidecar::{Batch, Commit, Failure, Millis, Offset, Partition, Place, Sort},
};
use rdkafka::{error::KafkaError, producer::BaseRecord};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const CALL: Duration = Duration::from_millis(limits::CALL_MS);
/// How long a poll waits; an answer waits no longer for its consequence.
const WAIT: Duration = Duration::from_millis(10);
/// How often a checkpoint is made where nothing presses.
const CHECKPOINT: Duration = Duration::from_millis(200);
/// How long after a failed checkpoint the next is tried.
const AGAIN: Duration = Duration::from_millis(500);
/// The longest that one slice of a restore may take: between slices the group is polled.
const SLICE: Duration = Duration::from_millis(200);
/// Decisions that one poll takes.
const DECISIONS: u64 = 500;
/// How long answers are waited for after SIGTERM, and how long the last checkpoint may take.
const ANSWERS: Duration = Duration::from_millis(1_500);
const LAST: Duration = Duration::from_millis(limits::DRAIN_MS - 1_500);

/// What a worker is started with.
pub struct Setup {
    pub cluster: Cluster,
    pub layout: Layout,
    pub member: client::Member,
    /// The transactional id.
    pub name: String,
    pub start: Start,
    pub partitions: usize,
    pub endpoints: Vec<Arc<Endpoint>>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<health::Worker>,
    pub shutdown: Arc<AtomicBool>,
}

/// One worker.
pub struct Worker {
    setup: Setup,
    machine: Machine,
    courier: Courier,
    member: Member,
    reader: StateReader,
    sender: Option<Sender>,
    inbox: Inbox,
    /// Partitions that are being taken over, the first of them now.
    taking: VecDeque<Partition>,
    /// Every record of the first of them is read, and where it goes on is not settled yet.
    is_read: bool,
    told_partitions: bool,
    began: (Instant, Millis),
    checkpoint_due: Instant,
    failures: u32,
}

impl Worker {
    /// Joins the group.
    ///
    /// # Errors
    /// A configuration that librdkafka does not take.
    pub fn new(setup: Setup, machine: Machine, courier: Courier) -> Result<Worker, KafkaError> {
        let decisions = setup.layout.name(Role::Decisions);
        let member = Member::join(&setup.cluster, &setup.member, decisions, Reads::Decisions)?;
        let reader = StateReader::new(&setup.cluster, setup.layout.name(Role::AlertsRetry))?;
        let now = alert::now().0.unsigned_abs();
        Ok(Worker {
            setup,
            machine,
            courier,
            member,
            reader,
            sender: None,
            inbox: Inbox::default(),
            taking: VecDeque::new(),
            is_read: false,
            told_partitions: false,
            began: (Instant::now(), now),
            checkpoint_due: Instant::now(),
            failures: 0,
        })
    }

    /// Wall time that never goes back in this process: due times must mean the same to whoever restores them.
    fn now(&self) -> Millis {
        let since = u64::try_from(self.began.0.elapsed().as_millis()).expect("a process runs for less than 2^64 ms");
        self.began.1 + since
    }

    /// Runs until it is asked to stop.
    ///
    /// # Errors
    /// Why it must stop.
    pub fn run(mut self) -> Result<(), String> {
        let ended = self.work();
        self.setup.health.ended();
        if !self.member.leave(Duration::from_millis(limits::CALL_MS)) {
            tracing::warn!("the group is left without waiting for its answer");
        }
        ended
    }

    fn work(&mut self) -> Result<(), String> {
        while !self.setup.shutdown.load(Ordering::SeqCst) {
            self.hear();
            self.attempt();
            if self.checkpoint_due <= Instant::now() || self.machine.unsaved() > limits::ALERT_CHECKPOINT {
                self.checkpoint(Save::Due)?;
            }
            self.take_over()?;
            self.poll()?;
            self.tell();
        }
        self.drain()
    }

    /// What became of attempts.
    fn hear(&mut self) {
        let answers: Vec<_> = self.courier.answers().collect();
        for (ticket, answer) in answers {
            trace("Answer");
            let now = self.now();
            self.machine.answered(now, ticket, &answer);
        }
    }

    fn attempt(&mut self) {
        for attempt in self.machine.attempts(self.now()) {
            trace("Attempt");
            self.courier.send(attempt);
        }
    }

    fn tell(&self) {
        let now = self.now();
        for endpoint in 0..self.setup.endpoints.len() {
            self.setup.metrics.stands(endpoint, &self.machine.standing(endpoint, now));
        }
        self.setup.health.beat(self.told_partitions && self.taking.is_empty());
    }

    fn poll(&mut self) -> Result<(), String> {
        self.inbox.clear();
        let mut inbox = std::mem::take(&mut self.inbox);
        let polled = self.member.poll(WAIT, DECISIONS, &mut inbox);
        let done = match polled {
            Ok(Polled::Records(batches)) => {
                batches.into_iter().for_each(|batch| self.decided(batch, &inbox));
                Ok(())
            }
            Ok(Polled::Wish(wish)) => self.grant(wish),
            Err(failure) => forgive(failure),
        };
        self.inbox = inbox;
        done
    }

    fn decided(&mut self, batch: Batch, inbox: &Inbox) {
        let now = self.now();
        let topic = self.setup.layout.name(Role::Decisions);
        for taken in inbox.of(batch) {
            let (partition, offset) = (batch.partition, taken.offset);
            let place = format!("{topic}:{partition}:{offset}");
            let id = taken.id.and_then(|id| std::str::from_utf8(id).ok()).unwrap_or(&place);
            let alerts = asks::alerts(&self.setup.endpoints, id, taken.value.unwrap_or_default());
            let alerts = alerts.unwrap_or_else(|error| {
                self.setup.metrics.unreadable();
                tracing::error!(place, error, "a record of decisions is none, and nobody hears of it");
                Vec::new()
            });
            self.setup.metrics.read();
            self.machine.decided(now, partition, offset, alerts);
        }
    }

    fn grant(&mut self, wish: Wish) -> Result<(), String> {
        let granted = match wish {
            Wish::Assigned(partitions) => {
                trace("Assign");
                self.told_partitions = true;
                self.assign(&partitions)
            }
            Wish::Revoked(partitions) => {
                trace("Revoke");
                // What is not saved by then is sent again by the next owner.
                self.checkpoint(Save::All)?;
                self.unassign(&partitions)
            }
            Wish::Lost(partitions) => self.unassign(&partitions),
        };
        granted.map_err(|failure| failure.reason)
    }

    fn assign(&mut self, partitions: &[Partition]) -> Result<(), Failure> {
        let there = self.setup.partitions;
        let is_new = |partition: &Partition| usize::try_from(*partition).is_ok_and(|new| new >= there);
        if let Some(new) = partitions.iter().find(|partition| is_new(partition)) {
            let reason = format!(
                "decisions has a partition {new}, and had {there} when this process started: add as many to the topic of \
                 waiting alerts, and start again; a start says how"
            );
            return Err(Failure { sort: Sort::Fatal, reason });
        }
        self.member.assign(partitions)?;
        self.member.pause(partitions)?;
        self.taking.extend(partitions);
        Ok(())
    }

    fn unassign(&mut self, partitions: &[Partition]) -> Result<(), Failure> {
        for partition in partitions {
            self.is_read &= self.taking.front() != Some(partition);
            self.taking.retain(|taking| taking != partition);
            self.reader.forget(*partition);
            self.machine.drop_partition(self.now(), *partition);
            self.setup.metrics.forget(*partition);
        }
        self.member.unassign(partitions)
    }

    /// Goes on with the first partition that is being taken over.
    fn take_over(&mut self) -> Result<(), String> {
        let Some(partition) = self.taking.front().copied() else { return Ok(()) };
        match self.restore(partition) {
            Ok(true) => {
                self.taking.pop_front();
                self.is_read = false;
                tracing::info!(partition, "a partition's alerts are restored");
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(failure) => forgive(failure),
        }
    }

    /// Whether the partition is restored and read.
    fn restore(&mut self, partition: Partition) -> Result<bool, Failure> {
        trace("Restore");
        // Whatever a forerunner of this name left open is over before anything is read.
        self.sender()?;
        if !self.is_read {
            let machine = &mut self.machine;
            let slice = self.reader.slice(partition, limits::RESTORE_SLICE, SLICE, |key, value| {
                machine.restored(partition, key, value);
                Ok(())
            })?;
            self.is_read = slice.ended;
        }
        if !self.is_read {
            return Ok(false);
        }
        let committed = self.member.committed(&[partition], CALL)?;
        let committed = committed.first().and_then(|(_, commit)| commit.as_ref());
        let next = committed.map_or(Place::Beginning, |commit| Place::Committed(commit.next));
        let metrics = Arc::clone(&self.setup.metrics);
        let at = self.setup.start.seek(&mut self.member, partition, next, CALL, &|lost| metrics.lost(lost))?;
        self.member.resume(&[partition], CALL)?;
        let begun = self.machine.begin(self.now(), partition, at);
        begun.map_err(|reason| Failure { sort: Sort::Fatal, reason })?;
        self.setup.metrics.stands_at(partition, at);
        Ok(true)
    }

    /// The producer, initialised.
    fn sender(&mut self) -> Result<&Sender, Failure> {
        if self.sender.is_none() {
            trace("InitProducer");
            let made = Sender::new(&self.setup.cluster, Some(&self.setup.name), Partitioner::Murmur2);
            let mut sender = made.map_err(|error| failure(&error))?;
            sender.initialise(Duration::from_millis(limits::TRANSACTION_TIMEOUT_MS))?;
            self.sender = Some(sender);
        }
        Ok(self.sender.as_ref().expect("it was made just now"))
    }

    /// Commits a checkpoint; true where nothing of it is left to do.
    fn checkpoint(&mut self, save: Save) -> Result<bool, String> {
        self.checkpoint_due = Instant::now() + CHECKPOINT;
        let checkpoint = self.machine.checkpoint(self.now(), save);
        if checkpoint.is_empty() {
            return Ok(true);
        }
        let Err(failed) = self.commit(&checkpoint) else {
            self.machine.committed(&checkpoint);
            self.setup.metrics.checkpointed();
            let stand = |(partition, next): &(Partition, Offset)| self.setup.metrics.stands_at(*partition, *next);
            checkpoint.offsets.iter().for_each(stand);
            self.failures = 0;
            return Ok(true);
        };
        self.sender = None;
        self.failures += 1;
        self.setup.metrics.checkpoint_failed();
        self.checkpoint_due = Instant::now() + AGAIN;
        tracing::warn!(reason = failed.reason, "a checkpoint failed and is made again");
        // A transaction that was open for too long is fenced, too; whoever is fenced again and again has a twin.
        let most = if failed.sort == Sort::Fenced { 3 } else { limits::FAILURES };
        if self.failures < most {
            return Ok(false);
        }
        Err(match failed.sort {
            Sort::Fenced => format!("another instance uses this one's name ({}): {}", self.setup.name, failed.reason),
            _ => format!("{} checkpoints in a row have failed: {}", self.failures, failed.reason),
        })
    }

    /// One transaction.
    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        self.sender()?;
        let group = self.member.metadata()?;
        let offsets: Vec<(Partition, Commit)> = checkpoint
            .offsets
            .iter()
            .map(|(partition, next)| (*partition, Commit { next: *next, tag: None }))
            .collect();
        let offsets = self.member.offsets(&offsets)?;
        let (retry, gone) = (self.setup.layout.name(Role::AlertsRetry), self.setup.layout.name(Role::AlertsFailed));
        let sender = self.sender.as_ref().expect("it was asked for just now");
        trace("Begin");
        sender.begin()?;
        for record in &checkpoint.records {
            trace("Send");
            let mut letter = BaseRecord::<[u8], [u8]>::to(retry).partition(record.partition).key(record.key.as_bytes());
            letter.payload = record.value.as_deref();
            hand_over(sender, letter)?;
        }
        for kept in &checkpoint.failed {
            trace("Send");
            let value = kept.value();
            let letter = BaseRecord::<[u8], [u8]>::to(gone).key(kept.id.as_bytes()).payload(value.as_slice());
            hand_over(sender, letter)?;
        }
        sender.settle(CALL)?;
        trace("SendOffsets");
        sender.send_offsets(&offsets, &group, CALL)?;
        trace("Commit");
        let began = Instant::now();
        let disturbed = sender.commit(CALL)?;
        trace("Committed");
        if disturbed || began.elapsed() > Duration::from_millis(limits::SLOW_END_MS) {
            let reason = "the connection was disturbed, and nobody knows how the transaction ended".to_owned();
            return Err(Failure { sort: Sort::Unknown, reason });
        }
        Ok(())
    }

    /// SIGTERM: no more attempts, the answers that are coming, and a last checkpoint of everything.
    fn drain(&mut self) -> Result<(), String> {
        tracing::info!("stopping as asked");
        self.machine.drain();
        let begun = Instant::now();
        while !self.machine.is_still() && begun.elapsed() < ANSWERS {
            self.hear();
            std::thread::sleep(WAIT);
        }
        self.attempt();
        loop {
            let done = self.checkpoint(Save::All)?;
            if done && self.machine.checkpoint(self.now(), Save::All).is_empty() {
                self.tell();
                return Ok(());
            }
            if begun.elapsed() > LAST {
                return Err("what was not saved in time is sent again at the next start".to_owned());
            }
        }
    }
}

/// What passes is waited for, all else ends the worker.
fn forgive(failure: Failure) -> Result<(), String> {
    if failure.sort == Sort::Fatal || failure.sort == Sort::Fenced {
        return Err(failure.reason);
    }
    tracing::warn!(reason = failure.reason, "a call to Kafka is made again");
    std::thread::sleep(WAIT);
    Ok(())
}

/// Hands one record over, however full the producer is.
pub(super) fn hand_over(sender: &Sender, record: BaseRecord<'_, [u8], [u8]>) -> Result<(), Failure> {
    let begun = Instant::now();
    let again = || {
        let mut again = BaseRecord::<[u8], [u8]>::to(record.topic);
        (again.partition, again.key, again.payload) = (record.partition, record.key, record.payload);
        again
    };
    while sender.send(again())? == Handed::Full {
        if begun.elapsed() > CALL {
            return Err(Failure { sort: Sort::Retriable, reason: "there is no room in the producer".to_owned() });
        }
        sender.serve(Duration::from_millis(1));
    }
    Ok(())
}

/// A named moment, at which a test may end the process.
fn trace(command: &str) {
    tracing::trace!(command, "command");
}
