//! The decisions of a topic, found by the ids of the records that they are on, and derived as the sidecar derived them.
//!
//! A replay has one engine; the sidecar has one for each partition, and what one imposes on an address, on all or on a wallet that
//! others pay to reaches the rest through `restrictions`, between two ticks. So does it here: each partition has an engine of
//! its own, which is told the records of `restrictions` up to the positions that a decision's header names before it
//! decides. Ticks are told apart by the mark that a transaction leaves behind its decisions; an engine exports at the end of
//! each, as it did, or it would number its own writings otherwise.
//!
//! Not known is what compaction has dropped of `restrictions`: what one record of a key said before the next. And the sidecar's state
//! from before the first record that is read.

use super::{Findings, Logged, Place, lines::reports, members};
use crate::{
    decision::Decision,
    encode,
    engine::{self, Changes, Engine, Exported, Input},
    event::Event,
    files::{Stretch, open::Unreadable, records::Record},
    geo::Geo,
    kafka::{
        client::Cluster,
        member::{ID_HEADER, RESTRICTIONS_HEADER},
        partitioner::Partitioner,
        stretches::{self, Stretches},
    },
    limits,
    replay::{Outcome, Setup, range::Range},
    rules::Packs,
    state::record::StateRecord,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    str,
    sync::Arc,
};

/// The sidecar whose decisions are looked at.
pub struct Sidecar<'a> {
    pub cluster: &'a Cluster,
    pub group: &'a str,
    pub operations: &'a str,
    pub decisions: &'a str,
    pub restrictions: &'a str,
    /// By which a decision's wallet chooses its partition.
    pub partitioner: Partitioner,
    /// No decision that is needed is in a record from before this.
    pub since: Option<Timestamp>,
}

/// The headers that are needed, by their places.
const HEADERS: &[&str] = &[ID_HEADER, RESTRICTIONS_HEADER];

/// Decisions while they are gone through.
pub struct Log {
    name: String,
    operations: String,
    range: Option<Range>,
    partitioner: Partitioner,
    decisions: Stretches,
    stretches: Vec<Stretch>,
    /// By the partition of `decisions` and that of `operations`: what has been read and not been asked for.
    waiting: Vec<HashMap<i32, Waiting>>,
    /// How many are waiting in all.
    held: usize,
    /// The topic `restrictions`, in the order of its offsets.
    restrictions: Vec<(i64, StateRecord)>,
    /// The group's offsets in `operations`.
    decided: BTreeMap<i32, i64>,
    shards: BTreeMap<i32, Shard>,
    engines: Engines,
    buffer: Vec<u8>,
}

/// What engines are made of.
struct Engines {
    packs: Arc<Packs>,
    geo: Arc<Geo>,
    settings: engine::Settings,
}

/// Decisions of one partition of `decisions` on records of one of `operations`, in their order.
#[derive(Default)]
struct Waiting {
    recorded: VecDeque<Recorded>,
    /// The offset of the record whose decision was taken last, or passed over.
    last: Option<i64>,
}

/// One decision as the topic has it.
struct Recorded {
    /// The offset of the record that it is on.
    on: i64,
    /// Its own.
    offset: i64,
    /// How far `restrictions` counted.
    position: i64,
    text: String,
}

/// What the topic has on a record.
enum Found {
    Decision(Recorded),
    /// There is none, though there should be.
    Nothing,
    Deleted,
    Undecided,
}

/// An engine of one partition of `operations`.
struct Shard {
    engine: Engine,
    exported: Exported,
    decision: Decision,
    changes: Changes,
    /// Records of `restrictions` that have been told.
    told: usize,
    position: i64,
    /// The offset of the last decision.
    decided: Option<i64>,
    /// The first and the last record that was seen.
    seen: (i64, i64),
}

impl Log {
    /// Begins to read.
    ///
    /// # Errors
    /// Topics that cannot be read.
    pub fn open(sidecar: &Sidecar<'_>, setup: &Setup) -> Result<Log, Unreadable> {
        let Sidecar { cluster, operations, .. } = *sidecar;
        // Whatever is decided by then has its decision in what is read after.
        let decided = stretches::committed(cluster, sidecar.group, operations)?;
        let stretches = stretches::find(cluster, sidecar.decisions, sidecar.since)?;
        let decisions = Stretches::open(cluster, sidecar.decisions, &stretches, HEADERS)?;
        Ok(Log {
            name: sidecar.decisions.to_owned(),
            operations: operations.to_owned(),
            range: setup.range,
            partitioner: sidecar.partitioner,
            decisions,
            waiting: stretches.iter().map(|_| HashMap::new()).collect(),
            stretches,
            held: 0,
            restrictions: restrictions(cluster, sidecar.restrictions)?,
            decided,
            shards: BTreeMap::new(),
            engines: Engines { packs: Arc::clone(&setup.packs), geo: Arc::clone(&setup.geo), settings: setup.settings },
            buffer: Vec::new(),
        })
    }

