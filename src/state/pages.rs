//! Memory in pages of one size, all zero at first, which stay where they are until the end.
//!
//! The records of ten million wallets and their table are looked up at random. On pages of 4 KiB nearly every look-up
//! misses the processor's address cache, too, which under a hypervisor costs more than the miss of the data. So past a
//! first few, pages are cut from large mappings for which the system is asked for huge pages of 2 MiB; where it has
//! none, nothing is lost. `memmap2` does that without an `unsafe` of our own.

use memmap2::MmapMut;

/// Pages, each of `SIZE` bytes.
#[derive(Debug, Default)]
pub struct Pages<const SIZE: usize> {
    /// The first few: an engine that knows a dozen wallets asks for no mapping.
    small: Vec<Box<[u8]>>,
    mappings: Vec<MmapMut>,
    len: usize,
}

/// Bytes that come from the general allocator before there is a mapping.
const SMALL: usize = 1 << 19;
/// Bytes of a mapping; memory is taken from the system only as it is used.
const MAPPING: usize = 1 << 25;

impl<const SIZE: usize> Pages<SIZE> {
    const SMALL_PAGES: usize = SMALL / SIZE;
    const MAPPED_PAGES: usize = MAPPING / SIZE;

    /// One more page; gives its number.
    pub fn add(&mut self) -> usize {
        let number = self.len;
        self.len += 1;
        if number < Self::SMALL_PAGES {
            self.small.push(vec![0; SIZE].into_boxed_slice());
        } else if (number - Self::SMALL_PAGES) / Self::MAPPED_PAGES == self.mappings.len() {
            let mapping = MmapMut::map_anon(MAPPING).expect("the system has memory for what is remembered");
            #[cfg(target_os = "linux")]
            {
                // A kernel without huge pages refuses; pages are smaller then, and nothing else is different.
                let _ = mapping.advise(memmap2::Advice::HugePage);
            }
            self.mappings.push(mapping);
        }
        number
    }

    #[inline]
    pub fn page(&self, number: usize) -> &[u8; SIZE] {
        let bytes = match number.checked_sub(Self::SMALL_PAGES) {
            None => self.small[number].first_chunk(),
            Some(number) => {
                let at = number % Self::MAPPED_PAGES * SIZE;
                self.mappings[number / Self::MAPPED_PAGES][at..].first_chunk()
            }
        };
        bytes.expect("a page is whole")
    }

    #[inline]
    pub fn page_mut(&mut self, number: usize) -> &mut [u8; SIZE] {
        let bytes = match number.checked_sub(Self::SMALL_PAGES) {
            None => self.small[number].first_chunk_mut(),
            Some(number) => {
                let at = number % Self::MAPPED_PAGES * SIZE;
                self.mappings[number / Self::MAPPED_PAGES][at..].first_chunk_mut()
            }
        };
        bytes.expect("a page is whole")
    }
}
