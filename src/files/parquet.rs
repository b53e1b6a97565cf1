//! A Parquet file read as the lines of JSON that it stands for, one object a row.
//!
//! To all that comes after, Parquet is one more way to pack NDJSON: rows are cut, checked, mapped and rejected as lines are, the
//! number of a line being that of its row. Figures are written digit by digit from what the file holds, decimals among them, so
//! that none becomes a binary float that was not one. Columns that are null are left out, and so are lists, maps and what has no
//! text; groups are nested objects. Memory holds some thousand rows, and of each column a page.
//!
//! The `parquet` crate's rows of values would do the same with an allocation a cell; its readers of columns are used instead.

mod cell;
mod column;

use super::open::Unreadable;
use column::Column;
use parquet::{
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
};
use std::{
    fs::File,
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Rows that are read of every column at a time.
const ROWS: usize = 1_024;

/// The rows of one file, as text.
pub(super) struct Rows {
    file: SerializedFileReader<File>,
    /// The row group that comes next.
    group: usize,
    columns: Vec<Column>,
    /// Rows of the present group that have not been read.
    left: usize,
    /// Text that has not been handed out begins at `at`.
    text: Vec<u8>,
    at: usize,
    progress: Progress,
}

impl Rows {
    /// Opens a file. Of its bytes as many are added to `bytes_read` as rows have been read of all.
    pub fn open(file: File, bytes_read: &Arc<AtomicU64>) -> io::Result<Rows> {
        let bytes = file.metadata()?.len();
        let file = SerializedFileReader::new(file).map_err(unreadable)?;
        let rows = file.metadata().file_metadata().num_rows();
        let progress = Progress {
            bytes,
            rows: u64::try_from(rows).unwrap_or(0),
            rows_read: 0,
            told: 0,
            bytes_read: Arc::clone(bytes_read),
        };
        Ok(Rows { file, group: 0, columns: Vec::new(), left: 0, text: Vec::new(), at: 0, progress })
    }

    /// Writes the next rows as text; false where there are none.
    fn load(&mut self) -> Result<bool, ParquetError> {
        while self.left == 0 {
            if self.group == self.file.num_row_groups() {
                return Ok(false);
            }
            self.begin_group()?;
        }
        let rows = self.left.min(ROWS);
        for column in &mut self.columns {
            column.load(rows)?;
        }
        self.text.clear();
        self.at = 0;
        for _ in 0..rows {
            write_row(&mut self.columns, &mut self.text);
        }
        self.left -= rows;
        self.progress.read(rows);
        Ok(true)
    }

    fn begin_group(&mut self) -> Result<(), ParquetError> {
        let group = self.file.get_row_group(self.group)?;
        let rows = group.metadata().num_rows();
        self.left = usize::try_from(rows).map_err(|_| ParquetError::General(format!("{rows} rows in a group")))?;
        let schema = self.file.metadata().file_metadata().schema_descr_ptr();
        let mut columns = Vec::new();
        for (place, described) in schema.columns().iter().enumerate() {
            columns.extend(Column::of(described, || group.get_column_reader(place))?);
        }
        self.columns = columns;
        self.group += 1;
        Ok(())
    }
}

/// Writes one row as a line. Columns of one group stand together.
fn write_row(columns: &mut [Column], out: &mut Vec<u8>) {
    out.push(b'{');
    let mut open: &[Vec<u8>] = &[];
    let mut is_first = true;
    for column in columns {
        if !column.advance() {
            continue;
        }
        let (groups, name) = column.path();
        let common = open.iter().zip(groups).take_while(|(one, other)| one == other).count();
        for _ in common..open.len() {
            out.push(b'}');
        }
        if !is_first {
            out.push(b',');
        }
        for group in &groups[common..] {
            out.extend_from_slice(group);
            out.push(b'{');
        }
        out.extend_from_slice(name);
        column.write(out);
        (open, is_first) = (groups, false);
    }
    out.resize(out.len() + open.len(), b'}');
    out.extend_from_slice(b"}\n");
}

impl Read for Rows {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if !self.load().map_err(unreadable)? {
                return Ok(0);
            }
        }
        let count = into.len().min(self.text.len() - self.at);
        into[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

fn unreadable(error: ParquetError) -> io::Error {
    Unreadable(format!("the Parquet file is damaged or of a kind that is not known here ({error})")).into()
}

/// Tells how much of the file is done, by its rows.
struct Progress {
    bytes: u64,
    rows: u64,
    rows_read: u64,
    told: u64,
    bytes_read: Arc<AtomicU64>,
}

impl Progress {
    fn read(&mut self, rows: usize) {
        self.rows_read += u64::try_from(rows).expect("a small number");
        let done = u128::from(self.bytes) * u128::from(self.rows_read.min(self.rows)) / u128::from(self.rows.max(1));
        let done = u64::try_from(done).expect("no more than the file has");
        self.bytes_read.fetch_add(done - self.told, Ordering::Relaxed);
        self.told = done;
    }
}
