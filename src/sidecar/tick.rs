//! A tick: records gathered, decided, sent and committed as one transaction.
//!
//! There is no undo. A tick's bytes are fixed when they are made, so after an abort the same bytes are sent again while
//! the partition is ours; in any doubt its state is dropped, and restored by the takeover. Records are decided on before
//! anything else is done about them: the next poll takes the place of the last one's.

use super::{
    Command, Diagnosis, Ending, Fact, Machine, Stage,
    fact::{Batch, Commit, Failure, Millis, Offset, Partition, Positions, Sort, Standing, Tag},
    settings::Delivery,
    takeover::Hold,
};
use crate::limits;
use std::collections::BTreeMap;

/// What is known of a tick's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its transaction is open, or about to be.
    Running,
    /// It was not committed; the same bytes are sent again.
    Resend,
    /// It may be committed or not: the stable offsets tell.
    Unknown,
}

/// One partition's part of a tick.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// What was committed before.
    pub before: Option<Commit>,
    pub next: Offset,
}

#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub number: u64,
    /// When its newest transaction began.
    pub begun: Millis,
    due: Millis,
    pub records: u64,
    pub parts: BTreeMap<Partition, Part>,
    /// Its transaction has begun.
    pub open: bool,
    /// No more records are added.
    pub sealed: bool,
    /// Of a tick that is ahead: the partitions up to this one have their bytes of state.
    pub sealed_to: Option<Partition>,
    pub fate: Fate,
    /// How often its bytes were sent.
    pub sends: u32,
    positions: Positions,
}

impl Tick {
    /// What the tick's record of one partition says.
    pub fn standing(&self, part: &Part, incarnation: u64) -> Standing {
        let tag = Tag { incarnation, tick: self.number };
        Standing { next: part.next, tag, positions: self.positions.clone() }
    }
}

impl Machine {
    /// Records came: they open a tick or join the open one.
    pub(super) fn polled(&mut self, batches: &[Batch], out: &mut Vec<Command>) {
        let Some(accepted) = self.accept(batches) else {
            return self.illegal(&Fact::Polled(batches.to_vec()), out);
        };
        if accepted.is_empty() {
            return self.after_poll(out);
        }
        self.polled = true;
        let mut tick = self.tick.take().unwrap_or_else(|| self.next_tick());
        self.add(&mut tick, &accepted);
        self.tick = Some(tick);
        self.ask(Stage::Deciding, Command::Decide(accepted), out);
    }

    /// What of the records is to be decided on; none where they cannot come.
    pub(super) fn accept(&mut self, batches: &[Batch]) -> Option<Vec<Batch>> {
        let mut accepted = Vec::new();
        for batch in batches {
            let Some(Hold::Ready { expected, .. }) = self.held.get_mut(&batch.partition).filter(|_| !self.recovering)
            else {
                return None;
            };
            // librdkafka may deliver again what it delivered before a pause (librdkafka #4637).
            let first = batch.first.max(*expected);
            if first < batch.next {
                *expected = batch.next;
                accepted.push(Batch { first, ..*batch });
            }
        }
        Some(accepted)
    }

    /// The first records of a tick open its transaction.
    pub(super) fn decided(&mut self, out: &mut Vec<Command>) {
        if self.tick_mut().open { self.gather_or_send(out) } else { self.open(out) }
    }

    /// A tick that begins now.
    pub(super) fn next_tick(&mut self) -> Tick {
        self.ticks += 1;
        Tick {
            number: self.ticks,
            begun: self.now,
            due: self.now + self.settings.tick,
            records: 0,
            parts: BTreeMap::new(),
            open: false,
            sealed: false,
            sealed_to: None,
            fate: Fate::Running,
            sends: 0,
            positions: self.restrictions_applied.clone().unwrap_or_default(),
        }
    }

    /// Adds records to a tick.
    pub(super) fn add(&self, tick: &mut Tick, batches: &[Batch]) {
        for batch in batches {
            let Some(Hold::Ready { commit, .. }) = self.held.get(&batch.partition) else { continue };
            let part = tick.parts.entry(batch.partition).or_insert(Part { before: *commit, next: batch.next });
            part.next = batch.next;
            tick.records += batch.records;
        }
    }

    /// Opens the tick's transaction, the first or another for the same bytes.
    pub(super) fn open(&mut self, out: &mut Vec<Command>) {
        assert!(self.producer_ready && self.settled, "a transaction needs a producer beyond doubt");
        let now = self.now;
        let tick = self.tick_mut();
        tick.begun = now;
        tick.fate = Fate::Running;
        match self.settings.delivery {
            Delivery::ExactlyOnce => self.ask(Stage::Opening, Command::Begin, out),
            Delivery::AtLeastOnce => self.begun(out),
        }
    }

    pub(super) fn begun(&mut self, out: &mut Vec<Command>) {
        self.tick_mut().open = true;
        match self.wish.take() {
            Some(wish) => {
                self.stage = Stage::Gathering;
                self.answered(wish, out);
            }
            None => self.gather_or_send(out),
        }
    }

    pub(super) fn gather_or_send(&mut self, out: &mut Vec<Command>) {
        let (now, bound, piece) = (self.now, self.settings.tick_records, self.settings.poll_records);
        let over = self.drain_by.is_some() || !self.revoked.is_empty();
        let tick = self.tick_mut();
        tick.sealed |= over || now >= tick.due || tick.records >= bound;
        if tick.sealed {
            return self.send(out);
        }
        let (wait, records) = (tick.due - now, piece.min(bound - tick.records));
        self.ask(Stage::Gathering, Command::Poll { wait, records }, out);
    }

