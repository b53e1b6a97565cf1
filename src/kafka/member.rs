//! A worker's member of a consumer group: polls, and tells what the group wants instead of doing it.
//!
//! The rebalance callback only notes what the group wants; the next poll says it, and the group waits until `assign` or
//! `unassign` grants it. A record of a paused partition is never handed out, not even one that was fetched before; resuming
//! goes back to it. Lists that librdkafka hands out are copied at once: one that outlives its consumer hangs the consumer's end.

use super::{
    client::{self, Cluster},
    errors::{self, failure, failure_of_offsets},
    inbox::{Inbox, Taken},
    tags, watch,
};
use crate::{
    limits,
    sidecar::{Batch, Commit, Failure, Offset, Partition, Sort},
    time::Timestamp,
};
use rdkafka::{
    ClientContext, Message, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{BorrowedMessage, Headers},
    types::RDKafkaRespErr,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// How long a member that is dropped may take to leave.
const LEAVE: Duration = Duration::from_secs(2);

/// What the group wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Assigned(Vec<Partition>),
    Revoked(Vec<Partition>),
    Lost(Vec<Partition>),
}

/// What is read of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// `operations`: each record bears the broker's time, against which its event's is held.
    Operations,
    /// `decisions`: each record bears its id as a header.
    Decisions,
}

/// The header of a decision and of a dead letter that holds its id.
pub const ID_HEADER: &str = "kuzet-id";
/// The header of a decision that holds how far `restrictions` counted for it.
pub const RESTRICTIONS_HEADER: &str = "kuzet-restrictions";

/// What a poll brought.
#[derive(Debug)]
pub enum Polled {
    Wish(Wish),
    /// In the inbox; none when the wait was in vain.
    Records(Vec<Batch>),
}

/// Notes the group's wishes; grants them at once when the member leaves.
#[derive(Default)]
struct Notes {
    wishes: Mutex<VecDeque<Wish>>,
    leaving: AtomicBool,
}

impl Notes {
    fn wishes(&self) -> MutexGuard<'_, VecDeque<Wish>> {
        self.wishes.lock().expect("nothing panics while it holds the wishes")
    }
}

impl ClientContext for Notes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        watch::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "kafka", %error, reason, "the group's member reports an error");
    }
}

impl ConsumerContext for Notes {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<Partition> = list.elements().iter().map(|element| element.partition()).collect();
        let taking = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let lost = consumer.assignment_lost();
        tracing::info!(?partitions, taking, lost, "the group moves partitions");
        if self.leaving.load(Ordering::SeqCst) {
            let granted = if taking { consumer.incremental_assign(list) } else { consumer.incremental_unassign(list) };
            if let Err(error) = granted {
                tracing::warn!(%error, "a wish of the group could not be granted while leaving it");
            }
            return;
        }
        self.wishes().push_back(match (taking, lost) {
            (true, _) => Wish::Assigned(partitions),
            (false, true) => Wish::Lost(partitions),
            (false, false) => Wish::Revoked(partitions),
        });
    }
}

/// One member of the group.
pub struct Member {
    /// There until the group is left.
    consumer: Option<BaseConsumer<Notes>>,
    topic: String,
    reads: Reads,
    paused: BTreeSet<Partition>,
    /// Where partitions go on that had records fetched when they were paused.
    rewind: BTreeMap<Partition, Offset>,
    /// What a poll failed with that had records first.
    failed: Option<Failure>,
}

impl Member {
    /// Joins the group.
    ///
    /// # Errors
    /// A configuration that librdkafka does not take.
    pub fn join(cluster: &Cluster, place: &client::Member, topic: &str, reads: Reads) -> Result<Member, KafkaError> {
        let consumer: BaseConsumer<Notes> = cluster.member(place).create_with_context(Notes::default())?;
        consumer.subscribe(&[topic])?;
        let topic = topic.to_owned();
        let (paused, rewind) = (BTreeSet::new(), BTreeMap::new());
        Ok(Member { consumer: Some(consumer), topic, reads, paused, rewind, failed: None })
    }

