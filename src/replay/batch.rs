//! Records on their way through a replay: what was read, then what was decided, in their order.
//!
//! A batch owns everything that is said of its records, and is used again and again: once its buffers have grown, an
//! event costs no allocation. It is [filled](Batch::read) by the thread that reads, [decided on](Batch::step) by the one
//! that has the engine, and [written](Batch::write) by the first again; or one thread does all three.
//!
//! What one core has written the other must fetch, so what most records have is kept small, and what few have apart: most decisions are
//! bare, and one that is leaves nothing to fetch.

use super::{
    Emit, Outcome,
    companion::Companion,
    intake::{Intake, Said},
    range::Range,
    sink::WriteError,
    support::Supported,
    writer::Writer,
};
use crate::{
    decision::Decision,
    encode,
    engine::{Changes, Hasher, Hashes},
    event::{Event, Fault, decode::Events},
    files::{
        logged::{Keyed, Logged},
        records::{Record, Unclosed},
    },
    limits,
    mapping::Misfit,
    rules::Packs,
    time::Timestamp,
};
use std::ops;

/// Records between reading and writing.
#[derive(Default)]
pub struct Batch {
    items: Vec<Item>,
    events: Events,
    /// By the places of the events, what the engine would otherwise have to work out.
    hashes: Vec<Hashes>,
    /// What was decided beyond a bare `allow`, and room for one more.
    decisions: Vec<Decision>,
    /// How many of them say something.
    decided: usize,
    /// Of every other event.
    bare: Decision,
    /// Records that have no event.
    strays: Vec<Stray>,
    /// What records say beside their bytes, if they do.
    beside: Vec<Beside>,
    /// Bytes of records that have no event, and keys.
    bytes: Vec<u8>,
    faults: Vec<Fault>,
    /// Why records were skipped.
    words: String,
    /// Decisions as JSON, and where each stands.
    lines: Vec<u8>,
    encoded: Vec<ops::Range<usize>>,
}

/// One record. What it has many of, in place of their own, has its number there.
struct Item {
    /// The number of its input.
    source: usize,
    line: u64,
    offset: u64,
    bytes: Bytes,
    beside: Option<u32>,
    fate: Fate,
}

/// The bytes of a record as they came.
#[derive(Clone, Copy)]
enum Bytes {
    /// Those that the event of this place was read from.
    OfEvent(u32),
    Stray(u32),
}

/// A record that has no event.
struct Stray {
    /// In [`Batch::bytes`].
    bytes: ops::Range<usize>,
    total: u64,
    unclosed: Option<Unclosed>,
}

/// What few records say of themselves.
struct Beside {
    row: Option<u64>,
    /// Without its key.
    logged: Option<Logged<'static>>,
    /// In [`Batch::bytes`], where it must be the wallet's.
    key: Option<ops::Range<usize>>,
}

/// What has become of a record.
enum Fate {
    /// The place of its event, of the decision on it if that is not bare, and of that as JSON if it has been encoded.
    Event {
        place: u32,
        decision: Option<u32>,
        line: Option<u32>,
    },
    /// The place of its fault.
    Rejected(u32),
    /// It is not reported.
    Passed {
        place: u32,
        decision: Option<u32>,
    },
    Outside(Option<Timestamp>),
    /// Where the field and the value that follows it stand in [`Batch::words`].
    Skipped {
        start: u32,
        value: u32,
        end: u32,
    },
}

