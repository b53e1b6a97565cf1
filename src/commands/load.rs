//! `kuzet load`: what to send, how fast, and the figures in words or as JSON.

use super::{Failure, run::RunArgs};
use crate::load::{self, Figures, Load, Made, Percentile, Source};
use anyhow::anyhow;
use clap::Args;
use std::{
    fs::File,
    io::{self, BufReader, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Send operations through Kafka at a steady rate and say how long their decisions took
///
/// Where Kafka is, and what its topics are called, is said as for `kuzet run`. Each latency counts from when its operation was
/// due to when a read-committed reader had its decision. The first operation goes ahead of the others and has none: they are due
/// from when its decision is there, or after 5 seconds.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// Operations a second
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// How long
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    seconds: u32,

    /// How many wallets they are of
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    wallets: u64,

    /// Chooses the operations
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Send the lines of this file instead of made-up operations; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Print each decision that is more than a bare allow
    #[arg(long)]
    show: bool,

    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    run: RunArgs,
}

/// Sends, waits and tells.
pub(super) fn run(args: &LoadArgs) -> Result<ExitCode, Failure> {
    if args.run.init {
        return Err(Failure::usage(anyhow!(
            "`kuzet run --init` creates topics; `kuzet load` sends into those that are there"
        )));
    }
    let settings = args.run.settings()?;
    let load = Load {
        cluster: settings.cluster,
        layout: settings.layout,
        partitioner: settings.partitioner,
        rate: args.rate,
        show: args.show,
    };
    let source = match &args.file {
        None => Source::Made(Made::new(args.seed, args.wallets, u64::from(args.rate) * u64::from(args.seconds))),
        Some(path) if path.as_os_str() == "-" => Source::file(Box::new(BufReader::new(io::stdin()))),
        Some(path) => {
            let file = File::open(path).map_err(|error| Failure::usage(anyhow!("{}: {error}", path.display())))?;
            Source::file(Box::new(BufReader::new(file)))
        }
    };
    let figures = load::run(&load, source).map_err(Failure::failed)?;
    let text = if args.json { as_json(&figures) } else { in_words(&figures) };
    // The figures are talk where decisions are the data.
    let told =
        if args.show { io::stderr().write_all(text.as_bytes()) } else { io::stdout().write_all(text.as_bytes()) };
    told.map_err(Failure::failed)?;
    Ok(ExitCode::SUCCESS)
}

const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];

fn in_words(figures: &Figures) -> String {
    let Figures { sent, decided, unheard, seconds, .. } = figures;
    let mut text = format!("{sent} operations in {seconds:.1} s, {decided} decided, {unheard} not heard of\n");
    for percent in PERCENTILES {
        text += &match figures.percentile(percent) {
            Some(Percentile::Within(millis)) => format!("{percent:>6} % within {millis:>9.1} ms\n"),
            Some(Percentile::Unheard) => format!("{percent:>6} % were not heard of\n"),
            None => String::new(),
        };
    }
    text
}

fn as_json(figures: &Figures) -> String {
    let millis = |percent| match figures.percentile(percent) {
        Some(Percentile::Within(millis)) => millis.into(),
        Some(Percentile::Unheard) | None => serde_json::Value::Null,
    };
    let latency: serde_json::Map<String, serde_json::Value> =
        PERCENTILES.iter().map(|percent| (format!("p{percent}"), millis(*percent))).collect();
    let Figures { sent, decided, unheard, seconds, .. } = figures;
    let all = serde_json::json!({
        "sent": sent, "decided": decided, "unheard": unheard, "seconds": seconds, "latency_ms": latency,
    });
    format!("{all}\n")
}
