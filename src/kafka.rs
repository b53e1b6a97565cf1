//! Kafka as Kuzet uses it: how clients are configured, which topics there are, what an error asks for.
//!
//! Partitions, groups, transactions and compaction are Kafka's; nothing of them is built again here. What librdkafka's
//! defaults leave to chance (where to read from after a lost offset, whether a topic appears by a typing mistake) is
//! settled in `client` and `topics`, each with its reason, so that a running engine never has to guess. No decision is taken
//! here and no state is kept.

pub mod client;
pub mod drain;
pub mod errors;
pub mod partitioner;
pub mod topics;
mod wait;
