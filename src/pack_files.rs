//! PLACEHOLDER for the loader of packs.

use crate::rules::Packs;
use std::path::PathBuf;

/// # Errors
/// Everything that is wrong with the packs.
pub fn load_paths(_paths: &[PathBuf]) -> Result<Packs, String> {
    Err("packs cannot be loaded yet".to_owned())
}

/// # Errors
/// Everything that is wrong with the packs.
pub fn builtin() -> Result<Packs, String> {
    Err("packs cannot be loaded yet".to_owned())
}