    fn consumer(&self) -> &BaseConsumer<Notes> {
        self.consumer.as_ref().expect("nothing is asked of a member that has left")
    }

    fn list(&self, partitions: &[Partition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        list
    }

    /// Waits up to `wait` for the first record, then takes what is there, up to a weight of `most`. A wish of the group, or
    /// an error, is told by the next poll where records came before it.
    ///
    /// # Errors
    /// What librdkafka says of the group or of a partition.
    pub fn poll(&mut self, wait: Duration, most: u64, inbox: &mut Inbox) -> Result<Polled, Failure> {
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        if let Some(wish) = self.next_wish() {
            return Ok(Polled::Wish(wish));
        }
        let due = Instant::now() + wait;
        while inbox.weight() < most {
            let left = if inbox.is_empty() { due.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            match self.take(left, inbox) {
                Ok(true) => {}
                Ok(false) if inbox.is_empty() && !left.is_zero() && self.no_wish() => {}
                Ok(false) => break,
                Err(failure) if inbox.is_empty() => return Err(failure),
                Err(failure) => {
                    self.failed = Some(failure);
                    break;
                }
            }
        }
        match self.next_wish().filter(|_| inbox.is_empty()) {
            Some(wish) => Ok(Polled::Wish(wish)),
            None => Ok(Polled::Records(inbox.batches())),
        }
    }

    fn no_wish(&self) -> bool {
        self.consumer().context().wishes().is_empty()
    }

    fn next_wish(&self) -> Option<Wish> {
        self.consumer().context().wishes().pop_front()
    }

    /// Takes one record, if one comes in time.
    fn take(&mut self, wait: Duration, inbox: &mut Inbox) -> Result<bool, Failure> {
        let consumer = self.consumer.as_ref().expect("nothing is asked of a member that has left");
        match consumer.poll(wait) {
            None => Ok(false),
            Some(Err(error)) => Err(polling(&error)),
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                if self.paused.contains(&partition) {
                    let rewind = self.rewind.entry(partition).or_insert(offset);
                    *rewind = offset.min(*rewind);
                } else {
                    inbox.push(partition, &taken(&message, self.reads)?);
                }
                Ok(true)
            }
        }
    }

    /// Grants the group's wish to give us partitions. Each is read from somewhere until it is sought; it is paused first.
    ///
    /// # Errors
    /// Those of librdkafka.
    pub fn assign(&mut self, partitions: &[Partition]) -> Result<(), Failure> {
        let mut list = self.list(partitions);
        // The committed offset is asked for apart, and its absence is for the machine to judge.
        list.set_all_offsets(rdkafka::Offset::Beginning).map_err(|error| failure(&error))?;
        self.consumer().incremental_assign(&list).map_err(|error| failure(&error))
    }

    /// Grants the group's wish to have partitions back.
    ///
    /// # Errors
    /// Those of librdkafka.
    pub fn unassign(&mut self, partitions: &[Partition]) -> Result<(), Failure> {
        for partition in partitions {
            self.paused.remove(partition);
            self.rewind.remove(partition);
        }
        self.consumer().incremental_unassign(&self.list(partitions)).map_err(|error| failure(&error))
    }

    /// From here on no poll brings records of these.
    ///
    /// # Errors
    /// Those of librdkafka.
    pub fn pause(&mut self, partitions: &[Partition]) -> Result<(), Failure> {
        self.paused.extend(partitions);
        self.consumer().pause(&self.list(partitions)).map_err(|error| failure(&error))
    }

    /// Polls bring records of these again, those first that were held back.
    ///
    /// # Errors
    /// Those of librdkafka.
    pub fn resume(&mut self, partitions: &[Partition], within: Duration) -> Result<(), Failure> {
        for partition in partitions {
            if let Some(offset) = self.rewind.remove(partition) {
                self.go_back(*partition, offset, within)?;
            }
            self.paused.remove(partition);
        }
        self.consumer().resume(&self.list(partitions)).map_err(|error| failure(&error))
    }

    /// Goes to an offset, again and again while the fetcher is not ready for it.
    fn go_back(&self, partition: Partition, offset: Offset, within: Duration) -> Result<(), Failure> {
        let due = Instant::now() + within;
        loop {
            match self.go_to(partition, offset, within) {
                Err(failure) if failure.sort == Sort::Retriable && Instant::now() < due => {
                    thread::sleep(Duration::from_millis(1));
                }
                done => return done,
            }
        }
    }

    /// The next record of the partition is the one at `offset`.
    ///
    /// # Errors
    /// Those of librdkafka; a partition that it has not begun to fetch can be tried again.
    pub fn seek(&mut self, partition: Partition, offset: Offset, within: Duration) -> Result<(), Failure> {
        self.rewind.remove(&partition);
        self.go_to(partition, offset, within)
    }

    fn go_to(&self, partition: Partition, offset: Offset, within: Duration) -> Result<(), Failure> {
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(&self.topic, partition, rdkafka::Offset::Offset(offset));
        added.map_err(|error| failure(&error))?;
        let sought = self.consumer().seek_partitions(list, within).map_err(|error| seeking(&error))?;
        sought.elements().iter().try_for_each(|element| element.error()).map_err(|error| seeking(&error))
    }

    /// The offset of the first record that is there, and the one past the last that is committed.
    ///
    /// # Errors
    /// A cluster that does not answer.
    pub fn bounds(&self, partition: Partition, within: Duration) -> Result<(Offset, Offset), Failure> {
        self.consumer().fetch_watermarks(&self.topic, partition, within).map_err(|error| failure(&error))
    }

    /// The offset of the first record that the broker got at `time` or later; none if there is none.
    ///
    /// # Errors
    /// A cluster that does not answer.
    pub fn offset_at(
        &self,
        partition: Partition,
        time: Timestamp,
        within: Duration,
    ) -> Result<Option<Offset>, Failure> {
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(&self.topic, partition, rdkafka::Offset::Offset(time.0));
        added.map_err(|error| failure(&error))?;
        let found = self.consumer().offsets_for_times(list, within).map_err(|error| failure(&error))?;
        let offset = found.elements().first().map(|element| element.offset());
        Ok(offset.and_then(|offset| if let rdkafka::Offset::Offset(offset) = offset { Some(offset) } else { None }))
    }

    /// The group's stable offsets: those of a transaction that is still open are waited for.
    ///
    /// # Errors
    /// A cluster that does not answer in time.
    pub fn committed(
        &self,
        partitions: &[Partition],
        within: Duration,
    ) -> Result<Vec<(Partition, Option<Commit>)>, Failure> {
        let answer = self.consumer().committed_offsets(self.list(partitions), within);
        let list = answer.map_err(|error| failure(&error))?;
        let commit = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
            rdkafka::Offset::Offset(next) => Some(tags::committed(next, element.metadata())),
            _ => None,
        };
        let mut found = Vec::with_capacity(partitions.len());
        for element in list.elements() {
            element.error().map_err(|error| failure(&error))?;
            found.push((element.partition(), commit(&element)));
        }
        found.sort_by_key(|(partition, _)| *partition);
        Ok(found)
    }

