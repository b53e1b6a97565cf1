//! Partitions that come and go.
//!
//! Taking one over has an order that never changes: pause, a producer that is initialised, the stable committed offset,
//! the state to its end, seek, resume. It is done in slices between ticks, never in a transaction and never in the
//! rebalance callback, while the other partitions go on. The old owner is fenced by the group's generation when it
//! commits, and the stable offset waits for its open transaction.

use super::{
    Command, Diagnosis, Ending, Fact, Machine, Stage,
    fact::{Commit, Millis, Offset, Partition, Place, Positions, Rest, Standing},
    settings::Delivery,
};
use crate::limits;

/// How far the takeover of a partition is.
#[derive(Clone, Debug)]
pub(super) enum Hold {
    /// It is ours and paused; nothing is known of it.
    Fresh,
    /// Its committed offset is known and its state is being restored.
    Located { commit: Option<Commit>, records: u64 },
    /// Its state is whole, and belongs to the offset.
    Restored { commit: Option<Commit>, to: Place, positions: Positions },
    /// It is decided on; `expected` is the next record.
    Ready { commit: Option<Commit>, expected: Offset },
}

/// Offsets and state of a partition that do not belong together. Another owner may just have moved both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contradiction {
    since: Millis,
    times: u32,
}

impl Machine {
    pub(super) fn assigned(&mut self, partitions: Vec<Partition>, out: &mut Vec<Command>) {
        if partitions.iter().any(|partition| self.held.contains_key(partition)) {
            return self.illegal(&Fact::Assigned(partitions), out);
        }
        self.held.extend(partitions.iter().map(|partition| (*partition, Hold::Fresh)));
        let (partitions_held, bound) = (self.held.len(), limits::WORKER_PARTITIONS);
        if partitions_held > bound {
            let diagnosis = Diagnosis::TooManyPartitions { partitions: partitions_held, bound };
            return self.stop(Ending::Diagnosis(diagnosis), out);
        }
        out.push(Command::Assign(partitions.clone()));
        if !partitions.is_empty() {
            out.push(Command::Pause(partitions));
        }
        self.after_poll(out);
    }

    /// The open tick is committed before any of its partitions is given away.
    pub(super) fn revoked(&mut self, partitions: Vec<Partition>, out: &mut Vec<Command>) {
        if partitions.iter().any(|partition| !self.held.contains_key(partition)) {
            return self.illegal(&Fact::Revoked(partitions), out);
        }
        let in_tick = |partition| self.tick.as_ref().is_some_and(|tick| tick.parts.contains_key(partition));
        if self.stage == Stage::Gathering && partitions.iter().any(in_tick) {
            self.revoked = partitions;
        } else {
            self.give_away(partitions, out);
        }
        self.after_poll(out);
    }

    /// What is lost may be somebody else's already: nothing of it is committed.
    pub(super) fn lost(&mut self, partitions: Vec<Partition>, out: &mut Vec<Command>) {
        if partitions.iter().any(|partition| !self.held.contains_key(partition)) {
            return self.illegal(&Fact::Lost(partitions), out);
        }
        let in_tick = |partition| self.tick.as_ref().is_some_and(|tick| tick.parts.contains_key(partition));
        let torn_from_tick = self.stage == Stage::Gathering && partitions.iter().any(in_tick);
        self.give_away(partitions, out);
        if torn_from_tick && self.settings.delivery == Delivery::ExactlyOnce {
            return self.recover(out);
        }
        if torn_from_tick && self.tick_mut().parts.is_empty() {
            self.tick = None;
            return self.proceed(out);
        }
        self.after_poll(out);
    }

    /// Forgets partitions and grants them to the group. Their part of a tick goes with them, so no transaction that
    /// has seen it may be open, unless it is aborted next.
    pub(super) fn give_away(&mut self, partitions: Vec<Partition>, out: &mut Vec<Command>) {
        if partitions.is_empty() {
            return;
        }
        for partition in &partitions {
            out.push(Command::DropState(*partition));
            self.held.remove(partition);
            self.contradictions.remove(partition);
            for tick in self.tick.iter_mut().chain(&mut self.ahead) {
                tick.parts.remove(partition);
            }
        }
        self.ahead.take_if(|ahead| ahead.parts.is_empty());
        out.push(Command::Unassign(partitions));
        let between = !matches!(self.stage, Stage::Gathering);
        if between && self.tick.as_ref().is_some_and(|tick| tick.parts.is_empty()) {
            self.tick = None;
        }
    }

    pub(super) fn has_takeover_work(&self) -> bool {
        self.held.values().any(|hold| match hold {
            Hold::Fresh | Hold::Located { .. } => true,
            Hold::Restored { positions, .. } => self.applied_covers(positions),
            Hold::Ready { .. } => false,
        })
    }

    /// A decision must know what the decisions before it knew, and what stood when the worker started.
    fn applied_covers(&self, positions: &Positions) -> bool {
        self.restrictions_applied.as_ref().is_some_and(|applied| applied.covers(positions))
    }

