//! The wallet whose event is being decided: its record copied out, what the event asks for, and what will be written.

use super::HOUR_MS;
use super::layout::{
    CELL_HEAD_ROOM, Cell, HEAD_BYTES, Head, PLACE_ROOM, head_of, index_cells, long_place, put_cell, put_long,
    take_cell, take_place,
};
use crate::{
    event::ClientStatus,
    state::{
        Hash, SlotId,
        arena::Handle,
        bytes::{Draft, Reader, Writer, put_time_over},
        ids::PackedId,
        many::ManyCells,
        memory::{KeyForm, Kind, Layout, Memory, Packing, Shape, Stamp, passed_below, take_key, write_key},
        packed::{
            FIRST_VALUE_ROOM, NUMBER_ROOM, Packed, PackedLog, PackedTotals, PackedValues, Staying, TOTALS_ROOM,
            put_totals, take_totals,
        },
        records::{HASH_BYTES, LENGTH_BYTES},
        slab::Slab,
        special::Special,
    },
    time::{Calendar, Timestamp},
    window::{Moment, calendar::Periods},
};

/// The wallet whose event is being decided.
#[derive(Debug)]
pub struct Open {
    pub(super) hash: Hash,
    pub(super) handle: Option<Handle>,
    /// Counts wallets that were opened: what was held for an earlier one is not cleared.
    pub(super) turn: u64,
    /// The time of its newest event.
    pub newest: Timestamp,
    /// The last one stated, by arrival.
    pub status: Option<ClientStatus>,
    pub special: Special,
    /// Where it comes from, if it is too long for the record; what is in its place meanwhile means nothing.
    pub(super) long_special: Option<u32>,
    /// As the record has them.
    pub(super) ids: Vec<PackedId>,
    pub(super) many_ids: Option<u32>,
    pub(super) many_cells: Option<u32>,
    /// The record, with a margin.
    pub(super) bytes: Vec<u8>,
    /// What few wallets have, as it will be packed.
    pub(super) scratch: Vec<u8>,
    pub(super) cells: Vec<Cell>,
    /// By slot.
    pub(super) held: Vec<Held>,
    /// Slots whose memories were opened.
    pub(super) asked: Vec<SlotId>,
    /// Memories that were written anew as they lie, and how many they are.
    pub(super) fresh: Draft,
    pub(super) fresh_cells: usize,
    /// The record as it will be.
    pub(super) packed: Draft,
}

impl Default for Open {
    fn default() -> Self {
        Open {
            hash: 0,
            handle: None,
            turn: 0,
            newest: Timestamp::MIN,
            status: None,
            special: Special::default(),
            long_special: None,
            ids: Vec::new(),
            many_ids: None,
            many_cells: None,
            bytes: Vec::new(),
            scratch: Vec::new(),
            cells: Vec::new(),
            held: Vec::new(),
            asked: Vec::new(),
            fresh: Draft::default(),
            fresh_cells: 0,
            packed: Draft::default(),
        }
    }
}

/// The memory of one measure for the event at hand.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) turn: u64,
    /// The turn for which the measure's first cell was noted, and its number: most measures have one at most.
    pub(super) first: (u64, usize),
    pub(super) key: Hash,
    pub(super) lies: Lies,
    pub(super) form: KeyForm,
    pub(super) layout: Layout,
    pub(super) addition: Addition,
    pub(super) memory: Memory,
    /// What is at least this has not passed by the end of hour number `lasting_hour`, in the terms of [`passed_below`].
    pub(super) lasting: i64,
    pub(super) lasting_hour: i64,
}

/// How an event is added to a short memory as it lies: its [`Layout`] and its [`Kind`] in one question.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addition {
    /// Nothing but its time, to windows of so many ms.
    Time {
        millis: i64,
    },
    Number {
        millis: i64,
    },
    Known {
        millis: i64,
    },
    Value {
        millis: i64,
    },
    /// To the total of a period, and to its different values.
    ToTotal(Calendar),
    ToValues(Calendar),
    Newest,
    /// It has to be opened.
    Opened,
}

