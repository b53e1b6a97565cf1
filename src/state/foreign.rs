//! Memories whose key does not hold the wallet: of an address, of a counterparty. Each is a record of its own.
//!
//! They are kept as wallets are, packed, but one by one: nothing but its key brings two of them together. Since no
//! wallet's next event lets go of what has passed, every new one has an old one looked at, table by table.

mod restore;

use super::{
    Hash, SlotId,
    arena::Handle,
    bytes::{Draft, Reader},
    memory::{Item, Kind, Layout, Memory, Packing, Shape, Stamp, passed_below},
    packed::{FIRST_VALUE_ROOM, Look, Lying, NUMBER_ROOM, Packed, PackedLog, PackedValues, Staying},
    records::{HASH_BYTES, LENGTH_BYTES, Records, length_at, put_length},
    slab::Slab,
};
use crate::{
    memory::Supply,
    time::{Calendar, Timestamp},
    window::{Moment, log::One},
};

/// A record is the hash, the length of all, the slot, and the memory.
const HEAD_BYTES: usize = HASH_BYTES + LENGTH_BYTES;

/// Most bytes before the memory: the head and a slot.
const BEFORE_ROOM: usize = HEAD_BYTES + NUMBER_ROOM;
/// Most bytes of a place among the long ones, and of how new it is.
const LONG_ROOM: usize = 2 * NUMBER_ROOM;

const BEGUN: &str = "an event has begun";
const RECORD: &str = "what is packed has a record";

/// All memories of foreign keys, and those that the event at hand has asked for.
#[derive(Debug, Default)]
pub struct Foreign {
    records: Records,
    long: Slab<Memory>,
    /// What packed instants are counted from.
    origin: Option<Timestamp>,
    turn: u64,
    /// By slot.
    held: Vec<Held>,
    /// Slots whose memories were opened to be changed.
    changed: Vec<SlotId>,
    packed: Draft,
    /// What each slot's memories have passed below, while a table is looked through.
    passed_below: Vec<i64>,
    /// The table that is looked through next, and how many memories have come since the last one was.
    next: usize,
    inserted: usize,
    /// Keys whose memories have gone, where somebody writes that down.
    gone: Option<Vec<(SlotId, Hash)>>,
}

