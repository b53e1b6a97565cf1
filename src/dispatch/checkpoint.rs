//! Checkpoints: what one transaction writes, and what is known once it is committed.
//!
//! A checkpoint holds records of `alerts-retry`, alerts for `alerts-failed`, and offsets of `decisions` that lean on nothing
//! else. It always names offsets of the partitions that it touches, new or not, because by them the group finds out who has lost
//! them. Of one that failed, or of which nobody knows what became, nothing is believed: the next says the same again, and
//! saying it twice changes nothing.

use super::{
    endpoint::Ticket,
    machine::{GroupKey, Machine},
    record::{Collected, Kept},
};
use crate::{
    limits,
    sidecar::{Millis, Offset, Partition},
};
use std::collections::{BTreeMap, BTreeSet};

/// A record of `alerts-retry`; no value deletes the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub partition: Partition,
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// What one transaction writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    pub records: Vec<Written>,
    /// For `alerts-failed`, by id.
    pub failed: Vec<Kept>,
    pub offsets: Vec<(Partition, Offset)>,
    saved: Vec<Ticket>,
    given_up: Vec<Ticket>,
    deleted: Vec<Ticket>,
    groups: Vec<GroupKey>,
    buried: Vec<GroupKey>,
}

/// Which alerts that are not delivered a checkpoint saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// Those whose time has come.
    Due,
    /// All, because their partitions are handed over.
    All,
}

impl Checkpoint {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.failed.is_empty() && self.offsets.is_empty()
    }

    fn write(&mut self, partition: Partition, key: String, value: Option<Vec<u8>>) {
        self.records.push(Written { partition, key, value });
    }
}

