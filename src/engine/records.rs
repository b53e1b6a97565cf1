//! The state that has changed, as records of a compacted topic, once a tick.
//!
//! Steps only note what they touch. [`Engine::export`] then writes each record that was touched, once, from what it holds
//! now. What is long goes in pieces, and only those are written that have changed; what a record had in the topic besides
//! itself is known here, so that whatever is no longer there gets a tombstone. The order is that of the keys, so that
//! equal histories are equal bytes.

pub(super) mod ids;

use super::{
    Engine, StateKey, Store,
    dictionary::Dictionary,
    names::Names,
    plan::Plan,
    shared::{Place, Shared},
};
use crate::{
    hash::HashKey,
    rules::Packs,
    state::{
        Hash, SlotId,
        ids::Remembered,
        record::{
            Records, Sealer, StateRecord, cells,
            codec::Sink,
            key::{Key, Owner, SlotNumber},
            memory::{self, Pieces},
            numbers::Numbers,
            wallet::{Head, write_id, write_special},
        },
        wallets::{Own, OwnCell},
    },
    time::Timestamp,
};
use ids::IdsLog;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What changed since it was asked last.
#[derive(Clone, Debug, Default)]
pub struct Exported {
    /// For the shard's partition of `state`.
    pub state: Records,
    /// For `restrictions`, which every shard reads.
    pub restrictions: Vec<StateRecord>,
}

/// Flags of a wallet's record.
pub(super) const SPECIAL: u8 = 1;
pub(super) const MANY_IDS: u8 = 2;
pub(super) const MANY_MEMORIES: u8 = 4;
/// Its memories are its own record's [`cells`]. A wallet with neither this nor many memories is of version 1, where they are by
/// measure, each as [`memory`] writes it.
pub(super) const CELLS: u8 = 8;
/// Instants of records that have no wallet's newest time are counted from here: 2026-01-01T00:00:00Z.
pub(super) const NEAR: Timestamp = Timestamp(1_767_225_600_000);

/// Wallets whose records are read before the first of them is written: few enough to stay at hand until then.
const AT_ONCE: usize = 32;

/// What has been touched, and what the topic holds besides one record of one part for each key.
#[derive(Debug)]
pub(super) struct Recorder {
    touched: Vec<StateKey>,
    /// Ids that came to wallets which have many, by arrival.
    ids: Vec<(Hash, Remembered)>,
    /// Steps have been taken since the last export.
    stepped: bool,
    pub(super) topic: Topic,
}

/// What the topic holds besides one record of one part for each key.
#[derive(Debug)]
pub(super) struct Topic {
    sealer: Sealer,
    pub(super) parts: HashMap<Key, u16>,
    pub(super) wallets: HashMap<Hash, Extent>,
    /// The labels of the pieces of foreign keys.
    pub(super) foreign: HashMap<(SlotNumber, Hash), Vec<u64>>,
    /// What stands there and is nobody's any more.
    pub(super) orphans: Vec<Key>,
    pub(super) dictionary: Vec<u8>,
    pub(super) clock: Vec<u8>,
    scratch: Scratch,
}

/// What a wallet's record is written in: the room is used again for the next one.
#[derive(Debug, Default)]
struct Scratch {
    body: Sink,
    long: Sink,
    /// The memories that lie in its own record.
    cells: Vec<((SlotNumber, Hash), OwnCell)>,
}

/// The records that a wallet has besides its own.
#[derive(Debug, Default)]
pub(super) struct Extent {
    pub(super) ids: Option<IdsLog>,
    /// The labels of the pieces of each long memory.
    pub(super) long: BTreeMap<(SlotNumber, Hash), Vec<u64>>,
    /// The memories that are records of their own.
    pub(super) cells: Option<BTreeSet<(SlotNumber, Hash)>>,
}

impl Extent {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_none() && self.long.is_empty() && self.cells.is_none()
    }
}

