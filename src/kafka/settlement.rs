//! Whether everything is over that older producers left open in the topics that a worker writes to.
//!
//! `init_transactions` ends what the last producer of the same id left open, but the broker answers before it has written
//! the end into every partition, and some brokers lose it on the way: Kafka 4.3.1 and 4.4.0 take a transaction for complete
//! without a mark in partitions that have no leader for a moment (KAFKA-20734). What hangs there would end with this producer's
//! next transaction: aborted decisions would be committed with their repeats. So before anything is sent, every partition's
//! last stable offset must have passed the end that it had at first. Whatever else is open there is over after its timeout.

use super::{client::Cluster, errors::failure};
use crate::{
    limits,
    sidecar::{Failure, Offset, Partition, Sort},
};
use rdkafka::{
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use std::time::{Duration, Instant};

/// A transaction is over after its timeout, of which this is the double.
const LONG: Duration = Duration::from_millis(2 * limits::TRANSACTION_TIMEOUT_MS);

/// Partitions whose transactions are waited for.
pub struct Settlement {
    ends: Ends,
    /// Topics whose partitions are not known yet, partitions whose end is not known yet.
    topics: Vec<String>,
    partitions: Vec<(String, Partition)>,
    /// Where each partition ended at first; what is over is taken out.
    open: Vec<(String, Partition, Offset)>,
    told: Patience,
}

impl Settlement {
    /// What is to be waited for is yet to be found out.
    ///
    /// # Errors
    /// A configuration that librdkafka does not take.
    pub fn new(cluster: &Cluster, topics: Vec<String>) -> Result<Settlement, KafkaError> {
        let (partitions, open) = (Vec::new(), Vec::new());
        Ok(Settlement { ends: Ends::new(cluster)?, topics, partitions, open, told: Patience::default() })
    }

    /// Whether everything is over. What was found out stays known, so that the next call goes on.
    ///
    /// # Errors
    /// What is still open, and time that ran out, retriably; a cluster that does not answer.
    pub fn check(&mut self, within: Duration) -> Result<(), Failure> {
        let due = Instant::now() + within;
        while let Some(topic) = self.topics.last() {
            let found = self.ends.partitions(topic, left(due)?)?;
            self.partitions.extend(found.into_iter().map(|partition| (topic.clone(), partition)));
            self.topics.pop();
        }
        while let Some((topic, partition)) = self.partitions.last() {
            let end = self.ends.end(topic, *partition, left(due)?)?;
            self.open.push((topic.clone(), *partition, end));
            self.partitions.pop();
        }
        while let Some((topic, partition, end)) = self.open.last() {
            let stable = self.ends.stable_end(topic, *partition, left(due)?)?;
            if stable < *end {
                self.told.tell(topic, *partition, stable, *end);
                return Err(later(format!("a transaction is still open in partition {partition} of {topic}")));
            }
            self.open.pop();
        }
        Ok(())
    }
}

fn left(due: Instant) -> Result<Duration, Failure> {
    let left = due.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(later("not every partition has been looked at yet".to_owned())) } else { Ok(left) }
}

fn later(reason: String) -> Failure {
    Failure { sort: Sort::Retriable, reason }
}

/// Asks where partitions end, for those who see everything and for those who see what is committed.
pub struct Ends {
    /// Reads nothing of its own accord.
    pub(super) committed: BaseConsumer,
    uncommitted: BaseConsumer,
}

impl Ends {
    /// Two clients.
    ///
    /// # Errors
    /// A configuration that librdkafka does not take.
    pub fn new(cluster: &Cluster) -> Result<Ends, KafkaError> {
        Ok(Ends { committed: cluster.reader().create()?, uncommitted: cluster.uncommitted_reader().create()? })
    }

    fn partitions(&self, topic: &str, within: Duration) -> Result<Vec<Partition>, Failure> {
        let there = self.committed.fetch_metadata(Some(topic), within).map_err(|error| failure(&error))?;
        let partitions = there.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id());
        let partitions: Vec<Partition> = partitions.collect();
        if partitions.is_empty() {
            Err(later(format!("{topic}: the cluster tells no partitions")))
        } else {
            Ok(partitions)
        }
    }

    /// The high watermark.
    ///
    /// # Errors
    /// A cluster that does not answer.
    pub fn end(&self, topic: &str, partition: Partition, within: Duration) -> Result<Offset, Failure> {
        end_of(&self.uncommitted, topic, partition, within)
    }

    /// The last stable offset: every transaction before it is over.
    ///
    /// # Errors
    /// A cluster that does not answer.
    pub fn stable_end(&self, topic: &str, partition: Partition, within: Duration) -> Result<Offset, Failure> {
        end_of(&self.committed, topic, partition, within)
    }
}

fn end_of(client: &BaseConsumer, topic: &str, partition: Partition, within: Duration) -> Result<Offset, Failure> {
    let watermarks = client.fetch_watermarks(topic, partition, within);
    watermarks.map(|(_, end)| end).map_err(|error| failure(&error))
}

/// Waits for other people's transactions, and says so when that takes longer than any may.
#[derive(Debug)]
pub struct Patience(Instant);

impl Default for Patience {
    fn default() -> Self {
        Patience(Instant::now())
    }
}

impl Patience {
    /// Tells now and then whose transaction is waited for.
    pub fn tell(&mut self, topic: &str, partition: Partition, stable: Offset, end: Offset) {
        if self.0.elapsed() < LONG {
            return;
        }
        self.0 = Instant::now();
        tracing::error!(
            topic,
            partition,
            stable,
            end,
            "a transaction has been open for longer than any may be, and nothing goes on there before it is over; \
             `kafka-transactions.sh find-hanging` tells whose it is, and `abort` ends it"
        );
    }
}
