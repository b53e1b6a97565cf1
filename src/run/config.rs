//! The configuration of `kuzet run`: one TOML file, variables and flags over it, and every mistake with its place.
//!
//! `deploy/kuzet.toml` is built in: what it says is the default, and an option that it does not have does not exist, so that
//! the file that people copy can never tell anything else than the program. It is read in two steps: `options` lays what was
//! given over it and knows tables and kinds alone; `settings` says what the texts mean.

mod settings;

use crate::options::BuiltIn;
pub use settings::{Settings, settings};

pub const BUILT_IN: BuiltIn = BuiltIn {
    path: "deploy/kuzet.toml",
    text: include_str!("../../deploy/kuzet.toml"),
    variables: "KUZET_",
    several: None,
};
