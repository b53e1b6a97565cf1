//! PLACEHOLDER for `kuzet check`.

/// Load packs, print every error, and run the examples that they carry.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Packs to check.
    #[arg(required = true, value_name = "PACK")]
    pub packs: Vec<std::path::PathBuf>,
}

/// # Errors
/// Whatever went wrong.
pub fn run(_args: &CheckArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("not there yet")
}
