//! `kuzet alert`: decisions to signed webhooks.

use super::{Failure, options};
use crate::alert::{self, Client, Config, Exchange, Outcome, config};
use anyhow::anyhow;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

#[cfg(feature = "kafka")]
mod service;

/// Flags that are short because they are said at a first start, and the options that they are.
const SHORT: &[options::Short] = &[("start", "service.start"), ("gone", "service.gone"), ("listen", "service.listen")];

/// What was said on the command line and in variables.
#[derive(Debug)]
pub(super) struct AlertArgs {
    config: Option<PathBuf>,
    test: Option<String>,
    #[cfg(feature = "kafka")]
    service: service::ServiceArgs,
    /// Path of the option, name of the flag or variable, value.
    given: Vec<(String, String, String)>,
}

impl Args for AlertArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config").long("config").value_name("FILE").env("KUZET_ALERT_CONFIG").required(true);
        let config = config.value_parser(clap::value_parser!(PathBuf));
        // Without Kafka there is nothing else to do.
        let test = Arg::new("test").long("test").value_name("NAME").required(cfg!(not(feature = "kafka")));
        let command = command
            .about("Send decisions to those who want to hear of them, as signed webhooks")
            .after_help("Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.")
            .arg(config.help("Who wants what; deploy/alert.toml says what every option is for"))
            .arg(test.help("Send a sample to this endpoint and show everything that was said"));
        let command = options::add(command, &config::BUILT_IN, SHORT);
        #[cfg(feature = "kafka")]
        let command = service::ServiceArgs::augment(command);
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AlertArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = options::given(matches, &config::BUILT_IN, SHORT);
        Ok(AlertArgs {
            config: matches.get_one("config").cloned(),
            test: matches.get_one("test").cloned(),
            #[cfg(feature = "kafka")]
            service: service::ServiceArgs::of(matches),
            given,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl AlertArgs {
    fn config(&self) -> Result<Config, Failure> {
        let file = options::file(self.config.as_deref())?;
        config::finish(config::BUILT_IN.read(file, &self.given), config::Secrets::Read)
            .map_err(|diagnostics| Failure::Told(diagnostics.render(io::stderr().is_terminal())))
    }
}

pub(super) fn run(args: &AlertArgs) -> Result<ExitCode, Failure> {
    #[cfg(feature = "kafka")]
    if args.test.is_none() {
        let layers = config::BUILT_IN.read(options::file(args.config.as_deref())?, &args.given);
        return service::run(&args.service, layers);
    }
    let config = args.config()?;
    let name = args.test.as_deref().unwrap_or_default();
    test(&config, name)
}

/// Sends a sample to the endpoint called `name`, and prints everything that was said.
fn test(config: &Config, name: &str) -> Result<ExitCode, Failure> {
    let Some(endpoint) = config.endpoints.iter().find(|endpoint| &*endpoint.name == name) else {
        let names: Vec<&str> = config.endpoints.iter().map(|endpoint| &*endpoint.name).collect();
        return Err(Failure::usage(anyhow!("there is no endpoint `{name}`; there are {}", names.join(", "))));
    };
    let now = alert::now();
    let alert = alert::sample::sample(endpoint, now);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    let exchange = runtime.block_on(alert::exchange(&Client::new(), endpoint, &alert, now));
    let secret_path = endpoint.receiver.as_ref().is_some_and(|receiver| receiver.secret_path);
    // Nobody left to tell is no failure.
    let _ = io::stdout().write_all(told(&exchange, secret_path).as_bytes());
    match exchange.outcome {
        Outcome::Delivered { .. } => Ok(ExitCode::SUCCESS),
        Outcome::Retry { why, .. } => Err(Failure::failed(anyhow!("not delivered: {why}"))),
        Outcome::Disabled => {
            Err(Failure::failed(anyhow!("not delivered: answered 410, which would disable the endpoint")))
        }
    }
}

/// The exchange line by line as it went, secrets masked and control characters as they are escaped.
fn told(exchange: &Exchange, secret_path: bool) -> String {
    let mut out = String::new();
    let mut line = |mark: &str, text: &str| writeln!(out, "{mark} {text}").expect("a String takes everything");
    let header = |name: &str, value: &hyper::header::HeaderValue| {
        let shown = if value.is_sensitive() { "***".into() } else { String::from_utf8_lossy(value.as_bytes()) };
        format!("{name}: {shown}")
    };
    match exchange.heard.address {
        Some(address) => line("*", &format!("connected to {address}")),
        None => line("*", "connected to nobody"),
    }
    let request = &exchange.request;
    let path = if secret_path { "/***".to_owned() } else { request.uri().to_string() };
    line(">", &format!("{} {path} HTTP/1.1", request.method()));
    request.headers().iter().for_each(|(name, value)| line(">", &header(name.as_str(), value)));
    line(">", "");
    line(">", &String::from_utf8_lossy(request.body()));
    let Some(status) = exchange.heard.status else { return out };
    line("<", &format!("HTTP/1.1 {status}"));
    exchange.heard.headers.iter().for_each(|(name, value)| line("<", &header(name.as_str(), value)));
    line("<", "");
    for text in String::from_utf8_lossy(&exchange.heard.answer).lines() {
        // A terminal must not be told what to do by whoever answers.
        line(
            "<",
            &text
                .chars()
                .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
                .collect::<String>(),
        );
    }
    out
}
