//! JSON (RFC 8259) read once, byte by byte: where the values of known fields stand, and whether all of it is JSON.
//!
//! It does not know what a value means. Nesting is counted, not recursed into. Texts without escapes stay where they
//! are; others are written, without the escapes, to the scratch space. The record is known to be UTF-8 already.

use super::{
    attributes::Entry,
    fault::{self, Refusal},
    fields::Fields,
    known::Known,
    texts::{Packed, Raw, Text, Texts},
};
use crate::{limits::RECORD_DEPTH, number::Decimal, plain::plain_length};

/// A place in a record.
pub(super) struct Reader<'r> {
    record: &'r str,
    /// What has not been read yet.
    rest: &'r [u8],
    scratch: &'r mut String,
    /// The known field whose value is being read, for messages.
    field: Option<Known>,
}

impl<'r> Reader<'r> {
    pub fn new(record: &'r str, scratch: &'r mut String) -> Self {
        Reader { record, rest: record.as_bytes(), scratch, field: None }
    }

    /// Reads the whole record: the values of known fields, and the attributes.
    #[inline(always)]
    pub fn record(mut self, fields: &mut Fields<'_>, attributes: &mut Vec<Entry>) -> Result<(), Refusal> {
        self.blanks();
        self.take(b'{', "the record's `{`")?;
        let mut more = !self.taken(b'}');
        while more {
            let (rest, stop) = usual_members(self.record, self.rest, fields);
            self.rest = rest;
            if stop == Stop::BeforeMember {
                self.member(fields, attributes)?;
            }
            more = self.another(b'}', "`,` or `}`")?;
        }
        self.blanks();
        if !self.rest.is_empty() {
            return Err(self.expected("nothing but blanks after the record's `}`"));
        }
        Ok(())
    }

    /// Reads a record of any shape, and nothing of what it says.
    pub fn whole(mut self) -> Result<(), Refusal> {
        self.blanks();
        self.skip(RECORD_DEPTH)?;
        self.blanks();
        if !self.rest.is_empty() {
            return Err(self.expected("nothing but blanks after the record"));
        }
        Ok(())
    }

    /// Reads a key and its value, whatever they are.
    fn member(&mut self, fields: &mut Fields<'_>, attributes: &mut Vec<Entry>) -> Result<(), Refusal> {
        let key = self.key()?;
        let Some(field) = Known::find(self.texts().of(key).as_bytes()) else { return self.skip(RECORD_DEPTH - 1) };
        if fields.has_met(field) {
            return Err(fault::twice(field.name()));
        }
        self.field = Some(field);
        if field == Known::Attributes {
            self.attributes(attributes)?;
            fields.meet(field);
        } else {
            let value = self.scalar()?;
            fields.value(field, value.raw(), &self.texts());
        }
        self.field = None;
        Ok(())
    }

    /// Reads a text without escapes if one stands here; else nothing.
    #[inline(always)]
    fn plain_text(&mut self) -> Option<Text> {
        let [b'"', text @ ..] = self.rest else { return None };
        let (text, [b'"', rest @ ..]) = text.split_at_checked(plain_length(text))? else { return None };
        let start = self.at() + 1;
        self.rest = rest;
        Some(Text::new(start, start + text.len()))
    }

    /// Reads the value of `attributes`: null or a flat object.
    fn attributes(&mut self, attributes: &mut Vec<Entry>) -> Result<(), Refusal> {
        let [b'{', rest @ ..] = self.rest else {
            return match self.scalar()?.raw() {
                Raw::Null => Ok(()),
                other => Err(fault::wrong_type(Known::Attributes, &self.texts(), other)),
            };
        };
        self.rest = rest;
        let mut more = !self.taken(b'}');
        while more {
            let name = self.key()?;
            if let Some(opening @ (b'{' | b'[')) = self.peek() {
                let expected = "a text, a number, true or false";
                return Err(fault::nested(&fault::attribute(&self.texts(), name), opening, expected));
            }
            let value = self.scalar()?;
            attributes.push(Entry { name, value, number: Decimal::ZERO });
            more = self.another(b'}', "`,` or `}`")?;
        }
        Ok(())
    }

