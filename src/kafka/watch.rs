//! What librdkafka tells beside its answers: lost connections, requests that timed out, its own log.
//!
//! A commit during which a connection was lost may still be on its way a second time (KAFKA-17754), so whoever commits asks
//! afterwards whether anything was disturbed. librdkafka's error callback tells only of connections that cannot be made; one
//! that breaks while requests are under way is a line of its debug log. That log goes where ours goes.

use rdkafka::{
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// Remembers whether the connection to the cluster was disturbed.
#[derive(Debug, Default)]
pub(super) struct Watch(AtomicBool);

impl Watch {
    /// Whatever happened before this counts no more.
    pub fn forget(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

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

    /// A line of librdkafka's log. `REQTMOUT` is the one sign of a request that timed out and was sent again, `FAIL` of a
    /// connection that broke.
    pub fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "REQTMOUT" || facility == "FAIL" && broke(message) {
            self.0.store(true, Ordering::SeqCst);
        }
        log(level, facility, message);
    }
}

/// Whether a connection broke that had been made; the client gives its own up where it learns who a broker is.
fn broke(message: &str) -> bool {
    message.contains(" in state UP") && !message.contains("(_DESTROY_BROKER)")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as librdkafka 2.12.1 writes them.
    #[test]
    fn a_connection_that_broke_is_a_disturbance() {
        for (facility, message, disturbed) in [
            ("FAIL", "[thrd:x]: x:1/1: Disconnected (after 3011ms in state UP) (_TRANSPORT)", true),
            (
                "FAIL",
                "[thrd:TxnCoordinator]: TxnCoordinator: Closing connection due to nodename change (after 46ms in state UP) (_TRANSPORT)",
                true,
            ),
            (
                "REQTMOUT",
                "[thrd:x]: x:1/1: Timed out 1 in-flight, 0 retry-queued, 0 out-queue, 0 partially-sent requests",
                true,
            ),
            (
                "FAIL",
                "[thrd:TxnCoordinator]: TxnCoordinator/1: x:1: Closing connection due to nodename change (after 62ms in state TRY_CONNECT) (_TRANSPORT)",
                false,
            ),
            (
                "FAIL",
                "[thrd:x:1/bootstrap]: x:1/bootstrap: Decommissioning this broker (after 5ms in state UP) (_DESTROY_BROKER)",
                false,
            ),
            ("STATE", "[thrd:x]: x:1/1: Broker changed state CONNECT -> APIVERSION_QUERY", false),
        ] {
            let watch = Watch::default();
            watch.log(RDKafkaLogLevel::Debug, facility, message);
            assert_eq!(watch.was_disturbed(), disturbed, "{message}");
        }
    }
}
