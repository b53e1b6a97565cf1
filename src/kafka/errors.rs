//! What an error of librdkafka asks for: the same call again, an abort of the transaction, or the end of the client.
//!
//! Of a transactional call librdkafka itself says which of the three it is, and that word is believed. Of everything else
//! a list says what is known to pass; whatever is on no list ends the client, because carrying on after an error that
//! nobody thought of is guessing. Messages for people are made by whoever knows what was being done.

use crate::sidecar::{Failure, Sort};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Make the same call again with the same arguments; what was asked for may go on in the background.
    Retry,
    /// Abort the transaction; the same bytes may be sent in the next one.
    Abort,
    /// Give up this client: nothing that it says can be relied on.
    End,
}

/// What `error` asks for, whichever call it came from.
#[must_use]
pub fn remedy(error: &KafkaError) -> Remedy {
    match error {
        KafkaError::Transaction(error) => {
            of_transaction(error.is_fatal(), error.txn_requires_abort(), error.is_retriable())
        }
        KafkaError::MessageProduction(code) => of_delivery(*code),
        // Reports are still outstanding when the time is up; they come with the next call.
        KafkaError::Flush(Code::OperationTimedOut) => Remedy::Retry,
        // The end of a partition is a fact, and nothing is wrong.
        KafkaError::PartitionEOF(_) => Remedy::Retry,
        KafkaError::MessageConsumption(code)
        | KafkaError::MetadataFetch(code)
        | KafkaError::OffsetFetch(code)
        | KafkaError::Global(code)
        | KafkaError::AdminOp(code)
            if passes(*code) =>
        {
            Remedy::Retry
        }
        _ => Remedy::End,
    }
}

/// A failed call as a worker's machine is told of it.
#[must_use]
pub fn failure(error: &KafkaError) -> Failure {
    let sort = match (remedy(error), error.rdkafka_error_code()) {
        (Remedy::End, Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)) => Sort::Fenced,
        (Remedy::End, _) => Sort::Fatal,
        (Remedy::Abort, _) => Sort::Abort,
        (Remedy::Retry, _) => Sort::Retriable,
    };
    Failure { sort, reason: error.to_string() }
}

/// The same of `commit_transaction`, which flushes first: a flush that failed leaves the outcome unknown.
#[must_use]
pub fn failure_of_commit(error: &KafkaError) -> Failure {
    match error {
        KafkaError::Transaction(_) => failure(error),
        _ => Failure { sort: Sort::Unknown, reason: error.to_string() },
    }
}

/// The same of a commit of offsets by the group's member: whoever the group does not know any more has lost its partitions.
#[must_use]
pub fn failure_of_offsets(error: &KafkaError) -> Failure {
    let refused = matches!(
        error,
        KafkaError::ConsumerCommit(
            Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress | Code::AssignmentLost
        )
    );
    match error {
        _ if refused => Failure { sort: Sort::Abort, reason: error.to_string() },
        KafkaError::ConsumerCommit(code) if passes(*code) => {
            Failure { sort: Sort::Retriable, reason: error.to_string() }
        }
        _ => failure(error),
    }
}

/// librdkafka's own three words of one error, the worst first.
fn of_transaction(fatal: bool, requires_abort: bool, retriable: bool) -> Remedy {
    match (fatal, requires_abort, retriable) {
        (true, _, _) => Remedy::End,
        (_, true, _) => Remedy::Abort,
        (_, _, true) => Remedy::Retry,
        _ => Remedy::End,
    }
}

/// A record that was not taken or not delivered. The transaction that it was part of can no longer commit; whether
/// another attempt may fare better depends on the reason.
fn of_delivery(code: Code) -> Remedy {
    match code {
        // Not taken: there is room once reports have been served.
        Code::QueueFull => Remedy::Retry,
        // Given up by an abort, by a time limit, or by a broker that lacks copies just now.
        Code::PurgeQueue
        | Code::PurgeInflight
        | Code::MessageTimedOut
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend => Remedy::Abort,
        code if passes(code) => Remedy::Abort,
        _ => Remedy::End,
    }
}

