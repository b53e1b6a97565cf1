//! A worker's producer: transactional, or idempotent alone where ticks are no transactions.
//!
//! A record counts when its delivery is reported, so every call that ends a tick drains the producer first. One delivery
//! that failed fails the tick: the transaction it was part of could otherwise commit without it. Records can be handed over,
//! waited for and committed aside, one after the other on one thread; until a call that ends a transaction is over nothing else
//! is asked of the producer.

use super::{
    aside::Aside,
    client::Cluster,
    drain::{self, drain},
    errors::{failure, failure_of_commit},
    partitioner::Partitioner,
    watch::Watch,
};
use crate::sidecar::{Fact, Failure, Sort};
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
};
use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// More events than a drained producer has to tell.
const EVENTS: usize = 4_096;

/// What became of what was sent.
#[derive(Default)]
struct Reports {
    watch: Watch,
    /// The first record that was refused, or whose delivery failed, since the tick began.
    failed: Mutex<Option<KafkaError>>,
    /// The producer is about to go: whatever waits for it stops.
    given_up: AtomicBool,
}

impl Reports {
    fn failed(&self) -> MutexGuard<'_, Option<KafkaError>> {
        self.failed.lock().expect("nothing panics while it holds the report")
    }

    /// Whether it makes sense to hand another record over.
    fn goes_on(&self) -> bool {
        !self.given_up.load(Ordering::SeqCst) && self.failed().is_none()
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
            self.failed().get_or_insert_with(|| error.clone());
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
    /// Before the producer, which is only gone when no call holds it.
    ends: Aside<Result<Fact, Failure>>,
    producer: Arc<BaseProducer<Reports>>,
    transactional: bool,
    initialised: bool,
    /// A call waits aside until everything is delivered.
    delivering: Cell<bool>,
}

/// Hands records over on the sender's own thread.
pub struct Handing<'a>(&'a BaseProducer<Reports>);

impl Handing<'_> {
    /// Hands one record over, once there is room for it. False where that makes no more sense: the next delivery tells why.
    #[must_use]
    pub fn send(&self, mut record: BaseRecord<'_, [u8], [u8]>) -> bool {
        loop {
            match self.0.send(record) {
                Ok(()) => return true,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if self.goes_on() => {
                    drain::serve(self.0, drain::STEP);
                    record = back;
                }
                Err((error, _)) => {
                    self.0.context().failed().get_or_insert(error);
                    return false;
                }
            }
        }
    }

    fn goes_on(&self) -> bool {
        self.0.context().goes_on()
    }
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
        let producer = Arc::new(config.create_with_context(Reports::default())?);
        let (transactional, initialised) = (id.is_some(), id.is_none());
        Ok(Sender { ends: Aside::start(), producer, transactional, initialised, delivering: Cell::new(false) })
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
            if was_disturbed(&self.producer) {
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
        self.producer.context().failed().take();
        if !self.transactional {
            return Ok(());
        }
        if was_disturbed(&self.producer) {
            let reason = "the connection was disturbed between two transactions".to_owned();
            return Err(Failure { sort: Sort::Fatal, reason });
        }
        self.producer.begin_transaction().map_err(|error| failure(&error))
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
        drain::serve(&*self.producer, wait);
    }

    /// Waits until everything is delivered.
    ///
    /// # Errors
    /// A delivery that failed, or time that ran out.
    pub fn settle(&self, within: Duration) -> Result<(), Failure> {
        let drained = drain(&self.producer, within);
        let reason = "not everything is delivered yet".to_owned();
        if is_drained(&self.producer)? && drained { Ok(()) } else { Err(Failure { sort: Sort::Retriable, reason }) }
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
        send_offsets(&self.producer, offsets, group, within)
    }

    /// Commits; says whether the connection was disturbed since it was initialised.
    ///
    /// # Errors
    /// Those of the coordinator.
    pub fn commit(&self, within: Duration) -> Result<bool, Failure> {
        commit(&self.producer, within)
    }

    /// Begins to hand over what `records` sends, behind all that was begun before. What becomes of it the next delivery tells.
    pub fn begin_records(&self, records: impl FnOnce(&Handing<'_>) + Send + 'static) {
        let producer = Arc::clone(&self.producer);
        self.ends.tell(move || {
            let handing = Handing(&producer);
            if handing.goes_on() {
                records(&handing);
            }
        });
    }

    /// Begins to wait until everything is delivered, if that is not waited for already.
    pub fn begin_delivery(&self) {
        if !self.delivering.replace(true) {
            let producer = Arc::clone(&self.producer);
            self.ends.ask(move || deliver(&producer).map(|()| Fact::Delivered));
        }
    }

    /// Whether records are still handed over or waited for.
    #[must_use]
    pub fn is_delivering(&self) -> bool {
        self.delivering.get()
    }

    /// Begins to add offsets of the input to the transaction.
    pub fn begin_offsets(&self, offsets: TopicPartitionList, group: ConsumerGroupMetadata, within: Duration) {
        let producer = Arc::clone(&self.producer);
        self.ends.ask(move || send_offsets(&producer, &offsets, &group, within).map(|()| Fact::OffsetsSent));
    }

    /// Begins to commit what is delivered.
    pub fn begin_commit(&self, within: Duration) {
        let producer = Arc::clone(&self.producer);
        self.ends.ask(move || commit(&producer, within).map(|disturbed| Fact::Committed { disturbed }));
    }

    /// What the call came to that was begun last; nothing where it takes longer than `wait`.
    ///
    /// # Errors
    /// Those of the group and of the coordinator.
    pub fn answer(&self, wait: Duration) -> Option<Result<Fact, Failure>> {
        let answer = self.ends.answer(wait);
        if answer.is_some() {
            // Nothing that ends a transaction is begun before.
            self.delivering.set(false);
        }
        answer
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.producer.context().given_up.store(true, Ordering::SeqCst);
    }
}