    /// The topic.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sees a record, and what the replay has made of it.
    pub(super) fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>, found: &mut Findings) {
        if found.stopped.is_some() {
            return;
        }
        let (event, reported) = match outcome {
            Outcome::Decided { event, .. } => (Some(event), true),
            Outcome::Passed { event, .. } => (Some(event), false),
            _ => (None, false),
        };
        // Partitions are numbered from 0, and their places are in that order.
        let partition = i32::try_from(source).expect("Kafka counts partitions in an i32");
        let on = i64::try_from(record.offset).expect("Kafka counts offsets in an i64");
        let shard = self.shards.entry(partition).or_insert_with(|| Shard::new(&self.engines, partition, on));
        shard.seen.1 = on;
        noted(found).begins_later |= shard.seen.0 > 0;
        let Some(event) = event else { return };
        if let Err(why) = self.hold(partition, on, (event, record.reference()), reported, found) {
            found.stopped = Some(why);
        }
    }

    /// Derives the decision on an event and holds it against the recorded one.
    fn hold(
        &mut self,
        partition: i32,
        on: i64,
        (event, reference): (&Event<'_>, Option<Timestamp>),
        reported: bool,
        found: &mut Findings,
    ) -> Result<(), String> {
        let recorded = self.find(partition, on, event.wallet, found)?;
        let shard = self.shards.get_mut(&partition).expect("it was made when its first record was seen");
        if let Found::Decision(recorded) = &recorded {
            shard.begin(recorded, &self.restrictions)?;
        }
        let derived = shard.decide(event, reference, &self.engines.packs, &mut self.buffer);
        if !reported {
            return Ok(());
        }
        let place = || Place::Id(format!("{}:{partition}:{on}", self.operations));
        match (recorded, derived) {
            (Found::Decision(recorded), true) => found.compare(&place, &recorded.text, &self.buffer),
            (Found::Decision(recorded), false) => found.differs(Some((place(), &recorded.text)), None),
            (Found::Nothing, true) => found.differs(None, Some(&self.buffer)),
            (Found::Deleted, true) => noted(found).deleted += 1,
            (Found::Undecided, true) => noted(found).undecided += 1,
            (_, false) => {}
        }
        Ok(())
    }

    /// What the topic has on the record at offset `on` of a partition.
    fn find(&mut self, partition: i32, on: i64, wallet: &str, found: &mut Findings) -> Result<Found, String> {
        let partitions = u32::try_from(self.stretches.len()).expect("Kafka counts partitions in an i32");
        let place = usize::try_from(self.partitioner.place(wallet.as_bytes(), partitions)).expect("a place in a list");
        loop {
            while let Some(recorded) = self.take(place, partition, on) {
                if recorded.on == on {
                    return Ok(Found::Decision(recorded));
                }
                self.pass(place, partition, &recorded, found);
            }
            let waiting = self.waiting[place].entry(partition).or_default();
            let is_first = waiting.last.is_none();
            if !waiting.recorded.is_empty() {
                let is_deleted = is_first && self.stretches[place].is_cut;
                return Ok(if is_deleted { Found::Deleted } else { Found::Nothing });
            }
            if !self.read(place)? {
                let decided = self.decided.get(&partition).is_some_and(|next| on < *next);
                let is_deleted = is_first && self.stretches[place].is_cut;
                return Ok(match (decided, is_deleted) {
                    (false, _) => Found::Undecided,
                    (true, true) => Found::Deleted,
                    (true, false) => Found::Nothing,
                });
            }
        }
    }

    /// The next decision on a record of a partition that is not behind `on`.
    fn take(&mut self, place: usize, partition: i32, on: i64) -> Option<Recorded> {
        let waiting = self.waiting[place].entry(partition).or_default();
        if waiting.recorded.front()?.on > on {
            return None;
        }
        self.held -= 1;
        let recorded = waiting.recorded.pop_front()?;
        if recorded.on == on {
            waiting.last = Some(on);
        }
        Some(recorded)
    }

    /// A decision on a record that led to none here.
    fn pass(&mut self, place: usize, partition: i32, recorded: &Recorded, found: &mut Findings) {
        let waiting = self.waiting[place].entry(partition).or_default();
        if waiting.last == Some(recorded.on) {
            noted(found).again += 1;
            return;
        }
        waiting.last = Some(recorded.on);
        let seen = self.shards.get(&partition).map(|shard| shard.seen);
        let is_seen = seen.is_some_and(|(first, last)| (first..=last).contains(&recorded.on));
        if is_seen && reports(self.range, &members(&recorded.text)) {
            let place = Place::Id(format!("{}:{partition}:{}", self.operations, recorded.on));
            found.differs(Some((place, &recorded.text)), None);
        }
    }

    /// Takes in the next decision of a partition of the topic; false where there is none.
    fn read(&mut self, place: usize) -> Result<bool, String> {
        let unread = |error: Unreadable| format!("cannot read the topic {}: {error}", self.name);
        self.decisions.fill(&[place]).map_err(unread)?;
        let Some(held) = self.decisions.front(place) else { return Ok(false) };
        let text = |bytes: Option<&[u8]>| bytes.and_then(|bytes| str::from_utf8(bytes).ok()).map(str::to_owned);
        let id = text(held.header(0)).unwrap_or_default();
        let position = text(held.header(1)).unwrap_or_default();
        let position = position.split(',').next().and_then(|first| first.parse().ok()).unwrap_or(0);
        let recorded = text(held.value);
        let offset = held.offset;
        self.decisions.pop(place);
        // Of another topic, or nobody's: then it is no decision on what is read here.
        let on = id.strip_prefix(&self.operations).and_then(|rest| rest.strip_prefix(':'));
        let on = on.and_then(|rest| rest.split_once(':')).and_then(|(p, o)| Some((p.parse().ok()?, o.parse().ok()?)));
        if let Some(((partition, on), text)) = on.zip(recorded) {
            let waiting = self.waiting[place].entry(partition).or_default();
            waiting.recorded.push_back(Recorded { on, offset, position, text });
            self.held += 1;
        }
        if self.held > limits::VERIFY_HELD {
            return Err(format!(
                "more than {} decisions wait for their records: the partitions of {} are too far apart",
                limits::VERIFY_HELD,
                self.name
            ));
        }
        Ok(true)
    }

    /// Nothing more comes: what is left is of records that led to nothing here, or that were not read.
    pub(super) fn settle(&mut self, found: &mut Findings) {
        let partitions: Vec<i32> = self.shards.keys().copied().collect();
        for place in 0..self.stretches.len() {
            while found.stopped.is_none() {
                for partition in &partitions {
                    while let Some(recorded) = self.take(place, *partition, i64::MAX) {
                        self.pass(place, *partition, &recorded, found);
                    }
                }
                match self.read(place) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(why) => found.stopped = Some(why),
                }
            }
        }
    }
}

