//! Webhooks: what is sent of a decision, to whom, and one attempt of sending it.
//!
//! `decided` reads a decision back from its JSON, `filter` says whether an endpoint wants it, `message` makes the alert: a
//! pure function of the decision's id, its bytes and the subscription, so that every retry and every restart sends the same
//! bytes under the same id. `send` makes one attempt, to addresses that `guard` has let through. *When* something is sent, how often
//! and what becomes of it is decided elsewhere; nothing here waits, keeps or counts.

mod body;
pub mod config;
mod decided;
mod filter;
pub mod group;
pub mod guard;
mod message;
pub mod sample;
mod send;
mod sign;
pub mod target;
mod template;

pub use config::{Config, Endpoint};
pub use decided::Decided;
pub use filter::Filter;
pub use guard::{Resolver, System};
pub use message::{Alert, WebhookId, alert, of_group};
pub use send::{Client, Exchange, Heard, Outcome, attempt, exchange, now};
pub use target::Target;
