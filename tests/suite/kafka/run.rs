//! `kuzet run` from end to end on a real broker, judged by the checker.

use super::{
    sidecar::{Event, Events, Feeder, Sidecar, command, created, judge, offset, once, send, wait_until_decided},
    transactions::committed,
};
use crate::broker;
use kuzet::kafka::topics::Role;
use nix::sys::signal::Signal;
use std::{fs, process::Child};

/// Decisions are the bytes of a replay, before and after a restart; SIGTERM ends with 0.
#[test]
fn decisions_are_those_of_a_replay() {
    let Some(broker) = broker::shared() else { return };
    let test = "plain";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(1, 30));
    feeder.feed(&mut events, 3_000);
    // Ticks that are full before the last one is committed are sealed ahead.
    let full = ["--tick-records", "50", "--log-level", "trace"];
    for start in [&["--start", "earliest"][..], &full, &["--kafka-workers", "2"]] {
        let mut sidecar = Sidecar::start(broker, test, start);
        sidecar.wait_until_ready();
        if start == full {
            // Before it has decided on anything, too.
            let metrics = sidecar.get("/metrics").1;
            for partition in 0..4 {
                let next = offset(broker, test, partition).expect("it was decided on");
                let told = format!("kuzet_next_offset{{partition=\"{partition}\"}} {next}\n");
                assert!(next > 0 && metrics.contains(&told), "{metrics}");
            }
        }
        feeder.feed(&mut events, 2_000);
        if start == full {
            sidecar.wait_for_command("SealAhead", 20);
        }
        wait_until_decided(broker, test);
        let (status, told) = sidecar.terminate();
        assert_eq!(status.code(), Some(0), "{told}");
    }
    let Some(verdict) = judge(broker, test, &["--forge"]) else { return };
    // Ids that come again with another amount are conflicts.
    assert_eq!((verdict.operations, verdict.decisions + verdict.dead_letters), (9_000, 9_000));
    assert!(verdict.dead_letters > 100, "{verdict:?}");
    assert!(verdict.flagged > 2_000, "{verdict:?}");
}

fn terminate(mut child: Child) -> Option<i32> {
    send(&child, Signal::SIGTERM);
    child.wait().expect("a child can be waited for").code()
}

/// Whoever reads the log may go away, or have no room left: what is decided does not depend on it.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_nobody_takes_stops_nothing() {
    let Some(broker) = broker::shared() else { return };
    let test = "unread";
    created(broker, test);
    Feeder::new(broker, test).feed(&mut Events::new(8, 10), 500);
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux has one");
    let mut unread = command(&broker.address(), test);
    let child =
        unread.args(["--start", "earliest", "--log-level", "debug"]).stderr(full).spawn().expect("kuzet starts");
    wait_until_decided(broker, test);
    assert_eq!(terminate(child), Some(0));
}

/// SIGTERM counts from the first moment, whether or not the cluster answers.
#[test]
fn a_cluster_that_does_not_answer_keeps_nobody_from_stopping() {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nowhere.local_addr().expect("it is bound").to_string();
    let child = command(&address, "unanswered").spawn().expect("kuzet starts");
    // A connection is only made once signals are heard.
    let (_waiting, _) = nowhere.accept().expect("it asks the cluster");
    assert_eq!(terminate(child), Some(0));
}

