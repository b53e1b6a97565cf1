//! A worker's producer: transactional, or idempotent alone where ticks are no transactions.
//!
//! A record counts when its delivery is reported, so every call that ends a tick drains the producer first. One delivery
//! that failed fails the tick: the transaction it was part of could otherwise commit without it.

use super::{
    client::Cluster,
    drain::{self, drain},
    errors::{failure, failure_of_commit},
    partitioner::Partitioner,
    watch::Watch,
};
use crate::sidecar::{Failure, Sort};
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
};
use std::{sync::Mutex, time::Duration};

/// More events than a drained producer has to tell.
const EVENTS: usize = 4_096;

/// What became of what was sent.
#[derive(Default)]
struct Reports {
    watch: Watch,
    /// The first delivery that failed since the tick began.
    failed: Mutex<Option<KafkaError>>,
}

impl Reports {
    fn begin(&self) {
        self.failed.lock().expect("nothing panics while it holds the report").take();
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.watch.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.watch.error(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut failed = self.failed.lock().expect("nothing panics while it holds the report");
            failed.get_or_insert_with(|| error.clone());
        }
    }
}

/// What became of a record that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    Taken,
    /// There is no room until reports have been served.
    Full,
}

/// One producer.
pub struct Sender {
    producer: BaseProducer<Reports>,
    transactional: bool,
    initialised: bool,
}

impl Sender {
    /// A producer that is not yet initialised, with the worker's `id` for transactions, or without any.
    ///
    /// # Errors
    /// A configuration that librdkafka does not take.
    pub fn new(cluster: &Cluster, id: Option<&str>, partitioner: Partitioner) -> Result<Sender, KafkaError> {
        let config = match id {
            Some(id) => cluster.transactional(id, partitioner),
            None => cluster.idempotent(partitioner),
        };
        let producer = config.create_with_context(Reports::default())?;
        Ok(Sender { producer, transactional: id.is_some(), initialised: id.is_none() })
    }

    #[must_use]
    pub fn is_initialised(&self) -> bool {
        self.initialised
    }

    /// Shuts every older producer of the same id out; may be called again when the time was too short.
    ///
    /// # Errors
    /// Those of the coordinator.
    pub fn initialise(&mut self, within: Duration) -> Result<(), Failure> {
        if !self.initialised {
            self.producer.init_transactions(within).map_err(|error| failure(&error))?;
            self.initialised = true;
            // Whatever was sent before bears an older epoch.
            if self.was_disturbed() {
                self.producer.context().watch.forget();
            }
        }
        Ok(())
    }

    /// Begins a tick: nothing is known of what was sent before.
    ///
    /// # Errors
    /// A producer that is of no more use, or whose connection was disturbed since it was initialised: the end of its last
    /// transaction may still be on its way.
    pub fn begin(&self) -> Result<(), Failure> {
        self.producer.context().begin();
        if !self.transactional {
            return Ok(());
        }
        if self.was_disturbed() {
            let reason = "the connection was disturbed between two transactions".to_owned();
            return Err(Failure { sort: Sort::Fatal, reason });
        }
        self.producer.begin_transaction().map_err(|error| failure(&error))
    }

    /// Since it was initialised. Hears all that the client library has to tell: a poll alone serves one event.
    fn was_disturbed(&self) -> bool {
        for _ in 0..EVENTS {
            if self.producer.in_flight_count() == 0 {
                break;
            }
            self.producer.poll(Duration::ZERO);
        }
        self.producer.context().watch.was_disturbed()
    }

    /// Hands one record over.
    ///
    /// # Errors
    /// A record that cannot be sent now or ever.
    pub fn send(&self, record: BaseRecord<'_, [u8], [u8]>) -> Result<Handed, Failure> {
        match self.producer.send(record) {
            Ok(()) => Ok(Handed::Taken),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(Handed::Full),
            Err((error, _)) => Err(failure(&error)),
        }
    }

    /// Serves what there is to tell; waits for `wait` where that is nothing.
    pub fn serve(&self, wait: Duration) {
        drain::serve(&self.producer, wait);
    }

    /// Waits until everything is delivered.
    ///
    /// # Errors
    /// A delivery that failed, or time that ran out.
    pub fn settle(&self, within: Duration) -> Result<(), Failure> {
        let drained = drain(&self.producer, within);
        let failed = self.producer.context().failed.lock().expect("nothing panics while it holds the report").clone();
        match failed {
            Some(error) => Err(failure(&error)),
            None if drained => Ok(()),
            None => Err(Failure { sort: Sort::Retriable, reason: "not everything is delivered yet".to_owned() }),
        }
    }

    /// Adds offsets of the input to the transaction.
    ///
    /// # Errors
    /// Those of the group and of the coordinator.
    pub fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
        within: Duration,
    ) -> Result<(), Failure> {
        self.producer.send_offsets_to_transaction(offsets, group, within).map_err(|error| failure(&error))
    }

    /// Commits; says whether the connection was disturbed since it was initialised.
    ///
    /// # Errors
    /// Those of the coordinator.
    pub fn commit(&self, within: Duration) -> Result<bool, Failure> {
        self.producer.commit_transaction(within).map_err(|error| failure_of_commit(&error))?;
        Ok(self.was_disturbed())
    }
}
