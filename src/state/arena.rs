//! Room for small records: blocks of a few sizes, cut out of pages, used again as soon as they are free.
//!
//! A general allocator keeps 16 bytes beside every block and rounds up; ten million wallets feel that. Here a block
//! costs nothing but its rounding to 16 bytes, a page whose blocks are all free serves any size again, and a block is
//! named by four bytes. Nothing is given back to the system: what has passed makes room for what comes.

use super::{bytes::MARGIN, pages::Pages};
use crate::memory::Supply;

/// The name of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub(super) u32);

/// Blocks begin at multiples of this within their page.
const GRANULE: usize = 16;
/// Bytes of a page; a page's granules are told apart by twelve bits of a handle.
const PAGE: usize = 1 << 16;
const GRANULE_BITS: u32 = 12;
/// Handles from here on name blocks that are longer than any class, each with memory of its own.
const LARGE: u32 = 1 << 31;

const _: () = assert!(PAGE / GRANULE == 1 << GRANULE_BITS);

/// Sizes of blocks. Steps of 16 bytes as long as most wallets are of such sizes, then steps of an eighth to a half.
const SIZES: [usize; 47] = {
    let mut sizes = [0; 47];
    let mut class = 0;
    while class < 32 {
        sizes[class] = (class + 1) * GRANULE;
        class += 1;
    }
    let rest = [640, 768, 896, 1_024, 1_280, 1_536, 2_048, 2_720, 4_096, 5_456, 8_192, 10_912, 16_384, 21_840, 32_768];
    while class < sizes.len() {
        sizes[class] = rest[class - 32];
        class += 1;
    }
    sizes
};

/// The class of every number of granules up to the largest size.
static CLASSES: [u8; SIZES[46] / GRANULE + 1] = {
    let mut classes = [0; SIZES[46] / GRANULE + 1];
    let (mut granules, mut class) = (0, 0_u8);
    while granules < classes.len() {
        while SIZES[class as usize] < granules * GRANULE {
            class += 1;
        }
        classes[granules] = class;
        granules += 1;
    }
    classes
};

/// Bytes from which on what has outgrown its block gets more than it needs.
const GROWING: usize = 256;

/// What so many bytes are given that have outgrown their block. A record that grows with every event would move with every
/// event, and with each move find its entry, a block that nobody has touched for long, and later a page in little use
/// to be emptied: this took a quarter of the moves of the default pack with the typologies. Of short ones, which most
/// are, there may be ten million: they get what they need.
#[must_use]
pub fn with_room_to_grow(bytes: usize) -> usize {
    if bytes < GROWING { bytes } else { bytes + bytes / 4 }
}

/// Of so few pages of a class none is emptied.
const FEW_PAGES: u32 = 3;

/// Marks the end of a page's list of free blocks: no block begins at a page's last granule but one of a granule.
const NONE: u16 = u16::MAX;

#[derive(Debug)]
struct Page {
    class: u8,
    /// Granule of the first free block; each begins with that of the next.
    free: u16,
    /// Blocks from this number on have never been used.
    fresh: u16,
    live: u16,
    /// It stands among its class's pages that may have room.
    listed: bool,
    /// It is being emptied, and gives no block.
    sparse: bool,
}

/// All blocks.
#[derive(Debug)]
pub struct Arena {
    memory: Pages<PAGE>,
    pages: Vec<Page>,
    /// For each class, pages that may have room, the one in use last.
    open: [Vec<u32>; SIZES.len()],
    /// Pages without any block.
    empty: Vec<u32>,
    /// For each class, how many pages have blocks.
    used: [u32; SIZES.len()],
    /// The page that is being emptied, and the number of the block that is next.
    sparse: Option<(u32, u16)>,
    large: Vec<Vec<u8>>,
    free_large: Vec<u32>,
}

impl Default for Arena {
    fn default() -> Self {
        Arena {
            memory: Pages::default(),
            pages: Vec::new(),
            open: [const { Vec::new() }; SIZES.len()],
            empty: Vec::new(),
            used: [0; SIZES.len()],
            sparse: None,
            large: Vec::new(),
            free_large: Vec::new(),
        }
    }
}

fn class_of(bytes: usize) -> Option<u8> {
    CLASSES.get(bytes.div_ceil(GRANULE)).copied()
}

fn size(class: u8) -> usize {
    SIZES[usize::from(class)]
}

impl Arena {
    /// Where the memory comes from.
    pub fn supply(&mut self, supply: &Supply) {
        self.memory.supply(supply);
    }

    #[must_use]
    pub fn supplied(&self) -> &Supply {
        self.memory.supplied()
    }

