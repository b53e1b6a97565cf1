//! From the bytes of a record to a checked [`Event`], or to a [`Fault`] that says what was wrong.
//!
//! Two steps. `json` walks the bytes once and notes where each known field's value stands; this file then says what
//! the values mean. Nothing is allocated for a good record once the scratch space has grown: texts are borrowed from
//! the record, and from the scratch space where they were written with escapes. There is no recursion, so that no
//! nesting can exhaust the stack. A JSON library would be shorter, but none keeps the text of numbers, finds doubled
//! keys, bounds the depth and borrows without allocating all at once.

mod attributes;
mod decimal;
mod events;
mod fault;
mod json;
mod known;
mod types;

pub use attributes::Attributes;
pub use events::Events;
pub use types::{TypeEntry, TypeTable};

use super::{ClientStatus, Country, Currency, Event, Fault, Field, TypeId};
use crate::{
    limits::{ID_BYTES, RECORD_BYTES, WALLET_BYTES},
    number::Amount,
    time::Timestamp,
};
use attributes::Entry;
use fault::Refusal;
use json::{Packed, Raw, Reader, Texts};
use known::Known;
use std::net::IpAddr;

/// Turns records into events; keeps its scratch space from one record to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The known fields of the record.
    values: [Packed; Known::COUNT],
    /// Texts of the record that were written with escapes, without them.
    scratch: String,
    attributes: Vec<Entry>,
    /// Places in `attributes` by name, to find doubled names among many.
    by_name: Vec<usize>,
}

impl Decoder {
    /// Reads one record, without its line end. `currency` is that of the packs.
    ///
    /// # Errors
    /// A [`Fault`] for a record that cannot be used (spec, sections 2 and 10).
    pub fn decode<'a>(
        &'a mut self,
        record: &'a [u8],
        types: &TypeTable,
        currency: Currency,
    ) -> Result<Event<'a>, Fault> {
        self.event(record, types, currency).map_err(|refusal| *refusal)
    }

    fn event<'a>(&'a mut self, record: &'a [u8], types: &TypeTable, currency: Currency) -> Result<Event<'a>, Refusal> {
        let record = text_of(record)?;
        self.scratch.clear();
        self.attributes.clear();
        self.values = Default::default();
        Reader::new(record, &mut self.scratch).record(&mut self.values, &mut self.attributes)?;
        let texts = Texts { record, scratch: &self.scratch };
        attributes::check(texts, &mut self.attributes, &mut self.by_name)?;

        let fields = Fields { texts, values: &self.values };
        let attributes = Attributes::new(texts, &self.attributes);
        let kind = fields.kind(types)?;
        fields.check_required(types, kind, attributes)?;
        Ok(Event {
            id: fields.required(Known::Id, fields.text(Known::Id, ID_BYTES)?)?,
            kind,
            time: fields.required(Known::Time, fields.time()?)?,
            wallet: fields.required(Known::Wallet, fields.text(Known::Wallet, WALLET_BYTES)?)?,
            counterparty: fields.text(Known::Counterparty, RECORD_BYTES)?,
            merchant: fields.text(Known::Merchant, RECORD_BYTES)?,
            amount: fields.amount(Known::Amount)?,
            currency: fields.currency(currency)?,
            ip: fields.ip()?,
            country: fields.country()?,
            anonymous: fields.flag(Known::Anonymous)?,
            client_status: fields.client_status()?,
            balance: fields.amount(Known::Balance)?,
            device: fields.text(Known::Device, RECORD_BYTES)?,
            channel: fields.text(Known::Channel, RECORD_BYTES)?,
            cause: fields.text(Known::Cause, RECORD_BYTES)?,
            method: fields.text(Known::Method, RECORD_BYTES)?,
            attributes,
        })
    }
}

/// The record as text that is JSON, whatever it says, within the bounds of any record; `scratch` is working space.
///
/// # Errors
/// A [`Fault`] for what is too long, not UTF-8, not JSON, nested too deep, or has half a surrogate pair (spec, section 10).
pub fn json_of<'a>(record: &'a [u8], scratch: &mut String) -> Result<&'a str, Fault> {
    let check = |scratch: &mut String| {
        let text = text_of(record)?;
        scratch.clear();
        Reader::new(text, scratch).whole()?;
        Ok(text)
    };
    check(scratch).map_err(|refusal: Refusal| *refusal)
}

/// Whether a line of a file is no record: nothing but blanks, or a carriage return that ends it.
#[must_use]
pub fn is_blank_line(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// The record as text: its length and its encoding are checked once for all that it holds.
fn text_of(record: &[u8]) -> Result<&str, Refusal> {
    if record.len() > RECORD_BYTES {
        return Err(fault::too_long(record.len()));
    }
    std::str::from_utf8(record).map_err(|error| fault::not_utf8(error.valid_up_to()))
}

/// The known fields of one record, as they were written, and what they mean.
struct Fields<'a> {
    texts: Texts<'a>,
    values: &'a [Packed; Known::COUNT],
}

impl<'a> Fields<'a> {
    fn raw(&self, field: Known) -> Raw {
        self.values[field.place()].raw()
    }

    fn required<T>(&self, field: Known, value: Option<T>) -> Result<T, Refusal> {
        value.ok_or_else(|| fault::missing(field.name(), None))
    }

