//! Rows of CSV: which column is where in a file, and what a row's cells say (RFC 4180).
//!
//! The csv crate reads a whole stream and keeps a row however long it grows; here a row has been framed and bounded
//! before it is split, and what is not well quoted is refused instead of guessed at. The tests hold it against that crate.

use super::Misfit;
use crate::{
    event::decode::{Raw, Text},
    limits,
};
use std::borrow::Cow;
use wide::u8x16;

/// The columns of one file.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// For each name that the mapping uses, the column's place in a row.
    places: Vec<usize>,
    /// How many cells a row has.
    count: usize,
}

impl Columns {
    /// Finds the columns called `names` in the first row of a file, by their titles or, without a header, by number.
    pub(super) fn of(first: Option<&str>, header: bool, delimiter: u8, names: &[String]) -> Result<Columns, Misfit> {
        let mut row = Row::default();
        let split = first.ok_or("it is not UTF-8".to_owned()).and_then(|text| row.split(text, 0, delimiter));
        if header {
            split.map_err(|why| Misfit(format!("its first row cannot name columns: {why}")))?;
        }
        let titles: Vec<String> = if header {
            row.texts(first.unwrap_or_default()).map(Cow::into_owned).collect()
        } else {
            (1..=row.len()).map(|number| number.to_string()).collect()
        };
        let places = names.iter().map(|name| find(name, &titles, header)).collect::<Result<_, _>>()?;
        Ok(Columns { places, count: titles.len() })
    }

    /// The place in a row of the mapping's name number `name`.
    pub(super) fn place(&self, name: usize) -> usize {
        self.places[name]
    }

    pub(super) fn check(&self, row: &Row) -> Result<(), String> {
        if row.len() == self.count {
            return Ok(());
        }
        Err(format!("the row has {} columns; the first row of the file has {}", row.len(), self.count))
    }
}

fn find(name: &str, titles: &[String], header: bool) -> Result<usize, Misfit> {
    let mut places = titles.iter().enumerate().filter(|(_, title)| *title == name).map(|(place, _)| place);
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => Err(Misfit(format!("two of its columns are called \"{name}\""))),
        (None, _) if header => {
            let shown: Vec<_> = titles.iter().take(40).map(|title| format!("\"{title}\"")).collect();
            Err(Misfit(format!("it has no column \"{name}\"; its columns are {}", shown.join(", "))))
        }
        (None, _) => Err(Misfit(format!("it has no column {name}; its first row has {}", titles.len()))),
    }
}

/// Where the cells of one row stand in its text.
#[derive(Debug, Default)]
pub(super) struct Row {
    cells: Vec<Cell>,
}

/// The text of one cell, without the quotes around it.
#[derive(Clone, Copy, Debug)]
struct Cell {
    start: usize,
    end: usize,
    /// It holds quotes, each written twice.
    doubled: bool,
}

impl Row {
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// An empty cell is absent. One that is not written as it reads is put to `scratch`.
    #[inline(always)]
    pub(super) fn cell(&self, place: usize, row: &str, scratch: &mut String) -> Raw {
        let Cell { start, end, doubled } = self.cells[place];
        if start == end {
            return Raw::Null;
        }
        if doubled {
            let begin = scratch.len();
            undoubled(&row[start..end], scratch);
            return Raw::Text(Text::in_scratch(begin, scratch.len()));
        }
        Raw::Text(Text::new(start, end))
    }

