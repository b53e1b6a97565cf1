//! What a worker of `kuzet run` does next: transactions and takeover as a machine without I/O.
//!
//! Facts in, commands out. One [`Machine`] is one worker: one thread, one member of the consumer group, one transactional
//! producer (KIP-447), the state of its partitions. It knows no clock, no thread, no socket and no rdkafka, so that
//! `simulation` can run thousands of worlds through it in seconds. What it does not do: hold records, decide on them, or
//! read topics; that is the shell's and the engine's.
//!
//! One command asks at a time and one fact answers it; a call that ends a tick may be said to be under way, and the next tick is
//! decided meanwhile (`ahead`). A newcomer would expect the rebalance callback to act; it only
//! notes what the group wants, the next poll tells it, and [`Command::Unassign`] grants it when the tick is over.
//! A fact that cannot come is a bug and stops the worker: it never guesses.

mod ahead;
mod command;
mod fact;
mod recovery;
mod settings;
#[cfg(test)]
mod simulation;
mod takeover;
#[cfg(test)]
mod tests;
mod tick;

pub use command::{Command, Diagnosis, Ending};
pub use fact::{Batch, Commit, Fact, Failure, Millis, Offset, Partition, Place, Positions, Rest, Sort, Standing, Tag};
pub use settings::{Delivery, Settings};

use crate::limits;
use ahead::Asked;
use std::collections::BTreeMap;
use takeover::{Contradiction, Hold};
use tick::Tick;

/// What was asked and is not yet answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing: the worker has not started.
    Asleep,
    /// No transaction is open, and records or the group's wishes are waited for.
    Polling,
    Initialising,
    /// Whether the broker has ended what older producers left open.
    Settling,
    /// The committed offsets of partitions that are taken over.
    Fetching,
    Restoring(Partition),
    Seeking(Partition),
    Opening,
    Deciding,
    /// A transaction is open and more records are waited for.
    Gathering,
    Sending,
    SendingOffsets,
    Committing,
    /// While a tick is sent or committed, the next one is polled for and decided on.
    GatheringAhead,
    DecidingAhead,
    CommittingOffsets,
    /// The committed offsets by which a tick of unknown fate is judged.
    Resolving,
    Leaving,
    Stopped,
}

/// One worker.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    now: Millis,
    stage: Stage,
    /// What is being asked, to ask it again, and since when.
    asked: Command,
    asked_at: Millis,
    producer_ready: bool,
    /// Nothing that an older producer left open can end together with what is sent from here on.
    settled: bool,
    /// Ticks and producers given up since a tick was committed, and why the last one was.
    failures: u32,
    last_failure: String,
    /// All ready partitions are paused until the tick's fate is known.
    recovering: bool,
    held: BTreeMap<Partition, Hold>,
    contradictions: BTreeMap<Partition, Contradiction>,
    tick: Option<Tick>,
    /// The tick after it, decided while it ends; nothing of it is sent.
    ahead: Option<Tick>,
    /// What goes on while the next tick is gathered, and what the group wished meanwhile.
    underway: Option<Asked>,
    wish: Option<Fact>,
    ticks: u64,
    /// Partitions that the group gets back when the tick is over.
    revoked: Vec<Partition>,
    restrictions_read: Option<Positions>,
    restrictions_applied: Option<Positions>,
    drain_by: Option<Millis>,
    /// Something failed retriably: poll before trying again.
    stalled: bool,
    /// Polls and steps of a takeover take turns.
    polled: bool,
}

