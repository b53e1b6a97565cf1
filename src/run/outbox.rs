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

/// Bundles whose memory is kept for the next ones: most ticks have one of decisions and one of state.
const SPARES: usize = 2;

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
    spares: Vec<Bundle>,
}

/// Records that are handed over together.
#[derive(Debug, Default)]
struct Bundle {
    bytes: Vec<u8>,
    headers: Vec<(&'static str, Range<usize>)>,
    letters: Vec<Letter>,
}

/// One record to send.
#[derive(Debug)]
struct Letter {
    role: Role,
    /// Where the key does not say.
    partition: Option<Partition>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    /// Among the headers of all.
    headers: Range<usize>,
}

/// A letter that is being written. Its value is written last, into [`Draft::value`].
pub struct Draft<'a> {
    outbox: &'a mut Outbox,
    letter: Letter,
}

impl Outbox {
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
            let (key, headers) = (Some(place.key), headers.clone());
            Letter { role, partition: Some(partition), key, value: place.value, headers }
        };
        self.open.letters.extend(records.take_places().map(letter));
        std::mem::swap(&mut self.open.bytes, &mut records.bytes);
    }

    /// Takes the last letter back, which was not handed over.
    pub fn withdraw(&mut self) {
        let Bundle { bytes, headers, letters } = &mut self.open;
        if let Some(letter) = letters.pop() {
            let start = letter.key.or(letter.value).map_or(bytes.len(), |range| range.start);
            bytes.truncate(start);
            headers.truncate(letter.headers.start);
        }
    }

    /// Forgets everything; of the memory some stays.
    pub fn clear(&mut self) {
        self.open.clear();
        for bundle in self.bundles.drain(..) {
            // The sender lets go of a bundle before it ends a transaction, or goes itself.
            if let Some(mut bundle) = Arc::into_inner(bundle).filter(|_| self.spares.len() < SPARES) {
                bundle.clear();
                self.spares.push(bundle);
            }
        }
        if self.open.bytes.capacity() == 0 {
            self.open = self.spares.pop().unwrap_or_default();
        }
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

    /// Hands over what the open transaction has not got.
    pub fn hand_over(&mut self, sender: &Sender, layout: &Arc<Layout>) {
        if !self.open.letters.is_empty() {
            let next = self.spares.pop().unwrap_or_default();
            self.bundles.push(Arc::new(std::mem::replace(&mut self.open, next)));
        }
        for bundle in &self.bundles[self.handed..] {
            let (bundle, layout) = (Arc::clone(bundle), Arc::clone(layout));
            sender.begin_records(move |handing| bundle.send(handing, &layout));
        }
        self.handed = self.bundles.len();
    }
}

impl Bundle {
    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Where the headers of a letter begin that has none yet.
    fn no_headers(&self) -> Range<usize> {
        self.headers.len()..self.headers.len()
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
            record.key = letter.key.clone().map(|range| &self.bytes[range]);
            record.payload = letter.value.clone().map(|range| &self.bytes[range]);
            if !letter.headers.is_empty() {
                let mut headers = OwnedHeaders::new_with_capacity(letter.headers.len());
                for (key, range) in &self.headers[letter.headers.clone()] {
                    headers = headers.insert(Header { key, value: Some(&self.bytes[range.clone()]) });
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
        let range = self.outbox.open.keep(value);
        self.outbox.open.headers.push((name, range));
        self.letter.headers.end += 1;
        self
    }

    /// Writes the value, which ends the letter.
    pub fn value(mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let Bundle { bytes, letters, .. } = &mut self.outbox.open;
        let start = bytes.len();
        write(bytes);
        self.letter.value = Some(start..bytes.len());
        letters.push(self.letter);
    }

    /// No value, which deletes the key.
    pub fn tombstone(self) {
        self.outbox.open.letters.push(self.letter);
    }
}
