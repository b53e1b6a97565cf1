//! One partition of `operations`: its engine, and what becomes of each of its records.
//!
//! A record is read, held against its key and its partition, decided on, and leaves as bytes in the partition's outbox: a
//! decision under the wallet's key, or a dead letter with the original bytes and the diagnosis in headers. What a dead letter
//! could not carry is cut, and says so, so that no record can stop the partition by being too large to refuse.

use super::{
    metrics::{Metrics, Outcome},
    outbox::{Outbox, Spares},
    packs::InForce,
};
use crate::{
    decision::Decision,
    encode,
    engine::{Changes, Engine, Exported, Input},
    event::{Event, Fault, decode::Events},
    files::{
        logged::{Keyed, Logged},
        records::Record,
    },
    hash::HashKey,
    kafka::{
        inbox::Taken,
        member::{ID_HEADER, RESTRICTIONS_HEADER},
        partitioner::Partitioner,
        tags::Ground,
        topics::Role,
    },
    limits,
    mapping::{Mapping, Misfit},
    replay::intake::{Intake, Said},
    rules::Packs,
    sidecar::{Offset, Partition, Standing},
    state::record::{StateRecord, TickRecord},
};
use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often records are told that came to the wrong partition.
const TOLD_AGAIN: Duration = Duration::from_secs(10);

/// What all shards of a process share.
pub struct Common {
    pub packs: InForce,
    pub mapping: Option<Arc<Mapping>>,
    pub hash_key: HashKey,
    /// The name of `operations`, for the ids of decisions.
    pub topic: String,
    pub keys: Keys,
    pub partitioner: Partitioner,
    /// Partitions of `operations`.
    pub partitions: u32,
    /// A record in the wrong partition stops the worker.
    pub stop_at_wrong_partition: bool,
    pub metrics: Arc<Metrics>,
}

/// What the keys of `operations` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The wallet's bytes; a record with another key is rejected.
    Wallet,
    /// Something else by which one wallet's records stay in one partition.
    Other,
}

/// One partition's engine and outbox.
pub struct Shard {
    partition: Partition,
    engine: Engine,
    /// The state has its record of what must stay as it was, or gets it with the first tick.
    grounded: bool,
    pub outbox: Outbox,
    /// Of the tick after it, which is decided while this one ends.
    pub ahead: Outbox,
    /// The offset of the next record after the tick that was committed last, or where it began.
    pub next: Offset,
    /// When a record of another partition was told last.
    told_wrong: Option<Instant>,
}

/// Working space of a worker, used again for every batch.
pub struct Desk {
    intake: Intake,
    events: Events,
    fates: Vec<Fate>,
    decision: Decision,
    changes: Changes,
    exported: Exported,
    spares: Spares,
}

enum Fate {
    Event,
    Rejected(Fault),
    Skipped,
}

impl Desk {
    #[must_use]
    pub fn new(common: &Common, packs: &Arc<Packs>) -> Desk {
        Desk {
            intake: Intake::new(packs, common.mapping.as_ref(), None),
            events: Events::default(),
            fates: Vec::new(),
            decision: Decision::default(),
            changes: Changes::default(),
            exported: Exported::default(),
            spares: Spares::default(),
        }
    }
}

impl Shard {
    #[must_use]
    pub fn new(partition: Partition, engine: Engine, grounded: bool) -> Shard {
        let (outbox, ahead) = Default::default();
        Shard { partition, engine, grounded, outbox, ahead, next: 0, told_wrong: None }
    }

    /// How many wallets are remembered.
    #[must_use]
    pub fn wallets(&self) -> usize {
        self.engine.wallets()
    }

    /// Lets one record of `restrictions` count; between ticks only.
    ///
    /// # Errors
    /// A record that is none of ours.
    pub fn apply(&mut self, offset: Offset, record: &StateRecord) -> Result<(), String> {
        let told = |error| format!("the record of restrictions at offset {offset} cannot be used: {error}");
        self.engine.apply_restriction(record, offset).map_err(told)
    }

    /// Whether other packs can take over.
    ///
    /// # Errors
    /// What of the old ones is still needed and gone.
    pub fn check_packs(&self, packs: &Arc<Packs>) -> Result<(), Fault> {
        self.engine.check_packs(packs)
    }

    /// Puts other packs in force that can take over; between ticks only.
    pub fn reload(&mut self, packs: &Arc<Packs>, desk: &mut Desk) {
        let done = self.engine.step(&Input::Packs(packs), &mut desk.decision, &mut desk.changes);
        done.expect("they were checked");
    }

