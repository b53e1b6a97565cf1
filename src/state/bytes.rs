//! Numbers as few bytes: how everything that is remembered of a quiet wallet is written.
//!
//! A number below 2^56 takes one byte for each seven bits. The first byte's lowest set bit says how many follow, so
//! that it is read by one load of eight bytes and a shift, without a loop; that load may reach past the number, which
//! is why whoever reads has [`MARGIN`] bytes behind what was written.

use crate::time::Timestamp;

/// Bytes that must lie behind the last one that was written, whatever they are: what is short is read and written as
/// so many bytes at once, which is cheaper than a copy of a length that only then is known.
pub const MARGIN: usize = 40;

/// Most bytes of a number whose first byte tells its length.
const LONGEST: u32 = 8;

/// What keeps the lowest so many bytes of a word.
const MASKS: [u64; 9] = [0, 0xff, 0xffff, 0xff_ffff, !0 >> 32, !0 >> 24, !0 >> 16, !0 >> 8, !0];

const BEHIND: &str = "a margin lies behind what is written";

/// Reads what [`Writer`] and [`put_number`] have written.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Has nothing to read.
    pub const NOTHING: Reader<'static> = Reader { bytes: &[], at: 0 };

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
    #[inline(always)]
    pub fn place(&mut self) -> u16 {
        u16::try_from(self.number()).expect("a place was written as one")
    }

    /// How many of something follow.
    #[inline(always)]
    pub fn count(&mut self) -> usize {
        usize::try_from(self.number()).expect("a count was written as one")
    }

    /// A number with a sign.
    #[inline(always)]
    pub fn signed(&mut self) -> i64 {
        unfolded(self.number())
    }

    /// An instant, which was written by its distance from `origin`.
    #[inline(always)]
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

    /// One byte as it is.
    #[inline(always)]
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes[self.at];
        self.at += 1;
        byte
    }

    /// Leaves out so many bytes.
    #[inline(always)]
    pub fn pass(&mut self, length: usize) {
        self.at += length;
    }

    /// So many bytes, at most [`MARGIN`], and behind them whatever follows.
    #[inline(always)]
    pub fn short_bytes(&mut self, length: usize) -> [u8; MARGIN] {
        let bytes = *self.bytes[self.at..].first_chunk().expect(BEHIND);
        self.at += length;
        bytes
    }

    /// Two numbers.
    #[inline(always)]
    pub fn pair(&mut self) -> (u64, u64) {
        let word = self.word();
        // Nearly always both are short.
        if word & 0x0101 == 0x0101 {
            self.at += 2;
            return ((word & 0xff) >> 1, (word >> 8 & 0xff) >> 1);
        }
        (self.number(), self.number())
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
        u64::from_le_bytes(*self.bytes[self.at..].first_chunk().expect(BEHIND))
    }
}

