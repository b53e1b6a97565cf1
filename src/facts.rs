//! What rules may ask of one event: what it says, what is remembered of its wallet, what is looked up of its address.
//!
//! Nothing is looked up before somebody asks, and nothing twice.

use crate::{
    event::{ClientStatus, Country, Currency, Event, Field, Scalar, Value},
    geo::Geo,
};
use std::{cell::OnceCell, net::IpAddr};

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
    geo: &'a Geo,
    /// RFC 5952 text of the address, written when somebody asks.
    ip_text: OnceCell<IpText>,
    country: OnceCell<Option<Country>>,
    anonymous: OnceCell<Option<bool>>,
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
        geo: &'a Geo,
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
    #[inline]
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

    /// Whether `field` has a value.
    pub fn has(&self, field: &Field) -> bool {
        let event = self.event;
        match field {
            Field::Counterparty => event.counterparty.is_some(),
            Field::Merchant => event.merchant.is_some(),
            Field::Amount => event.amount.is_some(),
            Field::Balance => event.balance.is_some(),
            field => self.value(field).is_some(),
        }
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
