//! Topics are created as they must be, and refused with what to do where they are not.

use super::{
    created, layout,
    refusals::{admin, wait_for},
    topics,
    transactions::PATIENCE,
};
use crate::broker::{self, Broker};
use kuzet::kafka::{
    tags::GROWN,
    topics::{Layout, Role},
};
use rdkafka::admin::{NewTopic, ResourceSpecifier, TopicReplication};

/// What each topic is, said once more and apart from the code.
pub(super) fn as_it_must_be(role: Role) -> Vec<(&'static str, &'static str)> {
    let mut settings = match role {
        Role::Operations => vec![
            ("cleanup.policy", "delete"),
            ("message.timestamp.type", "LogAppendTime"),
            ("retention.ms", "604800000"),
            ("max.message.bytes", "1048588"),
        ],
        Role::Decisions => {
            vec![("cleanup.policy", "delete"), ("retention.ms", "604800000"), ("max.message.bytes", "1048588")]
        }
        Role::DeadLetters => {
            vec![("cleanup.policy", "delete"), ("retention.ms", "2592000000"), ("max.message.bytes", "2097152")]
        }
        Role::AlertsFailed => {
            vec![("cleanup.policy", "delete"), ("retention.ms", "2592000000"), ("max.message.bytes", "1048588")]
        }
        Role::State | Role::Restrictions | Role::AlertsRetry => {
            vec![("cleanup.policy", "compact"), ("delete.retention.ms", "86400000"), ("max.message.bytes", "1048588")]
        }
    };
    if settings.contains(&("cleanup.policy", "delete")) {
        settings.push(("retention.bytes", "-1"));
    }
    settings.sort_unstable();
    settings
}

fn partitions(role: Role) -> i32 {
    if role == Role::Restrictions { 1 } else { 4 }
}

pub(super) fn create(broker: &Broker, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in settings {
        new = new.set(name, value);
    }
    let (admin, options) = admin(broker);
    let answers = wait_for(admin.create_topics([&new], &options)).expect("an answer");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    // The controller answers before the broker knows; an unknown topic has no partitions.
    let known = || admin.inner().fetch_metadata(Some(topic), PATIENCE).expect("metadata");
    while known().topics()[0].partitions().is_empty() {}
}

fn refusal(broker: &Broker, layout: &Layout) -> String {
    topics(broker).check(layout).expect_err("something is wrong").to_string()
}

#[test]
fn init_creates_what_is_missing_and_nothing_else() {
    let Some(broker) = broker::shared() else { return };
    let layout = layout("init");
    let topics = topics(broker);
    let missing = refusal(broker, &layout);
    for role in Role::ALL {
        let line = format!("topic `init.{}` does not exist.\n  `kuzet run --init` creates it", role.name());
        assert!(missing.contains(&line), "{missing}");
    }
    assert_eq!(topics.init(&layout).expect("all are created"), layout.names);
    assert_eq!(topics.init(&layout).expect("all are there"), Vec::<String>::new());
    topics.check(&layout).expect("all are as they must be");
    let (admin, options) = admin(broker);
    for role in Role::ALL {
        let name = layout.name(role);
        let described = wait_for(admin.describe_configs([&ResourceSpecifier::Topic(name)], &options));
        let described = described.expect("an answer").remove(0).expect("settings");
        for (setting, value) in as_it_must_be(role) {
            let found = described.get(setting).and_then(|entry| entry.value.as_deref());
            assert_eq!(found, Some(value), "{name} {setting}");
        }
    }
}

const KEPT: &str = "a reader that was away for a day must find what it has not read yet";
const ALONE: &str = "each record of it stands for itself, and compaction keeps only the newest of a key";
const NEWEST: &str = "the newest record of each key is what is remembered, however old it is";
const YOUNG: &str = "a limit of size deletes what has not been read yet, however young it is";
const FILLS: &str = "our producers fill batches up to that";

/// Each setting that can be wrong: where, which, the wrong value, what the refusal says it must be, what it advises, and why.
const WRONG: &[(Role, &str, &str, &str, &str, &str)] = &[
    (Role::Operations, "cleanup.policy", "compact", "`delete`", "delete", ALONE),
    (
        Role::Operations,
        "message.timestamp.type",
        "CreateTime",
        "`LogAppendTime`",
        "LogAppendTime",
        "an event's time is held against the broker's clock, since a producer's own may be wrong",
    ),
    (Role::Operations, "retention.ms", "86399999", "at least 86400000 or -1", "604800000", KEPT),
    (Role::Operations, "retention.bytes", "1073741824", "`-1`", "-1", YOUNG),
    (
        Role::Operations,
        "max.message.bytes",
        "1048589",
        "at most 1048588",
        "1048588",
        "what comes in must fit into a dead letter",
    ),
    (Role::Decisions, "cleanup.policy", "compact", "`delete`", "delete", ALONE),
    (Role::Decisions, "retention.ms", "1000", "at least 86400000 or -1", "604800000", KEPT),
    (Role::Decisions, "retention.bytes", "1", "`-1`", "-1", YOUNG),
    (Role::Decisions, "max.message.bytes", "1048587", "at least 1048588", "1048588", FILLS),
    (Role::DeadLetters, "cleanup.policy", "compact", "`delete`", "delete", ALONE),
    (Role::DeadLetters, "retention.ms", "0", "at least 86400000 or -1", "2592000000", KEPT),
    (Role::DeadLetters, "retention.bytes", "0", "`-1`", "-1", YOUNG),
    (
        Role::DeadLetters,
        "max.message.bytes",
        "2097151",
        "at least 2097152",
        "2097152",
        "whatever came in must fit, with its diagnosis",
    ),
    (Role::State, "cleanup.policy", "delete", "`compact`", "compact", NEWEST),
    (Role::State, "cleanup.policy", "compact,delete", "`compact`", "compact", NEWEST),
    (
        Role::State,
        "delete.retention.ms",
        "60000",
        "at least 86400000",
        "86400000",
        "whoever restores must see that a key was deleted, or the deleted comes back to life",
    ),
    (Role::Restrictions, "cleanup.policy", "delete", "`compact`", "compact", NEWEST),
    (Role::Restrictions, "max.message.bytes", "65536", "at least 1048588", "1048588", FILLS),
    (Role::AlertsFailed, "retention.ms", "3600000", "at least 86400000 or -1", "2592000000", KEPT),
    (Role::AlertsFailed, "retention.bytes", "107374182400", "`-1`", "-1", YOUNG),
];