    /// Reads the value of a known field or of an attribute.
    #[inline(always)]
    fn scalar(&mut self) -> Result<Packed, Refusal> {
        match self.peek() {
            Some(b'"') => Ok(Packed::text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => Ok(Packed::number(self.number()?)),
            Some(b't') => self.literal("true").map(|()| Packed::TRUE),
            Some(b'f') => self.literal("false").map(|()| Packed::FALSE),
            Some(b'n') => self.literal("null").map(|()| Packed::default()),
            Some(opening @ (b'{' | b'[')) => match self.field {
                Some(field) => Err(fault::nested(field.name(), opening, field.expected())),
                None => Err(self.expected("a value")),
            },
            _ => Err(self.expected("a value")),
        }
    }

    /// Reads over any value of at most so many levels: what nobody knows is only checked to be JSON.
    fn skip(&mut self, levels: usize) -> Result<(), Refusal> {
        let mut open = Levels::default();
        loop {
            match self.rest {
                [opening @ (b'{' | b'['), rest @ ..] => {
                    open.push(*opening == b'{');
                    if open.count > levels {
                        return Err(fault::too_deep(self.at()));
                    }
                    self.rest = rest;
                    let closing = if *opening == b'{' { b'}' } else { b']' };
                    if !self.taken(closing) {
                        if *opening == b'{' {
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
    #[inline(always)]
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
    #[inline(always)]
    fn another(&mut self, closing: u8, expected: &'static str) -> Result<bool, Refusal> {
        self.blanks();
        match self.rest {
            [b',', rest @ ..] => {
                self.rest = rest;
                self.blanks();
                Ok(true)
            }
            [byte, rest @ ..] if *byte == closing => {
                self.rest = rest;
                Ok(false)
            }
            _ => Err(self.expected(expected)),
        }
    }

    /// Reads a string from its opening quote on.
    #[inline(always)]
    fn string(&mut self) -> Result<Text, Refusal> {
        match self.plain_text() {
            Some(text) => Ok(text),
            None => self.escaped_string(),
        }
    }

    /// Reads a string with escapes into the scratch space.
    #[cold]
    fn escaped_string(&mut self) -> Result<Text, Refusal> {
        self.advance(1);
        let start = self.scratch.len();
        loop {
            let from = self.at();
            self.advance(plain_length(self.rest));
            self.scratch.push_str(&self.record[from..self.at()]);
            match self.peek() {
                Some(b'"') => {
                    self.advance(1);
                    return Ok(Text::in_scratch(start, self.scratch.len()));
                }
                Some(b'\\') => {
                    let letter = self.escape()?;
                    self.scratch.push(letter);
                }
                Some(_) => return Err(self.expected("an escape in place of a control character")),
                None => return Err(self.expected("the quote that ends a string")),
            }
        }
    }

    /// Reads one escape from its backslash on; a surrogate pair is one.
    fn escape(&mut self) -> Result<char, Refusal> {
        let start = self.rest;
        self.advance(1);
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
        self.advance(1);
        Ok(letter)
    }

    fn unicode_escape(&mut self, start: &'r [u8]) -> Result<char, Refusal> {
        let first = self.hex_digits()?;
        let mut code = first;
        if (0xD800..0xDC00).contains(&first) && self.rest.starts_with(b"\\u") {
            self.advance(1);
            let second = self.hex_digits()?;
            if (0xDC00..0xE000).contains(&second) {
                code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            }
        }
        match char::from_u32(code) {
            Some(letter) => Ok(letter),
            None => {
                self.rest = start;
                Err(self.expected("both halves of a surrogate pair"))
            }
        }
    }

    /// The value of the four digits after the `u` that stands here.
    fn hex_digits(&mut self) -> Result<u32, Refusal> {
        let mut code = 0;
        for _ in 0..4 {
            self.advance(1);
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code << 4 | digit.ok_or_else(|| self.expected("a hexadecimal digit"))?;
        }
        self.advance(1);
        Ok(code)
    }

    /// Reads a number as RFC 8259 writes them, however long.
    fn number(&mut self) -> Result<Text, Refusal> {
        let start = self.at();
        self.passed(|byte| byte == b'-');
        // Nothing may follow a leading zero: a digit after it is found out by whoever reads on.
        if !self.passed(|byte| byte == b'0') {
            self.digits()?;
        }
        if self.passed(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.passed(|byte| matches!(byte, b'e' | b'E')) {
            self.passed(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(Text::new(start, self.at()))
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Refusal> {
        if !self.passed(|byte| byte.is_ascii_digit()) {
            return Err(self.expected("a digit"));
        }
        while self.passed(|byte| byte.is_ascii_digit()) {}
        Ok(())
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), Refusal> {
        match self.rest.strip_prefix(literal.as_bytes()) {
            Some(rest) => self.rest = rest,
            None => return Err(self.expected(literal)),
        }
        Ok(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Where the reader stands in the record.
    #[inline]
    fn at(&self) -> usize {
        // What is left of a record is never longer than it.
        self.record.len().wrapping_sub(self.rest.len())
    }

    /// Reads over so many bytes, at most to the end.
    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Reads over the next byte if `wanted` says so.
    #[inline]
    fn passed(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        match self.rest {
            [byte, rest @ ..] if wanted(*byte) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn blanks(&mut self) {
        if self.peek() <= Some(b' ') {
            self.some_blanks();
        }
    }

    /// Most records have none: this stays out of the way of those.
    #[inline(never)]
    fn some_blanks(&mut self) {
        while self.passed(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {}
    }

    #[inline]
    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Refusal> {
        if self.passed(|next| next == byte) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Reads over blanks, and over `byte` if it follows them.
    #[inline]
    fn taken(&mut self, byte: u8) -> bool {
        self.blanks();
        self.passed(|next| next == byte)
    }

    fn texts(&self) -> Texts<'_> {
        Texts { record: self.record, scratch: self.scratch }
    }

    #[cold]
    fn expected(&self, expected: &str) -> Refusal {
        fault::syntax(self.field, self.record, self.at(), expected)
    }
}

/// Where [`usual_members`] has stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    BeforeMember,
    AfterValue,
}

/// Reads members of the record for as long as they are what nearly all are: a known key and a plain text, with no blank
/// or one between them, or a flag; gives what follows. Nothing is kept in memory here but what the fields say, which
/// takes half the instructions of reading them with a [`Reader`].
#[inline(always)]
fn usual_members<'r>(record: &'r str, mut rest: &'r [u8], fields: &mut Fields<'_>) -> (&'r [u8], Stop) {
    let texts = Texts { record, scratch: "" };
    loop {
        let Some((field, value)) = Known::leading(rest).filter(|(field, _)| fields.expects_one_value(*field)) else {
            return (rest, Stop::BeforeMember);
        };
        let after = match value {
            [b'"', text @ ..] | [b' ', b'"', text @ ..] => {
                let Some((bytes, [b'"', after @ ..])) = text.split_at_checked(plain_length(text)) else {
                    return (rest, Stop::BeforeMember);
                };
                // No place within a record is anywhere near the largest number.
                let start = record.len().wrapping_sub(text.len());
                let place = Text::new(start, start.wrapping_add(bytes.len()));
                fields.text(field, place, bytes, &texts);
                after
            }
            [b't', b'r', b'u', b'e', after @ ..] if field == Known::Anonymous => {
                fields.anonymous(true);
                after
            }
            [b'f', b'a', b'l', b's', b'e', after @ ..] if field == Known::Anonymous => {
                fields.anonymous(false);
                after
            }
            _ => return (rest, Stop::BeforeMember),
        };
        match after {
            [b',', b'"', ..] => rest = &after[1..],
            _ => return (after, Stop::AfterValue),
        }
    }
}

/// The arrays and objects that are open within the record, the innermost last: a bit for each.
#[derive(Default)]
struct Levels {
    count: usize,
    objects: u32,
}

// One more than is allowed is opened before it is refused.
const _: () = assert!(RECORD_DEPTH < 32);

impl Levels {
    fn push(&mut self, object: bool) {
        self.count += 1;
        self.objects = self.objects << 1 | u32::from(object);
    }

    fn pop(&mut self) {
        self.count -= 1;
        self.objects >>= 1;
    }

    fn innermost_is_object(&self) -> Option<bool> {
        (self.count > 0).then_some(self.objects & 1 == 1)
    }
}
