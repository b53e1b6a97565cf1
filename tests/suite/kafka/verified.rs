//! `kuzet replay --kafka --verify-topic`: what a real `kuzet run` has decided comes out again, and what somebody has changed
//! since does not.

use super::{
    cluster, layout,
    refusals::{admin, wait_for},
    sidecar::{Events, Feeder, PARTITIONS, PATIENCE, Sidecar, created, wait_until_decided},
};
use crate::{
    broker::{self, Broker},
    cli::{Ran, kuzet, path},
};
use kuzet::{
    kafka::{
        partitioner::Partitioner,
        topics::{Layout, Role},
    },
    random::Random,
    time::Timestamp,
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    admin::{NewTopic, TopicReplication},
    consumer::{BaseConsumer, Consumer},
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// A configuration as the sidecar of the test has it.
struct Configured {
    folder: tempfile::TempDir,
}

impl Configured {
    fn new(broker: &Broker, test: &str) -> Configured {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = layout(test);
        let names: String = Role::ALL
            .iter()
            .map(|role| format!("{} = \"{}\"\n", role.name().replace('-', "_"), layout.name(*role)))
            .collect();
        let text = format!("[kafka]\nbrokers = \"{}\"\ngroup = \"{test}\"\n[topics]\n{names}", broker.address());
        fs::write(folder.path().join("kuzet.toml"), text).expect("a file");
        Configured { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("kuzet.toml")
    }

    fn verify(&self, flags: &[&str]) -> Ran {
        let file = self.file();
        let mut arguments = vec!["replay", "--kafka", "--config", path(&file)];
        arguments.extend(flags);
        kuzet(&arguments, b"")
    }

    /// What a verification finds, as JSON.
    fn found(&self, flags: &[&str], code: i32) -> Value {
        let mut all = vec!["--json", "--verify-topic"];
        all.extend(flags);
        let ran = self.verify(&all);
        assert_eq!(ran.code, code, "{flags:?}: {}{}", ran.talk, ran.out);
        let mut value: Value = serde_json::from_str(&ran.out).expect("JSON");
        value["verify"].take()
    }
}

/// Decides on everything that is fed, and ends.
fn decide(broker: &Broker, test: &str, flags: &[&str]) {
    let mut sidecar = Sidecar::start(broker, test, flags);
    sidecar.wait_until_ready();
    wait_until_decided(broker, test);
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
}

/// Decisions are derived to the byte, over restarts and any number of workers, whole and in part; what is not decided yet is
/// counted apart, and other packs show.
#[test]
fn decisions_of_a_sidecar_are_derived() {
    let Some(broker) = broker::shared() else { return };
    let test = "verified";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(41, 40));
    for flags in [&["--start", "earliest"][..], &["--kafka-workers", "2"]] {
        feeder.feed(&mut events, 1_500);
        decide(broker, test, flags);
    }
    let configured = Configured::new(broker, test);
    for flags in [&["--threads", "1"][..], &["--threads", "2"]] {
        let found = configured.found(flags, 0);
        assert_eq!((&found["holds"], &found["different"]), (&Value::Bool(true), &Value::from(0)), "{found}");
        assert!(found["same"].as_u64() > Some(2_500), "{found}");
        assert_eq!(found["topic"]["begins_later"], false, "{found}");
    }
    let from = Timestamp(events.begin() + 300_000).to_string();
    let part = configured.found(&["--from", &from, "--warm-up", "all"], 0);
    assert!(part["same"].as_u64() > Some(1_000) && part["holds"] == true, "{part}");
    feeder.feed(&mut events, 100);
    let found = configured.found(&[], 0);
    assert!(found["topic"]["undecided"].as_u64() > Some(80), "{found}");
    let folder = tempfile::tempdir().expect("a folder");
    let pack = folder.path().join("other.toml");
    fs::write(&pack, "name = \"other\"\nversion = \"1\"\nuses = [\"onevision.toml\"]\n").expect("a pack");
    let found = configured.found(&["--rules", path(&pack)], 3);
    assert_eq!((&found["different"], &found["same"]), (&Value::from(0), &Value::from(0)), "{found}");
    assert!(found["other_packs"].as_u64() > Some(2_500), "{found}");
}

/// Operations whose restrictions reach across partitions: addresses that many wallets share are blocked and lifted, everybody
/// is suspended, and wallets stop what is sent to them.
fn across(seed: u64, first: u64, count: u64, begin: i64) -> impl Iterator<Item = (String, String)> {
    let mut random = Random::new(seed);
    (first..first + count).map(move |number| {
        let wallet = format!("7701{:07}", random.below(30));
        let other = format!("7701{:07}", random.below(30));
        let kind = random.weighted(&[
            (50, "transfer"),
            (40, "login_failed"),
            (2, "ip_unblocked"),
            (3, "suspicion_confirmed"),
            (4, "identity_confirmed"),
            (1, "suspension_ordered"),
            (6, "suspension_lifted"),
        ]);
        let time = Timestamp(begin + i64::try_from(number).expect("few") * 500);
        let ip = random.below(6);
        let sum = if kind == "transfer" {
            format!(r#","counterparty":"{other}","amount":"{}""#, 100 + random.below(90))
        } else {
            String::new()
        };
        let text = format!(
            r#"{{"id":"x-{number}","type":"{kind}","time":"{time}","wallet":"{wallet}"{sum},"ip":"10.9.0.{ip}","country":"KZ","client_status":"identified"}}"#
        );
        (wallet, text)
    })
}

/// What one partition imposes on an address, on all or on those who are paid counts in the others from where the decisions say;
/// one engine for all would have decided otherwise.
#[test]
fn restrictions_from_elsewhere_count_where_they_did() {
    let Some(broker) = broker::shared() else { return };
    let test = "verified-across";
    let layout = created(broker, test);
    let mut feeder = Feeder::new(broker, test);
    let begin = Events::new(0, 1).begin();
    let mut sidecar = Sidecar::start(broker, test, &["--start", "earliest", "--tick-wait", "20ms"]);
    sidecar.wait_until_ready();
    for round in 0..25 {
        for (wallet, text) in across(100 + round, round * 80, 80, begin) {
            feeder.send(Some(wallet.as_bytes()), Some(text.as_bytes()));
        }
        feeder.flush();
        wait_until_decided(broker, test);
    }
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    let configured = Configured::new(broker, test);
    let found = configured.found(&[], 0);
    assert_eq!((&found["same"], &found["different"]), (&Value::from(2_000), &Value::from(0)), "{found}");
    let all: Vec<Decided> = decisions(broker, &layout);
    for part in [r#""of":"ip""#, r#""of":"counterparty""#, r#""of":"all""#] {
        assert!(all.iter().any(|decided| decided.text().contains(part)), "some decision has {part}");
    }
    // One engine applies at once what came through the topic some ticks later.
    let out = configured.folder.path().join("one.ndjson");
    let ran = configured.verify(&["--out", path(&out), "--emit", "all"]);
    assert_eq!(ran.code, 0, "{}", ran.talk);
    let one = fs::read_to_string(&out).expect("decisions");
    let mut one: Vec<String> = one.lines().map(str::to_owned).collect();
    let mut recorded: Vec<String> = all.iter().map(Decided::text).collect();
    one.sort();
    recorded.sort();
    assert!(one.len() == recorded.len() && one != recorded, "the way through the topic makes a difference");
}

/// One record of `decisions`.
#[derive(Clone)]
struct Decided {
    partition: i32,
    key: Vec<u8>,
    value: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Decided {
    fn of(message: &BorrowedMessage<'_>) -> Decided {
        let headers = message.headers().expect("a decision has headers").iter();
        Decided {
            partition: message.partition(),
            key: message.key().expect("a wallet").to_vec(),
            value: message.payload().expect("a decision").to_vec(),
            headers: headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect(),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.value.clone()).expect("JSON is UTF-8")
    }

    fn id(&self) -> String {
        let (_, id) = self.headers.iter().find(|(name, _)| name == "kuzet-id").expect("an id");
        String::from_utf8(id.clone()).expect("an id is a text")
    }
}

/// Every decision, by partition and offset.
fn decisions(broker: &Broker, layout: &Layout) -> Vec<Decided> {
    let reader: BaseConsumer = cluster(broker).reader().create().expect("a reader");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(layout.name(Role::Decisions), partition, Offset::Beginning).expect("a partition");
    }
    reader.assign(&list).expect("an assignment");
    let (mut found, mut ends, begun) = (Vec::new(), 0, Instant::now());
    while ends < PARTITIONS {
        assert!(begun.elapsed() < PATIENCE, "the end comes");
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => found.push(Decided::of(&message)),
            Some(Err(_)) => ends += 1,
            None => {}
        }
    }
    found.sort_by_key(|decided| decided.partition);
    found
}

/// Writes decisions into another topic.
fn write(broker: &Broker, topic: &str, decisions: &[Decided]) {
    let (admin, options) = admin(broker);
    let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
    let made = wait_for(admin.create_topics([&new], &options)).expect("an answer");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    let mut config = cluster(broker).idempotent(Partitioner::Murmur2);
    let producer: BaseProducer =
        config.set("linger.ms", "5").set("topic.metadata.propagation.max.ms", "60000").create().expect("a producer");
    for decided in decisions {
        let headers = decided.headers.iter().fold(OwnedHeaders::new(), |headers, (name, value)| {
            headers.insert(Header { key: name, value: Some(value) })
        });
        let record = BaseRecord::<[u8], [u8]>::to(topic).key(&decided.key).payload(&decided.value);
        producer.send(record.partition(decided.partition).headers(headers)).map_err(|(error, _)| error).expect("room");
    }
    producer.flush(PATIENCE).expect("everything is delivered");
}

/// What somebody has changed, taken out, put in or put in twice is found, and shown with both sides.
#[test]
fn what_was_changed_is_found() {
    let Some(broker) = broker::shared() else { return };
    let test = "verified-forged";
    let layout = created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(43, 20));
    feeder.feed(&mut events, 600);
    feeder.send_to(Some(0), Some(b"77010000001"), Some(b"no JSON"));
    feeder.flush();
    decide(broker, test, &["--start", "earliest"]);
    let configured = Configured::new(broker, test);
    let mut all = decisions(broker, &layout);
    let place = all.iter().position(|decided| decided.text().contains(r#""action":"hold""#)).expect("one is held");
    let forged = |name: &str, all: &[Decided], code: i32| {
        let topic = format!("{test}.{name}");
        write(broker, &topic, all);
        configured.found(&[&topic], code)
    };
    let count = Value::from(all.len());
    let found = forged("as-it-was", &all, 0);
    assert_eq!((&found["same"], &found["holds"]), (&count, &Value::Bool(true)), "{found}");

    let original = all[place].value.clone();
    all[place].value = all[place].text().replace(r#""action":"hold""#, r#""action":"allow""#).into_bytes();
    let found = forged("changed", &all, 3);
    assert_eq!(
        (&found["different"], &found["first"]["id"]),
        (&Value::from(1), &Value::from(all[place].id())),
        "{found}"
    );
    assert!(found["first"]["members"].as_array().is_some_and(|all| all.contains(&"action".into())), "{found}");
    assert_eq!(found["first"]["recorded"]["action"], "allow", "{found}");
    assert_eq!(found["first"]["derived"]["action"], "hold", "{found}");

    all[place].value = original;
    let lost = all.remove(place);
    let found = forged("lost", &all, 3);
    assert_eq!((&found["different"], &found["first"]["recorded"]), (&Value::from(1), &Value::Null), "{found}");
    assert_eq!(
        found["first"]["derived"]["event"],
        serde_json::from_slice::<Value>(&lost.value).expect("JSON")["event"]
    );

    all.insert(place, lost.clone());
    all.insert(place, lost);
    let found = forged("twice", &all, 0);
    assert_eq!((&found["topic"]["again"], &found["same"]), (&Value::from(1), &count), "{found}");

    // A decision on the record that is no JSON.
    let letter = super::ranges::all_of(broker, layout.name(Role::Operations), PARTITIONS);
    let letter = letter.iter().find(|found| found.value == b"no JSON").expect("it was sent");
    let last = all.iter().rposition(|decided| decided.partition == 0).expect("partition 0 has decisions");
    all.remove(place);
    let mut made_up = all[last - usize::from(place <= last)].clone();
    let id = made_up.headers.iter_mut().find(|(name, _)| name == "kuzet-id").expect("an id");
    id.1 = format!("{}:0:{}", layout.name(Role::Operations), letter.offset).into_bytes();
    all.insert(last, made_up);
    let found = forged("made-up", &all, 3);
    assert_eq!((&found["different"], &found["first"]["derived"]), (&Value::from(1), &Value::Null), "{found}");
}

/// Where the beginning is gone, that is said beside what differs; decisions that are gone are no difference.
#[test]
fn what_came_before_is_not_known() {
    let Some(broker) = broker::shared() else { return };
    let test = "verified-head";
    let layout = created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(44, 8));
    feeder.feed(&mut events, 800);
    decide(broker, test, &["--start", "earliest"]);
    let configured = Configured::new(broker, test);
    let (admin, options) = admin(broker);
    let delete = |role, before: i64| {
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(layout.name(role), partition, Offset::Offset(before)).expect("a partition");
        }
        wait_for(admin.delete_records(&list, &options)).expect("records are deleted");
    };
    delete(Role::Decisions, 20);
    let found = configured.found(&[], 0);
    assert!(found["topic"]["deleted"].as_u64() > Some(30), "{found}");
    assert_eq!(found["holds"], true, "{found}");
    delete(Role::Operations, 60);
    let ran = configured.verify(&["--verify-topic"]);
    assert_eq!(ran.code, 3, "{}{}", ran.talk, ran.out);
    assert!(ran.out.contains("what stood before the first record that was read is not known here"), "{}", ran.out);
    assert!(ran.out.contains("begins at offset 60"), "{}", ran.out);
}
