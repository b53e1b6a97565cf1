//! The events that share a key with the one in question, kept as texts on the way to it.

use crate::{
    decision::{Action, Decision},
    encode,
    event::{ClientStatus, Event, Field, Scalar, Value, decode::Decoder},
    facts::Facts,
    geo::Geo,
    limits,
    rules::{Measure, Mode, Packs, Target},
    time::Timestamp,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// One event and what was decided on it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The event as a record of our own schema.
    record: Vec<u8>,
    pub time: Timestamp,
    pub action: Action,
    pub duplicate: bool,
    /// What the client was known to be.
    pub status: ClientStatus,
}

impl Kept {
    pub fn new(event: &Event<'_>, packs: &Packs, decision: &Decision) -> Kept {
        Kept {
            record: record_of(event, packs),
            time: event.time,
            action: decision.action,
            duplicate: decision.flags.duplicate,
            status: event.client_status.unwrap_or(ClientStatus::Unidentified),
        }
    }

    /// The event.
    pub fn decoded<'a>(&'a self, packs: &Packs, decoder: &'a mut Decoder) -> Event<'a> {
        decoder.decode(&self.record, &packs.types, packs.currency).expect("it was written from an event")
    }

    /// The event, for as long as `look` takes.
    pub fn with_event<R>(&self, packs: &Packs, look: impl FnOnce(&Event<'_>) -> R) -> R {
        let mut decoder = Decoder::default();
        look(&self.decoded(packs, &mut decoder))
    }
}

/// An event as a record.
fn record_of(event: &Event<'_>, packs: &Packs) -> Vec<u8> {
    let mut out = b"{\"id\":".to_vec();
    encode::string(event.id, &mut out);
    let mut put = |name: &str, text: Option<&str>| {
        let Some(text) = text else { return };
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        encode::string(text, &mut out);
    };
    put("type", Some(packs.types.name(event.kind)));
    put("time", Some(&event.time.to_string()));
    put("wallet", Some(event.wallet));
    put("counterparty", event.counterparty);
    put("merchant", event.merchant);
    put("amount", event.amount.map(|amount| amount.to_string()).as_deref());
    put("currency", event.currency.as_ref().map(|currency| currency.as_str()));
    put("ip", event.ip.map(|ip| ip.to_string()).as_deref());
    put("country", event.country.as_ref().map(|country| country.as_str()));
    put("client_status", event.client_status.map(ClientStatus::name));
    put("balance", event.balance.map(|amount| amount.to_string()).as_deref());
    put("device", event.device);
    put("channel", event.channel);
    put("cause", event.cause);
    put("method", event.method);
    if let Some(anonymous) = event.anonymous {
        out.extend_from_slice(format!(",\"anonymous\":{anonymous}").as_bytes());
    }
    let mut before: &[u8] = b",\"attributes\":{";
    for (name, value) in event.attributes.iter() {
        out.extend_from_slice(before);
        before = b",";
        encode::string(name, &mut out);
        out.push(b':');
        match value {
            Scalar::Text(text) => encode::string(text, &mut out),
            Scalar::Number(number) => out.extend_from_slice(number.normalize().to_string().as_bytes()),
            Scalar::Bool(flag) => out.extend_from_slice(flag.to_string().as_bytes()),
        }
    }
    if before == b"," {
        out.push(b'}');
    }
    out.push(b'}');
    out
}

/// What an event shares with those that can matter to its decision.
pub(super) struct Keys {
    wallet: String,
    counterparty: Option<String>,
    ip: Option<std::net::IpAddr>,
    /// Fields of keys without the wallet, and their values.
    foreign: Vec<(Vec<Field>, String)>,
}

impl Keys {
    pub fn new(event: &Event<'_>, packs: &Packs, geo: &Geo) -> Keys {
        let status = event.client_status.unwrap_or(ClientStatus::Unidentified);
        let facts = Facts::new(event, packs.types.name(event.kind), status, packs.currency, geo);
        let mut foreign: Vec<(Vec<Field>, String)> = Vec::new();
        for rule in packs.rules.iter().filter(|rule| rule.mode != Mode::Off && rule.on.contains(event.kind)) {
            let Some(per) = rule.measure.as_ref().and_then(Measure::per) else { continue };
            let known = foreign.iter().any(|(fields, _)| fields == per);
            if let Some(key) = key(&facts, per).filter(|_| !per.contains(&Field::Wallet) && !known) {
                foreign.push((per.to_vec(), key));
            }
        }
        let counterparty = event.counterparty.map(str::to_owned);
        Keys { wallet: event.wallet.to_owned(), counterparty, ip: event.ip, foreign }
    }

