//! Rows of CSV: which column is where in a file, and what a row's cells say (RFC 4180).
//!
//! The csv crate reads a whole stream and keeps a row however long it grows; here a row has been framed and bounded
//! before it is split, and what is not well quoted is refused instead of guessed at. The tests hold it against that crate.

use super::{Cell, Misfit};
use crate::limits;
use std::borrow::Cow;

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
        let split = first.ok_or("it is not UTF-8".to_owned()).and_then(|text| row.split(text, delimiter));
        if header {
            split.map_err(|why| Misfit(format!("its first row cannot name columns: {why}")))?;
        }
        let titles: Vec<String> = if header {
            row.texts().map(str::to_owned).collect()
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

/// The cells of one row, unquoted.
#[derive(Debug, Default)]
pub(super) struct Row {
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<usize>,
}

impl Row {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// An empty cell is absent.
    pub(super) fn cell(&self, place: usize) -> Cell<'_> {
        match self.text(place) {
            "" => Cell::Absent,
            text => Cell::Text(Cow::Borrowed(text)),
        }
    }

    fn text(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[place]]
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|place| self.text(place))
    }

    /// Splits a row, given without its line end.
    pub(super) fn split(&mut self, row: &str, delimiter: u8) -> Result<(), String> {
        self.text.clear();
        self.ends.clear();
        let mut rest = row;
        loop {
            let after = match rest.strip_prefix('"') {
                Some(quoted) => self.quoted(quoted)?,
                None => {
                    let stop = memchr::memchr(delimiter, rest.as_bytes()).unwrap_or(rest.len());
                    self.text.push_str(&rest[..stop]);
                    &rest[stop..]
                }
            };
            self.ends.push(self.text.len());
            if self.len() > limits::CSV_COLUMNS {
                return Err(format!("the row has more than {} columns", limits::CSV_COLUMNS));
            }
            match after.as_bytes().first() {
                None => return Ok(()),
                Some(byte) if *byte == delimiter => rest = &after[1..],
                Some(_) => return Err(format!("text follows the closing quote of column {}", self.len())),
            }
        }
    }

    /// Takes a cell whose opening quote has been read; gives what follows its closing one.
    fn quoted<'a>(&mut self, mut rest: &'a str) -> Result<&'a str, String> {
        loop {
            let Some(quote) = memchr::memchr(b'"', rest.as_bytes()) else {
                return Err(format!("the quote that opens column {} is never closed", self.len() + 1));
            };
            self.text.push_str(&rest[..quote]);
            rest = &rest[quote + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    self.text.push('"');
                    rest = more;
                }
                None => return Ok(rest),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(row: &str) -> Result<Vec<String>, String> {
        let mut cells = Row::default();
        cells.split(row, b',')?;
        Ok(cells.texts().map(str::to_owned).collect())
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