/// Writes into room that was made sure of before, with a margin behind it.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// Writes from `at` on.
    #[inline(always)]
    pub fn new(bytes: &'a mut [u8], at: usize) -> Self {
        Writer { bytes, at }
    }

    /// Where the next byte will stand.
    #[must_use]
    #[inline(always)]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first `length` of some bytes.
    #[inline(always)]
    pub fn array<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        *self.bytes[self.at..].first_chunk_mut().expect(BEHIND) = *bytes;
        self.at += length;
    }

    /// Bytes of any number.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    #[inline(always)]
    pub fn number(&mut self, number: u64) {
        // Nearly all are short.
        if number < 1 << 7 {
            return self.array(&(number << 1 | 1).to_le_bytes(), 1);
        }
        match long_word(number) {
            Some((word, length)) => self.array(&word.to_le_bytes(), length),
            None => self.whole(number),
        }
    }

    /// A number that takes `least` bytes at least, so that a larger one can be put over it.
    #[inline(always)]
    pub fn roomy_number(&mut self, number: u64, least: usize) {
        match word_of(number, least) {
            Some(word) => self.array(&word.to_le_bytes(), least),
            None => self.number(number),
        }
    }

    #[cold]
    fn whole(&mut self, number: u64) {
        self.array(&[0], 1);
        self.array(&number.to_le_bytes(), 8);
    }

    #[inline(always)]
    pub fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    #[inline(always)]
    pub fn signed(&mut self, number: i64) {
        self.number(folded(number));
    }

    #[inline(always)]
    pub fn time(&mut self, origin: Timestamp, time: Timestamp) {
        self.signed(time.0 - origin.0);
    }

    /// # Panics
    /// Where `number` is negative: what is measured never is.
    #[inline]
    pub fn wide(&mut self, number: i128) {
        assert!(number >= 0, "{number} is negative");
        match u64::try_from(number) {
            Ok(small) if small < 1 << 62 => self.number(small << 1),
            _ => {
                self.number(1);
                self.array(&number.to_le_bytes(), 16);
            }
        }
    }

    /// What `write` appends, behind its length.
    #[inline(always)]
    pub fn behind_length(&mut self, write: impl FnOnce(&mut Self)) {
        let begun = self.begin_length();
        write(self);
        self.end_length(begun);
    }

    /// Leaves room for the length of what is written until [`Writer::end_length`] is told what this gives.
    #[inline(always)]
    pub fn begin_length(&mut self) -> usize {
        // Nearly all lengths are below 128, whose number is one byte.
        self.at += 1;
        self.at - 1
    }

    #[inline(always)]
    pub fn end_length(&mut self, begun: usize) {
        match u8::try_from((self.at - begun - 1) << 1 | 1) {
            Ok(byte) => self.bytes[begun] = byte,
            Err(_) => self.long_length(begun),
        }
    }

    /// Makes room for a length of more than the one byte that was left for it at `at`.
    #[cold]
    fn long_length(&mut self, at: usize) {
        let mut head = [0; MARGIN];
        let mut writer = Writer::new(&mut head, 0);
        writer.count(self.at - at - 1);
        let length = writer.at;
        self.bytes.copy_within(at + 1..self.at, at + length);
        self.bytes[at..at + length].copy_from_slice(&head[..length]);
        self.at += length - 1;
    }
}

/// Bytes that are written anew for every record; their room stays, with whatever was in it.
#[derive(Debug, Default)]
pub struct Draft {
    bytes: Vec<u8>,
    length: usize,
}