impl Recorder {
    pub(super) fn new(hash_key: HashKey) -> Recorder {
        let topic = Topic {
            sealer: Sealer(hash_key),
            parts: HashMap::new(),
            wallets: HashMap::new(),
            foreign: HashMap::new(),
            orphans: Vec::new(),
            dictionary: Vec::new(),
            clock: Vec::new(),
            scratch: Scratch::default(),
        };
        Recorder { touched: Vec::new(), ids: Vec::new(), stepped: false, topic }
    }

    /// A step touched these; `id` is what its wallet, which has many ids, remembers it by.
    #[inline]
    pub(super) fn note(&mut self, touched: &[StateKey], id: Option<(Hash, Remembered)>) {
        self.stepped = true;
        self.touched.extend_from_slice(touched);
        self.ids.extend(id);
    }

    /// A record must be written anew, though no step has changed what it says.
    pub(super) fn rewrite(&mut self, key: StateKey) {
        self.touched.push(key);
    }

    /// Whether nothing that a step has changed is still to be written.
    pub(super) fn is_exported(&self) -> bool {
        !self.stepped
    }

    /// Whether steps may have changed what stands in a place.
    pub(super) fn has_touched(&self, place: Place) -> bool {
        self.stepped && self.touched.contains(&place.state_key())
    }

    /// Other packs are in force: slots are elsewhere, or nowhere. `gone` are memories that went before.
    pub(super) fn reloaded(&mut self, gone: Vec<StateKey>, slot_of: impl Fn(SlotId) -> Option<SlotId>) {
        let touched = std::mem::take(&mut self.touched).into_iter().chain(gone).filter_map(|key| match key {
            StateKey::Foreign(slot, key) => Some(StateKey::Foreign(slot_of(slot)?, key)),
            StateKey::Cell(wallet, slot, key) => Some(StateKey::Cell(wallet, slot_of(slot)?, key)),
            key => Some(key),
        });
        self.touched = touched.collect();
    }
}

impl Engine {
    /// Appends the records of all that changed since the last call, each once, in an order and in bytes that depend on
    /// what was decided alone. A tick asks once, behind its last step, and keeps the bytes until they are committed: for the
    /// engine they are written. Where they are given up the engine must be, too, and another one restored.
    ///
    /// # Panics
    /// Where [`super::Settings::partition`] is not set: then nothing was noted.
    pub fn export(&mut self, out: &mut Exported) {
        let recorder = self.recorder.as_mut().expect("changes are noted where the settings say so");
        let Recorder { touched, ids, topic, .. } = recorder;
        touched.extend(self.store.take_gone());
        touched.sort_unstable();
        touched.dedup();
        ids.sort_by_key(|(wallet, _)| *wallet);
        let numbers = self.dictionary.numbers();
        let mut export = Export {
            packs: &self.packs,
            plan: &self.plan,
            dictionary: &self.dictionary,
            names: &self.names,
            numbers: &numbers,
            dedup: self.settings.dedup,
            store: &mut self.store,
            topic,
            shared: self.shared.as_mut().expect("where changes are noted others are told of them"),
            out: &mut out.state,
            others: &mut out.restrictions,
        };
        export.dictionary();
        let orphans = std::mem::take(&mut export.topic.orphans);
        orphans.into_iter().for_each(|key| export.bury(key));
        let cells = touched.iter().filter_map(|key| match *key {
            StateKey::Cell(wallet, slot, key) => Some((wallet, (slot, key))),
            _ => None,
        });
        let cells: Vec<(Hash, (SlotId, Hash))> = cells.collect();
        for some in touched.chunks(AT_ONCE) {
            export.look_ahead(some);
            for key in some {
                match *key {
                    StateKey::Wallet(wallet) => export.wallet(wallet, of(&cells, wallet), of(ids, wallet)),
                    StateKey::Cell(..) => {}
                    StateKey::Foreign(slot, key) => export.foreign(slot, key),
                    StateKey::Address(address) => export.place(Place::Address(address)),
                    StateKey::All => export.place(Place::All),
                }
            }
        }
        export.clock(self.newest, self.horizon);
        recorder.touched.clear();
        recorder.ids.clear();
        recorder.stepped = false;
    }
}

