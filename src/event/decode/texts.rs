//! Texts of a record by their places, and values as they were written: what reading a record comes down to, be it JSON or
//! of another form.

use crate::limits::{MAPPED_PARTS, MAPPING_BYTES, RECORD_BYTES};

/// Where a text stands: in the record, or in the scratch space if it was unescaped or made.
///
/// One word: the start, the end, and a bit for the scratch space. It goes through registers, where a struct of three
/// fields is written and read back in pieces, at three times the cost of all else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text(u64);

const PLACE_BITS: u32 = 30;
const PLACE: u64 = (1 << PLACE_BITS) - 1;
const SCRATCH: u64 = 1 << (2 * PLACE_BITS);
const KIND_SHIFT: u32 = 2 * PLACE_BITS + 1;

// An unescaped text is never longer than the escaped one, so the scratch space of JSON has the record's bound. A mapping keeps there
// its names, what it has made so far, and the parts of one value that it joins, each perhaps after a text of the mapping's.
const _: () = assert!(((MAPPED_PARTS + 2) * (RECORD_BYTES + MAPPING_BYTES)) as u64 <= PLACE);
// Five kinds of values.
const _: () = assert!(KIND_SHIFT + 3 <= u64::BITS);

impl Text {
    /// One that stands in the record.
    #[inline]
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end as u64 <= PLACE);
        Text(start as u64 | (end as u64) << PLACE_BITS)
    }

    /// One that stands in the scratch space.
    #[inline]
    #[must_use]
    pub fn in_scratch(start: usize, end: usize) -> Self {
        Text(Text::new(start, end).0 | SCRATCH)
    }

    #[inline]
    pub(super) fn start(self) -> usize {
        (self.0 & PLACE) as usize
    }

    #[inline]
    pub(super) fn end(self) -> usize {
        (self.0 >> PLACE_BITS & PLACE) as usize
    }

    #[inline]
    pub(super) fn is_in_scratch(self) -> bool {
        self.0 & SCRATCH != 0
    }

    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start() == self.end()
    }
}

/// The two places that texts stand in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'a> {
    pub record: &'a str,
    pub scratch: &'a str,
}

impl<'a> Texts<'a> {
    /// The text that stands there.
    #[inline(always)]
    #[must_use]
    pub fn of(&self, text: Text) -> &'a str {
        let source = if text.is_in_scratch() { self.scratch } else { self.record };
        &source[text.start()..text.end()]
    }
}

/// A value that holds no other, as it was written.
#[derive(Clone, Copy, Debug)]
pub enum Raw {
    /// Also what is not there at all.
    Null,
    Bool(bool),
    /// The text of a JSON number.
    Number(Text),
    Text(Text),
}

/// A [`Raw`] in one word, for the reason that [`Text`] is one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packed(u64);

impl Packed {
    pub const FALSE: Packed = Packed(1 << KIND_SHIFT);
    pub const TRUE: Packed = Packed(2 << KIND_SHIFT);
    const NUMBER: u64 = 3;
    const TEXT: u64 = 4;

    /// For values of any kind.
    #[inline]
    pub fn of(raw: Raw) -> Self {
        match raw {
            Raw::Null => Packed::default(),
            Raw::Bool(true) => Packed::TRUE,
            Raw::Bool(false) => Packed::FALSE,
            Raw::Number(text) => Packed::number(text),
            Raw::Text(text) => Packed::text(text),
        }
    }

    #[inline]
    pub fn number(text: Text) -> Self {
        Packed(text.0 | Packed::NUMBER << KIND_SHIFT)
    }

    #[inline]
    pub fn text(text: Text) -> Self {
        Packed(text.0 | Packed::TEXT << KIND_SHIFT)
    }

    #[inline]
    pub fn raw(self) -> Raw {
        let text = Text(self.0 & ((1 << KIND_SHIFT) - 1));
        match self.0 >> KIND_SHIFT {
            0 => Raw::Null,
            Packed::NUMBER => Raw::Number(text),
            Packed::TEXT => Raw::Text(text),
            _ => Raw::Bool(self.0 == Packed::TRUE.0),
        }
    }
}
