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
    /// Where each partition ended at first; what is over is taken out.
    open: Vec<(String, Partition, Offset)>,
    told: Patience,
}

impl Settlement {
    /// Notes where all partitions of `topics` end.
    ///
    /// # Errors
    /// A cluster that does not answer.
    pub fn begin<'a>(
        cluster: &Cluster,
        topics: impl Iterator<Item = &'a str>,
        within: Duration,
    ) -> Result<Settlement, Failure> {
        let ends = Ends::new(cluster).map_err(|error| failure(&error))?;
        let mut open = Vec::new();
        for topic in topics {
            for partition in ends.partitions(topic, within)? {
                open.push((topic.to_owned(), partition, ends.end(topic, partition, within)?));
            }
        }
        Ok(Settlement { ends, open, told: Patience::default() })
    }

    /// Whether everything is over.
    ///
    /// # Errors
    /// What is still open, retriably; a cluster that does not answer.
    pub fn check(&mut self, within: Duration) -> Result<(), Failure> {
        while let Some((topic, partition, end)) = self.open.last() {
            let stable = self.ends.stable_end(topic, *partition, within)?;
            if stable < *end {
                self.told.tell(topic, *partition, stable, *end);
                let reason = format!("a transaction is still open in partition {partition} of {topic}");
                return Err(Failure { sort: Sort::Retriable, reason });
            }
            self.open.pop();
        }
        Ok(())
    }
}

/// Asks where partitions end, for those who see everything and for those who see what is committed.
pub struct Ends {
    committed: BaseConsumer,
    uncommitted: BaseConsumer,
}

impl Ends {
    /// Two clients, which read nothing.
    ///
    /// # Errors
    /// A configuration that librdkafka does not take.
    pub fn new(cluster: &Cluster) -> Result<Ends, KafkaError> {
        Ok(Ends { committed: cluster.reader().create()?, uncommitted: cluster.uncommitted_reader().create()? })
    }

    fn partitions(&self, topic: &str, within: Duration) -> Result<Vec<Partition>, Failure> {
        let there = self.committed.fetch_metadata(Some(topic), within).map_err(|error| failure(&error))?;
        let partitions = there.topics().first().map(|topic| topic.partitions().iter().map(|at| at.id()).collect());
        let reason = format!("{topic}: the cluster tells no partitions");
        partitions.ok_or(Failure { sort: Sort::Retriable, reason })
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
