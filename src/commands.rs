//! The command line: which command, with what, and how the process ends.
//!
//! Data goes to standard output, talk to standard error. The process ends with 0 when the work is done, 1 when it failed,
//! 2 when it was asked for in a wrong way or with a wrong pack, mapping or GeoIP file, 3 when something differs that must not.

#[cfg(feature = "alert")]
mod alert;
mod check;
mod desk;
mod explain;
mod input;
#[cfg(feature = "kafka")]
mod load;
#[cfg(any(feature = "alert", feature = "kafka"))]
mod options;
mod replay;
#[cfg(feature = "kafka")]
mod run;
mod setup;
mod topic;
#[cfg(feature = "alert")]
mod webhooks;

use crate::{check::CheckArgs, generate};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, builder::Resettable};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Watches the operations of electronic-money wallets: rules say what is suspicious, restrictions stand until they are
/// lifted, and every operation gets a decision.
#[derive(Debug, Parser)]
#[command(name = "kuzet", version, arg_required_else_help = true, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(Box<replay::ReplayArgs>),
    Explain(Box<explain::ExplainArgs>),
    #[cfg(feature = "kafka")]
    /// Decide on operations as they come through Kafka, exactly once
    Run(run::RunArgs),
    #[cfg(feature = "kafka")]
    Load(load::LoadArgs),
    #[cfg(feature = "alert")]
    /// Send decisions to those who want to hear of them, as signed webhooks
    Alert(alert::AlertArgs),
    /// Load packs, print every error, and run the examples that they carry
    Check(CheckArgs),
    /// Write synthetic events by seed, with known patterns planted
    Generate(generate::GenerateArgs),
}

/// Why a command did not do its work.
#[derive(Debug)]
enum Failure {
    /// The work failed: exit code 1.
    Failed(anyhow::Error),
    /// It was asked for in a wrong way, or with a wrong pack, mapping or GeoIP file: exit code 2.
    Usage(anyhow::Error),
    /// The same, with everything already in words for people.
    Told(String),
    /// Whoever read the only output has gone away before the end, having what they wanted: nothing to say, exit code 0.
    ReaderLeft,
}

impl Failure {
    fn failed(error: impl Into<anyhow::Error>) -> Failure {
        Failure::Failed(error.into())
    }

    fn usage(error: impl Into<anyhow::Error>) -> Failure {
        Failure::Usage(error.into())
    }
}

/// Does what the process was started for.
#[must_use]
pub fn main() -> ExitCode {
    let matches = heeding_variables(CommandLine::command()).get_matches();
    let line = CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match line.command {
        Command::Replay(args) => replay::run(&args),
        Command::Explain(args) => explain::run(&args),
        #[cfg(feature = "kafka")]
        Command::Run(args) => run::run(&args),
        #[cfg(feature = "kafka")]
        Command::Load(args) => load::run(&args),
        #[cfg(feature = "alert")]
        Command::Alert(args) => alert::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Generate(args) => match generate::run(&args) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) if refuses_options(&error) => Err(Failure::Usage(error)),
            Err(error) => Err(Failure::Failed(error)),
        },
    };
    match done {
        Ok(code) => code,
        Err(Failure::ReaderLeft) => ExitCode::SUCCESS,
        Err(Failure::Told(text)) => {
            let _ = io::stderr().write_all(text.as_bytes());
            ExitCode::from(2)
        }
        Err(Failure::Failed(error)) => complain(&error, 1),
        Err(Failure::Usage(error)) => complain(&error, 2),
    }
}

/// A variable that is there and empty is a variable that is not there.
fn heeding_variables(line: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    line.mut_subcommands(|command| {
        command.mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg })
    })
}

/// Whether an error is about what was asked for, not about doing it.
fn refuses_options(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidInput)
}

fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    // There is nobody left to tell when standard error is gone.
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::from(code)
}
