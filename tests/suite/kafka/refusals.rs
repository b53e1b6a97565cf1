//! What `kuzet run` stops at, and goes on with only when somebody says so: never a silent skip.

use super::{
    cluster, layout,
    sidecar::{Events, Feeder, PATIENCE, Sidecar, created, judge, offset, once, wait_until_decided},
    topics::{as_it_must_be, create},
};
use crate::broker::{self, Broker};
use kuzet::kafka::topics::Role;
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier},
    client::DefaultClientContext,
};
use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An answer of the admin client, which comes from a thread of its own.
pub(super) fn wait_for<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

pub(super) fn admin(broker: &Broker) -> (AdminClient<DefaultClientContext>, AdminOptions) {
    let admin = cluster(broker).admin().create().expect("an admin client");
    (admin, AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE)))
}

/// Decides on so many operations and ends.
fn decide(broker: &Broker, test: &str, feeder: &mut Feeder, events: &mut Events, flags: &[&str]) {
    feeder.feed(events, 400);
    let mut sidecar = Sidecar::start(broker, test, flags);
    sidecar.wait_until_ready();
    wait_until_decided(broker, test);
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
}

/// It ends with 1 and says these words.
fn refuses(broker: &Broker, test: &str, flags: &[&str], words: &[&str]) {
    let (status, told) = once(broker, test, flags);
    assert_eq!(status.code(), Some(1), "{told}");
    for part in words {
        assert!(told.contains(part), "no `{part}` in\n{told}");
    }
}

/// Deletes a topic, and says which.
fn deleted(broker: &Broker, test: &str, role: Role) -> String {
    let topic = layout(test).name(role).to_owned();
    let (admin, options) = admin(broker);
    let answers = wait_for(admin.delete_topics(&[&topic], &options)).expect("an answer");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    topic
}

/// Offsets that somebody deleted, or that expired: the state knows its place, once an operator has said that it is this topic's.
#[test]
fn deleted_offsets() {
    let Some(broker) = broker::shared() else { return };
    let test = "deleted";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(11, 20));
    decide(broker, test, &mut feeder, &mut events, &["--start", "earliest"]);
    let (admin, options) = admin(broker);
    let answers = wait_for(admin.delete_groups(&[test], &options)).expect("an answer");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(offset(broker, test, 0), None);
    feeder.feed(&mut events, 100);
    let words =
        ["the group has no offset for partition", "but there is state of it, decided up to offset", "`--start state`"];
    refuses(broker, test, &[], &words);
    // Whoever begins at the earliest record would decide on it a second time.
    refuses(broker, test, &["--start", "earliest"], &words);
    decide(broker, test, &mut feeder, &mut events, &["--start", "state"]);
    decide(broker, test, &mut feeder, &mut events, &[]);
    let Some(verdict) = judge(broker, test, &[]) else { return };
    assert_eq!(verdict.operations, 1_300);
}

/// With the topic Kafka deletes its offsets, and the state knows nothing of a new one of that name: nothing of it is skipped.
#[test]
fn operations_that_were_created_again() {
    let Some(broker) = broker::shared() else { return };
    let test = "again";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(14, 20));
    decide(broker, test, &mut feeder, &mut events, &["--start", "earliest"]);
    let topic = deleted(broker, test, Role::Operations);
    let lost = [
        "`again.operations` does not exist, and `again.state` holds the state of its partitions",
        "Bring `again.operations` back",
    ];
    refuses(broker, test, &[], &lost);
    refuses(broker, test, &["--init"], &lost);
    create(broker, &topic, 4, &as_it_must_be(Role::Operations));
    Feeder::new(broker, test).feed(&mut events, 900);
    for flags in [&[][..], &["--start", "earliest"]] {
        refuses(
            broker,
            test,
            flags,
            &["or operations was deleted and created again", "start on new topics, under another group"],
        );
    }
    assert!(
        (0..4).all(|partition| offset(broker, test, partition).is_none()),
        "nothing of the new topic is decided on"
    );
}

