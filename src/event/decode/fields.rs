//! What the values of the known fields mean: each is read as it is met, so that nothing of a record is looked at twice.
//!
//! A record that is not JSON is refused for that, whatever else is wrong with it; so a value that is no good is noted,
//! and told of only once the record has been read to its end. Of several the same one is told, wherever they stand.

use super::{
    Attributes, address, decimal,
    fault::{self, Refusal},
    known::Known,
    texts::{Raw, Text, Texts},
    types::TypeTable,
};
use crate::{
    event::{ClientStatus, Country, Currency, Field, TypeId},
    limits::{ID_BYTES, WALLET_BYTES},
    number::Amount,
    time::Timestamp,
};
use std::net::IpAddr;

/// The known fields of one record, as far as they have been met.
pub(super) struct Fields<'t> {
    types: &'t TypeTable,
    /// That of the packs.
    expected: Currency,
    /// Those that have been met, as a set of [`Known::bit`]s.
    met: u32,
    /// Those of them that are null, which is as good as absent.
    nulls: u32,
    wrong: Option<Wrong>,
    /// Texts that mean nothing but themselves.
    texts: [Text; Known::COUNT],
    pub kind: TypeId,
    pub time: Timestamp,
    pub amount: Option<Amount>,
    pub currency: Option<Currency>,
    pub ip: Option<IpAddr>,
    pub country: Option<Country>,
    pub anonymous: Option<bool>,
    pub client_status: Option<ClientStatus>,
    pub balance: Option<Amount>,
}

/// The fault to be told of so far.
struct Wrong {
    rank: usize,
    refusal: Refusal,
}

/// Fields that every event has.
const ALWAYS: [Known; 3] = [Known::Id, Known::Time, Known::Wallet];
const ALWAYS_SET: u32 = Known::Id.bit() | Known::Type.bit() | Known::Time.bit() | Known::Wallet.bit();

impl<'t> Fields<'t> {
    #[inline]
    pub fn new(types: &'t TypeTable, expected: Currency) -> Self {
        Fields {
            types,
            expected,
            met: 0,
            nulls: 0,
            wrong: None,
            texts: [Text::default(); Known::COUNT],
            kind: TypeId(0),
            time: Timestamp(0),
            amount: None,
            currency: None,
            ip: None,
            country: None,
            anonymous: None,
            client_status: None,
            balance: None,
        }
    }

    #[inline]
    pub fn has_met(&self, field: Known) -> bool {
        self.met & field.bit() != 0
    }

    /// It has not been met, and what it is to hold is a value that holds no other.
    #[inline]
    pub fn expects_one_value(&self, field: Known) -> bool {
        (self.met | Known::Attributes.bit()) & field.bit() == 0
    }

    /// Takes note of a field.
    #[inline]
    pub fn meet(&mut self, field: Known) {
        self.met |= field.bit();
    }

    /// Takes a value that is a text, of these bytes.
    #[inline(always)]
    pub fn text(&mut self, field: Known, text: Text, bytes: &[u8], texts: &Texts<'_>) {
        self.meet(field);
        if bytes.is_empty() {
            return self.empty(field, text, texts);
        }
        match field {
            Known::Id if bytes.len() > ID_BYTES => self.too_long(field, text, texts, ID_BYTES),
            Known::Wallet if bytes.len() > WALLET_BYTES => self.too_long(field, text, texts, WALLET_BYTES),
            Known::Id
            | Known::Wallet
            | Known::Counterparty
            | Known::Merchant
            | Known::Device
            | Known::Channel
            | Known::Cause
            | Known::Method => self.texts[field.place()] = text,
            Known::Type => match self.types.find_bytes(bytes) {
                Some(kind) => self.kind = kind,
                None => self.bad(field, Raw::Text(text), texts, "is not a type that the packs declare"),
            },
            Known::Time => match Timestamp::read(bytes) {
                Ok(time) => self.time = time,
                Err(why) => self.bad(field, Raw::Text(text), texts, why),
            },
            Known::Amount | Known::Balance => self.decimal(field, Raw::Text(text), bytes, texts),
            Known::Currency => self.currency(text, bytes, texts),
            Known::Ip => match address::dotted(bytes) {
                Some(octets) => self.ip = Some(IpAddr::V4(octets)),
                None => self.other_address(text, bytes, texts),
            },
            Known::Country => match capitals(bytes) {
                Some(letters) => self.country = Some(Country(letters)),
                None => {
                    let why = "is not a country code of two capital letters, such as KZ";
                    self.bad(field, Raw::Text(text), texts, why);
                }
            },
            Known::ClientStatus => self.client_status(text, bytes, texts),
            Known::Anonymous | Known::Attributes => self.wrong_type(field, Raw::Text(text), texts),
        }
    }

    #[inline]
    pub fn anonymous(&mut self, flag: bool) {
        self.meet(Known::Anonymous);
        self.anonymous = Some(flag);
    }

    /// Takes a value of any kind.
    pub fn value(&mut self, field: Known, value: Raw, texts: &Texts<'_>) {
        self.meet(field);
        match value {
            Raw::Null => self.nulls |= field.bit(),
            Raw::Text(text) => self.text(field, text, texts.of(text).as_bytes(), texts),
            Raw::Bool(flag) if field == Known::Anonymous => self.anonymous(flag),
            Raw::Number(text) if matches!(field, Known::Amount | Known::Balance) => {
                self.decimal(field, value, texts.of(text).as_bytes(), texts);
            }
            Raw::Bool(_) | Raw::Number(_) => self.wrong_type(field, value, texts),
        }
    }

