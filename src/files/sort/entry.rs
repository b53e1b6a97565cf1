//! A record as it lies in a run: its key, where it came from, its bytes. Integers are little-endian; runs never leave
//! the process that wrote them.

use super::super::records::{Record, Unclosed};

/// What entries are ordered by: the time, then the place in the input. No two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub time: i64,
    pub number: u64,
}

/// Bytes of an entry's fixed part.
pub(super) const HEAD: usize = 11 * 8;

/// Appends an entry.
pub(super) fn write(key: Key, source: usize, record: &Record<'_>, out: &mut Vec<u8>) {
    let count = |count: usize| u64::try_from(count).expect("no memory has more than 2^64 bytes");
    let unclosed = record.unclosed.unwrap_or(Unclosed { line: 0, column: 0, bytes: 0 });
    out.extend_from_slice(&key.time.to_le_bytes());
    for number in [
        key.number,
        count(record.bytes.len()),
        count(source),
        record.total,
        record.line,
        record.offset,
        // Rows and lines are counted from 1, so that 0 is none.
        record.row.unwrap_or(0),
        unclosed.line,
        unclosed.column,
        unclosed.bytes,
    ] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(record.bytes);
}

/// How many bytes follow an entry's fixed part.
pub(super) fn length(head: &[u8]) -> usize {
    usize::try_from(number(head, 2)).expect("it was a length in memory")
}

/// The key of an entry.
pub(super) fn key(entry: &[u8]) -> Key {
    Key { time: number(entry, 0).cast_signed(), number: number(entry, 1) }
}

/// The number of the record's input, and the record.
pub(super) fn read(entry: &[u8]) -> (usize, Record<'_>) {
    let [source, total, line, offset, row] = [3, 4, 5, 6, 7].map(|place| number(entry, place));
    let unclosed = Unclosed { line: number(entry, 8), column: number(entry, 9), bytes: number(entry, 10) };
    let record = Record {
        bytes: &entry[HEAD..],
        total,
        line,
        offset,
        unclosed: (unclosed.line > 0).then_some(unclosed),
        row: (row > 0).then_some(row),
        // Topics are read in their own order.
        logged: None,
    };
    (usize::try_from(source).expect("it was a place in memory"), record)
}

fn number(entry: &[u8], place: usize) -> u64 {
    let bytes = entry[8 * place..].first_chunk().expect("an entry has its fixed part");
    u64::from_le_bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let unclosed = Some(Unclosed { line: 4, column: 2, bytes: 7 });
        for (time, unclosed, row) in [(-5, None, None), (i64::MAX, unclosed, Some(9)), (i64::MIN, None, Some(1))] {
            let record = Record { bytes: b"{}\xff", total: 70_000, line: 3, offset: 0, unclosed, row, logged: None };
            let (before, key) = (Key { time, number: 17 }, Key { time, number: 18 });
            let mut entry = Vec::new();
            write(key, 2, &record, &mut entry);
            assert_eq!((super::key(&entry), length(&entry[..HEAD]), read(&entry)), (key, 3, (2, record)));
            assert!(before < key);
        }
    }
}