impl Draft {
    pub fn clear(&mut self) {
        self.length = 0;
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub fn written_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    /// What was written, with a margin behind it.
    #[must_use]
    pub fn with_margin(&mut self) -> &[u8] {
        self.make_room(0);
        &self.bytes
    }

    /// Appends what `write` writes, at most `most` bytes.
    #[inline(always)]
    pub fn write(&mut self, most: usize, write: impl FnOnce(&mut Writer<'_>)) {
        let mut writer = self.writer(most);
        write(&mut writer);
        let end = writer.at();
        self.end(end);
    }

    /// What writes the next bytes, at most so many; [`Draft::end`] is told where it ended. A closure that is long is
    /// called, and its writer lies in memory; this one stays in registers.
    #[inline(always)]
    pub fn writer(&mut self, most: usize) -> Writer<'_> {
        self.make_room(most);
        Writer::new(&mut self.bytes, self.length)
    }

    #[inline(always)]
    pub fn end(&mut self, end: usize) {
        self.length = end;
    }

    /// Appends bytes.
    #[inline]
    pub fn copy(&mut self, bytes: &[u8]) {
        self.write(bytes.len(), |out| out.bytes(bytes));
    }

    #[inline(always)]
    fn make_room(&mut self, most: usize) {
        let needed = self.length + most + MARGIN;
        if self.bytes.len() < needed {
            self.grow(needed);
        }
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        self.bytes.resize(needed.next_power_of_two(), 0);
    }
}

/// Puts a number over the one of `length` bytes at `at`, if there is room for it; it is written as long as that one was.
#[inline(always)]
pub fn put_over(bytes: &mut [u8], at: usize, length: usize, number: u64) -> bool {
    let Some(word) = word_of(number, length) else { return false };
    let place = bytes[at..].first_chunk_mut().expect(BEHIND);
    *place = (u64::from_le_bytes(*place) & !MASKS[length] | word).to_le_bytes();
    true
}

/// The bytes of a number that takes so many, though fewer might do.
#[inline(always)]
fn word_of(number: u64, length: usize) -> Option<u64> {
    (length <= LONGEST as usize && number >> (7 * length) == 0).then(|| number << length | 1 << (length - 1))
}

/// The same of an instant.
#[inline(always)]
pub fn put_time_over(bytes: &mut [u8], at: usize, length: usize, origin: Timestamp, time: Timestamp) -> bool {
    put_over(bytes, at, length, folded(time.0 - origin.0))
}

/// The bytes of a number below 2^56, and how many they are.
#[inline(always)]
fn long_word(number: u64) -> Option<(u64, usize)> {
    let length = (64 - (number | 1).leading_zeros()).div_ceil(7);
    (length <= LONGEST).then(|| (number << length | 1 << (length - 1), length as usize))
}

/// A number with a sign as one without, so that those near 0 stay small.
#[inline(always)]
#[must_use]
pub fn folded(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// The way back.
#[inline(always)]
#[must_use]
pub fn unfolded(folded: u64) -> i64 {
    (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
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
    let Some((word, length)) = long_word(number) else {
        out.push(0);
        return out.extend_from_slice(&number.to_le_bytes());
    };
    // Eight bytes at once and back is cheaper than a copy of a length that only now is known.
    let end = out.len() + length;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

#[inline]
pub fn put_count(out: &mut Vec<u8>, count: usize) {
    put_number(out, count as u64);
}

#[inline]
pub fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, folded(number));
}

#[inline]
pub fn put_time(out: &mut Vec<u8>, origin: Timestamp, time: Timestamp) {
    put_signed(out, time.0 - origin.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut numbers = vec![0, 1, u64::MAX, u64::MAX - 1];
        numbers.extend((0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, (1 << bit) + 1]));
        let mut draft = Draft::default();
        let mut out = Vec::new();
        for number in &numbers {
            draft.write(64, |out| {
                out.number(*number);
                out.signed(number.cast_signed());
                out.wide(i128::from(*number));
                out.wide(i128::from(*number) << 60);
            });
            put_number(&mut out, *number);
            put_signed(&mut out, number.cast_signed());
        }
        let end = draft.len();
        let mut reader = Reader::new(draft.with_margin(), 0);
        let alike = out.len();
        out.extend([0xff; MARGIN]);
        let mut other = Reader::new(&out, 0);
        for number in numbers {
            let folded = ((number << 1).cast_signed() ^ (number.cast_signed() >> 63)).cast_unsigned();
            assert_eq!({ reader }.pair(), (number, folded));
            assert_eq!(reader.number(), number);
            assert_eq!(reader.signed(), number.cast_signed());
            assert_eq!(reader.wide(), i128::from(number));
            assert_eq!(reader.wide(), i128::from(number) << 60);
            assert_eq!((other.number(), other.signed()), (number, number.cast_signed()));
        }
        assert_eq!((reader.at(), other.at()), (end, alike));
    }

    #[test]
    fn a_number_goes_over_one_that_leaves_it_room_and_touches_nothing_else() {
        let mut numbers = vec![0, 1, u64::MAX];
        numbers.extend((0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1]));
        for (old, new) in numbers.iter().flat_map(|old| numbers.iter().map(move |new| (*old, *new))) {
            for least in 1..=LONGEST as usize {
                let mut draft = Draft::default();
                draft.copy(&[7]);
                draft.write(2 * MARGIN, |out| {
                    out.roomy_number(old, least);
                    out.array(&[9; MARGIN], MARGIN);
                });
                let mut bytes = draft.written().to_vec();
                let length = bytes.len() - 1 - MARGIN;
                assert!(length >= least);
                let before = bytes.clone();
                let fits = length <= LONGEST as usize && (new >> (7 * length - 1)) >> 1 == 0;
                assert_eq!(put_over(&mut bytes, 1, length, new), fits, "{new} over {old}");
                let mut reader = Reader::new(&bytes, 1);
                assert_eq!(reader.number(), if fits { new } else { old }, "{new} over {old} of {length} bytes");
                assert_eq!((reader.at(), bytes[0]), (length + 1, 7));
                assert_eq!(bytes[length + 1..], before[length + 1..]);
            }
        }
    }

    #[test]
    fn lengths_and_short_texts_come_back() {
        for length in (0..300).chain([16_382, 16_383, 16_384, 70_000]) {
            let text: Vec<u8> = (0..length).map(|place| u8::try_from(place % 251).expect("small")).collect();
            let mut draft = Draft::default();
            draft.copy(b"before");
            draft.write(text.len() + 9, |out| out.behind_length(|out| out.bytes(&text)));
            draft.copy(b"behind");
            let mut reader = Reader::new(draft.with_margin(), 6);
            assert_eq!(reader.count(), length);
            if length <= MARGIN {
                assert_eq!({ reader }.short_bytes(length)[..length], text);
            }
            assert_eq!(reader.bytes(length), text);
            assert_eq!(reader.bytes(6), b"behind");
            assert_eq!(reader.at(), draft.len());
        }
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