impl Addition {
    fn to(shape: &Shape) -> Addition {
        match (shape.layout(), shape.kind) {
            (Layout::Log { millis }, Kind::Count | Kind::After) => Addition::Time { millis },
            (Layout::Log { millis }, Kind::Sum) => Addition::Number { millis },
            (Layout::Log { millis }, Kind::Change) => Addition::Known { millis },
            (Layout::Log { millis }, _) => Addition::Value { millis },
            (Layout::Totals(calendar), _) => Addition::ToTotal(calendar),
            (Layout::Values(calendar), _) => Addition::ToValues(calendar),
            (Layout::Newest, _) => Addition::Newest,
            (Layout::Opened, _) => Addition::Opened,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    Nowhere,
    /// In the record that was copied out: the cell of that number, whose memory begins at that byte.
    Packed {
        cell: usize,
        body: usize,
    },
    /// Among those that were written anew.
    Fresh,
    Here,
    Long(u32),
}

/// A memory that is written anew.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: SlotId,
    pub(super) key: Hash,
    pub(super) form: KeyForm,
    /// Where it lay.
    pub(super) lies: Lies,
    pub(super) origin: Timestamp,
}

impl Open {
    /// Becomes a wallet of which nothing has been read yet.
    pub(super) fn reset(&mut self, hash: Hash, handle: Option<Handle>, shapes: &[Shape]) {
        (self.hash, self.handle, self.status) = (hash, handle, None);
        (self.many_ids, self.many_cells) = (None, None);
        self.turn += 1;
        self.ids.clear();
        self.cells.clear();
        self.asked.clear();
        self.fresh.clear();
        self.fresh_cells = 0;
        self.special.clear();
        // After a reload there may be other measures.
        while self.held.len() < shapes.len() {
            self.held.push(Held::new(&shapes[self.held.len()]));
        }
    }

    /// Reads the record of `length` bytes that was copied out; its memories are only looked up.
    pub(super) fn read(&mut self, length: usize, origin: Timestamp, long_specials: &mut Slab<Special>) {
        let head = head_of(&self.bytes);
        (self.newest, self.status) = (head.newest, head.status);
        let mut reader = Reader::new(&self.bytes, HEAD_BYTES);
        if head.special {
            reader.count();
            self.special.unpack(origin, &mut reader);
        }
        if head.long_special {
            let place = take_place(&mut reader);
            std::mem::swap(&mut self.special, long_specials.get_mut(place));
            self.long_special = Some(place);
        }
        if head.many_ids {
            self.many_ids = Some(take_place(&mut reader));
        }
        let (ids, _) = reader.bytes(head.ids * size_of::<PackedId>()).as_chunks();
        self.ids.extend_from_slice(ids);
        if head.many_cells {
            self.many_cells = Some(take_place(&mut reader));
        }
        let Open { cells, held, turn, .. } = self;
        while reader.at() < length {
            let cell = take_cell(&mut reader);
            let first = &mut held[usize::from(cell.slot.0)].first;
            if first.0 != *turn {
                *first = (*turn, cells.len());
            }
            cells.push(cell);
        }
    }

    /// Notes where the memory of a key is, for this event.
    #[inline]
    pub(super) fn found(&mut self, slot: SlotId, key: Hash, lies: Lies) -> Lies {
        let held = &mut self.held[usize::from(slot.0)];
        (held.turn, held.key, held.lies) = (self.turn, key, lies);
        lies
    }

