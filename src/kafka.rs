//! Kafka as Kuzet uses it: how clients are configured, which topics there are, what an error asks for.
//!
//! Partitions, groups, transactions and compaction are Kafka's; nothing of them is built again here. What librdkafka's
//! defaults leave to chance (where to read from after a lost offset, whether a topic appears by a typing mistake) is
//! settled in `client` and `topics`, each with its reason, so that a running engine never has to guess. `member`, `sender` and
//! `restore` make the calls that a worker's machine asks for. No decision is taken here.

pub mod client;
pub mod drain;
pub mod errors;
pub mod hearsay;
pub mod inbox;
pub mod member;
pub mod partitioner;
pub mod range;
pub mod restore;
pub mod restrictions;
pub mod sender;
pub mod settlement;
pub mod stretches;
pub mod tags;
pub mod topics;
mod wait;
mod watch;
