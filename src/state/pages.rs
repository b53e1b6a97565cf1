//! Memory in pages of one size, all zero at first, which stay where they are until the end.
//!
//! The records of ten million wallets and their table are looked up at random. On pages of 4 KiB nearly every look-up
//! misses the processor's address cache, too, which under a hypervisor costs more than the miss of the data. So past a
//! first few, pages are cut from pieces for which the system is asked for huge pages; where it has none, nothing is lost.
//! Pieces are [ready](crate::memory) before they are needed, where somebody started a supply.

use crate::memory::{PIECE, Piece, Supply};

/// Pages, each of `SIZE` bytes.
#[derive(Debug, Default)]
pub struct Pages<const SIZE: usize> {
    /// The first few: an engine that knows a dozen wallets asks for no piece.
    small: Vec<Box<[u8]>>,
    pieces: Vec<Piece>,
    len: usize,
    supply: Supply,
}

/// Bytes that come from the general allocator before there is a piece.
const SMALL: usize = 1 << 19;

impl<const SIZE: usize> Pages<SIZE> {
    const SMALL_PAGES: usize = SMALL / SIZE;
    const PIECE_PAGES: usize = PIECE / SIZE;

    /// Where pieces come from, from now on.
    pub fn supply(&mut self, supply: &Supply) {
        self.supply = supply.clone();
        if self.len > Self::SMALL_PAGES / 2 {
            self.supply.want();
        }
    }

    #[must_use]
    pub fn supplied(&self) -> &Supply {
        &self.supply
    }

    /// One more page; gives its number.
    pub fn add(&mut self) -> usize {
        let number = self.len;
        self.len += 1;
        if number < Self::SMALL_PAGES {
            self.small.push(vec![0; SIZE].into_boxed_slice());
            if number == Self::SMALL_PAGES / 2 {
                self.supply.want();
            }
        } else if (number - Self::SMALL_PAGES) / Self::PIECE_PAGES == self.pieces.len() {
            self.pieces.push(self.supply.take());
        }
        number
    }

    #[inline(always)]
    pub fn page(&self, number: usize) -> &[u8; SIZE] {
        let bytes = match number.checked_sub(Self::SMALL_PAGES) {
            None => self.small[number].first_chunk(),
            Some(number) => {
                let at = number % Self::PIECE_PAGES * SIZE;
                self.pieces[number / Self::PIECE_PAGES].bytes()[at..].first_chunk()
            }
        };
        bytes.expect("a page is whole")
    }

    #[inline(always)]
    pub fn page_mut(&mut self, number: usize) -> &mut [u8; SIZE] {
        let bytes = match number.checked_sub(Self::SMALL_PAGES) {
            None => self.small[number].first_chunk_mut(),
            Some(number) => {
                let at = number % Self::PIECE_PAGES * SIZE;
                self.pieces[number / Self::PIECE_PAGES].bytes_mut()[at..].first_chunk_mut()
            }
        };
        bytes.expect("a page is whole")
    }
}
