//! JSON (RFC 8259) read once, byte by byte: where the values of known fields stand, and whether all of it is JSON.
//!
//! It does not know what a value means. Nesting is counted, not recursed into. Texts without escapes stay where they
//! are; others are written, without the escapes, to the scratch space. The record is known to be UTF-8 already.

use super::{
    attributes::Entry,
    fault::{self, Refusal},
    known::Known,
};
use crate::{
    limits::{RECORD_BYTES, RECORD_DEPTH},
    number::Decimal,
};

/// Where a text stands: in the record, or in the scratch space if it was unescaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    start: u32,
    end: u32,
    unescaped: bool,
}

impl Text {
    #[inline]
    fn new(start: usize, end: usize, unescaped: bool) -> Self {
        Text { start: place(start), end: place(end), unescaped }
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

// An unescaped text is never longer than the escaped one, so the scratch space has the record's bound.
const _: () = assert!(RECORD_BYTES <= u32::MAX as usize);

#[inline]
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a record is at most RECORD_BYTES, which fits")
}

/// The two places that texts stand in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Texts<'a> {
    pub record: &'a str,
    pub scratch: &'a str,
}

impl<'a> Texts<'a> {
    #[inline]
    pub fn of(&self, text: Text) -> &'a str {
        let source = if text.unescaped { self.scratch } else { self.record };
        &source[text.start as usize..text.end as usize]
    }
}

/// A value that holds no other, as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw {
    /// Also what is not there at all.
    Null,
    Bool(bool),
    /// The text of a JSON number.
    Number(Text),
    Text(Text),
}

/// A place in a record.
pub(super) struct Reader<'r> {
    record: &'r str,
    bytes: &'r [u8],
    at: usize,
    scratch: &'r mut String,
    /// The known field whose value is being read, for messages.
    field: Option<Known>,
}

impl<'r> Reader<'r> {
    pub fn new(record: &'r str, scratch: &'r mut String) -> Self {
        Reader { record, bytes: record.as_bytes(), at: 0, scratch, field: None }
    }

    /// Reads the whole record: the values of known fields, and the attributes.
    pub fn record(mut self, attributes: &mut Vec<Entry>) -> Result<[Raw; Known::COUNT], Refusal> {
        let mut values = [Raw::Null; Known::COUNT];
        let mut seen = 0;
        self.blanks();
        self.take(b'{', "the record's `{`")?;
        let mut more = !self.taken(b'}');
        while more {
            let key = self.key()?;
            match Known::find(self.text(key)) {
                None => self.skip()?,
                Some(field) => {
                    if seen & field.bit() != 0 {
                        return Err(fault::twice(field.name()));
                    }
                    seen |= field.bit();
                    self.field = Some(field);
                    if field == Known::Attributes {
                        self.attributes(attributes)?;
                    } else {
                        values[field.place()] = self.scalar()?;
                    }
                    self.field = None;
                }
            }
            more = self.another(b'}', "`,` or `}`")?;
        }
        self.blanks();
        if self.at < self.bytes.len() {
            return Err(self.expected("nothing but blanks after the record's `}`"));
        }
        Ok(values)
    }

    /// Reads the value of `attributes`: null or a flat object.
    fn attributes(&mut self, attributes: &mut Vec<Entry>) -> Result<(), Refusal> {
        if self.peek() != Some(b'{') {
            return match self.scalar()? {
                Raw::Null => Ok(()),
                other => Err(fault::wrong_type(Known::Attributes, self.texts(), other)),
            };
        }
        self.at += 1;
        let mut more = !self.taken(b'}');
        while more {
            let name = self.key()?;
            if let Some(opening @ (b'{' | b'[')) = self.peek() {
                let expected = "a text, a number, true or false";
                return Err(fault::nested(&fault::attribute(self.texts(), name), opening, expected));
            }
            let raw = self.scalar()?;
            attributes.push(Entry { name, raw, number: Decimal::ZERO });
            more = self.another(b'}', "`,` or `}`")?;
        }
        Ok(())
    }

