//! Kuzet (Kazakh күзет: a watch) decides on every operation of an electronic-money wallet while it happens.
//!
//! The dependency story, lowest first; a module imports only what lies below it:
//!
//! - [`limits`], [`number`], [`time`], [`hash`], [`plain`], [`random`], [`wording`], [`memory`]: bounds, money, event time, keys, texts,
//!   chance by seed, words, memory made ready;
//! - [`event`], [`geo`], [`decision`], [`facts`]: what comes in, what is known of an address, what goes out;
//! - [`rules`], [`window`]: packs compiled from TOML, and what their measures remember;
//! - [`state`], [`engine`], [`encode`]: the only place where state changes, and its decisions as JSON;
//! - [`sidecar`]: what a Kafka worker does next, without I/O;
//! - shells (`files`, `mapping`, `kafka`, `replay`, `run`, `dispatch`, `load`, `generate`, `check`) and the command line, which do all I/O.
//!
//! Everything up to `engine` is pure: no clock, no thread, no file, no socket, no random order.

#[cfg(feature = "alert")]
pub mod alert;
pub mod check;
pub mod commands;
pub mod decision;
#[cfg(all(feature = "alert", feature = "kafka"))]
pub mod dispatch;
pub mod encode;
pub mod engine;
pub mod event;
pub mod facts;
pub mod files;
pub mod generate;
pub mod geo;
pub mod geo_files;
pub mod hash;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod limits;
#[cfg(feature = "kafka")]
pub mod load;
pub mod mapping;
pub mod mask;
pub mod memory;
pub mod number;
#[cfg(any(feature = "alert", feature = "kafka"))]
pub mod options;
pub mod pack_files;
pub mod plain;
pub mod random;
pub mod replay;
pub mod rules;
#[cfg(feature = "kafka")]
pub mod run;
pub mod schema;
pub mod sidecar;
pub mod state;
pub mod time;
pub mod window;
pub mod wording;
