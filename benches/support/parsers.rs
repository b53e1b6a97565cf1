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

pub fn sonic_rs(line: &[u8]) {
    let record: Record<'_> = sonic_rs::from_slice(line).expect("the stream holds good records");
    black_box(&record);
}

/// What simd-json uses again: it parses in place, so the line is copied first, and keeps its tables in buffers.
#[derive(Default)]
pub struct Scratch {
    line: Vec<u8>,
    buffers: simd_json::Buffers,
}

pub fn simd_json(scratch: &mut Scratch, line: &[u8]) {
    let Scratch { line: copy, buffers } = scratch;
    copy.clear();
    copy.extend_from_slice(line);
    let record: Record<'_> =
        simd_json::serde::from_slice_with_buffers(copy, buffers).expect("the stream holds good records");
    black_box(&record);
}

pub fn kuzet(decoder: &mut Decoder, packs: &Packs, line: &[u8]) {
    let event = decoder.decode(line, &packs.types, packs.currency).expect("the stream holds good records");
    black_box(&event);
}
