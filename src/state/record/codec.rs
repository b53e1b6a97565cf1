//! Numbers, instants and texts of a record's body. Whoever reads expects nothing: bytes from outside that say what cannot be
//! are a [`Malformed`], never a panic.
//!
//! The packed form of a wallet in memory has a codec of its own: that one reads eight bytes at once past what it needs and
//! trusts every byte, since nobody but the process has written it, or [`cells`](super::cells) has held it against what can be.

use crate::{
    state::bytes::{folded, unfolded},
    time::Timestamp,
};

/// What a body says that it cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

pub type Read<T> = Result<T, Malformed>;

/// Instants are counted in ms from 2020-01-01T00:00:00Z, so that those of our days are short.
const ORIGIN: Timestamp = Timestamp(1_577_836_800_000);
/// No instant is further than this from the origin, also not the end of a restriction that was imposed in the last year.
const FURTHEST: u64 = 1 << 60;

/// A body that is written.
#[derive(Debug, Default)]
pub struct Sink {
    pub bytes: Vec<u8>,
}

impl Sink {
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the low ones first; the high bit says that more follow (LEB128).
    pub fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(u8::try_from(number & 0x7f).expect("masked to seven bits") | 0x80);
            number >>= 7;
        }
        self.bytes.push(u8::try_from(number).expect("seven bits are left"));
    }

    pub fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub fn wide(&mut self, mut number: u128) {
        loop {
            let low = u8::try_from(number & 0x7f).expect("masked to seven bits");
            number >>= 7;
            if number == 0 {
                return self.bytes.push(low);
            }
            self.bytes.push(low | 0x80);
        }
    }

    /// A number with a sign, folded so that those near 0 stay small.
    pub fn signed(&mut self, number: i64) {
        self.number(folded(number));
    }

    /// How many bytes [`Sink::signed`] takes for it.
    #[must_use]
    pub fn bytes_of_signed(number: i64) -> usize {
        let bits = 64 - (folded(number) | 1).leading_zeros();
        bits.div_ceil(7) as usize
    }

    pub fn time(&mut self, time: Timestamp) {
        self.signed(time.0 - ORIGIN.0);
    }

    /// An instant that may lie outside of the years of events.
    pub fn any_time(&mut self, time: Timestamp) {
        self.time(time);
    }

    pub fn hash(&mut self, hash: u128) {
        self.bytes(&hash.to_le_bytes());
    }

    pub fn half(&mut self, half: u64) {
        self.bytes(&half.to_le_bytes());
    }

    /// Bytes behind their length.
    pub fn text(&mut self, text: &[u8]) {
        self.count(text.len());
        self.bytes(text);
    }

    /// What is there, if it is.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(value.is_some().into());
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// A body that is read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    bytes: &'a [u8],
}

