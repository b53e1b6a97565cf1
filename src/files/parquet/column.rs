//! One column of a row group: its values a batch at a time, and how each is written.

use super::cell::{Meaning, Write};
use crate::encode;
use parquet::{
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::DataType,
    errors::ParquetError,
    schema::types::ColumnDescriptor,
};

/// A column that has a text.
pub(super) struct Column {
    /// `"name":`, of the groups that it is in and at last its own.
    path: Vec<Vec<u8>>,
    cells: Box<dyn Cells>,
}

impl Column {
    /// Nothing where its values have no text, or are several a row.
    pub fn of(
        described: &ColumnDescriptor,
        reader: impl FnOnce() -> Result<ColumnReader, ParquetError>,
    ) -> Result<Option<Column>, ParquetError> {
        if described.max_rep_level() > 0 {
            return Ok(None);
        }
        let Some(meaning) = Meaning::of(described) else { return Ok(None) };
        let cells = cells(reader()?, described.max_def_level(), meaning);
        Ok(Some(Column { path: path(described.path().parts()), cells }))
    }

    /// Reads the next rows.
    pub fn load(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.cells.load(rows)
    }

    /// Goes on to the next row; false where it has no value.
    pub fn advance(&mut self) -> bool {
        self.cells.advance()
    }

    /// Writes the value of the row as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.cells.write(out);
    }

    /// The keys of the groups that it is in, and its own.
    pub fn path(&self) -> (&[Vec<u8>], &[u8]) {
        let (name, groups) = self.path.split_last().expect("a column has a name");
        (groups, name)
    }
}

/// The keys on the way to a column. A flat table has attributes as columns of their own, `attributes.name`.
fn path(parts: &[String]) -> Vec<Vec<u8>> {
    let names: Vec<&str> = match parts {
        [flat] => match flat.split_once('.') {
            Some(("attributes", name)) => vec!["attributes", name],
            _ => vec![flat],
        },
        parts => parts.iter().map(String::as_str).collect(),
    };
    let key = |name: &str| {
        let mut key = Vec::new();
        encode::string(name, &mut key);
        key.push(b':');
        key
    };
    names.into_iter().map(key).collect()
}

fn cells(reader: ColumnReader, levels: i16, meaning: Meaning) -> Box<dyn Cells> {
    match reader {
        ColumnReader::BoolColumnReader(reader) => chunk(reader, levels, meaning),
        ColumnReader::Int32ColumnReader(reader) => chunk(reader, levels, meaning),
        ColumnReader::Int64ColumnReader(reader) => chunk(reader, levels, meaning),
        ColumnReader::Int96ColumnReader(reader) => chunk(reader, levels, meaning),
        ColumnReader::FloatColumnReader(reader) => chunk(reader, levels, meaning),
        ColumnReader::DoubleColumnReader(reader) => chunk(reader, levels, meaning),
        ColumnReader::ByteArrayColumnReader(reader) => chunk(reader, levels, meaning),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => chunk(reader, levels, meaning),
    }
}

fn chunk<T: DataType>(reader: ColumnReaderImpl<T>, levels: i16, meaning: Meaning) -> Box<dyn Cells>
where
    T::T: Write,
{
    Box::new(Chunk::<T> { reader, meaning, levels, defined: Vec::new(), values: Vec::new(), row: 0, value: 0 })
}

/// Values of any type.
trait Cells: Send {
    fn load(&mut self, rows: usize) -> Result<(), ParquetError>;
    fn advance(&mut self) -> bool;
    fn write(&self, out: &mut Vec<u8>);
}

struct Chunk<T: DataType> {
    reader: ColumnReaderImpl<T>,
    meaning: Meaning,
    /// How many of a value and the groups around it may be null.
    levels: i16,
    /// By row, how many of these are not; nothing where none may be.
    defined: Vec<i16>,
    values: Vec<T::T>,
    /// The rows and the values that have been gone through.
    row: usize,
    value: usize,
}

impl<T: DataType> Cells for Chunk<T>
where
    T::T: Write,
{
    fn load(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.defined.clear();
        self.values.clear();
        (self.row, self.value) = (0, 0);
        let (read, values, _) = self.reader.read_records(rows, Some(&mut self.defined), None, &mut self.values)?;
        if read == rows && values == self.values.len() && (self.levels == 0 || self.defined.len() == rows) {
            return Ok(());
        }
        Err(ParquetError::General(format!("a column has {read} rows where its group has {rows}")))
    }

    fn advance(&mut self) -> bool {
        let is_there = self.levels == 0 || self.defined[self.row] == self.levels;
        self.row += 1;
        self.value += usize::from(is_there);
        is_there
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.values[self.value - 1].write(self.meaning, out);
    }
}
