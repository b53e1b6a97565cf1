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

impl<'a> Event<'a> {
    /// One that has what every event has, and nothing else.
    #[must_use]
    pub fn new(id: &'a str, kind: TypeId, time: Timestamp, wallet: &'a str) -> Self {
        Event {
            id,
            kind,
            time,
            wallet,
            counterparty: None,
            merchant: None,
            amount: None,
            currency: None,
            ip: None,
            country: None,
            anonymous: None,
            client_status: None,
            balance: None,
            device: None,
            channel: None,
            cause: None,
            method: None,
            attributes: decode::Attributes::default(),
        }
    }
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
