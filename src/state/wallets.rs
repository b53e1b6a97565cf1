//! All wallets, each a short run of bytes; and the one whose event is being decided, opened.
//!
//! A wallet of ten events a day is some hundred bytes in one or two cache lines, and its handle eight in a table: no
//! vector, no map and no pointer of its own. To decide an event its record is copied out, the parts that the event
//! asks for are unpacked into memory that is used again for every wallet, and all is packed again at the end; what was
//! not asked for is copied as it lies. So a step finds its wallet once, and touches nothing else of the heap.
//!
//! What grows past that leaves the record: a window of more than some dozen entries, the ids of a busy wallet, the
//! memories of one with many keys. The record then holds the place where they are, and they come back when they have
//! shrunk. What has passed is left out whenever a record is packed.
//!
//! A record: the hash (16 bytes), a word of `Head` (8), the length of all (3); then, where there are any, what few
//! wallets have behind its length; the ids, each a [`PackedId`]; the memories, each behind its measure and its length.

mod restore;

pub use restore::Restored;

use super::{
    Hash, SlotId,
    arena::Handle,
    bytes::{Draft, MARGIN, Reader, Writer, put_time_over},
    ids::{ManyIds, PackedId, Remembered, TIME_BITS, is_of, pack_id, pack_time, time_of, unpack_id, unpack_time},
    many::ManyCells,
    memory::{Item, KeyForm, Kind, Layout, Memory, Packing, Shape, Stamp, passed_below, take_key, write_key},
    packed::{
        FIRST_VALUE_ROOM, Look, Lying, NUMBER_ROOM, Packed, PackedLog, PackedTotals, PackedValues, Staying,
        TOTALS_ROOM, put_totals, take_totals,
    },
    records::{HASH_BYTES, LENGTH_BYTES, Records, length_at, put_length},
    slab::Slab,
    special::{Special, Standing},
};
use crate::{
    event::{ClientStatus, TypeId},
    memory::Supply,
    time::{Calendar, Timestamp},
    window::{Moment, calendar::Periods, log::One},
};
use std::ops::Range;

/// Most ids and most memories that lie in a record.
const FEW_IDS: usize = 16;
const FEW_CELLS: usize = 24;
/// An hour, in ms.
const HOUR_MS: i64 = 60 * 60 * 1_000;
/// A record that is longer than this has its memories moved out of it.
const LONG_CELLS: usize = 8 * 1024;

/// Bytes before what differs in length.
const HEAD_BYTES: usize = HASH_BYTES + 8 + LENGTH_BYTES;

const OPENED: &str = "a wallet has been opened";

/// What the word behind the hash says.
#[derive(Clone, Copy, Debug)]
struct Head {
    newest: Timestamp,
    status: Option<ClientStatus>,
    special: bool,
    long_special: bool,
    many_ids: bool,
    many_cells: bool,
    ids: usize,
}

const _: () = assert!(FEW_IDS < 32);

impl Head {
    fn word(&self) -> u64 {
        let status = self.status.map_or(0, |status| 1 + status as u64);
        let flags = u64::from(self.special)
            | u64::from(self.many_ids) << 1
            | u64::from(self.many_cells) << 2
            | u64::from(self.long_special) << 3;
        pack_time(self.newest) | (status | flags << 2 | (self.ids as u64) << 6) << TIME_BITS
    }

    fn read(word: u64) -> Head {
        let rest = word >> TIME_BITS;
        let status = match rest & 3 {
            0 => None,
            1 => Some(ClientStatus::ALL[0]),
            2 => Some(ClientStatus::ALL[1]),
            _ => Some(ClientStatus::ALL[2]),
        };
        Head {
            newest: unpack_time(word),
            status,
            special: rest & 4 != 0,
            many_ids: rest & 8 != 0,
            many_cells: rest & 16 != 0,
            long_special: rest & 32 != 0,
            ids: (rest >> 6 & 31) as usize,
        }
    }
}

/// Where a memory stands in the record that was copied out.
#[derive(Clone, Copy, Debug)]
struct Cell {
    slot: SlotId,
    /// It lies among the long ones.
    long: bool,
    begin: usize,
    key: usize,
    end: usize,
    /// It is not copied as it lies: it has been unpacked for this event, or is written anew.
    taken: bool,
}

