//! `kuzet replay`: events from files through the packs, decisions out, and what is to be said of it all.
//!
//! Four steps for each record, each its own: read (`files`), map and decode, step (the engine), encode. The middle two are
//! [`Replay::decide`], which does no I/O, so that reading and writing can move to threads of their own, and so that
//! whoever compares packs can drive two of them over one input. Replaying knows no clock but the one that says how
//! long it took.

pub mod progress;
pub mod rejects;
pub mod render;
pub mod sink;
pub mod summary;
pub mod words;

use crate::{
    decision::Decision,
    encode,
    engine::{Changes, Engine, Input, Settings},
    event::{Event, Fault, decode::Decoder},
    files::{InputError, Inputs, Taken, records::Record},
    geo::Geo,
    mapping::{Mapped, Mapper, Mapping, Misfit},
    rules::Packs,
};
use progress::Progress;
use sink::{Sink, WriteError};
use std::{fmt, sync::Arc, time::Instant};
use summary::Summary;
use words::{LocalTime, Words};

/// What the events go through.
pub struct Setup {
    pub packs: Arc<Packs>,
    pub geo: Arc<Geo>,
    pub settings: Settings,
    /// How to read a foreign schema; without it, records are the spec's own.
    pub mapping: Option<Arc<Mapping>>,
}

/// What became of one record.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack for one record; a box would be an allocation an event"
)]
pub enum Outcome<'a> {
    Decided {
        event: Event<'a>,
        decision: &'a Decision,
    },
    Rejected(Fault),
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
    packs: Arc<Packs>,
    mapper: Option<Mapper>,
    decoder: Decoder,
    engine: Engine,
    decision: Decision,
    changes: Changes,
}

impl Replay {
    #[must_use]
    pub fn new(setup: &Setup) -> Replay {
        Replay {
            packs: Arc::clone(&setup.packs),
            mapper: setup.mapping.clone().map(Mapper::new),
            decoder: Decoder::default(),
            engine: Engine::new(Arc::clone(&setup.packs), Arc::clone(&setup.geo), setup.settings),
            decision: Decision::default(),
            changes: Changes::default(),
        }
    }

    /// Decides on one record of input number `source`.
    ///
    /// # Errors
    /// A [`Misfit`] when the mapping was made for other files than this one.
    pub fn decide<'a>(&'a mut self, source: usize, record: &'a Record<'a>) -> Result<Outcome<'a>, Misfit> {
        let bytes = match &mut self.mapper {
            None if record.is_oversized() => return Ok(Outcome::Rejected(record.fault_of_size())),
            None => record.bytes,
            Some(mapper) => match mapper.map(source, record)? {
                Mapped::Event(bytes) => bytes,
                Mapped::Rejected(fault) => return Ok(Outcome::Rejected(fault)),
                Mapped::Skipped { field, value } => return Ok(Outcome::Skipped { field, value }),
                Mapped::Header => return Ok(Outcome::Header),
            },
        };
        let event = match self.decoder.decode(bytes, &self.packs.types, self.packs.currency) {
            Ok(event) => event,
            Err(fault) => return Ok(Outcome::Rejected(fault)),
        };
        let input = Input::Event { event: &event, reference: None };
        match self.engine.step(&input, &mut self.decision, &mut self.changes) {
            Ok(()) => Ok(Outcome::Decided { event, decision: &self.decision }),
            Err(fault) => Ok(Outcome::Rejected(fault)),
        }
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

