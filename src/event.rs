//! An operation event as the engine sees it: checked, typed, borrowed from the record's bytes.
//!
//! What was written and what it means are two things: `decode` turns bytes into an [`Event`] or a [`Fault`], and
//! nothing after it looks at JSON again. An [`Event`] owns nothing and lives as long as its record.

pub mod decode;
pub mod shown;

use crate::{
    number::{Amount, Decimal},
    time::Timestamp,
};
use std::{borrow::Cow, fmt, net::IpAddr};

/// An event type's place in the table of all types that the loaded packs declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u8);

/// A set of event types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TypeSet([u64; 4]);

impl TypeSet {
    pub fn insert(&mut self, kind: TypeId) {
        self.0[usize::from(kind.0 >> 6)] |= 1 << (kind.0 & 63);
    }
    #[must_use]
    pub fn contains(&self, kind: TypeId) -> bool {
        self.0[usize::from(kind.0 >> 6)] >> (kind.0 & 63) & 1 == 1
    }
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }
    #[must_use]
    pub fn intersects(&self, other: &TypeSet) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }
    pub fn iter(&self) -> impl Iterator<Item = TypeId> + '_ {
        (0..=u8::MAX).map(TypeId).filter(|kind| self.contains(*kind))
    }
}

/// What the client is to the operator; ordered from the least known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientStatus {
    Unregistered,
    Unidentified,
    Identified,
}

impl ClientStatus {
    pub const ALL: [ClientStatus; 3] = [Self::Unregistered, Self::Unidentified, Self::Identified];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unregistered => "unregistered",
            Self::Unidentified => "unidentified",
            Self::Identified => "identified",
        }
    }
}

/// Two capital letters; any two are a country (spec, section 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country(pub [u8; 2]);

impl Country {
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a country is two ASCII capitals by construction")
    }
}

/// Three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency(pub [u8; 3]);

impl Currency {
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is three ASCII capitals by construction")
    }
}

/// The value of one attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    Text(&'a str),
    Number(Decimal),
    Bool(bool),
}

/// One checked event. Texts are borrowed from the record or from the decoder's scratch space.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    pub id: &'a str,
    pub kind: TypeId,
    pub time: Timestamp,
    pub wallet: &'a str,
    pub counterparty: Option<&'a str>,
    pub merchant: Option<&'a str>,
    pub amount: Option<Amount>,
    /// As stated; equal to the packs' currency, which stands when this is absent.
    pub currency: Option<Currency>,
    /// Canonical: an IPv4 address mapped into IPv6 is the IPv4 address.
    pub ip: Option<IpAddr>,
    pub country: Option<Country>,
    pub anonymous: Option<bool>,
    pub client_status: Option<ClientStatus>,
    pub balance: Option<Amount>,
    pub device: Option<&'a str>,
    pub channel: Option<&'a str>,
    pub cause: Option<&'a str>,
    pub method: Option<&'a str>,
    pub attributes: decode::Attributes<'a>,
}

/// A field of an event, as packs name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Id,
    Type,
    Time,
    Wallet,
    Counterparty,
    Merchant,
    Amount,
    Currency,
    Ip,
    Country,
    Anonymous,
    ClientStatus,
    Balance,
    Device,
    Channel,
    Cause,
    Method,
    Attribute(Box<str>),
}

/// The type of a field's value, for conditions and for checks of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    Text,
    Number,
    Bool,
    Time,
    /// An attribute: known only when an event carries it.
    Any,
}

impl Field {
    /// Every field but attributes, in the order of the spec's table.
    pub const KNOWN: [Field; 17] = [
        Field::Id,
        Field::Type,
        Field::Time,
        Field::Wallet,
        Field::Counterparty,
        Field::Merchant,
        Field::Amount,
        Field::Currency,
        Field::Ip,
        Field::Country,
        Field::Anonymous,
        Field::ClientStatus,
        Field::Balance,
        Field::Device,
        Field::Channel,
        Field::Cause,
        Field::Method,
    ];

    /// The field that `name` names: a known one, or `attributes.x`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Field> {
        if let Some(attribute) = name.strip_prefix("attributes.") {
            return (!attribute.is_empty()).then(|| Field::Attribute(attribute.into()));
        }
        Field::KNOWN.iter().find(|field| field.name() == name).cloned()
    }

    /// As it is written in packs and events.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Field::Id => "id",
            Field::Type => "type",
            Field::Time => "time",
            Field::Wallet => "wallet",
            Field::Counterparty => "counterparty",
            Field::Merchant => "merchant",
            Field::Amount => "amount",
            Field::Currency => "currency",
            Field::Ip => "ip",
            Field::Country => "country",
            Field::Anonymous => "anonymous",
            Field::ClientStatus => "client_status",
            Field::Balance => "balance",
            Field::Device => "device",
            Field::Channel => "channel",
            Field::Cause => "cause",
            Field::Method => "method",
            Field::Attribute(name) => return Cow::Owned(format!("attributes.{name}")),
        })
    }

    #[must_use]
    pub fn value_type(&self) -> FieldType {
        match self {
            Field::Amount | Field::Balance => FieldType::Number,
            Field::Anonymous => FieldType::Bool,
            Field::Time => FieldType::Time,
            Field::Attribute(_) => FieldType::Any,
            _ => FieldType::Text,
        }
    }
}