    /// What a transaction needs to commit our offsets, as the group knows us now.
    ///
    /// # Errors
    /// Partitions that may be somebody else's already: metadata without a member is checked by no broker.
    pub fn metadata(&self) -> Result<ConsumerGroupMetadata, Failure> {
        let metadata = self.consumer().group_metadata();
        if self.consumer().assignment_lost() {
            return Err(Failure { sort: Sort::Abort, reason: "the partitions were lost to the group".to_owned() });
        }
        let reason = "librdkafka has no group".to_owned();
        metadata.ok_or(Failure { sort: Sort::Fatal, reason })
    }

    /// Commits offsets without a transaction.
    ///
    /// # Errors
    /// Those of the group.
    pub fn commit(&self, offsets: &[(Partition, Commit)]) -> Result<(), Failure> {
        if self.consumer().assignment_lost() {
            return Err(Failure { sort: Sort::Abort, reason: "the partitions were lost to the group".to_owned() });
        }
        let list = self.offsets(offsets)?;
        self.consumer().commit(&list, CommitMode::Sync).map_err(|error| failure_of_offsets(&error))
    }

    /// Offsets as librdkafka takes them.
    ///
    /// # Errors
    /// An offset that is none.
    pub fn offsets(&self, offsets: &[(Partition, Commit)]) -> Result<TopicPartitionList, Failure> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, commit) in offsets {
            let mut element = list.add_partition(&self.topic, *partition);
            element.set_offset(rdkafka::Offset::Offset(commit.next)).map_err(|error| failure(&error))?;
            element.set_metadata(tags::metadata(commit.tag));
        }
        Ok(list)
    }

    /// Leaves the group; false when that took longer than `within` and goes on without us.
    pub fn leave(&mut self, within: Duration) -> bool {
        let Some(consumer) = self.consumer.take() else { return true };
        consumer.context().leaving.store(true, Ordering::SeqCst);
        for wish in consumer.context().wishes().drain(..) {
            let granted = match wish {
                Wish::Assigned(partitions) => consumer.incremental_assign(&list_of(&self.topic, &partitions)),
                Wish::Revoked(partitions) | Wish::Lost(partitions) => {
                    consumer.incremental_unassign(&list_of(&self.topic, &partitions))
                }
            };
            if let Err(error) = granted {
                tracing::warn!(%error, "a wish of the group could not be granted while leaving it");
            }
        }
        // librdkafka closes a consumer in its own time, and takes none of ours.
        let (done, left) = mpsc::channel();
        thread::spawn(move || {
            drop(consumer);
            let _ = done.send(());
        });
        left.recv_timeout(within).is_ok()
    }
}

