//! Transactions as Kuzet uses them: what is committed is read, what is aborted is not, and an old producer is shut out.

use super::{cluster, created};
use crate::broker::{self, Broker};
use kuzet::kafka::{
    client::Member,
    drain::drain,
    errors::{Remedy, remedy},
    partitioner::Partitioner,
    topics::{Layout, Role},
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::time::{Duration, Instant};

/// Whoever waits longer for a broker on this machine is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A transactional producer, initialised.
pub(super) fn producer(broker: &Broker, id: &str) -> BaseProducer {
    let config = cluster(broker).transactional(id, Partitioner::Murmur2);
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("transactions");
    producer
}

/// Begins a transaction and sends one record for each value, all of one key.
pub(super) fn send(producer: &BaseProducer, topic: &str, values: &[&str]) {
    producer.begin_transaction().expect("no transaction is open");
    for value in values {
        producer.send(BaseRecord::to(topic).key("77010000001").payload(*value)).expect("there is room");
    }
    assert!(drain(producer, PATIENCE), "all is sent");
}

/// Every value that is committed to the topic, in order; no transaction may be open there.
pub(super) fn committed(broker: &Broker, topic: &str, partitions: i32) -> Vec<String> {
    wait_until_marked(broker, topic, partitions);
    readable(broker, topic, partitions)
}

/// Every value that a read-committed reader finds in the topic just now, in order.
fn readable(broker: &Broker, topic: &str, partitions: i32) -> Vec<String> {
    let reader: BaseConsumer = cluster(broker).reader().create().expect("a reader");
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    reader.assign(&all).expect("an assignment");
    let mut values = Vec::new();
    let mut ends = 0;
    let begun = Instant::now();
    while ends < partitions {
        assert!(begun.elapsed() < PATIENCE, "the end of {topic} comes");
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                values.push(String::from_utf8(message.payload().expect("a value").to_vec()).expect("UTF-8"));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            Some(Err(error)) => assert_eq!(remedy(&error), Remedy::Retry, "{error}"),
            None => {}
        }
    }
    values
}

/// Waits until no transaction is open in the topic. The coordinator says that a transaction is committed before the
/// partitions bear its mark; until they do, nothing of it is read. A reader's isolation decides which end it is told.
fn wait_until_marked(broker: &Broker, topic: &str, partitions: i32) {
    let told: BaseConsumer = cluster(broker).reader().create().expect("a reader");
    let uncommitted: BaseConsumer =
        cluster(broker).reader().set("isolation.level", "read_uncommitted").create().expect("a reader");
    let begun = Instant::now();
    for partition in 0..partitions {
        let end = |reader: &BaseConsumer| reader.fetch_watermarks(topic, partition, PATIENCE).map(|(_, end)| end);
        let marked = || match (end(&told), end(&uncommitted)) {
            (Ok(told), Ok(end)) => told == end,
            // A broker that has just started may not lead its partitions yet.
            (Err(error), _) | (_, Err(error)) => {
                assert_eq!(remedy(&error), Remedy::Retry, "{error}");
                false
            }
        };
        while !marked() {
            assert!(begun.elapsed() < PATIENCE, "every transaction in {topic} gets its mark");
        }
    }
}

#[test]
fn only_what_is_committed_is_read() {
    let Some(broker) = broker::shared() else { return };
    let layout = created(broker, "committed");
    let topic = layout.name(Role::Decisions);
    let producer = producer(broker, "committed");
    send(&producer, topic, &["a1", "a2"]);
    producer.commit_transaction(PATIENCE).expect("committed");
    send(&producer, topic, &["b1", "b2"]);
    producer.abort_transaction(PATIENCE).expect("aborted");
    send(&producer, topic, &["c1"]);
    producer.commit_transaction(PATIENCE).expect("committed");
    // The last is still open: the reader's end lies before it.
    send(&producer, topic, &["d1"]);
    assert_eq!(readable(broker, topic, 4), ["a1", "a2", "c1"]);
    producer.commit_transaction(PATIENCE).expect("committed");
    assert_eq!(committed(broker, topic, 4), ["a1", "a2", "c1", "d1"]);
}

