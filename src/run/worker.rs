//! One worker: its machine's commands carried out with rdkafka and the engine, on one thread.
//!
//! The machine says what to do next; here nothing is decided about transactions or partitions. A command that asks is
//! answered with one fact. What belongs to a partition (its engine, its outbox, what is restored of it) goes with it.

use super::{
    metrics::Metrics,
    shard::{Common, Desk, Shard},
    start::Start,
};
use crate::{
    engine::{Restoration, Settings as EngineSettings},
    geo::Geo,
    kafka::{
        client::{self, Cluster},
        errors::failure,
        inbox::Inbox,
        member::{Member, Polled, Reads, Wish},
        restore::StateReader,
        restrictions::{Feed, Known},
        sender::Sender,
        settlement::Settlement,
        tags::{GROUND_KEY, GROWN, Ground},
        topics::{Layout, Role},
    },
    memory::Supply,
    rules::Packs,
    sidecar::{
        Batch, Command, Delivery, Diagnosis, Ending, Fact, Failure, Machine, Millis, Partition, Positions, Rest,
        Settings, Sort, Stage, Standing, Tag,
    },
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The longest that one slice of a restore may take: between slices the group is polled.
const SLICE: Duration = Duration::from_millis(200);

/// After so long without it a failure is another one; one that goes on for so long is told, and so often.
const RETRIED_AGAIN: Duration = Duration::from_secs(30);
const RETRIED_LONG: Duration = Duration::from_secs(3);
const RETRIED_TOLD: Duration = Duration::from_secs(30);

/// What a worker is started with.
pub struct Setup {
    pub common: Arc<Common>,
    pub geo: Arc<Geo>,
    pub engine: EngineSettings,
    pub cluster: Cluster,
    pub layout: Arc<Layout>,
    pub member: client::Member,
    /// The transactional id.
    pub name: String,
    pub machine: Settings,
    pub start: Start,
    pub feed: Feed,
    /// SIGTERM.
    pub shutdown: Arc<AtomicBool>,
    pub health: Arc<super::health::Worker>,
}

/// A call that takes its time, while which the next tick is decided.
enum Call {
    /// What is left of the tick's bytes is handed over and delivered.
    Delivery { due: Instant },
    /// The end of the transaction, and since when.
    End { began: Instant },
}

/// A partition that is being restored.
struct Restoring {
    restoration: Restoration,
    grounded: bool,
}

pub struct Worker {
    setup: Setup,
    began: Instant,
    member: Member,
    sender: Option<Sender>,
    reader: Option<StateReader>,
    known: Known,
    applied: Positions,
    inbox: Inbox,
    settlement: Option<Settlement>,
    /// A transaction is open.
    open: bool,
    /// What is under way.
    call: Option<Call>,
    desk: Desk,
    /// The packs in force here, and how many loads they are behind.
    packs: Arc<Packs>,
    loads: u64,
    shards: BTreeMap<Partition, Shard>,
    restoring: BTreeMap<Partition, Restoring>,
    /// Memory for what the shards remember.
    supply: Supply,
    /// When the tick's transaction began, for the time that it takes.
    opened: Instant,
    told_shutdown: bool,
    /// Why nothing more may be done: what a transaction holds would not be all that its records lead to.
    halted: Option<String>,
    /// The group has said at least once what is ours.
    told_partitions: bool,
    retries: Retries,
}

/// What fails and is tried again, told once it has gone on for a while, and then now and then: a worker that waits for ever says
/// for what.
#[derive(Default)]
struct Retries {
    reason: String,
    since: Option<Instant>,
    newest: Option<Instant>,
    told: Option<Instant>,
}

impl Retries {
    fn tell(&mut self, stage: Stage, failure: &Failure) {
        let now = Instant::now();
        let goes_on = self.newest.is_some_and(|newest| now - newest < RETRIED_AGAIN) && self.reason == failure.reason;
        if !goes_on {
            *self = Retries { reason: failure.reason.clone(), since: Some(now), ..Retries::default() };
        }
        self.newest = Some(now);
        let long = self.since.is_some_and(|since| now - since >= RETRIED_LONG);
        if long && self.told.is_none_or(|told| now - told >= RETRIED_TOLD) {
            self.told = Some(now);
            tracing::warn!(?stage, reason = failure.reason, "this has failed for a while and is tried again");
        }
    }
}

impl Worker {
    /// Joins the group.
    ///
    /// # Errors
    /// A configuration that librdkafka does not take.
    pub fn new(setup: Setup) -> Result<Worker, rdkafka::error::KafkaError> {
        let member =
            Member::join(&setup.cluster, &setup.member, setup.layout.name(Role::Operations), Reads::Operations)?;
        let packs = setup.common.packs.get();
        Ok(Worker {
            desk: Desk::new(&setup.common, &packs),
            packs,
            loads: setup.common.packs.loads(),
            setup,
            began: Instant::now(),
            member,
            sender: None,
            reader: None,
            known: Known::default(),
            applied: Positions::default(),
            inbox: Inbox::default(),
            settlement: None,
            open: false,
            call: None,
            shards: BTreeMap::new(),
            restoring: BTreeMap::new(),
            supply: Supply::start(),
            opened: Instant::now(),
            told_shutdown: false,
            halted: None,
            told_partitions: false,
            retries: Retries::default(),
        })
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).expect("a process runs for less than 2^64 ms")
    }

    fn metrics(&self) -> &Metrics {
        &self.setup.common.metrics
    }

    /// Runs until it is asked to stop, or must.
    pub fn run(mut self) -> Ending {
        let mut machine = Machine::new(self.setup.machine.clone());
        let mut commands = Vec::new();
        let mut fact = Some(Fact::Started);
        loop {
            let told = [self.shutdown_asked(), self.restrictions_read(), fact.take()];
            for told in told.into_iter().flatten() {
                tracing::trace!(fact = ?told, "fact");
                if let Fact::Failed(failure) = &told {
                    self.retries.tell(machine.stage(), failure);
                }
                self.told_partitions |= matches!(told, Fact::Assigned(_));
                machine.step(self.now(), told, &mut commands);
            }
            for command in commands.drain(..) {
                tracing::trace!(?command, "command");
                if let Command::Stop(ending) = command {
                    self.setup.health.ended();
                    return ending;
                }
                if machine.stage() == Stage::Polling {
                    self.take_up_packs();
                }
                if command.asks() {
                    fact = Some(self.answer(command).unwrap_or_else(Fact::Failed));
                } else if let Err(failure) = self.carry_out(command) {
                    self.halted.get_or_insert(failure.reason);
                }
                if let Some(reason) = self.halted.take() {
                    self.setup.health.ended();
                    return Ending::Diagnosis(Diagnosis::Refused { stage: machine.stage(), reason });
                }
            }
            let ready = self.told_partitions && machine.is_ready();
            self.setup.health.beat(ready);
        }
    }

    fn shutdown_asked(&mut self) -> Option<Fact> {
        let asked = !self.told_shutdown && self.setup.shutdown.load(Ordering::SeqCst);
        self.told_shutdown |= asked;
        asked.then_some(Fact::ShutdownAsked)
    }

    fn restrictions_read(&mut self) -> Option<Fact> {
        match self.known.take(&self.setup.feed) {
            Ok(positions) => positions.map(Fact::RestrictionsRead),
            Err(reason) => {
                self.halted.get_or_insert(reason);
                None
            }
        }
    }

    /// Does what the machine says and does not wait for.
    fn carry_out(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Assign(partitions) => self.assign(&partitions),
            Command::Unassign(partitions) => self.member.unassign(&partitions),
            Command::Pause(partitions) => self.member.pause(&partitions),
            Command::Resume(partitions) => {
                self.member.resume(&partitions, Duration::from_millis(self.setup.machine.call))
            }
            Command::DropState(partition) => {
                self.drop_state(partition);
                Ok(())
            }
            Command::ApplyRestrictions(positions) => self.apply(positions),
            Command::Release(_) => {
                self.release();
                Ok(())
            }
            Command::SealAhead { partition, standing } => {
                let shard = self.shards.get_mut(&partition).expect("only what is restored is decided ahead");
                shard.seal(&self.setup.common, &mut self.desk, &standing, true);
                Ok(())
            }
            asking => unreachable!("{asking:?} is answered"),
        }
    }

    /// Does what the machine asks for, and says what came of it.
    fn answer(&mut self, command: Command) -> Result<Fact, Failure> {
        Ok(match command {
            Command::InitProducer { within } => {
                self.initialise(span(within))?;
                Fact::ProducerReady
            }
            Command::Settle { within } => {
                self.settle(span(within))?;
                Fact::Settled
            }
            Command::FetchCommitted { partitions, within } => {
                Fact::CommittedOffsets(self.member.committed(&partitions, span(within))?)
            }
            Command::Restore { partition, records } => self.restore(partition, records)?,
            Command::Seek { partition, to, within } => {
                let metrics = &self.setup.common.metrics;
                let lost = |offsets| metrics.lost(offsets);
                let at = self.setup.start.seek(&mut self.member, partition, to, span(within), &lost)?;
                if let Some(shard) = self.shards.get_mut(&partition) {
                    shard.next = at;
                    metrics.stands(partition, at, shard.wallets());
                }
                Fact::Sought { partition, at }
            }
            Command::Poll { wait, records } => self.poll(span(wait), records)?,
            Command::Begin => {
                self.begin()?;
                Fact::Begun
            }
            Command::Decide(batches) => self.decide(&batches, false),
            Command::DecideAhead(batches) => self.decide(&batches, true),
            Command::Await { wait } => self.wait(span(wait))?,
            Command::Send { records, within } => self.send(&records, span(within))?,
            Command::SendOffsets { offsets, within } => {
                let group = self.member.metadata()?;
                self.sender()?.begin_offsets(self.member.offsets(&offsets)?, group, span(within));
                self.begin_call(Call::End { began: Instant::now() })?
            }
            Command::Commit { within } => {
                self.sender()?.begin_commit(span(within));
                self.begin_call(Call::End { began: Instant::now() })?
            }
            Command::CommitOffsets { offsets, .. } => {
                self.member.commit(&offsets)?;
                Fact::OffsetsCommitted
            }
            Command::Leave { within } => {
                if !self.member.leave(span(within)) {
                    tracing::warn!("the group has not confirmed that we left it; it will find out");
                }
                Fact::Left
            }
            silent => unreachable!("{silent:?} asks nothing"),
        })
    }

    fn sender(&self) -> Result<&Sender, Failure> {
        let reason = "there is no producer".to_owned();
        self.sender.as_ref().ok_or(Failure { sort: Sort::Fatal, reason })
    }

    /// Waits for whatever an older producer left open in the topics that are written to.
    fn settle(&mut self, within: Duration) -> Result<(), Failure> {
        let settlement = match &mut self.settlement {
            Some(settlement) => settlement,
            none => {
                let written = [Role::Decisions, Role::DeadLetters, Role::State, Role::Restrictions];
                let topics = written.map(|role| self.setup.layout.name(role).to_owned()).to_vec();
                let made = Settlement::new(&self.setup.cluster, topics);
                none.insert(made.map_err(|error| failure(&error))?)
            }
        };
        settlement.check(within)?;
        self.settlement = None;
        Ok(())
    }

    /// A new producer; one whose initialisation took too long goes on with it.
    fn initialise(&mut self, within: Duration) -> Result<(), Failure> {
        if self.sender.as_ref().is_none_or(Sender::is_initialised) {
            // The old one is gone before the new one begins.
            self.sender = None;
            self.settlement = None;
            self.open = false;
            self.shards.values_mut().for_each(|shard| shard.outbox.begin());
            let transactional = self.setup.machine.delivery == Delivery::ExactlyOnce;
            let id = transactional.then_some(self.setup.name.as_str());
            let made = Sender::new(&self.setup.cluster, id, self.setup.common.partitioner);
            self.sender = Some(made.map_err(|error| failure(&error))?);
            self.metrics().producer_made();
        }
        let sender = self.sender.as_mut().expect("it was made just now");
        let done = sender.initialise(within);
        if done.as_ref().is_err_and(|failure| failure.sort != Sort::Retriable) {
            self.sender = None;
        }
        done
    }

    /// Opens the tick's transaction.
    fn begin(&mut self) -> Result<(), Failure> {
        self.shards.values_mut().for_each(|shard| shard.outbox.begin());
        self.opened = Instant::now();
        self.sender()?.begin()?;
        self.open = true;
        self.hand_over();
        Ok(())
    }

    fn assign(&mut self, partitions: &[Partition]) -> Result<(), Failure> {
        let there = self.setup.common.partitions;
        if let Some(new) = partitions.iter().find(|partition| u32::try_from(**partition).is_ok_and(|new| new >= there))
        {
            let reason = format!(
                "operations has a partition {new}, and had {there} when this process started: wallets have moved to other \
                 partitions and their state has not. {GROWN}"
            );
            return Err(Failure { sort: Sort::Fatal, reason });
        }
        self.member.assign(partitions)
    }

    fn drop_state(&mut self, partition: Partition) {
        self.shards.remove(&partition);
        self.restoring.remove(&partition);
        if let Some(reader) = &mut self.reader {
            reader.forget(partition);
        }
        self.metrics().forget(partition);
    }

    /// Restrictions before the positions count for whatever is decided from here on.
    fn apply(&mut self, positions: Positions) -> Result<(), Failure> {
        for (offset, record) in self.known.apply(&positions) {
            self.shards.values_mut().try_for_each(|shard| shard.apply(offset, &record)).map_err(fatal)?;
        }
        self.applied = positions;
        Ok(())
    }

    /// Puts other packs in force, if they were loaded meanwhile and no tick is under way: in all partitions or in none.
    fn take_up_packs(&mut self) {
        let loads = self.setup.common.packs.loads();
        if loads == self.loads || self.shards.values().any(|shard| !shard.outbox.is_empty()) {
            return;
        }
        self.loads = loads;
        let packs = self.setup.common.packs.get();
        if let Some(fault) = self.shards.values().find_map(|shard| shard.check_packs(&packs).err()) {
            let reason = fault.message;
            tracing::error!(
                pack = packs.name,
                reason,
                "the packs cannot take over, and those that are in force stay so"
            );
            return;
        }
        self.desk = Desk::new(&self.setup.common, &packs);
        self.shards.values_mut().for_each(|shard| shard.reload(&packs, &mut self.desk));
        self.metrics().in_force(&packs.name);
        tracing::info!(pack = packs.name, "other packs are in force");
        self.packs = packs;
    }

    fn restore(&mut self, partition: Partition, records: u64) -> Result<Fact, Failure> {
        let partitions = usize::try_from(self.setup.common.partitions).expect("partitions are counted in 32 bits");
        let ground = Ground::new(partitions);
        let key = self.setup.common.hash_key;
        let transactional = self.setup.machine.delivery == Delivery::ExactlyOnce;
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => {
                let made = StateReader::new(&self.setup.cluster, self.setup.layout.name(Role::State));
                none.insert(made.map_err(|error| failure(&error))?)
            }
        };
        let restoring = self.restoring.entry(partition);
        let restoring = restoring.or_insert_with(|| {
            let whole = Restoration::new(key);
            let restoration = if transactional { whole } else { whole.torn() };
            Restoring { restoration, grounded: false }
        });
        let Restoring { restoration, grounded } = restoring;
        let slice = reader.slice(partition, records, SLICE, |key, value| {
            if key == GROUND_KEY {
                *grounded = true;
                return ground.check(value.unwrap_or_default());
            }
            restoration.take(key, value).map_err(|error| format!("partition {partition} of the state: {error}"))
        })?;
        self.setup.common.metrics.restored(slice.records);
        let rest = if slice.ended { Rest::End(self.restored(partition)?) } else { Rest::More };
        Ok(Fact::Restored { partition, records: slice.records, rest })
    }

    /// The partition's state is whole: an engine that goes on with it.
    fn restored(&mut self, partition: Partition) -> Result<Option<Standing>, Failure> {
        let Restoring { restoration, grounded } = self.restoring.remove(&partition).expect("it is being restored");
        let standing = restoration.tick().map(|tick| Standing {
            next: tick.next,
            tag: Tag { incarnation: tick.incarnation, tick: tick.tick },
            positions: Positions(tick.positions.clone()),
        });
        // Should the cluster not answer, all is read anew.
        if let (Some(reader), Some(standing)) = (&self.reader, &standing) {
            let restrictions = self.setup.layout.name(Role::Restrictions);
            reader.reaches(restrictions, &standing.positions, span(self.setup.machine.call))?;
        }
        let (packs, geo) = (&self.packs, Arc::clone(&self.setup.geo));
        let settings = EngineSettings { partition: Some(partition), ..self.setup.engine };
        let mut engine = restoration.finish(packs, geo, settings).map_err(|error| {
            fatal(format!("the state of partition {partition} cannot be put together again: {error}"))
        })?;
        engine.supply(&self.supply);
        let mut shard = Shard::new(partition, engine, grounded);
        for (offset, record) in self.known.applied() {
            shard.apply(offset, record).map_err(fatal)?;
        }
        tracing::info!(partition, wallets = shard.wallets(), ?standing, "a partition's state is restored");
        self.shards.insert(partition, shard);
        Ok(standing)
    }

    fn poll(&mut self, wait: Duration, most: u64) -> Result<Fact, Failure> {
        // A call that is under way hears for itself, and one that ends a transaction must hear alone.
        if let (Some(sender), None) = (&self.sender, &self.call) {
            sender.serve(Duration::ZERO);
        }
        self.inbox.clear();
        Ok(match self.member.poll(wait, most, &mut self.inbox)? {
            Polled::Records(batches) => Fact::Polled(batches),
            Polled::Wish(Wish::Assigned(partitions)) => Fact::Assigned(partitions),
            Polled::Wish(Wish::Revoked(partitions)) => Fact::Revoked(partitions),
            Polled::Wish(Wish::Lost(partitions)) => Fact::Lost(partitions),
        })
    }

    /// The engine decides all records before any produce may fail.
    fn decide(&mut self, batches: &[Batch], ahead: bool) -> Fact {
        let restrictions = self.applied.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        for batch in batches {
            let shard = self.shards.get_mut(&batch.partition).expect("only what is restored is decided on");
            let records = self.inbox.of(*batch);
            let decided = shard.decide(&self.setup.common, &mut self.desk, records, restrictions.as_bytes(), ahead);
            if let Err(reason) = decided {
                self.halted.get_or_insert(reason);
                return Fact::Decided;
            }
        }
        // The first records of a tick are decided before its transaction begins.
        if !ahead && (self.open || self.setup.machine.delivery == Delivery::AtLeastOnce) {
            self.hand_over();
        }
        Fact::Decided
    }

    /// Hands over what the open transaction has not got.
    fn hand_over(&mut self) {
        let Some(sender) = &self.sender else { return };
        self.shards.values_mut().for_each(|shard| shard.outbox.hand_over(sender, &self.setup.layout));
    }

    fn send(&mut self, records: &[(Partition, Standing)], within: Duration) -> Result<Fact, Failure> {
        let due = Instant::now() + within;
        for (partition, standing) in records {
            let shard = self.shards.get_mut(partition).expect("only what is restored is in a tick");
            shard.seal(&self.setup.common, &mut self.desk, standing, false);
            if let Some(sender) = &self.sender {
                shard.outbox.hand_over(sender, &self.setup.layout);
            }
        }
        self.sender()?.begin_delivery();
        let done = self.begin_call(Call::Delivery { due });
        let ended = !self.sender()?.is_delivering();
        if done.is_err() && ended && self.setup.machine.delivery == Delivery::AtLeastOnce {
            // No transaction takes back what was sent, and whatever is sent again is dropped by its id.
            self.shards.values_mut().for_each(|shard| shard.outbox.begin());
            self.sender()?.begin()?;
        }
        done
    }

    /// Says at once that a call is under way, or waits for what it comes to where something else waits for the tick's end.
    fn begin_call(&mut self, call: Call) -> Result<Fact, Failure> {
        self.call = Some(call);
        let lets_ahead = self.setup.machine.delivery == Delivery::ExactlyOnce;
        if lets_ahead && self.setup.common.packs.loads() == self.loads {
            return self.wait(Duration::ZERO);
        }
        loop {
            match self.wait(Duration::from_millis(self.setup.machine.idle))? {
                Fact::Underway => {}
                fact => return Ok(fact),
            }
        }
    }

    /// What the call that is under way came to, if it is over within `wait`.
    fn wait(&mut self, wait: Duration) -> Result<Fact, Failure> {
        let done = match self.call.as_ref().expect("it is waited for") {
            Call::Delivery { due } => self.delivered(*due, wait),
            Call::End { began } => {
                let (began, answer) = (*began, self.sender()?.answer(wait));
                if let Some(Ok(Fact::Committed { .. })) = answer {
                    self.open = false;
                    self.metrics().committed(began.elapsed());
                }
                answer.unwrap_or(Ok(Fact::Underway))
            }
        };
        if !matches!(done, Ok(Fact::Underway)) {
            self.call = None;
        }
        done
    }

    /// What became of the tick's bytes, if that is known within `wait`.
    fn delivered(&self, due: Instant, wait: Duration) -> Result<Fact, Failure> {
        match self.sender()?.answer(wait) {
            Some(answer) => answer,
            None if Instant::now() < due => Ok(Fact::Underway),
            None => {
                let reason = "not everything is delivered yet".to_owned();
                Err(Failure { sort: Sort::Retriable, reason })
            }
        }
    }

    fn release(&mut self) {
        for (partition, shard) in &mut self.shards {
            shard.release(&mut self.desk);
            self.setup.common.metrics.stands(*partition, shard.next, shard.wallets());
        }
        self.metrics().ticked(self.opened.elapsed());
    }
}

fn fatal(reason: String) -> Failure {
    Failure { sort: Sort::Fatal, reason }
}

fn span(millis: Millis) -> Duration {
    Duration::from_millis(millis)
}

/// How a worker's end is told, and whether it is what was asked for.
#[must_use]
pub fn told(ending: &Ending) -> (bool, String) {
    match ending {
        Ending::Drained => (true, "the open tick is committed and the group is left".to_owned()),
        Ending::DrainCut => (false, "time ran out: what was open is done again by whoever starts next".to_owned()),
        Ending::Diagnosis(diagnosis @ Diagnosis::Torn { .. }) => (false, format!("{diagnosis}")),
        Ending::Diagnosis(diagnosis) => (false, diagnosis.to_string()),
    }
}