/// The value of a field of one event, as rules see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Text(&'a str),
    Number(Decimal),
    Bool(bool),
    Time(Timestamp),
    Ip(IpAddr),
}

/// Why a record cannot be used: which field, what was there, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field at fault, `attributes.x` for an attribute; `None` where it is the record as a whole.
    pub field: Option<String>,
    /// One sentence with the value and the bound.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

/// Everything about one event that a rule may ask: what the event says, what is remembered, what is looked up.
///
/// `country` and `anonymous` are looked up only when somebody asks, and once.
pub struct Facts<'a> {
    pub event: &'a Event<'a>,
    /// Stated by this event, else remembered of the wallet, else `unidentified`.
    pub client_status: ClientStatus,
    /// The packs' currency, for events that state none.
    pub currency: Currency,
    pub type_name: &'a str,
    geo: &'a crate::geo::Geo,
    /// RFC 5952 text of the address, written when somebody asks.
    ip_text: std::cell::OnceCell<IpText>,
    country: std::cell::OnceCell<Option<Country>>,
    anonymous: std::cell::OnceCell<Option<bool>>,
}

/// The canonical text of an address, held in place.
struct IpText {
    bytes: [u8; 45],
    length: usize,
}

impl<'a> Facts<'a> {
    #[must_use]
    pub fn new(
        event: &'a Event<'a>,
        type_name: &'a str,
        client_status: ClientStatus,
        currency: Currency,
        geo: &'a crate::geo::Geo,
    ) -> Self {
        Facts {
            event,
            client_status,
            currency,
            type_name,
            geo,
            ip_text: Default::default(),
            country: Default::default(),
            anonymous: Default::default(),
        }
    }

    /// As the event states it, else as its address is known.
    pub fn country(&self) -> Option<&Country> {
        self.country
            .get_or_init(|| self.event.country.or_else(|| self.event.ip.and_then(|ip| self.geo.country(ip))))
            .as_ref()
    }

    /// As the event states it, else as its address is known.
    pub fn anonymous(&self) -> Option<bool> {
        *self
            .anonymous
            .get_or_init(|| self.event.anonymous.or_else(|| self.event.ip.and_then(|ip| self.geo.anonymous(ip))))
    }

    /// The address in its canonical text (RFC 5952).
    pub fn ip_text(&self) -> Option<&str> {
        let ip = self.event.ip?;
        let text = self.ip_text.get_or_init(|| IpText::new(ip));
        Some(std::str::from_utf8(&text.bytes[..text.length]).expect("addresses are written in ASCII"))
    }

    /// The value of `field`, or nothing where it is unknown.
    pub fn value(&self, field: &Field) -> Option<Value<'_>> {
        let event = self.event;
        match field {
            Field::Id => Some(Value::Text(event.id)),
            Field::Type => Some(Value::Text(self.type_name)),
            Field::Time => Some(Value::Time(event.time)),
            Field::Wallet => Some(Value::Text(event.wallet)),
            Field::Counterparty => event.counterparty.map(Value::Text),
            Field::Merchant => event.merchant.map(Value::Text),
            Field::Amount => event.amount.map(|amount| Value::Number(amount.decimal())),
            Field::Currency => Some(Value::Text(self.currency_text())),
            Field::Ip => event.ip.map(Value::Ip),
            Field::Country => self.country().map(|country| Value::Text(country.as_str())),
            Field::Anonymous => self.anonymous().map(Value::Bool),
            Field::ClientStatus => Some(Value::Text(self.client_status.name())),
            Field::Balance => event.balance.map(|amount| Value::Number(amount.decimal())),
            Field::Device => event.device.map(Value::Text),
            Field::Channel => event.channel.map(Value::Text),
            Field::Cause => event.cause.map(Value::Text),
            Field::Method => event.method.map(Value::Text),
            Field::Attribute(name) => event.attributes.get(name).map(|value| match value {
                Scalar::Text(text) => Value::Text(text),
                Scalar::Number(number) => Value::Number(number),
                Scalar::Bool(flag) => Value::Bool(flag),
            }),
        }
    }

    fn currency_text(&self) -> &str {
        self.event.currency.as_ref().unwrap_or(&self.currency).as_str()
    }
}

impl IpText {
    fn new(ip: IpAddr) -> Self {
        use std::io::Write;
        let mut bytes = [0; 45];
        let mut rest = &mut bytes[..];
        write!(rest, "{ip}").expect("an address is at most 45 bytes of text");
        let length = 45 - rest.len();
        IpText { bytes, length }
    }
}

/// A text for a message: cut to 64 characters, control characters escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut cut: String = text
        .chars()
        .take(64)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(64).is_some() {
        cut.push('…');
    }
    cut
}
