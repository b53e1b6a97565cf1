//! Memories whose key does not hold the wallet: of an address, of a counterparty. Each is a record of its own.
//!
//! They are kept as wallets are, packed, but one by one: nothing but its key brings two of them together. Since no
//! wallet's next event lets go of what has passed, every new one has an old one looked at, table by table.

mod records;

use super::{
    Hash, SlotId,
    arena::{Arena, Handle},
    bytes::{MARGIN, Reader, put_number},
    memory::{Memory, Shape, Stamp, has_passed},
    slab::Slab,
    table::Table,
};
use crate::{time::Timestamp, window::Moment};

/// A record is the hash, the length of all, the slot, and the memory.
const HASH_BYTES: usize = 16;
const HEAD_BYTES: usize = HASH_BYTES + 3;

/// Copies a record out of its block, with a margin behind it.
fn copy_record(block: &[u8], out: &mut Vec<u8>) {
    let [a, b, c] = *block[HASH_BYTES..].first_chunk().expect("a record begins with its head");
    out.clear();
    out.extend_from_slice(&block[..u32::from_le_bytes([a, b, c, 0]) as usize]);
    out.extend_from_slice(&[0; MARGIN]);
}

/// All memories of foreign keys, and those that the event at hand has asked for.
#[derive(Debug, Default)]
pub struct Foreign {
    table: Table,
    arena: Arena,
    long: Slab<Memory>,
    /// What packed instants are counted from.
    origin: Option<Timestamp>,
    turn: u64,
    /// By slot.
    held: Vec<Held>,
    asked: Vec<SlotId>,
    bytes: Vec<u8>,
    packed: Vec<u8>,
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
    changed: bool,
    memory: Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lies {
    Nowhere,
    Here,
    Long(u32),
}

/// The hash of a key in a slot. Turning some bits of a hash by the slot keeps different ones different.
fn mark(slot: SlotId, key: Hash) -> Hash {
    key ^ u128::from(slot.0 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

impl Foreign {
    /// Begins with an event at `time`.
    pub fn begin(&mut self, time: Timestamp, shapes: &[Shape]) {
        self.origin.get_or_insert(time);
        self.turn += 1;
        self.asked.clear();
        while self.held.len() < shapes.len() {
            let memory = Memory::new(&shapes[self.held.len()]);
            self.held.push(Held { turn: 0, hash: 0, handle: None, lies: Lies::Nowhere, changed: false, memory });
        }
    }

    /// Reads the records of keys that will be asked for soon, and nothing of what they say.
    pub fn look_ahead(&self, keys: &[(SlotId, Hash)]) -> u64 {
        let mut read = 0;
        for (slot, key) in keys {
            read ^= self.table.touch(mark(*slot, *key));
        }
        for (slot, key) in keys {
            if let Some(handle) = self.table.guess(mark(*slot, *key)) {
                let record = self.arena.bytes(handle);
                read ^= u64::from(record[0]) ^ u64::from(record[64.min(record.len() - 1)]);
            }
        }
        read
    }

    /// What is remembered of a key, if anything. What is changed in it is not kept.
    pub fn memory(&mut self, slot: SlotId, key: Hash) -> Option<&mut Memory> {
        match self.hold(slot, key) {
            Lies::Nowhere => None,
            Lies::Here => Some(&mut self.held[usize::from(slot.0)].memory),
            Lies::Long(place) => Some(self.long.get_mut(place)),
        }
    }

    /// The same, to be changed.
    pub fn memory_to_change(&mut self, slot: SlotId, key: Hash) -> Option<&mut Memory> {
        let known = self.hold(slot, key) != Lies::Nowhere;
        self.held[usize::from(slot.0)].changed |= known;
        self.memory(slot, key)
    }

    /// The same, made where there is none.
    pub fn memory_or_new(&mut self, slot: SlotId, key: Hash) -> &mut Memory {
        let lies = self.hold(slot, key);
        let held = &mut self.held[usize::from(slot.0)];
        held.changed = true;
        match lies {
            Lies::Long(place) => return self.long.get_mut(place),
            Lies::Nowhere => {
                held.memory.clear();
                held.lies = Lies::Here;
            }
            Lies::Here => {}
        }
        &mut held.memory
    }

    fn hold(&mut self, slot: SlotId, key: Hash) -> Lies {
        let Foreign { table, arena, held, bytes, .. } = self;
        let held = &mut held[usize::from(slot.0)];
        let hash = mark(slot, key);
        if held.turn == self.turn {
            assert_eq!(held.hash, hash, "an event has one key of each measure");
            return held.lies;
        }
        self.asked.push(slot);
        let handle = table.find(hash, |handle| arena.bytes(handle).first_chunk() == Some(&hash.to_le_bytes()));
        (held.turn, held.hash, held.handle, held.changed) = (self.turn, hash, handle, false);
        held.lies = Lies::Nowhere;
        if let Some(handle) = handle {
            copy_record(arena.bytes(handle), bytes);
            let mut reader = Reader::new(bytes, HEAD_BYTES);
            let (_, long) = take_slot(&mut reader);
            held.lies = if long {
                Lies::Long(long_place(&mut reader))
            } else {
                held.memory.unpack(self.origin.expect("an event has begun"), &mut reader);
                Lies::Here
            };
        }
        held.lies
    }

    /// Puts back what was changed. `horizon` is told of the past that no accepted event can reach.
    pub fn close(&mut self, shapes: &[Shape], horizon: &Moment<'_>) {
        let origin = self.origin.expect("an event has begun");
        for place in 0..self.asked.len() {
            let slot = self.asked[place];
            let held = &mut self.held[usize::from(slot.0)];
            if !held.changed {
                continue;
            }
            let shape = &shapes[usize::from(slot.0)];
            match held.lies {
                Lies::Here if !held.memory.is_short() => {
                    held.lies = Lies::Long(self.long.put(std::mem::replace(&mut held.memory, Memory::new(shape))));
                }
                Lies::Long(place) if self.long.get(place).is_short() => {
                    held.memory = self.long.take(place);
                    held.lies = Lies::Here;
                }
                _ => {}
            }
            self.packed.clear();
            self.packed.extend_from_slice(&held.hash.to_le_bytes());
            self.packed.extend_from_slice(&[0; HEAD_BYTES - HASH_BYTES]);
            match held.lies {
                Lies::Long(place) => {
                    put_number(&mut self.packed, u64::from(slot.0) << 1 | 1);
                    Stamp::of(self.long.get(place)).put(origin, &mut self.packed);
                    put_number(&mut self.packed, place.into());
                }
                _ if held.memory.is_empty() => self.packed.clear(),
                _ => {
                    put_number(&mut self.packed, u64::from(slot.0) << 1);
                    held.memory.pack(origin, &mut self.packed);
                }
            }
            let (hash, handle) = (held.hash, held.handle);
            self.write(hash, handle);
            if handle.is_none() && !self.packed.is_empty() {
                self.sweep_some(shapes, horizon);
            }
        }
    }

    /// Writes the packed record to its block, or to another where it has outgrown that or shrunk; an empty one nowhere.
    fn write(&mut self, hash: Hash, known: Option<Handle>) {
        let Foreign { table, arena, packed, .. } = self;
        if packed.is_empty() {
            if let Some(known) = known {
                table.remove(hash, known);
                arena.release(known);
            }
            return;
        }
        let length = u32::try_from(packed.len()).ok().filter(|length| *length < 1 << 24);
        let [a, b, c, _] = length.expect("what is long leaves the record").to_le_bytes();
        packed[HASH_BYTES..HEAD_BYTES].copy_from_slice(&[a, b, c]);
        let handle = match known {
            Some(known) if arena.fits(known, packed.len()) => known,
            Some(known) => {
                let handle = arena.allocate(packed.len());
                table.move_to(hash, known, handle);
                arena.release(known);
                handle
            }
            None => {
                let handle = arena.allocate(packed.len());
                table.insert(hash, handle);
                handle
            }
        };
        arena.bytes_mut(handle)[..packed.len()].copy_from_slice(packed);
    }

    /// Looks through the next table once as many memories have come as are in it.
    fn sweep_some(&mut self, shapes: &[Shape], horizon: &Moment<'_>) {
        self.inserted += 1;
        if self.inserted < self.table.len_of(self.next) {
            return;
        }
        self.inserted = 0;
        let Foreign { table, arena, long, bytes, origin, gone, .. } = self;
        let origin = origin.expect("an event has begun");
        table.retain(self.next, |handle| {
            copy_record(arena.bytes(handle), bytes);
            let mut reader = Reader::new(bytes, HEAD_BYTES);
            let (slot, is_long) = take_slot(&mut reader);
            let behind = reader;
            let passed = has_passed(&shapes[usize::from(slot.0)], &mut reader, origin, horizon);
            if passed {
                if let Some(gone) = gone {
                    gone.push((slot, mark(slot, Reader::new(bytes, 0).hash())));
                }
                if is_long {
                    long.take(long_place(&mut { behind }));
                }
                arena.release(handle);
            }
            !passed
        });
        self.next = (self.next + 1) % self.table.segments();
    }

    /// Other packs are in force: memories are where `slot_of` says, or nowhere.
    pub fn move_all(&mut self, slot_of: impl Fn(SlotId) -> Option<SlotId>) {
        for memory in self.long.iter_mut() {
            memory.forget_lengths();
        }
        let handles: Vec<Handle> = self.table.handles().collect();
        self.table = Table::default();
        (self.next, self.inserted) = (0, 0);
        for handle in handles {
            copy_record(self.arena.bytes(handle), &mut self.bytes);
            let hash = Reader::new(&self.bytes, 0).hash();
            let mut reader = Reader::new(&self.bytes, HEAD_BYTES);
            let (old, long) = take_slot(&mut reader);
            self.arena.release(handle);
            match slot_of(old) {
                Some(slot) => {
                    let hash = mark(slot, mark(old, hash));
                    self.packed.clear();
                    self.packed.extend_from_slice(&hash.to_le_bytes());
                    self.packed.extend_from_slice(&[0; HEAD_BYTES - HASH_BYTES]);
                    put_number(&mut self.packed, u64::from(slot.0) << 1 | u64::from(long));
                    self.packed.extend_from_slice(&self.bytes[reader.at()..self.bytes.len() - MARGIN]);
                    self.write(hash, None);
                }
                None if long => {
                    self.long.take(long_place(&mut reader));
                }
                None => {}
            }
        }
        self.held.clear();
    }
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
