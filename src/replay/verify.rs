//! Recorded decisions derived once more, and held against those that were recorded, byte for byte.
//!
//! What was recorded may be all decisions or those that were flagged; what is more than a bare `allow` must be there. Where
//! a pack's name in the decision differs, so does its text or a list that it reads, for the name carries a hash of both; the
//! decisions are then compared without it too.

use super::{Outcome, companion::Companion, range::Range};
use crate::{
    encode,
    event::Event,
    files::{open, records::Record},
    limits,
    rules::Packs,
    time::Timestamp,
    wording,
};
use serde_json::{Map, Value, json};
use std::{
    fmt::Write,
    io::{BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
};

/// The first decision that differs.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The line of the record, from 1; nothing where it has none.
    pub line: Option<u64>,
    pub recorded: Option<String>,
    pub derived: Option<String>,
    /// Members that differ, in alphabetical order; empty where one side is missing.
    pub members: Vec<String>,
}

/// A record of decisions while it is gone through.
pub struct Verification {
    packs: Arc<Packs>,
    name: String,
    lines: Lines,
    /// The next decision of the record.
    next: Option<Recorded>,
    buffer: Vec<u8>,
    /// Decisions of the record that came out the same, to the byte.
    pub same: u64,
    /// Decisions that differ in nothing but the names of packs.
    pub other_packs: u64,
    /// Decisions that differ, or that only one side has.
    pub different: u64,
    pub first: Option<Difference>,
    /// What the record calls its packs, where that is not what ours are called.
    pub recorded_packs: Option<String>,
    /// The record could not be read to its end.
    pub stopped: Option<String>,
}

struct Lines {
    reader: Box<dyn BufRead + Send>,
    line: u64,
    range: Option<Range>,
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
}

impl Lines {
    /// Of a part of the history only the decisions on that are looked at.
    fn reports(&self, decision: &Map<String, Value>) -> bool {
        let time = decision.get("time").and_then(Value::as_str).and_then(|time| Timestamp::parse(time).ok());
        self.range.zip(time).is_none_or(|(range, time)| range.reports(time))
    }

    fn next(&mut self) -> Result<Option<Recorded>, String> {
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
                    if self.reports(&members) {
                        return Ok(Some(Recorded { line: self.line, text, members }));
                    }
                }
                Err(error) => return Err(wording::unreadable(&error)),
            }
        }
    }
}

impl Verification {
    /// Opens a record of decisions, also a compressed one.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(path: &Path, packs: &Arc<Packs>, range: Option<Range>) -> Result<Verification, String> {
        let name = path.display().to_string();
        let opened = open::open(path, &Arc::default())
            .map_err(|error| format!("cannot read {name}: {}", wording::unreadable(&error)))?;
        let mut found = Verification {
            packs: Arc::clone(packs),
            name,
            lines: Lines { reader: Box::new(BufReader::new(opened.reader)), line: 0, range },
            next: None,
            buffer: Vec::new(),
            same: 0,
            other_packs: 0,
            different: 0,
            first: None,
            recorded_packs: None,
            stopped: None,
        };
        found.advance();
        Ok(found)
    }

    fn advance(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        match self.lines.next() {
            Ok(next) => self.next = next,
            Err(why) => {
                self.next = None;
                self.stopped = Some(format!("cannot read {}: {why}", self.name));
            }
        }
    }

    fn differs(&mut self, recorded: Option<&Recorded>, derived: Option<String>) {
        self.different += 1;
        if self.first.is_some() {
            return;
        }
        let ours: Option<Map<String, Value>> = derived.as_deref().and_then(|line| serde_json::from_str(line).ok());
        let members = match (recorded, ours) {
            (Some(recorded), Some(ours)) => differing(&recorded.members, &ours),
            _ => Vec::new(),
        };
        let line = recorded.map(|recorded| recorded.line);
        let recorded = recorded.map(|recorded| recorded.text.clone());
        self.first = Some(Difference { line, recorded, derived, members });
    }

    /// Nothing more comes: what is left of the record is of no event.
    pub fn settle(&mut self) {
        while let Some(recorded) = self.next.take() {
            self.differs(Some(&recorded), None);
            self.advance();
        }
    }

    /// Everything came out as it was recorded.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.different == 0 && self.other_packs == 0 && self.stopped.is_none()
    }

    /// Which packs, lists or databases differ, by their names.
    #[must_use]
    pub fn other_inputs(&self) -> Vec<String> {
        let Some(theirs) = &self.recorded_packs else { return Vec::new() };
        let ours: Vec<&str> = self.packs.name.split(',').collect();
        let theirs: Vec<&str> = theirs.split(',').collect();
        let kind = |part: &str| part.split('@').next().unwrap_or_default().to_owned();
        let version = |part: &str| part.split('+').next().unwrap_or_default().to_owned();
        let mut told = Vec::new();
        for recorded in theirs.iter().filter(|part| !ours.contains(part)) {
            told.push(match ours.iter().find(|our| kind(our) == kind(recorded)) {
                Some(our) if kind(our) == "geo" => format!("the GeoIP files: {recorded} then, {our} now"),
                Some(our) if version(our) == version(recorded) => {
                    format!("the text of pack {}, or a list that it reads: {recorded} then, {our} now", kind(our))
                }
                Some(our) => format!("the version of pack {}: {recorded} then, {our} now", kind(our)),
                None => format!("{recorded} was in use then"),
            });
        }
        let kinds: Vec<String> = theirs.iter().map(|part| kind(part)).collect();
        told.extend(ours.iter().filter(|our| !kinds.contains(&kind(our))).map(|our| format!("{our} is in use now")));
        if told.is_empty() {
            told.push("the order of the packs".to_owned());
        }
        told
    }
}