    /// Decides on records in their order, for this tick or ahead for the next; `restrictions` is how far those of others are
    /// applied.
    ///
    /// # Errors
    /// A record in the wrong partition where that stops the worker, and a mapping that was made for something else.
    pub fn decide<'a>(
        &mut self,
        common: &Common,
        desk: &mut Desk,
        records: impl Iterator<Item = Taken<'a>> + Clone,
        restrictions: &[u8],
        ahead: bool,
    ) -> Result<(), String> {
        desk.events.clear();
        desk.fates.clear();
        for taken in records.clone() {
            let fate = self.read(common, desk, &taken)?;
            desk.fates.push(fate);
        }
        let events: Vec<Event<'_>> = (0..desk.events.len()).map(|place| desk.events.get(place)).collect();
        let hashed = self.engine.look_ahead(events.iter());
        let mut hashed = hashed.iter();
        let outbox = if ahead { &mut self.ahead } else { &mut self.outbox };
        outbox.prepare(&mut desk.spares);
        let mut id = format!("{}:{}:", common.topic, self.partition);
        let place = id.len();
        for (taken, fate) in records.zip(&mut desk.fates) {
            id.truncate(place);
            write!(id, "{}", taken.offset).expect("a String takes whatever is written");
            let rejected = match std::mem::replace(fate, Fate::Skipped) {
                Fate::Skipped => {
                    common.metrics.count(Outcome::Skipped);
                    continue;
                }
                Fate::Rejected(fault) => Some(fault),
                Fate::Event => {
                    let hashed = hashed.next().expect("each fate of an event has its event");
                    let (event, input) = (hashed.event(), Input::Hashed { hashed, reference: Some(taken.appended) });
                    match self.engine.step(&input, &mut desk.decision, &mut desk.changes) {
                        Ok(()) => {
                            let decision = &desk.decision;
                            common.metrics.decided(decision.action, decision.flags.duplicate);
                            answer(outbox, self.engine.packs(), (event, decision), &id, restrictions)
                        }
                        Err(fault) => Some(fault),
                    }
                }
            };
            if let Some(fault) = rejected {
                common.metrics.count(Outcome::Rejected);
                reject(outbox, &taken, &fault, &id);
            }
        }
        Ok(())
    }

    fn read(&mut self, common: &Common, desk: &mut Desk, taken: &Taken<'_>) -> Result<Fate, String> {
        self.check_place(common, taken)?;
        let value = taken.value.unwrap_or_default();
        let offset = u64::try_from(taken.offset).expect("offsets are not negative");
        let record = Record {
            bytes: &value[..value.len().min(limits::RECORD_BYTES)],
            total: u64::try_from(value.len()).expect("lengths fit"),
            line: offset + 1,
            offset,
            unclosed: None,
            row: None,
            logged: Some(Logged {
                appended: Some(taken.appended),
                key: match common.keys {
                    Keys::Wallet => Keyed::ByWallet(taken.key),
                    Keys::Other => Keyed::Otherwise,
                },
                has_value: taken.value.is_some(),
            }),
        };
        let events = &mut desk.events;
        let said = desk.intake.read_as(0, &record, |decoded| events.keep(decoded));
        Ok(match said.map_err(|misfit: Misfit| misfit.to_string())? {
            Said::Event(_) => Fate::Event,
            Said::Rejected(fault) => Fate::Rejected(fault),
            Said::Skipped { .. } | Said::Outside { .. } | Said::Header => Fate::Skipped,
        })
    }

    /// A key that belongs elsewhere has a wallet's history in two places, where nobody sees all of it.
    fn check_place(&mut self, common: &Common, taken: &Taken<'_>) -> Result<(), String> {
        let Some(key) = taken.key else { return Ok(()) };
        let place = common.partitioner.place(key, common.partitions);
        if Partition::try_from(place) == Ok(self.partition) {
            return Ok(());
        }
        common.metrics.wrong_partition();
        let (partition, offset, partitioner) = (self.partition, taken.offset, common.partitioner.name());
        let key = crate::mask::masked(&String::from_utf8_lossy(key));
        let message = format!(
            "the record at offset {offset} of partition {partition} has the key {key}, which {partitioner} puts into \
             partition {place}: a producer uses another partitioner, or the topic has grown"
        );
        if common.stop_at_wrong_partition {
            return Err(message + "; set `wrong_partition = \"count\"` to go on");
        }
        // A wrong partitioner puts every other record elsewhere; all are counted.
        if self.told_wrong.is_none_or(|told| told.elapsed() >= TOLD_AGAIN) {
            self.told_wrong = Some(Instant::now());
            tracing::warn!(partition, offset, belongs = place, "{message}");
        } else {
            tracing::debug!(partition, offset, belongs = place, "{message}");
        }
        Ok(())
    }

    /// Makes the bytes of the changed state and of the tick's record, once a tick: of this one, or of the one that is decided ahead
    /// and full.
    pub fn seal(&mut self, common: &Common, desk: &mut Desk, standing: &Standing, ahead: bool) {
        let outbox = if ahead { &mut self.ahead } else { &mut self.outbox };
        if outbox.sealed().is_some() {
            return;
        }
        outbox.seal(standing.next);
        outbox.prepare(&mut desk.spares);
        desk.exported.restrictions.clear();
        // Where the tick is dropped this shard goes with it, and another reads whether the record is there.
        if !std::mem::replace(&mut self.grounded, true) {
            let partitions = usize::try_from(common.partitions).expect("partitions are counted in 32 bits");
            outbox.record(Role::State, self.partition, &Ground::new(partitions).record());
        }
        outbox.lend(&mut desk.exported.state);
        self.engine.export(&mut desk.exported);
        outbox.take_back(Role::State, self.partition, &mut desk.exported.state);
        for record in &desk.exported.restrictions {
            outbox.record(Role::Restrictions, 0, record);
        }
        let tick = TickRecord {
            next: standing.next,
            incarnation: standing.tag.incarnation,
            tick: standing.tag.tick,
            positions: standing.positions.0.clone(),
        };
        outbox.record(Role::State, self.partition, &tick.record(common.hash_key));
    }

    /// The tick is committed.
    pub fn release(&mut self, desk: &mut Desk) {
        self.next = self.outbox.sealed().unwrap_or(self.next);
        self.outbox.clear(&mut desk.spares);
        std::mem::swap(&mut self.outbox, &mut self.ahead);
    }
}

