//! The configuration of `kuzet run`: one TOML file, variables and flags over it, and every mistake with its place.
//!
//! `deploy/kuzet.toml` is built in: what it says is the default, and an option that it does not have does not exist, so that
//! the file that people copy can never tell anything else than the program. It is read in two steps: [`read`] lays what was
//! given over it and knows tables and kinds alone; `settings` says what the texts mean.

mod layers;
mod settings;

pub use layers::{Known, options, read};
pub use settings::{Settings, settings};
