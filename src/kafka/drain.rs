//! Waiting until a producer has sent all it holds, at no more than what that takes.
//!
//! rdkafka's own `flush`, which `commit_transaction` calls first, polls in steps of 100 ms that nothing cuts short, so each
//! commit of a busy producer would cost that much. After a drain it finds nothing left to wait for.

use rdkafka::producer::{BaseProducer, Partitioner, Producer, ProducerContext};
use std::time::{Duration, Instant};

/// One look at what has been delivered; nothing cuts it short either.
const STEP: Duration = Duration::from_micros(200);

/// Serves delivery reports until none is outstanding; false when `patience` ran out first.
#[must_use]
pub fn drain<C, P>(producer: &BaseProducer<C, P>, patience: Duration) -> bool
where
    C: ProducerContext<P>,
    P: Partitioner,
{
    let begun = Instant::now();
    while producer.in_flight_count() > 0 {
        if begun.elapsed() >= patience {
            return false;
        }
        producer.poll(STEP);
    }
    true
}