/// Restrictions that were deleted do not stand any more: nobody decides without them as if they had never been.
#[test]
fn restrictions_that_were_deleted() {
    let Some(broker) = broker::shared() else { return };
    let test = "unrestricted";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(15, 20));
    for number in 0..6 {
        let time = kuzet::time::Timestamp(events.begin() + number * 1_000);
        let text = format!(
            r#"{{"id":"wrong-{number}","type":"login_failed","time":"{time}","wallet":"77019999999","ip":"203.0.113.9"}}"#
        );
        feeder.send(Some(b"77019999999"), Some(text.as_bytes()));
    }
    // What stands when a later tick is decided is in its state.
    decide(broker, test, &mut feeder, &mut events, &["--start", "earliest"]);
    decide(broker, test, &mut feeder, &mut events, &[]);
    let topic = deleted(broker, test, Role::Restrictions);
    let lost = ["`unrestricted.restrictions` does not exist, and `unrestricted.state` holds", "would be let through"];
    refuses(broker, test, &[], &lost);
    refuses(broker, test, &["--init"], &lost);
    create(broker, &topic, 1, &as_it_must_be(Role::Restrictions));
    refuses(
        broker,
        test,
        &[],
        &["the state was made with unrestricted.restrictions up to offset", "and unrestricted.restrictions ends at 0"],
    );
}

/// Records that retention deletes before they are decided on.
#[test]
fn retention_that_overtook() {
    let Some(broker) = broker::shared() else { return };
    let test = "overtaken";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(12, 20));
    decide(broker, test, &mut feeder, &mut events, &["--start", "earliest"]);
    let partition = (0..4).max_by_key(|partition| offset(broker, test, *partition)).expect("four of them");
    let before = offset(broker, test, partition).expect("it is decided on");
    feeder.feed(&mut events, 400);
    let (admin, options) = admin(broker);
    let mut list = TopicPartitionList::new();
    let topic = layout(test).name(Role::Operations).to_owned();
    list.add_partition_offset(&topic, partition, Offset::Offset(before + 3)).expect("a partition");
    wait_for(admin.delete_records(&list, &options)).expect("records are deleted");
    let low = before + 3;
    let place = format!("decided up to offset {before}, and the broker has records only from {low} on");
    refuses(broker, test, &[], &[&place, "--gone skip"]);
    let mut sidecar = Sidecar::start(broker, test, &["--gone", "skip"]);
    sidecar.wait_until_ready();
    wait_until_decided(broker, test);
    assert!(sidecar.get("/metrics").1.contains("kuzet_lost_offsets_total 3\n"));
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
}

/// What was written while the topic took the producers' word for the time is not decided on; the message's way out leads on.
#[test]
fn records_of_a_producers_time() {
    let Some(broker) = broker::shared() else { return };
    let test = "unstamped";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(16, 20));
    decide(broker, test, &mut feeder, &mut events, &["--start", "earliest"]);
    let (admin, options) = admin(broker);
    let topic = layout(test).name(Role::Operations).to_owned();
    let stamps = |by: &str| {
        let settings = as_it_must_be(Role::Operations).into_iter();
        let config = settings.fold(AlterConfig::new(ResourceSpecifier::Topic(&topic)), |config, (name, value)| {
            config.set(name, if name == "message.timestamp.type" { by } else { value })
        });
        let answers = wait_for(admin.alter_configs([&config], &options)).expect("an answer");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        // The controller answers before the broker knows.
        let known = || {
            let told = wait_for(admin.describe_configs([&ResourceSpecifier::Topic(&topic)], &options));
            let told = told.expect("an answer").remove(0).expect("settings");
            told.get("message.timestamp.type").and_then(|entry| entry.value.clone())
        };
        while known().as_deref() != Some(by) {}
    };
    stamps("CreateTime");
    for _ in 0..40 {
        feeder.feed(&mut events, 1);
    }
    stamps("LogAppendTime");
    let words = ["has its producer's time and not the broker's", "`kafka-delete-records.sh`", "`--gone skip`"];
    refuses(broker, test, &[], &words);
    let mut list = TopicPartitionList::new();
    let mut left = 0;
    for partition in 0..4 {
        let (_, end) = admin.inner().fetch_watermarks(&topic, partition, PATIENCE).expect("it can be asked");
        left += end - offset(broker, test, partition).expect("it was decided on");
        list.add_partition_offset(&topic, partition, Offset::Offset(end)).expect("a partition");
    }
    assert!(left > 0, "they are not decided on");
    wait_for(admin.delete_records(&list, &options)).expect("records are deleted");
    decide(broker, test, &mut feeder, &mut events, &["--gone", "skip"]);
}

