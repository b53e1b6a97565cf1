//! `kuzet replay`: events from files through the packs, decisions out, and what is to be said of it all.
//!
//! Four steps for each record, each its own: read (`files`), map and decode (`intake`), step (the engine), encode. The middle
//! two are [`Replay::decide`] where one record is taken after the other. One
//! thread takes many records at a time (`together`, `alone`), on two the engine has one of them (`pipeline`); the bytes are the same. Replaying knows no clock but the one that
//! says how long it took.

#[cfg(feature = "alert")]
pub mod alerts;
mod alone;
mod batch;
#[cfg(feature = "parquet")]
mod columns;
pub mod companion;
pub mod compare;
pub mod explain;
pub mod figures;
pub mod intake;
pub mod labels;
pub mod moment;
mod pipeline;
pub mod progress;
pub mod range;
pub mod rejects;
pub mod render;
pub mod report;
mod severity;
mod sheet;
pub mod sink;
pub mod summary;
pub mod support;
pub mod sweep;
mod table;
mod together;
pub mod turns;
pub mod verify;
pub mod words;
mod writer;

use crate::{
    decision::Decision,
    engine::{Changes, Engine, Settings},
    event::{Event, Fault},
    files::{InputError, Inputs, records::Record},
    geo::Geo,
    mapping::{Mapping, Misfit},
    memory::Supply,
    rules::{Packs, Rule},
    time::Timestamp,
};
use companion::Companion;
use intake::{Intake, Said};
use progress::Progress;
use range::Range;
use sink::{Sink, WriteError};
use std::{fmt, io, sync::Arc, time::Instant};
use summary::Summary;
use support::Supported;
use together::Together;
use writer::Writer;

/// What the events go through.
#[derive(Clone)]
pub struct Setup {
    pub packs: Arc<Packs>,
    pub geo: Arc<Geo>,
    pub settings: Settings,
    /// How to read a foreign schema; without it, records are the spec's own.
    pub mapping: Option<Arc<Mapping>>,
    /// What rules impose is lifted after so many ms of event time, where history does not say when.
    pub lift_after: Option<i64>,
    /// The part of the records that is reported; without it, all of them.
    pub range: Option<Range>,
    /// Rules that only say whether they are over their limit.
    pub probes: Vec<Rule>,
}

impl Setup {
    fn engine(&self) -> Supported {
        let mut engine = Engine::with_probes(&self.packs, &self.probes, Arc::clone(&self.geo), self.settings);
        engine.supply(&Supply::start());
        Supported::new(engine, self.lift_after)
    }
}

/// What became of one record.
pub enum Outcome<'a> {
    Decided {
        event: Event<'a>,
        decision: &'a Decision,
        /// The decision as JSON, where somebody had the time to encode it.
        line: Option<&'a [u8]>,
    },
    Rejected(Fault),
    /// It was decided on, and lies outside of what is reported: whoever has an engine of its own has it decide as well.
    Passed {
        event: Event<'a>,
        decision: &'a Decision,
    },
    /// It lies so far outside that it was not decided on, or has no event and lies outside. Its time, where it has one.
    Outside {
        time: Option<Timestamp>,
    },
    /// The mapping leaves it out, because of this value in this field.
    Skipped {
        field: &'a str,
        value: &'a str,
    },
    /// It names the columns and is no record.
    Header,
}

/// One run of records through the packs: all that is between reading and writing.
pub struct Replay {
    intake: Intake,
    engine: Supported,
    range: Option<Range>,
    decision: Decision,
    changes: Changes,
}

impl Replay {
    #[must_use]
    pub fn new(setup: &Setup) -> Replay {
        Replay {
            intake: Intake::new(&setup.packs, setup.mapping.as_ref(), setup.range),
            engine: setup.engine(),
            range: setup.range,
            decision: Decision::default(),
            changes: Changes::default(),
        }
    }

    /// Decides on one record of input number `source`.
    ///
    /// # Errors
    /// A [`Misfit`] when the mapping was made for other files than this one.
    pub fn decide<'a>(&'a mut self, source: usize, record: &'a Record<'a>) -> Result<Outcome<'a>, Misfit> {
        let event = match self.intake.read(source, record)? {
            Said::Event(event) => event,
            Said::Rejected(fault) => return Ok(Outcome::Rejected(fault)),
            Said::Skipped { field, value } => return Ok(Outcome::Skipped { field, value }),
            Said::Outside { time } => return Ok(Outcome::Outside { time }),
            Said::Header => return Ok(Outcome::Header),
        };
        let stepped = self.engine.step(&event, record.reference(), &mut self.decision, &mut self.changes);
        Ok(outcome(event, &self.decision, stepped, self.range.as_ref()))
    }

    /// Nothing that comes is reported.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.intake.has_ended()
    }
}

/// What has become of an event by the step of an engine.
fn outcome<'a>(
    event: Event<'a>,
    decision: &'a Decision,
    stepped: Result<(), Fault>,
    range: Option<&Range>,
) -> Outcome<'a> {
    let reported = range.is_none_or(|range| range.reports(event.time));
    match stepped {
        Ok(()) if reported => Outcome::Decided { event, decision, line: None },
        Ok(()) => Outcome::Passed { event, decision },
        Err(fault) if reported => Outcome::Rejected(fault),
        Err(_) => Outcome::Outside { time: Some(event.time) },
    }
}

