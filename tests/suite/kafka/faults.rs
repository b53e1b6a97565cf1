//! What a broker that dies or stands still does to a client, on a broker of the test's own.

use super::{
    created,
    transactions::{PATIENCE, committed, producer, send},
};
use crate::broker;
use kuzet::kafka::{
    errors::{Remedy, remedy},
    topics::Role,
};
use rdkafka::producer::Producer;
use std::time::Duration;

/// What was committed is there after SIGKILL, and a producer that lived through it goes on.
#[test]
fn what_is_committed_survives_the_broker() {
    let Some(broker) = broker::own() else { return };
    let layout = created(&broker, "survives");
    let topic = layout.name(Role::Decisions);
    let producer = producer(&broker, "survives");
    send(&producer, topic, &["before"]);
    producer.commit_transaction(PATIENCE).expect("committed");
    // A kill between the commit and its mark is another test's: how long the mark then takes is not known yet.
    assert_eq!(committed(&broker, topic, 4), ["before"]);
    broker.kill();
    broker.restart();
    assert_eq!(committed(&broker, topic, 4), ["before"]);
    send(&producer, topic, &["after"]);
    producer.commit_transaction(PATIENCE).expect("committed");

    // A broker that stands still answers nobody; the same call succeeds once it goes on.
    send(&producer, topic, &["still"]);
    broker.pause();
    let error = producer.commit_transaction(Duration::from_millis(300)).expect_err("nobody answers");
    assert_eq!(remedy(&error), Remedy::Retry, "{error}");
    broker.resume();
    producer.commit_transaction(PATIENCE).expect("committed");
    assert_eq!(committed(&broker, topic, 4), ["before", "after", "still"]);
}
