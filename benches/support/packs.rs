//! Packs by their path in the repository.

use kuzet::rules::Packs;
use std::{path::Path, sync::Arc};

/// The pack at a path that begins at the repository (or anywhere, if it is absolute), with those that it uses.
///
/// # Panics
/// If it does not load.
pub fn load(path: impl AsRef<Path>) -> Arc<Packs> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    match kuzet::pack_files::load_paths(&[path]) {
        Ok(loaded) => Arc::new(loaded.packs),
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}
