//! Recorded decisions derived once more, and held against those that were recorded, byte for byte.
//!
//! What was recorded may be all decisions or those that were flagged; what is more than a bare `allow` must be there, and all must
//! where one bare `allow` is. Where
//! a pack's name in the decision differs, so does its text or a list that it reads, for the name carries a hash of both; the
//! decisions are then compared without it too. A file of decisions is gone through beside the replay (`lines`); those of a
//! topic are found by the ids of their records, and derived as the sidecar derived them (`log`).

mod lines;
#[cfg(feature = "kafka")]
pub mod log;

use super::{Outcome, companion::Companion, range::Range};
use crate::{event::Event, files::records::Record, rules::Packs, wording};
use lines::Lines;
use serde_json::{Map, Value, json};
use std::{
    fmt::{self, Write},
    path::Path,
    sync::Arc,
};

/// The first decision that differs.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Where the record has it; nothing where it has none.
    pub place: Option<Place>,
    pub recorded: Option<String>,
    pub derived: Option<String>,
    /// Members that differ, in alphabetical order; empty where one side is missing.
    pub members: Vec<String>,
}

/// Where a decision is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The line of a file, from 1.
    Line(u64),
    /// The id of a decision in a topic: topic, partition and offset of the record that it is on.
    Id(String),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(out, "line {line}"),
            Place::Id(id) => out.write_str(id),
        }
    }
}

/// What has been found so far.
#[derive(Clone, Debug)]
pub struct Findings {
    packs: Arc<Packs>,
    name: String,
    /// Decisions of the record that came out the same, to the byte.
    pub same: u64,
    /// Decisions that differ in nothing but the names of packs.
    pub other_packs: u64,
    /// Decisions that differ, or that only one side has.
    pub different: u64,
    /// Bare allows that the record does not have, as where only flagged decisions were written.
    pub unrecorded: u64,
    pub first: Option<Difference>,
    /// What the record calls its packs, where that is not what ours are called.
    pub recorded_packs: Option<String>,
    /// The record could not be read to its end.
    pub stopped: Option<String>,
    /// What is said of a topic only.
    pub logged: Option<Logged>,
}

/// What a topic of decisions lacks, or has too often, without anything being wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logged {
    /// Decisions that have been deleted, and the records still are there.
    pub deleted: u64,
    /// Records that the group had not decided on yet.
    pub undecided: u64,
    /// Decisions that are there again, as at-least-once delivery leaves them.
    pub again: u64,
    /// There were records before the first that was read: what stood then is not known.
    pub begins_later: bool,
}

/// A record of decisions while it is gone through.
pub struct Verification {
    pub found: Findings,
    recorded: Recorded,
}

enum Recorded {
    Lines(Lines),
    #[cfg(feature = "kafka")]
    Log(Box<log::Log>),
}

impl Verification {
    /// Opens a file of decisions, also a compressed one.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(path: &Path, packs: &Arc<Packs>, range: Option<Range>) -> Result<Verification, String> {
        let mut found = Findings::new(packs, path.display().to_string());
        let recorded = Recorded::Lines(Lines::open(path, range, &mut found)?);
        Ok(Verification { found, recorded })
    }

    /// The decisions of a topic.
    #[cfg(feature = "kafka")]
    #[must_use]
    pub fn of_log(log: log::Log, packs: &Arc<Packs>) -> Verification {
        let logged = Some(Logged::default());
        let found = Findings { logged, ..Findings::new(packs, format!("the topic {}", log.name())) };
        Verification { found, recorded: Recorded::Log(Box::new(log)) }
    }

    /// Nothing more comes: what is left of the record is of no event.
    pub fn settle(&mut self) {
        match &mut self.recorded {
            Recorded::Lines(lines) => lines.settle(&mut self.found),
            #[cfg(feature = "kafka")]
            Recorded::Log(log) => log.settle(&mut self.found),
        }
    }
}

impl Companion for Verification {
    fn look_ahead(&mut self, _: &mut dyn Iterator<Item = &Event<'_>>) {}

    fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>) {
        match &mut self.recorded {
            Recorded::Lines(lines) => {
                if let Outcome::Decided { event, decision, .. } = outcome {
                    lines.see(event, decision, &mut self.found);
                }
            }
            #[cfg(feature = "kafka")]
            Recorded::Log(log) => log.see(source, record, outcome, &mut self.found),
        }
        #[cfg(not(feature = "kafka"))]
        let _ = (source, record);
    }
}

impl Findings {
    fn new(packs: &Arc<Packs>, name: String) -> Findings {
        Findings {
            packs: Arc::clone(packs),
            name,
            same: 0,
            other_packs: 0,
            different: 0,
            unrecorded: 0,
            first: None,
            recorded_packs: None,
            stopped: None,
            logged: None,
        }
    }

