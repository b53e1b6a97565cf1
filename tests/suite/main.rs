//! Everything that looks at Kuzet from outside, in one binary so that it links once.

mod against_reference;
mod allocations;
#[cfg(all(feature = "kafka", unix))]
mod broker;
mod clauses;
mod cli;
mod documents;
mod generated;
mod geo;
mod geo_fixtures;
mod harness;
mod house;
#[cfg(all(feature = "kafka", unix))]
mod kafka;
mod recorded;
mod records;
mod reference;
mod reload;
mod streams;
mod threads;
