//! What clients may be told, and that librdkafka takes what we tell them.

use crate::broker;
use kuzet::kafka::{
    client::{Cluster, Member},
    partitioner::Partitioner,
};
use rdkafka::{
    ClientConfig, ClientContext, Message,
    consumer::BaseConsumer,
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};

fn with(options: &[(&str, &str)]) -> Result<Cluster, Vec<String>> {
    let options: BTreeMap<String, String> =
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Cluster::new("127.0.0.1:9092", "kuzet-test", options)
        .map_err(|refusals| refusals.iter().map(ToString::to_string).collect())
}

#[test]
fn options_say_how_to_reach_the_cluster_and_nothing_else() {
    for option in [
        "enable.auto.commit",
        "isolation.level",
        "auto.offset.reset",
        "acks",
        "group.id",
        "transactional.id",
        "nonsense",
    ] {
        let refusals = with(&[(option, "true")]).err().expect("a refusal");
        assert!(refusals[0].starts_with(&format!("`{option}` cannot be set: options say")), "{refusals:?}");
    }
    let refusals = with(&[("acks", "0"), ("security.protocol", "carrier pigeon"), ("client.rack", "a")]);
    let refusals = refusals.err().expect("two refusals");
    assert_eq!(refusals.len(), 2, "every one at once: {refusals:?}");
    assert!(refusals[1].starts_with("`security.protocol`: "), "{refusals:?}");
    with(&[("client.rack", "a"), ("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "PLAIN")])
        .expect("let through");
}

#[test]
fn a_refusal_never_shows_a_value() {
    let refusals = with(&[("reconnect.backoff.ms", "secret")]).err().expect("no number");
    assert!(!refusals[0].contains("secret"), "{refusals:?}");
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_is_asked_for_clearly_where_it_is_left_out() {
    for (option, value) in [
        ("security.protocol", "ssl"),
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.location", "/ca.pem"),
        ("sasl.mechanisms", "SCRAM-SHA-512"),
        ("sasl.mechanism", "OAUTHBEARER"),
    ] {
        let expected =
            format!("`{option}` needs TLS, which this build leaves out: build with `cargo build --features tls`");
        assert_eq!(with(&[(option, value)]).err().expect("a refusal"), [expected]);
    }
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_let_through() {
    with(&[("security.protocol", "sasl_ssl"), ("sasl.mechanism", "SCRAM-SHA-512"), ("ssl.ca.location", "/ca.pem")])
        .expect("let through");
}

/// librdkafka checks options against each other only when a client is made.
#[test]
fn librdkafka_takes_every_configuration() {
    let cluster = with(&[]).expect("no options, none refused");
    let member = Member { group: "g".to_owned(), instance: Some("one".to_owned()), session_timeout_ms: 10_000 };
    let _: BaseConsumer = cluster.member(&member).create().expect("a member");
    let _: BaseConsumer = cluster.reader().create().expect("a reader");
    let _: BaseConsumer = cluster.admin().create().expect("an admin client");
    for partitioner in [Partitioner::Murmur2, Partitioner::Crc32] {
        let _: BaseProducer = cluster.transactional("t", partitioner).create().expect("a producer");
    }
}

/// Remembers where each key went.
#[derive(Default)]
struct Places(Mutex<Vec<(Vec<u8>, i32)>>);

impl ClientContext for Places {}

impl ProducerContext for Places {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let message = result.as_ref().expect("delivered");
        let key = message.key().expect("a key").to_vec();
        self.0.lock().expect("no panic holds it").push((key, message.partition()));
    }
}

/// Our reckoning is that of the library, for keys of every length.
#[test]
fn keys_go_where_we_reckon() {
    let Some(broker) = broker::shared() else { return };
    let layout = super::created(broker, "places");
    let topic = layout.name(kuzet::kafka::topics::Role::Operations);
    for partitioner in [Partitioner::Murmur2, Partitioner::Crc32] {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.address()).set("partitioner", partitioner.name());
        let producer: BaseProducer<Places> = config.create_with_context(Places::default()).expect("a producer");
        for length in 1..=64 {
            let key: String = "77010000001".chars().cycle().take(length).collect();
            producer.send(BaseRecord::to(topic).key(&key).payload("{}")).expect("there is room");
        }
        producer.flush(Duration::from_secs(60)).expect("all are delivered");
        let places = producer.context().0.lock().expect("no panic holds it");
        assert_eq!(places.len(), 64);
        for (key, partition) in places.iter() {
            let reckoned = partitioner.place(key, 4);
            assert_eq!(i64::from(*partition), i64::from(reckoned), "{partitioner:?} {}", String::from_utf8_lossy(key));
        }
    }
}
