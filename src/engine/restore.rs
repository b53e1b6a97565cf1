//! A shard that is put together again from the records of its partition of `state`.
//!
//! Records are only looked at when all are there: what a number in one stands for is in another. What was written under
//! other packs is then found by what it is, exactly as at a reload. A state that is not whole is refused: what was lost
//! of it would be a restriction that nobody sees any more.

use super::{
    Engine, Settings, StateKey,
    dictionary::Dictionary,
    names::Names,
    plan::Plan,
    records::{CELLS, Extent, MANY_IDS, MANY_MEMORIES, NEAR, Recorder, SPECIAL, ids::IdsLog},
    reload::Successor,
    shared::{Place, Shared},
};
use crate::{
    event::Fault,
    geo::Geo,
    hash::HashKey,
    rules::Packs,
    state::{
        AsIs, Hash, HashedMap, SlotId,
        ids::Remembered,
        memory::{KeyForm, Memory},
        record::{
            RecordError, Sealer, TickRecord, cells,
            codec::{Malformed, Read, Source},
            join,
            key::{Key, Owner, SlotNumber},
            memory::{self, Bodies},
            numbers::Places,
            shown,
            wallet::{Head, read_id, read_special},
        },
        special::Special,
        wallets::{Memories, Own, Restored},
    },
    time::Timestamp,
};
use hashbrown::HashMap;
use std::{collections::BTreeMap, fmt, hash::BuildHasherDefault, sync::Arc};

type Map<K, V> = HashMap<K, V, BuildHasherDefault<AsIs>>;

/// Why there is no engine.
#[derive(Debug)]
pub enum RestoreError {
    Records(RecordError),
    /// The packs cannot take over from those that were in force.
    Packs(Fault),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Records(error) => error.fmt(f),
            RestoreError::Packs(fault) => f.write_str(&fault.message),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<RecordError> for RestoreError {
    fn from(error: RecordError) -> Self {
        RestoreError::Records(error)
    }
}

/// Records as they come.
#[derive(Debug)]
pub struct Restoration {
    sealer: Sealer,
    /// Whether records may be missing that were to be written together with others.
    torn: bool,
    /// First parts, less their seals.
    wallets: HashedMap<Hash, Box<[u8]>>,
    others: Map<Key, Box<[u8]>>,
    /// Parts behind the first.
    parts: Map<Key, BTreeMap<u16, Box<[u8]>>>,
    tick: Option<TickRecord>,
}

impl Restoration {
    #[must_use]
    pub fn new(hash_key: HashKey) -> Restoration {
        Restoration {
            sealer: Sealer(hash_key),
            torn: false,
            wallets: HashedMap::default(),
            others: Map::default(),
            parts: Map::default(),
            tick: None,
        }
    }

    /// Without transactions some records of the last tick may be there and others not: then it is not held against the
    /// state how many records of wallets, foreign keys and addresses there are.
    #[must_use]
    pub fn torn(self) -> Restoration {
        Restoration { torn: true, ..self }
    }

    /// Takes one record of the shard's partition, or a tombstone. Those of one key come in the order of their offsets,
    /// different keys in any order.
    ///
    /// # Errors
    /// An unknown version, or damage.
    pub fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), RecordError> {
        let (name, part) = Key::read(key).map_err(|Malformed(what)| RecordError::Wrong { key: shown(key), what })?;
        let Some(value) = value else {
            self.forget(name, part);
            return Ok(());
        };
        let rest = self.sealer.open(key, value)?;
        if name == Key::Tick {
            let wrong = |Malformed(what)| RecordError::Wrong { key: shown(key), what };
            let body = join(self.sealer, &[Some(rest)]).map_err(wrong)?;
            self.tick = Some(TickRecord::read(&body).map_err(wrong)?);
        } else if part > 0 {
            self.parts.entry(name).or_default().insert(part, rest.into());
        } else if let Key::Wallet(wallet) = name {
            self.wallets.insert(wallet, rest.into());
        } else {
            self.others.insert(name, rest.into());
        }
        Ok(())
    }

