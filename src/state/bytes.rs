//! Numbers as few bytes: how everything that is remembered of a quiet wallet is written.
//!
//! A number below 2^56 takes one byte for each seven bits. The first byte's lowest set bit says how many follow, so
//! that it is read by one load of eight bytes and a shift, without a loop; that load may reach past the number, which
//! is why whoever reads has [`MARGIN`] bytes behind what was written.

use crate::time::Timestamp;

/// Bytes that must lie behind the last one that was written, whatever they are.
pub const MARGIN: usize = 8;

/// Most bytes of a number whose first byte tells its length.
const LONGEST: u32 = 8;

/// What keeps the lowest so many bytes of a word.
const MASKS: [u64; 9] = [0, 0xff, 0xffff, 0xff_ffff, !0 >> 32, !0 >> 24, !0 >> 16, !0 >> 8, !0];

/// Reads what [`put_number`] and its like have written.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from `at` on.
    #[must_use]
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Reader { bytes, at }
    }

    /// Where the next byte stands.
    #[must_use]
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// A number of any size up to 2^64.
    #[inline(always)]
    pub fn number(&mut self) -> u64 {
        let word = self.word();
        // Nearly all are short.
        if word & 1 == 1 {
            self.at += 1;
            return (word & 0xff) >> 1;
        }
        self.long_number(word)
    }

    #[inline]
    fn long_number(&mut self, word: u64) -> u64 {
        let length = word.trailing_zeros() + 1;
        if length > LONGEST {
            self.at += 1;
            let whole = self.word();
            self.at += 8;
            return whole;
        }
        self.at += length as usize;
        (word & MASKS[length as usize]) >> length
    }

    /// A number that fits in 16 bits: the place of something in a pack.
    #[inline]
    pub fn place(&mut self) -> u16 {
        u16::try_from(self.number()).expect("a place was written as one")
    }

    /// How many of something follow.
    #[inline]
    pub fn count(&mut self) -> usize {
        usize::try_from(self.number()).expect("a count was written as one")
    }

    /// A number with a sign.
    #[inline]
    pub fn signed(&mut self) -> i64 {
        let folded = self.number();
        (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
    }

    /// An instant, which was written by its distance from `origin`.
    #[inline]
    pub fn time(&mut self, origin: Timestamp) -> Timestamp {
        Timestamp(origin.0 + self.signed())
    }

    /// A number that is not negative, of up to 127 bits.
    #[inline]
    pub fn wide(&mut self) -> i128 {
        let folded = self.number();
        if folded & 1 == 0 {
            return i128::from(folded >> 1);
        }
        self.hash().cast_signed()
    }

    /// Sixteen bytes as they are.
    #[inline]
    pub fn hash(&mut self) -> u128 {
        let bytes = self.bytes[self.at..].first_chunk().expect("a hash was written whole");
        self.at += 16;
        u128::from_le_bytes(*bytes)
    }

    /// Eight bytes as they are.
    #[inline]
    pub fn half(&mut self) -> u64 {
        let word = self.word();
        self.at += 8;
        word
    }

    /// So many bytes.
    #[inline]
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let bytes = &self.bytes[self.at..self.at + length];
        self.at += length;
        bytes
    }

    #[inline(always)]
    fn word(&self) -> u64 {
        u64::from_le_bytes(*self.bytes[self.at..].first_chunk().expect("a margin lies behind what was written"))
    }
}

#[inline]
pub fn put_number(out: &mut Vec<u8>, number: u64) {
    match u8::try_from(number) {
        // Nearly all are short.
        Ok(short) if short < 1 << 7 => out.push(short << 1 | 1),
        _ => put_long_number(out, number),
    }
}

fn put_long_number(out: &mut Vec<u8>, number: u64) {
    let length = (64 - (number | 1).leading_zeros()).div_ceil(7);
    if length > LONGEST {
        out.push(0);
        out.extend_from_slice(&number.to_le_bytes());
        return;
    }
    let word = number << length | 1 << (length - 1);
    // Eight bytes at once and back is cheaper than a copy of a length that only now is known.
    let end = out.len() + length as usize;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

#[inline]
pub fn put_count(out: &mut Vec<u8>, count: usize) {
    put_number(out, count as u64);
}

#[inline]
pub fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

#[inline]
pub fn put_time(out: &mut Vec<u8>, origin: Timestamp, time: Timestamp) {
    put_signed(out, time.0 - origin.0);
}

/// # Panics
/// Where `number` is negative: what is measured never is.
#[inline]
pub fn put_wide(out: &mut Vec<u8>, number: i128) {
    assert!(number >= 0, "{number} is negative");
    match u64::try_from(number) {
        Ok(small) if small < 1 << 62 => put_number(out, small << 1),
        _ => {
            put_number(out, 1);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut numbers = vec![0, 1, u64::MAX, u64::MAX - 1];
        numbers.extend((0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, (1 << bit) + 1]));
        let mut out = Vec::new();
        for number in &numbers {
            put_number(&mut out, *number);
            put_signed(&mut out, number.cast_signed());
            put_wide(&mut out, i128::from(*number));
            put_wide(&mut out, i128::from(*number) << 60);
        }
        let end = out.len();
        out.extend([0xff; MARGIN]);
        let mut reader = Reader::new(&out, 0);
        for number in numbers {
            assert_eq!(reader.number(), number);
            assert_eq!(reader.signed(), number.cast_signed());
            assert_eq!(reader.wide(), i128::from(number));
            assert_eq!(reader.wide(), i128::from(number) << 60);
        }
        assert_eq!(reader.at(), end);
    }

    #[test]
    fn small_numbers_are_short() {
        for (number, bytes) in [(0, 1), (127, 1), (128, 2), (1 << 14, 3), ((1 << 56) - 1, 8), (1 << 56, 9)] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(out.len(), bytes, "{number}");
        }
    }
}
