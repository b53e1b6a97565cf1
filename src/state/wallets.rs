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
//! How a record lies stands in `layout`, what an event asks of the memories in it in `state::cells`.

mod ahead;
mod layout;
mod open;
mod restore;

pub use ahead::{Asked, Expected, Sought};
pub use open::Open;
pub use restore::{Memories, Own, OwnCell, Restored};

use super::{
    Hash, SlotId,
    arena::Handle,
    bytes::Reader,
    cells::{Cells, HOUR_MS, Held, Lies, long_place, put_cell, put_long, put_moved, take_place},
    ids::{ManyIds, Remembered, is_of, pack_id, time_of, unpack_id},
    many::ManyCells,
    memory::{Item, Memory, Packing, Shape, Stamp, passed_below, take_key},
    packed::Look,
    records::{LENGTH_BYTES, Records, put_length},
    slab::Slab,
    special::{Special, Standing},
};
use crate::{memory::Supply, time::Timestamp, window::Moment};
use layout::{HEAD_BYTES, head_of};

/// Most ids and most memories that lie in a record.
const FEW_IDS: usize = 16;
const FEW_CELLS: usize = 24;
/// A record that is longer than this has its memories moved out of it.
const LONG_CELLS: usize = 8 * 1024;

const OPENED: &str = "a wallet has been opened";

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
        open.read(records.bytes(handle), origin, long_specials);
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
            let mut reader = Reader::new(block, HEAD_BYTES);
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
                if let Some(lying) = self.open.cells.lying(slot, body, self.origin.expect(OPENED), moment) {
                    return lying.look(&self.open.cells.bytes);
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
        self.open.cells.remember((slot, key), lies, self.origin.expect(OPENED), moment, item)
    }

    /// The open wallet's memory of a key, if there is one.
    pub fn memory(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Option<&mut Memory> {
        match self.hold(slot, key, shapes) {
            Lies::Long(place) => Some(self.long.get_mut(place)),
            Lies::Here => Some(&mut self.open.cells.held[usize::from(slot.0)].memory),
            _ => None,
        }
    }

    /// The same, made where there is none.
    pub fn memory_or_new(&mut self, slot: SlotId, key: Hash, shapes: &[Shape], moment: &Moment<'_>) -> &mut Memory {
        let mut lies = self.hold(slot, key, shapes);
        if let (Lies::Nowhere, Some(many)) = (lies, self.open.many_cells) {
            lies = self.one_more(many, (slot, key), shapes, moment);
        }
        match lies {
            Lies::Long(place) => self.long.get_mut(place),
            lies => self.open.cells.memory_or_new(slot, lies),
        }
    }

    /// A memory without entries for the open wallet, which has many.
    fn one_more(&mut self, many: u32, name: (SlotId, Hash), shapes: &[Shape], moment: &Moment<'_>) -> Lies {
        let Wallets { open, long, many_cells, gone, .. } = self;
        let Cells { held, turn, .. } = &mut open.cells;
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
        if let Some(lies) = self.open.cells.known(slot, key) {
            return lies;
        }
        if let Some(many) = self.open.many_cells {
            let lies = self.many_cells.get(many).find((slot, key)).map_or(Lies::Nowhere, Lies::Long);
            return self.open.cells.found(slot, key, lies);
        }
        self.open.cells.locate(slot, key, shapes)
    }

    /// The same; unpacked if it was not yet.
    fn hold(&mut self, slot: SlotId, key: Hash, shapes: &[Shape]) -> Lies {
        match self.locate(slot, key, shapes) {
            Lies::Packed { cell, body } => self.open.cells.unpack(slot, cell, body, self.origin.expect(OPENED)),
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
            self.spread_where_long(from, cells, origin, shapes);
        }
        self.write_back();
        self.records.settle();
    }

    /// Moves the memories out of the packed record, where they begin at `from`, if they are too many or too long for it.
    fn spread_where_long(&mut self, from: usize, cells: usize, origin: Timestamp, shapes: &[Shape]) {
        if cells > FEW_CELLS || self.open.packed.len() - from > LONG_CELLS {
            let place = self.many_cells.claim(ONE_SORT, ManyCells::default);
            self.open.spread_cells(from, origin, shapes, &mut self.long, self.many_cells.get_mut(place));
            self.open.many_cells = Some(place);
            self.open.pack_head(origin);
        }
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
        let Open { packed, cells, .. } = open;
        let places = many_cells.get_mut(many);
        let mut passing = Passing { long, held: &mut cells.held, turn: cells.turn, gone, shapes, moment };
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
        cells.bytes.clear();
        let from = cells.copy(packed.written());
        cells.index(from);
    }

    /// Appends the memories that have not passed, and says how many there are.
    fn pack_cells(&mut self, origin: Timestamp, shapes: &[Shape], moment: &Moment<'_>) -> usize {
        let Wallets { open, long, .. } = self;
        let Open { packed, cells, .. } = open;
        let Cells { bytes, cells, held, asked, fresh, fresh_cells, .. } = cells;
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
        self.open.cells.held.clear();
    }

    fn move_one(&mut self, handle: Handle, origin: Timestamp, moves: &impl Moves, old: &[Shape]) {
        self.return_special();
        let Wallets { records, open, long, long_specials, .. } = self;
        let block = records.bytes(handle);
        open.reset(Reader::new(block, 0).hash(), Some(handle), old);
        open.read(block, origin, long_specials);
        moves.special(&mut open.special);
        open.pack_head(origin);
        for cell in &open.cells.cells {
            let shape = &old[usize::from(cell.slot.0)];
            match moves.slot(cell.slot) {
                Some(slot) => put_moved(&mut open.packed, slot, cell, &open.cells.bytes),
                None if cell.long => long.release(cell.slot.0.into(), long_place(shape, &open.cells.bytes, cell.key)),
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

#[cfg(test)]
mod tests;