    fn send(&mut self, out: &mut Vec<Command>) {
        let incarnation = self.settings.incarnation;
        let within = self.within();
        let tick = self.tick_mut();
        tick.sealed = true;
        tick.sends += 1;
        let standing = |part| tick.standing(part, incarnation);
        let records = tick.parts.iter().map(|(partition, part)| (*partition, standing(part))).collect();
        self.ask(Stage::Sending, Command::Send { records, within }, out);
    }

    /// What the tick commits.
    fn offsets(&self) -> Vec<(Partition, Commit)> {
        let Some(tick) = &self.tick else { return Vec::new() };
        let tag = Some(Tag { incarnation: self.settings.incarnation, tick: tick.number });
        tick.parts.iter().map(|(partition, part)| (*partition, Commit { next: part.next, tag })).collect()
    }

    pub(super) fn send_offsets(&mut self, out: &mut Vec<Command>) {
        let (offsets, within) = (self.offsets(), self.within());
        match self.settings.delivery {
            Delivery::ExactlyOnce => self.ask(Stage::SendingOffsets, Command::SendOffsets { offsets, within }, out),
            Delivery::AtLeastOnce => {
                self.ask(Stage::CommittingOffsets, Command::CommitOffsets { offsets, within }, out);
            }
        }
    }

    /// A commit that was slow or disturbed may be on its way a second time and hit the next transaction
    /// (KAFKA-17754), so another producer comes first.
    pub(super) fn committed(&mut self, disturbed: bool, out: &mut Vec<Command>) {
        if disturbed || self.was_slow() {
            return self.recover(out);
        }
        self.promote(out);
    }

    fn was_slow(&self) -> bool {
        self.now - self.asked_at > self.settings.slow_end
    }

    /// The tick is committed, beyond doubt.
    pub(super) fn promote(&mut self, out: &mut Vec<Command>) {
        for (partition, committed) in self.offsets() {
            if let Some(Hold::Ready { commit, .. }) = self.held.get_mut(&partition) {
                *commit = Some(committed);
            }
        }
        let tick = self.tick.take().expect("only a tick is promoted");
        out.push(Command::Release(tick.number));
        self.failures = 0;
        self.tick = self.take_ahead();
        if self.tick.is_some() { self.open(out) } else { self.proceed(out) }
    }

    /// A call of the tick's transaction failed.
    pub(super) fn tick_failed(&mut self, failure: Failure, out: &mut Vec<Command>) {
        let age = self.now - self.tick_mut().begun;
        self.last_failure.clone_from(&failure.reason);
        let timed_out = age >= self.settings.transaction_timeout;
        match failure.sort {
            Sort::Retriable if !timed_out => {
                out.push(self.asked.clone().at_most(self.within()));
            }
            // The group does not know us as we know ourselves: whether the partitions are ours is in doubt.
            Sort::Abort if matches!(self.stage, Stage::SendingOffsets | Stage::CommittingOffsets) => {
                self.drop_tick(out);
                if !self.gave_up(out) {
                    self.abort(out);
                }
            }
            Sort::Abort if matches!(self.stage, Stage::Sending | Stage::Committing) => self.abort(out),
            // The broker fences a producer itself when its transaction was open for too long.
            Sort::Fenced if !timed_out => {
                self.stop(Ending::Diagnosis(Diagnosis::Fenced { reason: failure.reason }), out);
            }
            _ => self.recycle(out),
        }
    }

    /// Ends the open transaction, which another producer does. Without transactions there is none.
    fn abort(&mut self, out: &mut Vec<Command>) {
        if self.settings.delivery == Delivery::ExactlyOnce {
            return self.recover(out);
        }
        if let Some(tick) = &mut self.tick {
            tick.sealed = true;
            tick.fate = Fate::Resend;
        }
        self.proceed(out);
    }

    /// Forgets the tick, and the state that it changed.
    pub(super) fn drop_tick(&mut self, out: &mut Vec<Command>) {
        let tick = self.tick.take();
        self.drop_parts(tick, out);
    }

    pub(super) fn drop_parts(&mut self, tick: Option<Tick>, out: &mut Vec<Command>) {
        let Some(tick) = tick else { return };
        let partitions: Vec<Partition> = tick.parts.into_keys().collect();
        if !partitions.is_empty() {
            out.push(Command::Pause(partitions.clone()));
        }
        for partition in partitions {
            out.push(Command::DropState(partition));
            self.held.insert(partition, Hold::Fresh);
        }
    }

    /// No transaction is open, but a tick waits to be committed: send it again, or find out.
    pub(super) fn mend(&mut self, out: &mut Vec<Command>) {
        let tick = self.tick_mut();
        if tick.fate == Fate::Unknown {
            let partitions = tick.parts.keys().copied().collect();
            let within = self.within();
            return self.ask(Stage::Resolving, Command::FetchCommitted { partitions, within }, out);
        }
        assert!(tick.fate == Fate::Resend, "a tick outside its transaction waits to be sent again");
        if tick.sends < limits::SENDS {
            return self.open(out);
        }
        self.drop_tick(out);
        if !self.gave_up(out) {
            self.proceed(out);
        }
    }

    pub(super) fn tick_mut(&mut self) -> &mut Tick {
        self.tick.as_mut().expect("the stages of a transaction have a tick")
    }
}
