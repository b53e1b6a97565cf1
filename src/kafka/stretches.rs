//! Stretches of the partitions of a topic read side by side, each in its own order: what a range is merged from, and what is
//! held against it.
//!
//! The reader belongs to no group and commits nothing. Each partition has a queue of its own, so that whoever needs the next
//! record of one never has to take in those of the others: memory is a bound for each, however far apart they are. A
//! stretch ends where its partition ended when it was looked at, so that a topic that goes on growing can be read to an end.

use super::{
    client::Cluster,
    errors,
    errors::Remedy,
    hearsay::{self, Asker, Hearsay},
};
use crate::{
    files::{Stretch, open::Unreadable},
    limits,
    sidecar::{Offset, Partition},
    time::Timestamp,
};
use rdkafka::{
    ClientConfig, Message, TopicPartitionList,
    consumer::{Consumer, base_consumer::PartitionQueue},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{BorrowedMessage, Headers},
};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long one question to the cluster may take, and how long nothing may come of a partition that has more.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a poll waits.
const WAIT: Duration = Duration::from_millis(50);

/// Why a topic cannot be read, for whoever asked for it.
pub type Trouble = Unreadable;

/// A reader of whole partitions, for as many of them.
fn reader(cluster: &Cluster, partitions: usize) -> Result<Asker, Trouble> {
    let each = (limits::TOPIC_QUEUE_KIB / partitions.max(1)).max(limits::TOPIC_QUEUE_LEAST_KIB);
    let mut config = cluster.reader();
    config.set("queued.max.messages.kbytes", each.to_string());
    made(config)
}

fn made(config: ClientConfig) -> Result<Asker, Trouble> {
    hearsay::asker(config).map_err(|error| Unreadable(format!("librdkafka makes no client: {error}")))
}

/// The partitions of a topic, in order.
///
/// # Errors
/// A cluster that does not answer.
pub fn partitions_of(client: &Asker, topic: &str) -> Result<Vec<Partition>, KafkaError> {
    let metadata = client.fetch_metadata(Some(topic), PATIENCE)?;
    let mut partitions: Vec<Partition> =
        metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id()).collect();
    partitions.sort_unstable();
    Ok(partitions)
}

/// Says that a call was not answered, and why.
fn unanswered<'a>(cluster: &'a Cluster, client: &'a Asker) -> impl Fn(KafkaError) -> Trouble + Copy + 'a {
    move |error| Unreadable(format!("{} does not answer: {}", cluster.brokers(), hearsay::explain(client, &error)))
}

/// What of each partition of `topic` lies at or after a time of the records' own timestamps, up to where each ends now; without
/// a time all that is there.
///
/// # Errors
/// A cluster that does not answer, a topic that is not there.
pub fn find(cluster: &Cluster, topic: &str, since: Option<Timestamp>) -> Result<Vec<Stretch>, Trouble> {
    let client = reader(cluster, 1)?;
    let unanswered = unanswered(cluster, &client);
    let partitions = partitions_of(&client, topic).map_err(unanswered)?;
    if partitions.is_empty() {
        return Err(Unreadable(format!("there is no topic {topic} at {}", cluster.brokers())));
    }
    let begins = since.map(|since| offsets_at(&client, topic, &partitions, since)).transpose();
    let begins = begins.map_err(unanswered)?;
    let mut stretches = Vec::with_capacity(partitions.len());
    for (place, partition) in partitions.into_iter().enumerate() {
        let (low, end) = client.fetch_watermarks(topic, partition, PATIENCE).map_err(unanswered)?;
        let begin = begins.as_ref().map_or(low, |begins| begins[place].unwrap_or(end)).clamp(low, end.max(low));
        stretches.push(Stretch { partition, begin, end: end.max(begin), is_cut: low > 0 && begin == low });
    }
    Ok(stretches)
}

/// How far a group has committed in each partition of `topic`, without joining it.
///
/// # Errors
/// A cluster that does not answer.
pub fn committed(cluster: &Cluster, group: &str, topic: &str) -> Result<BTreeMap<Partition, Offset>, Trouble> {
    let mut config = cluster.reader();
    config.set("group.id", group);
    let client = made(config)?;
    let unanswered = unanswered(cluster, &client);
    let mut list = TopicPartitionList::new();
    for partition in partitions_of(&client, topic).map_err(unanswered)? {
        list.add_partition(topic, partition);
    }
    // A list that comes from a client must go before it does.
    let found = client.committed_offsets(list, PATIENCE).map_err(unanswered)?;
    let offset = |offset| if let rdkafka::Offset::Offset(offset) = offset { Some(offset) } else { None };
    Ok(found.elements().iter().filter_map(|at| Some((at.partition(), offset(at.offset())?))).collect())
}