/// A key and a value, where there are any.
type Bytes<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Records that nobody can use, each for another reason, among good ones.
#[test]
fn poison_goes_to_the_dead_letters() {
    let Some(broker) = broker::shared() else { return };
    let test = "poison";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(2, 10));
    let wallet = b"77010000001".as_slice();
    let deep = format!("{{\"wallet\":\"77010000001\",\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"wallet\":\"77010000001\",\"x\":\"{}\"}}", "y".repeat(900_000));
    let poison: [Bytes<'_>; 14] = [
        (Some(wallet), None),
        (None, None),
        (None, Some(br#"{"id":"a","type":"login","time":"2026-11-22T00:00:00Z","wallet":"77010000001"}"#)),
        (
            Some(b"77010000002"),
            Some(br#"{"id":"a","type":"login","time":"2026-11-22T00:00:00Z","wallet":"77010000001"}"#),
        ),
        (Some(wallet), Some(b"")),
        (Some(wallet), Some(b"   ")),
        (Some(wallet), Some(b"{")),
        (Some(wallet), Some(b"\xff\xfe\x00")),
        (Some(wallet), Some(br#"{"id":"a","type":"nonsense","wallet":"77010000001"}"#)),
        (
            Some(wallet),
            Some(br#"{"id":"a","type":"transfer","time":"2026-11-22T00:00:00Z","wallet":"77010000001","amount":1e3}"#),
        ),
        (Some(wallet), Some(br#"{"id":"a","type":"login","time":"9999-01-01T00:00:00Z","wallet":"77010000001"}"#)),
        (Some(wallet), Some(br#"{"id":"a","type":"login","time":"1970-01-01T00:00:00Z","wallet":"77010000001"}"#)),
        (Some(wallet), Some(deep.as_bytes())),
        (Some(wallet), Some(long.as_bytes())),
    ];
    for (key, value) in poison {
        feeder.feed(&mut events, 20);
        feeder.send(key, value);
    }
    feeder.feed(&mut events, 20);
    let mut sidecar = Sidecar::start(broker, test, &["--start", "earliest"]);
    sidecar.wait_until_ready();
    wait_until_decided(broker, test);
    let (_, metrics) = sidecar.get("/metrics");
    assert!(metrics.contains("kuzet_events_total{outcome=\"rejected\"} 14\n"), "{metrics}");
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    let said = told.to_lowercase();
    assert!(!said.contains("7701000000"), "no wallet is logged: {told}");
    let Some(verdict) = judge(broker, test, &[]) else { return };
    assert_eq!((verdict.decisions, verdict.dead_letters), (300, 14));
}

/// A group that nobody told where to begin does not begin.
#[test]
fn a_first_start_says_where() {
    let Some(broker) = broker::shared() else { return };
    let test = "first";
    let (status, told) = once(broker, test, &[]);
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("topic `first.operations` does not exist"), "{told}");
    let (status, told) = once(broker, test, &["--init"]);
    assert_eq!((status.code(), told.split_whitespace().count()), (Some(0), 7), "{told}");
    let (status, told) = once(broker, test, &[]);
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("no offset for partition") && told.contains("--start earliest"), "{told}");
    let mut sidecar = Sidecar::start(broker, test, &["--start", "latest"]);
    sidecar.wait_until_ready();
    assert_eq!(sidecar.get("/healthz").0, 200);
    assert_eq!(sidecar.terminate().0.code(), Some(0));
    // Every partition has its offset now, also those that nothing came to.
    assert!((0..4).all(|partition| offset(broker, test, partition) == Some(0)));
    let mut sidecar = Sidecar::start(broker, test, &[]);
    sidecar.wait_until_ready();
    assert_eq!(sidecar.terminate().0.code(), Some(0));
}

/// A wallet's own block stops what others pay to it, also from other partitions; the decision says how far it knew.
#[test]
fn restrictions_reach_other_partitions() {
    let Some(broker) = broker::shared() else { return };
    let test = "foreign";
    let layout = created(broker, test);
    let mut feeder = Feeder::new(broker, test);
    let now = Events::new(3, 1).next().expect("endless");
    let time = now.text.split("\"time\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a time").to_owned();
    let event = |wallet: &str, id: u64, rest: &str| Event {
        text: format!(r#"{{"id":"{id}","time":"{time}","wallet":"{wallet}",{rest}}}"#),
        wallet: wallet.to_owned(),
    };
    feeder.event(&event("77010000001", 0, r#""type":"block_requested""#));
    feeder.flush();
    let flags = ["--start", "earliest", "--kafka-workers", "2"];
    let mut sidecar = Sidecar::start(broker, test, &flags);
    sidecar.wait_until_ready();
    wait_until_decided(broker, test);
    let topic = layout.name(Role::Decisions);
    // The block was committed before these came; how soon others hear of it is the reader's affair.
    let mut sent = 0;
    let payers: Vec<String> = (1..=8).map(|number| format!("7703000000{number}")).collect();
    loop {
        sent += 1;
        assert!(sent < 200, "every payer hears of the block:\n{}", sidecar.told());
        for payer in &payers {
            let transfer = r#""type":"transfer","amount":"7","counterparty":"77010000001""#;
            feeder.event(&event(payer, sent, transfer));
        }
        feeder.flush();
        wait_until_decided(broker, test);
        let decisions = committed(broker, topic, 4);
        let newest = |payer: &String| {
            let mine = format!("\"wallet\":\"{payer}\"");
            decisions.iter().rfind(|decision| decision.contains(&mine)).is_some_and(|decision| {
                decision.contains("\"action\":\"block\"") && decision.contains("\"of\":\"counterparty\"")
            })
        };
        if payers.iter().all(newest) {
            break;
        }
    }
    assert_eq!(sidecar.terminate().0.code(), Some(0));
    // Whoever starts later knows it before the first decision.
    let mut sidecar = Sidecar::start(broker, test, &[]);
    sidecar.wait_until_ready();
    feeder.event(&event("77030000009", 1, r#""type":"transfer","amount":"7","counterparty":"77010000001""#));
    feeder.flush();
    wait_until_decided(broker, test);
    let decisions = committed(broker, topic, 4);
    let late = decisions.iter().find(|decision| decision.contains("77030000009")).expect("it is decided on");
    assert!(late.contains("\"action\":\"block\""), "{late}");
    assert_eq!(sidecar.terminate().0.code(), Some(0));
}

/// SIGHUP loads the packs anew: better ones are in force from the next tick on, wrong ones never, and what is remembered stays.
#[test]
fn packs_that_change_under_it() {
    let Some(broker) = broker::shared() else { return };
    let test = "reload";
    created(broker, test);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("few.toml");
    let write = |over: &str| {
        let pack = include_str!("few.toml").replace("OVER", over);
        std::fs::write(&path, pack).expect("a file");
    };
    write("3");
    let mut feeder = Feeder::new(broker, test);
    let flags = ["--start", "earliest", "--rules", path.to_str().expect("UTF-8")];
    let mut sidecar = Sidecar::start(broker, test, &flags);
    sidecar.wait_until_ready();
    let begin = Events::new(16, 1).next().expect("endless").text;
    let time = begin.split(r#""time":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a time").to_owned();
    let mut number = 0;
    let mut pay = || {
        number += 1;
        let wallet = "77010000001".to_owned();
        let text =
            format!(r#"{{"id":"p-{number}","type":"payment","time":"{time}","wallet":"{wallet}","amount":"5"}}"#);
        feeder.event(&Event { wallet, text });
        feeder.flush();
        wait_until_decided(broker, test);
        let decision = committed(broker, &format!("{test}.decisions"), 4).pop().expect("a decision");
        serde_json::from_str::<serde_json::Value>(&decision).expect("JSON")["action"].as_str().map(str::to_owned)
    };
    let mut actions = vec![pay(), pay()];
    write("2");
    sidecar.signal(Signal::SIGHUP);
    sidecar.wait_for("other packs are in force");
    actions.push(pay());
    write("nonsense");
    sidecar.signal(Signal::SIGHUP);
    let told = sidecar.wait_for("the packs cannot be loaded");
    assert!(told["reasons"].as_str().is_some_and(|reasons| reasons.contains("few.toml:")), "{told}");
    actions.push(pay());
    assert_eq!(actions.iter().flatten().collect::<Vec<_>>(), ["allow", "allow", "hold", "hold"]);
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
}
