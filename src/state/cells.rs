//! The memories of a record: where each stands, and what an event asks of those of the records that are open.
//!
//! A cell is a memory behind its measure, its length and, where the record is not of that alone, its key. The records that an event
//! asks for are copied out; a cell is looked at and lengthened as it lies, or unpacked where that cannot be done, and the
//! record is put together again from what nobody asked for, copied, and what is new.

use super::{
    Hash, SlotId,
    bytes::{Draft, MARGIN, Reader, Writer, put_time_over},
    memory::{Item, KeyForm, Kind, Layout, Memory, Packing, Shape, Stamp, passed_below, take_key, write_key},
    packed::{
        Bare, FIRST_VALUE_ROOM, Lying, NUMBER_ROOM, Packed, PackedLog, PackedTotals, PackedValues, Staying,
        TOTALS_ROOM, put_totals, take_totals,
    },
    slab::Slab,
};
use crate::{
    time::{Calendar, Timestamp},
    window::{Moment, calendar::Periods, log::One},
};

/// An hour, in ms.
pub(super) const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Where a memory stands in the record that was copied out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) slot: SlotId,
    /// It lies among the long ones.
    pub(super) long: bool,
    pub(super) begin: usize,
    pub(super) key: usize,
    pub(super) end: usize,
    /// It is not copied as it lies: it has been unpacked for this event, or is written anew.
    pub(super) taken: bool,
}

/// Where each memory stands in `bytes[from..to]`.
pub(super) fn each_cell(bytes: &[u8], from: usize, to: usize) -> impl Iterator<Item = Cell> {
    let mut reader = Reader::new(bytes, from);
    std::iter::from_fn(move || (reader.at() < to).then(|| take_cell(&mut reader)))
}

/// Where the memory stands that comes next.
#[inline(always)]
pub(super) fn take_cell(reader: &mut Reader<'_>) -> Cell {
    let begin = reader.at();
    let (head, length) = reader.pair();
    let length = usize::try_from(length).expect("a length was written as one");
    let key = reader.at();
    let slot = SlotId(u16::try_from(head >> 1).expect("a slot was written as one"));
    reader.pass(length);
    Cell { slot, long: head & 1 != 0, begin, key, end: reader.at(), taken: false }
}

/// Most bytes of a place among the long ones, and of a time or a period.
pub(super) const PLACE_ROOM: usize = 5;
const STAMP_ROOM: usize = 9;
/// Most bytes of a slot, a length and a key.
pub(super) const CELL_HEAD_ROOM: usize = 3 + 9 + 16;

/// Most bytes of a cell that is a place.
pub(super) const LONG_ROOM: usize = CELL_HEAD_ROOM + STAMP_ROOM + PLACE_ROOM;

/// A memory in the record, which takes so many bytes at most.
pub(super) fn put_cell(
    out: &mut Draft,
    slot: SlotId,
    key: Hash,
    form: KeyForm,
    (memory, room): (&Memory, usize),
    origin: Timestamp,
) {
    out.write(CELL_HEAD_ROOM + room, |out| {
        out.number(u64::from(slot.0) << 1);
        out.behind_length(|out| {
            write_key(form, key, out);
            memory.write(origin, out);
        });
    });
}

/// A memory that was written down as it lay.
pub(super) fn put_bare(out: &mut Draft, slot: SlotId, key: Hash, form: KeyForm, memory: &Bare<'_>, origin: Timestamp) {
    out.write(CELL_HEAD_ROOM + memory.room(), |out| {
        out.number(u64::from(slot.0) << 1);
        out.behind_length(|out| {
            write_key(form, key, out);
            memory.put(origin, out);
        });
    });
}

/// The place of a long memory, behind its key and how new it is.
pub(super) fn put_long(
    out: &mut Draft,
    slot: SlotId,
    key: Hash,
    form: KeyForm,
    stamp: Stamp,
    place: u32,
    origin: Timestamp,
) {
    out.write(LONG_ROOM, |out| {
        out.number(u64::from(slot.0) << 1 | 1);
        out.behind_length(|out| {
            write_key(form, key, out);
            stamp.write(origin, out);
            out.number(place.into());
        });
    });
}

