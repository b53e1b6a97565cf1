//! Records cut out of a stream of bytes: lines, or rows of CSV, in memory that never grows.
//!
//! One buffer holds what was read and not yet handed out. A record that is longer than the bound keeps its beginning
//! and its length; the rest is let go of while it streams by, so a line of a gigabyte costs nothing. Taking a record
//! and reading more are two calls, because between them the caller may flush what it has to say before it blocks.

use super::logged::Logged;
use crate::{event::Fault, limits, time::Timestamp};
use std::io::{self, Read};

/// How records are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `\n` or `\r\n` ends a record.
    Lines,
    /// Rows of tables, which come as lines; a source that is no table has none.
    Tables,
    /// As lines, but not inside a quoted cell (RFC 4180); a quote counts only where a cell begins.
    Csv { delimiter: u8 },
}

/// One record as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Without its line end; of an oversized one only the first [`crate::limits::RECORD_BYTES`].
    pub bytes: &'a [u8],
    /// Its whole length in bytes, without its line end.
    pub total: u64,
    /// The line that it begins on, from 1; blank ones count. Of a record of a topic, its offset.
    pub line: u64,
    /// Of its first byte, from 0, in the decompressed text. Of a record of a topic, its offset.
    pub offset: u64,
    /// The quote that makes it take all the rest of its source.
    pub unclosed: Option<Unclosed>,
    /// Its number among all records, from 1, where it is no longer read in its place.
    pub row: Option<u64>,
    /// What it says of itself, where it is of a topic.
    pub logged: Option<Logged<'a>>,
}

/// A quote of CSV that nothing closes, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// Where it stands: the line, and the column, which is a cell's number, both from 1.
    pub line: u64,
    pub column: u64,
    /// From the quote to the end of the source.
    pub bytes: u64,
}

impl Unclosed {
    /// What is wrong with the record.
    #[must_use]
    pub fn message(&self) -> String {
        let Unclosed { line, column, bytes } = self;
        format!(
            "the quote that opens column {column} in line {line} is never closed and takes the rest of the file, \
             {bytes} bytes; close it, or write it twice inside a quoted cell"
        )
    }
}

impl Record<'_> {
    /// The record's own timestamp, by which its event's time is judged; files have none.
    #[must_use]
    pub fn reference(&self) -> Option<Timestamp> {
        self.logged?.appended
    }

    /// Longer than a record may be, and therefore cut.
    #[must_use]
    pub fn is_oversized(&self) -> bool {
        self.total > length(self.bytes.len())
    }

    /// What is wrong with an oversized record, in the words of the decoder.
    #[must_use]
    pub fn fault_of_size(&self) -> Fault {
        let (bytes, most) = (self.total, limits::RECORD_BYTES);
        Fault { field: None, message: format!("the record has {bytes} bytes; at most {most} are allowed") }
    }
}

/// The records of one source.
#[derive(Debug)]
pub struct Records {
    buffer: Vec<u8>,
    /// Longest record that is handed out whole, in bytes.
    limit: usize,
    /// Where the record begins that has not been handed out yet.
    begin: usize,
    /// How far its end has been looked for.
    scanned: usize,
    /// Where what was read ends.
    end: usize,
    scan: Scan,
    /// What was let go of from the middle of the present record.
    dropped: u64,
    dropped_blank: bool,
    line: u64,
    offset: u64,
    /// Of the last record of the source.
    unclosed: Option<Unclosed>,
    finished: bool,
}

impl Records {
    /// A reader that hands out records of up to `limit` bytes whole.
    ///
    /// # Panics
    /// If `buffer_bytes` cannot hold a record of `limit` bytes, its line end, and one byte more.
    #[must_use]
    pub fn new(framing: Framing, limit: usize, buffer_bytes: usize) -> Records {
        assert!(buffer_bytes > limit + 2, "a buffer of {buffer_bytes} bytes cannot hold a record of {limit}");
        Records {
            buffer: vec![0; buffer_bytes],
            limit,
            begin: 0,
            scanned: 0,
            end: 0,
            scan: Scan::new(framing),
            dropped: 0,
            dropped_blank: true,
            line: 1,
            offset: 0,
            unclosed: None,
            finished: false,
        }
    }

    /// Begins another source with the same buffer.
    pub fn restart(&mut self) {
        (self.begin, self.scanned, self.end) = (0, 0, 0);
        (self.line, self.offset, self.finished) = (1, 0, false);
        (self.dropped, self.dropped_blank) = (0, true);
        self.scan.restart();
    }

