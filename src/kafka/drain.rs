//! Waiting until a producer has sent all it holds, at no more than what that takes.
//!
//! rdkafka's own `flush`, which `commit_transaction` calls first, polls in steps of 100 ms that nothing cuts short, so each
//! commit of a busy producer would cost that much. After a drain it finds nothing left to wait for. Nor may a wait be left to
//! its poll where it is below a millisecond: librdkafka counts those, so it would ask again and again until the time is
//! over, on a processor that librdkafka's own threads and perhaps the broker need to get done with what is waited for.

use rdkafka::producer::{BaseProducer, Partitioner, Producer, ProducerContext};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two looks at what is still to be delivered, where nothing has happened meanwhile.
pub const STEP: Duration = Duration::from_millis(1);

/// Serves delivery reports until none is outstanding; false when `patience` ran out first.
#[must_use]
pub fn drain<C, P>(producer: &BaseProducer<C, P>, patience: Duration) -> bool
where
    C: ProducerContext<P>,
    P: Partitioner,
{
    let begun = Instant::now();
    let mut left = producer.in_flight_count();
    while left > 0 {
        if begun.elapsed() >= patience {
            return false;
        }
        serve(producer, STEP);
        left = producer.in_flight_count();
    }
    true
}

/// Serves what the producer has to tell; waits for `wait` where that was nothing.
pub fn serve<C, P>(producer: &BaseProducer<C, P>, wait: Duration)
where
    C: ProducerContext<P>,
    P: Partitioner,
{
    let before = producer.in_flight_count();
    producer.poll(Duration::ZERO);
    if producer.in_flight_count() >= before {
        thread::sleep(wait);
    }
}
