//! Kuzet's use of Kafka against a real broker.

#[cfg(feature = "alert")]
mod alerts;
mod clients;
mod faults;
mod guarded;
mod kills;
mod late_end;
mod load;
mod ranges;
mod refusals;
mod run;
mod sidecar;
mod topics;
mod transactions;
mod verified;
mod walked;

use crate::broker::Broker;
use kuzet::kafka::{
    client::Cluster,
    topics::{Layout, Role, Topics},
};
use std::collections::BTreeMap;

/// A cluster without an operator's options.
fn cluster(broker: &Broker) -> Cluster {
    Cluster::new(&broker.address(), "kuzet-test", BTreeMap::new()).expect("no options, none refused")
}

/// Topics of a test's own on the shared broker: `operations` has four partitions.
fn layout(test: &str) -> Layout {
    let mut layout = Layout::new(4, true);
    layout.names = Role::ALL.map(|role| format!("{test}.{}", role.name()));
    layout
}

/// The same, created.
fn created(broker: &Broker, test: &str) -> Layout {
    let layout = layout(test);
    topics(broker).init(&layout).expect("topics are created");
    layout
}

fn topics(broker: &Broker) -> Topics {
    Topics::new(&cluster(broker).admin()).expect("a client that looks at topics")
}
