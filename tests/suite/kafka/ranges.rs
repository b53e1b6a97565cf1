//! `kuzet replay --kafka`: a range of a topic, held against the same records in a file.
//!
//! What a topic holds is read here by a reader of the test's own and put in order by a plain sort, so that what is compared
//! shares nothing with the merge that it judges.

use super::{
    cluster, layout,
    refusals::{admin, wait_for},
    sidecar::{Events, Feeder, PARTITIONS, PATIENCE, Stream, created},
    transactions,
};
use crate::{
    broker::{self, Broker},
    cli::{Ran, kuzet, path},
};
use kuzet::{kafka::topics::Role, time::Timestamp};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    admin::{NewTopic, TopicReplication},
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};
use serde_json::Value;
use std::{fs, path::Path, time::Instant};

/// One record that a topic holds.
pub struct Found {
    pub time: i64,
    pub partition: i32,
    pub offset: i64,
    pub value: Vec<u8>,
}

/// Every committed record of a topic up to what is stable now, by partition and offset.
pub fn all_of(broker: &Broker, topic: &str, partitions: i32) -> Vec<Found> {
    let reader: BaseConsumer = cluster(broker).reader().create().expect("a reader");
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    reader.assign(&list).expect("an assignment");
    let (mut found, mut ends, begun) = (Vec::new(), 0, Instant::now());
    while ends < partitions {
        assert!(begun.elapsed() < PATIENCE, "the end of {topic} comes");
        match reader.poll(std::time::Duration::from_millis(100)) {
            Some(Ok(message)) => found.push(Found {
                time: message.timestamp().to_millis().expect("a time"),
                partition: message.partition(),
                offset: message.offset(),
                value: message.payload().unwrap_or_default().to_vec(),
            }),
            Some(Err(_)) => ends += 1,
            None => {}
        }
    }
    found.sort_by_key(|record| (record.partition, record.offset));
    found
}

/// The records in the order in which a range is read, as a file.
fn file_of(records: &[Found], file: &Path) {
    let mut order: Vec<&Found> = records.iter().collect();
    order.sort_by_key(|record| (record.time, record.partition, record.offset));
    let lines: Vec<u8> = order.iter().flat_map(|record| [&record.value[..], b"\n"].concat()).collect();
    fs::write(file, lines).expect("a file");
}

/// A replay of the test's `operations`, with more flags; its summary, and what it wrote.
fn replay(broker: &Broker, test: &str, flags: &[&str]) -> (Value, String) {
    let topic = layout(test).name(Role::Operations).to_owned();
    replay_topic(broker, &topic, flags)
}

