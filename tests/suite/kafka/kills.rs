//! `kuzet run` under load while it, its broker and its group are disturbed; the checker then finds nothing lost, doubled or
//! different. A run counts only if its kills fell where they were meant to.
//!
//! `KUZET_KILLS=50 cargo test --test suite kafka::kills` is the long form; `KUZET_SEED` chooses another.

use super::sidecar::{Events, Feeder, Sidecar, Stream, created, judge, wait_until_decided};
use crate::broker;
use kuzet::random::Random;
use std::{env, thread, time::Duration};

/// Where an instance is killed: a command of its machine, and how likely.
const POINTS: &[(u64, &str)] = &[
    (2, "InitProducer"),
    (2, "FetchCommitted"),
    (3, "Restore"),
    (2, "Seek"),
    (4, "Begin"),
    (4, "Decide"),
    (4, "Send"),
    (4, "SendOffsets"),
    (8, "Commit"),
    (2, "Release"),
    (2, "Poll"),
];

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Two instances with names: one is killed again and again, at a named point, and at once started anew.
#[test]
fn instances_that_are_killed() {
    let Some(broker) = broker::shared() else { return };
    let test = "kills";
    created(broker, test);
    let (kills, seed) = (number("KUZET_KILLS", 8), number("KUZET_SEED", 1));
    let mut random = Random::new(seed);
    let stream = Stream::start(Feeder::new(broker, test), Events::new(seed, 40));
    let flags = ["--start", "earliest", "--session-timeout", "3s", "--tick-wait", "30ms"];
    let start = |instance: &'static str, level: &'static str| {
        let more = ["--kafka-instance", instance, "--log-level", level];
        Sidecar::start(broker, test, &[&flags[..], &more].concat())
    };
    let mut steady = start("steady", "info");
    let mut open = 0;
    let mut fired = Vec::new();
    for _ in 0..kills {
        let mut victim = start("victim", "trace");
        let point = random.weighted(POINTS);
        let early = ["InitProducer", "FetchCommitted", "Restore", "Seek"].contains(&point);
        let times = if early { 1 } else { random.place(40) + 1 };
        let inside = victim.wait_for_command(point, times);
        // Some die with the command, some a little after it was begun.
        thread::sleep(Duration::from_micros(random.below(3_000)));
        victim.kill();
        open += u64::from(inside);
        fired.push(point);
    }
    let mut last = start("victim", "info");
    last.wait_until_ready();
    steady.wait_until_ready();
    let sent = stream.end();
    wait_until_decided(broker, test);
    for sidecar in [steady, last] {
        let (status, told) = sidecar.terminate();
        assert_eq!(status.code(), Some(0), "{told}");
    }
    println!("seed {seed}: {kills} kills, {open} of them inside a transaction, at {fired:?}; {sent} operations");
    assert!(10 * open >= 3 * kills, "three of ten kills fall inside a transaction: {open} of {kills}");
    let Some(verdict) = judge(broker, test, &[]) else { return };
    assert_eq!(verdict.operations, sent);
}

/// Instances without names come and go, one is stopped in its tracks past the session's time, one is killed.
#[test]
fn a_group_that_changes() {
    let Some(broker) = broker::shared() else { return };
    let test = "group";
    created(broker, test);
    let stream = Stream::start(Feeder::new(broker, test), Events::new(5, 40));
    let start = || Sidecar::start(broker, test, &["--start", "earliest", "--session-timeout", "3s"]);
    let mut first = start();
    first.wait_until_ready();
    let mut second = start();
    second.wait_until_ready();
    let mut third = start();
    third.wait_until_ready();
    let (status, told) = second.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    // It is taken for dead, and finds out when it goes on.
    third.signal(nix::sys::signal::Signal::SIGSTOP);
    first.wait_for("a partition's state is restored");
    thread::sleep(Duration::from_secs(4));
    third.signal(nix::sys::signal::Signal::SIGCONT);
    let mut fourth = start();
    fourth.wait_until_ready();
    first.kill();
    thread::sleep(Duration::from_secs(4));
    let sent = stream.end();
    wait_until_decided(broker, test);
    for sidecar in [third, fourth] {
        let (status, told) = sidecar.terminate();
        assert_eq!(status.code(), Some(0), "{told}");
    }
    let Some(verdict) = judge(broker, test, &[]) else { return };
    assert_eq!(verdict.operations, sent);
}

/// The broker dies under load and comes back. Its version must not have KAFKA-20734: see ARCHITECTURE.md, "Proof".
#[test]
fn a_broker_that_is_killed() {
    let Some(broker) = broker::own() else { return };
    let test = "broker";
    created(&broker, test);
    let stream = Stream::start(Feeder::new(&broker, test), Events::new(6, 40));
    let mut sidecar = Sidecar::start(&broker, test, &["--start", "earliest", "--log-level", "trace"]);
    sidecar.wait_until_ready();
    for _ in 0..number("KUZET_BROKER_KILLS", 1) {
        thread::sleep(Duration::from_secs(2));
        broker.kill();
        broker.restart();
    }
    thread::sleep(Duration::from_secs(2));
    let sent = stream.end();
    wait_until_decided(&broker, test);
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    let Some(verdict) = judge(&broker, test, &[]) else { return };
    assert_eq!(verdict.operations, sent);
}

/// Without transactions nothing is lost, and what comes twice is the same.
#[test]
fn at_least_once() {
    let Some(broker) = broker::shared() else { return };
    let test = "at-least-once";
    created(broker, test);
    let stream = Stream::start(Feeder::new(broker, test), Events::new(7, 40));
    let start = || {
        let flags = ["--start", "earliest", "--session-timeout", "3s", "--kafka-instance", "one"];
        Sidecar::start(
            broker,
            test,
            &[&flags[..], &["--kafka-delivery", "at-least-once", "--log-level", "trace"]].concat(),
        )
    };
    for point in ["Send", "CommitOffsets"] {
        let mut sidecar = start();
        sidecar.wait_for_command(point, 20);
        sidecar.kill();
    }
    let mut sidecar = start();
    sidecar.wait_for_command("Release", 5);
    let sent = stream.end();
    wait_until_decided(broker, test);
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    let Some(verdict) = judge(broker, test, &["--repeats"]) else { return };
    assert!(verdict.operations == sent && verdict.decisions + verdict.dead_letters >= sent, "{verdict:?}");
}
