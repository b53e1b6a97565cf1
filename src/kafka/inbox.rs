//! Records as a poll brought them, copied out of librdkafka's memory until they are decided on.
//!
//! One buffer for all of them: a copy of a few hundred bytes costs less than keeping librdkafka's own message alive, and
//! what a pause or a lost partition makes void is simply forgotten.

use crate::{
    limits,
    sidecar::{Batch, Offset, Partition},
    time::Timestamp,
};
use std::ops::Range;

/// One record of `operations` or `decisions`.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    pub offset: Offset,
    /// The broker's own time of the record.
    pub appended: Timestamp,
    /// Its header `kuzet-id`, where that is read.
    pub id: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Records of one or more partitions, those of each in the order in which they came.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// Of every partition that there ever was something of.
    parts: Vec<Part>,
    /// The part that got the last record: the next one is mostly of the same partition.
    last: usize,
    records: usize,
}

#[derive(Debug)]
struct Part {
    partition: Partition,
    records: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    offset: Offset,
    appended: Timestamp,
    id: Option<Range<usize>>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

impl Inbox {
    /// Forgets the records; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.parts.iter_mut().for_each(|part| part.records.clear());
        self.records = 0;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// What the records count towards a tick: one each, and one more for each [`limits::TICK_RECORD_BYTES`] of theirs.
    #[must_use]
    pub fn weight(&self) -> u64 {
        weight(self.records, self.bytes.len())
    }

    pub fn push(&mut self, partition: Partition, taken: &Taken<'_>) {
        let id = taken.id.map(|bytes| self.keep(bytes));
        let key = taken.key.map(|bytes| self.keep(bytes));
        let value = taken.value.map(|bytes| self.keep(bytes));
        let kept = Kept { offset: taken.offset, appended: taken.appended, id, key, value };
        self.records += 1;
        if self.parts.get(self.last).is_none_or(|part| part.partition != partition) {
            self.last = self.parts.iter().position(|part| part.partition == partition).unwrap_or(self.parts.len());
        }
        match self.parts.get_mut(self.last) {
            Some(part) => part.records.push(kept),
            None => self.parts.push(Part { partition, records: vec![kept] }),
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// What there is, each partition once.
    #[must_use]
    pub fn batches(&self) -> Vec<Batch> {
        let batch = |part: &Part| {
            let bytes = part.records.iter().map(Kept::length).sum();
            Some(Batch {
                partition: part.partition,
                first: part.records.first()?.offset,
                // A record that librdkafka brings a second time leaves the end where it is.
                next: part.records.iter().map(|kept| kept.offset).max()? + 1,
                records: weight(part.records.len(), bytes),
            })
        };
        self.parts.iter().filter_map(batch).collect()
    }

    /// The records of a batch, in their order.
    pub fn of(&self, batch: Batch) -> impl Iterator<Item = Taken<'_>> + Clone {
        let mut expected = batch.first;
        let part = self.parts.iter().find(|part| part.partition == batch.partition);
        part.into_iter().flat_map(|part| &part.records).filter_map(move |kept| {
            let wanted = (expected..batch.next).contains(&kept.offset);
            wanted.then(|| {
                expected = kept.offset + 1;
                Taken {
                    offset: kept.offset,
                    appended: kept.appended,
                    id: kept.id.clone().map(|range| &self.bytes[range]),
                    key: kept.key.clone().map(|range| &self.bytes[range]),
                    value: kept.value.clone().map(|range| &self.bytes[range]),
                }
            })
        })
    }
}

impl Kept {
    fn length(&self) -> usize {
        let of = |range: &Option<Range<usize>>| range.as_ref().map_or(0, Range::len);
        of(&self.id) + of(&self.key) + of(&self.value)
    }
}

fn weight(records: usize, bytes: usize) -> u64 {
    u64::try_from(records + bytes / limits::TICK_RECORD_BYTES).expect("what is in memory is below 2^64")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(offset: Offset, value: &[u8]) -> Taken<'_> {
        Taken { offset, appended: Timestamp(0), id: None, key: None, value: Some(value) }
    }

    #[test]
    fn a_batch_is_what_came_of_a_partition() {
        let mut inbox = Inbox::default();
        for (partition, offset) in [(0, 5), (1, 9), (0, 6), (0, 8), (0, 6)] {
            inbox.push(partition, &taken(offset, b"{}"));
        }
        let batch = Batch { partition: 0, first: 5, next: 9, records: 4 };
        assert_eq!(inbox.batches(), [batch, Batch { partition: 1, first: 9, next: 10, records: 1 }]);
        let offsets = |batch| inbox.of(batch).map(|taken| taken.offset).collect::<Vec<_>>();
        assert_eq!(offsets(batch), [5, 6, 8], "a repeat is left out");
        assert_eq!(offsets(Batch { first: 6, ..batch }), [6, 8]);
        inbox.clear();
        assert!(inbox.is_empty());
    }

    #[test]
    fn large_records_count_for_more() {
        let mut inbox = Inbox::default();
        inbox.push(0, &taken(1, &vec![0; 3 * limits::TICK_RECORD_BYTES]));
        inbox.push(0, &taken(2, b""));
        assert_eq!(inbox.weight(), 5);
        assert_eq!(inbox.batches()[0].records, 5);
    }
}
