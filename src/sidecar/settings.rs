//! What an operator may set of a worker's machine, and the bounds that nobody sets.

use super::fact::Millis;
use crate::limits;

/// What is promised of each decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A tick is a transaction.
    ExactlyOnce,
    /// A tick is produced, then its offsets are committed: less latency, and repeats that consumers drop by id.
    AtLeastOnce,
}

/// All times in ms.
#[derive(Clone, Debug)]
pub struct Settings {
    pub delivery: Delivery,
    /// Another number for each start of a worker, so that ticks can be told apart.
    pub incarnation: u64,
    /// How long a tick gathers records, and how many at most.
    pub tick: Millis,
    pub tick_records: u64,
    /// How many records one poll takes at most: a tick is decided in such pieces, each sent while the next is decided.
    pub poll_records: u64,
    /// `transaction.timeout.ms` of the producer.
    pub transaction_timeout: Millis,
    /// `session.timeout.ms` of the consumer.
    pub session_timeout: Millis,
    /// A commit or abort that took longer may still be on its way a second time.
    pub slow_end: Millis,
    /// How long a poll waits when there is nothing to do, and after a call that failed retriably.
    pub idle: Millis,
    pub retry: Millis,
    /// The longest that one call may take.
    pub call: Millis,
    /// How long after SIGTERM the worker is over.
    pub drain: Millis,
    /// How many records one slice of a restore reads, and a whole restore at most.
    pub restore_slice: u64,
    pub restore_records: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            delivery: Delivery::ExactlyOnce,
            incarnation: 0,
            tick: limits::TICK_MS,
            tick_records: limits::TICK_RECORDS,
            poll_records: limits::POLL_RECORDS,
            transaction_timeout: limits::TRANSACTION_TIMEOUT_MS,
            session_timeout: limits::SESSION_TIMEOUT_MS,
            slow_end: limits::SLOW_END_MS,
            idle: limits::IDLE_POLL_MS,
            retry: limits::RETRY_POLL_MS,
            call: limits::CALL_MS,
            drain: limits::DRAIN_MS,
            restore_slice: limits::RESTORE_SLICE,
            restore_records: limits::RESTORE_RECORDS,
        }
    }
}
