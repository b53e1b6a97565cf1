//! What a worker does: every call to Kafka and to the engine as a value.
//!
//! The set is what rdkafka's `BaseConsumer` and transactional `BaseProducer` offer. What a command asks of the shell
//! beyond the call of that name stands beside it, because the machine's proof holds only for a shell that does it.

use super::{
    Stage,
    fact::{Batch, Commit, Millis, Partition, Place, Positions, Standing},
};
use std::fmt;

/// What the shell carries out, in order. Commands that ask are answered by one [`super::Fact`]; `within` is the longest
/// that the call may take, after which it failed, retriably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `incremental_assign`. The rebalance callback has only noted what the group wants.
    Assign(Vec<Partition>),
    /// `incremental_unassign`, also for what was lost; until then the group waits.
    Unassign(Vec<Partition>),
    /// From here on no poll brings records of these, not even ones that were fetched before.
    Pause(Vec<Partition>),
    Resume(Vec<Partition>),
    /// Throws away the state of the partition, what was restored of it, its part of the tick's bytes and what was made ahead.
    DropState(Partition),
    /// Other shards' restrictions before these positions count for whatever is decided from here on.
    ApplyRestrictions(Positions),
    /// The tick is committed: its bytes are not needed again, and those that were made ahead are the next tick's.
    Release(u64),
    /// Makes bytes of the changed state and of the tick's record of one partition of the tick that is decided ahead, to which
    /// nothing is added any more.
    SealAhead {
        partition: Partition,
        standing: Standing,
    },

    /// Asks. A new producer with the worker's transactional id and `init_transactions`; the old one is destroyed.
    InitProducer {
        within: Millis,
    },
    /// Asks. Whether every transaction in the topics that are written to is over that was open when this was first asked for
    /// this producer; fails retriably while one is not.
    Settle {
        within: Millis,
    },
    /// Asks. The *stable* committed offsets and their metadata.
    FetchCommitted {
        partitions: Vec<Partition>,
        within: Millis,
    },
    /// Asks. One slice of the partition's `state`, on a consumer without a group, from its beginning to the end
    /// (the high watermark, not the last stable offset) that it had at the first slice, read committed.
    Restore {
        partition: Partition,
        records: u64,
    },
    /// Asks. To the place. Further than its offset only where what lies between is gone and the operator has said to go on
    /// without it.
    Seek {
        partition: Partition,
        to: Place,
        within: Millis,
    },
    /// Asks. Returns early when `records` are there or the group wants something; that is told by the next poll where
    /// records came before it.
    Poll {
        wait: Millis,
        records: u64,
    },
    /// Asks. The tick's bytes count as not sent. Fails for good where the connection was disturbed since the producer was
    /// initialised.
    Begin,
    /// Asks. The engine decides on records of the last poll; decisions are kept as bytes, and produced as far as a transaction is
    /// open and there is room.
    Decide(Vec<Batch>),
    /// Asks. The same for the tick after the one that is being sent or committed: its bytes are kept apart, and nothing of them is
    /// produced before [`Command::Release`] makes that tick the next.
    DecideAhead(Vec<Batch>),
    /// Asks. For the answer to the call that is under way, which is [`Fact::Underway`](super::Fact::Underway) again where it takes
    /// longer than this.
    Await {
        wait: Millis,
    },
    /// Asks. At first makes bytes of the changed state and of the tick's record of each partition that was not sealed ahead;
    /// then produces whatever of the tick's bytes this transaction has not seen, and drains the producer. A failed delivery
    /// fails it.
    Send {
        records: Vec<(Partition, Standing)>,
        within: Millis,
    },
    /// Asks. `group_metadata` is taken now, on the polling thread, and *then* `assignment_lost` is asked; if it is lost this
    /// fails with `Abort`, for metadata without a member is checked by no broker.
    SendOffsets {
        offsets: Vec<(Partition, Commit)>,
        within: Millis,
    },
    /// Asks. On a drained producer.
    Commit {
        within: Millis,
    },
    /// Asks. Without transactions: a synchronous commit by the group's member.
    CommitOffsets {
        offsets: Vec<(Partition, Commit)>,
        within: Millis,
    },
    /// Asks. Closes the consumer; whatever the group still wants is granted at once.
    Leave {
        within: Millis,
    },
    /// The worker is over.
    Stop(Ending),
}