    fn forget(&mut self, name: Key, part: u16) {
        match (name, part) {
            (Key::Wallet(wallet), 0) => drop(self.wallets.remove(&wallet)),
            (Key::Tick, 0) => self.tick = None,
            (name, 0) => drop(self.others.remove(&name)),
            (name, part) => {
                if let Some(parts) = self.parts.get_mut(&name) {
                    parts.remove(&part);
                    if parts.is_empty() {
                        self.parts.remove(&name);
                    }
                }
            }
        }
    }

    /// The newest tick's record among those taken.
    #[must_use]
    pub fn tick(&self) -> Option<&TickRecord> {
        self.tick.as_ref()
    }

    /// The shard as it was, under these packs; where others were in force this is a reload. Where no record was taken but
    /// that of a tick, a new shard.
    ///
    /// # Errors
    /// Records that are not one state, or packs that cannot take over.
    pub fn finish(mut self, packs: &Arc<Packs>, geo: Arc<Geo>, settings: Settings) -> Result<Engine, RestoreError> {
        if self.wallets.is_empty() && self.others.is_empty() && self.parts.is_empty() {
            return Ok(Engine::new(Arc::clone(packs), geo, settings));
        }
        let dictionary = self.one(Key::Dictionary)?;
        let (before, mut names) = read(Key::Dictionary, &dictionary, Dictionary::read)?;
        let clock_body = self.one(Key::Clock)?;
        let clock = read(Key::Clock, &clock_body, Clock::read)?;
        let Successor { packs, plan, dictionary: after } =
            Successor::new(&before, clock.newest, packs).map_err(RestoreError::Packs)?;
        names.load(&packs, settings.hash_key);
        let places = after.places(&names);
        let mut engine = Engine::of(packs, geo, settings, plan, after, names);
        (engine.newest, engine.horizon) = (clock.newest, clock.horizon);
        let mut recorder = Recorder::new(settings.hash_key);
        (recorder.topic.dictionary, recorder.topic.clock) = (dictionary, clock_body);
        let count = |parts: &BTreeMap<u16, Box<[u8]>>| Some(parts.last_key_value()?.0 + 1);
        recorder.topic.parts = self.parts.iter().filter_map(|(key, parts)| Some((*key, count(parts)?))).collect();
        let mut shard = Shard {
            places,
            engine: &mut engine,
            recorder: &mut recorder,
            pieces: Map::default(),
            shared: Shared::new(settings.partition.unwrap_or_default(), settings.hash_key),
            measured: before.numbers().slots,
            foreign: 0,
        };
        self.fill(&mut shard)?;
        let (foreign, mut shared) = (shard.foreign, shard.shared);
        shared.go_on_from(clock.sequence);
        if !self.torn {
            clock.check(&engine, foreign, &shared)?;
        }
        engine.take_up(recorder, shared);
        Ok(engine)
    }

    /// Reads all records but those of which there is one.
    fn fill(&mut self, shard: &mut Shard<'_>) -> Result<(), RecordError> {
        let mut cells: HashedMap<Hash, Cells> = HashedMap::default();
        let keys: Vec<Key> = self.others.keys().copied().collect();
        for key in keys.iter().filter(|key| matches!(key, Key::Piece(..) | Key::Cell(..))) {
            let body = self.one(*key)?;
            match *key {
                Key::Piece(owner, label) => drop(shard.pieces.entry(owner).or_default().insert(label, body)),
                Key::Cell(wallet, slot, key) => drop(cells.entry(wallet).or_default().insert((slot, key), body)),
                _ => unreachable!("the others are left out"),
            }
        }
        for (key, first) in std::mem::take(&mut self.others) {
            let body = self.whole(key, &first)?;
            read(key, &body, |source| shard.other(key, source))?;
        }
        for (wallet, first) in std::mem::take(&mut self.wallets) {
            let key = Key::Wallet(wallet);
            let own = cells.remove(&wallet);
            // Nearly every wallet is one part, which is read where it lies.
            if self.parts.contains_key(&key) {
                let body = self.whole(key, &first)?;
                read(key, &body, |source| shard.wallet(wallet, source, own))?;
            } else {
                read(key, &first, |source| {
                    if source.number()? != 1 {
                        return Err(Malformed("parts of it are missing or too many"));
                    }
                    shard.wallet(wallet, source, own)
                })?;
            }
        }
        if let Some((key, _)) = self.parts.iter().next() {
            return Err(wrong(*key, Malformed("its first part is missing")));
        }
        if let Some((wallet, _)) = cells.into_iter().next() {
            let what = format!("the record of wallet {wallet:032x} is missing, though memories of it are there");
            return Err(RecordError::Missing { what });
        }
        shard.orphans()
    }