/// The memory of one measure for the event at hand.
#[derive(Debug)]
struct Held {
    turn: u64,
    /// The turn for which the measure's first cell was noted, and its number: most measures have one at most.
    first: (u64, usize),
    key: Hash,
    lies: Lies,
    form: KeyForm,
    layout: Layout,
    addition: Addition,
    memory: Memory,
    /// What is at least this has not passed by the end of hour number `lasting_hour`, in the terms of [`passed_below`].
    lasting: i64,
    lasting_hour: i64,
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
enum Lies {
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

/// Things of which one is as good as another.
const ONE_SORT: usize = 0;

/// Memories of wallets with many that have gone, where somebody writes that down.
#[derive(Debug, Default)]
struct Gone {
    /// The wallet that is open.
    wallet: Hash,
    names: Option<Vec<(Hash, SlotId, Hash)>>,
}

/// What is done with memories of the open wallet, which has many, once they have passed.
struct Passing<'a> {
    long: &'a mut Slab<Memory>,
    held: &'a mut [Held],
    turn: u64,
    gone: &'a mut Gone,
    shapes: &'a [Shape],
    moment: &'a Moment<'a>,
}

impl Passing<'_> {
    /// Whether a memory has passed; its place is given back then, and whoever found it for this event forgets where it was.
    fn takes(&mut self, (slot, key): (SlotId, Hash), place: u32) -> bool {
        let sort = usize::from(slot.0);
        if !self.long.get_mut(place).forget(&self.shapes[sort].spans, self.moment) {
            return false;
        }
        self.long.release(sort, place);
        let held = &mut self.held[sort];
        if held.turn == self.turn && held.lies == Lies::Long(place) {
            held.lies = Lies::Nowhere;
        }
        if let Some(names) = &mut self.gone.names {
            names.push((self.gone.wallet, slot, key));
        }
        true
    }
}

/// The wallet whose event is being decided.
#[derive(Debug)]
pub struct Open {
    hash: Hash,
    handle: Option<Handle>,
    /// Counts wallets that were opened: what was held for an earlier one is not cleared.
    turn: u64,
    /// The time of its newest event.
    pub newest: Timestamp,
    /// The last one stated, by arrival.
    pub status: Option<ClientStatus>,
    pub special: Special,
    /// Where it comes from, if it is too long for the record; what is in its place meanwhile means nothing.
    long_special: Option<u32>,
    /// As the record has them.
    ids: Vec<PackedId>,
    many_ids: Option<u32>,
    many_cells: Option<u32>,
    /// The record, with a margin.
    bytes: Vec<u8>,
    /// What few wallets have, as it will be packed.
    scratch: Vec<u8>,
    cells: Vec<Cell>,
    /// By slot.
    held: Vec<Held>,
    /// Slots whose memories were opened.
    asked: Vec<SlotId>,
    /// Memories that were written anew as they lie, and how many they are.
    fresh: Draft,
    fresh_cells: usize,
    /// The record as it will be.
    packed: Draft,
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

/// What an event will ask of its wallet.
#[derive(Clone, Debug)]
pub struct Asked {
    pub wallet: Hash,
    pub id: u64,
    pub kind: TypeId,
    /// The amount as a key, or 0.
    pub amount: Hash,
    /// Which of the values it is that slots without a key of their own will be asked about.
    pub values: Range<usize>,
}

impl Asked {
    /// Nothing but the record of a wallet.
    #[must_use]
    pub fn record_of(wallet: Hash) -> Asked {
        Asked { wallet, id: 0, kind: TypeId(0), amount: 0, values: 0..0 }
    }
}

/// Measures of the wallet that events of one type may ask for, as far as their keys are known before conditions are.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    pub without_key: Vec<SlotId>,
    pub by_amount: Vec<SlotId>,
}

/// What events that come soon will ask for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub asked: &'a [Asked],
    pub values: &'a [(SlotId, Hash)],
    /// By event type.
    pub sought: &'a [Sought],
}

/// A wallet with many ids that will be opened soon, read as far as them.
struct Busy<'a> {
    asked: &'a Asked,
    ids: &'a ManyIds,
    head: Head,
    record: &'a [u8],
    reader: Reader<'a>,
}

