//! One attempt at receivers that behave badly: what it comes to, what it cost, and what was not done.

use super::{alert_for, attempt_at, block_on, endpoint, endpoint_of, now};
use crate::receiver::{Mode, Receiver};
use kuzet::{
    alert::{self, Client, Outcome, Resolver, System},
    limits,
};
use std::{io, net::IpAddr, pin::Pin, sync::Arc, time::Duration};
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Retry { after: None, why } => why,
        other => panic!("{other:?}"),
    }
}

/// Long enough for a loaded machine to say everything, for receivers that never will.
const SHORT: &str = "deadline = \"700ms\"";

#[test]
fn statuses_are_judged() {
    let receiver = Receiver::start(Mode::Well);
    let outcome = |mode: Mode| {
        receiver.behave(mode);
        attempt_at(&receiver, "").0
    };
    assert_eq!(outcome(Mode::Well), Outcome::Delivered { status: 200 });
    assert_eq!(outcome(Mode::Status(204, None)), Outcome::Delivered { status: 204 });
    assert_eq!(outcome(Mode::Status(410, None)), Outcome::Disabled);
    assert_eq!(why(outcome(Mode::Status(500, None))), "answered 500 Internal Server Error");
    let busy = Mode::Status(429, Some(("Retry-After", "120".to_owned())));
    assert!(matches!(outcome(busy), Outcome::Retry { after: Some(after), .. } if after == Duration::from_secs(120)));
}

#[test]
fn redirects_are_not_followed() {
    let trap = Receiver::start(Mode::Well);
    for status in [301, 302, 303, 307, 308] {
        let receiver = Receiver::start(Mode::Status(status, Some(("Location", trap.url()))));
        let (outcome, got) = attempt_at(&receiver, "");
        assert!(why(outcome).contains("redirects are not followed"), "{status}");
        assert_eq!((got.len(), trap.connections()), (1, 0), "{status}");
    }
}

#[test]
fn an_attempt_has_one_deadline() {
    for mode in [Mode::Hang, Mode::Drip(Duration::from_millis(100))] {
        let receiver = Receiver::start(mode.clone());
        let (outcome, got) = attempt_at(&receiver, SHORT);
        assert_eq!(why(outcome), "no whole answer within 700 ms", "{mode:?}");
        assert_eq!(got.len(), 1);
    }
}

#[test]
fn an_answer_is_read_to_its_bound() {
    let huge = 512 * 1024 * 1024;
    let receiver = Receiver::start(Mode::Huge(huge));
    let endpoint = endpoint_of(&receiver, "");
    let exchange = block_on(alert::exchange(&Client::new(), &endpoint, &alert_for(&endpoint), now()));
    assert_eq!(exchange.outcome, Outcome::Delivered { status: 200 });
    assert_eq!(exchange.heard.answer.len(), limits::ALERT_ANSWER_BYTES);
    assert!(receiver.written() < huge / 8, "{} bytes were taken", receiver.written());
    receiver.behave(Mode::HugeHeaders(1_000_000));
    assert!(why(attempt_at(&receiver, "").0).contains("no answer"));
    receiver.behave(Mode::Cut);
    assert!(why(attempt_at(&receiver, "").0).contains("no answer"));
}

#[test]
fn a_receiver_that_is_not_there_is_told_of() {
    let receiver = Receiver::start(Mode::Well);
    let endpoint = endpoint_of(&receiver, "");
    drop(receiver);
    let outcome = block_on(alert::attempt(&Client::new(), &endpoint, &alert_for(&endpoint), now()));
    let said = why(outcome);
    assert!(said.contains("cannot be connected to") || said.contains("no answer"), "{said}");
}

#[test]
fn headers_of_the_endpoint_go_along() {
    let receiver = Receiver::start(Mode::Well);
    let (outcome, got) =
        attempt_at(&receiver, "headers = [\"X-Team: fraud\"]\nsecret_headers = [\"Authorization: SECRET\"]");
    assert_eq!(outcome, Outcome::Delivered { status: 200 });
    assert_eq!((got[0].header("x-team"), got[0].header("authorization")), ("fraud", super::SECRET));
}

/// Every name is loopback.
struct Loopback;

impl Resolver for Loopback {
    fn resolve<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) })
    }
}

#[test]
fn https_is_for_whom_the_certificate_names() {
    let own = rcgen::generate_simple_self_signed(vec!["desk.example.com".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .expect("its key");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let receiver = Receiver::on(listener, Mode::Well, Some(Arc::new(config)));
    let believing = |believes: bool| {
        let mut roots = RootCertStore::empty();
        if believes {
            roots.add(own.cert.der().clone()).expect("a certificate");
        }
        Client::with(roots, Box::new(Loopback))
    };
    let attempt = |host: &str, believes: bool| {
        let url = format!("https://{host}:{}/", receiver.address.port());
        let endpoint = endpoint(&url, "allow = [\"127.0.0.0/8\"]").unwrap_or_else(|wrong| panic!("{wrong}"));
        block_on(alert::attempt(&believing(believes), &endpoint, &alert_for(&endpoint), now()))
    };
    assert_eq!(attempt("desk.example.com", true), Outcome::Delivered { status: 200 });
    assert!(why(attempt("desk.example.com", false)).contains("TLS"));
    assert!(why(attempt("other.example.com", true)).contains("TLS"));
    assert_eq!(receiver.got().len(), 1, "nothing is said before the certificate is believed");
}

/// Where a proxy is named, nobody asks it.
#[test]
fn variables_for_proxies_are_not_heeded() {
    let trap = Receiver::start(Mode::Well);
    let receiver = Receiver::start(Mode::Well);
    let folder = tempfile::tempdir().expect("a folder");
    let secret = super::secret_in(folder.path(), "secret", super::SECRET);
    let config = folder.path().join("alert.toml");
    let text = format!(
        "[[endpoints]]\nname = \"desk\"\nurl = \"{}\"\nhttp = true\nallow = [\"127.0.0.0/8\"]\nsecrets = [\"{secret}\"]",
        receiver.url()
    );
    std::fs::write(&config, text).expect("a file");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kuzet"));
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, trap.url());
    }
    let output = command.args(["alert", "--test", "desk", "--config"]).arg(&config).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((trap.connections(), receiver.got().len()), (0, 1));
}

#[test]
fn the_systems_resolver_knows_this_machine() {
    let found = block_on(System.resolve("localhost")).expect("every machine has one");
    assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
}