impl<'a> Source<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Source { bytes }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Leaves the rest unread.
    ///
    /// # Errors
    /// None: as the others, so that it can stand in their place.
    pub fn skip(&mut self) -> Read<()> {
        self.bytes = &[];
        Ok(())
    }

    /// All that has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// # Errors
    /// Where bytes are left: a body says all that it has.
    pub fn end(&self) -> Read<()> {
        if self.is_empty() { Ok(()) } else { Err(Malformed("bytes are left at its end")) }
    }

    /// # Errors
    /// As all that follow, where the bytes end or say what cannot be.
    pub fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.bytes.split_first().ok_or(Malformed("it ends too early"))?;
        self.bytes = rest;
        Ok(*first)
    }

    pub fn bytes(&mut self, length: usize) -> Read<&'a [u8]> {
        let (first, rest) = self.bytes.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.bytes = rest;
        Ok(first)
    }

    pub fn number(&mut self) -> Read<u64> {
        // Nearly all are short.
        if let Some((short @ 0..0x80, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            return Ok((*short).into());
        }
        u64::try_from(self.wide()?).map_err(|_| Malformed("a number is too large"))
    }

    pub fn wide(&mut self) -> Read<u128> {
        let mut number = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            let low = u128::from(byte & 0x7f);
            if low << shift >> shift != low {
                return Err(Malformed("a number is too large"));
            }
            number |= low << shift;
            if byte & 0x80 == 0 {
                // One writing for each number, so that equal states are equal bytes.
                return if low == 0 && shift > 0 { Err(Malformed("a number is padded")) } else { Ok(number) };
            }
        }
        Err(Malformed("a number is too large"))
    }

    pub fn signed(&mut self) -> Read<i64> {
        self.number().map(unfolded)
    }

    /// How many of something follow, each of at least one byte.
    pub fn count(&mut self) -> Read<usize> {
        let count = self.number()?;
        usize::try_from(count).ok().filter(|count| *count <= self.bytes.len()).ok_or(Malformed("a count is too large"))
    }

    /// A number that fits in 32 bits.
    pub fn small(&mut self) -> Read<u32> {
        u32::try_from(self.number()?).map_err(|_| Malformed("a number is too large"))
    }

    pub fn flag(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a flag is neither 0 nor 1")),
        }
    }

    /// An instant, of which no more is known than that sums of two of them fit.
    pub fn any_time(&mut self) -> Read<Timestamp> {
        let distance = self.signed()?;
        if distance.unsigned_abs() > FURTHEST {
            return Err(Malformed("an instant lies beyond the years that are known"));
        }
        Ok(Timestamp(ORIGIN.0 + distance))
    }

    /// An instant that an event may have.
    pub fn time(&mut self) -> Read<Timestamp> {
        within_years(self.any_time()?)
    }

    /// An instant that lies so many ms behind `earlier`.
    pub fn time_after(&mut self, earlier: Timestamp) -> Read<Timestamp> {
        let apart = self.number()?;
        let later = i64::try_from(apart).ok().and_then(|apart| earlier.0.checked_add(apart));
        within_years(Timestamp(later.ok_or(Malformed("an instant lies beyond the years that are known"))?))
    }

    /// An instant that lies so many ms before `later`, or, with a sign, behind it.
    pub fn time_before(&mut self, later: Timestamp) -> Read<Timestamp> {
        time_before(later, self.signed()?)
    }

    pub fn hash(&mut self) -> Read<u128> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    pub fn half(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        Ok(*self.bytes(N)?.first_chunk().expect("so many bytes were taken"))
    }

    pub fn text_bytes(&mut self) -> Read<&'a [u8]> {
        let length = self.count()?;
        self.bytes(length)
    }

    pub fn text(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.text_bytes()?).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// So many things, of at least a byte each, behind how many they are.
    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.count()?;
        (0..count).map(|_| read(self)).collect()
    }
}

/// The instant that lies so many ms before `later`, or, with a sign, behind it.
///
/// # Errors
/// Where no event may have it.
pub fn time_before(later: Timestamp, apart: i64) -> Read<Timestamp> {
    let earlier = later.0.checked_sub(apart);
    within_years(Timestamp(earlier.ok_or(Malformed("an instant lies beyond the years that are known"))?))
}

fn within_years(time: Timestamp) -> Read<Timestamp> {
    if (Timestamp::MIN..=Timestamp::MAX).contains(&time) {
        Ok(time)
    } else {
        Err(Malformed("an instant lies beyond the years that are known"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut numbers = vec![0, 1, u128::MAX];
        numbers.extend((0..128).flat_map(|bit| [1 << bit, (1 << bit) - 1, (1_u128 << bit) + 1]));
        for number in numbers {
            let mut sink = Sink::default();
            sink.wide(number);
            let mut source = Source::new(&sink.bytes);
            assert_eq!(source.wide(), Ok(number));
            assert_eq!(source.end(), Ok(()));
            for end in 0..sink.bytes.len() {
                assert!(Source::new(&sink.bytes[..end]).wide().is_err(), "{number} cut at {end}");
            }
        }
        for number in [0, 1, -1, i64::MAX, i64::MIN, 63, -64, 64] {
            let mut sink = Sink::default();
            sink.signed(number);
            assert_eq!(Source::new(&sink.bytes).signed(), Ok(number));
            assert_eq!(Sink::bytes_of_signed(number), sink.bytes.len());
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let over = [0xff; 19];
        assert!(Source::new(&over).wide().is_err());
        assert!(Source::new(&[0x80, 0x00]).wide().is_err(), "padded");
        assert!(Source::new(&[0x05, 1, 2]).count().is_err(), "five things in two bytes");
        let mut sink = Sink::default();
        sink.signed(i64::MAX);
        assert!(Source::new(&sink.bytes).any_time().is_err());
    }
}
