//! PLACEHOLDER for `kuzet check`, with the interface that its author has settled.

use crate::{
    decision::Action,
    rules::{Packs, example::Example},
};
use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

/// The arguments of `kuzet check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Packs, each checked on its own with the packs that it uses
    #[arg(required = true, value_name = "PACK")]
    pub packs: Vec<PathBuf>,
}

/// What became of an example's last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub action: Action,
    /// The example's rule is among the reasons, or in `shadow`.
    pub fired: bool,
}

/// Runs an example through a fresh engine. The error says which record could not be used, and why.
pub type Judge<'a> = dyn FnMut(&Arc<Packs>, &Example) -> Result<Outcome, String> + 'a;

/// # Errors
/// Only those of `out` and `talk`.
pub fn run(
    _arguments: &CheckArgs,
    _judge: &mut Judge<'_>,
    _out: &mut impl Write,
    talk: &mut impl Write,
    _styled: bool,
) -> io::Result<u8> {
    writeln!(talk, "not there yet")?;
    Ok(1)
}
