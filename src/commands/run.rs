//! `kuzet run`: its options, which are those of the configuration file, and what is loaded before it begins.

use super::{Failure, options};
use crate::{
    geo::Geo,
    geo_files, mapping, pack_files,
    rules::{Packs, diagnostic::Diagnostics},
    run::{self, Loaded, Refused, Reload, config, config::Settings},
};
use anyhow::anyhow;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

/// What was said on the command line and in variables.
#[derive(Debug)]
pub(super) struct RunArgs {
    config: Option<PathBuf>,
    pub(super) init: bool,
    /// Path of the option, name of the flag or variable, value.
    given: Vec<(String, String, String)>,
}

/// Flags that are short because they are said at a first start, and the options that they are.
const SHORT: &[(&str, &str)] =
    &[("start", "kafka.start"), ("gone", "kafka.gone"), ("single-node", "kafka.single_node")];

impl Args for RunArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config").long("config").value_name("FILE").env("KUZET_CONFIG");
        let config = config.value_parser(clap::value_parser!(PathBuf));
        let init = Arg::new("init").long("init").action(ArgAction::SetTrue);
        let command = command
            .about("Decide on operations as they come through Kafka, exactly once")
            .after_help("Exit codes: 0 stopped as asked (SIGTERM), 1 failed, 2 wrong usage, configuration or pack.")
            .arg(config.help("What differs from deploy/kuzet.toml, which says what every option is for"))
            .arg(init.help("Create the topics that are missing, and end"));
        options::add(command, &config::BUILT_IN, SHORT)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RunArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = options::given(matches, &config::BUILT_IN, SHORT);
        let config = matches.get_one("config").cloned();
        Ok(RunArgs { config, init: matches.get_flag("init"), given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl RunArgs {
    /// What the file, the variables and the flags come to.
    pub(super) fn settings(&self) -> Result<config::Settings, Failure> {
        let file = options::file(self.config.as_deref())?;
        config::settings(config::BUILT_IN.read(file, &self.given)).map_err(told)
    }
}

fn told(diagnostics: Diagnostics) -> Failure {
    Failure::Told(diagnostics.render(io::stderr().is_terminal()))
}

/// Runs until SIGTERM or SIGINT; SIGHUP loads the packs anew.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    let settings = args.settings()?;
    if args.init {
        let created = run::init(&settings).map_err(refused)?;
        let words = if created.is_empty() { "every topic is there already".to_owned() } else { created.join(" ") };
        // Nobody left to tell is no failure.
        let _ = writeln!(io::stdout(), "{words}");
        return Ok(ExitCode::SUCCESS);
    }
    let geo = geo_files::load(settings.geo_country.as_deref(), settings.geo_anonymous.as_deref());
    let geo = geo.map_err(|error| Failure::usage(anyhow!("{error}")))?;
    let packs = load_packs(&settings, &geo).map_err(told)?;
    let mapping = settings.map.as_deref().map(mapping::load_file).transpose().map_err(told)?;
    let loaded = Loaded { packs, geo: Arc::new(geo), mapping: mapping.map(Arc::new) };

    let shutdown = stop_signals()?;
    let hangup = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&hangup)).map_err(Failure::failed)?;
    let load = || load_packs(&settings, &loaded.geo).map_err(|wrong| wrong.render(false));
    let reload = Reload { asked: hangup, load: &load };
    let ended = run::run(&settings, &loaded, &shutdown, &reload).map_err(refused)?;
    if ended.drained {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::failed(anyhow!("{}", ended.reasons.join("; "))))
}

/// The packs that the configuration names, as they are now; warnings go to whoever started it.
fn load_packs(settings: &Settings, geo: &Geo) -> Result<Arc<Packs>, Diagnostics> {
    let loaded = pack_files::load_paths(&settings.rules)?;
    let _ = write!(io::stderr(), "{}", loaded.diagnostics.render(io::stderr().is_terminal()));
    let mut packs = loaded.packs;
    if let Some(name) = geo.name() {
        packs.name = format!("{},{name}", packs.name);
    }
    Ok(Arc::new(packs))
}

/// Topics that are wrong are told as they are: many lines, each with its command.
fn refused(refused: Refused) -> Failure {
    Failure::failed(refused)
}

/// What SIGTERM and SIGINT set; a second one does not wait for the drain.
pub(super) fn stop_signals() -> Result<Arc<AtomicBool>, Failure> {
    let shutdown = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let asked = Arc::clone(&shutdown);
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&asked))
            .and_then(|_| signal_hook::flag::register(signal, asked))
            .map_err(Failure::failed)?;
    }
    Ok(shutdown)
}