    /// The value of a field that is always written as text, whatever it means.
    #[inline(always)]
    fn written(&self, field: Known) -> Result<Option<&'a str>, Refusal> {
        match self.raw(field) {
            Raw::Null => Ok(None),
            Raw::Text(text) if text.is_empty() => Err(fault::empty(field.name())),
            Raw::Text(text) => Ok(Some(self.texts.of(text))),
            other => Err(fault::wrong_type(field, self.texts, other)),
        }
    }

    #[inline(always)]
    fn text(&self, field: Known, bytes_max: usize) -> Result<Option<&'a str>, Refusal> {
        match self.written(field)? {
            Some(text) if text.len() > bytes_max => {
                let count = text.len();
                Err(self.bad(field, &format!("has {count} bytes; at most {bytes_max} are allowed")))
            }
            text => Ok(text),
        }
    }

    /// The fault of a field whose value, as it is shown, is followed by `why`.
    #[cold]
    fn bad(&self, field: Known, why: &str) -> Refusal {
        fault::value(field.name(), self.texts, self.raw(field), why)
    }

    fn kind(&self, types: &TypeTable) -> Result<TypeId, Refusal> {
        let name = self.required(Known::Type, self.written(Known::Type)?)?;
        types.find(name).ok_or_else(|| self.bad(Known::Type, "is not a type that the packs declare"))
    }

    fn check_required(&self, types: &TypeTable, kind: TypeId, attributes: Attributes<'_>) -> Result<(), Refusal> {
        let required = types.required(kind);
        for field in required.known() {
            if self.values[field.place()].is_null() {
                return Err(fault::missing(field.name(), Some(types.name(kind))));
            }
        }
        if required.has_attributes() {
            for field in &types.types[usize::from(kind.0)].requires {
                if let Field::Attribute(name) = field
                    && attributes.get(name).is_none()
                {
                    return Err(fault::missing(&field.name(), Some(types.name(kind))));
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn time(&self) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.written(Known::Time)? else { return Ok(None) };
        Timestamp::parse(text).map(Some).map_err(|why| self.bad(Known::Time, why))
    }

    /// An amount or a balance, from a number or from text alike.
    #[inline]
    fn amount(&self, field: Known) -> Result<Option<Amount>, Refusal> {
        let text = match self.raw(field) {
            Raw::Null => return Ok(None),
            Raw::Text(text) if text.is_empty() => return Err(fault::empty(field.name())),
            Raw::Text(text) | Raw::Number(text) => self.texts.of(text),
            other @ Raw::Bool(_) => return Err(fault::wrong_type(field, self.texts, other)),
        };
        let amount = if matches!(field, Known::Amount) { decimal::amount(text) } else { decimal::balance(text) };
        amount.map(Some).map_err(|why| self.bad(field, &why.to_string()))
    }

    #[inline]
    fn currency(&self, expected: Currency) -> Result<Option<Currency>, Refusal> {
        let Some(text) = self.written(Known::Currency)? else { return Ok(None) };
        let Some(letters) = capitals::<3>(text) else {
            return Err(self.bad(Known::Currency, "is not a currency code of three capital letters, such as KZT"));
        };
        if letters != expected.0 {
            let why = format!("has no rate: only {}, the packs' currency, is taken", expected.as_str());
            return Err(self.bad(Known::Currency, &why));
        }
        Ok(Some(expected))
    }

    #[inline]
    fn ip(&self) -> Result<Option<IpAddr>, Refusal> {
        let Some(text) = self.written(Known::Ip)? else { return Ok(None) };
        match text.parse::<IpAddr>() {
            Ok(ip) => Ok(Some(ip.to_canonical())),
            Err(_) => Err(self.bad(Known::Ip, "is not an IPv4 or IPv6 address")),
        }
    }

    #[inline]
    fn country(&self) -> Result<Option<Country>, Refusal> {
        let Some(text) = self.written(Known::Country)? else { return Ok(None) };
        match capitals::<2>(text) {
            Some(letters) => Ok(Some(Country(letters))),
            None => Err(self.bad(Known::Country, "is not a country code of two capital letters, such as KZ")),
        }
    }

    #[inline]
    fn flag(&self, field: Known) -> Result<Option<bool>, Refusal> {
        match self.raw(field) {
            Raw::Null => Ok(None),
            Raw::Bool(flag) => Ok(Some(flag)),
            other => Err(fault::wrong_type(field, self.texts, other)),
        }
    }

    #[inline]
    fn client_status(&self) -> Result<Option<ClientStatus>, Refusal> {
        let Some(text) = self.written(Known::ClientStatus)? else { return Ok(None) };
        let status = ClientStatus::ALL.into_iter().find(|status| status.name() == text);
        let status = status.ok_or_else(|| {
            self.bad(Known::ClientStatus, "is not one of \"unregistered\", \"unidentified\", \"identified\"")
        })?;
        Ok(Some(status))
    }
}

/// The text as exactly `N` ASCII capitals.
fn capitals<const N: usize>(text: &str) -> Option<[u8; N]> {
    let letters: [u8; N] = text.as_bytes().try_into().ok()?;
    letters.iter().all(u8::is_ascii_uppercase).then_some(letters)
}

#[cfg(test)]
mod tests;