/// One wrong thing at a time, with the whole message.
#[test]
fn each_wrong_setting_is_refused() {
    let Some(broker) = broker::shared() else { return };
    let good = created(broker, "wrong");
    for (number, (role, setting, value, wanted, mended, because)) in WRONG.iter().copied().enumerate() {
        let topic = format!("wrong-{number}.{}", role.name());
        let mut settings = as_it_must_be(role);
        settings.iter_mut().find(|(name, _)| *name == setting).expect("a setting of this topic").1 = value;
        create(broker, &topic, partitions(role), &settings);
        let mut layout = good.clone();
        layout.names[role as usize].clone_from(&topic);
        let address = broker.address();
        assert_eq!(
            refusal(broker, &layout),
            format!(
                "topic `{topic}`: `{setting}` is `{value}` and must be {wanted}: {because}.\n  \
                 kafka-configs.sh --bootstrap-server {address} --alter --entity-type topics --entity-name {topic} \
                 --add-config {setting}={mended}"
            )
        );
    }
}

#[test]
fn what_is_kept_for_ever_is_kept_long_enough() {
    let Some(broker) = broker::shared() else { return };
    let mut layout = created(broker, "for-ever");
    let mut settings = as_it_must_be(Role::Operations);
    settings.iter_mut().find(|(name, _)| *name == "retention.ms").expect("there is one").1 = "-1";
    create(broker, "kept-for-ever", 4, &settings);
    "kept-for-ever".clone_into(&mut layout.names[Role::Operations as usize]);
    topics(broker).check(&layout).expect("-1 is for ever");
}

#[test]
fn wrong_numbers_of_partitions_are_refused() {
    let Some(broker) = broker::shared() else { return };
    let good = created(broker, "partitions");
    let address = broker.address();
    let own = "each partition of operations has its own state";
    let alerts = "each partition of decisions has its own alerts";
    let order = "every instance applies restrictions in one order, and says with one number how far it is";
    for (role, partitions, wanted, because) in [
        (Role::State, 3, 4, own),
        (Role::State, 5, 4, own),
        (Role::AlertsRetry, 3, 4, alerts),
        (Role::Restrictions, 2, 1, order),
    ] {
        let topic = format!("partitions-{partitions}.{}", role.name());
        create(broker, &topic, partitions, &as_it_must_be(role));
        let mut layout = good.clone();
        layout.names[role as usize].clone_from(&topic);
        let advice = if partitions < wanted && role == Role::State {
            format!(
                "Where operations was given more partitions, wallets have moved and their state has not. {GROWN}.\n  \
                 Where nothing has been decided on yet:\n  \
                 kafka-topics.sh --bootstrap-server {address} --alter --topic {topic} --partitions {wanted}"
            )
        } else if partitions < wanted {
            format!("kafka-topics.sh --bootstrap-server {address} --alter --topic {topic} --partitions {wanted}")
        } else {
            "Kafka takes no partition away: give the configuration the name of a new topic and run `kuzet run --init`"
                .to_owned()
        };
        assert_eq!(
            refusal(broker, &layout),
            format!(
                "topic `{topic}` has {partitions} partitions and must have {wanted}: {because}.{}{advice}",
                if role == Role::State && partitions < wanted { " " } else { "\n  " }
            )
        );
    }
}

/// What was made for trying is not taken for production, and one node cannot hold three copies.
#[test]
fn one_copy_is_for_trying_only() {
    let Some(broker) = broker::shared() else { return };
    let mut layout = created(broker, "copies");
    layout.single_node = false;
    let said = refusal(broker, &layout);
    for role in Role::ALL {
        let name = layout.name(role);
        let copies = format!("topic `{name}`: a partition has 1 copies and must have at least 3: ");
        let kept = format!("topic `{name}`: `min.insync.replicas` is `1` and must be at least 2: ");
        assert!(said.contains(&copies) && said.contains(&kept), "{said}");
    }
    let mut missing = super::layout("three-copies");
    missing.single_node = false;
    let said = topics(broker).init(&missing).expect_err("there is one broker").to_string();
    assert_eq!(
        said,
        "topic `three-copies.operations` could not be created: 3 copies need as many brokers. \
         `--single-node` is for trying on one"
    );
}
