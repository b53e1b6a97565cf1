//! `kuzet explain`: its flags, and what is opened around the explanation itself.

use super::{Failure, input::InputArgs, replay::yes_or_no, setup::SetupArgs};
use crate::{
    files::{Failed, Inputs, gather::gather, identity::is_standard},
    replay::{
        ReplayError, Setup,
        explain::{self, ExplainError},
        words::{LocalTime, Words},
    },
    wording::several,
};
use anyhow::anyhow;
use clap::Args;
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Say why an event got its decision, and what would have passed
///
/// Replays the history (files, or with --kafka a topic) up to the event: what each rule measured and against which limit, the events that stood in its
/// window, the restrictions that stood and where they came from, and the edges: sums and times that would have passed, beside
/// neighbours that would not.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Files of events, in the order of their events, folders or patterns; they are read more than once
    #[arg(required_unless_present = "kafka", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The event to explain; or --wallet alone
    #[arg(long, value_name = "ID", required_unless_present = "wallet")]
    event: Option<String>,

    /// The wallet of the event; without --event, everything of that wallet that was more than allowed
    #[arg(long, value_name = "WALLET")]
    wallet: Option<String>,

    /// Print one JSON object, or for a wallet one decision a line
    #[arg(long, env = "KUZET_JSON", value_parser = |text: &str| yes_or_no("KUZET_JSON", text))]
    json: bool,

    #[command(flatten)]
    setup: SetupArgs,

    #[command(flatten)]
    input: InputArgs,
}

pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    if args.files.iter().any(|path| is_standard(path)) {
        let message = "explaining reads the events more than once, which standard input cannot; write them to a file";
        return Err(Failure::usage(anyhow!(message)));
    }
    let production = args.input.topic.production()?;
    let production = production.as_ref();
    let (mut setup, _) = args.setup.or_as(production).load_written(None, production, &mut Vec::new())?;
    setup.range = args.input.range(&setup)?;
    if let Some(range) = &mut setup.range {
        range.reach_back(&setup.packs.rules, &setup.packs.zone);
    }
    let files = gather(&args.files).map_err(Failure::failed)?;
    let open = || args.input.open(&files, production, &setup, None);
    let inputs = open().map_err(Failure::failed)?;
    let text = match &args.event {
        None => story(args, &setup, inputs)?,
        Some(id) => {
            let target = explain::find(&setup, inputs, id, args.wallet.as_deref()).map_err(failure)?;
            let explanation = explain::explain(&setup, target, &open).map_err(failure)?;
            match args.json {
                true => explain::render::json(&explanation, &setup) + "\n",
                false => explain::render::text(&explanation, &setup),
            }
        }
    };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Everything of one wallet that was more than allowed.
fn story(args: &ExplainArgs, setup: &Setup, inputs: Inputs) -> Result<String, Failure> {
    let wallet = args.wallet.as_deref().unwrap_or_default();
    let local = LocalTime::of(setup.packs.zone.name());
    let words = Words { packs: &setup.packs, local: &local };
    let (mut out, mut lines) = (Vec::new(), 0);
    let events = explain::story(setup, inputs, wallet, &mut |event, decision| {
        lines += 1;
        match args.json {
            true => crate::encode::encode(decision, event, &setup.packs, &mut out),
            false => out.extend_from_slice(words.sentence(event, decision).as_bytes()),
        }
        out.push(b'\n');
    });
    let events = events.map_err(failure)?;
    let told = String::from_utf8(out).expect("words and JSON are UTF-8");
    if args.json {
        return Ok(told);
    }
    let head = format!("{}, {lines} of them more than a bare allow\n", several(events, "event"));
    Ok(head + &told)
}

fn failure(error: ExplainError) -> Failure {
    match error {
        ExplainError::Replay(error @ ReplayError::Misfit { .. }) => Failure::usage(error),
        ExplainError::Input(error) if error.failed == Failed::Mapping => Failure::usage(error),
        error => Failure::failed(error),
    }
}
