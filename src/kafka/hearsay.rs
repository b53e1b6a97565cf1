//! Why a cluster does not answer: a password that was refused, a port where nobody listens, a certificate.
//!
//! A call that waited in vain says only that its time was up, or that a connection failed; what went wrong is a line of librdkafka's
//! log. Clients that ask at a start remember the last such line, so that whoever reads the refusal knows what to mend.

use super::{client, watch};
use rdkafka::{
    ClientConfig, ClientContext,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
};
use std::{
    fmt,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

/// Events that a client may have waiting for whoever polls it: some for each attempt to connect.
const EVENTS: usize = 10_000;

/// A client that asks, and can say why it was not answered.
pub type Asker = BaseConsumer<Hearsay>;

/// What a client's log has said last of a connection that failed.
#[derive(Debug, Default)]
pub struct Hearsay(Mutex<Option<String>>);

/// An asker with this configuration.
///
/// # Errors
/// Those of librdkafka for a configuration that it does not take.
pub fn asker(mut config: ClientConfig) -> Result<Asker, KafkaError> {
    client::tell_of_connections(&mut config);
    Asker::from_config_and_context(&config, Hearsay::default())
}

/// A failure as a call told it, and why, as far as the client has heard. What else it has waiting goes: whoever asks this is done with it.
pub fn explain(asker: &Asker, failure: &dyn fmt::Display) -> String {
    // A poll hands out one event, and does not say whether there was one.
    for _ in 0..EVENTS {
        let _ = asker.poll(Duration::ZERO);
    }
    asker.context().explain(failure)
}

impl Hearsay {
    fn explain(&self, failure: &dyn fmt::Display) -> String {
        match &*self.last() {
            Some(cause) => format!("{failure}; {cause}"),
            None => failure.to_string(),
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().expect("nothing panics while it holds a line")
    }
}

impl ClientContext for Hearsay {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" && !is_intended(message) {
            *self.last() = Some(cause(message).to_owned());
        }
        watch::log(level, facility, message);
    }
}

impl ConsumerContext for Hearsay {}

/// Whether the client gave a connection up of its own accord.
fn is_intended(message: &str) -> bool {
    message.contains("(_DESTROY_BROKER)") || message.contains("due to nodename change")
}

/// A line without the thread that wrote it and how often it did.
fn cause(message: &str) -> &str {
    let line = match message.strip_prefix("[thrd:") {
        Some(rest) => rest.split_once("]: ").map_or(rest, |(_, line)| line),
        None => message,
    };
    line.rsplit_once(" (after ").map_or(line, |(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as librdkafka 2.12.1 writes them.
    #[test]
    fn the_last_cause_is_told() {
        let hearsay = Hearsay::default();
        assert_eq!(hearsay.explain(&"timed out"), "timed out");
        let says = |facility, message| hearsay.log(RDKafkaLogLevel::Debug, facility, message);
        says(
            "FAIL",
            "[thrd:x]: x: Connect to ipv4#x failed: Connection refused (after 0ms in state CONNECT) (_TRANSPORT)",
        );
        says("FAIL", "[thrd:x]: x: Closing connection due to nodename change (after 46ms in state UP) (_TRANSPORT)");
        says("STATE", "[thrd:x]: x: Broker changed state CONNECT -> DOWN");
        assert_eq!(hearsay.explain(&"timed out"), "timed out; x: Connect to ipv4#x failed: Connection refused");
        let refused = "SASL authentication error: Authentication failed: Invalid username or password";
        says("FAIL", &format!("[thrd:x]: x: {refused} (after 1ms in state AUTH_REQ) (_AUTHENTICATION)"));
        assert_eq!(hearsay.explain(&"timed out"), format!("timed out; x: {refused}"));
    }
}