    /// The next record of what has been read; nothing when more must be read first, or when the source is finished.
    pub fn take(&mut self) -> Option<Record<'_>> {
        let framed = self.next_framed()?;
        Some(self.record(&framed))
    }

    /// Where the next records lie, at most so many, for [`Records::record`] to give each until more is read.
    pub fn frame(&mut self, most: usize, framed: &mut Vec<Framed>) {
        framed.clear();
        while framed.len() < most
            && let Some(next) = self.next_framed()
        {
            framed.push(next);
        }
    }

    #[inline]
    fn next_framed(&mut self) -> Option<Framed> {
        loop {
            let passed = length(self.scanned - self.begin) + self.dropped;
            let framed = match self.scan.find(&self.buffer[self.scanned..self.end], passed) {
                Some(at) => self.cut(self.scanned + at, 1),
                None if self.finished && self.begin < self.end => self.cut(self.end, 0),
                None => {
                    self.scanned = self.end;
                    self.drop_excess();
                    return None;
                }
            };
            if !framed.blank {
                return Some(framed);
            }
        }
    }

    /// The record that was framed there since the last [`Records::fill`].
    ///
    /// # Panics
    /// Where another reader framed it.
    #[must_use]
    pub fn record(&self, framed: &Framed) -> Record<'_> {
        let Framed { begin, held, total, line, offset, last, .. } = *framed;
        let unclosed = if last { self.unclosed } else { None };
        Record { bytes: &self.buffer[begin..begin + held], total, line, offset, unclosed, row: None, logged: None }
    }

    /// Reads once. Nothing read means that the source is finished; the next [`Records::take`] gives its last record.
    ///
    /// # Panics
    /// If whole records were left in a full buffer.
    ///
    /// # Errors
    /// Those of `source`, except interruptions, which are tried again.
    pub fn fill(&mut self, source: &mut dyn Read) -> io::Result<usize> {
        self.buffer.copy_within(self.begin..self.end, 0);
        self.scanned -= self.begin;
        self.end -= self.begin;
        self.begin = 0;
        assert!(self.end < self.buffer.len(), "reading goes on only once every whole record has been taken");
        loop {
            match source.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    self.finished = read == 0;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The source has ended and everything has been handed out.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished && self.begin == self.end
    }

    /// The line that the next record begins on.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Frames the record that ends at `stop` and sets everything for the one after it.
    #[inline]
    fn cut(&mut self, stop: usize, end_bytes: usize) -> Framed {
        let begin = self.begin;
        let bytes = &self.buffer[begin..stop];
        let bytes = if end_bytes == 1 { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes };
        let total = length(bytes.len()) + self.dropped;
        let last = end_bytes == 0;
        let framed = Framed {
            begin,
            held: bytes.len().min(self.limit),
            total,
            line: self.line,
            offset: self.offset,
            blank: self.dropped_blank && bytes.iter().all(|byte| is_blank(*byte)),
            last,
        };
        if last {
            self.unclosed = self.scan.unclosed(self.line, total);
        }
        self.offset += length(stop - begin + end_bytes) + self.dropped;
        self.line += self.scan.take_inner_lines() + length(end_bytes);
        self.begin = stop + end_bytes;
        self.scanned = self.begin;
        (self.dropped, self.dropped_blank) = (0, true);
        framed
    }

    /// Lets go of the middle of a record that is too long whatever follows; its last byte stays, for it may be the
    /// `\r` of the line end.
    fn drop_excess(&mut self) {
        let keep = self.begin + self.limit;
        if self.finished || self.end <= keep + 1 {
            return;
        }
        let last = self.end - 1;
        self.dropped += length(last - keep);
        self.dropped_blank &= self.buffer[keep..last].iter().all(|byte| is_blank(*byte));
        self.buffer[keep] = self.buffer[last];
        self.end = keep + 1;
        self.scanned = self.end;
    }
}

/// Where a record lies in the buffer, and what is said of it.
#[derive(Clone, Copy, Debug)]
pub struct Framed {
    begin: usize,
    held: usize,
    total: u64,
    line: u64,
    offset: u64,
    blank: bool,
    /// Nothing but the end of the source ends it.
    last: bool,
}

/// A length in memory as a length in a file.
fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("no memory has more than 2^64 bytes")
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Looks for the end of a record, over as many pieces as it takes.
#[derive(Debug)]
struct Scan {
    framing: Framing,
    cell: Cell,
    /// Line ends inside quoted cells of the present record.
    inner_lines: u64,
    /// The cell of the present record, from 1.
    column: u64,
    /// The last quote that opened a cell.
    opened: Opened,
}

/// Where in its record a quote opens a cell.
#[derive(Clone, Copy, Debug, Default)]
struct Opened {
    inner_lines: u64,
    column: u64,
    /// Bytes of the record before it.
    before: u64,
}

