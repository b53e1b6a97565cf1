//! What was counted and stands in the repository, and what a new count says beside it.
//!
//! A count belongs to a compiler and a kind of processor: another compiler makes other instructions of the same source.
//! So the record names both, and beside others it is void: that is said, and nothing is held against anybody.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf, process::Command};

/// How many per cent more a stage may take before the record must be raised, or fewer before it should be lowered.
const TOLERANCE_PERCENT: u64 = 5;

/// Instructions an event, by stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stages {
    pub decode: u64,
    pub step: u64,
    pub encode: u64,
}

impl Stages {
    /// With their names, in the order of the work.
    pub fn named(self) -> [(&'static str, u64); 3] {
        [("decode", self.decode), ("step", self.step), ("encode", self.encode)]
    }
}

/// The file `benches/record/instructions.toml`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub rustc: String,
    pub processor: String,
    /// By pack, then by stream.
    pub instructions: BTreeMap<String, BTreeMap<String, Stages>>,
}

/// What a count is beside the recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    AsRecorded,
    Fewer,
    More,
}

/// Exactly five per cent is within the tolerance.
pub fn judge(recorded: u64, counted: u64) -> Verdict {
    if counted * 100 > recorded * (100 + TOLERANCE_PERCENT) {
        Verdict::More
    } else if counted * 100 < recorded * (100 - TOLERANCE_PERCENT) {
        Verdict::Fewer
    } else {
        Verdict::AsRecorded
    }
}

impl Record {
    /// An empty record of this compiler and processor.
    pub fn here() -> anyhow::Result<Record> {
        Ok(Record { rustc: rustc()?, processor: processor(), instructions: BTreeMap::new() })
    }

    /// The one that stands in the repository, if there is one.
    pub fn recorded() -> anyhow::Result<Option<Record>> {
        match std::fs::read_to_string(path()) {
            Ok(text) => Ok(Some(toml::from_str(&text)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub fn write(&self) -> anyhow::Result<()> {
        let head = "# Instructions an event. `KUZET_BLESS=1 cargo bench --bench instructions` writes this file.\n\n";
        Ok(std::fs::write(path(), head.to_owned() + &toml::to_string(self)?)?)
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/record/instructions.toml")
}

/// The compiler that cargo uses, which says its version and commit.
fn rustc() -> anyhow::Result<String> {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// What of the processor can change a count: the standard library and `memchr` look whether it has AVX2.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let wide = if std::is_x86_feature_detected!("avx2") { " with AVX2" } else { " without AVX2" };
    #[cfg(not(target_arch = "x86_64"))]
    let wide = "";
    format!("{}{wide}", std::env::consts::ARCH)
}