    /// The body of the one record under a key, which is taken out.
    fn one(&mut self, key: Key) -> Result<Vec<u8>, RecordError> {
        let missing = || RecordError::Missing { what: format!("there is no record {}", name_of(key)) };
        let first = self.others.remove(&key).ok_or_else(missing)?;
        self.whole(key, &first)
    }

    /// The body of a record whose first part is this.
    fn whole(&mut self, key: Key, first: &[u8]) -> Result<Vec<u8>, RecordError> {
        let parts = self.parts.remove(&key).unwrap_or_default();
        let most = parts.last_key_value().map_or(0, |(part, _)| *part);
        let more = (1..=most).map(|part| parts.get(&part).map(AsRef::as_ref));
        let all: Vec<Option<&[u8]>> = std::iter::once(Some(first)).chain(more).collect();
        join(self.sealer, &all).map_err(|malformed| wrong(key, malformed))
    }
}

/// The memories of one wallet that are records of their own.
type Cells = BTreeMap<(SlotNumber, Hash), Vec<u8>>;

fn name_of(key: Key) -> String {
    let mut name = crate::state::record::codec::Sink::default();
    key.write(0, &mut name);
    shown(&name.bytes)
}

fn wrong(key: Key, Malformed(what): Malformed) -> RecordError {
    RecordError::Wrong { key: name_of(key), what }
}

/// Reads a body to its end.
fn read<T>(key: Key, body: &[u8], read: impl FnOnce(&mut Source<'_>) -> Read<T>) -> Result<T, RecordError> {
    let mut source = Source::new(body);
    let found = read(&mut source).and_then(|found| source.end().map(|()| found));
    found.map_err(|malformed| wrong(key, malformed))
}

/// How far time has come, and how many records there are.
struct Clock {
    newest: Option<Timestamp>,
    horizon: Timestamp,
    wallets: u64,
    foreign: u64,
    addresses: u64,
    all: bool,
    /// How often it has told others.
    sequence: u64,
}

impl Clock {
    fn read(source: &mut Source<'_>) -> Read<Clock> {
        Ok(Clock {
            newest: source.option(Source::time)?,
            horizon: source.any_time()?,
            wallets: source.number()?,
            foreign: source.number()?,
            addresses: source.number()?,
            all: source.flag()?,
            sequence: source.number()?,
        })
    }

    fn check(&self, engine: &Engine, foreign: u64, shared: &Shared) -> Result<(), RecordError> {
        let store = &engine.store;
        let found = [
            ("wallets", self.wallets, store.wallets.count() as u64),
            ("foreign keys", self.foreign, foreign),
            ("addresses with restrictions", self.addresses, shared.own_addresses() as u64),
            ("lists of restrictions on all", self.all.into(), u64::from(shared.written().0)),
        ];
        match found.into_iter().find(|(_, wanted, found)| wanted != found) {
            None => Ok(()),
            Some((of, wanted, found)) => {
                Err(RecordError::Missing { what: format!("it had {wanted} {of} and the records are of {found}") })
            }
        }
    }
}

/// A shard that is being filled.
struct Shard<'a> {
    places: Places,
    engine: &'a mut Engine,
    recorder: &'a mut Recorder,
    shared: Shared,
    /// By owner, until it is read.
    pieces: Map<Owner, Bodies>,
    /// The measures of the packs that were in force, and how many foreign keys there were of these.
    measured: Vec<SlotNumber>,
    foreign: u64,
}