    /// A block of at least so many bytes, with whatever was in it before.
    pub fn allocate(&mut self, bytes: usize) -> Handle {
        let Some(class) = class_of(bytes) else { return self.allocate_large(bytes) };
        let open = &mut self.open[usize::from(class)];
        let number = loop {
            let Some(number) = open.last().copied() else { break self.new_page(class) };
            let page = &mut self.pages[number as usize];
            if page.class == class && page.listed && page.has_room() {
                break number;
            }
            // It is full, or it serves another size by now.
            if page.class == class {
                page.listed = false;
            }
            open.pop();
        };
        let granule = self.pages[number as usize].take(self.memory.page(number as usize));
        Handle(number << GRANULE_BITS | u32::from(granule))
    }

    /// The bytes from a block's first on; the block itself ends at least [`MARGIN`] bytes before they do.
    #[must_use]
    #[inline]
    pub fn bytes(&self, handle: Handle) -> &[u8] {
        match place(handle) {
            Place::Page { page, at } => &self.memory.page(page)[at..],
            Place::Large(at) => &self.large[at],
        }
    }

    #[inline]
    pub fn bytes_mut(&mut self, handle: Handle) -> &mut [u8] {
        match place(handle) {
            Place::Page { page, at } => &mut self.memory.page_mut(page)[at..],
            Place::Large(at) => &mut self.large[at],
        }
    }

    /// Whether a block is of the size that so many bytes would get, or hardly larger: a wallet's record grows and shrinks
    /// by a few ids and entries with every event, and moving it costs as much as a tenth of the step.
    #[must_use]
    #[inline]
    pub fn fits(&self, handle: Handle, bytes: usize) -> bool {
        const SPARE: usize = 4 * GRANULE;
        let held = match place(handle) {
            Place::Page { page, .. } => size(self.pages[page].class),
            Place::Large(at) => self.large[at].len() - MARGIN,
        };
        let most = with_room_to_grow(bytes);
        bytes <= held && held <= class_of(most).map_or(most, size) + held / 8 + SPARE
    }

    /// Gives a block back.
    pub fn release(&mut self, handle: Handle) {
        let (number, at) = match place(handle) {
            Place::Page { page, at } => (page, at),
            Place::Large(at) => {
                self.large[at] = Vec::new();
                self.free_large.push(handle.0 & !LARGE);
                return;
            }
        };
        let page = &mut self.pages[number];
        page.give_back(at, self.memory.page_mut(number));
        let name = handle.0 >> GRANULE_BITS;
        let class = usize::from(page.class);
        if page.live == 0 {
            if page.sparse {
                self.sparse = None;
            }
            (page.listed, page.sparse, page.class) = (false, false, u8::MAX);
            self.used[class] -= 1;
            self.empty.push(name);
        } else if self.sparse.is_none() && self.used[class] > FEW_PAGES && page.is_sparse() {
            (page.listed, page.sparse) = (false, true);
            self.sparse = Some((name, 0));
        } else if !page.listed && !page.sparse {
            page.listed = true;
            self.open[class].push(name);
        }
    }

    /// Whether a page is being emptied.
    #[must_use]
    #[inline]
    pub fn has_sparse(&self) -> bool {
        self.sparse.is_some()
    }

    /// The next block of the page that is being emptied, which may be free: its owner moves it if it is not.
    pub fn next_sparse(&mut self) -> Option<Handle> {
        let (name, block) = self.sparse?;
        let page = &mut self.pages[name as usize];
        if block == page.fresh {
            // All its blocks have been looked at: those that had a record were moved, and the others were free.
            page.sparse = false;
            self.sparse = None;
            return None;
        }
        self.sparse = Some((name, block + 1));
        let granule = usize::from(block) * size(page.class) / GRANULE;
        Some(Handle(name << GRANULE_BITS | u32::try_from(granule).expect("a page has 4,096 granules")))
    }

    /// A block of the same size with the same bytes.
    pub fn copy(&mut self, from: Handle) -> Handle {
        let Place::Page { page, at } = place(from) else { unreachable!("only pages are emptied") };
        let length = size(self.pages[page].class);
        let to = self.allocate(length);
        let Place::Page { page: other, at: to_at } = place(to) else { unreachable!("a class has pages") };
        // By way of a piece that lies here, since two pages cannot be borrowed at once.
        for begin in (0..length).step_by(GRANULE) {
            let piece: [u8; GRANULE] =
                *self.memory.page(page)[at + begin..].first_chunk().expect("blocks are granules");
            self.memory.page_mut(other)[to_at + begin..to_at + begin + GRANULE].copy_from_slice(&piece);
        }
        to
    }

