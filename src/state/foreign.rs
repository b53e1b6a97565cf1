//! Memories whose key does not hold the wallet: of an address, of a counterparty.
//!
//! They are kept as wallets are: what all measures remember of one key is one record, whose cells are looked at and lengthened
//! as they lie. Of a key that comes once in a while nothing is at hand, so that each record and each line of the table that
//! is looked up is waited for: with a record for each measure, two of one key took twice as many. That, and reading ahead
//! no more than the first lines of a record, was a tenth of the time of the default pack with the typologies.
//!
//! Since no wallet's next event lets go of what has passed, every new record has an old one looked at, table by table.

mod restore;

use super::{
    Hash, SlotId,
    arena::Handle,
    bytes::{Draft, Reader},
    cells::{Cell, Cells, LONG_ROOM, Lies, each_cell, long_place, put_long, put_moved},
    memory::{Item, KeyForm, KeyId, Layout, Memory, Shape, Stamp, passed_below},
    packed::Look,
    records::{HASH_BYTES, LENGTH_BYTES, Records, length_at, put_length},
    slab::Slab,
};
use crate::{limits::RULES, memory::Supply, time::Timestamp, window::Moment};
use std::ops::Range;

/// A record is the hash, the length of all, and the cells.
const HEAD_BYTES: usize = HASH_BYTES + LENGTH_BYTES;

/// A record that is longer than this has its memories moved out of it: entries of a few measures may each be as long as an
/// event, and a length has 24 bits.
const LONG_RECORD: usize = 1 << 20;
const _: () = assert!(LONG_RECORD < 1 << (8 * LENGTH_BYTES) && LONG_ROOM * 2 * RULES < 1 << (8 * LENGTH_BYTES));

const BEGUN: &str = "an event has begun";

/// All memories of foreign keys, and those that the event at hand has asked for.
#[derive(Debug, Default)]
pub struct Foreign {
    records: Records,
    long: Slab<Memory>,
    /// How many memories there are.
    count: usize,
    /// What packed instants are counted from.
    origin: Option<Timestamp>,
    /// Of the records that are open.
    cells: Cells,
    /// By the number of the fields that a key is of, the record of the event's key.
    opened: Vec<Opened>,
    /// Those of the event at hand whose record is to be written.
    changed: Vec<KeyId>,
    packed: Draft,
    /// What each slot's memories have passed below, while a table is looked through.
    passed_below: Vec<i64>,
    /// The table that is looked through next, and how many records have come since the last one was.
    next: usize,
    inserted: usize,
    /// Keys whose memories have gone, where somebody writes that down.
    gone: Option<Vec<(SlotId, Hash)>>,
}

/// The record of an event's key.
#[derive(Clone, Debug, Default)]
struct Opened {
    turn: u64,
    key: Hash,
    handle: Option<Handle>,
    /// Which of the open cells are its.
    cells: Range<usize>,
    changed: bool,
}

