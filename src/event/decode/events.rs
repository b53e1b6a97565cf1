//! Decoded events that outlive their records: many in one piece of memory, for another thread to take up.
//!
//! An [`Event`] borrows its texts from its record and from the decoder's scratch space. Here both are copied, and what
//! the event says is noted as places in the copy, so that making the event again parses nothing; once the buffers have
//! grown, nothing is allocated either. Copying a record whole costs less than copying its five or six texts one by one,
//! and a reject needs the record anyway.

use super::{Attributes, Decoded, attributes::Entry, known::Known, texts::Texts};
use crate::{
    event::{ClientStatus, Country, Currency, Event, TypeId},
    number::Amount,
    time::Timestamp,
};
use std::net::IpAddr;

/// Events, found by their places in the order in which they came.
#[derive(Debug, Default)]
pub struct Events {
    text: String,
    attributes: Vec<Entry>,
    located: Vec<Located>,
}

/// Where a text stands in the copy. An empty one is one that is absent: the decoder gives no empty texts.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    end: u32,
}

/// An [`Event`] with places instead of texts.
#[derive(Debug)]
struct Located {
    record: Place,
    scratch: Place,
    /// Among the attributes of all events.
    attributes: Place,
    id: Place,
    kind: TypeId,
    time: Timestamp,
    wallet: Place,
    counterparty: Place,
    merchant: Place,
    amount: Option<Amount>,
    currency: Option<Currency>,
    ip: Option<IpAddr>,
    country: Option<Country>,
    anonymous: Option<bool>,
    client_status: Option<ClientStatus>,
    balance: Option<Amount>,
    device: Place,
    channel: Place,
    cause: Place,
    method: Place,
}

impl Events {
    /// Forgets the events; the memory stays.
    pub fn clear(&mut self) {
        self.text.clear();
        self.attributes.clear();
        self.located.clear();
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.located.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.located.is_empty()
    }

    /// Bytes of all that was copied.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Keeps what a record says under the next place, which it gives.
    ///
    /// # Panics
    /// Where all texts together pass 4 GiB.
    #[inline]
    pub fn keep(&mut self, decoded: &Decoded<'_, '_>) -> usize {
        let Decoded { fields, texts, attributes } = *decoded;
        let first_entry = self.attributes.len();
        self.attributes.extend_from_slice(attributes);
        let (record, scratch) = (self.append(texts.record), self.append(texts.scratch));
        let place = |field: Known| {
            let text = fields.place(field);
            let base = if text.is_in_scratch() { scratch.start } else { record.start };
            Place::of(base as usize + text.start(), base as usize + text.end())
        };
        self.located.push(Located {
            record,
            scratch,
            attributes: Place::of(first_entry, self.attributes.len()),
            id: place(Known::Id),
            kind: fields.kind,
            time: fields.time,
            wallet: place(Known::Wallet),
            counterparty: place(Known::Counterparty),
            merchant: place(Known::Merchant),
            amount: fields.amount,
            currency: fields.currency,
            ip: fields.ip,
            country: fields.country,
            anonymous: fields.anonymous,
            client_status: fields.client_status,
            balance: fields.balance,
            device: place(Known::Device),
            channel: place(Known::Channel),
            cause: place(Known::Cause),
            method: place(Known::Method),
        });
        self.located.len() - 1
    }

    /// The event of that place.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn get(&self, place: usize) -> Event<'_> {
        let located = &self.located[place];
        let entries = &self.attributes[located.attributes.start as usize..located.attributes.end as usize];
        let texts = Texts { record: self.text(located.record), scratch: self.text(located.scratch) };
        Event {
            id: self.text(located.id),
            kind: located.kind,
            time: located.time,
            wallet: self.text(located.wallet),
            counterparty: self.optional(located.counterparty),
            merchant: self.optional(located.merchant),
            amount: located.amount,
            currency: located.currency,
            ip: located.ip,
            country: located.country,
            anonymous: located.anonymous,
            client_status: located.client_status,
            balance: located.balance,
            device: self.optional(located.device),
            channel: self.optional(located.channel),
            cause: self.optional(located.cause),
            method: self.optional(located.method),
            attributes: Attributes::new(texts, entries),
        }
    }

    /// When the event of that place happened.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn time(&self, place: usize) -> Timestamp {
        self.located[place].time
    }

    /// What the event of that place was read from.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn record(&self, place: usize) -> &str {
        self.text(self.located[place].record)
    }

    fn append(&mut self, text: &str) -> Place {
        let start = self.text.len();
        self.text.push_str(text);
        Place::of(start, self.text.len())
    }

    #[inline]
    fn text(&self, place: Place) -> &str {
        &self.text[place.start as usize..place.end as usize]
    }

    #[inline]
    fn optional(&self, place: Place) -> Option<&str> {
        (place.start < place.end).then(|| self.text(place))
    }
}

impl Place {
    #[inline]
    fn of(start: usize, end: usize) -> Place {
        let narrow = |at: usize| u32::try_from(at).expect("the texts of a batch are far below 4 GiB");
        Place { start: narrow(start), end: narrow(end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::decode::{Decoder, TypeEntry, TypeTable};

    /// As different as records can be: bare, whole, with escapes in any text, with attributes of every kind.
    const RECORDS: &[&str] = &[
        r#"{"id":"a","type":"login","time":"2026-03-01T08:00:00Z","wallet":"7"}"#,
        r#"{"id":"b","type":"login","time":"2026-03-01T08:00:00.5+05:00","wallet":"7","counterparty":"8","merchant":"Ш",
            "amount":"12.5","currency":"KZT","ip":"::ffff:10.0.0.1","country":"KZ","anonymous":false,
            "client_status":"identified","balance":-3,"device":"d","channel":"c","cause":"x","method":"m"}"#,
        r#"{"id":"\u0063\n","type":"l\u006fgin","time":"2026-03-01T08:00:00Z","wallet":"\u0448","cause":"\"q\"",
            "device":"plain","attributes":{"\u0061":"\t","plain":"text","n":-0.5,"t":true,"none":null}}"#,
        r#"{"attributes":{"a":"1"},"wallet":"7","time":"2026-03-01T08:00:00Z","type":"login","id":"d"}"#,
        r#"{"id":"e","type":"login","time":"2026-03-01T08:00:00Z","wallet":"7","attributes":{}}"#,
    ];

    #[test]
    fn events_come_back_as_they_went_in() {
        let types = TypeTable::new(vec![TypeEntry { name: "login".to_owned(), requires: Vec::new() }]);
        let mut decoder = Decoder::default();
        let mut events = Events::default();
        for _ in 0..2 {
            let mut expected = Vec::new();
            for record in RECORDS {
                let decoded = decoder.decode_as(record.as_bytes(), &types, Currency(*b"KZT"), |decoded| {
                    let event = decoded.event();
                    assert_eq!(events.keep(decoded), expected.len());
                    assert_eq!((decoded.time(), decoded.wallet()), (event.time, event.wallet));
                    assert_eq!(events.time(expected.len()), event.time);
                    expected.push(format!("{event:?}"));
                });
                decoded.expect("a good record");
            }
            for (place, expected) in expected.iter().enumerate() {
                assert_eq!(format!("{:?}", events.get(place)), *expected);
                assert_eq!(events.record(place), RECORDS[place]);
            }
            assert_eq!((events.len(), events.is_empty()), (RECORDS.len(), false));
            assert!(events.get(2).attributes.get("a").is_some_and(|value| value == crate::event::Scalar::Text("\t")));
            events.clear();
            assert_eq!((events.len(), events.text_bytes()), (0, 0));
        }
    }
}