fn noted(found: &mut Findings) -> &mut Logged {
    found.logged.get_or_insert_default()
}

impl Shard {
    fn new(engines: &Engines, partition: i32, first: i64) -> Shard {
        let settings = engine::Settings { partition: Some(partition), ..engines.settings };
        Shard {
            engine: Engine::new(Arc::clone(&engines.packs), Arc::clone(&engines.geo), settings),
            exported: Exported::default(),
            decision: Decision::default(),
            changes: Changes::default(),
            told: 0,
            position: 0,
            decided: None,
            seen: (first, first),
        }
    }

    /// Ends the tick before a decision, where that was the first of another; then restrictions count up to its position.
    fn begin(&mut self, recorded: &Recorded, restrictions: &[(i64, StateRecord)]) -> Result<(), String> {
        let goes_on = self.decided == Some(recorded.offset - 1) && self.position == recorded.position;
        self.decided = Some(recorded.offset);
        if goes_on {
            return Ok(());
        }
        self.end_tick();
        self.position = self.position.max(recorded.position);
        while let Some((offset, record)) = restrictions.get(self.told).filter(|(offset, _)| *offset < self.position) {
            self.engine.apply_restriction(record, *offset).map_err(|error| {
                format!(
                    "the record of restrictions at offset {offset} cannot be used: {error}; --config names the sidecar's \
                     configuration, with the key by which it hashes wallets"
                )
            })?;
            self.told += 1;
        }
        Ok(())
    }

    fn end_tick(&mut self) {
        self.exported.state.clear();
        self.exported.restrictions.clear();
        self.engine.export(&mut self.exported);
    }

    /// Decides, and writes the decision; false where the event is refused.
    fn decide(&mut self, event: &Event<'_>, reference: Option<Timestamp>, packs: &Packs, out: &mut Vec<u8>) -> bool {
        out.clear();
        let input = Input::Event { event, reference };
        let decided = self.engine.step(&input, &mut self.decision, &mut self.changes).is_ok();
        if decided {
            encode::encode(&self.decision, event, packs, out);
        }
        decided
    }
}

/// Every record of `restrictions`, which has one partition.
fn restrictions(cluster: &Cluster, topic: &str) -> Result<Vec<(i64, StateRecord)>, Unreadable> {
    let found = stretches::find(cluster, topic, None)?;
    let mut reader = Stretches::open(cluster, topic, &found, &[])?;
    let mut records = Vec::new();
    loop {
        reader.fill(&[0])?;
        let Some(held) = reader.front(0) else { return Ok(records) };
        let key = held.key.unwrap_or_default().to_vec();
        records.push((held.offset, StateRecord { key, value: held.value.map(<[u8]>::to_vec) }));
        reader.pop(0);
        if records.len() > limits::VERIFY_HELD {
            let most = limits::VERIFY_HELD;
            return Err(Unreadable(format!("{topic} has more than the {most} records that are held in memory")));
        }
    }
}
