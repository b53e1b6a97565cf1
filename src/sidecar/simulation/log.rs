//! A model of a partition: records of transactions, their markers, the last stable offset, compaction.

use crate::sidecar::{Commit, Offset, Partition, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// What a toy decision says, which is all that a judge needs to do it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub offset: Offset,
    pub wallet: u64,
    pub count: u64,
    pub sum: u64,
    /// The restriction from elsewhere that stood on the wallet.
    pub foreign: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Decision { decided: Decided, positions: Vec<Offset> },
    Wallet { count: u64, sum: u64, last: Offset },
    Tick(Standing),
    Restriction { by: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub key: u64,
    pub value: Value,
}

/// The key of a tick's record beside those of wallets.
pub const TICK_KEY: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Decisions,
    State,
    Restrictions,
}

/// What a transaction can touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Log(Topic, Partition),
    Offsets,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open(usize),
    Committed,
    Aborted,
}

#[derive(Clone, Debug)]
struct Entry {
    /// A marker, or what compaction took away, has none; its offset stays.
    record: Option<Record>,
    outcome: Outcome,
}

/// What the log knows of a producer, to drop what is sent twice.
#[derive(Clone, Copy, Debug)]
struct Sequence {
    epoch: u32,
    last: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: Vec<Entry>,
    producers: BTreeMap<usize, Sequence>,
}

fn offset(place: usize) -> Offset {
    Offset::try_from(place).expect("logs of a simulation are short")
}

fn place(offset: Offset) -> usize {
    usize::try_from(offset).expect("offsets are not negative")
}

/// What became of a batch of one producer.
pub enum Appended {
    Yes,
    Again,
    OutOfOrder,
}

impl Log {
    pub fn append(&mut self, producer: usize, epoch: u32, sequence: u64, open: bool, records: Vec<Record>) -> Appended {
        match self.producers.get(&producer) {
            Some(known) if known.epoch == epoch && sequence <= known.last => return Appended::Again,
            Some(known) if known.epoch == epoch && sequence > known.last + 1 => return Appended::OutOfOrder,
            Some(known) if known.epoch > epoch => return Appended::OutOfOrder,
            _ => {}
        }
        self.producers.insert(producer, Sequence { epoch, last: sequence });
        let outcome = if open { Outcome::Open(producer) } else { Outcome::Committed };
        self.entries.extend(records.into_iter().map(|record| Entry { record: Some(record), outcome }));
        Appended::Yes
    }

    pub fn mark(&mut self, producer: usize, commit: bool) {
        let outcome = if commit { Outcome::Committed } else { Outcome::Aborted };
        for entry in self.entries.iter_mut().filter(|entry| entry.outcome == Outcome::Open(producer)) {
            entry.outcome = outcome;
        }
        self.entries.push(Entry { record: None, outcome: Outcome::Committed });
    }

    /// One past the newest entry, whatever became of it.
    pub fn end(&self) -> Offset {
        offset(self.entries.len())
    }

    /// Before this offset the fate of every record is known.
    pub fn stable(&self) -> Offset {
        let open = |entry: &Entry| matches!(entry.outcome, Outcome::Open(_));
        offset(self.entries.iter().position(open).unwrap_or(self.entries.len()))
    }

    /// The record at a place, if a reader who waits for the last stable offset sees one.
    pub fn committed(&self, at: Offset) -> Option<&Record> {
        let entry = self.entries.get(place(at))?;
        (entry.outcome == Outcome::Committed).then_some(entry.record.as_ref())?
    }

    /// The record at a place, aborted or not.
    pub fn any(&self, at: Offset) -> Option<&Record> {
        self.entries.get(place(at))?.record.as_ref()
    }

    pub fn all_committed(&self) -> impl Iterator<Item = (Offset, &Record)> {
        (0..self.end()).filter_map(|at| self.committed(at).map(|record| (at, record)))
    }

    /// Takes away what is aborted and what a newer committed record of the key replaces.
    pub fn compact(&mut self) {
        let stable = place(self.stable());
        let mut newer = BTreeSet::new();
        for entry in self.entries[..stable].iter_mut().rev() {
            let gone = match (&entry.record, entry.outcome) {
                (Some(record), Outcome::Committed) => !newer.insert(record.key),
                _ => true,
            };
            if gone {
                entry.record = None;
            }
        }
    }
}

/// The group's committed offsets, and those that wait for their transaction.
#[derive(Clone, Debug, Default)]
pub struct Offsets {
    pub committed: BTreeMap<Partition, Commit>,
    pub pending: BTreeMap<usize, BTreeMap<Partition, Commit>>,
}

impl Offsets {
    pub fn mark(&mut self, producer: usize, commit: bool) {
        let pending = self.pending.remove(&producer).unwrap_or_default();
        if commit {
            self.committed.extend(pending);
        }
    }

    pub fn unstable(&self, partition: Partition) -> bool {
        self.pending.values().any(|pending| pending.contains_key(&partition))
    }
}
