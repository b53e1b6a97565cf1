//! `kuzet replay`: its flags, and what is opened, checked and said around the replay itself.

use super::{
    Failure,
    desk::{Desk, DeskArgs},
    input::InputArgs,
    setup::SetupArgs,
};
use crate::{
    files::{
        Failed, Inputs,
        gather::gather,
        identity::{Identity, is_standard},
    },
    replay::{
        self, Emit, Ended, Format, Outputs, ReplayError, Setup, Threads, progress::Progress, render, sink::Sink,
        words::LocalTime,
    },
    rules::Packs,
    wording,
};
use anyhow::anyhow;
use clap::Args;
use std::{
    io::{self, IsTerminal, Write},
    num::NonZero,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Run events from files, or from a topic of Kafka, through the packs and say what was decided
///
/// Events are NDJSON, one a line, also compressed with gzip or zstd, Parquet, or records of a topic (--kafka); --map reads
/// foreign CSV, JSON and Parquet. The same input in
/// the same order gives the same decisions, on any machine, on any day. A record that cannot be used is rejected and
/// counted, never guessed at.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed (or, with --strict, something was rejected), 2 wrong usage, pack, \
                        mapping or GeoIP file, 3 something differs \
                        (--fail-on-change, --verify, --verify-topic)."
)]
pub(super) struct ReplayArgs {
    /// Files of events, in the order of their events, folders, or patterns such as '2026-*.gz'; `-` is standard input
    #[arg(required_unless_present = "kafka", value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    setup: SetupArgs,

    /// Write decisions to this file; `-` is standard output
    #[arg(long, value_name = "FILE", env = "KUZET_OUT")]
    out: Option<PathBuf>,

    /// How to write decisions [default: ndjson; csv or parquet where the name of --out ends so]
    #[arg(long, value_name = "FORMAT", env = "KUZET_FORMAT", value_enum)]
    format: Option<Format>,

    /// Which decisions to write
    #[arg(long, value_name = "WHICH", env = "KUZET_EMIT", value_enum, default_value_t)]
    emit: Emit,

    /// Write rejected records to this file as NDJSON, each with its place and what was wrong; `-` is standard output
    #[arg(long, value_name = "FILE", env = "KUZET_REJECTS")]
    rejects: Option<PathBuf>,

    /// End with 1 when a record was rejected
    #[arg(long, env = "KUZET_STRICT", value_parser = |text: &str| yes_or_no("KUZET_STRICT", text))]
    strict: bool,

    /// Print the summary as one JSON object
    #[arg(long, env = "KUZET_JSON", value_parser = |text: &str| yes_or_no("KUZET_JSON", text))]
    json: bool,

    /// Threads to run on, 1 or 2; the results are the same [default: 2 for files, where there are two cores]
    #[arg(long, value_name = "NUMBER", env = "KUZET_THREADS", value_parser = clap::value_parser!(u8).range(1..=2))]
    threads: Option<u8>,

    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    desk: DeskArgs,

    #[cfg(feature = "alert")]
    #[command(flatten)]
    webhooks: super::webhooks::WebhookArgs,
}

/// The value of a variable that stands for a flag.
pub(super) fn yes_or_no(variable: &str, text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" | "y" | "t" => Ok(true),
        "0" | "false" | "no" | "off" | "n" | "f" => Ok(false),
        _ => Err(format!("the variable {variable} is true or false")),
    }
}

impl ReplayArgs {
    /// Files that are written, by the flags that name them.
    fn written(&self) -> Vec<(&'static str, &Path)> {
        let flags = [
            ("--out", self.out.as_deref()),
            ("--rejects", self.rejects.as_deref()),
            ("--report", self.desk.report.as_deref()),
            ("--alert-out", self.alert_out()),
        ];
        flags.into_iter().filter_map(|(flag, path)| Some((flag, path?))).collect()
    }

    #[cfg(feature = "alert")]
    fn alert_out(&self) -> Option<&Path> {
        self.webhooks.out()
    }

    #[cfg(not(feature = "alert"))]
    fn alert_out(&self) -> Option<&Path> {
        None
    }

    /// Alerts are printed where a progress bar would be drawn.
    fn talks(&self) -> bool {
        #[cfg(feature = "alert")]
        return self.webhooks.on_stderr();
        #[cfg(not(feature = "alert"))]
        false
    }

    /// Standard output carries data; the summary goes to standard error.
    fn data_on_stdout(&self) -> bool {
        self.written().into_iter().any(|(_, path)| is_standard(path))
    }

