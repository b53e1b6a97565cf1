//! `kuzet alert`, running: decisions from Kafka to webhooks, at least once and each id with one body.
//!
//! `machine` says what is sent, saved and given up, without I/O; `checkpoint` what one transaction writes of it. `worker` is the
//! thread that speaks to Kafka, `courier` the one that speaks to receivers. This file starts them, waits, and says how it ended.
//! There is no database: what waits, for ten hours if need be, is in the compacted topic `alerts-retry`, and in memory beside it.

mod asks;
mod backoff;
mod breaker;
mod checkpoint;
mod courier;
mod endpoint;
mod failed;
mod ledger;
mod machine;
mod metrics;
mod pace;
mod record;
mod settings;
#[cfg(test)]
mod simulation;
mod worker;

pub use failed::{Sent, send_again};
pub use settings::{Settings, settings};

use crate::{
    alert::{Endpoint, config::Retry},
    kafka::topics::{Role, Topics},
    run::{Ended, Refused, chance, health, http, log, transactional_id},
    sidecar::Millis,
};
use backoff::Backoff;
use courier::Courier;
use endpoint::Allowed;
use machine::Machine;
use metrics::Metrics;
use std::{
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};
use worker::Worker;

/// Creates the topics that are missing and checks all; says which were created.
///
/// # Errors
/// What cannot be created, and what is wrong with what is there.
pub fn init(settings: &Settings) -> Result<Vec<String>, Refused> {
    let topics = Topics::new(&settings.cluster.admin()).map_err(Refused::Client)?;
    topics.init(&settings.layout).map_err(Refused::Topics)
}

/// Works until `shutdown` is set or it must stop.
///
/// # Errors
/// Topics that are missing or wrong, and whatever else keeps it from beginning.
pub fn run(settings: &Settings, shutdown: &Arc<AtomicBool>) -> Result<Ended, Refused> {
    log::start(settings.level);
    let topics = Topics::new(&settings.cluster.admin()).map_err(Refused::Client)?;
    topics.check(&settings.layout).map_err(Refused::Topics)?;
    let partitions = topics.partitions(settings.layout.name(Role::Decisions)).map_err(Refused::Topics)?;
    // The admin client takes a second to end, which neither the start nor the stop waits for.
    thread::spawn(move || drop(topics));
    let endpoints = settings.alerts.endpoints.clone();
    let names: Vec<&str> = endpoints.iter().map(|endpoint| &*endpoint.name).collect();
    let metrics = Arc::new(Metrics::new(&names));
    let health = Arc::new(health::Worker::default());
    let courier = Courier::start(endpoints.clone()).map_err(Refused::Thread)?;
    let setup = worker::Setup {
        cluster: settings.cluster.clone(),
        layout: settings.layout.clone(),
        member: settings.member.clone(),
        name: transactional_id(&settings.member.group, settings.member.instance.as_deref()),
        start: settings.start,
        partitions,
        endpoints: endpoints.clone(),
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        shutdown: Arc::clone(shutdown),
    };
    let worker = Worker::new(setup, machine(settings), courier).map_err(Refused::Client)?;
    if let Some(address) = settings.listen {
        let text = Box::new(move || metrics.text());
        let told = http::Told { text, workers: vec![health] };
        let bound = http::start(address, told).map_err(|cause| Refused::Listen { address, cause })?;
        tracing::info!(address = %bound, "metrics and health are told");
    }
    let brokers = settings.cluster.brokers();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), brokers, partitions, ?names, "kuzet alerts");
    Ok(match worker.run() {
        Ok(()) => Ended { drained: true, reasons: Vec::new() },
        Err(reason) => {
            tracing::error!(reason, "kuzet alert stops");
            Ended { drained: false, reasons: vec![reason] }
        }
    })
}

fn machine(settings: &Settings) -> Machine {
    let endpoints = settings.alerts.endpoints.clone();
    let allowed = endpoints.iter().map(|endpoint| allowed(endpoint)).collect();
    let Retry { schedule, jitter } = &settings.alerts.retry;
    let backoff = Backoff::new(schedule.iter().map(|wait| millis(*wait)).collect(), *jitter);
    let machine = machine::Settings { backoff, save_after: settings.save_after, seed: chance() };
    let render =
        Box::new(move |endpoint: usize, collected: &record::Collected| asks::render(&endpoints, endpoint, collected));
    Machine::new(machine, allowed, render)
}

fn allowed(endpoint: &Endpoint) -> Allowed {
    let rate = endpoint.rate.map(|rate| (rate.alerts, millis(rate.within)));
    Allowed::new(&endpoint.name, endpoint.concurrency, rate)
}

fn millis(span: Duration) -> Millis {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
