//! The engine as a test sees it: records in, the bytes of decisions or the fault of a reject out.

use kuzet::{
    decision::Decision,
    encode::encode,
    engine::{Changes, Engine, Input, Settings},
    event::{Fault, decode::Decoder},
    geo::Geo,
    rules::Packs,
};
use std::{path::PathBuf, sync::Arc};

/// One engine with its decoder, as `replay` runs it over one file.
pub struct Judge {
    pub packs: Arc<Packs>,
    engine: Engine,
    decoder: Decoder,
    decision: Decision,
    changes: Changes,
}

impl Judge {
    pub fn new(packs: Arc<Packs>, geo: Geo) -> Judge {
        let engine = Engine::new(Arc::clone(&packs), Arc::new(geo), Settings::default());
        Judge { packs, engine, decoder: Decoder::default(), decision: Decision::default(), changes: Changes::default() }
    }

    /// The packs at a path of the repository, without GeoIP.
    pub fn of(path: &str) -> Judge {
        Judge::new(packs(path), Geo::default())
    }

    /// A pack given as text.
    pub fn of_text(text: &str) -> Judge {
        Judge::new(load_text(text), Geo::default())
    }

    /// One record, without its line end.
    pub fn feed(&mut self, record: &[u8]) -> Result<String, Fault> {
        let event = self.decoder.decode(record, &self.packs.types, self.packs.currency)?;
        let input = Input::Event { event: &event, reference: None };
        self.engine.step(&input, &mut self.decision, &mut self.changes)?;
        let mut out = Vec::new();
        encode(&self.decision, &event, &self.packs, &mut out);
        Ok(String::from_utf8(out).expect("a decision is UTF-8"))
    }

    /// Other packs from here on.
    pub fn reload(&mut self, packs: &Arc<Packs>) -> Result<(), Fault> {
        self.engine.step(&Input::Packs(packs), &mut self.decision, &mut self.changes)?;
        self.packs = Arc::clone(self.engine.packs());
        Ok(())
    }
}

/// The path of a file of the repository.
pub fn in_repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The packs that a file of the repository and what it uses hold.
pub fn packs(path: &str) -> Arc<Packs> {
    load(in_repository(path))
}

/// A pack given as text.
pub fn load_text(text: &str) -> Arc<Packs> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pack.toml");
    std::fs::write(&path, text).expect("a file in it");
    load(path)
}

fn load(path: PathBuf) -> Arc<Packs> {
    match kuzet::pack_files::load_paths(&[path]) {
        Ok(loaded) => Arc::new(loaded.packs),
        Err(errors) => panic!("{}", errors.render(false)),
    }
}