/// Where in a row of CSV the scan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Start,
    Bare,
    Quoted,
    /// A quote inside a quoted cell: the cell's end, or the first of two that stand for one.
    Quote,
}

impl Scan {
    fn new(framing: Framing) -> Scan {
        Scan { framing, cell: Cell::Start, inner_lines: 0, column: 1, opened: Opened::default() }
    }

    fn restart(&mut self) {
        *self = Scan::new(self.framing);
    }

    /// The quote that is still open, in a record of `total` bytes that begins on `line`.
    fn unclosed(&self, line: u64, total: u64) -> Option<Unclosed> {
        let Opened { inner_lines, column, before } = self.opened;
        (self.cell == Cell::Quoted).then(|| Unclosed { line: line + inner_lines, column, bytes: total - before })
    }

    fn take_inner_lines(&mut self) -> u64 {
        std::mem::take(&mut self.inner_lines)
    }

    /// Where the `\n` stands that ends the record, of which `passed` bytes came before these.
    fn find(&mut self, bytes: &[u8], passed: u64) -> Option<usize> {
        match self.framing {
            Framing::Lines | Framing::Tables => memchr::memchr(b'\n', bytes),
            Framing::Csv { delimiter } => self.find_row_end(delimiter, bytes, passed),
        }
    }

    /// A row without quotes ends where its line does: nothing else of it has to be looked at.
    #[inline]
    fn find_row_end(&mut self, delimiter: u8, bytes: &[u8], passed: u64) -> Option<usize> {
        if matches!(self.cell, Cell::Start | Cell::Bare)
            && let Some(at) = memchr::memchr2(b'\n', b'"', bytes)
            && bytes[at] == b'\n'
        {
            (self.cell, self.column) = (Cell::Start, 1);
            return Some(at);
        }
        self.find_quoted_row_end(delimiter, bytes, passed)
    }

    fn find_quoted_row_end(&mut self, delimiter: u8, bytes: &[u8], passed: u64) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let step = match self.cell {
                Cell::Start | Cell::Quote => 0,
                Cell::Bare => memchr::memchr2(delimiter, b'\n', rest)?,
                Cell::Quoted => {
                    let quote = memchr::memchr(b'"', rest);
                    let inside = &rest[..quote.unwrap_or(rest.len())];
                    self.inner_lines += length(memchr::memchr_iter(b'\n', inside).count());
                    quote?
                }
            };
            let byte = rest[step];
            self.cell = match (self.cell, byte) {
                (Cell::Start, b'"') => {
                    let before = passed + length(at + step);
                    self.opened = Opened { inner_lines: self.inner_lines, column: self.column, before };
                    Cell::Quoted
                }
                (Cell::Quote, b'"') => Cell::Quoted,
                (Cell::Quoted, _) => Cell::Quote,
                (_, b'\n') => {
                    (self.cell, self.column) = (Cell::Start, 1);
                    return Some(at + step);
                }
                (_, byte) if byte == delimiter => {
                    self.column += 1;
                    Cell::Start
                }
                _ => Cell::Bare,
            };
            at += step + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// What a record is, owned: its held bytes, whole length, line and offset.
    type Plain = (Vec<u8>, u64, u64, u64);

