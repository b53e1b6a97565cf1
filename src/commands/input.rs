//! The flags of `kuzet replay` that say how its inputs are read.

use super::{
    Failure,
    desk::fixed_span,
    replay::yes_or_no,
    topic::{Production, TopicArgs},
};
use crate::{
    files::{InputError, Inputs, identity::is_standard, records::Framing, sort::Room},
    limits,
    replay::{
        Setup,
        moment::{self, Edge},
        range::Range,
        turns::turns,
    },
    time::Timestamp,
};
use anyhow::anyhow;
use clap::Args;
use std::{
    env,
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Inputs")]
pub(super) struct InputArgs {
    /// Bring the records into the order of their times first, by way of temporary files (in TMPDIR, else beside --out)
    #[arg(long, env = "KUZET_SORT", value_parser = |text: &str| yes_or_no("KUZET_SORT", text))]
    sort: bool,

    /// Memory that sorting may take before it spills, such as 512MiB [default: 64MiB]
    #[arg(long, value_name = "BYTES", env = "KUZET_SORT_MEMORY", requires = "sort", value_parser = bytes)]
    sort_memory: Option<usize>,

    /// Report from this time on: a date or an instant. What rules look back to before it is decided on and not reported
    #[arg(long, value_name = "TIME", env = "KUZET_FROM")]
    from: Option<String>,

    /// Report up to this time: a date with its whole day, or an instant, which is not part of it
    #[arg(long, value_name = "TIME", env = "KUZET_TO")]
    to: Option<String>,

    /// How long before --from decisions begin: a span such as 60d, or all [default: the longest window of the packs]
    #[arg(long, value_name = "SPAN", env = "KUZET_WARM_UP", requires = "from", value_parser = warm_up)]
    warm_up: Option<WarmUp>,

    #[command(flatten)]
    pub topic: TopicArgs,
}

/// How long before the range decisions begin.
#[derive(Clone, Copy, Debug)]
enum WarmUp {
    All,
    Span(i64),
}

fn warm_up(text: &str) -> Result<WarmUp, String> {
    if text == "all" { Ok(WarmUp::All) } else { fixed_span(text).map(WarmUp::Span) }
}

/// Reads `4096`, `512KiB`, `64MiB`, `2GiB`.
fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("write a number of bytes, or one of KiB, MiB or GiB, such as 64MiB".to_owned()),
    };
    let number = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    number.filter(|bytes| *bytes > 0).ok_or_else(|| "write a number of bytes that this machine can have".to_owned())
}

impl InputArgs {
    /// Which part of the records is reported. How far rules look back is not known here.
    ///
    /// # Errors
    /// Times that cannot be read, or have nothing between them.
    pub fn range(&self, setup: &Setup) -> Result<Option<Range>, Failure> {
        let zone = &setup.packs.zone;
        let read = |flag: &str, text: &Option<String>, edge| {
            let time = text.as_deref().map(|text| moment::read(text, edge, zone)).transpose();
            time.map_err(|why| Failure::usage(anyhow!("{flag}: {why}")))
        };
        let from = read("--from", &self.from, Edge::Begin)?;
        let to = read("--to", &self.to, Edge::After)?;
        if from.is_none() && to.is_none() {
            return Ok(None);
        }
        let since = match (from, self.warm_up) {
            (None, _) | (_, Some(WarmUp::All)) => Timestamp::MIN,
            (Some(from), Some(WarmUp::Span(millis))) => Timestamp(from.0 - millis),
            (Some(from), None) => from,
        };
        let as_rules_look_back = from.is_some() && self.warm_up.is_none();
        let (from, to) = (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX));
        if from >= to {
            return Err(Failure::usage(anyhow!("nothing lies between --from, {from}, and --to, {to}")));
        }
        Ok(Some(Range { from, to, since, as_rules_look_back, max_past: setup.settings.max_past }))
    }

    /// Opens the inputs as the flags say: the topic of `production`, else files; `out` is where decisions go.
    ///
    /// # Errors
    /// The first of the files that cannot be read, a topic that cannot.
    pub fn open(
        &self,
        files: &[PathBuf],
        production: Option<&Production>,
        setup: &Setup,
        out: Option<&Path>,
    ) -> Result<Inputs, InputError> {
        if let Some(production) = production {
            return production.open(setup);
        }
        let framing = setup.mapping.as_ref().map_or(Framing::Lines, |mapping| mapping.framing());
        let inputs = Inputs::new(files, framing)?;
        if !self.sort {
            return Ok(inputs);
        }
        let room = Room { bytes: self.sort_memory.unwrap_or(limits::SORT_BYTES), folder: spill_folder(out) };
        Ok(inputs.sorted(turns(setup.mapping.as_ref()), room))
    }
}

/// Where runs go that do not fit into memory. The system's own folder often is memory, so an output's comes before it.
fn spill_folder(out: Option<&Path>) -> PathBuf {
    match (env::var_os("TMPDIR"), out.and_then(Path::parent)) {
        (None, Some(folder)) if !out.is_some_and(is_standard) => {
            // The parent of a bare name is nothing at all, which no system takes for a folder.
            Path::new(".").join(folder)
        }
        _ => env::temp_dir(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, expected) in [
            ("4096", Some(4_096)),
            ("64MiB", Some(1 << 26)),
            ("2 GiB", Some(1 << 31)),
            ("0", None),
            ("1MB", None),
            ("", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }
}