/// The first offset of each partition whose record is not earlier.
fn offsets_at(
    client: &Asker,
    topic: &str,
    partitions: &[Partition],
    since: Timestamp,
) -> Result<Vec<Option<Offset>>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(topic, *partition, rdkafka::Offset::Offset(since.0.max(0)))?;
    }
    let found = client.offsets_for_times(list, PATIENCE)?;
    let offset = |partition: &Partition| match found.find_partition(topic, *partition)?.offset() {
        rdkafka::Offset::Offset(offset) => Some(offset),
        _ => None,
    };
    Ok(partitions.iter().map(offset).collect())
}

/// One record that has been read.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    pub partition: Partition,
    pub offset: Offset,
    /// Its timestamp, and whether that is the broker's own.
    pub time: Timestamp,
    pub by_broker: bool,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The values of the headers that are asked for, in their order.
    headers: &'a [Option<Range<usize>>],
    bytes: &'a [u8],
}

impl<'a> Held<'a> {
    /// The value of the header that was asked for at this place.
    #[must_use]
    pub fn header(&self, place: usize) -> Option<&'a [u8]> {
        self.headers.get(place)?.clone().map(|range| &self.bytes[range])
    }
}

/// Partitions that are read side by side, by their places.
pub struct Stretches {
    // Queues go before their consumer.
    cursors: Vec<Cursor>,
    consumer: Arc<Asker>,
    /// Headers whose values are kept.
    headers: &'static [&'static str],
}

struct Cursor {
    stretch: Stretch,
    queue: PartitionQueue<Hearsay>,
    /// The offset that comes next, at least.
    next: Offset,
    ended: bool,
    bytes: Vec<u8>,
    records: VecDeque<Kept>,
}

struct Kept {
    offset: Offset,
    time: Timestamp,
    by_broker: bool,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Vec<Option<Range<usize>>>,
}

impl Stretches {
    /// Begins to read stretches of `topic`, keeping the values of these headers.
    ///
    /// # Errors
    /// A client that cannot be had.
    pub fn open(
        cluster: &Cluster,
        topic: &str,
        stretches: &[Stretch],
        headers: &'static [&'static str],
    ) -> Result<Stretches, Trouble> {
        let told = |error: KafkaError| Unreadable(format!("{topic} cannot be read: {error}"));
        let consumer = Arc::new(reader(cluster, stretches.len())?);
        let mut list = TopicPartitionList::new();
        for stretch in stretches.iter().filter(|stretch| stretch.begin < stretch.end) {
            let from = rdkafka::Offset::Offset(stretch.begin);
            list.add_partition_offset(topic, stretch.partition, from).map_err(told)?;
        }
        let mut cursors = Vec::with_capacity(stretches.len());
        for stretch in stretches {
            let queue = consumer.split_partition_queue(topic, stretch.partition);
            let queue = queue.ok_or_else(|| Unreadable(format!("{topic} has no partition {}", stretch.partition)))?;
            cursors.push(Cursor::new(*stretch, queue));
        }
        // Queues are split off before anything comes: it would go the old way.
        consumer.assign(&list).map_err(told)?;
        Ok(Stretches { cursors, consumer, headers })
    }

    /// The next record of a partition, where one has been read.
    #[must_use]
    pub fn front(&self, place: usize) -> Option<Held<'_>> {
        self.cursors[place].front()
    }

    /// Lets go of that record.
    pub fn pop(&mut self, place: usize) {
        self.cursors[place].records.pop_front();
    }

    /// Nothing of a partition is left.
    #[must_use]
    pub fn has_ended(&self, place: usize) -> bool {
        let cursor = &self.cursors[place];
        cursor.ended && cursor.records.is_empty()
    }

    /// Reads until each of these partitions has a record or has ended.
    ///
    /// # Errors
    /// A cluster that does not answer, and records that are gone.
    pub fn fill(&mut self, places: &[usize]) -> Result<(), Trouble> {
        let mut heard = Instant::now();
        let mut wait = Duration::ZERO;
        loop {
            self.serve()?;
            let mut lacks = false;
            for place in places {
                let cursor = &mut self.cursors[*place];
                let before = cursor.next;
                cursor.refill(if lacks { Duration::ZERO } else { wait }, self.headers)?;
                if cursor.next > before {
                    heard = Instant::now();
                }
                lacks |= cursor.records.is_empty() && !cursor.ended;
            }
            if !lacks {
                return Ok(());
            }
            if heard.elapsed() > PATIENCE {
                let silence = format!("nothing has come for {} s, and more is there", PATIENCE.as_secs());
                return Err(Unreadable(hearsay::explain(&self.consumer, &silence)));
            }
            wait = WAIT;
        }
    }

    /// Lets the client tell what is no partition's.
    fn serve(&self) -> Result<(), Trouble> {
        match self.consumer.poll(Duration::ZERO) {
            Some(Err(error)) if errors::remedy(&error) != Remedy::Retry => Err(Unreadable(words(&error))),
            _ => Ok(()),
        }
    }
}

