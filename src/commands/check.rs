//! `kuzet check`: the engine as the judge of the examples that packs carry.

use super::Failure;
use crate::{
    check::{self, CheckArgs, Outcome},
    decision::{Decision, Reason},
    engine::{Changes, Engine, Input, Settings},
    event::decode::Decoder,
    files::pipe::Pipe,
    geo::Geo,
    rules::{Packs, example::Example},
    wording,
};
use anyhow::anyhow;
use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    sync::Arc,
};

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let styled = io::stderr().is_terminal();
    // A reader that has seen enough changes nothing about what is wrong with a pack.
    let (mut out, mut talk) = (Pipe::new(io::stdout().lock()), Pipe::new(io::stderr().lock()));
    match check::run(args, &mut judge, &mut out, &mut talk, styled) {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) => {
            let why = wording::unwritable(&error);
            Err(Failure::failed(anyhow!("cannot write what was found: {why}")))
        }
    }
}

/// Runs one example through an engine of its own.
fn judge(packs: &Arc<Packs>, example: &Example) -> Result<Outcome, String> {
    let mut engine = Engine::new(Arc::clone(packs), Arc::new(Geo::default()), Settings::default());
    let mut decoder = Decoder::default();
    let (mut decision, mut changes) = (Decision::default(), Changes::default());
    for (place, record) in example.records.iter().enumerate() {
        let wrong = |message: String| format!("record {} of the example is rejected: {message}", place + 1);
        let event = decoder.decode(record, &packs.types, packs.currency).map_err(|fault| wrong(fault.message))?;
        let input = Input::Event { event: &event, reference: None };
        engine.step(&input, &mut decision, &mut changes).map_err(|fault| wrong(fault.message))?;
    }
    let live =
        decision.reasons.iter().any(|reason| matches!(reason, Reason::Rule(reason) if reason.rule == example.rule));
    let shadow = decision.shadow.iter().any(|reason| reason.rule == example.rule);
    Ok(Outcome { action: decision.action, fired: live || shadow })
}