    fn texts<'r>(&self, row: &'r str) -> impl Iterator<Item = Cow<'r, str>> {
        self.cells.iter().map(|cell| match (&row[cell.start..cell.end], cell.doubled) {
            (text, true) => {
                let mut owned = String::new();
                undoubled(text, &mut owned);
                Cow::Owned(owned)
            }
            (text, false) => Cow::Borrowed(text),
        })
    }

    /// Splits what follows `start` in a row, given without its line end.
    pub(super) fn split(&mut self, row: &str, start: usize, delimiter: u8) -> Result<(), String> {
        self.cells.clear();
        if !self.split_unquoted(row.as_bytes(), start, delimiter) {
            self.cells.clear();
            return self.split_quoted(row.as_bytes(), start, delimiter);
        }
        if self.len() > limits::CSV_COLUMNS { Err(too_many()) } else { Ok(()) }
    }

    /// Splits a row at every delimiter, sixteen bytes at a time; false where it has a quote, which may make a delimiter none.
    fn split_unquoted(&mut self, row: &[u8], start: usize, delimiter: u8) -> bool {
        let (blocks, tail) = row[start..].as_chunks();
        let (mut start, mut base) = (start, start);
        for block in blocks {
            let (delimiters, quotes) = marks(*block, delimiter);
            if quotes != 0 {
                return false;
            }
            start = self.cut_at(delimiters, base, start);
            base += BLOCK;
        }
        let mut block = [0; BLOCK];
        block[..tail.len()].copy_from_slice(tail);
        let (delimiters, quotes) = marks(block, delimiter);
        start = self.cut_at(delimiters & ((1 << tail.len()) - 1), base, start);
        self.cells.push(Cell { start, end: row.len(), doubled: false });
        quotes == 0
    }

    /// Ends a cell at each delimiter of the block at `base`; gives where the next one starts.
    #[inline(always)]
    fn cut_at(&mut self, mut delimiters: u32, base: usize, mut start: usize) -> usize {
        while delimiters != 0 {
            let end = base + delimiters.trailing_zeros() as usize;
            self.cells.push(Cell { start, end, doubled: false });
            start = end + 1;
            delimiters &= delimiters - 1;
        }
        start
    }

    fn split_quoted(&mut self, row: &[u8], start: usize, delimiter: u8) -> Result<(), String> {
        let mut at = start;
        loop {
            let cell = if row.get(at) == Some(&b'"') { self.quoted(row, at + 1)? } else { bare(row, at, delimiter) };
            // A quoted cell is followed by its closing quote.
            let after = cell.end + usize::from(cell.start > at);
            self.cells.push(cell);
            if self.len() > limits::CSV_COLUMNS {
                return Err(too_many());
            }
            match row.get(after) {
                None => return Ok(()),
                Some(byte) if *byte == delimiter => at = after + 1,
                Some(_) => return Err(format!("text follows the closing quote of column {}", self.len())),
            }
        }
    }

    /// The cell that starts after its opening quote.
    fn quoted(&self, row: &[u8], start: usize) -> Result<Cell, String> {
        let (mut at, mut doubled) = (start, false);
        loop {
            let Some(quote) = memchr::memchr(b'"', &row[at..]) else {
                return Err(format!("the quote that opens column {} is never closed", self.len() + 1));
            };
            let end = at + quote;
            if row.get(end + 1) != Some(&b'"') {
                return Ok(Cell { start, end, doubled });
            }
            (at, doubled) = (end + 2, true);
        }
    }
}

fn bare(row: &[u8], start: usize, delimiter: u8) -> Cell {
    let length = memchr::memchr(delimiter, &row[start..]).unwrap_or(row.len() - start);
    Cell { start, end: start + length, doubled: false }
}

/// A quote for every two.
fn undoubled(text: &str, out: &mut String) {
    for (place, piece) in text.split("\"\"").enumerate() {
        if place > 0 {
            out.push('"');
        }
        out.push_str(piece);
    }
}

fn too_many() -> String {
    format!("the row has more than {} columns", limits::CSV_COLUMNS)
}

const BLOCK: usize = 16;

/// A bit for each delimiter and one for each quote, the first byte the lowest.
#[inline(always)]
fn marks(block: [u8; BLOCK], delimiter: u8) -> (u32, u32) {
    let block = u8x16::from(block);
    (block.simd_eq(u8x16::splat(delimiter)).to_bitmask(), block.simd_eq(u8x16::splat(b'"')).to_bitmask())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(row: &str) -> Result<Vec<String>, String> {
        let mut cells = Row::default();
        cells.split(row, 0, b',')?;
        Ok(cells.texts(row).map(Cow::into_owned).collect())
    }

    #[test]
    fn cells_are_those_of_the_csv_crate() {
        // Every row of eight of these letters.
        let alphabet = ['a', ',', '"'];
        let mut compared = 0;
        for number in 0..3_usize.pow(8) {
            let row: String = (0..8).map(|place| alphabet[number / 3_usize.pow(place) % 3]).collect();
            let Ok(cells) = split(&row) else {
                continue;
            };
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
            let judged = reader.records().next().expect("a row").expect("text in memory");
            assert_eq!(cells, judged.iter().collect::<Vec<_>>(), "{row:?}");
            compared += 1;
        }
        assert!(compared > 2_000, "{compared}");
        assert_eq!(split("a,\"b\r\nc\""), Ok(vec!["a".to_owned(), "b\r\nc".to_owned()]));
    }

    /// Cells of every length around that of a block.
    #[test]
    fn rows_without_quotes_are_cut_at_every_delimiter() {
        for length in 0..70 {
            for step in 1..20 {
                let row: String = (1..=length).map(|place| if place % step == 0 { ',' } else { 'é' }).collect();
                for start in [0, row.chars().next().map_or(0, char::len_utf8)] {
                    let mut cells = Row::default();
                    cells.split(&row, start, b',').expect("no quote is wrong");
                    assert_eq!(cells.texts(&row).collect::<Vec<_>>(), row[start..].split(',').collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn what_is_not_well_quoted_is_refused() {
        for (row, why) in [
            ("a,\"b", "the quote that opens column 2 is never closed"),
            ("\"a\"b,c", "text follows the closing quote of column 1"),
            ("\"\"\"", "the quote that opens column 1 is never closed"),
        ] {
            assert_eq!(split(row), Err(why.to_owned()), "{row}");
        }
        assert_eq!(split("a\"b,\"c\"\"d\",").map(|cells| cells.join("|")), Ok("a\"b|c\"d|".to_owned()));
        assert_eq!(split(&",".repeat(limits::CSV_COLUMNS)), Err("the row has more than 4096 columns".to_owned()));
    }
}