    /// Looks for the memory of a key among those of the record.
    #[inline(always)]
    pub(super) fn locate(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Lies {
        let Open { held, turn, cells, bytes, asked, .. } = self;
        let held = &mut held[usize::from(slot.0)];
        (held.turn, held.key, held.lies) = (*turn, key, Lies::Nowhere);
        let (found, mut number) = held.first;
        if found != *turn {
            return Lies::Nowhere;
        }
        while let Some(cell) = cells.get_mut(number) {
            if cell.slot == slot {
                let mut reader = Reader::new(bytes, cell.key);
                if take_key(held.form, &mut reader) == key {
                    held.lies = if cell.long {
                        cell.taken = true;
                        asked.push(slot);
                        Lies::Long(long_place(&shapes[usize::from(slot.0)], bytes, cell.key))
                    } else {
                        Lies::Packed { cell: number, body: reader.at() }
                    };
                    break;
                }
            }
            number += 1;
        }
        held.lies
    }

    /// Unpacks the memory of a cell.
    pub(super) fn unpack(&mut self, slot: SlotId, cell: usize, body: usize, origin: Timestamp) -> Lies {
        let held = &mut self.held[usize::from(slot.0)];
        held.memory.unpack(origin, &mut Reader::new(&self.bytes, body));
        held.lies = Lies::Here;
        self.cells[cell].taken = true;
        self.asked.push(slot);
        held.lies
    }

    /// Adds to the total of a period: where it lies, if there is room for it.
    pub(super) fn add(&mut self, place: &Place, calendar: Calendar, moment: &Moment<'_>, item: i128) -> bool {
        let mut totals = Periods::default();
        if let Lies::Packed { cell, body } = place.lies {
            let packed = PackedTotals::read(Reader::new(&self.bytes, body));
            let replaced = packed.replaced(calendar, moment, item);
            if replaced.is_some_and(|replaced| replaced.put_over(&mut self.bytes)) {
                return true;
            }
            take_totals(&mut totals, &mut Reader::new(&self.bytes, body));
            self.cells[cell].taken = true;
        } else if place.lies != Lies::Nowhere {
            return false;
        }
        totals.remember(calendar, moment, item);
        // An event of a period that is gone leaves nothing.
        if !totals.is_empty() {
            self.write_anew(place, TOTALS_ROOM, |out| put_totals(&totals, out));
        }
        true
    }

    /// Adds to the different values of a period.
    pub(super) fn add_value(&mut self, place: &Place, calendar: Calendar, moment: &Moment<'_>, item: u128) -> bool {
        let Open { bytes, fresh, .. } = self;
        match place.lies {
            Lies::Nowhere if moment.newest == moment.time => {
                put_anew(fresh, place, FIRST_VALUE_ROOM, |out| PackedValues::first(calendar, moment, item, out));
            }
            Lies::Packed { body, .. } => {
                let values = PackedValues::read(Reader::new(bytes, body));
                if !values.takes(calendar, moment) {
                    return false;
                }
                put_anew(fresh, place, values.room(), |out| values.add(item, out));
            }
            _ => return false,
        }
        self.lies_anew(place);
        true
    }

    /// Notes an instant where it is the newest.
    pub(super) fn note(&mut self, place: &Place, time: Timestamp) -> bool {
        if let Lies::Packed { body, .. } = place.lies {
            let mut reader = Reader::new(&self.bytes, body);
            let known = reader.time(place.origin);
            let length = reader.at() - body;
            if time <= known || put_time_over(&mut self.bytes, body, length, place.origin, time) {
                return true;
            }
        } else if place.lies != Lies::Nowhere {
            return false;
        }
        self.write_anew(place, NUMBER_ROOM, |out| out.time(place.origin, time));
        true
    }

    /// Writes a log anew with one entry more, less what windows of `millis` can no longer reach.
    #[inline(always)]
    pub(super) fn append<V: Packed>(&mut self, place: &Place, millis: i64, moment: &Moment<'_>, value: &V) -> bool {
        let floor = Timestamp(moment.open().0 - millis);
        if moment.time < floor {
            return false;
        }
        let Open { bytes, fresh, .. } = self;
        let staying = match place.lies {
            Lies::Nowhere => Staying::NOTHING,
            Lies::Packed { body, .. } => {
                let log = PackedLog::read(place.origin, Reader::new(bytes, body));
                let Some(staying) = log.staying::<V>(floor, moment.time) else { return false };
                staying
            }
            Lies::Fresh | Lies::Here | Lies::Long(_) => return false,
        };
        put_anew(fresh, place, staying.room(value), |out| staying.append(place.origin, moment.time, value, out));
        self.lies_anew(place);
        true
    }

    /// Writes a memory anew, in `room` bytes at most.
    #[inline]
    fn write_anew(&mut self, place: &Place, room: usize, write: impl FnOnce(&mut Writer<'_>)) {
        put_anew(&mut self.fresh, place, room, write);
        self.lies_anew(place);
    }

    /// A memory has been written anew.
    #[inline(always)]
    fn lies_anew(&mut self, place: &Place) {
        if let Lies::Packed { cell, .. } = place.lies {
            self.cells[cell].taken = true;
        }
        self.fresh_cells += 1;
        self.held[usize::from(place.slot.0)].lies = Lies::Fresh;
    }

    /// Begins the record with everything but the memories.
    pub(super) fn pack_head(&mut self, origin: Timestamp) {
        let Open { packed, special, ids, .. } = self;
        let head = Head {
            newest: self.newest,
            status: self.status,
            special: !special.is_empty() && self.long_special.is_none(),
            long_special: self.long_special.is_some(),
            many_ids: self.many_ids.is_some(),
            many_cells: self.many_cells.is_some(),
            ids: if self.many_ids.is_some() { 0 } else { ids.len() },
        };
        packed.clear();
        packed.write(HEAD_BYTES, |out| {
            out.array(&self.hash.to_le_bytes(), HASH_BYTES);
            out.array(&head.word().to_le_bytes(), 8);
            out.array(&[0; LENGTH_BYTES], LENGTH_BYTES);
        });
        if head.special {
            self.scratch.clear();
            special.pack(origin, &mut self.scratch);
            packed.write(CELL_HEAD_ROOM + self.scratch.len(), |out| out.behind_length(|out| out.bytes(&self.scratch)));
        }
        if let Some(place) = self.long_special {
            packed.write(PLACE_ROOM, |out| out.number(place.into()));
        }
        match self.many_ids {
            Some(place) => packed.write(PLACE_ROOM, |out| out.number(place.into())),
            None => packed.copy(ids.as_flattened()),
        }
        if let Some(place) = self.many_cells {
            packed.write(PLACE_ROOM, |out| out.number(place.into()));
        }
    }

    /// The memories of the packed record from `from` on, which are too many for it.
    pub(super) fn spread_cells(
        &mut self,
        from: usize,
        origin: Timestamp,
        shapes: &[Shape],
        long: &mut Slab<Memory>,
        many: &mut ManyCells,
    ) {
        let length = self.packed.len();
        let bytes = self.packed.with_margin();
        self.cells.clear();
        index_cells(bytes, from, length, &mut self.cells);
        for cell in &self.cells {
            let shape = &shapes[usize::from(cell.slot.0)];
            let mut reader = Reader::new(bytes, cell.key);
            let key = take_key(shape.key, &mut reader);
            let place = if cell.long {
                long_place(shape, bytes, cell.key)
            } else {
                let place = long.claim(cell.slot.0.into(), || Memory::new(shape));
                let memory = long.get_mut(place);
                memory.clear();
                memory.unpack(origin, &mut reader);
                place
            };
            many.insert((cell.slot, key), place);
        }
    }
}

/// Writes a memory among those that are written anew, in `room` bytes at most.
#[inline(always)]
fn put_anew(fresh: &mut Draft, place: &Place, room: usize, write: impl FnOnce(&mut Writer<'_>)) {
    let mut out = fresh.writer(CELL_HEAD_ROOM + room);
    out.number(u64::from(place.slot.0) << 1);
    let begun = out.begin_length();
    write_key(place.form, place.key, &mut out);
    write(&mut out);
    out.end_length(begun);
    let end = out.at();
    fresh.end(end);
}

impl Held {
    fn new(shape: &Shape) -> Held {
        Held {
            turn: 0,
            first: (0, 0),
            key: 0,
            lies: Lies::Nowhere,
            form: shape.key,
            layout: shape.layout(),
            addition: Addition::to(shape),
            memory: Memory::new(shape),
            lasting: 0,
            lasting_hour: i64::MIN,
        }
    }

    /// Works out what outlasts the hour of the event, where the event before was of another. Months and the days of a time
    /// zone cost more than all else of a memory that is only copied, and most were used not long ago.
    #[inline(never)]
    pub(super) fn outlast(&mut self, hour: i64, shape: &Shape, origin: Timestamp, moment: &Moment<'_>) {
        let end = Timestamp((hour + 1) * HOUR_MS).min(Timestamp::MAX);
        self.lasting = passed_below(shape, origin, &Moment { newest: end, ..*moment });
        self.lasting_hour = hour;
    }

    /// Appends the memory, unless nothing is left of it. One that has become long moves out, a short one back.
    pub(super) fn pack(
        &mut self,
        slot: SlotId,
        shape: &Shape,
        origin: Timestamp,
        out: &mut Draft,
        long: &mut Slab<Memory>,
    ) -> bool {
        if let Lies::Long(place) = self.lies
            && long.get(place).is_short()
        {
            std::mem::swap(long.get_mut(place), &mut self.memory);
            long.release(slot.0.into(), place);
            self.lies = Lies::Here;
        }
        let place = match self.lies {
            Lies::Nowhere | Lies::Packed { .. } | Lies::Fresh => return false,
            Lies::Long(place) => place,
            Lies::Here => match self.memory.packing() {
                Packing::Empty => return false,
                Packing::Short(room) => {
                    put_cell(out, slot, self.key, shape.key, (&self.memory, room), origin);
                    return true;
                }
                Packing::Long => {
                    let place = long.claim(slot.0.into(), || Memory::new(shape));
                    std::mem::swap(long.get_mut(place), &mut self.memory);
                    self.lies = Lies::Long(place);
                    place
                }
            },
        };
        put_long(out, slot, self.key, shape.key, Stamp::of(long.get(place)), place, origin);
        true
    }
}