impl Command {
    /// Whether one fact answers it.
    #[must_use]
    pub fn asks(&self) -> bool {
        !matches!(
            self,
            Command::Assign(_)
                | Command::Unassign(_)
                | Command::Pause(_)
                | Command::Resume(_)
                | Command::DropState(_)
                | Command::ApplyRestrictions(_)
                | Command::Release(_)
                | Command::SealAhead { .. }
                | Command::Stop(_)
        )
    }

    /// The same, taking no longer than `most`.
    #[must_use]
    pub(super) fn at_most(mut self, most: Millis) -> Command {
        if let Command::InitProducer { within }
        | Command::Settle { within }
        | Command::FetchCommitted { within, .. }
        | Command::Seek { within, .. }
        | Command::Send { within, .. }
        | Command::SendOffsets { within, .. }
        | Command::Commit { within }
        | Command::CommitOffsets { within, .. }
        | Command::Leave { within } = &mut self
        {
            *within = most.min(*within);
        }
        self
    }
}

/// How a worker ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As asked: the open tick is committed, the group is left.
    Drained,
    /// As asked, but time ran out; what was open will be aborted by the broker, and done again by the next owner.
    DrainCut,
    Diagnosis(Diagnosis),
}

/// Why a worker stops by itself. It never guesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// A bug of ours: the shell said what it cannot say in this state.
    Illegal { stage: Stage, fact: String },
    /// Another process uses our transactional id.
    Fenced { reason: String },
    /// Ticks were dropped or producers initialised again and again without one tick committed.
    NoProgress { times: u32, reason: String },
    /// Offsets and state of a partition tell different stories, and time did not mend it.
    Torn { partition: Partition, commit: Option<Commit>, standing: Option<Standing> },
    /// The state of a partition is larger than the bound.
    RestoreTooLarge { partition: Partition, records: u64, bound: u64 },
    /// The group gave one worker more partitions than it is built for.
    TooManyPartitions { partitions: usize, bound: usize },
    /// A call outside a transaction failed for good.
    Refused { stage: Stage, reason: String },
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Diagnosis::Illegal { stage, fact } => {
                write!(f, "a bug of kuzet, please report it: {fact} cannot come while {stage:?}")
            }
            Diagnosis::Fenced { reason } => write!(
                f,
                "another producer uses this worker's transactional id ({reason}); give each instance a name of its own"
            ),
            Diagnosis::NoProgress { times, reason } => {
                write!(f, "{times} attempts in a row could not commit one tick, the last because: {reason}")
            }
            Diagnosis::Torn { partition, commit, standing } => {
                write!(f, "partition {partition}: ")?;
                match commit {
                    Some(Commit { next, tag: Some(_) }) => write!(f, "the group's committed offset is {next}")?,
                    Some(Commit { next, tag: None }) => write!(f, "the group's offset was set to {next} by hand")?,
                    None => write!(f, "the group has no offset")?,
                }
                match standing {
                    Some(Standing { next, .. }) => {
                        write!(f, ", and the state belongs to another tick, which ended at {next}. ")?
                    }
                    None => write!(f, ", and there is no state of the tick that committed it. ")?,
                }
                f.write_str(
                    "Nothing is decided there, because what was decided would be decided again, or skipped. If offsets were changed: \
                     stop all instances, delete the group's offsets (`kafka-consumer-groups.sh --delete-offsets`) and start once \
                     with `--start state`, which goes on where the state stands. If topics were deleted or restored from copies: \
                     start on new topics, under another group",
                )
            }
            Diagnosis::RestoreTooLarge { partition, records, bound } => write!(
                f,
                "partition {partition}: {records} records of state were read and the end is not reached; the bound is {bound}"
            ),
            Diagnosis::TooManyPartitions { partitions, bound } => {
                write!(f, "{partitions} partitions for one worker, the bound is {bound}; start more workers")
            }
            Diagnosis::Refused { stage, reason } => write!(f, "while {stage:?}: {reason}"),
        }
    }
}

impl std::error::Error for Diagnosis {}
