//! A model of Kafka's broker as the machine meets it: transaction coordinator, stable offsets, logs.
//!
//! A transaction is `Ongoing` until an EndTxn or its timeout prepares its end; markers are then written one target
//! at a time, in no order, and only the last one completes it. `init_transactions` raises the epoch and aborts what is
//! open. Without KIP-890's second part the epoch stays over transactions, so that an EndTxn of an earlier one can hit
//! a later one (KAFKA-17754); `bump_each` is the broker and client that have it.

use super::{
    group::{Group, MemberId},
    log::{Appended, Log, Offsets, Record, Target, Topic},
};
use crate::sidecar::{Commit, Millis, Offset, Partition};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
pub enum Request {
    Init,
    Produce { topic: Topic, partition: Partition, sequence: u64, records: Vec<Record> },
    TransactionOffsets { member: Option<MemberId>, generation: i64, offsets: Vec<(Partition, Commit)> },
    End { commit: bool },
    Offsets { partitions: Vec<Partition>, stable: bool },
    GroupOffsets { member: Option<MemberId>, generation: i64, offsets: Vec<(Partition, Commit)> },
}

#[derive(Clone, Debug)]
pub enum Response {
    /// The producer's epoch from here on.
    Epoch(u32),
    Done,
    Offsets(Vec<(Partition, Option<Commit>)>),
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client asks again after a while: the last transaction is not complete, an offset is not stable.
    Later,
    Fenced,
    InvalidState,
    /// The group does not know the member or the generation.
    IllegalGeneration,
    OutOfOrder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Empty,
    Ongoing { since: Millis },
    Prepared { commit: bool },
    Complete { commit: bool },
}

#[derive(Clone, Debug)]
struct Transaction {
    epoch: u32,
    status: Status,
    targets: BTreeSet<Target>,
    /// How many targets there were when its end was prepared.
    prepared: usize,
}

/// A marker that is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    pub producer: usize,
    pub target: Target,
    pub commit: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Input {
    pub offset: Offset,
    pub wallet: u64,
    pub amount: u64,
}

/// One producer, `slot`, is one transactional id.
#[derive(Debug)]
pub struct Broker {
    pub up: bool,
    /// Just started again: the coordinator works, and the partitions have no leader yet.
    pub leaderless: bool,
    /// Transactions whose ends were lost (KAFKA-20734).
    pub lost: u64,
    pub group: Group,
    pub offsets: Offsets,
    pub inputs: BTreeMap<Partition, Vec<Input>>,
    pub logs: BTreeMap<(Topic, Partition), Log>,
    transactions: BTreeMap<usize, Transaction>,
    /// Markers that the world has to let happen.
    pub markers: Vec<Marker>,
    transaction_timeout: Millis,
    bump_each: bool,
    transactional: bool,
}

impl Broker {
    pub fn new(group: Group, transaction_timeout: Millis, bump_each: bool, transactional: bool) -> Broker {
        Broker {
            up: true,
            leaderless: false,
            lost: 0,
            group,
            offsets: Offsets::default(),
            inputs: BTreeMap::new(),
            logs: BTreeMap::new(),
            transactions: BTreeMap::new(),
            markers: Vec::new(),
            transaction_timeout,
            bump_each,
            transactional,
        }
    }

    pub fn log(&mut self, topic: Topic, partition: Partition) -> &mut Log {
        self.logs.entry((topic, partition)).or_default()
    }

    pub fn handle(&mut self, slot: usize, epoch: u32, request: Request, now: Millis) -> Response {
        if self.leaderless && !matches!(request, Request::Init | Request::End { .. }) {
            return Response::Refused(Refusal::Later);
        }
        match request {
            Request::Init => self.init(slot),
            Request::Produce { topic, partition, sequence, records } => {
                self.produce(slot, epoch, (topic, partition), sequence, records, now)
            }
            Request::TransactionOffsets { member, generation, offsets } => {
                if !self.group.accepts(member, generation) {
                    return Response::Refused(Refusal::IllegalGeneration);
                }
                if let Err(refusal) = self.enlist(slot, epoch, Target::Offsets, now) {
                    return Response::Refused(refusal);
                }
                self.offsets.pending.entry(slot).or_default().extend(offsets);
                Response::Done
            }
            Request::End { commit } => self.end(slot, epoch, commit),
            Request::Offsets { partitions, stable } => {
                if stable && partitions.iter().any(|partition| self.offsets.unstable(*partition)) {
                    return Response::Refused(Refusal::Later);
                }
                let known = |partition| (partition, self.offsets.committed.get(&partition).copied());
                Response::Offsets(partitions.into_iter().map(known).collect())
            }
            Request::GroupOffsets { member, generation, offsets } => {
                if member.is_none() || !self.group.accepts(member, generation) {
                    return Response::Refused(Refusal::IllegalGeneration);
                }
                self.offsets.committed.extend(offsets);
                Response::Done
            }
        }
    }