fn replay_topic(broker: &Broker, topic: &str, flags: &[&str]) -> (Value, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.ndjson");
    let address = broker.address();
    let mut arguments = vec!["replay", "--kafka", &address, "--topic", topic, "--json", "--emit", "all"];
    arguments.extend(["--out", path(&out)]);
    arguments.extend(flags);
    let ran = kuzet(&arguments, b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    (json(&ran), fs::read_to_string(&out).expect("decisions"))
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

/// The same of a file.
fn replay_file(file: &Path, flags: &[&str]) -> String {
    let out = file.with_extension("out");
    let mut arguments = vec!["replay", path(file), "--emit", "all", "--out", path(&out)];
    arguments.extend(flags);
    let ran = kuzet(&arguments, b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    fs::read_to_string(&out).expect("decisions")
}

/// The bytes of a replay are those of a replay of the same records in a file, whatever the threads, every time; nobody has joined a
/// group. Whether the broker writes to two partitions within one millisecond is its own doing: `a_range_has_edges` has equal times.
#[test]
fn a_range_is_its_records_in_a_file() {
    let Some(broker) = broker::shared() else { return };
    let test = "range";
    let layout = created(broker, test);
    let topic = layout.name(Role::Operations);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(31, 40));
    feeder.feed(&mut events, 3_000);
    let found = all_of(broker, topic, PARTITIONS);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("records.ndjson");
    file_of(&found, &file);
    let expected = replay_file(&file, &[]);
    assert!(expected.lines().count() > 2_500);
    for threads in ["1", "2", "2"] {
        let (summary, decisions) = replay(broker, test, &["--threads", threads]);
        assert_eq!(summary["decided"].as_u64(), u64::try_from(expected.lines().count()).ok());
        assert_eq!(summary["topic"]["partitions"].as_array().map(Vec::len), Some(4), "{summary}");
        assert!(decisions == expected, "{threads} threads");
    }
    let client: BaseConsumer = cluster(broker).reader().create().expect("a client");
    let groups = client.fetch_group_list(Some("kuzet-reader"), PATIENCE).expect("groups are told");
    assert!(groups.groups().iter().all(|group| group.members().is_empty()), "no group is joined");
}

/// Records that nobody can use are rejected in the sidecar's words, named by partition and offset.
#[test]
fn poison_of_a_range_is_named() {
    let Some(broker) = broker::shared() else { return };
    let test = "range-poison";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(32, 10));
    feeder.feed(&mut events, 50);
    let login = br#"{"id":"a","type":"login","time":"2026-11-22T00:00:00Z","wallet":"77010000001"}"#;
    feeder.send_to(Some(2), Some(b"77010000001"), None);
    feeder.send_to(Some(2), Some(b"77010000001"), Some(b"{"));
    feeder.send_to(Some(2), Some(b"77010000002"), Some(login));
    feeder.send_to(Some(2), None, Some(login));
    feeder.send_to(Some(2), Some(b"77010000001"), Some(&login.map(|byte| if byte == b'6' { b'9' } else { byte })));
    feeder.flush();
    let topic = layout(test).name(Role::Operations).to_owned();
    let at: Vec<i64> = all_of(broker, &topic, PARTITIONS)
        .iter()
        .filter(|found| found.partition == 2)
        .map(|found| found.offset)
        .collect();
    let first = at[at.len() - 5];
    let folder = tempfile::tempdir().expect("a folder");
    for threads in ["1", "2"] {
        let rejects = folder.path().join("rejects.ndjson");
        let (summary, _) = replay(broker, test, &["--rejects", path(&rejects), "--threads", threads]);
        let rejects = fs::read_to_string(&rejects).expect("rejects");
        let words = [
            "the record has no value",
            "",
            "the record's key must be the wallet's bytes, and is another",
            "the record's key must be the wallet's bytes, and is missing",
            "more than 5m ahead of the record's own timestamp",
        ];
        let of_two: Vec<Value> = rejects
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .filter(|reject| reject["offset"].as_i64() >= Some(first) && reject["source"] == format!("{topic}:2"))
            .collect();
        assert_eq!(of_two.len(), words.len(), "{rejects}");
        for ((reject, words), offset) in of_two.iter().zip(words).zip(first..) {
            assert_eq!(reject["offset"].as_i64(), Some(offset), "{reject}");
            assert!(reject["error"].as_str().is_some_and(|error| error.contains(words)), "{words}: {reject}");
            assert!(reject.get("line").is_none(), "{reject}");
        }
        assert!(summary.to_string().contains(&format!("{topic}:2:{first}")), "{summary}");
    }
}

/// A topic whose records bear their producers' times.
fn dated(broker: &Broker, topic: &str, partitions: i32) {
    let (admin, options) = admin(broker);
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let new = new.set("message.timestamp.type", "CreateTime").set("retention.ms", "-1");
    let new = new.set("message.timestamp.before.max.ms", "9223372036854775807");
    let made = wait_for(admin.create_topics([&new], &options)).expect("an answer");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// One login of a wallet at a time, in a partition.
fn login(number: u64, wallet: &str, time: &str) -> String {
    format!(r#"{{"id":"l-{number}","type":"login_failed","time":"{time}","wallet":"{wallet}"}}"#)
}

/// `--from` and `--to` are the same as of a file, up to both edges; partitions of equal times take turns by number; and what is
/// too early is not even read.
#[test]
fn a_range_has_edges() {
    let Some(broker) = broker::shared() else { return };
    let topic = "range-edges";
    dated(broker, topic, 2);
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("linger.ms", "5");
    config.set("topic.metadata.propagation.max.ms", "60000");
    let producer: BaseProducer = config.create().expect("a producer");
    let begin = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
    // Two wallets fail to log in every six hours for two months, at the same instants.
    for number in 0..240 {
        let time = Timestamp(begin.0 + i64::try_from(number).expect("few") * 6 * 3_600_000);
        for (partition, wallet) in [(1, "77010000011"), (0, "77010000010")] {
            let value = login(number, wallet, &time.to_string());
            let record = BaseRecord::<[u8], [u8]>::to(topic).key(wallet.as_bytes()).payload(value.as_bytes());
            producer.send(record.partition(partition).timestamp(time.0)).map_err(|(error, _)| error).expect("room");
        }
    }
    producer.flush(PATIENCE).expect("everything is delivered");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("records.ndjson");
    file_of(&all_of(broker, topic, 2), &file);
    for flags in [
        &["--from", "2026-02-01T00:00:00Z", "--to", "2026-02-08T00:00:00Z"][..],
        &["--from", "2026-02-01T00:00:00.001Z", "--to", "2026-02-08T00:00:00.001Z"],
        &["--from", "2026-02-01", "--to", "2026-02-01"],
        &["--to", "2026-01-02"],
        &["--from", "2026-02-25", "--warm-up", "1d"],
        &["--from", "2026-02-25", "--warm-up", "all"],
        &["--from", "2027-02-01"],
    ] {
        let expected = replay_file(&file, flags);
        let (summary, decisions) = replay_topic(broker, topic, flags);
        assert!(decisions == expected, "{flags:?}: {decisions}\n{expected}");
        let begins: Vec<i64> = (0..2).filter_map(|at| summary["topic"]["partitions"][at]["begin"].as_i64()).collect();
        let is_late = flags.contains(&"1d") || flags.contains(&"2027-02-01");
        assert_eq!(begins.iter().all(|begin| *begin > 100), is_late, "{flags:?} {summary}");
    }
    for threads in ["1", "2"] {
        let part = ["--from", "2026-02-01T00:00:00Z", "--to", "2026-02-08T00:00:00Z", "--threads", threads];
        let (_, decisions) = replay_topic(broker, topic, &part);
        let wallets: Vec<bool> = decisions.lines().map(|line| line.contains("77010000010")).collect();
        assert_eq!(wallets.len(), 2 * 4 * 7, "{threads} threads");
        assert!(
            wallets.chunks(2).all(|pair| pair == [true, false]),
            "the lower partition goes first: {threads} threads"
        );
    }
}

/// What retention has deleted is told of, also where nothing is left.
#[test]
fn a_deleted_head_is_told() {
    let Some(broker) = broker::shared() else { return };
    let test = "range-head";
    let layout = created(broker, test);
    let topic = layout.name(Role::Operations);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(33, 30));
    feeder.feed(&mut events, 800);
    let (summary, _) = replay(broker, test, &[]);
    let partitions = summary["topic"]["partitions"].as_array().expect("partitions").clone();
    assert!(partitions.iter().all(|partition| partition["cut"] == false), "{summary}");
    let (admin, options) = admin(broker);
    let delete = |partition: i32, before: i64| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before)).expect("a partition");
        wait_for(admin.delete_records(&list, &options)).expect("records are deleted");
    };
    delete(1, 7);
    let (summary, decisions) = replay(broker, test, &[]);
    let cut: Vec<bool> = (0..4).map(|at| summary["topic"]["partitions"][at]["cut"] == true).collect();
    assert_eq!(cut, [false, true, false, false], "{summary}");
    assert_eq!(summary["topic"]["partitions"][1]["begin"], 7);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("records.ndjson");
    file_of(&all_of(broker, topic, PARTITIONS), &file);
    assert!(decisions == replay_file(&file, &[]));
    for (place, partition) in (0..).zip(&partitions) {
        delete(place, partition["end"].as_i64().expect("an end"));
    }
    let address = broker.address();
    let ran = kuzet(&["replay", "--kafka", &address, "--topic", topic, "--from", "2026-03-01"], b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    assert!(ran.out.contains("events decided  0"), "{}", ran.out);
    assert!(ran.out.contains("partition 3 begins at offset"), "{}", ran.out);
    assert!(ran.out.contains("the data do not reach back far enough"), "{}", ran.out);
}