/// Writes the decision; where it is too large for a record, the fault of the event that leads to it.
fn answer(
    outbox: &mut Outbox,
    packs: &Packs,
    (event, decision): (&Event<'_>, &Decision),
    id: &str,
    restrictions: &[u8],
) -> Option<Fault> {
    let mut length = 0;
    let draft = outbox.write(Role::Decisions, Some(event.wallet.as_bytes()));
    let draft = draft.header(ID_HEADER, id.as_bytes()).header(RESTRICTIONS_HEADER, restrictions);
    draft.value(|out| {
        let start = out.len();
        encode::encode(decision, event, packs, out);
        length = out.len() - start;
    });
    (length > limits::DECISION_BYTES).then(|| {
        outbox.withdraw();
        plain(format!(
            "the decision on this event has {length} bytes and at most {} may be sent; its texts are too long to tell",
            limits::DECISION_BYTES
        ))
    })
}

/// The original bytes go on; what would not fit into a record is cut.
fn reject(outbox: &mut Outbox, taken: &Taken<'_>, fault: &Fault, id: &str) {
    let (key, value) = (taken.key, taken.value);
    let total = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
    let most = if total > limits::DEAD_LETTER_BYTES { limits::RECORD_BYTES } else { total };
    let kept = |bytes: &[u8]| bytes.len().min(most);
    let mut draft = outbox.write(Role::DeadLetters, key.map(|key| &key[..kept(key)]));
    draft = draft.header(ID_HEADER, id.as_bytes());
    draft = draft.header("kuzet-error", fault.message.as_bytes());
    if let Some(field) = &fault.field {
        draft = draft.header("kuzet-field", field.as_bytes());
    }
    if total > limits::DEAD_LETTER_BYTES {
        let bytes = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len).to_string();
        draft = draft.header("kuzet-truncated", b"true");
        draft = draft.header("kuzet-key-bytes", bytes(key).as_bytes());
        draft = draft.header("kuzet-value-bytes", bytes(value).as_bytes());
    }
    match value {
        Some(value) => draft.value(|out| out.extend_from_slice(&value[..kept(value)])),
        None => draft.tombstone(),
    }
}

fn plain(message: String) -> Fault {
    Fault { field: None, message }
}