impl Shard<'_> {
    fn other(&mut self, key: Key, source: &mut Source<'_>) -> Read<()> {
        match key {
            Key::Address(address) => self.place(Place::Address(address), source),
            Key::All => self.place(Place::All, source),
            Key::Foreign(number, key) => self.foreign(number, key, source),
            _ => Err(Malformed("no record has such a key")),
        }
    }

    fn place(&mut self, place: Place, source: &mut Source<'_>) -> Read<()> {
        let Engine { dictionary, names, .. } = &mut *self.engine;
        self.shared.read_own(place, source, dictionary, names)
    }

    fn foreign(&mut self, number: SlotNumber, key: Hash, source: &mut Source<'_>) -> Read<()> {
        self.foreign += u64::from(self.measured.contains(&number));
        let Some(slot) = self.slot(number, false)? else {
            self.recorder.topic.orphans.push(Key::Foreign(number, key));
            return source.skip();
        };
        let memory = self.memory(slot, Owner::Foreign(number, key), NEAR, source)?;
        if let Some(labels) = memory.1 {
            self.recorder.topic.foreign.insert((number, key), labels);
        }
        let near = self.engine.newest.unwrap_or(NEAR);
        self.engine.store.foreign.put_back(slot, key, memory.0, near, &self.engine.plan.shapes);
        Ok(())
    }

    /// The slot of a number, if it is in the packs.
    fn slot(&self, number: SlotNumber, of_wallet: bool) -> Read<Option<SlotId>> {
        let slot = self.places.slot(number)?;
        match slot {
            Some(SlotId(place)) if self.engine.plan.slots[usize::from(place)].of_wallet != of_wallet => {
                Err(Malformed("a measure is kept where others are"))
            }
            slot => Ok(slot),
        }
    }

    /// A memory, and the labels of its pieces where it has any.
    fn memory(
        &mut self,
        slot: SlotId,
        owner: Owner,
        near: Timestamp,
        source: &mut Source<'_>,
    ) -> Read<(Memory, Option<Vec<u64>>)> {
        let (pieces, mut labels) = (&mut self.pieces, None);
        let memory = memory::read(source, self.engine.plan.shape(slot), near, || {
            let bodies = pieces.remove(&owner).unwrap_or_default();
            labels = (!bodies.is_empty()).then(|| bodies.keys().copied().collect());
            bodies
        })?;
        Ok((memory, labels))
    }

    fn wallet(&mut self, wallet: Hash, source: &mut Source<'_>, cells: Option<Cells>) -> Read<()> {
        let mut extent = Extent::default();
        let Head { newest, status } = Head::read(source)?;
        let flags = source.byte()?;
        if flags > SPECIAL | MANY_IDS | MANY_MEMORIES | CELLS {
            return Err(Malformed("a flag is not known"));
        }
        let special = if flags & SPECIAL != 0 { read_special(source, &self.places)? } else { Special::default() };
        let ids = if flags & MANY_IDS != 0 {
            self.many_ids(wallet, source, &mut extent)?
        } else {
            source.list(|source| read_id(source, newest))?
        };
        let memories = match (flags & (MANY_MEMORIES | CELLS), cells) {
            (MANY_MEMORIES, own) => {
                Memories::Opened(self.many_memories(wallet, source, own.unwrap_or_default(), &mut extent)?)
            }
            (CELLS, None) => Memories::Own(self.own_memories(wallet, newest, source, &mut extent)?),
            (0, None) => Memories::Opened(self.memories_of_version_1(wallet, newest, source, &mut extent)?),
            (CELLS | 0, Some(_)) => return Err(Malformed("there are memories of it that it does not have")),
            _ => return Err(Malformed("its memories are in two places")),
        };
        if !extent.is_empty() {
            self.recorder.topic.wallets.insert(wallet, extent);
        }
        let Engine { store, plan, settings, .. } = &mut *self.engine;
        let oldest = Timestamp(newest.0 - settings.dedup);
        let restored = Restored { newest, status, special, ids, memories };
        store.wallets.put_back(wallet, restored, oldest, &plan.shapes);
        Ok(())
    }

    fn many_ids(&mut self, wallet: Hash, source: &mut Source<'_>, extent: &mut Extent) -> Read<Vec<Remembered>> {
        let (first, full, last) = IdsLog::read(source)?;
        let bodies = self.pieces.remove(&Owner::Ids(wallet)).unwrap_or_default();
        let mut ids = Vec::new();
        let labels = first..first + full + u64::from(last > 0);
        if !bodies.keys().copied().eq(labels.clone()) {
            return Err(Malformed("pieces of its ids are missing or too many"));
        }
        for (label, body) in bodies {
            let mut piece = Source::new(&body);
            let of_piece = piece.list(|source| read_id(source, NEAR))?;
            piece.end()?;
            let wanted = if label < first + full { super::records::ids::PIECE } else { last };
            if of_piece.len() != wanted {
                return Err(Malformed("a piece of its ids is of another time"));
            }
            ids.extend(of_piece);
        }
        extent.ids = Some(IdsLog::restored(first, &ids));
        Ok(ids)
    }

    /// Memories that lie in the wallet's own record.
    fn own_memories<'s>(
        &mut self,
        wallet: Hash,
        newest: Timestamp,
        source: &mut Source<'s>,
        extent: &mut Extent,
    ) -> Read<Vec<(SlotId, Hash, Own<'s, Memory>)>> {
        let count = source.count()?;
        let mut memories = Vec::with_capacity(count);
        let mut before = None;
        for _ in 0..count {
            let (number, is_long, mut cell) = cells::read_head(source)?;
            let slot = self.slot(number, true)?;
            let key = slot.map(|slot| cells::read_key(self.engine.plan.shape(slot).key, &mut cell)).transpose()?;
            // Nothing is known of the keys of what is no longer in the packs.
            let name = (number, key);
            if before.replace(name).is_some_and(|before| before > name || (before == name && key.is_some())) {
                return Err(Malformed("memories are out of order"));
            }
            let (Some(slot), Some(key)) = (slot, key) else { continue };
            let memory = if is_long {
                let (memory, labels) = self.memory(slot, Owner::OfWallet(wallet, number, key), newest, &mut cell)?;
                cell.end()?;
                extent.long.extend(labels.map(|labels| ((number, key), labels)));
                Own::Opened(memory)
            } else {
                Own::Short(cells::read_short(&mut cell, self.engine.plan.shape(slot), newest)?)
            };
            memories.push((slot, key, memory));
        }
        Ok(memories)
    }

    /// The same as version 1 had them.
    fn memories_of_version_1(
        &mut self,
        wallet: Hash,
        newest: Timestamp,
        source: &mut Source<'_>,
        extent: &mut Extent,
    ) -> Read<Vec<(SlotId, Hash, Memory)>> {
        let mut memories = Vec::new();
        let mut before = None;
        for _ in 0..source.count()? {
            let number = source.small()?;
            let mut group = Source::new(source.text_bytes()?);
            if before.replace(number).is_some_and(|before| before >= number) {
                return Err(Malformed("measures are out of order"));
            }
            let Some(slot) = self.slot(number, true)? else { continue };
            let form = self.engine.plan.shape(slot).key;
            let mut last = None;
            for _ in 0..group.count()? {
                let key = fitting(form, group.wide()?)?;
                if last.replace(key).is_some_and(|last| last >= key) {
                    return Err(Malformed("keys are out of order"));
                }
                let (memory, labels) = self.memory(slot, Owner::OfWallet(wallet, number, key), newest, &mut group)?;
                extent.long.extend(labels.map(|labels| ((number, key), labels)));
                memories.push((slot, key, memory));
            }
            group.end()?;
        }
        Ok(memories)
    }

    /// Memories that are records of their own.
    fn many_memories(
        &mut self,
        wallet: Hash,
        source: &mut Source<'_>,
        cells: Cells,
        extent: &mut Extent,
    ) -> Read<Vec<(SlotId, Hash, Memory)>> {
        if source.number()? != cells.len() as u64 {
            return Err(Malformed("memories of it are missing or too many"));
        }
        let mut memories = Vec::with_capacity(cells.len());
        let known = extent.cells.insert(std::collections::BTreeSet::new());
        for ((number, key), body) in cells {
            let Some(slot) = self.slot(number, true)? else {
                self.recorder.topic.orphans.push(Key::Cell(wallet, number, key));
                // The wallet's record says how many there are.
                self.recorder.rewrite(StateKey::Wallet(wallet));
                continue;
            };
            let key = fitting(self.engine.plan.shape(slot).key, key)?;
            let mut cell = Source::new(&body);
            let (memory, labels) = self.memory(slot, Owner::OfWallet(wallet, number, key), NEAR, &mut cell)?;
            cell.end()?;
            extent.long.extend(labels.map(|labels| ((number, key), labels)));
            known.insert((number, key));
            memories.push((slot, key, memory));
        }
        Ok(memories)
    }

    /// Pieces that nobody has asked for are of measures that are no longer in the packs.
    fn orphans(&mut self) -> Result<(), RecordError> {
        for (owner, bodies) in std::mem::take(&mut self.pieces) {
            let number = match owner {
                Owner::Ids(_) => None,
                Owner::OfWallet(_, number, _) | Owner::Foreign(number, _) => Some(number),
            };
            for label in bodies.into_keys() {
                let key = Key::Piece(owner, label);
                match number.map(|number| self.places.slot(number)) {
                    Some(Ok(None)) => self.recorder.topic.orphans.push(key),
                    _ => return Err(wrong(key, Malformed("it is a piece of nothing"))),
                }
            }
        }
        self.recorder.topic.orphans.sort_unstable();
        Ok(())
    }
}