/// A cell as it lies in `bytes`, under another slot.
pub(super) fn put_moved(out: &mut Draft, slot: SlotId, cell: &Cell, bytes: &[u8]) {
    let body = &bytes[cell.key..cell.end];
    out.write(CELL_HEAD_ROOM + body.len(), |out| {
        out.number(u64::from(slot.0) << 1 | u64::from(cell.long));
        out.behind_length(|out| out.bytes(body));
    });
}

/// The place of the long memory whose key stands at `at`.
pub(super) fn long_place(shape: &Shape, bytes: &[u8], at: usize) -> u32 {
    let mut reader = Reader::new(bytes, at);
    take_key(shape.key, &mut reader);
    reader.number();
    take_place(&mut reader)
}

/// A place among what was too long for a record.
pub(super) fn take_place(reader: &mut Reader<'_>) -> u32 {
    u32::try_from(reader.number()).expect("a place was written as one")
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
    addition: Addition,
    pub(super) memory: Memory,
    /// What is at least this has not passed by the end of hour number `lasting_hour`, in the terms of [`passed_below`].
    pub(super) lasting: i64,
    pub(super) lasting_hour: i64,
}

/// How an event is added to a short memory as it lies: its [`Layout`] and its [`Kind`] in one question.
#[derive(Clone, Copy, Debug)]
enum Addition {
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
struct Place {
    slot: SlotId,
    key: Hash,
    form: KeyForm,
    /// Where it lay.
    lies: Lies,
    origin: Timestamp,
}

/// The memories of the records that are open.
#[derive(Debug, Default)]
pub struct Cells {
    /// Counts events: what was held for an earlier one is not cleared.
    pub(super) turn: u64,
    /// The records, with a margin.
    pub(super) bytes: Vec<u8>,
    pub(super) cells: Vec<Cell>,
    /// By slot.
    pub(super) held: Vec<Held>,
    /// Slots whose memories were opened.
    pub(super) asked: Vec<SlotId>,
    /// Memories that were written anew as they lie, and how many they are.
    pub(super) fresh: Draft,
    pub(super) fresh_cells: usize,
}

impl Cells {
    /// Begins with another event.
    pub(super) fn begin(&mut self, shapes: &[Shape]) {
        self.turn += 1;
        self.bytes.clear();
        self.cells.clear();
        self.asked.clear();
        self.fresh.clear();
        self.fresh_cells = 0;
        // After a reload there may be other measures.
        while self.held.len() < shapes.len() {
            self.held.push(Held::new(&shapes[self.held.len()]));
        }
    }

    /// Copies a record out, and says where it begins.
    #[inline]
    pub(super) fn copy(&mut self, record: &[u8]) -> usize {
        let begin = self.bytes.len().saturating_sub(MARGIN);
        self.bytes.truncate(begin);
        self.bytes.extend_from_slice(record);
        self.bytes.extend_from_slice(&[0; MARGIN]);
        begin
    }

    /// Notes where each memory stands from `from` on to the end of what was copied last.
    #[inline]
    pub(super) fn index(&mut self, from: usize) {
        let Cells { bytes, cells, held, turn, .. } = self;
        let end = bytes.len() - MARGIN;
        let mut reader = Reader::new(bytes, from);
        while reader.at() < end {
            let cell = take_cell(&mut reader);
            let first = &mut held[usize::from(cell.slot.0)].first;
            if first.0 != *turn {
                *first = (*turn, cells.len());
            }
            cells.push(cell);
        }
    }

    /// Where the memory of a key was found to be for this event, if it was looked for.
    #[inline(always)]
    pub(super) fn known(&self, slot: SlotId, key: Hash) -> Option<Lies> {
        let held = &self.held[usize::from(slot.0)];
        (held.turn == self.turn).then(|| {
            assert_eq!(held.key, key, "an event has one key of each measure");
            held.lies
        })
    }

    /// What the memory whose body begins at `body` says of an event as it lies; nothing where it has to be opened.
    #[inline(always)]
    pub(super) fn lying(&self, slot: SlotId, body: usize, origin: Timestamp, moment: &Moment<'_>) -> Option<Lying> {
        let layout = self.held[usize::from(slot.0)].layout;
        Lying::read(layout, origin, Reader::new(&self.bytes, body), moment)
    }

