//! A file of decisions, one a line, gone through in the order of the events that are decided on.

use super::{Findings, Place};
use crate::{
    decision::Decision, encode, event::Event, files::open, limits, replay::range::Range, time::Timestamp, wording,
};
use serde_json::{Map, Value};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
};

pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    line: u64,
    range: Option<Range>,
    /// The next decision of the record.
    next: Option<Recorded>,
    /// A bare `allow` was recorded, so all decisions were.
    complete: bool,
    /// Bare allows that the record does not have, and the first of them.
    lacking: u64,
    first_lacking: Option<Vec<u8>>,
    buffer: Vec<u8>,
}

/// One decision of the record.
struct Recorded {
    line: u64,
    text: String,
    members: Map<String, Value>,
}

impl Recorded {
    fn is_on(&self, event: &Event<'_>) -> bool {
        let is = |name: &str, value: &str| self.members.get(name).and_then(Value::as_str) == Some(value);
        is("event", event.id) && is("wallet", event.wallet)
    }

    fn place(&self) -> Place {
        Place::Line(self.line)
    }
}

/// Of a part of the history only the decisions on that are looked at.
pub(super) fn reports(range: Option<Range>, decision: &Map<String, Value>) -> bool {
    let time = decision.get("time").and_then(Value::as_str).and_then(|time| Timestamp::parse(time).ok());
    range.zip(time).is_none_or(|(range, time)| range.reports(time))
}

impl Lines {
    pub fn open(path: &Path, range: Option<Range>, found: &mut Findings) -> Result<Lines, String> {
        let opened = open::open(path, &Arc::default())
            .map_err(|error| format!("cannot read {}: {}", path.display(), wording::unreadable(&error)))?;
        let reader = Box::new(BufReader::new(opened.reader));
        let mut lines = Lines {
            reader,
            line: 0,
            range,
            next: None,
            complete: false,
            lacking: 0,
            first_lacking: None,
            buffer: Vec::new(),
        };
        lines.advance(found);
        Ok(lines)
    }

    fn read(&mut self) -> Result<Option<Recorded>, String> {
        loop {
            let mut text = String::new();
            let most = 16 * u64::try_from(limits::RECORD_BYTES).expect("the bound of a record fits");
            let read = self.reader.by_ref().take(most).read_line(&mut text);
            self.line += 1;
            match read {
                Ok(0) => return Ok(None),
                Ok(_) if text.trim().is_empty() => {}
                Ok(_) => {
                    let text = text.trim_end().to_owned();
                    let members: Map<String, Value> = serde_json::from_str(&text)
                        .map_err(|_| format!("line {} is no decision: it is no JSON object", self.line))?;
                    if reports(self.range, &members) {
                        return Ok(Some(Recorded { line: self.line, text, members }));
                    }
                }
                Err(error) => return Err(wording::unreadable(&error)),
            }
        }
    }

    fn advance(&mut self, found: &mut Findings) {
        if found.stopped.is_some() {
            return;
        }
        match self.read() {
            Ok(next) => self.next = next,
            Err(why) => {
                self.next = None;
                found.stopped = Some(format!("cannot read {}: {why}", found.name));
            }
        }
    }

    /// What is left is of no event.
    pub fn settle(&mut self, found: &mut Findings) {
        while let Some(recorded) = self.next.take() {
            found.differs(Some((recorded.place(), &recorded.text)), None);
            self.advance(found);
        }
        if !self.complete {
            found.unrecorded = self.lacking;
        } else if let Some(first) = self.first_lacking.take() {
            found.differs(None, Some(&first));
            found.different += self.lacking - 1;
        }
    }

    pub fn see(&mut self, event: &Event<'_>, decision: &Decision, found: &mut Findings) {
        self.buffer.clear();
        match self.next.take() {
            Some(recorded) if recorded.is_on(event) => {
                encode::encode(decision, event, &found.packs, &mut self.buffer);
                found.compare(&|| recorded.place(), &recorded.text, &self.buffer);
                self.complete |= !decision.is_flagged();
                self.advance(found);
            }
            other => {
                self.next = other;
                if decision.is_flagged() {
                    encode::encode(decision, event, &found.packs, &mut self.buffer);
                    found.differs(None, Some(&self.buffer));
                    return;
                }
                self.lacking += 1;
                if self.first_lacking.is_none() {
                    encode::encode(decision, event, &found.packs, &mut self.buffer);
                    self.first_lacking = Some(self.buffer.clone());
                }
            }
        }
    }
}
