//! Signatures, checked by the official library of Standard Webhooks and by Python's standard library.

use super::{DECISION, OLD_SECRET, SECRET, attempt_at};
use crate::{
    harness::in_repository,
    receiver::{Mode, Receiver, Request},
};
use kuzet::alert::Outcome;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use std::{
    env,
    io::{self, Write},
    process::{Command, Stdio},
};

/// What two attempts sent.
fn sent() -> Vec<Request> {
    let receiver = Receiver::start(Mode::Well);
    for _ in 0..2 {
        assert_eq!(attempt_at(&receiver, "").0, Outcome::Delivered { status: 200 });
    }
    receiver.got()
}

/// One request signed by two secrets.
fn rotated() -> Request {
    let receiver = Receiver::start(Mode::Well);
    let text = format!(
        "[[endpoints]]\nname = \"desk\"\nurl = \"{}\"\nhttp = true\nallow = [\"127.0.0.0/8\"]\nsecrets = [\"SECRET\", \"OLD_SECRET\"]",
        receiver.url()
    );
    let config = super::configured(&text).unwrap_or_else(|wrong| panic!("{wrong}"));
    let endpoint = &config.endpoints[0];
    let alert = super::alert_for(endpoint);
    let outcome = super::block_on(kuzet::alert::attempt(&kuzet::alert::Client::new(), endpoint, &alert, super::now()));
    assert_eq!(outcome, Outcome::Delivered { status: 200 });
    receiver.got().remove(0)
}

fn official(request: &Request, secret: &str) -> bool {
    let mut headers = hyper::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.header(name).parse().expect("a header"));
    }
    Webhook::new(secret).expect("a secret").verify(&request.body, &headers).is_ok()
}

#[test]
fn a_retry_has_the_same_id_and_the_same_bytes() {
    let sent = sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].header("webhook-id"), "operations:3:17");
    assert_eq!((sent[0].header("webhook-id"), &sent[0].body), (sent[1].header("webhook-id"), &sent[1].body));
    assert_eq!(sent[0].line, "POST /hook?from=kuzet HTTP/1.1");
    assert_eq!(sent[0].header("content-type"), "application/json");
    let body: Value = serde_json::from_slice(&sent[0].body).expect("JSON");
    let mut expected: Value = serde_json::from_str(DECISION).expect("JSON");
    expected["wallet"] = json!("770***01");
    expected["id"] = json!("operations:3:17");
    assert_eq!(body, json!({ "type": "decision.hold", "timestamp": "2026-03-01T08:15:30.123Z", "data": expected }));
}

#[test]
fn the_official_library_believes_what_is_sent_and_nothing_else() {
    let request = rotated();
    assert!(official(&request, SECRET) && official(&request, OLD_SECRET), "both secrets of a rotation");
    assert!(!official(&request, "whsec_ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"), "no other");
    for tampered in tampered(&request) {
        assert!(!official(&tampered, SECRET), "{tampered:?}");
    }
}

/// The same request with something changed.
fn tampered(request: &Request) -> Vec<Request> {
    let mut body = request.clone();
    body.body[20] ^= 1;
    let mut id = request.clone();
    id.headers.insert("webhook-id".to_owned(), "operations:3:18".to_owned());
    let mut time = request.clone();
    let later = request.header("webhook-timestamp").parse::<i64>().expect("seconds") + 1;
    time.headers.insert("webhook-timestamp".to_owned(), later.to_string());
    vec![body, id, time]
}

#[test]
fn python_believes_what_is_sent_and_nothing_else() {
    let request = rotated();
    let line = |request: &Request, secret: &str| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let [id, timestamp, signature] =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| request.header(name).to_owned());
        json!({ "id": id, "timestamp": timestamp, "signature": signature, "body": body, "secret": secret }).to_string()
            + "\n"
    };
    let mut lines = vec![line(&request, SECRET), line(&request, OLD_SECRET)];
    let mut expected = vec!["yes", "yes"];
    lines.push(line(&request, "whsec_ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"));
    lines.extend(tampered(&request).iter().map(|tampered| line(tampered, SECRET)));
    expected.resize(lines.len(), "no");
    let python = Command::new("python3")
        .arg(in_repository("tests/checker/webhook.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut python = match python {
        Ok(python) => python,
        Err(error) => {
            assert!(env::var_os("KUZET_REQUIRE_BROKER").is_none(), "no python3: {error}");
            let line = format!("\n!!! LEFT OUT: alert::signatures::python: no python3: {error}\n");
            return io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
        }
    };
    let mut input = python.stdin.take().expect("a pipe");
    input.write_all(lines.concat().as_bytes()).expect("it reads");
    drop(input);
    let output = python.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), expected);
}
