//! Flags and variables for every option of a built-in configuration file, so that none has to be written twice.

use super::Failure;
use crate::{
    options::{BuiltIn, Known},
    rules::diagnostic::Source,
};
use anyhow::anyhow;
use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};
use std::{fs, path::Path};

/// A flag that is called otherwise than its option's path says, and the path.
pub(super) type Short = (&'static str, &'static str);

/// The command with a flag and a variable for each option.
pub(super) fn add(command: Command, built_in: &BuiltIn, short: &[Short]) -> Command {
    add_some(command, built_in, short, |_| true)
}

/// The same for options whose path is wanted.
pub(super) fn add_some(
    command: Command,
    built_in: &BuiltIn,
    short: &[Short],
    wanted: impl Fn(&str) -> bool,
) -> Command {
    let options = flagged(built_in).filter(|option| wanted(&option.path));
    command.args(options.map(|option| argument(&option, short)))
}

/// Every option but those of tables that come several times, which stand in a file.
fn flagged(built_in: &BuiltIn) -> impl Iterator<Item = Known> {
    let defaults = built_in.several.map(|several| format!("{}.", several.defaults));
    let in_file = move |option: &Known| defaults.as_ref().is_some_and(|table| option.path.starts_with(table));
    built_in.options().into_iter().filter(move |option| !in_file(option))
}

fn argument(option: &Known, short: &[Short]) -> Arg {
    let argument = Arg::new(option.path.clone()).long(flag(option, short)).env(option.variable());
    let argument = argument.value_name("VALUE").action(ArgAction::Set).help(option.help.clone());
    // `--single-node` alone is true.
    if option.is_flag { argument.num_args(0..=1).default_missing_value("true") } else { argument }
}

fn flag(option: &Known, short: &[Short]) -> String {
    let called = short.iter().find(|(_, path)| *path == option.path).map(|(name, _)| (*name).to_owned());
    called.unwrap_or_else(|| option.flag())
}

/// What flags and variables said: the option's path, the name of the flag or variable, the text.
pub(super) fn given(matches: &ArgMatches, built_in: &BuiltIn, short: &[Short]) -> Vec<(String, String, String)> {
    given_of(matches, built_in, short, |_| true)
}

/// The same for options whose path is wanted.
pub(super) fn given_of(
    matches: &ArgMatches,
    built_in: &BuiltIn,
    short: &[Short],
    wanted: impl Fn(&str) -> bool,
) -> Vec<(String, String, String)> {
    let mut given = Vec::new();
    for option in flagged(built_in).filter(|option| wanted(&option.path)) {
        let Some(value) = matches.get_one::<String>(&option.path) else { continue };
        let name = match matches.value_source(&option.path) {
            Some(ValueSource::EnvVariable) => format!("the variable {}", option.variable()),
            _ => format!("--{}", flag(&option, short)),
        };
        given.push((option.path, name, value.clone()));
    }
    given
}

/// The operator's file.
pub(super) fn file(path: Option<&Path>) -> Result<Option<Source>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| Failure::usage(anyhow!("{} cannot be read: {error}", path.display())))?;
    Ok(Some(Source { path: path.display().to_string(), text }))
}