impl Sought {
    /// Where what an event asks for lies, among many.
    fn places(&self, asked: &Asked, cells: &ManyCells) -> impl Iterator<Item = u32> {
        let keyed = self.by_amount.iter().map(|slot| (*slot, asked.amount));
        self.without_key.iter().map(|slot| (*slot, 0)).chain(keyed).filter_map(|name| cells.find(name))
    }
}

impl<'a> Expected<'a> {
    /// Nothing but the records of wallets.
    #[must_use]
    pub fn records(asked: &'a [Asked]) -> Expected<'a> {
        Expected { asked, values: &[], sought: &[] }
    }
}

/// All wallets, and one that is open.
#[derive(Debug, Default)]
pub struct Wallets {
    records: Records,
    long: Slab<Memory>,
    many_ids: Slab<ManyIds>,
    many_cells: Slab<ManyCells>,
    long_specials: Slab<Special>,
    /// What packed instants are counted from: that of the first event.
    origin: Option<Timestamp>,
    /// A record of another wallet, on its way.
    other: Vec<u8>,
    gone: Gone,
    pub open: Open,
}

impl Wallets {
    /// Where the memory comes from that records lie in.
    pub fn supply(&mut self, supply: &Supply) {
        self.records.supply(supply);
    }

    /// How many are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records.count()
    }

    /// Where a wallet's record lies, if it has one.
    #[must_use]
    #[inline]
    pub fn find(&self, hash: Hash) -> Option<Handle> {
        self.records.find(hash)
    }

    /// Reads the records of wallets that will be opened soon, and what busy ones remember that will be asked for; nothing
    /// comes of it.
    pub fn look_ahead(&self, expected: Expected<'_>, shapes: &[Shape]) -> u64 {
        let read = self.records.look_ahead(expected.asked.iter().map(|asked| asked.wallet));
        if self.many_ids.held() == 0 {
            return read;
        }
        // What leads to the next line is read for all of them before the next.
        let busy: Vec<Busy<'_>> = expected.asked.iter().filter_map(|asked| self.busy(asked)).collect();
        let read = busy.iter().fold(read, |read, busy| read ^ busy.ids.peek(busy.asked.id));
        busy.into_iter().fold(read, |read, busy| read ^ self.look_ahead_of(busy, expected, shapes))
    }

    /// Nothing where the wallet is quiet: then all of it is in its record.
    #[inline]
    fn busy<'a>(&'a self, asked: &'a Asked) -> Option<Busy<'a>> {
        let record = self.records.guess(asked.wallet)?;
        let (head, mut reader) = (head_of(record), Reader::new(record, HEAD_BYTES));
        if !head.many_ids {
            return None;
        }
        if head.special {
            let length = reader.count();
            reader.pass(length);
        }
        if head.long_special {
            take_place(&mut reader);
        }
        let ids = self.many_ids.get(take_place(&mut reader));
        Some(Busy { asked, ids, head, record, reader })
    }

    fn look_ahead_of(&self, busy: Busy<'_>, expected: Expected<'_>, shapes: &[Shape]) -> u64 {
        let Busy { asked, ids, head, record, mut reader } = busy;
        let values = &expected.values[asked.values.clone()];
        let mut read = ids.read_ends();
        if head.many_cells {
            let places = self.many_cells.get(take_place(&mut reader));
            let Some(sought) = expected.sought.get(usize::from(asked.kind.0)) else { return read };
            for place in sought.places(asked, places) {
                read ^= self.long.get(place).read_ahead();
            }
            for (slot, value) in values {
                let place = places.find((*slot, 0));
                read ^= place.map_or(0, |place| self.long.get(place).look_ahead(*value));
            }
            return read;
        }
        let end = length_of(record);
        while reader.at() < end {
            let cell = take_cell(&mut reader);
            if cell.long {
                let memory = self.long.get(long_place(&shapes[usize::from(cell.slot.0)], record, cell.key));
                read ^= memory.read_ahead();
                if let Some((_, value)) = values.iter().find(|(slot, _)| *slot == cell.slot) {
                    read ^= memory.look_ahead(*value);
                }
            }
        }
        read
    }