/// Those of a wallet among those of all, which are sorted by wallet.
fn of<T>(all: &[(Hash, T)], wallet: Hash) -> &[(Hash, T)] {
    let from = all.partition_point(|(other, _)| *other < wallet);
    let length = all[from..].partition_point(|(other, _)| *other == wallet);
    &all[from..from + length]
}

/// One export under way.
struct Export<'a> {
    packs: &'a Packs,
    plan: &'a Plan,
    dictionary: &'a Dictionary,
    names: &'a Names,
    numbers: &'a Numbers,
    dedup: i64,
    store: &'a mut Store,
    topic: &'a mut Topic,
    shared: &'a mut Shared,
    out: &'a mut Records,
    others: &'a mut Vec<StateRecord>,
}

impl Export<'_> {
    /// Reads what will be written next: in the order of their hashes wallets lie anywhere.
    fn look_ahead(&self, keys: &[StateKey]) {
        let wallets = keys.iter().filter_map(|key| match *key {
            StateKey::Wallet(wallet) => Some(wallet),
            _ => None,
        });
        std::hint::black_box(self.store.wallets.look_at_records(wallets));
    }

    fn put(&mut self, key: Key, body: &[u8]) {
        let Topic { sealer, parts, .. } = &mut self.topic;
        let now = sealer.write(key, body, self.out);
        let before = match now {
            // Nearly all are one part, and a look for nothing costs a hash.
            1 if parts.is_empty() => None,
            1 => parts.remove(&key),
            _ => parts.insert(key, now),
        };
        sealer.bury(key, now..before.unwrap_or(now).max(now), self.out);
    }

    fn bury(&mut self, key: Key) {
        let Topic { sealer, parts, .. } = &mut self.topic;
        let before = parts.remove(&key).unwrap_or(1);
        sealer.bury(key, 0..before, self.out);
    }

    /// Writes the pieces of something that have changed, and buries those that it no longer has.
    fn pieces(&mut self, owner: Owner, before: &[u64], pieces: &Pieces) {
        if before.is_empty() && pieces.changed.is_empty() {
            return;
        }
        for (label, body) in &pieces.changed {
            self.put(Key::Piece(owner, *label), body);
        }
        let now: BTreeSet<u64> = pieces.labels.iter().copied().collect();
        for label in before.iter().filter(|label| !now.contains(label)) {
            self.bury(Key::Piece(owner, *label));
        }
    }

    fn dictionary(&mut self) {
        let mut body = Sink::default();
        self.dictionary.write(self.names, &mut body);
        if body.bytes != self.topic.dictionary {
            self.put(Key::Dictionary, &body.bytes);
            self.topic.dictionary = body.bytes;
        }
    }

    /// How far time has come, and how many of the records are there that go one by one: a lost one is noticed.
    fn clock(&mut self, newest: Option<Timestamp>, horizon: Timestamp) {
        let mut body = Sink::default();
        body.option(newest, Sink::time);
        body.any_time(horizon);
        body.count(self.store.wallets.count());
        body.count(self.store.foreign.count());
        body.count(self.shared.own_addresses());
        let (all, sequence) = self.shared.written();
        body.byte(all.into());
        body.number(sequence);
        if body.bytes != self.topic.clock {
            self.put(Key::Clock, &body.bytes);
            self.topic.clock = body.bytes;
        }
    }

    /// What the shard has imposed and lifted in a place: for others, and for its own state.
    fn place(&mut self, place: Place) {
        let list = match place {
            Place::Address(address) => self.store.addresses.get(&address).map_or(&[][..], Vec::as_slice),
            Place::All => &self.store.all,
        };
        self.shared.tell_place(place, list, (self.packs, self.names), self.others);
        let mut body = Sink::default();
        if self.shared.write_own(place, self.dictionary, self.names, &mut body) {
            self.put(place.key(), &body.bytes);
        } else {
            self.bury(place.key());
        }
    }

    fn foreign(&mut self, slot: SlotId, key: Hash) {
        let number = self.numbers.slot(slot);
        let mut body = Sink::default();
        let mut pieces = Pieces::default();
        let known = self.store.foreign.look_at(slot, key, &self.plan.shapes);
        match known.map(|memory| memory::write(memory, NEAR, &mut body, &mut pieces)) {
            Some(()) => self.put(Key::Foreign(number, key), &body.bytes),
            None => self.bury(Key::Foreign(number, key)),
        }
        let before = self.topic.foreign.remove(&(number, key)).unwrap_or_default();
        self.pieces(Owner::Foreign(number, key), &before, &pieces);
        if !pieces.labels.is_empty() {
            self.topic.foreign.insert((number, key), pieces.labels);
        }
    }

    /// A wallet with what it has besides its own record; `cells` are those of its many memories that were touched, `ids`
    /// what came to its many ids.
    fn wallet(&mut self, wallet: Hash, cells: &[(Hash, (SlotId, Hash))], ids: &[(Hash, Remembered)]) {
        let extents = &mut self.topic.wallets;
        let mut extent = if extents.is_empty() { None } else { extents.remove(&wallet) }.unwrap_or_default();
        assert!(self.store.wallets.reopen(wallet, &self.plan.shapes), "a wallet that was touched is remembered");
        let open = &self.store.wallets.open;
        self.shared.tell_wallet(wallet, &open.special.standing, (self.packs, self.names), self.others);
        let newest = open.newest;
        let many_memories = self.store.wallets.has_many_memories();
        let many_ids = self.store.wallets.has_many_ids();
        let mut scratch = std::mem::take(&mut self.topic.scratch);
        let mut body = std::mem::take(&mut scratch.body);
        body.bytes.clear();
        Head { newest, status: open.status }.write(&mut body);
        let special = !open.special.is_empty();
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let memories = if many_memories { MANY_MEMORIES } else { CELLS };
        body.byte(flag(special, SPECIAL) | flag(many_ids, MANY_IDS) | memories);
        if special {
            write_special(&open.special, self.numbers, &mut body);
        }
        self.ids(wallet, newest, &mut extent, ids, &mut body);
        if many_memories {
            self.many_memories(wallet, &mut extent, cells);
            body.count(extent.cells.as_ref().map_or(0, BTreeSet::len));
        } else {
            self.memories(wallet, newest, &mut extent, &mut scratch, &mut body);
        }
        self.put(Key::Wallet(wallet), &body.bytes);
        scratch.body = body;
        self.topic.scratch = scratch;
        if !extent.is_empty() {
            self.topic.wallets.insert(wallet, extent);
        }
    }

    fn ids(
        &mut self,
        wallet: Hash,
        newest: Timestamp,
        extent: &mut Extent,
        came: &[(Hash, Remembered)],
        body: &mut Sink,
    ) {
        let oldest = Timestamp(newest.0 - self.dedup);
        let before = extent.ids.take();
        let labels = before.as_ref().map_or(0..0, IdsLog::labels);
        let owner = Owner::Ids(wallet);
        if !self.store.wallets.has_many_ids() {
            labels.for_each(|label| self.bury(Key::Piece(owner, label)));
            let few = self.store.wallets.few_ids();
            body.count(few.len());
            return few.for_each(|known| write_id(&known, newest, body));
        }
        let many = self.store.wallets.many_ids().expect("ids are few or many");
        let mut log = match (before, many.take_fresh()) {
            (Some(mut log), false) => {
                came.iter().for_each(|(_, known)| log.push(*known));
                log
            }
            _ => {
                let mut log = IdsLog::after(labels.end);
                many.iter().filter(|known| known.time >= oldest).for_each(|known| log.push(known));
                labels.for_each(|label| self.bury(Key::Piece(owner, label)));
                log
            }
        };
        for label in log.forget(oldest) {
            self.bury(Key::Piece(owner, label));
        }
        for (label, ids) in log.take_changed() {
            let mut piece = Sink::default();
            piece.count(ids.len());
            ids.iter().for_each(|known| write_id(known, NEAR, &mut piece));
            self.put(Key::Piece(owner, label), &piece.bytes);
        }
        log.write(body);
        extent.ids = Some(log);
    }

    /// Memories that lie in the wallet's own record, by measure and key.
    fn memories(
        &mut self,
        wallet: Hash,
        newest: Timestamp,
        extent: &mut Extent,
        scratch: &mut Scratch,
        body: &mut Sink,
    ) {
        let Scratch { long, cells, .. } = scratch;
        let Export { numbers, plan, .. } = *self;
        let own = self.store.wallets.own_cells(&plan.shapes);
        cells.clear();
        cells.extend(own.map(|(cell, slot, key)| ((numbers.slot(slot), key), cell)));
        cells.sort_unstable_by_key(|(name, _)| *name);
        body.count(cells.len());
        let mut before = std::mem::take(&mut extent.long);
        for (name, cell) in cells.iter() {
            let mut pieces = Pieces::default();
            match self.store.wallets.own(*cell, &plan.shapes) {
                (key, Own::Short(memory)) => cells::write_short(name.0, key, &memory, newest, body),
                (key, Own::Opened(memory)) => {
                    long.bytes.clear();
                    memory::write(memory, newest, long, &mut pieces);
                    cells::write_long(name.0, key, &long.bytes, body);
                }
            }
            if !before.is_empty() || !pieces.labels.is_empty() {
                let labels = before.remove(name).unwrap_or_default();
                self.long_memory(wallet, *name, &labels, pieces, extent);
            }
        }
        for ((number, key), labels) in before {
            self.pieces(Owner::OfWallet(wallet, number, key), &labels, &Pieces::default());
        }
        for (number, key) in extent.cells.take().unwrap_or_default() {
            self.bury(Key::Cell(wallet, number, key));
        }
    }

    fn long_memory(
        &mut self,
        wallet: Hash,
        (number, key): (SlotNumber, Hash),
        before: &[u64],
        pieces: Pieces,
        extent: &mut Extent,
    ) {
        self.pieces(Owner::OfWallet(wallet, number, key), before, &pieces);
        if !pieces.labels.is_empty() {
            extent.long.insert((number, key), pieces.labels);
        }
    }

    /// Memories that are records of their own: those that were touched or have gone, or all that have just become so.
    fn many_memories(&mut self, wallet: Hash, extent: &mut Extent, touched: &[(Hash, (SlotId, Hash))]) {
        let all = self.store.wallets.take_fresh_memories() || extent.cells.is_none();
        let mut known = extent.cells.take().unwrap_or_default();
        let mut write: BTreeMap<(SlotNumber, Hash), SlotId> = BTreeMap::new();
        for (_, (slot, key)) in touched {
            write.insert((self.numbers.slot(*slot), *key), *slot);
        }
        if all {
            let mut now = BTreeSet::new();
            for (slot, key) in self.store.wallets.each_of_many() {
                let name = (self.numbers.slot(slot), key);
                now.insert(name);
                write.insert(name, slot);
            }
            for name in known.difference(&now).copied().collect::<Vec<_>>() {
                self.bury_memory(wallet, name, extent);
                known.remove(&name);
            }
        }
        for (name, slot) in write {
            if self.one_memory(wallet, name, slot, extent) {
                known.insert(name);
            } else if known.remove(&name) {
                self.bury_memory(wallet, name, extent);
            }
        }
        extent.cells = Some(known);
    }

    fn bury_memory(&mut self, wallet: Hash, (number, key): (SlotNumber, Hash), extent: &mut Extent) {
        self.bury(Key::Cell(wallet, number, key));
        let labels = extent.long.remove(&(number, key)).unwrap_or_default();
        self.pieces(Owner::OfWallet(wallet, number, key), &labels, &Pieces::default());
    }

    /// Whether there is such a memory.
    fn one_memory(&mut self, wallet: Hash, name: (SlotNumber, Hash), slot: SlotId, extent: &mut Extent) -> bool {
        let (number, key) = name;
        let Some(memory) = self.store.wallets.one_of_many(slot, key) else { return false };
        let mut body = Sink::default();
        let mut pieces = Pieces::default();
        memory::write(memory, NEAR, &mut body, &mut pieces);
        self.put(Key::Cell(wallet, number, key), &body.bytes);
        let before = extent.long.remove(&name).unwrap_or_default();
        self.long_memory(wallet, name, &before, pieces, extent);
        true
    }
}
