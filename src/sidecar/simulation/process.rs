//! One worker's process: the machine, and a shell with a toy client library and a toy engine around it.
//!
//! It dies with a kill and comes back without memory. What it holds is what a real shell would hold.

use super::{
    broker::{Request, Response},
    group::MemberId,
    log::{Topic, Value},
    toy::{Foreign, Outbox, Shard},
};
use crate::sidecar::{Batch, Command, Commit, Fact, Machine, Millis, Offset, Partition, Positions, Settings, Standing};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A call to the broker that is not yet answered.
#[derive(Clone, Debug)]
pub struct Call {
    pub command: Command,
    /// Whatever is answered belongs to the request of this number.
    pub ask: u64,
    /// The machine has been told that it is under way, and what came of it since.
    pub left: bool,
    pub outcome: Option<Fact>,
    pub deadline: Millis,
    /// The request on its way, and the ones after it.
    pub requests: VecDeque<Request>,
    /// What a chunk of the outbox is sent as, in the order of the requests.
    pub chunks: VecDeque<(Partition, usize)>,
    pub response: Option<Response>,
}

#[derive(Clone, Debug, Default)]
pub struct Producer {
    pub epoch: u32,
    pub sequences: BTreeMap<(Topic, Partition), u64>,
    /// A connection broke or a request timed out since the producer was made.
    pub disturbed: bool,
}

/// What the client library's own thread knows of the group.
#[derive(Clone, Debug)]
pub struct Membership {
    pub member: Option<MemberId>,
    pub generation: i64,
    /// Assignments up to this generation are not an answer to the newest join.
    pub stale: i64,
    /// The broker does not know us any more, and whether the application has been told.
    pub lost: bool,
    pub told: bool,
    /// A join that found no broker and is to be sent again.
    pub unsent: bool,
    /// What the application has been given and has not yet handed back.
    pub assigned: BTreeSet<Partition>,
    /// A wish of the group that the application has not yet granted: to give, or to take.
    pub wish: Option<Wish>,
    /// The application has been told the wish.
    pub wish_told: bool,
}

#[derive(Clone, Debug)]
pub enum Wish {
    Take(Vec<Partition>),
    Give(Vec<Partition>),
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    pub next: Offset,
    pub paused: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Restore {
    pub end: Offset,
    pub at: Offset,
    pub shard: Shard,
    pub standing: Option<Standing>,
}

/// The reader of restrictions, and what of it counts.
#[derive(Clone, Debug, Default)]
pub struct Restrictions {
    pub read: Vec<Offset>,
    /// What the reader has to pass before it says anything.
    pub caught_up_at: Vec<Offset>,
    pub seen: Vec<BTreeMap<Offset, (u64, u64)>>,
    pub applied: Positions,
    pub foreign: Foreign,
}

#[derive(Debug)]
pub struct Process {
    pub incarnation: u64,
    pub machine: Machine,
    pub todo: VecDeque<Command>,
    /// What is done without a call belongs to the ask of this number.
    pub ask: u64,
    pub call: Option<Call>,
    /// Requests of calls so far.
    pub requests: u64,
    pub producer: Producer,
    pub membership: Membership,
    pub positions: BTreeMap<Partition, Position>,
    pub shards: BTreeMap<Partition, Shard>,
    pub outboxes: BTreeMap<Partition, Outbox>,
    /// Of the tick after the one that is sent or committed.
    pub ahead: BTreeMap<Partition, Outbox>,
    pub restores: BTreeMap<Partition, Restore>,
    pub restrictions: Restrictions,
    /// SIGTERM came, and when the process must be over; a process that was paused since is excused.
    pub termed: bool,
    pub over_by: Option<Millis>,
    /// The committed offsets that the machine knows of, for flaws that compare nothing or know better.
    pub told_commits: BTreeMap<Partition, Option<Commit>>,
    /// The offsets of the open tick.
    pub sent_offsets: Vec<(Partition, Commit)>,
    /// Where each log ended when settling was first asked for.
    pub settling: Option<Vec<((Topic, Partition), Offset)>>,
    /// What the last poll brought: the next one takes its place.
    pub inbox: Vec<Batch>,
}

impl Process {
    pub fn new(incarnation: u64, settings: Settings, restrictions_end: Vec<Offset>) -> Process {
        let partitions = restrictions_end.len();
        Process {
            incarnation,
            machine: Machine::new(settings),
            todo: VecDeque::new(),
            ask: 0,
            call: None,
            requests: 0,
            producer: Producer::default(),
            membership: Membership {
                member: None,
                generation: -1,
                stale: -1,
                lost: false,
                told: false,
                unsent: false,
                assigned: BTreeSet::new(),
                wish: None,
                wish_told: false,
            },
            positions: BTreeMap::new(),
            shards: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            ahead: BTreeMap::new(),
            restores: BTreeMap::new(),
            restrictions: Restrictions {
                read: vec![0; partitions],
                caught_up_at: restrictions_end,
                seen: vec![BTreeMap::new(); partitions],
                applied: Positions(vec![0; partitions]),
                foreign: Foreign::new(),
            },
            termed: false,
            over_by: None,
            told_commits: BTreeMap::new(),
            sent_offsets: Vec::new(),
            settling: None,
            inbox: Vec::new(),
        }
    }

