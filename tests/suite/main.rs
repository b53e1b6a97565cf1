//! Everything that looks at Kuzet from outside, in one binary so that it links once.

mod against_reference;
#[cfg(all(feature = "alert", unix))]
mod alert;
mod allocations;
#[cfg(all(feature = "kafka", unix))]
mod broker;
mod clauses;
mod cli;
mod cli_compare;
mod cli_explain;
mod cli_labels;
#[cfg(feature = "parquet")]
mod cli_parquet;
mod cli_range;
mod cli_sort;
mod cli_sweep;
mod cli_verify;
mod documents;
mod followers;
mod generated;
mod geo;
mod geo_fixtures;
mod harness;
mod house;
mod investigation;
#[cfg(all(feature = "kafka", unix))]
mod kafka;
#[cfg(any(feature = "parquet", all(feature = "kafka", unix)))]
mod python;
#[cfg(all(feature = "alert", unix))]
mod receiver;
mod recorded;
mod records;
mod reference;
mod reload;
mod report;
mod streams;
mod threads;