    /// Reads the value of a known field or of an attribute.
    fn scalar(&mut self) -> Result<Raw, Refusal> {
        match self.peek() {
            Some(b'"') => Ok(Raw::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => Ok(Raw::Number(self.number()?)),
            Some(b't') => self.literal("true").map(|()| Raw::Bool(true)),
            Some(b'f') => self.literal("false").map(|()| Raw::Bool(false)),
            Some(b'n') => self.literal("null").map(|()| Raw::Null),
            Some(opening @ (b'{' | b'[')) => match self.field {
                Some(field) => Err(fault::nested(field.name(), opening, field.expected())),
                None => Err(self.expected("a value")),
            },
            _ => Err(self.expected("a value")),
        }
    }

    /// Reads over any value: what nobody knows is only checked to be JSON.
    fn skip(&mut self) -> Result<(), Refusal> {
        let mut open = Levels::default();
        loop {
            match self.peek() {
                Some(opening @ (b'{' | b'[')) => {
                    if !open.push(opening == b'{') {
                        return Err(fault::too_deep(self.at));
                    }
                    self.at += 1;
                    let closing = if opening == b'{' { b'}' } else { b']' };
                    if !self.taken(closing) {
                        if opening == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    open.pop();
                }
                _ => {
                    self.scalar()?;
                }
            }
            // A value has ended, and with it perhaps what holds it.
            loop {
                let Some(object) = open.innermost_is_object() else { return Ok(()) };
                let (closing, expected) = if object { (b'}', "`,` or `}`") } else { (b']', "`,` or `]`") };
                if self.another(closing, expected)? {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Reads a key, its colon, and the blanks before and after each.
    #[inline]
    fn key(&mut self) -> Result<Text, Refusal> {
        self.blanks();
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key in quotes"));
        }
        let key = self.string()?;
        self.blanks();
        self.take(b':', "`:`")?;
        self.blanks();
        Ok(key)
    }

    /// After a value: whether another follows its comma, or `closing` ends what holds it.
    #[inline]
    fn another(&mut self, closing: u8, expected: &'static str) -> Result<bool, Refusal> {
        self.blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.blanks();
                Ok(true)
            }
            Some(byte) if byte == closing => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.expected(expected)),
        }
    }

    /// Reads a string from its opening quote on.
    #[inline]
    fn string(&mut self) -> Result<Text, Refusal> {
        let start = self.at + 1;
        let end = plain_end(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Text::new(start, end, false));
        }
        self.escaped_string(start)
    }

    /// Reads a string with escapes into the scratch space.
    #[cold]
    fn escaped_string(&mut self, mut from: usize) -> Result<Text, Refusal> {
        let start = self.scratch.len();
        loop {
            self.at = plain_end(self.bytes, from);
            self.scratch.push_str(&self.record[from..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::new(start, self.scratch.len(), true));
                }
                Some(b'\\') => {
                    let letter = self.escape()?;
                    self.scratch.push(letter);
                    from = self.at;
                }
                Some(_) => return Err(self.expected("an escape in place of a control character")),
                None => return Err(self.expected("the quote that ends a string")),
            }
        }
    }

    /// Reads one escape from its backslash on; a surrogate pair is one.
    fn escape(&mut self) -> Result<char, Refusal> {
        let start = self.at;
        self.at += 1;
        let letter = match self.peek() {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => return Err(self.expected("one of \" \\ / b f n r t u")),
        };
        self.at += 1;
        Ok(letter)
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char, Refusal> {
        let first = self.hex_digits()?;
        let mut code = first;
        if (0xD800..0xDC00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 1;
            let second = self.hex_digits()?;
            if (0xDC00..0xE000).contains(&second) {
                code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            }
        }
        match char::from_u32(code) {
            Some(letter) => Ok(letter),
            None => {
                self.at = start;
                Err(self.expected("both halves of a surrogate pair"))
            }
        }
    }

    /// The value of the four digits after the `u` that stands here.
    fn hex_digits(&mut self) -> Result<u32, Refusal> {
        let mut code = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code << 4 | digit.ok_or_else(|| self.expected("a hexadecimal digit"))?;
        }
        self.at += 1;
        Ok(code)
    }

    /// Reads a number as RFC 8259 writes them, however long.
    fn number(&mut self) -> Result<Text, Refusal> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        // Nothing may follow a leading zero: a digit after it is found out by whoever reads on.
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Text::new(start, self.at, false))
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), Refusal> {
        if !self.bytes[self.at..].starts_with(literal.as_bytes()) {
            return Err(self.expected(literal));
        }
        self.at += literal.len();
        Ok(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Refusal> {
        if self.peek() != Some(byte) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads over blanks, and over `byte` if it follows them.
    #[inline]
    fn taken(&mut self, byte: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn texts(&self) -> Texts<'_> {
        Texts { record: self.record, scratch: self.scratch }
    }

    #[inline]
    fn text(&self, text: Text) -> &str {
        self.texts().of(text)
    }

    #[cold]
    fn expected(&self, expected: &str) -> Refusal {
        fault::syntax(self.field, self.record, self.at, expected)
    }
}

/// The arrays and objects that are open within the record, the innermost last: a bit for each.
#[derive(Default)]
struct Levels {
    count: usize,
    objects: u32,
}

// The record's own level is not among them.
const _: () = assert!(RECORD_DEPTH - 1 <= 32);

impl Levels {
    /// Opens a level; false where the record may not be nested so deep.
    fn push(&mut self, object: bool) -> bool {
        self.count += 1;
        self.objects = self.objects << 1 | u32::from(object);
        self.count < RECORD_DEPTH
    }

    fn pop(&mut self) {
        self.count -= 1;
        self.objects >>= 1;
    }

    fn innermost_is_object(&self) -> Option<bool> {
        (self.count > 0).then_some(self.objects & 1 == 1)
    }
}

/// Where the first quote, backslash or control character from `from` on stands, else where `bytes` end.
///
/// Eight bytes at a time: `x - 0x01…` borrows into the high bit of a byte only if that byte, or one below it, was 0.
/// The lowest marked byte is therefore truly one that is looked for.
#[inline]
fn plain_end(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let rest = bytes.get(from..).unwrap_or_default();
    let (words, tail) = rest.as_chunks::<8>();
    let mut at = from;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let below = |byte: u8, word: u64| word.wrapping_sub(ONES * u64::from(byte)) & !word;
        let quote = below(1, word ^ (ONES * u64::from(b'"')));
        let backslash = below(1, word ^ (ONES * u64::from(b'\\')));
        let control = below(b' ', word);
        let marks = (quote | backslash | control) & HIGH;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' ')).unwrap_or(tail.len())
}