    /// Opens a wallet as it is known, or one that has never been seen, whose newest event is `time`. `handle` is where
    /// it was found.
    pub fn open(&mut self, hash: Hash, handle: Option<Handle>, time: Timestamp, shapes: &[Shape]) {
        let origin = *self.origin.get_or_insert(time);
        self.gone.wallet = hash;
        self.return_special();
        let Wallets { records, open, long_specials, .. } = self;
        open.reset(hash, handle, shapes);
        let Some(handle) = handle else {
            open.newest = time;
            return;
        };
        let length = copy_record(records.bytes(handle), &mut open.bytes);
        open.read(length, origin, long_specials);
    }

    /// Puts back what the wallet that was open before had too much of for its record.
    #[inline]
    pub(super) fn return_special(&mut self) {
        if let Some(place) = self.open.long_special.take() {
            std::mem::swap(&mut self.open.special, self.long_specials.get_mut(place));
        }
    }

    /// The restrictions of another wallet, those among them that have run out.
    pub fn standing_of(&mut self, hash: Hash, standing: &mut Vec<Standing>) {
        standing.clear();
        let (Some(handle), Some(origin)) = (self.find(hash), self.origin) else { return };
        let block = self.records.bytes(handle);
        let head = head_of(block);
        if head.long_special {
            let mut reader = Reader::new(block, HEAD_BYTES);
            standing.extend_from_slice(&self.long_specials.get(take_place(&mut reader)).standing);
        } else if head.special {
            copy_record(block, &mut self.other);
            let mut reader = Reader::new(&self.other, HEAD_BYTES);
            reader.count();
            Special::unpack_standing(origin, &mut reader, standing);
        }
    }

    /// The event of that id among the wallet's, if it is not older than `oldest`.
    #[must_use]
    pub fn remembered(&self, id: u64, oldest: Timestamp) -> Option<Remembered> {
        match self.open.many_ids {
            Some(place) => self.many_ids.get(place).find(id, oldest),
            None => {
                let ids = self.open.ids.iter().rev();
                ids.filter(|known| is_of(known, id)).map(unpack_id).find(|known| known.time >= oldest)
            }
        }
    }

    /// Remembers an event of the open wallet; those older than `oldest` may go, and it does itself if it is.
    pub fn remember(&mut self, event: Remembered, oldest: Timestamp) {
        if let Some(place) = self.open.many_ids {
            let ids = self.many_ids.get_mut(place);
            if event.time >= oldest {
                ids.insert(event, oldest);
            }
            if ids.len() <= FEW_IDS / 2 {
                self.open.ids.extend(ids.iter().filter(|known| known.time >= oldest).map(|known| pack_id(&known)));
                ids.clear();
                self.many_ids.release(ONE_SORT, place);
                self.open.many_ids = None;
            }
            return;
        }
        let ids = &mut self.open.ids;
        ids.retain(|known| time_of(known) >= oldest);
        if event.time >= oldest {
            ids.push(pack_id(&event));
        }
        if ids.len() > FEW_IDS {
            let place = self.many_ids.claim(ONE_SORT, ManyIds::default);
            let many = self.many_ids.get_mut(place);
            ids.drain(..).for_each(|known| many.insert(unpack_id(&known), oldest));
            self.open.many_ids = Some(place);
        }
    }

