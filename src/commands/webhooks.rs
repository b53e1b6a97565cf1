//! The flags of `kuzet replay` that make alerts of its decisions.

use super::Failure;
use crate::{
    alert::config::{Secrets, load},
    files::identity::is_standard,
    replay::{Setup, alerts::Alerts},
    rules::diagnostic::Source,
    wording,
};
use anyhow::anyhow;
use clap::Args;
use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Alerts")]
pub(super) struct WebhookArgs {
    /// Make alerts of the decisions, for the endpoints of this configuration (deploy/alert.toml), and only print them
    #[arg(long, value_name = "FILE", env = "KUZET_ALERT")]
    alert: Option<PathBuf>,

    /// Print alerts to this file as NDJSON instead of to standard error; `-` is standard output
    #[arg(long, value_name = "FILE", env = "KUZET_ALERT_OUT", requires = "alert", conflicts_with = "alert_send")]
    alert_out: Option<PathBuf>,

    /// Send them
    #[arg(long, env = "KUZET_ALERT_SEND", requires = "alert",
        value_parser = |text: &str| super::replay::yes_or_no("KUZET_ALERT_SEND", text))]
    alert_send: bool,
}

impl WebhookArgs {
    /// Where alerts are printed, if a path says so.
    pub fn out(&self) -> Option<&Path> {
        self.alert_out.as_deref()
    }

    /// Alerts are printed among the talk.
    pub fn on_stderr(&self) -> bool {
        self.alert.is_some() && self.alert_out.is_none() && !self.alert_send
    }

    /// The configuration, which is a file that is read.
    pub fn config(&self) -> Option<PathBuf> {
        self.alert.clone()
    }

    /// What makes the alerts of the inputs `files`.
    pub fn alerts(&self, setup: &Setup, files: &[PathBuf]) -> Result<Option<Alerts>, Failure> {
        let Some(path) = &self.alert else { return Ok(None) };
        let unread = |error: io::Error| {
            Failure::usage(anyhow!("cannot read {}: {}", path.display(), wording::unreadable(&error)))
        };
        let source = Source { path: path.display().to_string(), text: fs::read_to_string(path).map_err(unread)? };
        let secrets = if self.alert_send { Secrets::Read } else { Secrets::Left };
        let config = load(source, secrets).map_err(|wrong| Failure::Told(wrong.render(io::stderr().is_terminal())))?;
        if self.alert_send {
            return Alerts::sent(&config, &setup.packs, files).map(Some).map_err(Failure::failed);
        }
        Ok(Some(Alerts::told(&config, &setup.packs, files, self.open()?)))
    }

    fn open(&self) -> Result<Box<dyn Write + Send>, Failure> {
        let Some(path) = &self.alert_out else { return Ok(Box::new(io::stderr())) };
        if is_standard(path) {
            return Ok(Box::new(BufWriter::new(io::stdout())));
        }
        let cannot = |error: io::Error| {
            Failure::failed(anyhow!("cannot write alerts to {}: {}", path.display(), wording::unwritable(&error)))
        };
        Ok(Box::new(BufWriter::new(File::create(path).map_err(cannot)?)))
    }
}
