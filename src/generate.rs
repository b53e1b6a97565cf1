//! PLACEHOLDER for `kuzet generate`.

/// Write synthetic events by seed.
#[derive(Debug, clap::Args)]
pub struct GenerateArgs {}

/// # Errors
/// Whatever went wrong.
pub fn run(_args: &GenerateArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("not there yet")
}