impl Cursor {
    fn new(stretch: Stretch, queue: PartitionQueue<Hearsay>) -> Cursor {
        Cursor {
            stretch,
            queue,
            next: stretch.begin,
            ended: stretch.begin >= stretch.end,
            bytes: Vec::new(),
            records: VecDeque::new(),
        }
    }

    fn front(&self) -> Option<Held<'_>> {
        let kept = self.records.front()?;
        let text = |range: &Option<Range<usize>>| range.clone().map(|range| &self.bytes[range]);
        Some(Held {
            partition: self.stretch.partition,
            offset: kept.offset,
            time: kept.time,
            by_broker: kept.by_broker,
            key: text(&kept.key),
            value: text(&kept.value),
            headers: &kept.headers,
            bytes: &self.bytes,
        })
    }

    /// Takes in what has come, where nothing is held any more; waits only for the first record.
    fn refill(&mut self, wait: Duration, headers: &[&str]) -> Result<(), Trouble> {
        if !self.records.is_empty() || self.ended {
            return Ok(());
        }
        self.bytes.clear();
        let mut wait = wait;
        while !self.ended && self.records.len() < limits::TOPIC_RECORDS && self.bytes.len() < limits::TOPIC_BYTES {
            match self.queue.poll(wait) {
                None => return Ok(()),
                Some(Ok(message)) => {
                    let offset = message.offset();
                    if offset >= self.stretch.end {
                        self.ended = true;
                    } else if offset >= self.next {
                        let kept = keep(&mut self.bytes, &message, headers);
                        self.records.push_back(kept);
                        self.next = offset + 1;
                        self.ended = self.next >= self.stretch.end;
                    }
                }
                // What is between the last record and the end are marks of transactions.
                Some(Err(KafkaError::PartitionEOF(_))) => self.ended = true,
                Some(Err(error)) if errors::remedy(&error) == Remedy::Retry => {}
                Some(Err(error)) => {
                    let Stretch { partition, .. } = self.stretch;
                    return Err(Unreadable(format!(
                        "partition {partition} at offset {}: {}",
                        self.next,
                        words(&error)
                    )));
                }
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }
}

fn keep(bytes: &mut Vec<u8>, message: &BorrowedMessage<'_>, headers: &[&str]) -> Kept {
    let mut keep = |part: &[u8]| {
        let start = bytes.len();
        bytes.extend_from_slice(part);
        start..bytes.len()
    };
    let there = message.headers();
    let of = |name: &&str| there.and_then(|there| there.iter().find(|header| header.key == *name)?.value);
    Kept {
        offset: message.offset(),
        time: Timestamp(message.timestamp().to_millis().unwrap_or_default()),
        by_broker: matches!(message.timestamp(), rdkafka::Timestamp::LogAppendTime(_)),
        key: message.key().map(&mut keep),
        value: message.payload().map(&mut keep),
        headers: headers.iter().map(|name| of(name).map(&mut keep)).collect(),
    }
}

fn words(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
            "what was to be read next has been deleted meanwhile, by retention or by hand; ask again".to_owned()
        }
        _ => error.to_string(),
    }
}
