//! The bytes that a tick makes of one partition, kept until they are committed.
//!
//! They are fixed once they are made: after an abort the same bytes go into the next transaction. What the open transaction has
//! seen is a number, so that sending goes on where it stopped, and begins again when the transaction does.

use crate::{
    kafka::{
        sender::{Handed, Sender},
        topics::{Layout, Role},
    },
    sidecar::{Failure, Partition},
    state::record::{Place, Records, StateRecord},
};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::BaseRecord,
};
use std::ops::Range;

/// The bytes of one partition's part of a tick.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    headers: Vec<(&'static str, Range<usize>)>,
    letters: Vec<Letter>,
    /// How many the open transaction has seen.
    sent: usize,
    /// The changed state is among them.
    sealed: bool,
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
        let key = key.map(|key| self.keep(key));
        let headers = self.headers.len()..self.headers.len();
        Draft { letter: Letter { role, partition: None, key, value: None, headers }, outbox: self }
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
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
        std::mem::swap(&mut self.bytes, &mut records.bytes);
    }

    /// Takes the buffer back with the records that were written, for one partition of a topic.
    pub fn take_back(&mut self, role: Role, partition: Partition, records: &mut Records) {
        let headers = self.headers.len()..self.headers.len();
        let letter = |place: Place| {
            let (key, headers) = (Some(place.key), headers.clone());
            Letter { role, partition: Some(partition), key, value: place.value, headers }
        };
        self.letters.extend(records.take_places().map(letter));
        std::mem::swap(&mut self.bytes, &mut records.bytes);
    }

    /// Takes the last letter back.
    pub fn withdraw(&mut self) {
        if let Some(letter) = self.letters.pop() {
            let start = letter.key.or(letter.value).map_or(self.bytes.len(), |range| range.start);
            self.bytes.truncate(start);
            self.headers.truncate(letter.headers.start);
        }
    }

    /// Forgets everything; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.headers.clear();
        self.letters.clear();
        self.sent = 0;
        self.sealed = false;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Nothing is added any more.
    pub fn seal(&mut self) {
        self.sealed = true;
    }

    /// Another transaction has seen nothing yet.
    pub fn begin(&mut self) {
        self.sent = 0;
    }

    /// Hands over what the open transaction has not seen, until there is no more room; true when it has seen all.
    ///
    /// # Errors
    /// A record that cannot be sent.
    pub fn send(&mut self, sender: &Sender, layout: &Layout) -> Result<bool, Failure> {
        while let Some(letter) = self.letters.get(self.sent) {
            let mut record = BaseRecord::<[u8], [u8]>::to(layout.name(letter.role));
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
            if sender.send(record)? == Handed::Full {
                return Ok(false);
            }
            self.sent += 1;
        }
        Ok(true)
    }
}

impl Draft<'_> {
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &[u8]) -> Self {
        let range = self.outbox.keep(value);
        self.outbox.headers.push((name, range));
        self.letter.headers.end += 1;
        self
    }

    /// Writes the value, which ends the letter.
    pub fn value(mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.outbox.bytes.len();
        write(&mut self.outbox.bytes);
        self.letter.value = Some(start..self.outbox.bytes.len());
        self.outbox.letters.push(self.letter);
    }

    /// No value, which deletes the key.
    pub fn tombstone(self) {
        self.outbox.letters.push(self.letter);
    }
}
