//! The bytes that a tick makes of one partition, kept until they are committed.
//!
//! They are fixed once they are made: after an abort the same bytes go into the next transaction. They are handed over in
//! bundles, each as it is made, on the sender's own thread: to librdkafka every record is some allocations and locks, and the
//! worker decides on the next ones meanwhile. What the open transaction was handed is a number of bundles, which begins again
//! when the transaction does.

use crate::{
    kafka::{
        sender::{Handing, Sender},
        topics::{Layout, Role},
    },
    limits,
    sidecar::{Offset, Partition},
    state::record::{Place, Records, StateRecord},
};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::BaseRecord,
};
use std::{
    ops::Range,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The bytes of one partition's part of a tick.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What is being written.
    open: Bundle,
    /// What is fixed.
    bundles: Vec<Arc<Bundle>>,
    /// How many of them the open transaction was handed.
    handed: usize,
    /// The changed state is among them, and this is the offset of the next record.
    sealed: Option<Offset>,
}

/// Bundles without records, whose memory the next ones get, whichever partition they are of. What was written last is still
/// in the cache, and no more of it is at hand than was ever needed at once: a page that is touched first cost as much time
/// as two operations.
#[derive(Debug, Default)]
pub struct Spares {
    bundles: Vec<Bundle>,
    /// Of all of them, in bytes.
    room: usize,
}

/// Records that are handed over together.
#[derive(Debug, Default)]
struct Bundle {
    bytes: Vec<u8>,
    headers: Vec<(&'static str, Span)>,
    letters: Vec<Letter>,
}

/// One record to send.
#[derive(Debug)]
struct Letter {
    role: Role,
    /// Where the key does not say.
    partition: Option<Partition>,
    key: Option<Span>,
    value: Option<Span>,
    /// Among the headers of all.
    headers: Span,
}

/// Some of a bundle's bytes, or of its headers: half as long as a range.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

/// A letter that is being written. Its value is written last, into [`Draft::value`].
pub struct Draft<'a> {
    outbox: &'a mut Outbox,
    letter: Letter,
}

impl Spares {
    fn take(&mut self) -> Bundle {
        let bundle = self.bundles.pop().unwrap_or_default();
        self.room -= bundle.bytes.capacity();
        bundle
    }

    fn keep(&mut self, mut bundle: Bundle) {
        let room = self.room + bundle.bytes.capacity();
        if bundle.bytes.capacity() > 0 && room <= limits::SPARE_BYTES {
            bundle.clear();
            self.bundles.push(bundle);
            self.room = room;
        }
    }
}

impl Span {
    fn of(range: Range<usize>) -> Span {
        let narrow = |at: usize| u32::try_from(at).expect("what a tick makes of a partition is far below 4 GiB");
        Span { start: narrow(range.start), end: narrow(range.end) }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Outbox {
    /// Gets memory for what will be written, where it has none or what it has is used.
    pub fn prepare(&mut self, spares: &mut Spares) {
        if self.open.bytes.len() >= limits::BUNDLE_BYTES {
            self.close();
        }
        if self.open.bytes.capacity() == 0 {
            self.open = spares.take();
        }
    }

    /// Begins a letter.
    pub fn write(&mut self, role: Role, key: Option<&[u8]>) -> Draft<'_> {
        let key = key.map(|key| self.open.keep(key));
        let headers = self.open.no_headers();
        Draft { letter: Letter { role, partition: None, key, value: None, headers }, outbox: self }
    }

    /// A record of the engine's, for one partition of a topic.
    pub fn record(&mut self, role: Role, partition: Partition, record: &StateRecord) {
        let mut draft = self.write(role, Some(&record.key));
        draft.letter.partition = Some(partition);
        match &record.value {
            Some(value) => draft.value(|out| out.extend_from_slice(value)),
            None => draft.tombstone(),
        }
    }

    /// Gives the buffer away for records to be written behind what is in it, until [`Outbox::take_back`].
    pub fn lend(&mut self, records: &mut Records) {
        std::mem::swap(&mut self.open.bytes, &mut records.bytes);
    }

    /// Takes the buffer back with the records that were written, for one partition of a topic.
    pub fn take_back(&mut self, role: Role, partition: Partition, records: &mut Records) {
        let headers = self.open.no_headers();
        let letter = |place: Place| {
            let (key, value) = (Some(Span::of(place.key)), place.value.map(Span::of));
            Letter { role, partition: Some(partition), key, value, headers }
        };
        self.open.letters.extend(records.take_places().map(letter));
        std::mem::swap(&mut self.open.bytes, &mut records.bytes);
    }

    /// Takes the last letter back, which was not handed over.
    pub fn withdraw(&mut self) {
        let Bundle { bytes, headers, letters } = &mut self.open;
        if let Some(letter) = letters.pop() {
            let start = letter.key.or(letter.value).map_or(bytes.len(), |span| span.range().start);
            bytes.truncate(start);
            headers.truncate(letter.headers.range().start);
        }
    }

    /// Forgets everything; the memory is for others.
    pub fn clear(&mut self, spares: &mut Spares) {
        for bundle in self.bundles.drain(..) {
            // The sender lets go of a bundle before it ends a transaction, or goes itself.
            if let Some(bundle) = Arc::into_inner(bundle) {
                spares.keep(bundle);
            }
        }
        spares.keep(std::mem::take(&mut self.open));
        self.handed = 0;
        self.sealed = None;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.letters.is_empty() && self.bundles.is_empty()
    }

    /// The offset of the next record of the input, once it is known.
    #[must_use]
    pub fn sealed(&self) -> Option<Offset> {
        self.sealed
    }

    /// No decision is added any more: what the tick read ends before `next`.
    pub fn seal(&mut self, next: Offset) {
        self.sealed = Some(next);
    }

    /// Another transaction was handed nothing yet.
    pub fn begin(&mut self) {
        self.handed = 0;
    }

    fn close(&mut self) {
        self.bundles.push(Arc::new(std::mem::take(&mut self.open)));
    }

    /// Hands over what the open transaction has not got.
    pub fn hand_over(&mut self, sender: &Sender, layout: &Arc<Layout>) {
        if !self.open.letters.is_empty() {
            self.close();
        }
        for bundle in &self.bundles[self.handed..] {
            let (bundle, layout) = (Arc::clone(bundle), Arc::clone(layout));
            sender.begin_records(move |handing| bundle.send(handing, &layout));
        }
        self.handed = self.bundles.len();
    }
}

impl Bundle {
    fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span::of(start..self.bytes.len())
    }