/// A range ends where the topic ended when it was asked for, while more comes; what is aborted is not there, and whoever has a
/// transaction open is not waited for.
#[test]
fn a_live_topic_has_an_end() {
    let Some(broker) = broker::shared() else { return };
    let test = "range-live";
    let layout = created(broker, test);
    let topic = layout.name(Role::Operations);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(34, 30));
    feeder.feed(&mut events, 300);
    let text = |number| login(number, "77010000001", &Timestamp(Events::new(0, 1).begin()).to_string());
    let aborted = transactions::producer(broker, "range-live-aborted");
    transactions::send(&aborted, topic, &[&text(1), &text(2)]);
    aborted.abort_transaction(PATIENCE).expect("it is aborted");
    let (summary, _) = replay(broker, test, &[]);
    assert_eq!(summary["decided"].as_u64().zip(summary["rejected"].as_u64()).map(|(a, b)| a + b), Some(300));
    let open = transactions::producer(broker, "range-live-open");
    transactions::send(&open, topic, &[&text(3), &text(4)]);
    let (summary, _) = replay(broker, test, &[]);
    assert_eq!(summary["decided"].as_u64().zip(summary["rejected"].as_u64()).map(|(a, b)| a + b), Some(300));
    open.commit_transaction(PATIENCE).expect("it is committed");
    let stream = Stream::start(feeder, events);
    for _ in 0..3 {
        let (summary, _) = replay(broker, test, &[]);
        let records = summary["decided"].as_u64().zip(summary["rejected"].as_u64()).map(|(a, b)| a + b);
        assert!(records >= Some(302), "{summary}");
    }
    stream.end();
}