/// A key that a measure can have.
fn fitting(form: KeyForm, key: Hash) -> Read<Hash> {
    let fits = match form {
        KeyForm::Nothing => key == 0,
        KeyForm::Amount => u64::try_from(key).is_ok(),
        KeyForm::Hashed | KeyForm::OfRecord(_) => true,
    };
    if fits { Ok(key) } else { Err(Malformed("a measure has no such key")) }
}

impl Engine {
    /// Goes on writing where the shard has left off.
    fn take_up(&mut self, recorder: Recorder, shared: Shared) {
        let noting = self.recorder.replace(recorder).is_some();
        self.shared = Some(shared);
        self.settle_all();
        let Engine { store, packs, names, shared, .. } = self;
        store.find_incoming(packs);
        store.wallets.each_restricted(|wallet, standing| {
            if let Some(shared) = shared {
                shared.was_told(wallet, standing, packs, names);
            }
        });
        if !noting {
            (self.recorder, self.shared) = (None, None);
        }
    }

    /// An engine that remembers nothing yet.
    pub(super) fn of(
        packs: Arc<Packs>,
        geo: Arc<Geo>,
        settings: Settings,
        plan: Plan,
        dictionary: Dictionary,
        names: Names,
    ) -> Engine {
        let mut store = super::Store::default();
        if settings.partition.is_some() {
            store.foreign.note_gone();
            store.wallets.note_gone();
        }
        Engine {
            ahead: super::Ahead::new(&plan),
            plan,
            dictionary,
            names,
            packs,
            geo,
            recorder: settings.partition.map(|_| Recorder::new(settings.hash_key)),
            shared: settings.partition.map(|partition| Shared::new(partition, settings.hash_key)),
            settings,
            store,
            newest: None,
            horizon: Timestamp::MIN,
            scratch: super::judge::Scratch::default(),
        }
    }
}
