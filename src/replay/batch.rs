//! Records on their way between the two threads of a replay: what was read, then what was decided, in their order.
//!
//! A batch owns everything that is said of its records, and is used again and again: once its buffers have grown, an
//! event costs no allocation. It is [filled](Batch::push) by the thread that reads, [decided on](Batch::step) by the one
//! that has the engine, and [handed out](Batch::for_each) by the first again.

use super::{Emit, Outcome, companion::Companion, intake::Said, range::Range, support::Supported};
use crate::{
    decision::Decision,
    encode,
    engine::{Changes, Hasher, Hashes},
    event::{Event, Fault, decode::Events},
    files::{
        logged::{Keyed, Logged},
        records::Record,
    },
    limits,
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
    /// By the places of the events; those of events that were rejected in the end say nothing.
    decisions: Vec<Decision>,
    /// Bytes of records that have no event.
    bytes: Vec<u8>,
    /// Why records were skipped.
    words: String,
    /// Decisions as JSON.
    lines: Vec<u8>,
}

/// One record.
struct Item {
    /// The number of its input.
    source: usize,
    /// Without its bytes and its key.
    record: Record<'static>,
    bytes: Bytes,
    /// In [`Batch::bytes`], where it must be the wallet's.
    key: Option<ops::Range<usize>>,
    fate: Fate,
}

/// The bytes of a record as they came.
enum Bytes {
    /// Those that the event of this place was read from.
    OfEvent(usize),
    /// In [`Batch::bytes`].
    Apart(ops::Range<usize>),
}

/// What has become of a record.
enum Fate {
    /// The place of its event, and of the decision on it.
    Event {
        place: usize,
        /// In [`Batch::lines`], if it has been encoded.
        line: Option<ops::Range<usize>>,
    },
    Rejected(Fault),
    /// The place of an event that is not reported.
    Passed(usize),
    Outside(Option<Timestamp>),
    /// Both in [`Batch::words`].
    Skipped {
        field: ops::Range<usize>,
        value: ops::Range<usize>,
    },
}

impl Batch {
    /// Adds what a record of input number `source` says. `hasher` is of the engine that will decide.
    pub fn push(&mut self, source: usize, record: &Record<'_>, said: Said<'_>, hasher: &mut Hasher) {
        let fate = match said {
            Said::Event(event) => {
                self.events.push(&event);
                self.hashes.push(hasher.hash(&event));
                Fate::Event { place: self.events.len() - 1, line: None }
            }
            Said::Rejected(fault) => Fate::Rejected(fault),
            Said::Skipped { field, value } => Fate::Skipped { field: self.word(field), value: self.word(value) },
            Said::Outside { time } => Fate::Outside(time),
            Said::Header => return,
        };
        let bytes = match fate {
            Fate::Event { place, .. } => Bytes::OfEvent(place),
            // Nobody reads it.
            Fate::Outside(_) => Bytes::Apart(0..0),
            _ => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(record.bytes);
                Bytes::Apart(start..self.bytes.len())
            }
        };
        let (logged, key) = match record.logged {
            None => (None, None),
            Some(logged) => self.without_key(logged),
        };
        self.items.push(Item { source, record: Record { bytes: &[], logged, ..*record }, bytes, key, fate });
    }

    fn without_key(&mut self, logged: Logged<'_>) -> (Option<Logged<'static>>, Option<ops::Range<usize>>) {
        let start = self.bytes.len();
        let (keyed, key) = match logged.key {
            Keyed::ByWallet(Some(key)) => {
                self.bytes.extend_from_slice(key);
                (Keyed::ByWallet(None), Some(start..self.bytes.len()))
            }
            Keyed::ByWallet(None) => (Keyed::ByWallet(None), None),
            Keyed::Otherwise => (Keyed::Otherwise, None),
        };
        (Some(Logged { key: keyed, ..logged }), key)
    }

    /// The record of an item, whole again.
    fn record(&self, item: &Item) -> Record<'_> {
        let logged = item.record.logged.map(|logged| match &item.key {
            Some(key) => Logged { key: Keyed::ByWallet(Some(&self.bytes[key.clone()])), ..logged },
            None => logged,
        });
        Record { bytes: self.bytes_of(item), logged, ..item.record }
    }

    fn word(&mut self, word: &str) -> ops::Range<usize> {
        let start = self.words.len();
        self.words.push_str(word);
        start..self.words.len()
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
        if self.decisions.len() < self.events.len() {
            self.decisions.resize_with(self.events.len(), Decision::default);
        }
        engine.expect(self.hashes.iter());
        for item in &mut self.items {
            let Fate::Event { place, .. } = item.fate else { continue };
            let event = self.events.get(place);
            let time = event.time;
            let reported = range.is_none_or(|range| range.reports(time));
            let reference = item.record.reference();
            let hashed = self.hashes[place].of(&event);
            match engine.step_hashed(&hashed, reference, &mut self.decisions[place], changes) {
                Ok(()) if reported => {}
                Ok(()) => item.fate = Fate::Passed(place),
                Err(fault) if reported => item.fate = Fate::Rejected(fault),
                Err(_) => item.fate = Fate::Outside(Some(time)),
            }
        }
    }

    /// Encodes the decisions that are to be written.
    pub fn encode(&mut self, packs: &Packs, emit: Emit) {
        for item in &mut self.items {
            let Fate::Event { place, line } = &mut item.fate else { continue };
            let decision = &self.decisions[*place];
            if emit.takes(decision) {
                let start = self.lines.len();
                encode::encode(decision, &self.events.get(*place), packs, &mut self.lines);
                *line = Some(start..self.lines.len());
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

    /// Hands out what became of each record, with the number of its input, and is empty then.
    ///
    /// # Errors
    /// The first of `take`; the rest is lost.
    pub fn for_each<E>(
        &mut self,
        mut take: impl FnMut(usize, &Record<'_>, &Outcome<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let done = self.items.iter().try_for_each(|item| take(item.source, &self.record(item), &self.outcome(item)));
        self.clear();
        done
    }

    fn bytes_of(&self, item: &Item) -> &[u8] {
        match &item.bytes {
            Bytes::OfEvent(place) => self.events.record(*place).as_bytes(),
            Bytes::Apart(range) => &self.bytes[range.clone()],
        }
    }

    fn outcome(&self, item: &Item) -> Outcome<'_> {
        match &item.fate {
            Fate::Event { place, line } => Outcome::Decided {
                event: self.events.get(*place),
                decision: &self.decisions[*place],
                line: line.as_ref().map(|range| &self.lines[range.clone()]),
            },
            Fate::Rejected(fault) => Outcome::Rejected(fault.clone()),
            Fate::Passed(place) => {
                Outcome::Passed { event: self.events.get(*place), decision: &self.decisions[*place] }
            }
            Fate::Outside(time) => Outcome::Outside { time: *time },
            Fate::Skipped { field, value } => {
                Outcome::Skipped { field: &self.words[field.clone()], value: &self.words[value.clone()] }
            }
        }
    }

    fn clear(&mut self) {
        self.items.clear();
        self.events.clear();
        self.hashes.clear();
        self.bytes.clear();
        self.words.clear();
        self.lines.clear();
    }
}
