//! `kuzet load` on a real broker: what it sends is decided, and its figures count what happened.

use super::sidecar::{Sidecar, created, judge, wait_until_decided};
use crate::broker::{self, Broker};
use kuzet::kafka::topics::Role;
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Runs it on the topics of a test, with `lines` on its standard input; the figures as it tells them.
fn load(broker: &Broker, test: &str, flags: &[&str], lines: &[&str]) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
    command.args(["load", "--json", "--kafka-brokers", &broker.address()]).args(flags);
    let layout = super::layout(test);
    for role in Role::ALL {
        command.args([format!("--topics-{}", role.name()), layout.name(role).to_owned()]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("kuzet starts");
    let mut input = child.stdin.take().expect("a pipe was asked for");
    lines.iter().for_each(|line| writeln!(input, "{line}").expect("it reads its lines"));
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// Everything that is sent is decided on and heard of; what nobody decides on is told apart.
#[test]
fn figures_are_of_what_was_decided() {
    let Some(broker) = broker::shared() else { return };
    let test = "load";
    created(broker, test);
    let mut sidecar = Sidecar::start(broker, test, &["--start", "earliest"]);
    sidecar.wait_until_ready();
    let figures = load(broker, test, &["--rate", "500", "--seconds", "2", "--wallets", "50"], &[]);
    let counted = |figures: &serde_json::Value| ["sent", "decided", "unheard"].map(|name| figures[name].as_u64());
    assert_eq!(counted(&figures), [Some(1_000), Some(1_000), Some(0)], "{figures}");
    let latency = ["p50", "p90", "p99", "p99.9", "p100"].map(|name| figures["latency_ms"][name].as_f64());
    assert!(latency[0] > Some(0.0) && latency.is_sorted(), "{figures}");
    // Open loop: the last operation is due so long after the second, the first one having gone ahead.
    assert!(figures["seconds"].as_f64() >= Some(998.0 / 500.0), "{figures}");

    // What is rejected, one event for its time and one for its type, is never heard of.
    let lines = [
        r#"{"id":"too-old","type":"login","time":"1970-01-01T00:00:00Z","wallet":"77010000001"}"#,
        r#"{"id":"of-no-type","type":"nonsense","wallet":"77010000001"}"#,
    ];
    let figures = load(broker, test, &["--rate", "100", "--file", "-"], &lines);
    assert_eq!(counted(&figures), [Some(2), Some(0), Some(2)], "{figures}");
    assert_eq!(figures["latency_ms"]["p50"], serde_json::Value::Null, "{figures}");

    // What would create topics, and topics that are not there.
    let status = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
        let output =
            command.args(["load", "--kafka-brokers", &broker.address(), "--seconds", "1"]).args(flags).output();
        let output = output.expect("kuzet starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = status(&["--init"]);
    assert!(code == Some(2) && told.contains("`kuzet run --init` creates topics"), "{told}");
    let (code, told) = status(&["--topics-operations", "nobody-has-made-this"]);
    assert!(code == Some(1) && told.contains("topic `nobody-has-made-this` does not exist"), "{told}");

    wait_until_decided(broker, test);
    assert_eq!(sidecar.terminate().0.code(), Some(0));
    let Some(verdict) = judge(broker, test, &[]) else { return };
    assert_eq!((verdict.operations, verdict.decisions, verdict.dead_letters), (1_002, 1_000, 2));
}