/// A consumer that is dropped waits until what the group wants back is granted, which nobody would do any more.
impl Drop for Member {
    fn drop(&mut self) {
        self.leave(LEAVE);
    }
}

fn list_of(topic: &str, partitions: &[Partition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    list
}

fn taken<'a>(message: &'a BorrowedMessage<'_>, reads: Reads) -> Result<Taken<'a>, Failure> {
    let (offset, key, value) = (message.offset(), message.key(), message.payload());
    if reads == Reads::Decisions {
        let id = message
            .headers()
            .and_then(|headers| headers.iter().find(|header| header.key == ID_HEADER).and_then(|header| header.value));
        let appended = Timestamp(message.timestamp().to_millis().unwrap_or_default());
        return Ok(Taken { offset, appended, id, key, value });
    }
    let rdkafka::Timestamp::LogAppendTime(appended) = message.timestamp() else {
        let reason = format!(
            "the record at offset {offset} of partition {} of operations has its producer's time and not the broker's, which an event's \
             time is held against: it was written while `message.timestamp.type` was not `LogAppendTime`. Set that. What was written \
             before has to be fed again: delete it (`kafka-delete-records.sh`, up to the first record behind it) and start once with \
             `--gone skip`, which counts what it leaves out",
            message.partition()
        );
        return Err(Failure { sort: Sort::Fatal, reason });
    };
    Ok(Taken { offset, appended: Timestamp(appended), id: None, key, value })
}

/// What a poll failed with, in words that say what to do.
fn polling(error: &KafkaError) -> Failure {
    let plain = failure(error);
    match error.rdkafka_error_code() {
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => Failure {
            reason: format!("{error}: records that were not yet read are gone. A start says which, and what to do"),
            ..plain
        },
        Some(Code::PollExceeded) => Failure { sort: Sort::Retriable, ..plain },
        _ => plain,
    }
}

fn seeking(error: &KafkaError) -> Failure {
    let plain = failure(error);
    match error.rdkafka_error_code() {
        // The fetcher has not begun with the partition yet.
        Some(Code::State | Code::PreviousInProgress) => Failure { sort: Sort::Retriable, ..plain },
        _ if errors::remedy(error) == errors::Remedy::Retry => plain,
        _ => Failure { reason: format!("seeking: {error}"), ..plain },
    }
}

// A poll never holds more than a tick may.
const _: () = assert!(limits::TICK_RECORD_BYTES > 0);