/// Members that the two do not have alike.
fn differing(one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

impl Companion for Verification {
    fn look_ahead(&mut self, _: &mut dyn Iterator<Item = &Event<'_>>) {}

    fn see(&mut self, _: usize, _: &Record<'_>, outcome: &Outcome<'_>) {
        let Outcome::Decided { event, decision, .. } = outcome else { return };
        let recorded = match self.next.take() {
            Some(recorded) if recorded.is_on(event) => recorded,
            other => {
                self.next = other;
                if decision.is_flagged() {
                    let mut line = Vec::new();
                    encode::encode(decision, event, &self.packs, &mut line);
                    self.differs(None, String::from_utf8(line).ok());
                }
                return;
            }
        };
        self.buffer.clear();
        encode::encode(decision, event, &self.packs, &mut self.buffer);
        if recorded.text.as_bytes() == self.buffer {
            self.same += 1;
        } else {
            let derived = String::from_utf8(self.buffer.clone()).expect("JSON is UTF-8");
            let ours: Map<String, Value> = serde_json::from_str(&derived).expect("a decision is JSON");
            let members = differing(&recorded.members, &ours);
            let theirs = recorded.members.get("pack").and_then(Value::as_str);
            if members.iter().any(|member| member == "pack") && self.recorded_packs.is_none() {
                self.recorded_packs = theirs.map(str::to_owned);
            }
            if members == ["pack"] {
                self.other_packs += 1;
            } else {
                self.differs(Some(&recorded), Some(derived));
            }
        }
        self.advance();
    }
}

/// What was found, for people, ending with a line end.
#[must_use]
pub fn text(found: &Verification) -> String {
    use wording::grouped;
    let mut out = format!("\nverified against {}\n", found.name);
    let _ = writeln!(out, "  {} decisions are the same to the byte", grouped(found.same));
    if found.other_packs > 0 {
        let _ = writeln!(out, "  {} differ in nothing but the packs' names", grouped(found.other_packs));
    }
    if found.different > 0 {
        let _ = writeln!(out, "  {} differ", grouped(found.different));
    }
    for input in found.other_inputs() {
        let _ = writeln!(out, "  what differs: {input}");
    }
    if let Some(first) = &found.first {
        let place =
            first.line.map_or_else(|| "which the record does not have".to_owned(), |line| format!("line {line}"));
        let members =
            if first.members.is_empty() { String::new() } else { format!(", in {}", first.members.join(", ")) };
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "no such decision".to_owned());
        let _ = writeln!(out, "\nthe first that differs, {place}{members}");
        let _ = writeln!(out, "  recorded  {}\n  derived   {}", side(&first.recorded), side(&first.derived));
    }
    if let Some(why) = &found.stopped {
        let _ = writeln!(out, "  {why}");
    }
    out
}

/// What was found, as a JSON object.
#[must_use]
pub fn json(found: &Verification) -> Value {
    let parsed = |side: &Option<String>| {
        side.as_deref().map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)))
    };
    json!({
        "holds": found.holds(),
        "same": found.same,
        "other_packs": found.other_packs,
        "different": found.different,
        "other_inputs": found.other_inputs(),
        "first": found.first.as_ref().map(|first| json!({
            "line": first.line,
            "members": first.members,
            "recorded": parsed(&first.recorded),
            "derived": parsed(&first.derived),
        })),
        "stopped": found.stopped,
    })
}