/// Whether everything is delivered.
fn is_drained(producer: &BaseProducer<Reports>) -> Result<bool, Failure> {
    let drained = producer.in_flight_count() == 0;
    match &*producer.context().failed() {
        Some(error) => Err(failure(error)),
        None => Ok(drained),
    }
}

/// Waits until everything is delivered; what is not in time fails by its own limit.
fn deliver(producer: &BaseProducer<Reports>) -> Result<(), Failure> {
    while !is_drained(producer)? {
        if !producer.context().goes_on() {
            let reason = "the producer was given up".to_owned();
            return Err(Failure { sort: Sort::Retriable, reason });
        }
        drain::serve(producer, drain::STEP);
    }
    Ok(())
}

fn send_offsets(
    producer: &BaseProducer<Reports>,
    offsets: &TopicPartitionList,
    group: &ConsumerGroupMetadata,
    within: Duration,
) -> Result<(), Failure> {
    producer.send_offsets_to_transaction(offsets, group, within).map_err(|error| failure(&error))
}

fn commit(producer: &BaseProducer<Reports>, within: Duration) -> Result<bool, Failure> {
    producer.commit_transaction(within).map_err(|error| failure_of_commit(&error))?;
    Ok(was_disturbed(producer))
}

/// Since it was initialised. Hears all that the client library has to tell: a poll alone serves one event.
fn was_disturbed(producer: &BaseProducer<Reports>) -> bool {
    for _ in 0..EVENTS {
        if producer.in_flight_count() == 0 {
            break;
        }
        producer.poll(Duration::ZERO);
    }
    producer.context().watch.was_disturbed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use std::{collections::BTreeMap, sync::mpsc};

    /// A record that librdkafka refuses at once, whether there is a broker or not.
    fn too_long() -> Vec<u8> {
        vec![0; usize::try_from(limits::DEAD_LETTER_BATCH_BYTES).expect("it fits") + 1]
    }

    #[test]
    fn a_record_that_is_refused_fails_the_delivery_and_nothing_is_handed_over_behind_it() {
        let nowhere = Cluster::new("127.0.0.1:1", "test", BTreeMap::new()).expect("no options");
        let sender = Sender::new(&nowhere, None, Partitioner::Murmur2).expect("a producer");
        let (note, noted) = mpsc::channel();
        let begin = |name: &'static str| {
            let note = note.clone();
            sender.begin_records(move |handing| {
                let taken = handing.send(BaseRecord::to("topic").payload(&too_long()));
                note.send((name, taken)).expect("it is heard");
            });
        };
        for round in ["first", "second"] {
            begin(round);
            begin("behind it");
            sender.begin_delivery();
            // Asked for again it is still one delivery.
            sender.begin_delivery();
            assert!(sender.is_delivering());
            let answer = sender.answer(Duration::from_secs(60)).expect("it is over");
            assert!(answer.is_err(), "{answer:?}");
            assert!(!sender.is_delivering());
            assert_eq!(noted.try_iter().collect::<Vec<_>>(), [(round, false)]);
            assert_eq!(sender.answer(Duration::ZERO), None, "one answer for one delivery");
            // Another tick has seen nothing of it.
            sender.begin().expect("without transactions nothing is begun");
        }
    }
}