    fn check(&self) -> Result<(), Failure> {
        let usage = |message: String| Err(Failure::usage(anyhow!(message)));
        if self.files.iter().filter(|path| is_standard(path)).count() > 1 {
            return usage("standard input (-) can be read only once; name it once".to_owned());
        }
        let written = self.written();
        for (place, (flag, path)) in written.iter().enumerate() {
            let clash = written[..place]
                .iter()
                .find(|(_, other)| other == path || same(Identity::of_output(other), Identity::of_output(path)));
            if let Some((other, name)) = clash {
                let name = name.display();
                return usage(format!("{other} and {flag} both write to {name}; give each a file of its own"));
            }
        }
        Ok(())
    }

    /// Refuses an output that is one of the files that are read. `others` are all that were read besides the events.
    fn spare_inputs(&self, files: &[PathBuf], others: &[PathBuf]) -> Result<(), Failure> {
        let read = files.iter().chain(others);
        let read: Vec<(&PathBuf, Option<Identity>)> = read.map(|path| (path, Identity::of_input(path))).collect();
        let summary = (!self.data_on_stdout()).then_some(Path::new("-"));
        let summary = summary.map(|path| ("the summary to", path));
        for (flag, output) in self.written().into_iter().chain(summary) {
            let written = Identity::of_output(output);
            if let Some((input, _)) = read.iter().find(|(_, input)| same(input.clone(), written.clone())) {
                let (output, input) = (output.display(), named_input(input));
                let message = format!("{flag} {output} would overwrite {input}, which is read; write to another file");
                return Err(Failure::usage(anyhow!(message)));
            }
        }
        Ok(())
    }

    /// The format that is named, or the one that the output's name ends with.
    fn format(&self) -> Result<Format, Failure> {
        let ends = |with: &str| self.out.as_deref().and_then(Path::extension).is_some_and(|ending| ending == with);
        let is_table = ends("parquet");
        match self.format {
            Some(format) => Ok(format),
            None if ends("csv") => Ok(Format::Csv),
            #[cfg(feature = "parquet")]
            None if is_table => Ok(Format::Parquet),
            #[cfg(not(feature = "parquet"))]
            None if is_table => Err(Failure::usage(anyhow!(
                "this kuzet was built without Parquet (cargo feature `parquet`); write --format ndjson or csv"
            ))),
            None => Ok(Format::default()),
        }
    }

    fn outputs(&self) -> Result<Outputs, Failure> {
        let open = |path: &Option<PathBuf>, what| {
            path.as_deref().map(|path| Sink::open(path, what)).transpose().map_err(Failure::failed)
        };
        Ok(Outputs {
            decisions: open(&self.out, "decisions")?,
            format: self.format()?,
            emit: self.emit,
            rejects: open(&self.rejects, "rejected records")?,
            goes_on_unread: self.strict || self.rejects.is_some(),
            tell_flagged: self.out.is_none() && !self.json,
            progress: Progress::new((self.data_on_stdout() && io::stdout().is_terminal()) || self.talks()),
        })
    }

    fn report(&self) -> Result<Option<Sink>, Failure> {
        let opened = self.desk.report.as_deref().map(|path| Sink::open(path, "the report"));
        opened.transpose().map_err(Failure::failed)
    }

    /// A pipe is answered before it is read on, which leaves a second thread little to do meanwhile.
    fn threads(&self, inputs: &Inputs) -> Threads {
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        match self.threads {
            Some(1) => Threads::One,
            None if !inputs.are_files() || cores() == 1 => Threads::One,
            Some(_) | None => Threads::Two,
        }
    }

    /// Prints the summary where talk goes.
    fn print(&self, ended: &Ended, beside: Beside, packs: &Packs) -> io::Result<()> {
        let text = if self.json {
            let stopped = ended.stopped.as_ref().map(ToString::to_string);
            render::json(&ended.summary, packs, stopped.as_deref(), beside.json) + "\n"
        } else {
            render::text(&ended.summary, packs, &LocalTime::of(packs.zone.name())) + &beside.text
        };
        if self.data_on_stdout() {
            io::stderr().write_all(text.as_bytes())
        } else {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        }
    }
}

/// What is said beside the summary, for people and for programs.
struct Beside {
    text: String,
    json: serde_json::Map<String, serde_json::Value>,
}

fn failure(error: ReplayError) -> Failure {
    match error {
        ReplayError::Write(error) if error.is_broken_pipe() => Failure::ReaderLeft,
        ReplayError::Write(error) => Failure::failed(error),
        misfit @ ReplayError::Misfit { .. } => Failure::usage(misfit),
        thread @ ReplayError::Thread(_) => Failure::failed(thread),
    }
}