/// The hash of a key of some fields. Turning some bits of a hash by the fields keeps different ones different.
fn mark(KeyId(number): KeyId, key: Hash) -> Hash {
    key ^ (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

/// The fields that the keys of a slot are of.
fn key_of(shape: &Shape) -> KeyId {
    match shape.key {
        KeyForm::OfRecord(key) => key,
        KeyForm::Nothing | KeyForm::Amount | KeyForm::Hashed => {
            unreachable!("the key of a foreign slot is its record's")
        }
    }
}

impl Foreign {
    /// Where the memory comes from that records lie in.
    pub fn supply(&mut self, supply: &Supply) {
        self.records.supply(supply);
    }

    /// Begins with an event at `time`.
    pub fn begin(&mut self, time: Timestamp, shapes: &[Shape]) {
        self.origin.get_or_insert(time);
        self.cells.begin(shapes);
        self.changed.clear();
    }

    /// Reads the records of keys that will be asked for soon, and nothing of what they say.
    pub fn look_ahead(&self, keys: &[(SlotId, Hash)], shapes: &[Shape]) -> u64 {
        let hash = |(slot, key): &(SlotId, Hash)| mark(key_of(&shapes[usize::from(slot.0)]), *key);
        self.records.look_ahead(keys.iter().map(hash), length_of)
    }

    /// What is remembered of a key, for an event. What is changed in it is not kept.
    pub fn look(&mut self, slot: SlotId, key: Hash, shapes: &[Shape], moment: &Moment<'_>) -> Look<'_> {
        self.open(slot, key, shapes);
        let lies = self.locate(slot, shapes);
        let moment = &Moment { newest: moment.time, ..*moment };
        let layout = self.cells.held[usize::from(slot.0)].layout;
        if let (Lies::Packed { body, .. }, Layout::Log { .. } | Layout::Values(_)) = (lies, layout)
            && let Some(lying) = self.cells.lying(slot, body, self.origin.expect(BEGUN), moment)
        {
            return lying.look(&self.cells.bytes);
        }
        self.shown(slot, lies).map_or(Look::Nothing, Look::Memory)
    }

    /// A memory to be looked at. What passes meanwhile is not let go of for good: whether the event will be remembered, and
    /// its key be as new as it, is not known yet.
    fn shown(&mut self, slot: SlotId, lies: Lies) -> Option<&mut Memory> {
        match lies {
            Lies::Packed { body, .. } => Some(self.cells.show(slot, body, self.origin.expect(BEGUN))),
            lies => self.held(slot, lies),
        }
    }

    /// Remembers an event in a memory as it lies, of which the event is the newest. False where that cannot be done: where
    /// it is long, where the event is late, where the measure keeps a total, an instant, or a log of months.
    pub fn append(&mut self, slot: SlotId, key: Hash, shapes: &[Shape], moment: &Moment<'_>, item: Item<'_>) -> bool {
        if !matches!(self.cells.held[usize::from(slot.0)].layout, Layout::Log { .. } | Layout::Values(_)) {
            return false;
        }
        let id = self.open(slot, key, shapes);
        let lies = self.locate(slot, shapes);
        let moment = Moment { newest: moment.time, ..*moment };
        let remembered = self.cells.remember((slot, 0), lies, self.origin.expect(BEGUN), &moment, item);
        if remembered {
            self.change(id);
        }
        remembered
    }

    /// What is remembered of a key, if anything, to be changed.
    pub fn memory_to_change(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Option<&mut Memory> {
        let id = self.open(slot, key, shapes);
        let lies = self.hold(slot, shapes);
        if lies != Lies::Nowhere {
            self.change(id);
        }
        self.held(slot, lies)
    }

    /// The same, made where there is none.
    pub fn memory_or_new(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> &mut Memory {
        let id = self.open(slot, key, shapes);
        self.change(id);
        match self.hold(slot, shapes) {
            Lies::Long(place) => self.long.get_mut(place),
            lies => self.cells.memory_or_new(slot, lies),
        }
    }

    /// A memory that is unpacked, or long.
    fn held(&mut self, slot: SlotId, lies: Lies) -> Option<&mut Memory> {
        match lies {
            Lies::Here => Some(&mut self.cells.held[usize::from(slot.0)].memory),
            Lies::Long(place) => Some(self.long.get_mut(place)),
            _ => None,
        }
    }

    /// Notes that a record is to be written at the end.
    #[inline]
    fn change(&mut self, id: KeyId) {
        if !std::mem::replace(&mut self.opened[usize::from(id.0)].changed, true) {
            self.changed.push(id);
        }
    }

    /// Opens the record of an event's key, and says which fields that is of.
    #[inline]
    fn open(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> KeyId {
        let id = key_of(&shapes[usize::from(slot.0)]);
        match self.opened.get(usize::from(id.0)) {
            Some(opened) if opened.turn == self.cells.turn => {
                assert_eq!(opened.key, key, "an event has one key of the same fields");
            }
            _ => self.open_anew(id, key),
        }
        id
    }

    fn open_anew(&mut self, id: KeyId, key: Hash) {
        let Foreign { records, cells, opened, .. } = self;
        let place = usize::from(id.0);
        if place >= opened.len() {
            opened.resize(place + 1, Opened::default());
        }
        let handle = records.find(mark(id, key));
        let first = cells.cells.len();
        if let Some(handle) = handle {
            let record = records.bytes(handle);
            let begin = cells.copy(&record[..length_of(record)]);
            cells.index(begin + HEAD_BYTES);
        }
        opened[place] = Opened { turn: cells.turn, key, handle, cells: first..cells.cells.len(), changed: false };
    }

    /// Where a slot's memory is in the record that is open; no cell has a key of its own.
    #[inline]
    fn locate(&mut self, slot: SlotId, shapes: &[Shape]) -> Lies {
        self.cells.known(slot, 0).unwrap_or_else(|| self.cells.locate(slot, 0, shapes))
    }

    /// The same; unpacked if it was not yet.
    fn hold(&mut self, slot: SlotId, shapes: &[Shape]) -> Lies {
        match self.locate(slot, shapes) {
            Lies::Packed { cell, body } => self.cells.unpack(slot, cell, body, self.origin.expect(BEGUN)),
            Lies::Fresh => unreachable!("an event is remembered last, and once in each measure"),
            lies => lies,
        }
    }

    /// Puts back what was changed. `horizon` is told of the past that no accepted event can reach.
    pub fn close(&mut self, shapes: &[Shape], horizon: &Moment<'_>) {
        self.write_changed(shapes, Some(horizon));
        if self.inserted > 0 && self.inserted >= self.records.count_in(self.next) {
            self.sweep_one(shapes, horizon);
        }
        self.records.settle();
    }

    fn write_changed(&mut self, shapes: &[Shape], horizon: Option<&Moment<'_>>) {
        for place in 0..self.changed.len() {
            self.write(self.changed[place], shapes, horizon);
        }
    }

    /// Writes the record of a key whose memories have changed, less those of its others that have passed by a horizon.
    fn write(&mut self, id: KeyId, shapes: &[Shape], horizon: Option<&Moment<'_>>) {
        let origin = self.origin.expect(BEGUN);
        let Foreign { records, long, cells, packed, gone, .. } = self;
        let opened = &self.opened[usize::from(id.0)];
        let Cells { bytes, cells, held, asked, fresh, .. } = cells;
        let is_its = |slot: SlotId| key_of(&shapes[usize::from(slot.0)]) == id;
        let hash = mark(id, opened.key);
        begin_record(packed, hash);
        let mut count = 0;
        for cell in cells[opened.cells.clone()].iter().filter(|cell| !cell.taken) {
            let shape = &shapes[usize::from(cell.slot.0)];
            let stamp = Reader::new(bytes, cell.key).signed();
            if horizon.is_some_and(|horizon| stamp < passed_below(shape, origin, horizon)) {
                let_go(cell, bytes, shape, long);
                gone.iter_mut().for_each(|gone| gone.push((cell.slot, opened.key)));
                continue;
            }
            packed.copy(&bytes[cell.begin..cell.end]);
            count += 1;
        }
        for slot in asked.iter().filter(|slot| is_its(**slot)) {
            let (held, shape) = (&mut held[usize::from(slot.0)], &shapes[usize::from(slot.0)]);
            count += usize::from(held.pack(*slot, shape, origin, packed, long));
        }
        let end = fresh.len();
        let anew = fresh.with_margin();
        for cell in each_cell(anew, 0, end).filter(|cell| is_its(cell.slot)) {
            packed.copy(&anew[cell.begin..cell.end]);
            count += 1;
        }
        self.count = self.count + count - opened.cells.len();
        if packed.len() > LONG_RECORD {
            move_out(packed, long, shapes, origin);
        }
        match opened.handle {
            Some(known) if count == 0 => records.remove(hash, known),
            None if count == 0 => {}
            known => {
                put_length(packed.written_mut(), HASH_BYTES);
                records.write(hash, known, packed.written());
                self.inserted += usize::from(known.is_none());
            }
        }
    }

    /// Looks through the next table, as many records having come as are in it.
    #[cold]
    fn sweep_one(&mut self, shapes: &[Shape], horizon: &Moment<'_>) {
        self.inserted = 0;
        let Foreign { records, long, count, origin, passed_below: below, gone, .. } = self;
        let origin = origin.expect(BEGUN);
        below.clear();
        below.extend(shapes.iter().map(|shape| passed_below(shape, origin, horizon)));
        records.retain(self.next, |record| {
            let cells = || each_cell(record, HEAD_BYTES, length_of(record));
            let stamp = |cell: &Cell| Reader::new(record, cell.key).signed();
            if cells().any(|cell| stamp(&cell) >= below[usize::from(cell.slot.0)]) {
                return true;
            }
            for cell in cells() {
                let shape = &shapes[usize::from(cell.slot.0)];
                let_go(&cell, record, shape, long);
                let key = mark(key_of(shape), Reader::new(record, 0).hash());
                gone.iter_mut().for_each(|gone| gone.push((cell.slot, key)));
                *count -= 1;
            }
            false
        });
        self.next = (self.next + 1) % self.records.segments();
    }

    /// Other packs are in force: memories are where `slot_of` says, or nowhere.
    pub fn move_all(&mut self, slot_of: impl Fn(SlotId) -> Option<SlotId>, before: &[Shape], shapes: &[Shape]) {
        for memory in self.long.iter_mut() {
            memory.forget_lengths();
        }
        let Foreign { records, long, packed, .. } = self;
        let old = records.take_all();
        self.count = 0;
        for handle in old.handles() {
            let record = old.bytes(handle);
            let mut known = None;
            begin_record(packed, 0);
            for cell in each_cell(record, HEAD_BYTES, length_of(record)) {
                let shape = &before[usize::from(cell.slot.0)];
                match slot_of(cell.slot) {
                    Some(slot) => {
                        put_moved(packed, slot, &cell, record);
                        let key = mark(key_of(shape), Reader::new(record, 0).hash());
                        known = Some(mark(key_of(&shapes[usize::from(slot.0)]), key));
                        self.count += 1;
                    }
                    None if cell.long => long.release(cell.slot.0.into(), long_place(shape, record, cell.key)),
                    None => {}
                }
            }
            if let Some(hash) = known {
                packed.written_mut()[..HASH_BYTES].copy_from_slice(&hash.to_le_bytes());
                put_length(packed.written_mut(), HASH_BYTES);
                records.write(hash, None, packed.written());
            }
        }
        (self.next, self.inserted) = (0, 0);
        self.long.forget_sorts();
        self.cells.held.clear();
        self.opened.clear();
    }
}

/// The bytes of a record.
fn length_of(record: &[u8]) -> usize {
    length_at(record, HASH_BYTES)
}

/// Begins a record with everything before its cells; its length is written at the end.
#[inline]
fn begin_record(packed: &mut Draft, hash: Hash) {
    packed.clear();
    packed.write(HEAD_BYTES, |out| {
        out.array(&hash.to_le_bytes(), HASH_BYTES);
        out.array(&[0; LENGTH_BYTES], LENGTH_BYTES);
    });
}

/// Writes a record anew with nothing but the places of its memories, which are kept as long ones until they are asked for.
#[cold]
fn move_out(packed: &mut Draft, long: &mut Slab<Memory>, shapes: &[Shape], origin: Timestamp) {
    let end = packed.len();
    let record = packed.with_margin().to_vec();
    begin_record(packed, Reader::new(&record, 0).hash());
    for cell in each_cell(&record, HEAD_BYTES, end) {
        if cell.long {
            packed.copy(&record[cell.begin..cell.end]);
            continue;
        }
        let shape = &shapes[usize::from(cell.slot.0)];
        let place = long.claim(cell.slot.0.into(), || Memory::new(shape));
        let memory = long.get_mut(place);
        memory.clear();
        memory.unpack(origin, &mut Reader::new(&record, cell.key));
        put_long(packed, cell.slot, 0, shape.key, Stamp::of(memory), place, origin);
    }
}

/// A memory has passed; gives back what it had besides its cell.
fn let_go(cell: &Cell, bytes: &[u8], shape: &Shape, long: &mut Slab<Memory>) {
    if cell.long {
        let place = long_place(shape, bytes, cell.key);
        long.get_mut(place).clear();
        long.release(cell.slot.0.into(), place);
    }
}

#[cfg(test)]
mod tests;