/// What cannot be read is said in words.
#[test]
fn what_is_not_there_is_said() {
    let Some(broker) = broker::shared() else { return };
    let address = broker.address();
    for (arguments, code, words) in [
        (&["replay", "--kafka", &address, "--topic", "range-nowhere"][..], 1, "the topic range-nowhere"),
        (&["replay", "--kafka", &address, "--topic", "a b"], 2, "--topic must be"),
        (&["replay", "--kafka", &address, "--sort"], 2, "--sort"),
        (&["replay", "events.ndjson", "--kafka", &address], 2, "--kafka"),
        (&["replay", "--topic", "x", "events.ndjson"], 2, "--kafka"),
    ] {
        let ran = kuzet(arguments, b"");
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.talk);
        assert!(ran.talk.contains(words), "{arguments:?}: {}", ran.talk);
    }
}

/// An event of a topic is explained as the same event of a file, named by its partition and offset.
#[test]
fn an_event_of_a_topic_is_explained() {
    let Some(broker) = broker::shared() else { return };
    let test = "range-explained";
    let layout = created(broker, test);
    let topic = layout.name(Role::Operations);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(35, 20));
    feeder.feed(&mut events, 600);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("records.ndjson");
    let found = all_of(broker, topic, PARTITIONS);
    file_of(&found, &file);
    let decided = replay_file(&file, &[]);
    let mut held = decided.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let held = held.rfind(|decision| decision["action"] == "hold" && decision["flags"].is_null()).expect("one is held");
    let address = broker.address();
    let text = |name: &str| held[name].as_str().expect("a text").to_owned();
    let (event, wallet, from) = (text("event"), text("wallet"), text("time"));
    let of_event = ["--event", &event, "--wallet", &wallet, "--json"];
    let of_file = kuzet(&[&["explain", path(&file)], &of_event[..]].concat(), b"");
    let mut expected = json(&of_file);
    for more in [&[][..], &["--from", &from, "--warm-up", "all"]] {
        let of_topic = ["explain", "--kafka", &address, "--topic", topic];
        let ran = kuzet(&[&of_topic, &of_event[..], more].concat(), b"");
        assert_eq!(ran.code, 0, "{}", ran.talk);
        let told = json(&ran);
        let source = told["source"].as_str().and_then(|source| source.rsplit(':').next()).expect("a partition");
        let at = (source.parse::<i32>().expect("a number"), told["line"].as_i64().expect("an offset"));
        let record = found.iter().find(|found| (found.partition, found.offset) == at).expect("it is in the topic");
        assert!(String::from_utf8_lossy(&record.value).contains(&format!("\"id\":\"{event}\"")));
        expected["source"] = told["source"].clone();
        expected["line"] = told["line"].clone();
        assert_eq!(told, expected);
    }
    let ran = kuzet(&["explain", "--kafka", &address, "--topic", topic, "--wallet", &wallet], b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    assert!(ran.out.contains(" events, "), "{}", ran.out);
}
