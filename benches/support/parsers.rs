//! Parsing alone: what reading the records costs before anybody decides anything.

use kuzet::{event::decode::Decoder, rules::Packs};
use serde::Deserialize;
use std::hint::black_box;

/// All fields that the streams' records have, borrowed.
#[derive(Deserialize)]
#[expect(dead_code, reason = "reading the fields is all that is measured")]
struct Record<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    wallet: &'a str,
    amount: Option<&'a str>,
    currency: Option<&'a str>,
    counterparty: Option<&'a str>,
    merchant: Option<&'a str>,
    ip: Option<&'a str>,
    country: Option<&'a str>,
    anonymous: Option<bool>,
    device: Option<&'a str>,
}

pub fn serde_json(line: &[u8]) {
    let line = std::str::from_utf8(line).expect("the stream is UTF-8");
    let record: Record<'_> = serde_json::from_str(line).expect("and holds good records");
    black_box(&record);
}

pub fn kuzet(decoder: &mut Decoder, packs: &Packs, line: &[u8]) {
    let event = decoder.decode(line, &packs.types, packs.currency).expect("the stream holds good records");
    black_box(&event);
}