impl Batch {
    /// Reads a record of input number `source`. `hasher` is of the engine that will decide.
    ///
    /// # Errors
    /// A [`Misfit`] when the mapping was made for other files than this one.
    pub fn read(
        &mut self,
        source: usize,
        record: &Record<'_>,
        intake: &mut Intake,
        hasher: &mut Hasher,
    ) -> Result<(), Misfit> {
        let (events, hashes) = (&mut self.events, &mut self.hashes);
        let said = intake.read_as(source, record, |decoded| {
            hashes.push(hasher.hash(&decoded.event()));
            events.keep(decoded)
        })?;
        let fate = match said {
            Said::Event(place) => Fate::Event { place: narrow(place), decision: None, line: None },
            Said::Rejected(fault) => Fate::Rejected(place_of(&mut self.faults, fault)),
            Said::Skipped { field, value } => {
                let start = self.words.len();
                self.words.push_str(field);
                let middle = self.words.len();
                self.words.push_str(value);
                Fate::Skipped { start: narrow(start), value: narrow(middle), end: narrow(self.words.len()) }
            }
            Said::Outside { time } => Fate::Outside(time),
            Said::Header => return Ok(()),
        };
        let bytes = match fate {
            Fate::Event { place, .. } => Bytes::OfEvent(place),
            // Nobody reads it.
            Fate::Outside(_) => self.stray(record, &[]),
            _ => self.stray(record, record.bytes),
        };
        let beside = self.beside(record);
        let Record { line, offset, .. } = *record;
        self.items.push(Item { source, line, offset, bytes, beside, fate });
        Ok(())
    }

    fn stray(&mut self, record: &Record<'_>, bytes: &[u8]) -> Bytes {
        let bytes = append(&mut self.bytes, bytes);
        let stray = Stray { bytes, total: record.total, unclosed: record.unclosed };
        Bytes::Stray(place_of(&mut self.strays, stray))
    }

    fn beside(&mut self, record: &Record<'_>) -> Option<u32> {
        if record.row.is_none() && record.logged.is_none() {
            return None;
        }
        let (logged, key) = match record.logged {
            None => (None, None),
            Some(logged) => self.without_key(logged),
        };
        Some(place_of(&mut self.beside, Beside { row: record.row, logged, key }))
    }

    fn without_key(&mut self, logged: Logged<'_>) -> (Option<Logged<'static>>, Option<ops::Range<usize>>) {
        let (keyed, key) = match logged.key {
            Keyed::ByWallet(key) => (Keyed::ByWallet(None), key.map(|key| append(&mut self.bytes, key))),
            Keyed::Otherwise => (Keyed::Otherwise, None),
        };
        (Some(Logged { key: keyed, ..logged }), key)
    }

