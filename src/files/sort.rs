//! Records brought into the order of their times in bounded memory (`--sort`): an external merge sort.
//!
//! What is read gathers in memory until the bound is reached, is sorted and spilled as a run into a temporary file; the
//! runs are then merged. The order is (time, place in the input), so that records of one time stay as they came. A record
//! whose time cannot be read goes straight after the one before it in its file, and before all where there is none. Each keeps
//! the place that it came from, for whoever must tell of it.
//!
//! Temporary files have no names, so that nothing is left of them however the process ends. What a record's time is, is not
//! known here: whoever sorts says so.

mod entry;
mod merge;
mod run;

use super::{Failed, InputError, Inputs, Taken, records::Record};
use crate::{limits, time::Timestamp};
use entry::Key;
use merge::Merge;
use run::{Gathered, Run};
use std::{io, mem, path::PathBuf};

/// When a record's turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It names the columns of its file, and goes before all others.
    First,
    At(Timestamp),
    /// Straight after the record before it in its file.
    Next,
}

/// What whoever knows the records says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    pub when: When,
    /// Its number among all records, where something goes by it.
    pub row: Option<u64>,
    /// Nothing after it is to be read: its file is of another kind.
    pub last: bool,
}

/// Says when the turn of a record of input number `source` comes; asked once for each, in the order of the input.
pub type Turns = Box<dyn FnMut(usize, &Record<'_>) -> Turn>;

/// How much memory may be taken, in bytes, and where runs go that do not fit.
#[derive(Clone, Debug)]
pub struct Room {
    pub bytes: usize,
    pub folder: PathBuf,
}

/// What sorting came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    pub records: u64,
    /// Records that are earlier than one before them.
    pub out_of_order: u64,
    /// Runs that went into temporary files, and their bytes there; a run that was merged from others counts again.
    pub runs: u64,
    pub spilled: u64,
}

/// Inputs in the order of time.
pub struct Sorted {
    inputs: Inputs,
    turns: Turns,
    room: Room,
    gathered: Gathered,
    /// Runs by how often their records have been merged.
    levels: Vec<Vec<Run>>,
    /// Once everything has been read.
    merge: Option<Merge>,
    /// Records that have been handed out since the last pause, and in all.
    since_pause: usize,
    handed_out: u64,
    /// Why not everything was read, to be told once all that was read is handed out.
    stopped: Option<InputError>,
    /// Of the record before: its input and its turn.
    before: Option<(usize, i64)>,
    latest: i64,
    order: Order,
}

/// Records that are handed out between two pauses, in which progress is told.
const BETWEEN_PAUSES: usize = 4_096;

/// Before every time that a record can have.
const FIRST: i64 = i64::MIN;

impl Sorted {
    #[must_use]
    pub fn new(inputs: Inputs, turns: Turns, room: Room) -> Sorted {
        Sorted {
            inputs,
            turns,
            gathered: Gathered::default(),
            levels: Vec::new(),
            merge: None,
            since_pause: 0,
            handed_out: 0,
            stopped: None,
            before: None,
            latest: FIRST,
            order: Order::default(),
            room,
        }
    }

    /// What sorting has come to so far.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    pub(super) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    pub(super) fn take(&mut self) -> Option<Taken<'_>> {
        if self.since_pause >= BETWEEN_PAUSES {
            return None;
        }
        let next = self.merge.as_mut()?.advance();
        match next {
            Ok(true) => {}
            Ok(false) => return None,
            Err(cause) => {
                self.stopped = Some(self.spill_error(cause));
                self.merge = Some(Merge::default());
                return None;
            }
        }
        self.since_pause += 1;
        self.handed_out += 1;
        let (source, record) = entry::read(self.merge.as_ref()?.current());
        Some(Taken { source, name: self.inputs.name(source), record })
    }

    /// Reads more, or, once everything has been read, goes on handing out; false when all is handed out.
    pub(super) fn fill(&mut self) -> Result<bool, InputError> {
        if self.merge.is_none() {
            return self.gather().map(|()| true);
        }
        if mem::take(&mut self.since_pause) >= BETWEEN_PAUSES {
            return Ok(true);
        }
        self.stopped.take().map_or(Ok(false), Err)
    }

    /// Takes what the inputs have, then has them read more; at their end, merging begins.
    fn gather(&mut self) -> Result<(), InputError> {
        let mut ended = self.take_all()?;
        if !ended {
            match self.inputs.fill() {
                Ok(more) => ended = !more,
                Err(error) => {
                    ended = true;
                    self.stopped = Some(error);
                }
            }
        }
        if ended { self.begin_merge().map_err(|cause| self.spill_error(cause)) } else { Ok(()) }
    }

    /// Gathers what has been read; true when nothing after it is to be read.
    fn take_all(&mut self) -> Result<bool, InputError> {
        loop {
            let Some(Taken { source, record, .. }) = self.inputs.take() else { return Ok(false) };
            let turn = (self.turns)(source, &record);
            let time = match (turn.when, self.before) {
                (When::First, _) => FIRST,
                (When::At(time), _) => time.0,
                (When::Next, Some((before, time))) if before == source => time,
                (When::Next, _) => FIRST,
            };
            self.before = Some((source, time));
            self.order.out_of_order += u64::from(time < self.latest && time != FIRST);
            self.latest = self.latest.max(time);
            let key = Key { time, number: self.order.records };
            self.order.records += 1;
            self.gathered.push(key, source, &Record { row: turn.row, ..record });
            if self.gathered.bytes() >= self.room.bytes {
                self.spill().map_err(|cause| self.spill_error(cause))?;
            }
            if turn.last {
                return Ok(true);
            }
        }
    }

    /// Makes a run of what has been gathered. Enough runs of one level become one of the next, so that few files are open.
    fn spill(&mut self) -> io::Result<()> {
        let mut run = self.gathered.spill(&self.room.folder)?;
        for level in 0.. {
            self.order.runs += 1;
            self.order.spilled += run.bytes();
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(run);
            if self.levels[level].len() < limits::SORT_RUNS {
                return Ok(());
            }
            run = Merge::of(mem::take(&mut self.levels[level]))?.spill(&self.room.folder)?;
        }
        unreachable!("some level has room, for the one after the last has")
    }

    fn begin_merge(&mut self) -> io::Result<()> {
        let mut runs: Vec<Run> = mem::take(&mut self.levels).into_iter().flatten().collect();
        while runs.len() >= limits::SORT_RUNS {
            let first = runs.drain(..limits::SORT_RUNS).collect();
            let run = Merge::of(first)?.spill(&self.room.folder)?;
            self.order.runs += 1;
            self.order.spilled += run.bytes();
            runs.push(run);
        }
        runs.push(mem::take(&mut self.gathered).into_run());
        self.merge = Some(Merge::of(runs)?);
        Ok(())
    }

    fn spill_error(&self, cause: io::Error) -> InputError {
        let name = self.room.folder.display().to_string();
        InputError { name, line: None, failed: Failed::Spilling, cause }
    }

    /// The bytes of the inputs are gone through twice: once read, once handed out.
    pub(super) fn progress(&self) -> (u64, Option<u64>) {
        let (read, total) = self.inputs.progress();
        let all = u128::from(self.order.records.max(1));
        let handed_out = u128::from(read) * u128::from(self.handed_out) / all;
        let handed_out = u64::try_from(handed_out).expect("no more is handed out than was read");
        (read + handed_out, total.map(|total| 2 * total))
    }
}