    /// An amount or a balance, from a number or from text alike.
    #[inline]
    fn decimal(&mut self, field: Known, value: Raw, bytes: &[u8], texts: &Texts<'_>) {
        let read = if field == Known::Amount { decimal::amount(bytes) } else { decimal::balance(bytes) };
        match read {
            Ok(amount) if field == Known::Amount => self.amount = Some(amount),
            Ok(balance) => self.balance = Some(balance),
            Err(why) => self.bad(field, value, texts, &why.to_string()),
        }
    }

    fn currency(&mut self, text: Text, bytes: &[u8], texts: &Texts<'_>) {
        match capitals(bytes) {
            Some(letters) if letters == self.expected.0 => self.currency = Some(self.expected),
            Some(_) => {
                let why = format!("has no rate: only {}, the packs' currency, is taken", self.expected.as_str());
                self.bad(Known::Currency, Raw::Text(text), texts, &why);
            }
            None => {
                let why = "is not a currency code of three capital letters, such as KZT";
                self.bad(Known::Currency, Raw::Text(text), texts, why);
            }
        }
    }

    fn client_status(&mut self, text: Text, bytes: &[u8], texts: &Texts<'_>) {
        self.client_status = ClientStatus::ALL.into_iter().find(|status| status.name().as_bytes() == bytes);
        if self.client_status.is_none() {
            let why = "is not one of \"unregistered\", \"unidentified\", \"identified\"";
            self.bad(Known::ClientStatus, Raw::Text(text), texts, why);
        }
    }

    /// Where the text of a field stands; one of nothing where the field is absent.
    #[inline]
    pub fn place(&self, field: Known) -> Text {
        self.texts[field.place()]
    }

    /// The text of a field that every event has, once [`Fields::check`] has found nothing wrong.
    #[inline]
    pub fn always<'a>(&self, field: Known, texts: Texts<'a>) -> &'a str {
        texts.of(self.texts[field.place()])
    }

    /// The text of a field that an event may have.
    #[inline]
    pub fn optional<'a>(&self, field: Known, texts: Texts<'a>) -> Option<&'a str> {
        let text = self.texts[field.place()];
        (!text.is_empty()).then(|| texts.of(text))
    }

    /// Once the record has been read: whether all that it has to say is there and good.
    #[inline]
    pub fn check(&mut self, attributes: Attributes<'_>) -> Result<(), Refusal> {
        let required = self.types.required(self.kind);
        let present = self.given() & ALWAYS_SET == ALWAYS_SET && required.are_among(self.given());
        if present && self.wrong.is_none() && !required.has_attributes() {
            return Ok(());
        }
        self.diagnose(attributes)
    }

    /// The fields that have a value, as a set of [`Known::bit`]s.
    fn given(&self) -> u32 {
        self.met & !self.nulls
    }

    #[cold]
    fn diagnose(&mut self, attributes: Attributes<'_>) -> Result<(), Refusal> {
        if self.given() & Known::Type.bit() == 0 {
            return Err(fault::missing(Known::Type.name(), None));
        }
        if self.wrong.as_ref().is_none_or(|wrong| wrong.rank > rank(Known::Type)) {
            self.check_required(attributes)?;
        }
        for field in ALWAYS {
            if self.given() & field.bit() == 0 {
                self.note(field, fault::missing(field.name(), None));
            }
        }
        self.wrong.take().map_or(Ok(()), |wrong| Err(wrong.refusal))
    }

    fn check_required(&self, attributes: Attributes<'_>) -> Result<(), Refusal> {
        let required = self.types.required(self.kind);
        let name = self.types.name(self.kind);
        if let Some(field) = required.known().find(|field| self.given() & field.bit() == 0) {
            return Err(fault::missing(field.name(), Some(name)));
        }
        if required.has_attributes() {
            for field in &self.types.types[usize::from(self.kind.0)].requires {
                if let Field::Attribute(attribute) = field
                    && attributes.get(attribute).is_none()
                {
                    return Err(fault::missing(&field.name(), Some(name)));
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn other_address(&mut self, text: Text, bytes: &[u8], texts: &Texts<'_>) {
        self.ip = address::any(bytes);
        if self.ip.is_none() {
            self.bad(Known::Ip, Raw::Text(text), texts, "is not an IPv4 or IPv6 address");
        }
    }

    #[cold]
    fn too_long(&mut self, field: Known, text: Text, texts: &Texts<'_>, bytes_max: usize) {
        let count = texts.of(text).len();
        self.bad(field, Raw::Text(text), texts, &format!("has {count} bytes; at most {bytes_max} are allowed"));
    }

    #[cold]
    fn empty(&mut self, field: Known, text: Text, texts: &Texts<'_>) {
        if field == Known::Anonymous {
            self.wrong_type(field, Raw::Text(text), texts);
        } else {
            self.note(field, fault::empty(field.name()));
        }
    }

    #[cold]
    fn wrong_type(&mut self, field: Known, value: Raw, texts: &Texts<'_>) {
        self.note(field, fault::wrong_type(field, texts, value));
    }

    /// Notes that a field's value, as it is shown, is followed by `why`.
    #[cold]
    fn bad(&mut self, field: Known, value: Raw, texts: &Texts<'_>, why: &str) {
        self.note(field, fault::value(field.name(), texts, value, why));
    }

    #[cold]
    fn note(&mut self, field: Known, refusal: Refusal) {
        let rank = rank(field);
        if self.wrong.as_ref().is_none_or(|wrong| rank < wrong.rank) {
            self.wrong = Some(Wrong { rank, refusal });
        }
    }
}

/// Of several faults that of the least rank is told: the type says what else there has to be.
fn rank(field: Known) -> usize {
    if field == Known::Type { 0 } else { field.place() + 1 }
}

/// The text as exactly `N` ASCII capitals.
fn capitals<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let letters: [u8; N] = text.try_into().ok()?;
    letters.iter().all(u8::is_ascii_uppercase).then_some(letters)
}
