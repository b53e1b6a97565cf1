//! The analyst's flags of `kuzet replay`: what goes along with it, what is said of that, and which exit code it makes.

use super::Failure;
use crate::{
    pack_files,
    replay::{
        Setup,
        companion::Companion,
        compare::{self, Comparison},
    },
    rules::{Packs, diagnostic::Diagnostics},
    time::Span,
};
use anyhow::anyhow;
use clap::Args;
use serde_json::{Map, Value};
use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Backtests")]
pub(super) struct DeskArgs {
    /// Packs to compare with those of --rules, over the same records; several times, or joined by commas
    #[arg(long, value_name = "PACK", env = "KUZET_COMPARE", value_delimiter = ',')]
    compare: Vec<PathBuf>,

    /// End with 3 when a decision differs between the two
    #[arg(long, env = "KUZET_FAIL_ON_CHANGE", requires = "compare",
        value_parser = |text: &str| super::replay::yes_or_no("KUZET_FAIL_ON_CHANGE", text))]
    fail_on_change: bool,

    /// Lift what rules impose after this time (such as 2h), as support would: history made without a rule has no signals
    #[arg(long, value_name = "SPAN", env = "KUZET_LIFT_AFTER", value_parser = lift_after)]
    pub lift_after: Option<i64>,
}

fn lift_after(text: &str) -> Result<i64, String> {
    match Span::parse(text)? {
        Span::Millis(millis) => Ok(millis),
        Span::Months(_) | Span::Calendar(_) => Err("write a time of fixed length, such as 2h or 1d".to_owned()),
    }
}

/// What goes along with a replay.
pub(super) struct Desk {
    comparison: Option<Comparison>,
    fail_on_change: bool,
}

impl Desk {
    /// Loads what the flags ask for. Every file that is read is noted.
    pub fn new(args: &DeskArgs, setup: &Setup, read: &mut Vec<PathBuf>) -> Result<Desk, Failure> {
        let comparison = if args.compare.is_empty() {
            None
        } else {
            Some(Comparison::new(setup, Arc::new(load_packs(&args.compare, setup, read)?)))
        };
        Ok(Desk { comparison, fail_on_change: args.fail_on_change })
    }

    pub fn companions(&mut self) -> Vec<&mut dyn Companion> {
        self.comparison.iter_mut().map(|comparison| -> &mut dyn Companion { comparison }).collect()
    }

    /// Nothing more comes.
    pub fn settle(&mut self) {
        if let Some(comparison) = &mut self.comparison {
            comparison.settle();
        }
    }

    /// What is said after the summary.
    pub fn text(&self) -> String {
        self.comparison.as_ref().map(compare::render::text).unwrap_or_default()
    }

    /// What stands beside the summary's own members.
    pub fn json(&self) -> Map<String, Value> {
        let comparison = self.comparison.as_ref().map(|found| ("compare".to_owned(), compare::render::json(found)));
        comparison.into_iter().collect()
    }

    /// Something has changed that must not.
    pub fn fails(&self) -> bool {
        self.fail_on_change && self.comparison.as_ref().is_some_and(Comparison::has_changes)
    }
}

/// Loads other packs than those of the replay; what is known of addresses is the same.
fn load_packs(paths: &[PathBuf], setup: &Setup, read: &mut Vec<PathBuf>) -> Result<Packs, Failure> {
    let told = |diagnostics: Diagnostics| Failure::Told(diagnostics.render(io::stderr().is_terminal()));
    let loaded = pack_files::load_paths_noting(paths, read).map_err(told)?;
    let _ = write!(io::stderr(), "{}", loaded.diagnostics.render(io::stderr().is_terminal()));
    let mut packs = loaded.packs;
    if packs.currency != setup.packs.currency {
        let [ours, theirs] = [setup.packs.currency, packs.currency].map(|currency| currency.as_str().to_owned());
        let message = format!("--rules counts in {ours} and --compare in {theirs}; compare packs of one currency");
        return Err(Failure::usage(anyhow!(message)));
    }
    if let Some(name) = setup.geo.name() {
        packs.name = format!("{},{name}", packs.name);
    }
    Ok(packs)
}
