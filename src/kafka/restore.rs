//! Reading a partition of `state` from its beginning to its end, in slices, by a reader that belongs to no group.
//!
//! The end is the high watermark that the partition had at the first slice, not the last stable offset: what is committed
//! lies before it even while somebody's older transaction is open. Nothing is read until every transaction before that end is
//! over. The end shows in no record, since markers and aborted records take offsets too; librdkafka says when it is there.

use super::{
    client::Cluster,
    errors::failure,
    settlement::{Ends, Patience},
};
use crate::sidecar::{Failure, Offset, Partition, Positions, Sort};
use rdkafka::{Message, TopicPartitionList, consumer::Consumer, error::KafkaError};
use std::time::{Duration, Instant};

/// How far a slice came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub records: u64,
    pub ended: bool,
}

/// A partition on its way from beginning to end.
#[derive(Debug)]
struct Way {
    partition: Partition,
    /// The high watermark at the first slice.
    end: Offset,
    /// Every transaction before the end is over, and reading has begun.
    begun: bool,
    told: Patience,
}

/// Reads partitions of one topic, one after the other.
pub struct StateReader {
    topic: String,
    ends: Ends,
    way: Option<Way>,
}

impl StateReader {
    /// A reader of `topic`.
    ///
    /// # Errors
    /// A configuration that librdkafka does not take.
    pub fn new(cluster: &Cluster, topic: &str) -> Result<StateReader, KafkaError> {
        Ok(StateReader { topic: topic.to_owned(), ends: Ends::new(cluster)?, way: None })
    }

    /// Whatever was read of a partition does not count any more.
    pub fn forget(&mut self, partition: Partition) {
        if self.way.as_ref().is_some_and(|way| way.partition == partition) {
            self.way = None;
        }
    }

    /// Reads up to `most` records more, for no longer than `within`, and hands key and value of each to `take`. No records
    /// and no end: somebody's transaction is waited for.
    ///
    /// # Errors
    /// A cluster that does not answer, and what `take` says.
    pub fn slice(
        &mut self,
        partition: Partition,
        most: u64,
        within: Duration,
        mut take: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), String>,
    ) -> Result<Slice, Failure> {
        let due = Instant::now() + within;
        if !self.begin(partition, within)? {
            return Ok(Slice { records: 0, ended: false });
        }
        let mut slice = Slice { records: 0, ended: false };
        while slice.records < most {
            let left = due.saturating_duration_since(Instant::now());
            match self.ends.committed.poll(left) {
                None => break,
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => {
                    slice.ended = true;
                    break;
                }
                Some(Err(error)) => return Err(failure(&error)),
                Some(Ok(message)) if message.partition() == partition => {
                    let key = message.key().unwrap_or_default();
                    take(key, message.payload()).map_err(|reason| Failure { sort: Sort::Fatal, reason })?;
                    slice.records += 1;
                }
                Some(Ok(_)) => {}
            }
        }
        if slice.ended {
            self.way = None;
            self.ends.committed.unassign().map_err(|error| failure(&error))?;
        }
        Ok(slice)
    }

    /// Whether a topic of one partition has all that is before these positions, which its readers have told: one that was created
    /// again, or that the cluster has lost records of, has not.
    ///
    /// # Errors
    /// What it lacks, and what to do; a cluster that does not answer.
    pub fn reaches(&self, topic: &str, positions: &Positions, within: Duration) -> Result<(), Failure> {
        let Some(wanted) = positions.0.first().copied().filter(|wanted| *wanted > 0) else { return Ok(()) };
        let end = self.ends.end(topic, 0, within)?;
        if wanted <= end {
            return Ok(());
        }
        let reason = format!(
            "the state was made with {topic} up to offset {wanted}, and {topic} ends at {end}: it was deleted and created again, or \
             the cluster has lost records. What was restricted on addresses and on other wallets would not stand any more. Bring \
             the old {topic} back, or start on new topics under another group"
        );
        Err(Failure { sort: Sort::Fatal, reason })
    }

    /// Begins a partition once every transaction before its end is over.
    fn begin(&mut self, partition: Partition, within: Duration) -> Result<bool, Failure> {
        let way = match &mut self.way {
            Some(way) if way.partition == partition => way,
            _ => {
                let end = self.ends.end(&self.topic, partition, within)?;
                self.way.insert(Way { partition, end, begun: false, told: Patience::default() })
            }
        };
        if way.begun {
            return Ok(true);
        }
        let stable = self.ends.stable_end(&self.topic, partition, within)?;
        if stable < way.end {
            way.told.tell(&self.topic, partition, stable, way.end);
        } else {
            let mut list = TopicPartitionList::new();
            let added = list.add_partition_offset(&self.topic, partition, rdkafka::Offset::Beginning);
            added.and_then(|()| self.ends.committed.assign(&list)).map_err(|error| failure(&error))?;
            way.begun = true;
        }
        Ok(way.begun)
    }
}