/// The memory of one measure for the event at hand.
#[derive(Debug)]
struct Held {
    turn: u64,
    hash: Hash,
    handle: Option<Handle>,
    lies: Lies,
    layout: Layout,
    changed: bool,
    memory: Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lies {
    Nowhere,
    /// In its record, so many bytes behind its beginning.
    Packed(usize),
    Here,
    Long(u32),
}

/// The hash of a key in a slot. Turning some bits of a hash by the slot keeps different ones different.
fn mark(slot: SlotId, key: Hash) -> Hash {
    key ^ u128::from(slot.0 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

impl Foreign {
    /// Where the memory comes from that records lie in.
    pub fn supply(&mut self, supply: &Supply) {
        self.records.supply(supply);
    }

    /// Begins with an event at `time`.
    pub fn begin(&mut self, time: Timestamp, shapes: &[Shape]) {
        self.origin.get_or_insert(time);
        self.turn += 1;
        self.changed.clear();
        while self.held.len() < shapes.len() {
            let shape = &shapes[self.held.len()];
            let (lies, layout, memory) = (Lies::Nowhere, shape.layout(), Memory::new(shape));
            self.held.push(Held { turn: 0, hash: 0, handle: None, lies, layout, changed: false, memory });
        }
    }

    /// Reads the records of keys that will be asked for soon, and nothing of what they say.
    pub fn look_ahead(&self, keys: &[(SlotId, Hash)]) -> u64 {
        self.records.look_ahead(keys.iter().map(|(slot, key)| mark(*slot, *key)))
    }

    /// What is remembered of a key, for an event. What is changed in it is not kept.
    pub fn look(&mut self, slot: SlotId, key: Hash, moment: &Moment<'_>) -> Look<'_> {
        let lies = self.locate(slot, key);
        if lies == Lies::Nowhere {
            return Look::Nothing;
        }
        let layout = self.held[usize::from(slot.0)].layout;
        let moment = &Moment { newest: moment.time, ..*moment };
        if let (Lies::Packed(at), Layout::Log { .. } | Layout::Values(_)) = (lies, layout) {
            let handle = self.held[usize::from(slot.0)].handle.expect(RECORD);
            let reader = Reader::new(self.records.bytes(handle), at);
            if let Some(lying) = Lying::read(layout, self.origin.expect(BEGUN), reader, moment) {
                return lying.look(self.records.bytes(handle));
            }
        }
        match self.memory(slot, key) {
            None => Look::Nothing,
            Some(memory) => Look::Memory(memory),
        }
    }

    /// Remembers an event in a log as it lies, of which the event is the newest. False where that cannot be done: where
    /// the log is long, where the event is late, where the measure keeps no log or one of months.
    pub fn append(&mut self, slot: SlotId, key: Hash, shapes: &[Shape], moment: &Moment<'_>, item: Item<'_>) -> bool {
        let shape = &shapes[usize::from(slot.0)];
        let millis = match self.held[usize::from(slot.0)].layout {
            Layout::Log { millis } => millis,
            Layout::Values(calendar) => {
                let moment = Moment { newest: moment.time, ..*moment };
                return self.append_value(slot, key, calendar, &moment, item.value());
            }
            Layout::Totals(_) | Layout::Newest | Layout::Opened => return false,
        };
        let floor = Timestamp(moment.time.0 - moment.lateness - millis);
        let lies = self.locate(slot, key);
        match shape.kind {
            Kind::Count | Kind::After => self.append_to(slot, lies, floor, moment.time, &One),
            Kind::Sum => self.append_to(slot, lies, floor, moment.time, &item.number()),
            Kind::Distinct | Kind::New => self.append_to(slot, lies, floor, moment.time, &item.value()),
            Kind::Change => self.append_to(slot, lies, floor, moment.time, item.known()),
            Kind::Streak(_) | Kind::Newest => false,
        }
    }

    /// Writes a log anew with one entry more, less those before `floor`.
    #[inline(always)]
    fn append_to<V: Packed>(&mut self, slot: SlotId, lies: Lies, floor: Timestamp, time: Timestamp, value: &V) -> bool {
        let origin = self.origin.expect(BEGUN);
        let Held { hash, handle, .. } = self.held[usize::from(slot.0)];
        let staying = match lies {
            Lies::Nowhere => Staying::NOTHING,
            Lies::Packed(at) => {
                let log = PackedLog::read(origin, Reader::new(self.records.bytes(handle.expect(RECORD)), at));
                let Some(staying) = log.staying::<V>(floor, time) else { return false };
                staying
            }
            Lies::Here | Lies::Long(_) => return false,
        };
        begin_record(&mut self.packed, hash, slot, false);
        self.packed.write(staying.room(value), |out| staying.append(origin, time, value, out));
        // It is looked for again if it is asked for again.
        self.held[usize::from(slot.0)].turn = 0;
        self.write(hash, handle);
        true
    }

    /// Adds to the different values of a period, of which the event is the newest.
    fn append_value(&mut self, slot: SlotId, key: Hash, calendar: Calendar, moment: &Moment<'_>, item: u128) -> bool {
        let lies = self.locate(slot, key);
        let Held { hash, handle, .. } = self.held[usize::from(slot.0)];
        let Foreign { records, packed, .. } = self;
        match lies {
            Lies::Nowhere => {
                begin_record(packed, hash, slot, false);
                packed.write(FIRST_VALUE_ROOM, |out| PackedValues::first(calendar, moment, item, out));
            }
            Lies::Packed(at) => {
                let values = PackedValues::read(Reader::new(records.bytes(handle.expect(RECORD)), at));
                if !values.takes(calendar, moment) {
                    return false;
                }
                begin_record(packed, hash, slot, false);
                packed.write(values.room(), |out| values.add(item, out));
            }
            Lies::Here | Lies::Long(_) => return false,
        }
        // It is looked for again if it is asked for again.
        self.held[usize::from(slot.0)].turn = 0;
        self.write(hash, handle);
        true
    }

    /// What is remembered of a key, if anything. What is changed in it is not kept.
    pub fn memory(&mut self, slot: SlotId, key: Hash) -> Option<&mut Memory> {
        match self.hold(slot, key) {
            Lies::Here => Some(&mut self.held[usize::from(slot.0)].memory),
            Lies::Long(place) => Some(self.long.get_mut(place)),
            Lies::Nowhere | Lies::Packed(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn memory_to_change(&mut self, slot: SlotId, key: Hash) -> Option<&mut Memory> {
        let known = self.hold(slot, key) != Lies::Nowhere;
        self.change(slot, known);
        self.memory(slot, key)
    }

    /// The same, made where there is none.
    pub fn memory_or_new(&mut self, slot: SlotId, key: Hash) -> &mut Memory {
        let lies = self.hold(slot, key);
        self.change(slot, true);
        let held = &mut self.held[usize::from(slot.0)];
        match lies {
            Lies::Long(place) => return self.long.get_mut(place),
            Lies::Nowhere => {
                held.memory.clear();
                held.lies = Lies::Here;
            }
            Lies::Here | Lies::Packed(_) => {}
        }
        &mut held.memory
    }

    /// Notes that a slot's memory is written at the end.
    fn change(&mut self, slot: SlotId, changes: bool) {
        let held = &mut self.held[usize::from(slot.0)];
        if changes && !held.changed {
            held.changed = true;
            self.changed.push(slot);
        }
    }

    /// Where the memory of a key is, unpacked if it was not yet.
    fn hold(&mut self, slot: SlotId, key: Hash) -> Lies {
        let lies = self.locate(slot, key);
        let Lies::Packed(at) = lies else { return lies };
        let Foreign { records, held, origin, .. } = self;
        let held = &mut held[usize::from(slot.0)];
        let mut reader = Reader::new(records.bytes(held.handle.expect(RECORD)), at);
        held.memory.unpack(origin.expect(BEGUN), &mut reader);
        held.lies = Lies::Here;
        Lies::Here
    }

    /// Where the memory of a key is.
    fn locate(&mut self, slot: SlotId, key: Hash) -> Lies {
        let Foreign { records, held, .. } = self;
        let held = &mut held[usize::from(slot.0)];
        let hash = mark(slot, key);
        if held.turn == self.turn {
            assert_eq!(held.hash, hash, "an event has one key of each measure");
            return held.lies;
        }
        let handle = records.find(hash);
        (held.turn, held.hash, held.handle, held.changed) = (self.turn, hash, handle, false);
        held.lies = match handle {
            None => Lies::Nowhere,
            Some(handle) => {
                let mut reader = Reader::new(records.bytes(handle), HEAD_BYTES);
                let (_, long) = take_slot(&mut reader);
                if long { Lies::Long(long_place(&mut reader)) } else { Lies::Packed(reader.at()) }
            }
        };
        held.lies
    }

    /// Puts back what was changed. `horizon` is told of the past that no accepted event can reach.
    pub fn close(&mut self, shapes: &[Shape], horizon: &Moment<'_>) {
        for place in 0..self.changed.len() {
            self.write_changed(self.changed[place], shapes);
        }
        if self.inserted > 0 && self.inserted >= self.records.count_in(self.next) {
            self.sweep_one(shapes, horizon);
        }
        self.records.settle();
    }

    fn write_changed(&mut self, slot: SlotId, shapes: &[Shape]) {
        let origin = self.origin.expect(BEGUN);
        let Foreign { held, long, packed, .. } = self;
        let held = &mut held[usize::from(slot.0)];
        if let Lies::Long(place) = held.lies
            && long.get(place).is_short()
        {
            std::mem::swap(long.get_mut(place), &mut held.memory);
            long.release(slot.0.into(), place);
            held.lies = Lies::Here;
        }
        let (hash, handle) = (held.hash, held.handle);
        match held.lies {
            Lies::Nowhere | Lies::Packed(_) => unreachable!("what was changed is held"),
            Lies::Long(place) => pack_long(packed, hash, slot, Stamp::of(long.get(place)), place, origin),
            Lies::Here => match held.memory.packing() {
                Packing::Empty => packed.clear(),
                Packing::Short(room) => pack_short(packed, hash, slot, (&held.memory, room), origin),
                Packing::Long => {
                    let stamp = Stamp::of(&held.memory);
                    let place = long.claim(slot.0.into(), || Memory::new(&shapes[usize::from(slot.0)]));
                    std::mem::swap(long.get_mut(place), &mut held.memory);
                    pack_long(packed, hash, slot, stamp, place, origin);
                }
            },
        }
        self.write(hash, handle);
    }

    /// Writes the packed record to its place; an empty one nowhere.
    fn write(&mut self, hash: Hash, known: Option<Handle>) {
        let Foreign { records, packed, inserted, .. } = self;
        if packed.len() == 0 {
            if let Some(known) = known {
                records.remove(hash, known);
            }
            return;
        }
        put_length(packed.written_mut(), HASH_BYTES);
        records.write(hash, known, packed.written());
        *inserted += usize::from(known.is_none());
    }

    /// Looks through the next table, as many memories having come as are in it.
    #[cold]
    fn sweep_one(&mut self, shapes: &[Shape], horizon: &Moment<'_>) {
        self.inserted = 0;
        let Foreign { records, long, origin, passed_below: below, gone, .. } = self;
        let origin = origin.expect(BEGUN);
        below.clear();
        below.extend(shapes.iter().map(|shape| passed_below(shape, origin, horizon)));
        records.retain(self.next, |record| {
            let mut reader = Reader::new(record, HEAD_BYTES);
            let (slot, is_long) = take_slot(&mut reader);
            let behind = reader;
            let passed = reader.signed() < below[usize::from(slot.0)];
            if passed {
                if let Some(gone) = gone {
                    gone.push((slot, mark(slot, Reader::new(record, 0).hash())));
                }
                if is_long {
                    let place = long_place(&mut { behind });
                    long.get_mut(place).clear();
                    long.release(slot.0.into(), place);
                }
            }
            !passed
        });
        self.next = (self.next + 1) % self.records.segments();
    }

    /// Other packs are in force: memories are where `slot_of` says, or nowhere.
    pub fn move_all(&mut self, slot_of: impl Fn(SlotId) -> Option<SlotId>) {
        for memory in self.long.iter_mut() {
            memory.forget_lengths();
        }
        (self.next, self.inserted) = (0, 0);
        let old = self.records.take_all();
        for handle in old.handles() {
            let record = old.bytes(handle);
            let hash = Reader::new(record, 0).hash();
            let mut reader = Reader::new(record, HEAD_BYTES);
            let (before, long) = take_slot(&mut reader);
            match slot_of(before) {
                Some(slot) => {
                    let hash = mark(slot, mark(before, hash));
                    begin_record(&mut self.packed, hash, slot, long);
                    self.packed.copy(&record[reader.at()..length_of(record)]);
                    self.write(hash, None);
                }
                None if long => {
                    self.long.release(before.0.into(), long_place(&mut reader));
                }
                None => {}
            }
        }
        self.inserted = 0;
        self.long.forget_sorts();
        self.held.clear();
    }
}

/// The bytes of a record.
fn length_of(record: &[u8]) -> usize {
    length_at(record, HASH_BYTES)
}

/// Begins a record with everything before the memory; its length is written at the end.
#[inline]
fn begin_record(packed: &mut Draft, hash: Hash, slot: SlotId, long: bool) {
    packed.clear();
    packed.write(BEFORE_ROOM, |out| {
        out.array(&hash.to_le_bytes(), HASH_BYTES);
        out.array(&[0; 3], 3);
        out.number(u64::from(slot.0) << 1 | u64::from(long));
    });
}

/// A record of a short memory, which takes so many bytes at most.
fn pack_short(packed: &mut Draft, hash: Hash, slot: SlotId, (memory, room): (&Memory, usize), origin: Timestamp) {
    begin_record(packed, hash, slot, false);
    packed.write(room, |out| memory.write(origin, out));
}

/// A record of the place of a long memory, behind how new it is.
fn pack_long(packed: &mut Draft, hash: Hash, slot: SlotId, stamp: Stamp, place: u32, origin: Timestamp) {
    begin_record(packed, hash, slot, true);
    packed.write(LONG_ROOM, |out| {
        stamp.write(origin, out);
        out.number(place.into());
    });
}

/// The slot of a record and whether its memory is a long one.
fn take_slot(reader: &mut Reader<'_>) -> (SlotId, bool) {
    let head = reader.number();
    (SlotId(u16::try_from(head >> 1).expect("a slot was written as one")), head & 1 != 0)
}

/// The place of a long memory, behind how new it is.
fn long_place(reader: &mut Reader<'_>) -> u32 {
    reader.number();
    u32::try_from(reader.number()).expect("a place was written as one")
}