    /// A source that gives at most `step` bytes a read.
    struct Trickle<'a> {
        text: &'a [u8],
        step: usize,
    }

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.step.min(into.len()).min(self.text.len());
            into[..count].copy_from_slice(&self.text[..count]);
            self.text = &self.text[count..];
            Ok(count)
        }
    }

    fn read_all(framing: Framing, text: &[u8], limit: usize, buffer: usize, step: usize) -> Vec<Plain> {
        let mut records = Records::new(framing, limit, buffer);
        let mut source = Trickle { text, step };
        let mut all = Vec::new();
        while !records.is_finished() {
            while let Some(record) = records.take() {
                all.push((record.bytes.to_vec(), record.total, record.line, record.offset));
            }
            if !records.is_finished() {
                records.fill(&mut source).expect("a slice can be read");
            }
        }
        all
    }

    /// The slow and plain judge: splits the whole text at once.
    fn split_naively(text: &[u8], limit: usize) -> Vec<Plain> {
        let mut all = Vec::new();
        let (mut offset, mut line) = (0, 1);
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            let content = piece.strip_suffix(b"\r\n").or_else(|| piece.strip_suffix(b"\n")).unwrap_or(piece);
            if !content.iter().all(|byte| b" \t\r".contains(byte)) {
                all.push((content[..content.len().min(limit)].to_vec(), content.len() as u64, line, offset));
            }
            offset += piece.len() as u64;
            line += 1;
        }
        all
    }

    fn text(random: &mut Random, alphabet: &[u8], length: usize) -> Vec<u8> {
        (0..random.place(length)).map(|_| alphabet[random.place(alphabet.len())]).collect()
    }

    #[test]
    fn lines_are_those_of_a_naive_splitter() {
        for seed in 0..4_000 {
            let mut random = Random::new(seed);
            let text = text(&mut random, b"ab \t\r\n\n", 60);
            let limit = 1 + random.place(12);
            let buffer = limit + 3 + random.place(8);
            let step = 1 + random.place(9);
            let found = read_all(Framing::Lines, &text, limit, buffer, step);
            assert_eq!(found, split_naively(&text, limit), "seed {seed}: {:?}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn rows_are_those_of_the_csv_crate() {
        for seed in 0..4_000 {
            let mut random = Random::new(seed);
            let text = text(&mut random, b"ab,,\"\"\n", 40);
            let step = 1 + random.place(9);
            let found = read_all(Framing::Csv { delimiter: b',' }, &text, 64, 67, step);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_slice());
            let mut offsets: Vec<u64> = Vec::new();
            let mut row = csv::ByteRecord::new();
            while reader.read_byte_record(&mut row).expect("a slice can be read") {
                offsets.push(row.position().expect("a row that was read has a position").byte());
            }
            assert_eq!(found.len(), offsets.len(), "seed {seed}: {:?}", String::from_utf8_lossy(&text));
            // The csv crate counts the blank lines before a row as the row's own.
            for (row, from) in found.iter().zip(&offsets) {
                let place = |offset: u64| usize::try_from(offset).expect("a place in a short text");
                let skipped = &text[place(*from)..place(row.3)];
                assert!(skipped.iter().all(|byte| *byte == b'\n'), "seed {seed}");
                assert_eq!(row.2, 1 + text[..place(row.3)].iter().filter(|byte| **byte == b'\n').count() as u64);
            }
        }
    }

    #[test]
    fn a_long_line_keeps_its_beginning_and_its_length() {
        let mut text = b"first\r\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 10_000_000));
        text.extend_from_slice(b"\r\n\nlast");
        let found = read_all(Framing::Lines, &text, 65_536, 200_000, usize::MAX);
        assert_eq!(found[0], (b"first".to_vec(), 5, 1, 0));
        assert_eq!(found[1], (vec![b'x'; 65_536], 10_000_000, 2, 7));
        assert_eq!(found[2], (b"last".to_vec(), 4, 4, 10_000_010));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_record_of_the_longest_allowed_length_is_whole() {
        for end in ["\n", "\r\n", ""] {
            for excess in [0, 1] {
                let text = format!("{}{end}", "y".repeat(100 + excess));
                let found = read_all(Framing::Lines, text.as_bytes(), 100, 103, 7);
                assert_eq!(found, [("y".repeat(100).into_bytes(), 100 + excess as u64, 1, 0)], "{end:?}");
            }
        }
    }

    #[test]
    fn a_row_may_span_lines() {
        let text = b"a,b\n1,\"two\r\nlines\"\r\n\n3,4\n";
        let found = read_all(Framing::Csv { delimiter: b',' }, text, 64, 80, 3);
        let rows: Vec<_> = found.iter().map(|row| (row.0.as_slice(), row.2, row.3)).collect();
        let expected: [(&[u8], u64, u64); 3] = [(b"a,b", 1, 0), (b"1,\"two\r\nlines\"", 2, 4), (b"3,4", 5, 21)];
        assert_eq!(rows, expected);
    }

    #[test]
    fn an_unclosed_quote_says_where_it_stands_and_what_it_takes() {
        let long = format!("a,b\n1,\"\n\",\"{}\n", "x,y\n".repeat(50_000));
        let cases: [(&[u8], usize, Option<Unclosed>); 5] = [
            (b"a,b\n\n1,\"x\ny,z\n", 1, Some(Unclosed { line: 3, column: 2, bytes: 7 })),
            (long.as_bytes(), 1, Some(Unclosed { line: 3, column: 3, bytes: 200_002 })),
            (b"\"", 0, Some(Unclosed { line: 1, column: 1, bytes: 1 })),
            (b"a,b\n1,\"x\"", 1, None),
            (b"a,b\n1,x\"\n", 1, None),
        ];
        for (text, place, expected) in cases {
            for step in [1, 7, usize::MAX] {
                let mut records = Records::new(Framing::Csv { delimiter: b',' }, 64, 80);
                let mut source = Trickle { text, step };
                let mut found = Vec::new();
                while !records.is_finished() {
                    while let Some(record) = records.take() {
                        found.push(record.unclosed);
                    }
                    records.fill(&mut source).expect("a slice can be read");
                }
                assert_eq!((found.len(), found[place]), (place + 1, expected), "{:.20}", String::from_utf8_lossy(text));
            }
        }
    }
}