impl Machine {
    #[must_use]
    pub fn new(settings: Settings) -> Machine {
        Machine {
            now: 0,
            stage: Stage::Asleep,
            asked: Command::Begin,
            asked_at: 0,
            producer_ready: false,
            settled: settings.delivery == Delivery::AtLeastOnce,
            failures: 0,
            last_failure: String::new(),
            recovering: false,
            held: BTreeMap::new(),
            contradictions: BTreeMap::new(),
            tick: None,
            ahead: None,
            underway: None,
            wish: None,
            ticks: 0,
            revoked: Vec::new(),
            restrictions_read: None,
            restrictions_applied: None,
            drain_by: None,
            stalled: false,
            polled: false,
            settings,
        }
    }

    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether every assigned partition is restored and decided on; what `/readyz` says.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.producer_ready && self.settled && self.held.values().all(|hold| matches!(hold, Hold::Ready { .. }))
    }

    /// Takes one fact and says what to do, in order. After [`Command::Stop`] nothing is said any more.
    pub fn step(&mut self, now: Millis, fact: Fact, out: &mut Vec<Command>) {
        self.now = self.now.max(now);
        match (self.stage, fact) {
            (Stage::Stopped, _) => {}
            (_, Fact::ShutdownAsked) => {
                self.drain_by.get_or_insert(self.now + self.settings.drain);
            }
            (_, Fact::RestrictionsRead(positions)) => self.restrictions_read(positions, out),
            (Stage::Leaving, Fact::Left) => self.stop(Ending::Drained, out),
            (Stage::Asleep, Fact::Started) => self.proceed(out),
            (Stage::Asleep | Stage::Leaving, fact) => self.illegal(&fact, out),
            _ if self.drain_by.is_some_and(|by| self.now >= by) => self.stop(Ending::DrainCut, out),
            (_, Fact::Failed(failure)) => self.failed(failure, out),
            (_, fact) => self.answered(fact, out),
        }
    }

    fn answered(&mut self, fact: Fact, out: &mut Vec<Command>) {
        match (self.stage, fact) {
            (Stage::Polling | Stage::Gathering, Fact::Polled(batches)) => self.polled(&batches, out),
            (Stage::Polling | Stage::Gathering, Fact::Assigned(partitions)) => self.assigned(partitions, out),
            (Stage::Polling | Stage::Gathering, Fact::Revoked(partitions)) => self.revoked(partitions, out),
            (Stage::Polling | Stage::Gathering, Fact::Lost(partitions)) => self.lost(partitions, out),
            (Stage::Initialising, Fact::ProducerReady) => {
                self.producer_ready = true;
                self.proceed(out);
            }
            (Stage::Settling, Fact::Settled) => {
                self.settled = true;
                self.proceed(out);
            }
            (Stage::Fetching, Fact::CommittedOffsets(commits)) => self.located(&commits, out),
            (Stage::Restoring(asked), Fact::Restored { partition, records, rest }) if partition == asked => {
                self.restored(partition, records, rest, out);
            }
            (Stage::Seeking(asked), Fact::Sought { partition, at }) if partition == asked => {
                self.sought(partition, at, out);
            }
            (Stage::Deciding, Fact::Decided) => self.decided(out),
            (Stage::Sending | Stage::SendingOffsets | Stage::Committing, Fact::Underway) => self.underway(out),
            (Stage::GatheringAhead, Fact::Polled(batches)) => self.polled_ahead(&batches, out),
            (Stage::GatheringAhead, wish @ (Fact::Assigned(_) | Fact::Revoked(_) | Fact::Lost(_))) => {
                self.wished_ahead(wish, out);
            }
            (Stage::DecidingAhead, Fact::Decided) => self.resume(0, out),
            (Stage::Opening, Fact::Begun) => self.begun(out),
            (Stage::Sending, Fact::Delivered) => self.send_offsets(out),
            (Stage::SendingOffsets, Fact::OffsetsSent) => {
                let within = self.within();
                self.ask(Stage::Committing, Command::Commit { within }, out);
            }
            (Stage::Committing, Fact::Committed { disturbed }) => self.committed(disturbed, out),
            (Stage::CommittingOffsets, Fact::OffsetsCommitted) => self.promote(out),
            (Stage::Resolving, Fact::CommittedOffsets(commits)) => self.resolve(&commits, out),
            (_, fact) => self.illegal(&fact, out),
        }
    }

    /// Something was given up. True when that has happened too often without one tick committed.
    fn gave_up(&mut self, out: &mut Vec<Command>) -> bool {
        self.failures += 1;
        let over = self.failures > limits::FAILURES;
        if over {
            let (times, reason) = (self.failures, std::mem::take(&mut self.last_failure));
            self.stop(Ending::Diagnosis(Diagnosis::NoProgress { times, reason }), out);
        }
        over
    }

    /// What comes next when nothing is asked and no transaction is open.
    fn proceed(&mut self, out: &mut Vec<Command>) {
        if self.tick.is_none() {
            // What rests upon a tick that is gone goes too.
            let ahead = self.ahead.take();
            self.drop_parts(ahead, out);
        }
        if let Some(wish) = self.wish.take() {
            self.stage = Stage::Polling;
            return self.answered(wish, out);
        }
        if self.stalled {
            self.stalled = false;
            return self.poll(self.settings.retry, out);
        }
        let needs_producer = self.tick.is_some() || self.drain_by.is_none();
        if needs_producer && !self.producer_ready {
            let within = self.within();
            return self.ask(Stage::Initialising, Command::InitProducer { within }, out);
        }
        if needs_producer && !self.settled {
            let within = self.within();
            return self.ask(Stage::Settling, Command::Settle { within }, out);
        }
        if self.tick.is_some() {
            return self.mend(out);
        }
        self.end_recovery(out);
        let revoked = std::mem::take(&mut self.revoked);
        self.give_away(revoked, out);
        if self.drain_by.is_some() {
            let within = self.within();
            return self.ask(Stage::Leaving, Command::Leave { within }, out);
        }
        self.apply_restrictions(out);
        if std::mem::take(&mut self.polled) && self.take_over(out) {
            return;
        }
        let wait = if self.has_takeover_work() { 0 } else { self.settings.idle };
        self.poll(wait, out);
    }

    fn poll(&mut self, wait: Millis, out: &mut Vec<Command>) {
        let records = self.settings.tick_records.min(self.settings.poll_records);
        self.ask(Stage::Polling, Command::Poll { wait, records }, out);
    }

    /// Goes on after a poll, in a tick or between two.
    fn after_poll(&mut self, out: &mut Vec<Command>) {
        self.polled = true;
        match self.stage {
            Stage::Gathering => self.gather_or_send(out),
            _ => self.proceed(out),
        }
    }

    fn restrictions_read(&mut self, positions: Positions, out: &mut Vec<Command>) {
        if self.restrictions_read.as_ref().is_some_and(|known| !positions.covers(known)) {
            return self.illegal(&Fact::RestrictionsRead(positions), out);
        }
        self.restrictions_read = Some(positions);
    }

    /// Between ticks only: what stands in the middle of one would not be what its record says.
    fn apply_restrictions(&mut self, out: &mut Vec<Command>) {
        let between = self.ahead.is_none() && self.tick.as_ref().is_none_or(|tick| tick.sealed);
        assert!(between, "restrictions are applied between ticks");
        if self.restrictions_read == self.restrictions_applied {
            return;
        }
        self.restrictions_applied.clone_from(&self.restrictions_read);
        out.extend(self.restrictions_applied.clone().map(Command::ApplyRestrictions));
    }

    /// A call failed; a transaction's calls are sorted by what may be done about the transaction.
    fn failed(&mut self, failure: Failure, out: &mut Vec<Command>) {
        let retriable = failure.sort == Sort::Retriable;
        match self.stage {
            Stage::Polling | Stage::Gathering if retriable => self.after_poll(out),
            Stage::GatheringAhead if retriable => self.resume(limits::AWAIT_MS, out),
            Stage::Initialising if failure.sort == Sort::Fenced => {
                self.stop(Ending::Diagnosis(Diagnosis::Fenced { reason: failure.reason }), out);
            }
            Stage::Initialising if !retriable => {
                self.last_failure = failure.reason;
                self.recycle(out);
            }
            Stage::Initialising
            | Stage::Settling
            | Stage::Fetching
            | Stage::Restoring(_)
            | Stage::Seeking(_)
            | Stage::Resolving
                if retriable =>
            {
                self.stalled = true;
                self.proceed(out);
            }
            Stage::Opening | Stage::Sending | Stage::SendingOffsets | Stage::Committing | Stage::CommittingOffsets => {
                self.tick_failed(failure, out)
            }
            stage => {
                self.stop(Ending::Diagnosis(Diagnosis::Refused { stage, reason: failure.reason }), out);
            }
        }
    }

    fn ask(&mut self, stage: Stage, command: Command, out: &mut Vec<Command>) {
        self.stage = stage;
        self.asked_at = self.now;
        self.asked = command.clone();
        out.push(command);
    }

    /// The longest that the next call may take.
    fn within(&self) -> Millis {
        let left = self.drain_by.map_or(Millis::MAX, |by| by.saturating_sub(self.now));
        self.settings.call.min(left)
    }

    fn illegal(&mut self, fact: &Fact, out: &mut Vec<Command>) {
        let diagnosis = Diagnosis::Illegal { stage: self.stage, fact: format!("{fact:?}") };
        self.stop(Ending::Diagnosis(diagnosis), out);
    }

    fn stop(&mut self, ending: Ending, out: &mut Vec<Command>) {
        self.stage = Stage::Stopped;
        out.push(Command::Stop(ending));
    }
}

// Each thing is tried at least once.
const _: () = assert!(limits::SENDS > 0 && limits::FAILURES > 0 && limits::CONTRADICTIONS > 0);
