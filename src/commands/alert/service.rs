//! `kuzet alert` as a service: its own flags beside those of its configuration, signals, and how it ends.

use super::super::{Failure, options, run::stop_signals};
use crate::{
    dispatch::{self, Settings},
    options::Layers,
    rules::diagnostic::Diagnostics,
    run::config,
};
use anyhow::anyhow;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

/// What was said on the command line and in variables about the service.
#[derive(Debug)]
pub(in crate::commands) struct ServiceArgs {
    deployment: Option<PathBuf>,
    init: bool,
    retry_failed: bool,
    given: Vec<(String, String, String)>,
}

/// Flags of `kuzet run` that both have: where Kafka is and what topics are called.
const SHORT: &[options::Short] = &[("single-node", "kafka.single_node")];
const SHARED: &[&str] = &[
    "kafka.brokers",
    "kafka.single_node",
    "kafka.partitions",
    "topics.",
    "secrets.sasl",
    "secrets.ssl",
    "session.",
    "log.",
];

fn is_shared(path: &str) -> bool {
    SHARED.iter().any(|shared| path.starts_with(shared))
}

impl ServiceArgs {
    pub(super) fn augment(command: Command) -> Command {
        let deployment = Arg::new("deployment").long("deployment").value_name("FILE").env("KUZET_CONFIG");
        let deployment = deployment.value_parser(clap::value_parser!(PathBuf));
        let init = Arg::new("init").long("init").action(ArgAction::SetTrue);
        let again = Arg::new("retry-failed").long("retry-failed").action(ArgAction::SetTrue).conflicts_with("init");
        let command = command
            .arg(deployment.help("The file of `kuzet run`, which says where Kafka is and what topics are called"))
            .arg(init.help("Create the topics that are missing, and end"))
            .arg(again.help("Send what is in alerts-failed again, once, and end"));
        options::add_some(command, &config::BUILT_IN, SHORT, is_shared)
    }

    pub(super) fn of(matches: &ArgMatches) -> ServiceArgs {
        ServiceArgs {
            deployment: matches.get_one("deployment").cloned(),
            init: matches.get_flag("init"),
            retry_failed: matches.get_flag("retry-failed"),
            given: options::given_of(matches, &config::BUILT_IN, SHORT, is_shared),
        }
    }

    fn settings(&self, layers: Layers) -> Result<Settings, Failure> {
        let deployment = config::BUILT_IN.read(options::file(self.deployment.as_deref())?, &self.given);
        let told = |diagnostics: Diagnostics| Failure::Told(diagnostics.render(io::stderr().is_terminal()));
        dispatch::settings(layers, deployment).map_err(told)
    }
}

/// Runs until SIGTERM or SIGINT, or does what was asked for instead.
pub(super) fn run(args: &ServiceArgs, layers: Layers) -> Result<ExitCode, Failure> {
    let settings = args.settings(layers)?;
    // Nobody left to tell is no failure.
    let tell = |words: &str| drop(writeln!(io::stdout(), "{words}"));
    if args.init {
        let created = dispatch::init(&settings).map_err(Failure::failed)?;
        let words = if created.is_empty() { "every topic is there already".to_owned() } else { created.join(" ") };
        tell(&words);
        return Ok(ExitCode::SUCCESS);
    }
    if args.retry_failed {
        let sent = dispatch::send_again(&settings).map_err(|reason| Failure::failed(anyhow!(reason)))?;
        tell(&format!("{} sent, {} left in alerts-failed", sent.sent, sent.left));
        return Ok(if sent.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let shutdown = stop_signals()?;
    let ended = dispatch::run(&settings, &shutdown).map_err(Failure::failed)?;
    if ended.drained {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::failed(anyhow!("{}", ended.reasons.join("; "))))
}