    /// What the open wallet remembers of a key, for an event.
    #[inline(always)]
    pub fn look(&mut self, slot: SlotId, key: Hash, shapes: &[Shape], moment: &Moment<'_>) -> Look<'_> {
        match self.locate(slot, key, shapes) {
            Lies::Nowhere => return Look::Nothing,
            Lies::Packed { body, .. } => {
                let (layout, origin) = (self.open.held[usize::from(slot.0)].layout, self.origin.expect(OPENED));
                let lying = Lying::read(layout, origin, Reader::new(&self.open.bytes, body), moment);
                if let Some(lying) = lying {
                    return lying.look(&self.open.bytes);
                }
            }
            Lies::Fresh | Lies::Here | Lies::Long(_) => {}
        }
        self.memory(slot, key, shapes).map_or(Look::Nothing, Look::Memory)
    }

    /// Remembers an event in a memory as it lies. False where that cannot be done: where it is long or there are many of
    /// them, where the event is late in a log, where the measure's memories have to be opened.
    #[inline(always)]
    pub fn append(&mut self, slot: SlotId, key: Hash, shapes: &[Shape], moment: &Moment<'_>, item: Item<'_>) -> bool {
        if self.open.many_cells.is_some() {
            return false;
        }
        let lies = self.locate(slot, key, shapes);
        let origin = self.origin.expect(OPENED);
        let open = &mut self.open;
        let Held { form, addition, .. } = open.held[usize::from(slot.0)];
        let place = &Place { slot, key, form, lies, origin };
        match addition {
            Addition::Time { millis } => open.append(place, millis, moment, &One),
            Addition::Number { millis } => open.append(place, millis, moment, &item.number()),
            Addition::Known { millis } => open.append(place, millis, moment, item.known()),
            Addition::Value { millis } => open.append(place, millis, moment, &item.value()),
            Addition::ToTotal(calendar) => open.add(place, calendar, moment, item.number()),
            Addition::ToValues(calendar) => open.add_value(place, calendar, moment, item.value()),
            Addition::Newest => open.note(place, moment.time),
            Addition::Opened => false,
        }
    }

    /// The open wallet's memory of a key, if there is one.
    pub fn memory(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Option<&mut Memory> {
        match self.hold(slot, key, shapes) {
            Lies::Long(place) => Some(self.long.get_mut(place)),
            Lies::Here => Some(&mut self.open.held[usize::from(slot.0)].memory),
            _ => None,
        }
    }

    /// The same, made where there is none.
    pub fn memory_or_new(&mut self, slot: SlotId, key: Hash, shapes: &[Shape], moment: &Moment<'_>) -> &mut Memory {
        let mut lies = self.hold(slot, key, shapes);
        if let (Lies::Nowhere, Some(many)) = (lies, self.open.many_cells) {
            lies = self.one_more(many, (slot, key), shapes, moment);
        }
        let Open { held, asked, .. } = &mut self.open;
        let held = &mut held[usize::from(slot.0)];
        match lies {
            Lies::Long(place) => return self.long.get_mut(place),
            Lies::Nowhere => {
                held.memory.clear();
                held.lies = Lies::Here;
                asked.push(slot);
            }
            _ => {}
        }
        &mut held.memory
    }

    /// A memory without entries for the open wallet, which has many.
    fn one_more(&mut self, many: u32, name: (SlotId, Hash), shapes: &[Shape], moment: &Moment<'_>) -> Lies {
        let Wallets { open: Open { held, turn, .. }, long, many_cells, gone, .. } = self;
        let cells = many_cells.get_mut(many);
        let sort = usize::from(name.0.0);
        let mut passing = Passing { long, held, turn: *turn, gone, shapes, moment };
        cells.make_room(name, |name, place| passing.takes(name, place));
        let place = long.claim(sort, || Memory::new(&shapes[sort]));
        long.get_mut(place).clear();
        cells.insert(name, place);
        held[sort].lies = Lies::Long(place);
        held[sort].lies
    }

    /// Where the memory of a key is.
    #[inline(always)]
    fn locate(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Lies {
        let held = &self.open.held[usize::from(slot.0)];
        if held.turn == self.open.turn {
            assert_eq!(held.key, key, "an event has one key of each measure");
            return held.lies;
        }
        if let Some(many) = self.open.many_cells {
            let lies = self.many_cells.get(many).find((slot, key)).map_or(Lies::Nowhere, Lies::Long);
            return self.open.found(slot, key, lies);
        }
        self.open.locate(slot, key, shapes)
    }

    /// The same; unpacked if it was not yet.
    fn hold(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Lies {
        match self.locate(slot, key, shapes) {
            Lies::Packed { cell, body } => self.open.unpack(slot, cell, body, self.origin.expect(OPENED)),
            Lies::Fresh => unreachable!("an event is remembered last, and once in each measure"),
            lies => lies,
        }
    }

    /// Puts the open wallet back, less what has passed by `moment.newest`.
    pub fn close(&mut self, shapes: &[Shape], moment: &Moment<'_>) {
        let origin = self.origin.expect(OPENED);
        self.settle_many_cells(origin, shapes, moment);
        self.settle_special();
        self.open.pack_head(origin);
        if self.open.many_cells.is_none() {
            let from = self.open.packed.len();
            let cells = self.pack_cells(origin, shapes, moment);
            if cells > FEW_CELLS || self.open.packed.len() - from > LONG_CELLS {
                let place = self.many_cells.claim(ONE_SORT, ManyCells::default);
                self.open.spread_cells(from, origin, shapes, &mut self.long, self.many_cells.get_mut(place));
                self.open.many_cells = Some(place);
                self.open.pack_head(origin);
            }
        }
        self.write_back();
        self.records.settle();
    }

    /// Writes the packed record to its place.
    fn write_back(&mut self) {
        let Wallets { records, open, .. } = self;
        put_length(open.packed.written_mut(), HEAD_BYTES - LENGTH_BYTES);
        open.handle = Some(records.write(open.hash, open.handle, open.packed.written()));
    }

    /// Gives what is too long for the record a place of its own, and lets that go when it is no longer.
    fn settle_special(&mut self) {
        let Wallets { open, long_specials, .. } = self;
        match (open.special.is_long(), open.long_special) {
            (true, None) => open.long_special = Some(long_specials.claim(ONE_SORT, Special::default)),
            (false, Some(place)) => {
                // It is empty: what it had has been with the open wallet since.
                long_specials.release(ONE_SORT, place);
                open.long_special = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Looks for what has passed among many memories, once in several times as many events; few come back into the record.
    fn settle_many_cells(&mut self, origin: Timestamp, shapes: &[Shape], moment: &Moment<'_>) {
        let Some(many) = self.open.many_cells else { return };
        let Wallets { open, long, many_cells, gone, .. } = self;
        let Open { bytes, cells, packed, held, turn, .. } = open;
        let places = many_cells.get_mut(many);
        let mut passing = Passing { long, held, turn: *turn, gone, shapes, moment };
        if !places.sweep(|name, place| passing.takes(name, place)) || places.len() > FEW_CELLS / 2 {
            return;
        }
        // They are written as a record's memories, and found there as if they had never left.
        open.many_cells = None;
        packed.clear();
        for ((slot, key), place) in places.iter() {
            let (memory, form) = (long.get(place), shapes[usize::from(slot.0)].key);
            match memory.packing() {
                Packing::Long => put_long(packed, slot, key, form, Stamp::of(memory), place, origin),
                Packing::Short(room) => {
                    put_cell(packed, slot, key, form, (memory, room), origin);
                    long.release(slot.0.into(), place);
                }
                Packing::Empty => long.release(slot.0.into(), place),
            }
        }
        places.clear();
        many_cells.release(ONE_SORT, many);
        let length = packed.len();
        bytes.clear();
        bytes.extend_from_slice(packed.with_margin());
        index_cells(bytes, 0, length, cells);
    }

    /// Appends the memories that have not passed, and says how many there are.
    fn pack_cells(&mut self, origin: Timestamp, shapes: &[Shape], moment: &Moment<'_>) -> usize {
        let Wallets { open, long, .. } = self;
        let Open { bytes, cells, held, asked, fresh, fresh_cells, packed, .. } = open;
        let hour = moment.newest.0.div_euclid(HOUR_MS);
        let mut count = 0;
        // Those that stay and lie side by side are copied together.
        let mut staying = 0..0;
        for cell in cells.iter().filter(|cell| !cell.taken) {
            let held = &mut held[usize::from(cell.slot.0)];
            let mut reader = Reader::new(bytes, cell.key);
            take_key(held.form, &mut reader);
            let stamp = reader.signed();
            if held.lasting_hour != hour {
                held.outlast(hour, &shapes[usize::from(cell.slot.0)], origin, moment);
            }
            let shape = || &shapes[usize::from(cell.slot.0)];
            if stamp < held.lasting && stamp < passed_below(shape(), origin, moment) {
                if cell.long {
                    let place = long_place(shape(), bytes, cell.key);
                    long.get_mut(place).clear();
                    long.release(cell.slot.0.into(), place);
                }
                continue;
            }
            count += 1;
            if cell.begin != staying.end {
                packed.copy(&bytes[staying]);
                staying = cell.begin..cell.begin;
            }
            staying.end = cell.end;
        }
        packed.copy(&bytes[staying]);
        for slot in asked.iter() {
            let held = &mut held[usize::from(slot.0)];
            count += usize::from(held.pack(*slot, &shapes[usize::from(slot.0)], origin, packed, long));
        }
        packed.copy(fresh.written());
        count + *fresh_cells
    }

    /// Shows the restrictions of every wallet that has, or has had, any.
    pub fn each_restricted(&mut self, mut show: impl FnMut(Hash, &[Standing])) {
        self.return_special();
        let mut standing = Vec::new();
        for handle in self.records.handles() {
            let block = self.records.bytes(handle);
            let head = head_of(block);
            if head.special || head.long_special {
                let hash = Reader::new(block, 0).hash();
                self.standing_of(hash, &mut standing);
                show(hash, &standing);
            }
        }
    }

    /// Other packs are in force: memories and restrictions are where `moves` says, or nowhere.
    pub fn move_all(&mut self, moves: &impl Moves, old: &[Shape]) {
        let Some(origin) = self.origin else { return };
        let handles = self.records.handles();
        for memory in self.long.iter_mut() {
            memory.forget_lengths();
        }
        for many in self.many_cells.iter_mut() {
            let places: Vec<((SlotId, Hash), u32)> = many.iter().collect();
            let noted = many.noted;
            many.clear();
            many.noted = noted;
            for ((slot, key), place) in places {
                match moves.slot(slot) {
                    Some(slot) => many.insert((slot, key), place),
                    None => self.long.release(slot.0.into(), place),
                }
            }
        }
        for handle in handles {
            self.move_one(handle, origin, moves, old);
        }
        self.long.forget_sorts();
        self.open.held.clear();
    }

    fn move_one(&mut self, handle: Handle, origin: Timestamp, moves: &impl Moves, old: &[Shape]) {
        self.return_special();
        let Wallets { records, open, long, long_specials, .. } = self;
        let block = records.bytes(handle);
        open.reset(Reader::new(block, 0).hash(), Some(handle), old);
        let length = copy_record(block, &mut open.bytes);
        open.read(length, origin, long_specials);
        moves.special(&mut open.special);
        open.pack_head(origin);
        for cell in &open.cells {
            let shape = &old[usize::from(cell.slot.0)];
            match moves.slot(cell.slot) {
                Some(slot) => {
                    let body = &open.bytes[cell.key..cell.end];
                    open.packed.write(CELL_HEAD_ROOM + body.len(), |out| {
                        out.number(u64::from(slot.0) << 1 | u64::from(cell.long));
                        out.behind_length(|out| out.bytes(body));
                    });
                }
                None if cell.long => long.release(cell.slot.0.into(), long_place(shape, &open.bytes, cell.key)),
                None => {}
            }
        }
        self.write_back();
    }
}

/// Where everything of the old packs is in the new ones.
pub trait Moves {
    fn slot(&self, old: SlotId) -> Option<SlotId>;
    fn special(&self, special: &mut Special);
}

impl Open {
    /// Becomes a wallet of which nothing has been read yet.
    fn reset(&mut self, hash: Hash, handle: Option<Handle>, shapes: &[Shape]) {
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
    fn read(&mut self, length: usize, origin: Timestamp, long_specials: &mut Slab<Special>) {
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
    fn found(&mut self, slot: SlotId, key: Hash, lies: Lies) -> Lies {
        let held = &mut self.held[usize::from(slot.0)];
        (held.turn, held.key, held.lies) = (self.turn, key, lies);
        lies
    }

    /// Looks for the memory of a key among those of the record.
    #[inline(always)]
    fn locate(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Lies {
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
    fn unpack(&mut self, slot: SlotId, cell: usize, body: usize, origin: Timestamp) -> Lies {
        let held = &mut self.held[usize::from(slot.0)];
        held.memory.unpack(origin, &mut Reader::new(&self.bytes, body));
        held.lies = Lies::Here;
        self.cells[cell].taken = true;
        self.asked.push(slot);
        held.lies
    }

    /// Adds to the total of a period: where it lies, if there is room for it.
    fn add(&mut self, place: &Place, calendar: Calendar, moment: &Moment<'_>, item: i128) -> bool {
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
        let mut out = fresh.writer(CELL_HEAD_ROOM + staying.room(value));
        let begun = begin_cell(&mut out, place);
        staying.append(place.origin, moment.time, value, &mut out);
        out.end_length(begun);
        let end = out.at();
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

    /// Begins the record with everything but the memories.
    fn pack_head(&mut self, origin: Timestamp) {
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
    fn spread_cells(
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
    let begun = begin_cell(&mut out, place);
    write(&mut out);
    out.end_length(begun);
    let end = out.at();
    fresh.end(end);
}

/// Begins a memory that is written anew, and says where its length will stand.
#[inline(always)]
fn begin_cell(out: &mut Writer<'_>, place: &Place) -> usize {
    out.number(u64::from(place.slot.0) << 1);
    let begun = out.begin_length();
    write_key(place.form, place.key, out);
    begun
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
    fn outlast(&mut self, hour: i64, shape: &Shape, origin: Timestamp, moment: &Moment<'_>) {
        let end = Timestamp((hour + 1) * HOUR_MS).min(Timestamp::MAX);
        self.lasting = passed_below(shape, origin, &Moment { newest: end, ..*moment });
        self.lasting_hour = hour;
    }

    /// Appends the memory, unless nothing is left of it. One that has become long moves out, a short one back.
    fn pack(
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

/// A place among what was too long for a record.
fn take_place(reader: &mut Reader<'_>) -> u32 {
    u32::try_from(reader.number()).expect("a place was written as one")
}

fn head_of(record: &[u8]) -> Head {
    Head::read(Reader::new(record, 16).half())
}

fn length_of(record: &[u8]) -> usize {
    length_at(record, HEAD_BYTES - LENGTH_BYTES)
}

/// Copies a record out of its block, with a margin behind it, and gives its length.
fn copy_record(block: &[u8], out: &mut Vec<u8>) -> usize {
    let length = length_of(block);
    out.clear();
    out.extend_from_slice(&block[..length]);
    out.extend_from_slice(&[0; MARGIN]);
    length
}

/// Notes where each memory stands in `bytes[from..to]`.
fn index_cells(bytes: &[u8], from: usize, to: usize, cells: &mut Vec<Cell>) {
    let mut reader = Reader::new(bytes, from);
    while reader.at() < to {
        cells.push(take_cell(&mut reader));
    }
}

/// Where the memory stands that comes next.
#[inline(always)]
fn take_cell(reader: &mut Reader<'_>) -> Cell {
    let begin = reader.at();
    let (head, length) = reader.pair();
    let length = usize::try_from(length).expect("a length was written as one");
    let key = reader.at();
    let slot = SlotId(u16::try_from(head >> 1).expect("a slot was written as one"));
    reader.pass(length);
    Cell { slot, long: head & 1 != 0, begin, key, end: reader.at(), taken: false }
}

/// Most bytes of a place among the long ones, and of a time or a period.
const PLACE_ROOM: usize = 5;
const STAMP_ROOM: usize = 9;
/// Most bytes of a slot, a length and a key.
const CELL_HEAD_ROOM: usize = 3 + 9 + 16;

/// A memory in the record, which takes so many bytes at most.
fn put_cell(
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

/// The place of a long memory, behind its key and how new it is.
fn put_long(out: &mut Draft, slot: SlotId, key: Hash, form: KeyForm, stamp: Stamp, place: u32, origin: Timestamp) {
    out.write(CELL_HEAD_ROOM + STAMP_ROOM + PLACE_ROOM, |out| {
        out.number(u64::from(slot.0) << 1 | 1);
        out.behind_length(|out| {
            write_key(form, key, out);
            stamp.write(origin, out);
            out.number(place.into());
        });
    });
}

/// The place of the long memory whose key stands at `at`.
fn long_place(shape: &Shape, bytes: &[u8], at: usize) -> u32 {
    let mut reader = Reader::new(bytes, at);
    take_key(shape.key, &mut reader);
    reader.number();
    take_place(&mut reader)
}

#[cfg(test)]
mod tests;
