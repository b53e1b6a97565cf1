//! After a call that failed, or whose outcome is unknown or known too late to be trusted: another producer, then the stable
//! offsets.
//!
//! `init_transactions` fences every request of the old producer that may still be on its way, and the broker completes
//! or aborts what it left open: no transaction is aborted in any other way, because an abort on the old producer lets its
//! late requests into the next transaction. Then the broker's word is checked: a transaction that it calls over and
//! whose end it has lost (KAFKA-20734) would end with the next one of the same producer, so nothing is sent before all of
//! them show as over. After that the committed offsets tell what became of the tick.

use super::{
    Command, Delivery, Fact, Machine,
    fact::{Commit, Partition, Tag},
    takeover::Hold,
    tick::Fate,
};

impl Machine {
    /// The producer failed: another one, but not for ever.
    pub(super) fn recycle(&mut self, out: &mut Vec<Command>) {
        if self.gave_up(out) {
            return;
        }
        self.stalled = true;
        self.recover(out);
    }

    /// Nothing is polled, decided or begun until a new producer is there and the tick's fate is known.
    pub(super) fn recover(&mut self, out: &mut Vec<Command>) {
        self.producer_ready = false;
        self.settled = self.settings.delivery == Delivery::AtLeastOnce;
        if !self.recovering {
            self.recovering = true;
            let ready = self.ready_partitions();
            if !ready.is_empty() {
                out.push(Command::Pause(ready));
            }
        }
        // The group waits for these, and the next owner finds out what became of them.
        let revoked = std::mem::take(&mut self.revoked);
        self.give_away(revoked, out);
        self.tick.take_if(|tick| tick.parts.is_empty());
        if let Some(tick) = &mut self.tick {
            tick.fate = Fate::Unknown;
            tick.sealed = true;
            tick.open = false;
        }
        self.proceed(out);
    }

    pub(super) fn end_recovery(&mut self, out: &mut Vec<Command>) {
        if !self.recovering {
            return;
        }
        self.recovering = false;
        let ready = self.ready_partitions();
        if !ready.is_empty() {
            out.push(Command::Resume(ready));
        }
    }

    fn ready_partitions(&self) -> Vec<Partition> {
        let ready = |hold: &Hold| matches!(hold, Hold::Ready { .. });
        self.held.iter().filter(|(_, hold)| ready(hold)).map(|(partition, _)| *partition).collect()
    }

    /// The stable offsets judge a tick of unknown fate: committed, not committed, or something else, which is doubt.
    pub(super) fn resolve(&mut self, commits: &[(Partition, Option<Commit>)], out: &mut Vec<Command>) {
        let incarnation = self.settings.incarnation;
        let tick = self.tick_mut();
        let tag = Some(Tag { incarnation, tick: tick.number });
        if !tick.parts.keys().eq(commits.iter().map(|(partition, _)| partition)) {
            return self.illegal(&Fact::CommittedOffsets(commits.to_vec()), out);
        }
        let mut parts = tick.parts.values().zip(commits);
        if parts.clone().all(|(part, (_, found))| *found == Some(Commit { next: part.next, tag })) {
            self.promote(out);
        } else if parts.all(|(part, (_, found))| *found == part.before) {
            tick.fate = Fate::Resend;
            self.proceed(out);
        } else {
            self.drop_tick(out);
            self.proceed(out);
        }
    }
}