    /// How many pages have blocks.
    #[cfg(test)]
    pub fn pages_in_use(&self) -> usize {
        self.pages.len() - self.empty.len()
    }

    /// A page for blocks of a class, an empty one if there is one.
    fn new_page(&mut self, class: u8) -> u32 {
        let number = self.empty.pop().unwrap_or_else(|| {
            let number = u32::try_from(self.memory.add()).ok().filter(|number| *number < LARGE >> GRANULE_BITS);
            self.pages.push(Page { class, free: NONE, fresh: 0, live: 0, listed: false, sparse: false });
            number.expect("what is remembered stays below 32 GiB")
        });
        let page = &mut self.pages[number as usize];
        (page.class, page.free, page.fresh, page.live, page.listed) = (class, NONE, 0, 0, true);
        self.used[usize::from(class)] += 1;
        self.open[usize::from(class)].push(number);
        number
    }

    fn allocate_large(&mut self, bytes: usize) -> Handle {
        let block = vec![0; bytes + bytes / 16 + MARGIN];
        let number = match self.free_large.pop() {
            Some(number) => {
                self.large[number as usize] = block;
                number
            }
            None => {
                self.large.push(block);
                u32::try_from(self.large.len() - 1).ok().filter(|number| *number < LARGE).expect("few are so long")
            }
        };
        Handle(LARGE | number)
    }
}

enum Place {
    Page { page: usize, at: usize },
    Large(usize),
}

#[inline]
fn place(handle: Handle) -> Place {
    if handle.0 & LARGE != 0 {
        return Place::Large((handle.0 & !LARGE) as usize);
    }
    let granule = handle.0 & ((1 << GRANULE_BITS) - 1);
    Place::Page { page: (handle.0 >> GRANULE_BITS) as usize, at: granule as usize * GRANULE }
}

impl Page {
    /// Whether less than half of what has been used is in use; a page that has just begun is not sparse.
    fn is_sparse(&self) -> bool {
        let whole = PAGE / size(self.class);
        usize::from(self.fresh) + 1 >= whole && 2 * usize::from(self.live) < whole
    }

    fn has_room(&self) -> bool {
        self.free != NONE || (usize::from(self.fresh) + 1) * size(self.class) + MARGIN <= PAGE
    }

    /// Takes a block and gives its granule.
    fn take(&mut self, bytes: &[u8; PAGE]) -> u16 {
        self.live += 1;
        if self.free == NONE {
            let at = usize::from(self.fresh) * size(self.class);
            self.fresh += 1;
            return u16::try_from(at / GRANULE).expect("a page has 4,096 granules");
        }
        let granule = self.free;
        let at = usize::from(granule) * GRANULE;
        self.free = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        granule
    }

    fn give_back(&mut self, at: usize, bytes: &mut [u8; PAGE]) {
        self.live -= 1;
        bytes[at..at + 2].copy_from_slice(&self.free.to_le_bytes());
        self.free = u16::try_from(at / GRANULE).expect("a page has 4,096 granules");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of all sizes come and go; none is ever in two hands, and what has passed is used again.
    #[test]
    fn blocks_keep_what_is_written_and_are_used_again() {
        let mut arena = Arena::default();
        let mut held: Vec<(Handle, usize, u8)> = Vec::new();
        let mut seed = 5_usize;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut pages = 0;
        for round in 0..40_000 {
            let bytes = if random(500) == 0 { 20_000 + random(90_000) } else { 1 + random(900) };
            let mark = u8::try_from(round % 251).expect("small");
            let handle = arena.allocate(bytes);
            assert!(arena.fits(handle, bytes), "a new block of {bytes}");
            arena.bytes_mut(handle)[..bytes].fill(mark);
            held.push((handle, bytes, mark));
            if held.len() > 2_000 {
                let (handle, bytes, mark) = held.swap_remove(random(2_000));
                assert!(arena.bytes(handle)[..bytes].iter().all(|byte| *byte == mark));
                arena.release(handle);
            }
            if round == 20_000 {
                pages = arena.pages.len();
            }
        }
        assert!(arena.pages.len() <= pages + pages / 8, "{} pages after {pages}", arena.pages.len());
        for (handle, ..) in held {
            arena.release(handle);
        }
        assert_eq!(arena.empty.len(), arena.pages.len(), "every page serves any size again");
        let kept = arena.pages.len();
        for _ in 0..1_000 {
            arena.allocate(512);
        }
        assert_eq!(arena.pages.len(), kept.max(8));
    }
}