    /// Remembers an event in a memory as it lies, which is where `lies` says. False where that cannot be done.
    #[inline(always)]
    pub(super) fn remember(
        &mut self,
        (slot, key): (SlotId, Hash),
        lies: Lies,
        origin: Timestamp,
        moment: &Moment<'_>,
        item: Item<'_>,
    ) -> bool {
        let Held { form, addition, .. } = self.held[usize::from(slot.0)];
        let place = &Place { slot, key, form, lies, origin };
        match addition {
            Addition::Time { millis } => self.append(place, millis, moment, &One),
            Addition::Number { millis } => self.append(place, millis, moment, &item.number()),
            Addition::Known { millis } => self.append(place, millis, moment, item.known()),
            Addition::Value { millis } => self.append(place, millis, moment, &item.value()),
            Addition::ToTotal(calendar) => self.add(place, calendar, moment, item.number()),
            Addition::ToValues(calendar) => self.add_value(place, calendar, moment, item.value()),
            Addition::Newest => self.note(place, moment.time),
            Addition::Opened => false,
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
        let Cells { held, turn, cells, bytes, asked, .. } = self;
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

    /// Unpacks the memory of a cell to be looked at; what is changed in it is not kept.
    pub(super) fn show(&mut self, slot: SlotId, body: usize, origin: Timestamp) -> &mut Memory {
        let memory = &mut self.held[usize::from(slot.0)].memory;
        memory.unpack(origin, &mut Reader::new(&self.bytes, body));
        memory
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

    /// The memory of a slot that lies here, or a new one where it lies nowhere.
    pub(super) fn memory_or_new(&mut self, slot: SlotId, lies: Lies) -> &mut Memory {
        let held = &mut self.held[usize::from(slot.0)];
        if lies == Lies::Nowhere {
            held.memory.clear();
            held.lies = Lies::Here;
            self.asked.push(slot);
        }
        &mut held.memory
    }

    /// Adds to the total of a period: where it lies, if there is room for it.
    fn add(&mut self, place: &Place, calendar: Calendar, moment: &Moment<'_>, item: i128) -> bool {
        if place.lies == Lies::Nowhere && moment.newest == moment.time {
            self.write_anew(place, TOTALS_ROOM, |out| PackedTotals::first(calendar, moment, item, out));
            return true;
        }
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
    fn add_value(&mut self, place: &Place, calendar: Calendar, moment: &Moment<'_>, item: u128) -> bool {
        let Cells { bytes, fresh, .. } = self;
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
    fn note(&mut self, place: &Place, time: Timestamp) -> bool {
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
    fn append<V: Packed>(&mut self, place: &Place, millis: i64, moment: &Moment<'_>, value: &V) -> bool {
        let floor = Timestamp(moment.open().0 - millis);
        if moment.time < floor {
            return false;
        }
        let Cells { bytes, fresh, .. } = self;
        let staying = match place.lies {
            Lies::Nowhere => Staying::NOTHING,
            Lies::Packed { body, .. } => {
                let log = PackedLog::read(place.origin, Reader::new(bytes, body));
                let Some(staying) = log.staying::<V>(floor, moment.time) else { return false };
                staying
            }
            Lies::Fresh | Lies::Here | Lies::Long(_) => return false,
        };
        let (mut out, begun) = begin_anew(fresh, place, staying.room(value));
        staying.append(place.origin, moment.time, value, &mut out);
        let end = end_anew(out, begun);
        fresh.end(end);
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
}

/// Writes a memory among those that are written anew, in `room` bytes at most.
#[inline(always)]
fn put_anew(fresh: &mut Draft, place: &Place, room: usize, write: impl FnOnce(&mut Writer<'_>)) {
    let (mut out, begun) = begin_anew(fresh, place, room);
    write(&mut out);
    let end = end_anew(out, begun);
    fresh.end(end);
}

/// Begins a memory that is written anew, and says where its length will stand.
#[inline(always)]
fn begin_anew<'d>(fresh: &'d mut Draft, place: &Place, room: usize) -> (Writer<'d>, usize) {
    let mut out = fresh.writer(CELL_HEAD_ROOM + room);
    out.number(u64::from(place.slot.0) << 1);
    let begun = out.begin_length();
    write_key(place.form, place.key, &mut out);
    (out, begun)
}

/// Ends it, and says where.
#[inline(always)]
fn end_anew(mut out: Writer<'_>, begun: usize) -> usize {
    out.end_length(begun);
    out.at()
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
