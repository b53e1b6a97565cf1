//! An event as a producer would write it.
//!
//! This is not `event::Event` turned round: that one borrows from what was read, this one owns what is to be written,
//! and the generator shares no code with the decoder that its output tests.

use crate::{event::ClientStatus, number::Amount, time::Timestamp};
use std::{io::Write, net::IpAddr};

const HOUR: i64 = 60 * 60 * 1_000;
/// Offset of Asia/Almaty since 2024-03-01, which some producers write out.
const LOCAL_OFFSET: i64 = 5 * HOUR;

/// One event. Texts hold no character that JSON would escape: all of them come from tables and numbers.
#[derive(Clone, Debug)]
pub struct Record {
    pub id: String,
    pub kind: &'static str,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    pub wallet: String,
    pub counterparty: Option<String>,
    pub merchant: Option<&'static str>,
    pub amount: Option<Amount>,
    pub ip: Option<IpAddr>,
    pub country: Option<&'static str>,
    pub anonymous: Option<bool>,
    pub client_status: Option<ClientStatus>,
    pub balance: Option<Amount>,
    pub device: Option<String>,
    pub channel: Option<&'static str>,
    pub method: Option<&'static str>,
    pub attributes: Vec<(&'static str, String)>,
}

impl Record {
    /// An event with only the fields that every type requires.
    #[must_use]
    pub fn new(id: String, kind: &'static str, time: i64, wallet: String) -> Record {
        Record {
            id,
            kind,
            time,
            wallet,
            counterparty: None,
            merchant: None,
            amount: None,
            ip: None,
            country: None,
            anonymous: None,
            client_status: None,
            balance: None,
            device: None,
            channel: None,
            method: None,
            attributes: Vec::new(),
        }
    }

    /// Appends the event as one line of NDJSON.
    ///
    /// Producers differ, and so do the lines: terminals write local time, the web amounts as numbers.
    pub fn write(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"id\":\"");
        line.extend_from_slice(self.id.as_bytes());
        line.push(b'"');
        put_text(line, "type", Some(self.kind));
        self.put_time(line);
        put_text(line, "wallet", Some(&self.wallet));
        put_text(line, "counterparty", self.counterparty.as_deref());
        put_text(line, "merchant", self.merchant);
        self.put_amount(line, "amount", self.amount);
        put_shown(line, "ip", self.ip);
        put_text(line, "country", self.country);
        if let Some(anonymous) = self.anonymous {
            show(line, format_args!(",\"anonymous\":{anonymous}"));
        }
        put_text(line, "client_status", self.client_status.map(ClientStatus::name));
        self.put_amount(line, "balance", self.balance);
        put_text(line, "device", self.device.as_deref());
        put_text(line, "channel", self.channel);
        put_text(line, "method", self.method);
        for (place, (name, value)) in self.attributes.iter().enumerate() {
            let before = if place == 0 { ",\"attributes\":{" } else { "," };
            show(line, format_args!("{before}\"{name}\":\"{value}\""));
        }
        line.extend_from_slice(if self.attributes.is_empty() { b"}\n" } else { b"}}\n" });
    }

    fn put_time(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b",\"time\":\"");
        if self.channel == Some("terminal") {
            Timestamp(self.time + LOCAL_OFFSET).write(line);
            line.pop();
            line.extend_from_slice(b"+05:00\"");
        } else {
            Timestamp(self.time).write(line);
            line.push(b'"');
        }
    }

    fn put_amount(&self, line: &mut Vec<u8>, name: &str, amount: Option<Amount>) {
        let Some(Amount(minor)) = amount else { return };
        let quote = if self.channel == Some("web") { "" } else { "\"" };
        let (whole, fraction) = (minor / 100, minor % 100);
        show(line, format_args!(",\"{name}\":{quote}{whole}"));
        if fraction != 0 {
            show(line, format_args!(".{fraction:02}"));
        }
        line.extend_from_slice(quote.as_bytes());
    }
}

fn put_text(line: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        for part in [",\"", name, "\":\"", value, "\""] {
            line.extend_from_slice(part.as_bytes());
        }
    }
}

fn put_shown(line: &mut Vec<u8>, name: &str, value: Option<IpAddr>) {
    if let Some(value) = value {
        show(line, format_args!(",\"{name}\":\"{value}\""));
    }
}

fn show(line: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    line.write_fmt(arguments).expect("writing to memory cannot fail");
}