    fn share(&self, facts: &Facts<'_>, packs: &Packs) -> bool {
        let event = facts.event;
        let on_all = || {
            packs.restrictions.iter().filter(|restriction| restriction.target == Target::All).any(|restriction| {
                let signals = [restriction.imposed_by, restriction.lifted_by, restriction.cancelled_by];
                signals.iter().any(|types| types.contains(event.kind))
            })
        };
        event.wallet == self.wallet
            || self.counterparty.as_deref() == Some(event.wallet)
            || (self.ip.is_some() && event.ip == self.ip)
            || self.foreign.iter().any(|(fields, value)| key(facts, fields).as_ref() == Some(value))
            || on_all()
    }
}

/// The values of some fields as one text, equal where they are; nothing where one is lacking.
pub(super) fn key(facts: &Facts<'_>, fields: &[Field]) -> Option<String> {
    let mut key = String::new();
    for field in fields {
        let value = match facts.value(field)? {
            Value::Number(number) => Value::Number(number.normalize()),
            value => value,
        };
        key.push_str(&format!("{value:?};"));
    }
    Some(key)
}

/// The events so far that share a key, in the order in which they came.
pub(super) struct History {
    packs: Arc<Packs>,
    geo: Arc<Geo>,
    keys: Keys,
    pub kept: VecDeque<Kept>,
    pub forgotten: bool,
    /// What each client was last said to be.
    status: HashMap<Box<str>, ClientStatus>,
}

impl History {
    pub fn new(packs: &Arc<Packs>, geo: &Arc<Geo>, keys: Keys) -> History {
        History {
            packs: Arc::clone(packs),
            geo: Arc::clone(geo),
            keys,
            kept: VecDeque::new(),
            forgotten: false,
            status: HashMap::new(),
        }
    }

    /// Keeps an event that shares a key.
    pub fn note(&mut self, event: &Event<'_>, decision: &Decision) {
        if let Some(status) = event.client_status.filter(|_| !decision.flags.duplicate) {
            self.status.insert(event.wallet.into(), status);
        }
        let status = self.status.get(event.wallet).copied().unwrap_or(ClientStatus::Unidentified);
        let facts = Facts::new(event, self.packs.types.name(event.kind), status, self.packs.currency, &self.geo);
        if !self.keys.share(&facts, &self.packs) {
            return;
        }
        if self.kept.len() >= limits::EXPLAIN_EVENTS {
            self.kept.pop_front();
            self.forgotten = true;
        }
        self.kept.push_back(Kept { status, ..Kept::new(event, &self.packs, decision) });
    }

    /// What the client of the event in question is known to be.
    pub fn status(&self) -> ClientStatus {
        self.status.get(self.keys.wallet.as_str()).copied().unwrap_or(ClientStatus::Unidentified)
    }

    /// The facts of a kept event, for as long as `look` takes.
    pub fn with_facts<R>(&self, kept: &Kept, status: ClientStatus, look: impl FnOnce(&Facts<'_>) -> R) -> R {
        let packs = &self.packs;
        kept.with_event(packs, |event| {
            look(&Facts::new(event, packs.types.name(event.kind), status, packs.currency, &self.geo))
        })
    }
}