impl Machine {
    /// What is to be written now. Nothing else may happen to the machine until [`Machine::committed`] or until the checkpoint
    /// has failed.
    pub fn checkpoint(&mut self, now: Millis, save: Save) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        let room = limits::ALERT_CHECKPOINT;
        if save == Save::All {
            self.save_all(now);
        }
        // The oldest come first, so that whatever one checkpoint saved in vain is in the next one.
        let saved = self.unsaved.iter().take_while(|(save_at, _)| *save_at <= now).map(|(_, ticket)| *ticket);
        checkpoint.saved = saved.chain(self.stale.iter().copied()).take(room).collect();
        checkpoint.given_up = self.given_up.iter().copied().take(room).collect();
        checkpoint.groups = self.changed.iter().cloned().collect();
        for ticket in &checkpoint.saved {
            let item = self.items.get_mut(ticket).expect("what is to be saved is there");
            item.written = true;
            checkpoint.records.push(Written {
                partition: item.partition,
                key: item.kept.key(),
                value: Some(item.kept.value()),
            });
        }
        // Of a group that is given up a record stays until its decisions are committed: read again, they would be another body.
        for ticket in &checkpoint.given_up {
            let item = self.items.get_mut(ticket).expect("what is given up is there");
            if item.kept.group.is_some() {
                item.written = true;
                let (key, value) = (item.kept.key(), item.kept.value());
                checkpoint.records.push(Written { partition: item.partition, key, value: Some(value) });
            }
        }
        checkpoint.failed = checkpoint.given_up.iter().map(|ticket| self.items[ticket].kept.clone()).collect();
        for key in &checkpoint.groups {
            let group = self.groups.get_mut(key).expect("what has changed is open");
            group.written = true;
            let (name, value) = (Collected::key(&key.1), group.collected.value());
            checkpoint.records.push(Written { partition: key.0, key: name, value: Some(value) });
        }
        let targets = self.targets(&checkpoint);
        self.delete(&mut checkpoint, &targets);
        let touched: BTreeSet<Partition> = self.touched(&checkpoint);
        for (partition, target) in targets {
            let committed = self.committed_of(partition);
            if target > committed || touched.contains(&partition) {
                checkpoint.offsets.push((partition, target));
            }
        }
        checkpoint
    }

    /// How far each partition may be committed with the checkpoint.
    fn targets(&self, checkpoint: &Checkpoint) -> BTreeMap<Partition, Offset> {
        let mut ledgers: BTreeMap<Partition, _> =
            self.shares.iter().filter_map(|(partition, share)| Some((*partition, share.ledger.clone()?))).collect();
        let items = checkpoint.saved.iter().chain(&checkpoint.given_up).map(|ticket| &self.items[ticket]);
        let items = items.map(|item| (item.partition, &item.holds));
        let groups = checkpoint.groups.iter().map(|key| (key.0, &self.groups[key].holds));
        for (partition, holds) in items.chain(groups) {
            let ledger = ledgers.get_mut(&partition).expect("what is held is held in a ledger");
            holds.iter().for_each(|offset| ledger.release(*offset));
        }
        let target = |ledger: &super::ledger::Ledger| ledger.committable().unwrap_or(ledger.committed());
        ledgers.iter().map(|(partition, ledger)| (*partition, target(ledger))).collect()
    }

    /// Deletes records of what is done: not before the offsets that lead to it are committed, or a decision that is read
    /// again would open its group, or send it, anew.
    fn delete(&self, checkpoint: &mut Checkpoint, targets: &BTreeMap<Partition, Offset>) {
        for ticket in &self.done {
            let item = &self.items[ticket];
            if item.kept.offset < targets[&item.partition] && checkpoint.deleted.len() < limits::ALERT_CHECKPOINT {
                checkpoint.deleted.push(*ticket);
                checkpoint.write(item.partition, item.kept.key(), None);
            }
        }
        // A closed group's record goes with the one that fixes its body, in one transaction; one that was opened since under the
        // same key has taken its place already.
        let now: BTreeSet<&Ticket> = checkpoint.saved.iter().chain(&checkpoint.given_up).collect();
        let later = self.unsaved.iter().map(|(_, ticket)| ticket).chain(&self.given_up);
        let later: BTreeSet<GroupKey> = later
            .filter(|ticket| !self.buried.is_empty() && !now.contains(ticket))
            .filter_map(|ticket| {
                let item = &self.items[ticket];
                Some((item.partition, item.kept.group.clone()?))
            })
            .collect();
        for key in &self.buried {
            if later.contains(key) {
                continue;
            }
            checkpoint.buried.push(key.clone());
            if !self.groups.contains_key(key) {
                checkpoint.write(key.0, Collected::key(&key.1), None);
            }
        }
    }

    fn touched(&self, checkpoint: &Checkpoint) -> BTreeSet<Partition> {
        let failed = checkpoint.given_up.iter().map(|ticket| self.items[ticket].partition);
        checkpoint.records.iter().map(|record| record.partition).chain(failed).collect()
    }

    fn committed_of(&self, partition: Partition) -> Offset {
        let ledger = self.shares.get(&partition).and_then(|share| share.ledger.as_ref());
        ledger.expect("a partition with a target has begun").committed()
    }

    /// The checkpoint is committed.
    pub fn committed(&mut self, checkpoint: &Checkpoint) {
        for ticket in &checkpoint.saved {
            self.keep(*ticket);
        }
        self.given_up.drain(..checkpoint.given_up.len());
        for ticket in &checkpoint.given_up {
            self.settle(*ticket);
        }
        for key in &checkpoint.groups {
            self.changed.remove(key);
            let group = self.groups.get_mut(key).expect("nothing happened in between");
            let holds = std::mem::take(&mut group.holds);
            let ledger = self.shares.get_mut(&key.0).and_then(|share| share.ledger.as_mut());
            let ledger = ledger.expect("a group's partition has begun");
            holds.into_iter().for_each(|offset| ledger.release(offset));
        }
        for ticket in &checkpoint.deleted {
            self.done.remove(ticket);
            self.forget(*ticket);
        }
        for key in &checkpoint.buried {
            self.buried.remove(key);
        }
        for (partition, offset) in &checkpoint.offsets {
            let ledger = self.shares.get_mut(partition).and_then(|share| share.ledger.as_mut());
            ledger.expect("nothing happened in between").committed_to(*offset);
        }
    }
}
