//! What librdkafka tells beside its answers: lost connections, requests that timed out, its own log.
//!
//! A commit during which a connection was lost may still be on its way a second time (KAFKA-17754), so whoever commits asks
//! afterwards whether anything was disturbed. librdkafka's log goes where ours goes.

use rdkafka::{
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// Remembers whether the connection to the cluster was disturbed.
#[derive(Debug, Default)]
pub(super) struct Watch(AtomicBool);

impl Watch {
    pub fn was_disturbed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// An error that belongs to no call.
    pub fn error(&self, error: &KafkaError, reason: &str) {
        if matches!(
            error,
            KafkaError::Global(
                Code::BrokerTransportFailure
                    | Code::AllBrokersDown
                    | Code::Resolve
                    | Code::OperationTimedOut
                    | Code::TimedOutQueue
                    | Code::RequestTimedOut
            )
        ) {
            // librdkafka says it once a try and connection; once a disturbance is enough.
            if self.0.swap(true, Ordering::SeqCst) {
                tracing::debug!(target: "kafka", %error, reason, "the Kafka client reports an error");
                return;
            }
        }
        tracing::warn!(target: "kafka", %error, reason, "the Kafka client reports an error");
    }

    /// A line of librdkafka's log. `REQTMOUT` is the one sign of a request that timed out and was sent again.
    pub fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "REQTMOUT" {
            self.0.store(true, Ordering::SeqCst);
        }
        log(level, facility, message);
    }
}

/// Puts a line of librdkafka's log among ours.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "kafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => tracing::warn!(target: "kafka", facility, "{message}"),
        RDKafkaLogLevel::Info => tracing::info!(target: "kafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "kafka", facility, "{message}"),
    }
}