    fn init(&mut self, slot: usize) -> Response {
        let fresh = Transaction { epoch: 0, status: Status::Empty, targets: BTreeSet::new(), prepared: 0 };
        let transaction = self.transactions.entry(slot).or_insert(fresh);
        match transaction.status {
            Status::Ongoing { .. } => {
                transaction.epoch += 1;
                self.prepare(slot, false);
                Response::Refused(Refusal::Later)
            }
            Status::Prepared { .. } => Response::Refused(Refusal::Later),
            Status::Empty | Status::Complete { .. } => {
                transaction.epoch += 1;
                transaction.status = Status::Empty;
                Response::Epoch(transaction.epoch)
            }
        }
    }

    /// The producer's transaction goes on to a target, or begins with it.
    fn enlist(&mut self, slot: usize, epoch: u32, target: Target, now: Millis) -> Result<(), Refusal> {
        let transaction = self.transactions.get_mut(&slot).ok_or(Refusal::InvalidState)?;
        if transaction.epoch != epoch {
            return Err(Refusal::Fenced);
        }
        match transaction.status {
            Status::Prepared { .. } => return Err(Refusal::Later),
            Status::Ongoing { .. } => {}
            Status::Empty | Status::Complete { .. } => transaction.status = Status::Ongoing { since: now },
        }
        transaction.targets.insert(target);
        Ok(())
    }

    fn produce(
        &mut self,
        slot: usize,
        epoch: u32,
        (topic, partition): (Topic, Partition),
        sequence: u64,
        records: Vec<Record>,
        now: Millis,
    ) -> Response {
        if self.transactional
            && let Err(refusal) = self.enlist(slot, epoch, Target::Log(topic, partition), now)
        {
            return Response::Refused(refusal);
        }
        let open = self.transactional;
        match self.log(topic, partition).append(slot, epoch, sequence, open, records) {
            Appended::Yes | Appended::Again => Response::Done,
            Appended::OutOfOrder => Response::Refused(Refusal::OutOfOrder),
        }
    }

    fn end(&mut self, slot: usize, epoch: u32, commit: bool) -> Response {
        let Some(transaction) = self.transactions.get_mut(&slot) else {
            return Response::Refused(Refusal::InvalidState);
        };
        let before = self.bump_each && epoch + 1 == transaction.epoch;
        if transaction.epoch != epoch && !before {
            return Response::Refused(Refusal::Fenced);
        }
        match transaction.status {
            Status::Ongoing { .. } if before => Response::Refused(Refusal::Fenced),
            Status::Ongoing { .. } => {
                transaction.epoch += u32::from(self.bump_each);
                let epoch = transaction.epoch;
                self.prepare(slot, commit);
                Response::Epoch(epoch)
            }
            Status::Prepared { commit: prepared } if prepared == commit => Response::Refused(Refusal::Later),
            Status::Complete { commit: complete } if complete == commit => Response::Epoch(transaction.epoch),
            _ => Response::Refused(Refusal::InvalidState),
        }
    }

    fn prepare(&mut self, slot: usize, commit: bool) {
        let transaction = self.transactions.get_mut(&slot).expect("only a known transaction is prepared");
        transaction.status = Status::Prepared { commit };
        transaction.prepared = transaction.targets.len();
        if self.leaderless {
            self.lose_markers();
            return;
        }
        let marker = |target: &Target| Marker { producer: slot, target: *target, commit };
        self.markers.extend(transaction.targets.iter().map(marker));
    }

    pub fn write(&mut self, marker: Marker) {
        match marker.target {
            Target::Log(topic, partition) => self.log(topic, partition).mark(marker.producer, marker.commit),
            Target::Offsets => self.offsets.mark(marker.producer, marker.commit),
        }
        let transaction = self.transactions.get_mut(&marker.producer).expect("it was prepared");
        transaction.targets.remove(&marker.target);
        if transaction.targets.is_empty() {
            transaction.status = Status::Complete { commit: marker.commit };
        }
    }

    /// Aborts what was open for too long; the epoch fences whoever left it open.
    pub fn sweep(&mut self, now: Millis) {
        let timeout = self.transaction_timeout;
        let over = |transaction: &Transaction| matches!(transaction.status, Status::Ongoing { since } if since + timeout < now);
        let slots: Vec<usize> =
            self.transactions.iter().filter(|(_, transaction)| over(transaction)).map(|(slot, _)| *slot).collect();
        for slot in slots {
            if let Some(transaction) = self.transactions.get_mut(&slot) {
                transaction.epoch += 1;
            }
            self.prepare(slot, false);
        }
    }

    /// Whether the marker is still to be written.
    pub fn is_due(&self, marker: Marker) -> bool {
        let of = self.transactions.get(&marker.producer);
        of.is_some_and(|of| matches!(of.status, Status::Prepared { .. }) && of.targets.contains(&marker.target))
    }

    /// Takes every transaction for complete of which no marker was written yet, as the broker does while no partition has a
    /// leader. What it wrote stays open until the producer's next marker.
    pub fn lose_markers(&mut self) {
        for transaction in self.transactions.values_mut() {
            if let Status::Prepared { commit } = transaction.status
                && transaction.targets.len() == transaction.prepared
            {
                transaction.targets.clear();
                transaction.status = Status::Complete { commit };
                self.lost += 1;
            }
        }
    }

    pub fn has_open_transactions(&self) -> bool {
        let done = |transaction: &Transaction| matches!(transaction.status, Status::Empty | Status::Complete { .. });
        !self.transactions.values().all(done)
    }
}