    /// The record of an item, whole again.
    fn record(&self, item: &Item) -> Record<'_> {
        let (bytes, total, unclosed) = match item.bytes {
            Bytes::OfEvent(place) => {
                let bytes = self.events.record(wide(place)).as_bytes();
                (bytes, bytes.len() as u64, None)
            }
            Bytes::Stray(place) => {
                let stray = &self.strays[wide(place)];
                (&self.bytes[stray.bytes.clone()], stray.total, stray.unclosed)
            }
        };
        let beside = item.beside.map(|place| &self.beside[wide(place)]);
        Record {
            bytes,
            total,
            line: item.line,
            offset: item.offset,
            unclosed,
            row: beside.and_then(|beside| beside.row),
            logged: beside.and_then(|beside| self.logged(beside)),
        }
    }

    fn logged(&self, beside: &Beside) -> Option<Logged<'_>> {
        let logged = beside.logged?;
        Some(match &beside.key {
            Some(key) => Logged { key: Keyed::ByWallet(Some(&self.bytes[key.clone()])), ..logged },
            None => logged,
        })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// It is worth a hand-over.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.items.len() >= limits::BATCH_RECORDS || self.bytes.len() + self.events.text_bytes() >= limits::BATCH_BYTES
    }

    /// Decides on every event.
    pub fn step(&mut self, engine: &mut Supported, range: Option<Range>, changes: &mut Changes) {
        let Batch { items, events, hashes, decisions, decided, beside, faults, .. } = self;
        engine.expect(hashes.iter());
        for item in items {
            let Fate::Event { place, .. } = item.fate else { continue };
            if decisions.len() == *decided {
                decisions.push(Decision::default());
            }
            let decision = &mut decisions[*decided];
            let event = events.get(wide(place));
            let reported = range.is_none_or(|range| range.reports(event.time));
            let reference = item.beside.and_then(|place| beside[wide(place)].logged?.appended);
            let stepped = engine.step_hashed(&hashes[wide(place)].of(&event), reference, decision, changes);
            let decision = (stepped.is_ok() && !decision.is_bare()).then(|| {
                *decided += 1;
                narrow(*decided - 1)
            });
            item.fate = match stepped {
                Ok(()) if reported => Fate::Event { place, decision, line: None },
                Ok(()) => Fate::Passed { place, decision },
                Err(fault) if reported => Fate::Rejected(place_of(faults, fault)),
                Err(_) => Fate::Outside(Some(event.time)),
            };
        }
    }

    /// Encodes the decisions that are to be written.
    pub fn encode(&mut self, packs: &Packs, emit: Emit) {
        if emit == Emit::None {
            return;
        }
        let Batch { items, events, decisions, bare, lines, encoded, .. } = self;
        for item in items {
            let Fate::Event { place, decision, line } = &mut item.fate else { continue };
            let decision = decision.map_or(&*bare, |place| &decisions[wide(place)]);
            if emit.takes(decision) {
                let start = lines.len();
                encode::encode(decision, &events.get(wide(*place)), packs, lines);
                *line = Some(place_of(encoded, start..lines.len()));
            }
        }
    }

    /// Has a companion see what became of each record.
    pub fn show(&self, companion: &mut dyn Companion) {
        let events: Vec<Event<'_>> = (0..self.events.len()).map(|place| self.events.get(place)).collect();
        companion.look_ahead(&mut events.iter());
        for item in &self.items {
            companion.see(item.source, &self.record(item), &self.outcome(item));
        }
    }

    /// Writes what became of each record, and is empty then. `name` says what an input is called.
    ///
    /// # Errors
    /// Those of the writer; the rest is lost.
    pub fn write<'n>(&mut self, writer: &mut Writer<'_>, name: impl Fn(usize) -> &'n str) -> Result<(), WriteError> {
        let written = self.items.iter().try_for_each(|item| {
            if let Fate::Event { place, decision, .. } = item.fate {
                writer.met(self.hashes[wide(place)].wallet());
                if decision.is_none() && !writer.takes_bare() {
                    writer.bare(self.events.time(wide(place)));
                    return Ok(());
                }
            }
            writer.write(name(item.source), &self.record(item), &self.outcome(item))
        });
        self.clear();
        written
    }

    fn outcome(&self, item: &Item) -> Outcome<'_> {
        let decision = |place: Option<u32>| place.map_or(&self.bare, |place| &self.decisions[wide(place)]);
        match item.fate {
            Fate::Event { place, decision: made, line } => Outcome::Decided {
                event: self.events.get(wide(place)),
                decision: decision(made),
                line: line.map(|line| &self.lines[self.encoded[wide(line)].clone()]),
            },
            Fate::Rejected(place) => Outcome::Rejected(self.faults[wide(place)].clone()),
            Fate::Passed { place, decision: made } => {
                Outcome::Passed { event: self.events.get(wide(place)), decision: decision(made) }
            }
            Fate::Outside(time) => Outcome::Outside { time },
            Fate::Skipped { start, value, end } => Outcome::Skipped {
                field: &self.words[wide(start)..wide(value)],
                value: &self.words[wide(value)..wide(end)],
            },
        }
    }

    fn clear(&mut self) {
        self.items.clear();
        self.events.clear();
        self.hashes.clear();
        self.decided = 0;
        self.strays.clear();
        self.beside.clear();
        self.bytes.clear();
        self.faults.clear();
        self.words.clear();
        self.lines.clear();
        self.encoded.clear();
    }
}

/// Adds one, and gives its place.
fn place_of<T>(all: &mut Vec<T>, one: T) -> u32 {
    all.push(one);
    narrow(all.len() - 1)
}

/// Adds bytes, and says where they stand.
fn append(all: &mut Vec<u8>, bytes: &[u8]) -> ops::Range<usize> {
    let start = all.len();
    all.extend_from_slice(bytes);
    start..all.len()
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("what a batch holds is far below 4 GiB")
}

fn wide(place: u32) -> usize {
    place as usize
}