#[test]
fn a_new_producer_shuts_its_forerunner_out() {
    let Some(broker) = broker::shared() else { return };
    let layout = created(broker, "forerunner");
    let topic = layout.name(Role::Decisions);
    let old = producer(broker, "forerunner");
    send(&old, topic, &["old"]);
    let new = producer(broker, "forerunner");
    let error = old.commit_transaction(PATIENCE).expect_err("it was shut out");
    assert_eq!(remedy(&error), Remedy::End, "{error}");
    send(&new, topic, &["new"]);
    new.commit_transaction(PATIENCE).expect("committed");
    assert_eq!(committed(broker, topic, 4), ["new"]);
}

/// Polls until the group's member has read `count` values of `operations`; the offsets that follow them.
fn read(member: &BaseConsumer, count: usize) -> (Vec<String>, TopicPartitionList) {
    let mut values = Vec::new();
    let mut next = TopicPartitionList::new();
    let begun = Instant::now();
    while values.len() < count {
        assert!(begun.elapsed() < PATIENCE, "{count} values come");
        match member.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                values.push(String::from_utf8(message.payload().expect("a value").to_vec()).expect("UTF-8"));
                // One key, one partition: the last offset is the furthest.
                next = TopicPartitionList::new();
                next.add_partition_offset(message.topic(), message.partition(), Offset::Offset(message.offset() + 1))
                    .expect("a partition");
            }
            Some(Err(error)) => assert_eq!(remedy(&error), Remedy::Retry, "{error}"),
            None => {}
        }
    }
    (values, next)
}

fn member(broker: &Broker, layout: &Layout, instance: &str) -> BaseConsumer {
    let member = Member {
        group: layout.name(Role::State).to_owned(),
        instance: Some(instance.to_owned()),
        session_timeout_ms: 10_000,
    };
    let consumer: BaseConsumer = cluster(broker).member(&member).create().expect("a member");
    consumer.subscribe(&[layout.name(Role::Operations)]).expect("a subscription");
    consumer
}

/// Commits offset 0 for every partition of `operations`, as a first start that was told where to begin does.
fn start_at_the_beginning(broker: &Broker, layout: &Layout) {
    let reader = Member { group: layout.name(Role::State).to_owned(), instance: None, session_timeout_ms: 10_000 };
    let consumer: BaseConsumer = cluster(broker).member(&reader).create().expect("a client of the group");
    let mut offsets = TopicPartitionList::new();
    for partition in 0..4 {
        offsets.add_partition_offset(layout.name(Role::Operations), partition, Offset::Offset(0)).expect("a partition");
    }
    consumer.commit(&offsets, rdkafka::consumer::CommitMode::Sync).expect("offsets are committed");
}

/// Offsets go with what was made of the records: an abort takes both back, a commit keeps both.
#[test]
fn offsets_are_part_of_the_transaction() {
    let Some(broker) = broker::shared() else { return };
    let layout = created(broker, "offsets");
    let (operations, decisions) = (layout.name(Role::Operations), layout.name(Role::Decisions));
    start_at_the_beginning(broker, &layout);
    let source = producer(broker, "offsets-source");
    send(&source, operations, &["1", "2", "3"]);
    source.commit_transaction(PATIENCE).expect("committed");

    let worker = producer(broker, "offsets-worker");
    for (instance, ending) in [("first", "abort"), ("first", "commit")] {
        let member = member(broker, &layout, instance);
        let (values, next) = read(&member, 3);
        assert_eq!(values, ["1", "2", "3"], "before {ending}");
        send(&worker, decisions, &[ending]);
        let group = member.group_metadata().expect("a member has a group");
        worker.send_offsets_to_transaction(&next, &group, PATIENCE).expect("offsets are taken");
        if ending == "abort" {
            worker.abort_transaction(PATIENCE).expect("aborted");
        } else {
            worker.commit_transaction(PATIENCE).expect("committed");
        }
    }
    send(&source, operations, &["4"]);
    source.commit_transaction(PATIENCE).expect("committed");
    let (values, _) = read(&member(broker, &layout, "first"), 1);
    assert_eq!(values, ["4"]);
    assert_eq!(committed(broker, decisions, 4), ["commit"]);
}

/// A group that nobody told where to begin stops; it does not guess.
#[test]
fn a_group_without_offsets_is_an_error() {
    let Some(broker) = broker::shared() else { return };
    let layout = created(broker, "no-offsets");
    let member = member(broker, &layout, "first");
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < PATIENCE, "an error comes");
        if let Some(Err(error)) = member.poll(Duration::from_millis(100)) {
            break error;
        }
    };
    assert_eq!(error, KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset));
    assert_eq!(remedy(&error), Remedy::End);
}