/// Where a replay's results go.
pub struct Outputs {
    pub decisions: Option<Sink>,
    pub emit: Emit,
    pub rejects: Option<Sink>,
    /// Go on to the end when the reader of an output leaves: the other output, or the exit code, needs the rest.
    pub goes_on_unread: bool,
    /// Keep the first flagged decisions in plain words, in the local time of the packs.
    pub tell_flagged: bool,
    pub progress: Progress,
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
    Misfit { source: String, misfit: Misfit },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Write(error) => error.fmt(out),
            ReplayError::Misfit { source, misfit } => write!(out, "the mapping does not fit {source}: {misfit}"),
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
pub fn run(setup: &Setup, mut inputs: Inputs, mut outputs: Outputs) -> Result<Ended, ReplayError> {
    let began = Instant::now();
    let mut replay = Replay::new(setup);
    let mut writer = Writer::new(setup, &mut outputs);
    let stopped = match go_through(&mut replay, &mut inputs, &mut writer) {
        Ok(()) => None,
        Err(Halt::Input(error)) => Some(error),
        Err(Halt::Replay(error)) => {
            // What has been decided is written all the same; the first error is the one to tell.
            let _ = writer.finish();
            return Err(error);
        }
    };
    let mut summary = writer.finish()?;
    summary.seconds = began.elapsed().as_secs_f64();
    Ok(Ended { summary, stopped })
}

/// Why not every record was gone through.
enum Halt {
    Input(InputError),
    Replay(ReplayError),
}

fn go_through(replay: &mut Replay, inputs: &mut Inputs, writer: &mut Writer<'_>) -> Result<(), Halt> {
    let cannot_write = |error: WriteError| Halt::Replay(error.into());
    loop {
        while let Some(Taken { source, name, record }) = inputs.take() {
            let outcome = replay
                .decide(source, &record)
                .map_err(|misfit| Halt::Replay(ReplayError::Misfit { source: name.to_owned(), misfit }))?;
            writer.write(name, &record, &outcome).map_err(cannot_write)?;
        }
        writer.pause(inputs).map_err(cannot_write)?;
        if !inputs.fill().map_err(Halt::Input)? {
            return Ok(());
        }
    }
}

/// The last step: counts an outcome and writes what is to be written of it.
struct Writer<'a> {
    packs: &'a Packs,
    outputs: &'a mut Outputs,
    local: LocalTime,
    summary: Summary,
}

impl<'a> Writer<'a> {
    fn new(setup: &'a Setup, outputs: &'a mut Outputs) -> Self {
        Writer {
            packs: &setup.packs,
            outputs,
            local: LocalTime::of(setup.packs.zone.name()),
            summary: Summary::new(&setup.packs),
        }
    }

    fn write(&mut self, source: &str, record: &Record<'_>, outcome: &Outcome<'_>) -> Result<(), WriteError> {
        match outcome {
            Outcome::Decided { event, decision } => self.decided(event, decision),
            Outcome::Rejected(fault) => {
                self.summary.rejected(source, record, fault);
                match &mut self.outputs.rejects {
                    Some(sink) => {
                        let written = sink.line(|out| rejects::encode(source, record, fault, out));
                        unless_unread(self.outputs.goes_on_unread, written)
                    }
                    None => Ok(()),
                }
            }
            Outcome::Skipped { field, value } => {
                self.summary.skipped(source, record, field, value);
                Ok(())
            }
            Outcome::Header => Ok(()),
        }
    }

    fn decided(&mut self, event: &Event<'_>, decision: &Decision) -> Result<(), WriteError> {
        let words = Words { packs: self.packs, local: &self.local };
        self.summary.decided(event, decision, self.outputs.tell_flagged.then_some(&words));
        let wanted = match self.outputs.emit {
            Emit::All => true,
            Emit::Flagged => decision.is_flagged(),
            Emit::None => false,
        };
        match &mut self.outputs.decisions {
            Some(sink) if wanted => {
                let written = sink.line(|out| encode::encode(decision, event, self.packs, out));
                unless_unread(self.outputs.goes_on_unread, written)
            }
            _ => Ok(()),
        }
    }

    /// Everything that has been read is dealt with, and reading comes next: whoever waits at the other end of a pipe gets
    /// what there is.
    fn pause(&mut self, inputs: &Inputs) -> Result<(), WriteError> {
        self.outputs.progress.tell(inputs.progress(), self.summary.records());
        if inputs.may_wait() { self.flush() } else { Ok(()) }
    }

    /// Flushes every output, whatever becomes of the others; the first error is the one to tell.
    fn flush(&mut self) -> Result<(), WriteError> {
        let sinks = [&mut self.outputs.decisions, &mut self.outputs.rejects].into_iter().flatten();
        let goes_on = self.outputs.goes_on_unread;
        sinks.map(|sink| unless_unread(goes_on, sink.flush())).fold(Ok(()), Result::and)
    }

    fn finish(mut self) -> Result<Summary, WriteError> {
        self.outputs.progress.finish();
        // All is decided: that nobody reads it does not change what has been found.
        self.outputs.goes_on_unread = true;
        self.flush()?;
        Ok(self.summary)
    }
}

/// An output without a reader is let go of where the rest of the work is still wanted.
fn unless_unread(goes_on: bool, written: Result<(), WriteError>) -> Result<(), WriteError> {
    match written {
        Err(error) if goes_on && error.is_broken_pipe() => Ok(()),
        written => written,
    }
}