/// A topic that was given more partitions has wallets in new places and their state in the old ones.
#[test]
fn partitions_that_grew() {
    let Some(broker) = broker::shared() else { return };
    let test = "grown";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(13, 20));
    decide(broker, test, &mut feeder, &mut events, &["--start", "earliest"]);
    let (admin, options) = admin(broker);
    let grow = |role| {
        let topic = layout(test).name(role).to_owned();
        let answers = wait_for(admin.create_partitions(&[NewPartitions::new(&topic, 6)], &options)).expect("an answer");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    };
    grow(Role::Operations);
    let begun = std::time::Instant::now();
    // The controller says so before every broker knows it.
    while !once(broker, test, &[]).1.contains("`grown.state` has 4 partitions and must have 6") {
        assert!(begun.elapsed() < PATIENCE, "the broker knows of its partitions");
    }
    grow(Role::State);
    while once(broker, test, &[]).1.contains("has 4 partitions") {
        assert!(begun.elapsed() < PATIENCE, "the broker knows of its partitions");
    }
    refuses(broker, test, &[], &["the state was made when operations had 4 partitions, and now it has 6"]);
}

/// The same while it runs: it stops, and says why.
#[test]
fn partitions_that_grow_under_it() {
    let Some(broker) = broker::shared() else { return };
    let test = "growing";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(15, 20));
    let mut sidecar = Sidecar::start(broker, test, &["--start", "earliest"]);
    sidecar.wait_until_ready();
    feeder.feed(&mut events, 200);
    wait_until_decided(broker, test);
    let (admin, options) = admin(broker);
    let topic = layout(test).name(Role::Operations).to_owned();
    let answers = wait_for(admin.create_partitions(&[NewPartitions::new(&topic, 6)], &options)).expect("an answer");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let (status, told) = sidecar.ended();
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("had 4 when this process started: wallets have moved to other partitions"), "{told}");
}

/// A producer with another partitioner.
#[test]
fn a_record_in_the_wrong_partition() {
    let Some(broker) = broker::shared() else { return };
    let test = "misplaced";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(14, 20));
    feeder.feed(&mut events, 100);
    let event = events.next().expect("endless");
    let wallet = event.wallet.as_bytes();
    let right = kuzet::kafka::partitioner::Partitioner::Murmur2.place(wallet, 4);
    let wrong = i32::try_from((right + 1) % 4).expect("few");
    feeder.send_to(Some(wrong), Some(wallet), Some(event.text.as_bytes()));
    feeder.flush();
    let words = ["which murmur2_random puts into partition", "wrong_partition = \"count\""];
    refuses(broker, test, &["--start", "earliest", "--kafka-wrong-partition", "stop"], &words);
    let mut sidecar = Sidecar::start(broker, test, &["--start", "earliest"]);
    sidecar.wait_until_ready();
    wait_until_decided(broker, test);
    assert!(sidecar.get("/metrics").1.contains("kuzet_wrong_partition_total 1\n"));
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(told.contains("***") && !told.contains(&event.wallet), "the wallet is masked: {told}");
}
