//! What `replay` and `explain` have in common: packs, a mapping, and what is known of addresses.

use super::Failure;
use crate::{
    engine::Settings,
    geo_files, mapping, pack_files,
    replay::{Setup, report::Written},
    rules::diagnostic::Diagnostics,
};
use anyhow::anyhow;
use clap::Args;
use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
};

#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    /// Packs of rules to use instead of the built-in one; several times, or joined by commas
    #[arg(long, value_name = "PACK", env = "KUZET_RULES", value_delimiter = ',')]
    rules: Vec<PathBuf>,

    /// How to read files of another schema (TOML)
    #[arg(long, value_name = "FILE", env = "KUZET_MAP")]
    map: Option<PathBuf>,

    /// Database that knows the countries of addresses (mmdb)
    #[arg(long, value_name = "FILE", env = "KUZET_GEO_COUNTRY")]
    geo_country: Option<PathBuf>,

    /// Database that knows proxies, VPNs and other anonymous addresses (mmdb)
    #[arg(long, value_name = "FILE", env = "KUZET_GEO_ANONYMOUS")]
    geo_anonymous: Option<PathBuf>,
}

impl SetupArgs {
    /// Every file that is read is noted.
    pub fn load(&self, lift_after: Option<i64>, read: &mut Vec<PathBuf>) -> Result<Setup, Failure> {
        self.load_written(lift_after, read).map(|(setup, _)| setup)
    }

    /// The same with the packs as they are written.
    pub fn load_written(
        &self,
        lift_after: Option<i64>,
        read: &mut Vec<PathBuf>,
    ) -> Result<(Setup, Vec<Written>), Failure> {
        let told = |diagnostics: Diagnostics| Failure::Told(diagnostics.render(io::stderr().is_terminal()));
        let loaded = pack_files::load_paths_noting(&self.rules, read).map_err(told)?;
        let databases = [&self.geo_country, &self.geo_anonymous].into_iter().flatten();
        let sidecars: Vec<PathBuf> = databases.clone().map(|path| geo_files::sidecar_path(path)).collect();
        read.extend(self.map.iter().chain(databases).chain(&sidecars).cloned());
        // Warnings; a pack with errors has not come this far.
        let _ = write!(io::stderr(), "{}", loaded.diagnostics.render(io::stderr().is_terminal()));
        let written = Written::of(&loaded);
        let mut packs = loaded.packs;
        let geo = geo_files::load(self.geo_country.as_deref(), self.geo_anonymous.as_deref())
            .map_err(|error| Failure::usage(anyhow!("{error}")))?;
        if let Some(name) = geo.name() {
            packs.name = format!("{},{name}", packs.name);
        }
        let mapping = self.map.as_deref().map(mapping::load_file).transpose().map_err(told)?;
        let setup = Setup {
            packs: Arc::new(packs),
            geo: Arc::new(geo),
            settings: Settings::default(),
            mapping: mapping.map(Arc::new),
            lift_after,
            range: None,
            probes: Vec::new(),
        };
        Ok((setup, written))
    }
}