/// Which decisions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Emit {
    /// One for each event
    All,
    /// Those that are more than a bare allow
    #[default]
    Flagged,
    /// None; only count
    None,
}

impl Emit {
    /// Whether this decision is to be written.
    fn takes(self, decision: &Decision) -> bool {
        match self {
            Emit::All => true,
            Emit::Flagged => decision.is_flagged(),
            Emit::None => false,
        }
    }
}

/// How decisions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line, with everything
    #[default]
    Ndjson,
    /// One row each with the names of rules and restrictions, for spreadsheets and data frames
    Csv,
    /// A table with typed columns, and each decision as JSON in the last
    #[cfg(feature = "parquet")]
    Parquet,
}

/// On how many threads a replay runs. The results are the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    One,
    /// The engine has one, everything else the other.
    Two,
}

/// Where a replay's results go.
pub struct Outputs {
    pub decisions: Option<Sink>,
    pub format: Format,
    pub emit: Emit,
    pub rejects: Option<Sink>,
    /// Go on to the end when the reader of an output leaves: the other output, or the exit code, needs the rest.
    pub goes_on_unread: bool,
    /// Keep the first flagged decisions in plain words, in the local time of the packs.
    pub tell_flagged: bool,
    pub progress: Progress,
}

impl Outputs {
    /// Nothing is written.
    #[must_use]
    pub fn none() -> Outputs {
        Outputs {
            decisions: None,
            format: Format::Ndjson,
            emit: Emit::None,
            rejects: None,
            goes_on_unread: true,
            tell_flagged: false,
            progress: Progress::new(true),
        }
    }
}

/// A replay that came to an end.
pub struct Ended {
    pub summary: Summary,
    /// The input that could not be read to its end; nothing after that place was replayed.
    pub stopped: Option<InputError>,
}

/// A replay that could not go on.
#[derive(Debug)]
pub enum ReplayError {
    Write(WriteError),
    Misfit {
        source: String,
        misfit: Misfit,
    },
    /// The system gives no second thread.
    Thread(io::Error),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Write(error) => error.fmt(out),
            ReplayError::Misfit { source, misfit } => write!(out, "the mapping does not fit {source}: {misfit}"),
            ReplayError::Thread(cause) => write!(out, "cannot start a second thread ({cause}); use --threads 1"),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<WriteError> for ReplayError {
    fn from(error: WriteError) -> Self {
        ReplayError::Write(error)
    }
}

/// Replays all inputs and writes what is asked for. A reader who leaves once everything has been decided is no failure.
///
/// # Errors
/// An output that cannot be written, or a mapping that does not fit a file.
pub fn run(setup: &Setup, threads: Threads, inputs: Inputs, outputs: Outputs) -> Result<Ended, ReplayError> {
    run_beside(setup, threads, inputs, outputs, &mut [])
}

/// The same with companions. Where there are two threads, companions have threads of their own.
///
/// # Errors
/// As above.
pub fn run_beside(
    setup: &Setup,
    threads: Threads,
    mut inputs: Inputs,
    mut outputs: Outputs,
    companions: &mut [&mut dyn Companion],
) -> Result<Ended, ReplayError> {
    let began = Instant::now();
    let mut writer = Writer::new(setup, &mut outputs);
    writer.begin()?;
    let gone_through = match threads {
        Threads::One if setup.mapping.is_none() && inputs.many().is_some() => {
            go_through_together(setup, &mut inputs, &mut writer, companions)
        }
        Threads::One => alone::go_through(setup, &mut inputs, &mut writer, companions),
        Threads::Two => pipeline::go_through(setup, &mut inputs, &mut writer, companions),
    };
    let stopped = match gone_through {
        Ok(()) => None,
        Err(Halt::Input(error)) => Some(error),
        Err(Halt::Replay(error)) => {
            // What has been decided is written all the same; the first error is the one to tell.
            let _ = writer.finish();
            return Err(error);
        }
        Err(Halt::Panicked) => unreachable!("a panic of the engine's thread is passed on when it is joined"),
    };
    let mut summary = writer.finish()?;
    summary.order = inputs.order();
    summary.extent = inputs.extent().cloned();
    summary.seconds = began.elapsed().as_secs_f64();
    Ok(Ended { summary, stopped })
}

/// Why not every record was gone through.
enum Halt {
    Input(InputError),
    Replay(ReplayError),
    /// The engine's thread is no more.
    Panicked,
}

impl From<WriteError> for Halt {
    fn from(error: WriteError) -> Halt {
        Halt::Replay(error.into())
    }
}

/// All inputs on one thread, many records at once.
fn go_through_together(
    setup: &Setup,
    inputs: &mut Inputs,
    writer: &mut Writer<'_>,
    companions: &mut [&mut dyn Companion],
) -> Result<(), Halt> {
    let mut together = Together::new(setup);
    loop {
        if let Some(series) = inputs.many() {
            together.take_all(series, writer, companions)?;
        }
        if together.has_ended() {
            return Ok(());
        }
        writer.pause(inputs)?;
        if !inputs.fill().map_err(Halt::Input)? {
            return Ok(());
        }
    }
}
