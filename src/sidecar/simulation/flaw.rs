//! Mistakes that the machine could make, planted between it and its shell: what it says or is told is bent.
//!
//! A simulation that cannot fail proves nothing; each of these must show.

use crate::sidecar::{Commit, Fact, Stage, Standing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Takes over from the committed offset although a transaction on it is still open. The comparison of offset and
    /// state would notice, so it is left out too.
    UnstableOffset,
    /// Restores records of aborted transactions too.
    AbortedStateRestored,
    /// Restores to the last stable offset instead of the end, and compares nothing.
    RestoreEndsEarly,
    /// Goes on with the state that it had when it drops it: nothing is restored.
    DirtyStateKept,
    /// Begins again on a producer whose last end was slow or disturbed (KAFKA-17754).
    ProducerReused,
    /// Sends offsets without member and generation, so that a zombie is not fenced.
    NoGeneration,
    /// Applies restrictions as soon as they are read.
    RestrictionsInTick,
    /// Takes a commit of unknown outcome for one that was aborted, and sends the tick again.
    UnknownTakenForAborted,
    /// Commits although not everything was delivered.
    UndeliveredCommitted,
    /// Does not seek after a restore.
    NoSeek,
    /// Gives a revoked partition away before its tick is committed.
    GivenAwayEarly,
    /// Sends although something that the broker calls over still shows as open (KAFKA-20734).
    NotSettled,
    /// Keeps the bytes that were decided ahead when the state is dropped that they rest upon.
    AheadKept,
    /// Begins the next tick's transaction while the last one's end is under way.
    NotAwaited,
}

impl Flaw {
    pub const ALL: [Flaw; 14] = [
        Flaw::UnstableOffset,
        Flaw::AbortedStateRestored,
        Flaw::RestoreEndsEarly,
        Flaw::DirtyStateKept,
        Flaw::ProducerReused,
        Flaw::NoGeneration,
        Flaw::RestrictionsInTick,
        Flaw::UnknownTakenForAborted,
        Flaw::UndeliveredCommitted,
        Flaw::NoSeek,
        Flaw::GivenAwayEarly,
        Flaw::NotSettled,
        Flaw::AheadKept,
        Flaw::NotAwaited,
    ];

    /// What the machine is told instead.
    pub fn bend(self, stage: Stage, fact: Fact) -> Fact {
        match (self, fact) {
            (Flaw::ProducerReused, Fact::Committed { .. }) => Fact::Committed { disturbed: false },
            (Flaw::NotAwaited, Fact::Underway) if stage == Stage::Committing => Fact::Committed { disturbed: false },
            (_, fact) => fact,
        }
    }

    /// The tick's record that a restore ends with, made to fit the committed offset where a flaw compares nothing.
    pub fn compare_nothing(self, commit: Option<Commit>, standing: Option<Standing>) -> Option<Standing> {
        let blind = matches!(self, Flaw::UnstableOffset | Flaw::RestoreEndsEarly);
        match (commit, standing) {
            (Some(Commit { next, tag: Some(tag) }), Some(standing)) if blind => {
                Some(Standing { next, tag, ..standing })
            }
            (_, standing) => standing,
        }
    }
}