    /// Where the headers of a letter begin that has none yet.
    fn no_headers(&self) -> Span {
        Span::of(self.headers.len()..self.headers.len())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.headers.clear();
        self.letters.clear();
    }

    fn send(&self, handing: &Handing<'_>, layout: &Layout) {
        // librdkafka would ask for the time of each.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_millis()).ok());
        for letter in &self.letters {
            let mut record = BaseRecord::<[u8], [u8]>::to(layout.name(letter.role));
            record.timestamp = now;
            record.partition = letter.partition;
            record.key = letter.key.map(|span| &self.bytes[span.range()]);
            record.payload = letter.value.map(|span| &self.bytes[span.range()]);
            let headers_of = &self.headers[letter.headers.range()];
            if !headers_of.is_empty() {
                let mut headers = OwnedHeaders::new_with_capacity(headers_of.len());
                for (key, span) in headers_of {
                    headers = headers.insert(Header { key, value: Some(&self.bytes[span.range()]) });
                }
                record.headers = Some(headers);
            }
            if !handing.send(record) {
                return;
            }
        }
    }
}

impl Draft<'_> {
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &[u8]) -> Self {
        let span = self.outbox.open.keep(value);
        self.outbox.open.headers.push((name, span));
        self.letter.headers.end += 1;
        self
    }

    /// Writes the value, which ends the letter.
    pub fn value(mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let Bundle { bytes, letters, .. } = &mut self.outbox.open;
        let start = bytes.len();
        write(bytes);
        self.letter.value = Some(Span::of(start..bytes.len()));
        letters.push(self.letter);
    }

    /// No value, which deletes the key.
    pub fn tombstone(self) {
        self.outbox.open.letters.push(self.letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(outbox: &mut Outbox, value: &[u8]) {
        outbox.write(Role::Decisions, Some(b"7")).header("id", b"x").value(|out| out.extend_from_slice(value));
    }

    #[test]
    fn what_one_partition_no_longer_needs_another_gets() {
        let (mut spares, mut one, mut other) = (Spares::default(), Outbox::default(), Outbox::default());
        one.prepare(&mut spares);
        fill(&mut one, &[1; 1000]);
        let memory = one.open.bytes.as_ptr();
        one.clear(&mut spares);
        assert!(one.is_empty() && one.open.bytes.capacity() == 0);
        other.prepare(&mut spares);
        assert_eq!(other.open.bytes.as_ptr(), memory);
        assert!(other.is_empty() && other.open.headers.is_empty());
        assert!(spares.bundles.is_empty() && spares.room == 0);
    }

    #[test]
    fn a_bundle_that_is_long_is_closed_before_more_is_written() {
        let (mut spares, mut outbox) = (Spares::default(), Outbox::default());
        let values = [vec![1; limits::BUNDLE_BYTES], vec![2; 10], vec![3; 10]];
        for value in &values {
            outbox.prepare(&mut spares);
            fill(&mut outbox, value);
        }
        outbox.withdraw();
        let all = outbox.bundles.iter().map(|bundle| &**bundle).chain([&outbox.open]);
        let written = all.map(|bundle| {
            let values = bundle.letters.iter().map(|letter| letter.value.expect("each has one").range());
            values.map(|range| bundle.bytes[range].to_vec()).collect::<Vec<_>>()
        });
        assert_eq!(written.collect::<Vec<_>>(), [vec![values[0].clone()], vec![values[1].clone()]]);
        outbox.clear(&mut spares);
        assert_eq!(spares.bundles.len(), 2);
    }

    #[test]
    fn of_memory_no_more_is_kept_than_two_ticks_need() {
        let mut spares = Spares::default();
        let lengths = [1, limits::SPARE_BYTES, limits::SPARE_BYTES / 2, 1];
        let kept = lengths.map(|length| {
            let mut outbox = Outbox::default();
            outbox.open.bytes.reserve_exact(length);
            outbox.clear(&mut spares);
            spares.bundles.len()
        });
        assert_eq!(kept, [1, 1, 2, 3]);
        assert!(spares.room <= limits::SPARE_BYTES);
    }
}