    /// Holds one decision against the one that was recorded at `place`, which is JSON.
    fn compare(&mut self, place: &dyn Fn() -> Place, recorded: &str, derived: &[u8]) {
        if recorded.as_bytes() == derived {
            self.same += 1;
            return;
        }
        let [theirs, ours] = [members(recorded), members(&String::from_utf8_lossy(derived))];
        let members = differing(&theirs, &ours);
        if members.iter().any(|member| member == "pack") && self.recorded_packs.is_none() {
            self.recorded_packs = theirs.get("pack").and_then(Value::as_str).map(str::to_owned);
        }
        if members == ["pack"] {
            self.other_packs += 1;
        } else {
            self.differs(Some((place(), recorded)), Some(derived));
        }
    }

    /// Notes what differs, or what one side lacks.
    fn differs(&mut self, recorded: Option<(Place, &str)>, derived: Option<&[u8]>) {
        self.different += 1;
        if self.first.is_some() {
            return;
        }
        let derived = derived.map(|line| String::from_utf8_lossy(line).into_owned());
        let members = match (&recorded, &derived) {
            (Some((_, recorded)), Some(ours)) => differing(&members(recorded), &members(ours)),
            _ => Vec::new(),
        };
        let (place, recorded) = recorded.map(|(place, text)| (place, text.to_owned())).unzip();
        self.first = Some(Difference { place, recorded, derived, members });
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

/// The members of a decision; none of what is no JSON object.
fn members(decision: &str) -> Map<String, Value> {
    serde_json::from_str(decision).unwrap_or_default()
}

/// Members that the two do not have alike.
fn differing(one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

/// What was found, for people, ending with a line end.
#[must_use]
pub fn text(found: &Findings) -> String {
    use wording::grouped;
    let mut out = format!("\nverified against {}\n", found.name);
    let _ = writeln!(out, "  {} decisions are the same to the byte", grouped(found.same));
    if found.other_packs > 0 {
        let _ = writeln!(out, "  {} differ in nothing but the packs' names", grouped(found.other_packs));
    }
    if found.different > 0 {
        let _ = writeln!(out, "  {} differ", grouped(found.different));
    }
    if found.unrecorded > 0 {
        let _ = writeln!(out, "  {} bare allows are not in the record, which has none", grouped(found.unrecorded));
    }
    for input in found.other_inputs() {
        let _ = writeln!(out, "  what differs: {input}");
    }
    if let Some(first) = &found.first {
        let place = first.place.as_ref().map_or("which the record does not have".to_owned(), Place::to_string);
        let members =
            if first.members.is_empty() { String::new() } else { format!(", in {}", first.members.join(", ")) };
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "no such decision".to_owned());
        let _ = writeln!(out, "\nthe first that differs, {place}{members}");
        let _ = writeln!(out, "  recorded  {}\n  derived   {}", side(&first.recorded), side(&first.derived));
    }
    if let Some(logged) = &found.logged {
        told(logged, found.different > 0, &mut out);
    }
    if let Some(why) = &found.stopped {
        let _ = writeln!(out, "  {why}");
    }
    out
}

/// What is said of a topic besides.
fn told(logged: &Logged, differs: bool, out: &mut String) {
    use wording::grouped;
    let Logged { deleted, undecided, again, begins_later } = *logged;
    for (count, what) in [
        (deleted, "are no longer in the topic: nothing is said of them"),
        (undecided, "were not made yet when the topic was read"),
        (again, "are there more than once, as at-least-once delivery leaves them"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "  {} {what}", grouped(count));
        }
    }
    if begins_later && differs {
        out.push_str(
            "  what stood before the first record that was read is not known here: ids, windows and restrictions from then may\n  \
             be why; --warm-up all reads as far back as the topic reaches\n",
        );
    }
}

/// What was found, as a JSON object.
#[must_use]
pub fn json(found: &Findings) -> Value {
    let parsed = |side: &Option<String>| {
        side.as_deref().map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)))
    };
    json!({
        "holds": found.holds(),
        "same": found.same,
        "other_packs": found.other_packs,
        "different": found.different,
        "unrecorded": found.unrecorded,
        "other_inputs": found.other_inputs(),
        "first": found.first.as_ref().map(|first| json!({
            "line": first.place.as_ref().and_then(|place| if let Place::Line(line) = place { Some(line) } else { None }),
            "id": first.place.as_ref().and_then(|place| if let Place::Id(id) = place { Some(id) } else { None }),
            "members": first.members,
            "recorded": parsed(&first.recorded),
            "derived": parsed(&first.derived),
        })),
        "topic": found.logged.map(|logged| json!({
            "deleted": logged.deleted,
            "undecided": logged.undecided,
            "again": logged.again,
            "begins_later": logged.begins_later,
        })),
        "stopped": found.stopped,
    })
}
