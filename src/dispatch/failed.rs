//! `kuzet alert --retry-failed`: what was given up is sent again, once, by hand.
//!
//! How far `alerts-failed` is done stands as offsets of a group of its own. What fails again goes to the topic's end with its new reason
//! before its old place is passed, so a run that is killed loses nothing and the next one goes on.

use super::{
    courier,
    machine::{Answer, Attempt},
    record::Kept,
    settings::Settings,
    worker,
};
use crate::{
    alert::{Client, Endpoint},
    kafka::{
        partitioner::Partitioner,
        sender::Sender,
        topics::{Role, Topics},
    },
    limits,
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::KafkaError,
    producer::BaseRecord,
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(100);
/// Failures in a row after which the rest of an endpoint's is left for another time.
const FAILURES: u32 = 3;

/// What became of what was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub sent: u64,
    /// Failed again, or was left because its endpoint keeps failing or is not configured: it is still there.
    pub left: u64,
}

/// Sends everything that is there when it starts.
///
/// # Errors
/// A cluster or a topic that cannot be used, in words.
pub fn send_again(settings: &Settings) -> Result<Sent, String> {
    let topics = Topics::new(&settings.cluster.admin()).map_err(|error| error.to_string())?;
    topics.check(&settings.layout).map_err(|trouble| trouble.to_string())?;
    let partitions = topics.partitions(settings.layout.name(Role::AlertsFailed)).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let sender = Sender::new(&settings.cluster, None, Partitioner::Murmur2).map_err(|error| error.to_string())?;
    let mut config = settings.cluster.reader();
    config.set("group.id", format!("{}-failed", settings.member.group));
    let consumer: BaseConsumer = config.create().map_err(|error: KafkaError| error.to_string())?;
    let mut again = Again {
        topic: settings.layout.name(Role::AlertsFailed),
        endpoints: &settings.alerts.endpoints,
        client: Client::new(),
        runtime,
        sender,
        consumer,
        failures: HashMap::new(),
        sent: Sent::default(),
    };
    for partition in 0..partitions {
        let partition = i32::try_from(partition).expect("Kafka counts partitions in an i32");
        again.partition(partition).map_err(|error| format!("{}, partition {partition}: {error}", again.topic))?;
    }
    Ok(again.sent)
}

struct Again<'s> {
    topic: &'s str,
    endpoints: &'s [Arc<Endpoint>],
    client: Client,
    runtime: tokio::runtime::Runtime,
    sender: Sender,
    consumer: BaseConsumer,
    /// In a row, by endpoint.
    failures: HashMap<String, u32>,
    sent: Sent,
}

impl Again<'_> {
    fn partition(&mut self, partition: i32) -> Result<(), String> {
        let words = |error: KafkaError| error.to_string();
        let (low, end) = self.consumer.fetch_watermarks(self.topic, partition, PATIENCE).map_err(words)?;
        let mut list = TopicPartitionList::new();
        list.add_partition(self.topic, partition);
        let committed = self.consumer.committed_offsets(list, PATIENCE).map_err(words)?;
        let committed = committed.elements().first().and_then(|element| element.offset().to_raw());
        let mut next = committed.unwrap_or(low).max(low);
        if next >= end {
            return Ok(());
        }
        self.assign(partition, next).map_err(words)?;
        let begun = Instant::now();
        while next < end {
            match self.consumer.poll(STEP) {
                // The end shows in no record where marks of transactions are the last.
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => return Err(words(error)),
                None if begun.elapsed() < PATIENCE => {}
                None => return Err("nothing comes".to_owned()),
                Some(Ok(message)) => {
                    let (offset, value) = (message.offset(), message.payload().unwrap_or_default().to_vec());
                    drop(message);
                    if offset >= end {
                        break;
                    }
                    self.one(&value)?;
                    next = offset + 1;
                    self.commit(partition, next).map_err(words)?;
                }
            }
        }
        self.consumer.unassign().map_err(words)
    }

    fn assign(&self, partition: i32, next: i64) -> Result<(), KafkaError> {
        self.consumer.assign(&self.at(partition, next)?)
    }

    fn commit(&self, partition: i32, next: i64) -> Result<(), KafkaError> {
        self.consumer.commit(&self.at(partition, next)?, CommitMode::Sync)
    }

    fn at(&self, partition: i32, next: i64) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, partition, Offset::Offset(next))?;
        Ok(list)
    }

    fn one(&mut self, value: &[u8]) -> Result<(), String> {
        let mut kept = Kept::parse(value).map_err(|why| format!("a record {why}"))?;
        match self.attempt(&kept) {
            Ok(()) => {
                self.failures.remove(&kept.endpoint);
                self.sent.sent += 1;
                Ok(())
            }
            Err(why) => {
                *self.failures.entry(kept.endpoint.clone()).or_insert(0) += 1;
                self.sent.left += 1;
                tracing::warn!(id = kept.id, endpoint = kept.endpoint, why, "an alert is left in alerts-failed");
                kept.failed += 1;
                kept.reason = Some(why.chars().take(limits::ALERT_REASON_CHARACTERS).collect());
                self.put_back(&kept)
            }
        }
    }

    fn attempt(&self, kept: &Kept) -> Result<(), String> {
        let place = self.endpoints.iter().position(|endpoint| *endpoint.name == *kept.endpoint);
        let place = place.ok_or("no endpoint of this name is configured")?;
        if self.failures.get(&kept.endpoint).is_some_and(|failures| *failures >= FAILURES) {
            return Err("its endpoint keeps failing".to_owned());
        }
        let attempt = Attempt { ticket: 0, endpoint: place, id: kept.id.clone(), body: kept.body.clone() };
        match self.runtime.block_on(courier::one(&self.client, &self.endpoints[place], &attempt)) {
            Answer::Delivered => Ok(()),
            Answer::Failed { why, .. } => Err(why),
            Answer::Gone => Err("the receiver said 410 Gone".to_owned()),
        }
    }

    fn put_back(&self, kept: &Kept) -> Result<(), String> {
        let value = kept.value();
        let record = BaseRecord::<[u8], [u8]>::to(self.topic).key(kept.id.as_bytes()).payload(value.as_slice());
        self.sender.begin().map_err(|failure| failure.reason)?;
        let put = worker::hand_over(&self.sender, record).and_then(|()| self.sender.settle(PATIENCE));
        put.map_err(|failure| failure.reason)
    }
}
