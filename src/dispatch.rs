//! `kuzet alert`, running: decisions from Kafka to webhooks, at least once.

mod backoff;
mod breaker;
mod checkpoint;
mod endpoint;
mod ledger;
mod machine;
mod pace;
mod record;
#[cfg(test)]
mod simulation;
