//! `kuzet run` under load while it, its broker and its group are disturbed; the checker then finds nothing lost, doubled or
//! different. A run counts only if its faults fell where they were meant to.
//!
//! `KUZET_PROOF=full cargo test --test suite kafka::kills -- --nocapture --test-threads 1` is the whole proof: 50 kills of
//! instances, 10 pauses past the session, 20 rebalances, 5 kills of the broker. `KUZET_SEED` chooses another, and
//! `KUZET_KILLS`, `KUZET_PAUSES` and `KUZET_BROKER_KILLS` how many. `benches/record/run proof` keeps its record.

use super::sidecar::{Events, Feeder, Sidecar, Stream, created, judge, wait_until_decided};
use crate::broker;
use kuzet::random::Random;
use nix::sys::signal::Signal;
use std::{collections::VecDeque, env, thread, time::Duration};

/// Where an instance is killed: a command of its machine, and how likely.
const POINTS: &[(u64, &str)] = &[
    (2, "InitProducer"),
    (2, "Settle"),
    (2, "FetchCommitted"),
    (3, "Restore"),
    (2, "Seek"),
    (4, "Begin"),
    (4, "Decide"),
    (4, "DecideAhead"),
    (4, "Send"),
    (4, "SendOffsets"),
    (8, "Commit"),
    (2, "Release"),
    (2, "Poll"),
];

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// How often something is done: as the variable says, or `short`, or `full` where the whole proof is asked for.
fn times(name: &str, short: u64, full: u64) -> u64 {
    number(name, if env::var("KUZET_PROOF").is_ok_and(|proof| proof == "full") { full } else { short })
}

/// Two instances with names: one is killed again and again, at a named point, and at once started anew.
#[test]
fn instances_that_are_killed() {
    let Some(broker) = broker::shared() else { return };
    let test = "kills";
    created(broker, test);
    let (kills, seed) = (times("KUZET_KILLS", 8, 50), number("KUZET_SEED", 1));
    let mut random = Random::new(seed);
    let stream = Stream::start(Feeder::new(broker, test), Events::new(seed, 40));
    // Whoever catches up has ticks that are full, and sealed before the last one is committed.
    let flags = ["--start", "earliest", "--session-timeout", "3s", "--tick-wait", "30ms", "--tick-records", "40"];
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
        let early = ["InitProducer", "Settle", "FetchCommitted", "Restore", "Seek"].contains(&point);
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
    assert!(10 * open >= 3 * kills, "three of ten kills fall inside a transaction: {open} of {kills}");
    let Some(verdict) = judge(broker, test, &[]) else { return };
    assert_eq!(verdict.operations, sent);
    println!("kills of instances: {kills}, {open} of them inside a transaction, at {fired:?}, seed {seed}: {verdict}");
}

/// Instances without names come and go; in each round one joins, one leaves and one is stopped in its tracks past the
/// session's time. At last one is killed.
#[test]
fn a_group_that_changes() {
    let Some(broker) = broker::shared() else { return };
    let test = "group";
    created(broker, test);
    let rounds = times("KUZET_PAUSES", 1, 10);
    let stream = Stream::start(Feeder::new(broker, test), Events::new(5, 40));
    let start = || {
        let mut sidecar = Sidecar::start(broker, test, &["--start", "earliest", "--session-timeout", "3s"]);
        sidecar.wait_until_ready();
        sidecar
    };
    let mut members: VecDeque<Sidecar> = [start(), start()].into();
    for _ in 0..rounds {
        members.push_back(start());
        let (status, told) = members.pop_front().expect("three").terminate();
        assert_eq!(status.code(), Some(0), "{told}");
        // It is taken for dead, and finds out when it goes on; but the group waits for whoever is about to join.
        let paused = members.front_mut().expect("two");
        let taken_for_dead = (0..5).any(|_| {
            paused.signal(Signal::SIGSTOP);
            thread::sleep(Duration::from_secs(4));
            paused.signal(Signal::SIGCONT);
            paused.says(Duration::from_secs(5), |line| line["lost"] == true)
        });
        assert!(taken_for_dead, "a pause past the session:\n{}", paused.told());
    }
    members.push_back(start());
    members.pop_front().expect("three").kill();
    thread::sleep(Duration::from_secs(4));
    let sent = stream.end();
    wait_until_decided(broker, test);
    for sidecar in members {
        let (status, told) = sidecar.terminate();
        assert_eq!(status.code(), Some(0), "{told}");
    }
    let Some(verdict) = judge(broker, test, &[]) else { return };
    assert_eq!(verdict.operations, sent);
    println!("pauses past the session: {rounds}, rebalances by joining and leaving: {}: {verdict}", 2 * rounds);
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
    let kills = times("KUZET_BROKER_KILLS", 1, 5);
    for _ in 0..kills {
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
    println!("kills of the broker: {kills}: {verdict}");
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