    pub fn pause(&mut self, partitions: &[Partition], paused: bool) {
        for partition in partitions {
            self.positions.entry(*partition).or_default().paused = paused;
        }
    }

    /// Another number for a request of a call.
    pub fn next_request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    pub fn drop_state(&mut self, partition: Partition) {
        self.ahead.remove(&partition);
        self.shards.remove(&partition);
        self.restores.remove(&partition);
        self.outboxes.remove(&partition);
    }

    /// Restrictions before the positions count from here on.
    pub fn apply(&mut self, positions: &Positions) {
        let restrictions = &mut self.restrictions;
        for (partition, to) in positions.0.iter().enumerate() {
            let from = restrictions.applied.0[partition];
            for (key, by) in restrictions.seen[partition].range(from..(*to).max(from)).map(|(_, seen)| *seen) {
                restrictions.foreign.insert(key, by);
            }
        }
        restrictions.applied = positions.clone();
    }

    /// One more record of the restrictions topic, or none where a marker or an aborted record is.
    pub fn read_restriction(&mut self, partition: usize, at: Offset, record: Option<(u64, &Value)>) {
        if let Some((key, Value::Restriction { by })) = record {
            self.restrictions.seen[partition].insert(at, (key, *by));
        }
        self.restrictions.read[partition] = at + 1;
    }

    /// Begin: nothing of the tick's bytes is in the new transaction.
    pub fn begin(&mut self) {
        self.forget_sent();
    }

    pub fn forget_sent(&mut self) {
        for chunk in self.outboxes.values_mut().flat_map(|outbox| &mut outbox.chunks) {
            chunk.sent = false;
            chunk.sequence = None;
        }
    }

    /// A new producer counts from the beginning; what was delivered stays delivered where there are no transactions.
    pub fn renew(&mut self, epoch: u32) {
        self.producer = Producer { epoch, ..Producer::default() };
        for chunk in self.outboxes.values_mut().flat_map(|outbox| &mut outbox.chunks) {
            chunk.sequence = None;
        }
    }

    /// The tick is committed.
    pub fn release(&mut self) {
        self.outboxes = std::mem::take(&mut self.ahead);
        let sent = std::mem::take(&mut self.sent_offsets);
        self.told_commits.extend(sent.into_iter().map(|(partition, commit)| (partition, Some(commit))));
    }

    pub fn seal_ahead(&mut self, partition: Partition, standing: &Standing) {
        let outbox = self.ahead.get_mut(&partition).expect("something was decided ahead there");
        outbox.seal(&self.shards[&partition], partition, standing);
    }

    /// Whether a batch is of the last poll's records.
    pub fn holds(&self, batch: Batch) -> bool {
        let covers =
            |held: &Batch| held.partition == batch.partition && held.first <= batch.first && held.next == batch.next;
        self.inbox.iter().any(covers)
    }

    /// The requests that send what the transaction has not seen; each chunk keeps its sequence when it is sent again.
    pub fn produce_requests(&mut self) -> (VecDeque<Request>, VecDeque<(Partition, usize)>) {
        let mut requests = VecDeque::new();
        let mut chunks = VecDeque::new();
        for (owner, outbox) in &mut self.outboxes {
            for (number, chunk) in outbox.chunks.iter_mut().enumerate().filter(|(_, chunk)| !chunk.sent) {
                let next = self.producer.sequences.entry((chunk.topic, chunk.partition)).or_insert(0);
                let sequence = *chunk.sequence.get_or_insert_with(|| {
                    *next += 1;
                    *next
                });
                let (topic, partition, records) = (chunk.topic, chunk.partition, chunk.records.clone());
                requests.push_back(Request::Produce { topic, partition, sequence, records });
                chunks.push_back((*owner, number));
            }
        }
        (requests, chunks)
    }
}
