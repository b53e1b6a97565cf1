//! What a worker is told: every answer and every event of the outside as a value.
//!
//! Records are not here, only their places: the shell holds the bytes. Nothing of rdkafka is here either, so that a
//! simulation can say the same things.

/// A partition of `operations`; `decisions` and `state` have one of the same number for it.
pub type Partition = i32;
/// A place in a log.
pub type Offset = i64;
/// Time in ms of a clock that never goes back; its zero means nothing.
pub type Millis = u64;

/// How far the `restrictions` topic was read: the next offset of each of its partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(pub Vec<Offset>);

impl Positions {
    /// Whether everything that lies before `other` lies before these positions too.
    #[must_use]
    pub fn covers(&self, other: &Positions) -> bool {
        let own = |partition: usize| self.0.get(partition).copied().unwrap_or(0);
        other.0.iter().enumerate().all(|(partition, at)| own(partition) >= *at)
    }
}

/// Which tick of which process wrote something. It travels as the metadata of a committed offset and in the tick's
/// record of the `state` topic, so that the two can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// Another number for each start of a worker.
    pub incarnation: u64,
    pub tick: u64,
}

/// A committed offset: the next record to read, and the tick that committed it unless an operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    pub next: Offset,
    pub tag: Option<Tag>,
}

/// Where a partition goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where the operator wants a group without offsets to start.
    Beginning,
    /// The committed offset.
    Committed(Offset),
    /// There is no committed offset, and this is where the state stands: if the operator says that they belong together.
    Standing(Commit),
}

impl Place {
    /// The offset, where it is known already.
    #[must_use]
    pub fn offset(self) -> Option<Offset> {
        match self {
            Place::Beginning => None,
            Place::Committed(next) | Place::Standing(Commit { next, .. }) => Some(next),
        }
    }
}

/// The record that a tick leaves in the `state` topic of each of its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub next: Offset,
    pub tag: Tag,
    /// What was applied of other shards' restrictions when the tick was decided.
    pub positions: Positions,
}

/// Records of one partition as one poll brought them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub partition: Partition,
    pub first: Offset,
    /// One past the last record.
    pub next: Offset,
    pub records: u64,
}

/// How far a slice of a restore came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    More,
    /// The end is reached; the newest tick's record, if there ever was one.
    End(Option<Standing>),
}

/// What may be done about a call that failed, as librdkafka sorts it. Whatever it does not sort is fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The same call may be made again. The shell has repeated it until its time was up.
    Retriable,
    /// The transaction must be aborted.
    Abort,
    /// Nobody knows whether the call took effect, such as a flush that failed inside a commit.
    Unknown,
    /// The broker knows a newer producer of our transactional id.
    Fenced,
    /// The producer is of no more use.
    Fatal,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub sort: Sort,
    /// In the client library's words, for the diagnosis alone.
    pub reason: String,
}

/// What the machine is told. All but the first three answer the command that asked; one command asks at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The worker's thread runs.
    Started,
    /// SIGTERM. May come at any time.
    ShutdownAsked,
    /// The reader of `restrictions` holds everything before these positions. May come at any time, and first when
    /// the reader has passed the end that the topic had when the worker started.
    RestrictionsRead(Positions),
    /// A poll's records, each partition once; none when the wait was in vain.
    Polled(Vec<Batch>),
    /// The group gives us partitions more.
    Assigned(Vec<Partition>),
    /// The group asks for partitions back, and waits.
    Revoked(Vec<Partition>),
    /// Partitions are no longer ours and may be somebody's already.
    Lost(Vec<Partition>),
    ProducerReady,
    Settled,
    CommittedOffsets(Vec<(Partition, Option<Commit>)>),
    Restored {
        partition: Partition,
        records: u64,
        rest: Rest,
    },
    Sought {
        partition: Partition,
        at: Offset,
    },
    Begun,
    Decided,
    Delivered,
    OffsetsSent,
    /// `disturbed`: since the producer was initialised, a connection of its broke or a request timed out.
    Committed {
        disturbed: bool,
    },
    /// What was asked for (to send, to send offsets or to commit) goes on, and its answer is waited for with
    /// [`Command::Await`](super::Command::Await). Of a tick that is sent all bytes are fixed by then.
    Underway,
    /// Without transactions: the group has the offsets.
    OffsetsCommitted,
    Left,
    Failed(Failure),
}