/// Errors that pass by themselves: a connection, a leader or a coordinator that is away for a while. librdkafka goes on trying.
fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::UnstableOffsetCommit
            // The group took the partitions away from a worker that was busy too long; the next poll joins it again.
            | Code::PollExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::{
        ClientConfig,
        producer::{BaseProducer, Producer},
    };
    use std::time::Duration;

    fn check(cases: &[(KafkaError, Remedy)]) {
        for (error, expected) in cases {
            assert_eq!(remedy(error), *expected, "{error}");
        }
    }

    #[test]
    fn each_error_has_its_remedy() {
        use KafkaError as E;
        check(&[
            (E::MessageProduction(Code::QueueFull), Remedy::Retry),
            (E::MessageProduction(Code::MessageTimedOut), Remedy::Abort),
            (E::MessageProduction(Code::PurgeInflight), Remedy::Abort),
            (E::MessageProduction(Code::NotEnoughReplicas), Remedy::Abort),
            (E::MessageProduction(Code::NotLeaderForPartition), Remedy::Abort),
            // The same bytes would fail the same way for ever.
            (E::MessageProduction(Code::MessageSizeTooLarge), Remedy::End),
            (E::MessageProduction(Code::TopicAuthorizationFailed), Remedy::End),
            (E::MessageProduction(Code::Fenced), Remedy::End),
            (E::MessageProduction(Code::Fatal), Remedy::End),
            (E::MessageConsumption(Code::AllBrokersDown), Remedy::Retry),
            (E::MessageConsumption(Code::PollExceeded), Remedy::Retry),
            // A committed offset that is gone: reading on from anywhere else would skip or repeat.
            (E::MessageConsumption(Code::AutoOffsetReset), Remedy::End),
            (E::MessageConsumption(Code::OffsetOutOfRange), Remedy::End),
            (E::MessageConsumption(Code::UnknownTopicOrPartition), Remedy::End),
            (E::MessageConsumption(Code::BadMessage), Remedy::End),
            (E::MessageConsumption(Code::FencedInstanceId), Remedy::End),
            (E::MessageConsumptionFatal(Code::BrokerTransportFailure), Remedy::End),
            (E::Global(Code::BrokerTransportFailure), Remedy::Retry),
            (E::Global(Code::Authentication), Remedy::End),
            (E::MetadataFetch(Code::BrokerTransportFailure), Remedy::Retry),
            (E::OffsetFetch(Code::UnstableOffsetCommit), Remedy::Retry),
            (E::Flush(Code::OperationTimedOut), Remedy::Retry),
            (E::Flush(Code::Fatal), Remedy::End),
            (E::PartitionEOF(3), Remedy::Retry),
            (E::Rebalance(Code::RebalanceInProgress), Remedy::End),
            (E::Canceled, Remedy::End),
        ]);
    }

    #[test]
    fn what_librdkafka_says_is_taken_at_its_worst() {
        let words = [false, true];
        for (fatal, abort, retriable) in
            words.into_iter().flat_map(|f| words.into_iter().flat_map(move |a| words.map(|r| (f, a, r))))
        {
            let expected = if fatal {
                Remedy::End
            } else if abort {
                Remedy::Abort
            } else if retriable {
                Remedy::Retry
            } else {
                Remedy::End
            };
            assert_eq!(of_transaction(fatal, abort, retriable), expected, "{fatal} {abort} {retriable}");
        }
    }

    /// Real errors of a producer whose broker is nowhere: no test can make one up, since librdkafka alone builds them.
    #[test]
    fn errors_of_a_real_producer() {
        let mut config = ClientConfig::new();
        // Port 1 of loopback, where nothing listens.
        config.set("bootstrap.servers", "127.0.0.1:1").set("transactional.id", "nobody");
        let producer: BaseProducer = config.create().expect("a producer needs no broker to exist");
        let too_early = producer.begin_transaction().expect_err("it is not initialised");
        assert_eq!(remedy(&too_early), Remedy::End, "{too_early}");
        let unreachable = producer.init_transactions(Duration::from_millis(1)).expect_err("there is no broker");
        assert_eq!(remedy(&unreachable), Remedy::Retry, "{unreachable}");
    }
}
