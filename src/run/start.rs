//! Where a partition goes on: at its offset while the broker still has that, else where the operator says, else nowhere.
//!
//! Records that retention deleted before they were decided on, and a group that nobody told where to begin, are losses or
//! choices that somebody has to answer for: each stops with what to do, and is never skipped in silence.

use crate::{
    kafka::member::Member,
    options::Layers,
    sidecar::{Commit, Failure, Offset, Partition, Place, Sort},
    time::Timestamp,
};
use std::time::Duration;

/// Where a group without offsets begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Nobody has said.
    Unsaid,
    Earliest,
    Latest,
    /// At the first record that the broker got at this time or later.
    Time(Timestamp),
    /// Where the state stands: it belongs to the topic, though the group has no offset.
    State,
}

impl From {
    /// As the option at `path` says it, of whoever has state or has none; what is wrong with it is noted.
    pub fn read(layers: &mut Layers, path: &str, has_state: bool) -> From {
        match layers.text(path) {
            "" => From::Unsaid,
            "earliest" => From::Earliest,
            "latest" => From::Latest,
            "state" if has_state => From::State,
            text => match Timestamp::parse(text) {
                Ok(time) => From::Time(time),
                Err(why) => {
                    let words =
                        if has_state { "\"earliest\", \"latest\", \"state\"" } else { "\"earliest\", \"latest\"" };
                    let message = format!("must be {words} or a time in RFC 3339: {why}");
                    layers.refuse(path, &message);
                    From::Unsaid
                }
            },
        }
    }
}

/// What to do where the broker has deleted records that were not yet decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    Stop,
    /// Go on at the oldest record that is there; what is skipped is counted and logged.
    Skip,
}

#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub from: From,
    pub gone: Gone,
    /// The topic, and what becomes of its records, for people.
    pub words: Words,
}

/// How a topic is spoken of.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    pub topic: &'static str,
    /// `decided`
    pub done: &'static str,
    /// What to do about records that are gone.
    pub mend: &'static str,
}

/// The words for `operations`.
pub const OPERATIONS: Words = Words {
    topic: "operations",
    done: "decided",
    mend: "Find them in their source and feed them again; then start once with `--gone skip`",
};

impl Start {
    /// Seeks, and says where the partition is now.
    ///
    /// # Errors
    /// A place that is not there, with what to do; a cluster that does not answer.
    pub fn seek(
        self,
        member: &mut Member,
        partition: Partition,
        to: Place,
        within: Duration,
        lost: &dyn Fn(Offset),
    ) -> Result<Offset, Failure> {
        let (low, high) = member.bounds(partition, within)?;
        let (at, commit) = match to {
            Place::Committed(next) => (self.still_there(partition, next, (low, high), lost)?, None),
            Place::Beginning => {
                let at = self.beginning(member, partition, (low, high), within)?;
                (at, Some(Commit { next: at, tag: None }))
            }
            Place::Standing(commit) => {
                self.vouched_for(partition, commit.next)?;
                let at = self.still_there(partition, commit.next, (low, high), lost)?;
                // Further on it would not be the offset of the state's tick.
                (at, (at == commit.next).then_some(commit))
            }
        };
        member.seek(partition, at, within)?;
        if let Some(commit) = commit {
            // A partition without records makes no tick, and would have to be told again at the next start.
            // Where the group is just moving, the next poll says so and this is tried again.
            member.commit(&[(partition, commit)]).map_err(|failure| match failure.sort {
                Sort::Abort => Failure { sort: Sort::Retriable, ..failure },
                _ => failure,
            })?;
            tracing::info!(partition, at, "a partition that had no offset begins");
        }
        Ok(at)
    }

    /// Whether the operator has said that state without an offset is the topic's own.
    fn vouched_for(self, partition: Partition, next: Offset) -> Result<(), Failure> {
        if self.from == From::State {
            return Ok(());
        }
        let Words { topic, done, .. } = self.words;
        Err(stop(format!(
            "the group has no offset for partition {partition} of {topic}, but there is state of it, {done} up to offset {next}: the group's \
             offsets have expired or were deleted, or it has another name than before, or {topic} was deleted and created again. \
             If {topic} is the same and no other group works on it, start once with `--start state`, which goes on at {next}. \
             If it is not, this state would have records skipped: start on new topics, under another group"
        )))
    }

    fn still_there(
        self,
        partition: Partition,
        to: Offset,
        (low, high): (Offset, Offset),
        tell: &dyn Fn(Offset),
    ) -> Result<Offset, Failure> {
        let Words { topic, done, mend } = self.words;
        if to > high {
            return Err(stop(format!(
                "partition {partition} of {topic} is {done} up to offset {to}, but ends at {high}: the topic was deleted \
                 and created again, or the cluster has lost records. What follows would be taken for something else. \
                 Start on new topics under another group, or bring the old {topic} back"
            )));
        }
        if to >= low {
            return Ok(to);
        }
        let lost = low - to;
        match self.gone {
            Gone::Skip => {
                tell(lost);
                tracing::error!(
                    topic,
                    partition,
                    from = to,
                    until = low,
                    lost,
                    "records are gone that were not {done}"
                );
                Ok(low)
            }
            Gone::Stop => Err(stop(format!(
                "partition {partition} of {topic} is {done} up to offset {to}, and the broker has records only from {low} on: \
                 up to {lost} were deleted, by retention or by hand, before they were {done}. {mend} to go on at {low}"
            ))),
        }
    }

    fn beginning(
        self,
        member: &Member,
        partition: Partition,
        (low, high): (Offset, Offset),
        within: Duration,
    ) -> Result<Offset, Failure> {
        match self.from {
            From::Earliest => Ok(low),
            From::Latest => Ok(high),
            From::Time(time) => Ok(member.offset_at(partition, time, within)?.unwrap_or(high)),
            From::Unsaid | From::State => Err(stop(format!(
                "the group has no offset for partition {partition} of {}: this is its first start, or its offsets were deleted. \
                 Start once with `--start earliest`, `--start latest` or `--start` and a time",
                self.words.topic
            ))),
        }
    }
}

fn stop(reason: String) -> Failure {
    Failure { sort: Sort::Fatal, reason }
}