    /// Asks for the next step of a takeover; false when there is none to take.
    pub(super) fn take_over(&mut self, out: &mut Vec<Command>) -> bool {
        assert!(self.tick.is_none(), "nothing is restored inside a transaction");
        let within = self.within();
        let fresh: Vec<Partition> =
            self.held.iter().filter(|(_, hold)| matches!(hold, Hold::Fresh)).map(|(partition, _)| *partition).collect();
        if !fresh.is_empty() {
            self.ask(Stage::Fetching, Command::FetchCommitted { partitions: fresh, within }, out);
            return true;
        }
        let step = self.held.iter().find_map(|(partition, hold)| match hold {
            Hold::Located { .. } => Some((*partition, None)),
            Hold::Restored { to, positions, .. } if self.applied_covers(positions) => Some((*partition, Some(*to))),
            _ => None,
        });
        match step {
            Some((partition, None)) => {
                let records = self.settings.restore_slice;
                self.ask(Stage::Restoring(partition), Command::Restore { partition, records }, out);
            }
            Some((partition, Some(to))) => {
                self.ask(Stage::Seeking(partition), Command::Seek { partition, to, within }, out);
            }
            None => return false,
        }
        true
    }

    pub(super) fn located(&mut self, commits: &[(Partition, Option<Commit>)], out: &mut Vec<Command>) {
        for (partition, commit) in commits {
            let Some(hold @ Hold::Fresh) = self.held.get_mut(partition) else {
                return self.illegal(&Fact::CommittedOffsets(commits.to_vec()), out);
            };
            *hold = Hold::Located { commit: *commit, records: 0 };
        }
        self.proceed(out);
    }

    pub(super) fn restored(&mut self, partition: Partition, records: u64, rest: Rest, out: &mut Vec<Command>) {
        let Some(Hold::Located { commit, records: before }) = self.held.get_mut(&partition) else {
            return self.illegal(&Fact::Restored { partition, records, rest }, out);
        };
        *before += records;
        let (commit, read, bound) = (*commit, *before, self.settings.restore_records);
        if read > bound {
            let diagnosis = Diagnosis::RestoreTooLarge { partition, records: read, bound };
            return self.stop(Ending::Diagnosis(diagnosis), out);
        }
        let Rest::End(standing) = rest else {
            // A slice without a record waits for somebody's transaction to end.
            self.stalled = records == 0;
            return self.proceed(out);
        };
        match self.place(commit, standing.as_ref()) {
            Some(to) => {
                let positions = standing.map(|standing| standing.positions).unwrap_or_default();
                self.held.insert(partition, Hold::Restored { commit, to, positions });
                self.proceed(out);
            }
            None => self.contradicted(partition, commit, standing, out),
        }
    }

    /// Where to go on, if offset and state belong to the same tick.
    fn place(&self, commit: Option<Commit>, standing: Option<&Standing>) -> Option<Place> {
        match (commit, standing) {
            (None, None) => Some(Place::Beginning),
            // The group's offsets expired or were deleted, and the state knows its place; or the topic is another one.
            (None, Some(Standing { next, tag, .. })) => Some(Place::Standing(Commit { next: *next, tag: Some(*tag) })),
            // An operator set the offset before the first tick.
            (Some(commit), None) => commit.tag.is_none().then_some(Place::Committed(commit.next)),
            (Some(commit), Some(standing)) => {
                let same = commit.next == standing.next && commit.tag == Some(standing.tag);
                // Without transactions the state may be ahead; the engine knows repeats by their id.
                let ahead = self.settings.delivery == Delivery::AtLeastOnce && standing.next >= commit.next;
                (same || ahead).then_some(Place::Committed(commit.next))
            }
        }
    }

    /// Tries again for as long as another owner could be the reason, then stops.
    fn contradicted(
        &mut self,
        partition: Partition,
        commit: Option<Commit>,
        standing: Option<Standing>,
        out: &mut Vec<Command>,
    ) {
        let now = self.now;
        let contradiction = self.contradictions.entry(partition).or_insert(Contradiction { since: now, times: 0 });
        contradiction.times += 1;
        let lasted = now - contradiction.since;
        if contradiction.times >= limits::CONTRADICTIONS && lasted > 2 * self.settings.session_timeout {
            return self.stop(Ending::Diagnosis(Diagnosis::Torn { partition, commit, standing }), out);
        }
        out.push(Command::DropState(partition));
        self.held.insert(partition, Hold::Fresh);
        self.stalled = true;
        self.proceed(out);
    }

    pub(super) fn sought(&mut self, partition: Partition, at: Offset, out: &mut Vec<Command>) {
        let Some(Hold::Restored { commit, to, .. }) = self.held.get(&partition) else {
            return self.illegal(&Fact::Sought { partition, at }, out);
        };
        if to.offset().is_some_and(|to| at < to) {
            return self.illegal(&Fact::Sought { partition, at }, out);
        }
        self.held.insert(partition, Hold::Ready { commit: *commit, expected: at });
        self.contradictions.remove(&partition);
        out.push(Command::Resume(vec![partition]));
        self.proceed(out);
    }
}