/// A reader who leaves before the end has what he wanted.
fn write_report(sink: Option<Sink>, ended: &Ended, desk: &Desk, packs: &Packs) -> Result<(), Failure> {
    let Some(mut sink) = sink else { return Ok(()) };
    let stopped = ended.stopped.as_ref().map(ToString::to_string);
    let Some(html) = desk.report(&ended.summary, packs, stopped.as_deref()) else { return Ok(()) };
    let written = sink.line(|out| out.extend_from_slice(html.trim_end().as_bytes())).and_then(|()| sink.flush());
    match written {
        Err(error) if !error.is_broken_pipe() => Err(Failure::failed(error)),
        _ => Ok(()),
    }
}

/// The exit code where something differs that must not.
const CHANGED: u8 = 3;

/// One regular file, or what will be one.
fn same(one: Option<Identity>, other: Option<Identity>) -> bool {
    one.is_some() && one == other
}

fn named_input(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads the inputs again for as long as something needs it.
fn read_again(
    setup: &Setup,
    threads: Threads,
    desk: &mut Desk,
    open: &dyn Fn() -> Result<Inputs, Failure>,
) -> Result<(), Failure> {
    loop {
        let mut again = desk.next_pass(setup);
        if again.is_empty() {
            return Ok(());
        }
        replay::run_beside(setup, threads, open()?, Outputs::none(), &mut again).map_err(failure)?;
    }
}

/// What events come from, as their ids name it.
#[cfg(feature = "alert")]
fn sources(files: &[PathBuf], inputs: &Inputs) -> Vec<PathBuf> {
    let partitions = inputs.extent().map(|extent| extent.stretches.len());
    partitions.map_or_else(|| files.to_vec(), |count| (0..count).map(|place| inputs.name(place).into()).collect())
}

/// Replays, and prints the summary also of a replay that an unreadable input cut short.
pub(super) fn run(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    args.check()?;
    let files = gather(&args.files).map_err(Failure::failed)?;
    let mut read = Vec::new();
    let production = args.input.topic.production()?;
    let production = production.as_ref();
    let (mut setup, written) =
        args.setup.or_as(production).load_written(args.desk.lift_after, production, &mut read)?;
    setup.range = args.input.range(&setup)?;
    let again = files.iter().all(|path| !is_standard(path) && path.is_file());
    let mut desk = Desk::new(&args.desk, &mut setup, written, again, production, &mut read)?;
    #[cfg(feature = "alert")]
    read.extend(args.webhooks.config());
    args.spare_inputs(&files, &read)?;
    let open = || args.input.open(&files, production, &setup, args.out.as_deref()).map_err(Failure::failed);
    let inputs = open()?;
    #[cfg(feature = "alert")]
    let mut alerts = args.webhooks.alerts(&setup, &sources(&files, &inputs))?;
    let outputs = args.outputs()?;
    let report = args.report()?;
    let threads = args.threads(&inputs);
    let mut companions = desk.companions();
    #[cfg(feature = "alert")]
    companions.extend(alerts.iter_mut().map(|alerts| -> &mut dyn replay::companion::Companion { alerts }));
    let ended = replay::run_beside(&setup, threads, inputs, outputs, &mut companions).map_err(failure)?;
    if ended.stopped.is_none() {
        read_again(&setup, threads, &mut desk, &open)?;
    }
    desk.settle();
    write_report(report, &ended, &desk, &setup.packs)?;
    #[cfg_attr(not(feature = "alert"), expect(unused_mut, reason = "with alerts there is more to say"))]
    let mut beside = Beside { text: desk.text(), json: desk.json() };
    #[cfg(feature = "alert")]
    let undelivered = match &mut alerts {
        Some(alerts) => {
            let told = alerts.settle();
            told.map_err(|error| Failure::failed(anyhow!("cannot write alerts: {}", wording::unwritable(&error))))?;
            beside.text += &alerts.text();
            beside.json.insert("alerts".to_owned(), alerts.json());
            !alerts.delivered()
        }
        None => false,
    };
    let printed = args.print(&ended, beside, &setup.packs);
    let Ended { summary, stopped } = ended;
    // What the work comes to outranks what became of its summary.
    match (stopped, printed) {
        (Some(error), _) if error.failed == Failed::Mapping => Err(Failure::usage(error)),
        (Some(error), _) => Err(Failure::failed(error)),
        (None, _) if args.strict && summary.rejected > 0 => {
            let rejected = wording::grouped(summary.rejected);
            Err(Failure::failed(anyhow!("records rejected: {rejected}; --strict allows none")))
        }
        (None, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(anyhow!("cannot write the summary: {}", wording::unwritable(&error))))
        }
        #[cfg(feature = "alert")]
        (None, _) if undelivered => Err(Failure::failed(anyhow!("not all alerts were delivered"))),
        (None, _) if desk.fails() => Ok(ExitCode::from(CHANGED)),
        (None, _) => Ok(ExitCode::SUCCESS),
    }
}
