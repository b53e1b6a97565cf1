//! A decision as JSON: the keys of section 7 of the spec in their order, empty ones left out, no blanks.
//!
//! Written straight into the caller's buffer; a JSON library would need the whole decision as owned values first.

use crate::{
    decision::{Decision, Reason, RestrictionReason, RuleReason, Text},
    event::Event,
    rules::Packs,
};

/// Appends the decision on `event` as one JSON object, without a line end.
pub fn encode(decision: &Decision, event: &Event<'_>, packs: &Packs, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"event\":");
    string(event.id, out);
    out.extend_from_slice(b",\"type\":");
    string(packs.types.name(event.kind), out);
    out.extend_from_slice(b",\"wallet\":");
    string(event.wallet, out);
    out.extend_from_slice(b",\"time\":\"");
    event.time.write(out);
    out.extend_from_slice(b"\",\"action\":\"");
    out.extend_from_slice(decision.action.name().as_bytes());
    out.extend_from_slice(b"\",\"score\":");
    out.extend_from_slice(itoa::Buffer::new().format(decision.score).as_bytes());
    list("reasons", &decision.reasons, out, |reason, out| match reason {
        Reason::Rule(rule) => rule_reason(decision, rule, packs, out),
        Reason::Restriction(restriction) => restriction_reason(decision, restriction, packs, out),
    });
    list("shadow", &decision.shadow, out, |rule, out| rule_reason(decision, rule, packs, out));
    list("restrictions", &decision.restrictions, out, |id, out| {
        let restriction = packs.restriction(*id);
        out.extend_from_slice(b"{\"name\":");
        string(&restriction.name, out);
        member("status", restriction.status.as_deref(), out);
        out.push(b'}');
    });
    let texts = |name, texts: &[Text], out: &mut Vec<u8>| {
        list(name, texts, out, |text, out| string(decision.text(*text), out));
    };
    texts("released", &decision.released, out);
    texts("cancelled", &decision.cancelled, out);
    texts("expired", &decision.expired, out);
    if decision.waiting_forgotten {
        out.extend_from_slice(b",\"waiting_forgotten\":true");
    }
    let mut before: &[u8] = b",\"flags\":[";
    for flag in decision.flags.names() {
        out.extend_from_slice(before);
        string(flag, out);
        before = b",";
    }
    if before == b"," {
        out.push(b']');
    }
    out.extend_from_slice(b",\"pack\":");
    string(&packs.name, out);
    out.push(b'}');
}

fn rule_reason(decision: &Decision, reason: &RuleReason, packs: &Packs, out: &mut Vec<u8>) {
    let rule = packs.rule(reason.rule);
    out.extend_from_slice(b"{\"rule\":");
    string(&rule.id, out);
    member("clause", rule.clause.as_deref(), out);
    member("action", Some(rule.action.name()), out);
    if rule.score > 0 {
        out.extend_from_slice(b",\"score\":");
        out.extend_from_slice(itoa::Buffer::new().format(rule.score).as_bytes());
    }
    member("measured", reason.measured.map(|text| decision.text(text)), out);
    member("limit", reason.limit.map(|text| decision.text(text)), out);
    instant("from", reason.from, out);
    out.push(b'}');
}

fn restriction_reason(decision: &Decision, reason: &RestrictionReason, packs: &Packs, out: &mut Vec<u8>) {
    let restriction = packs.restriction(reason.restriction);
    out.extend_from_slice(b"{\"restriction\":");
    string(&restriction.name, out);
    member("of", reason.of.name(), out);
    member("clause", restriction.clause.as_deref(), out);
    member("action", Some(restriction.action.name()), out);
    instant("since", Some(reason.since), out);
    instant("until", reason.until, out);
    member("by", Some(decision.text(reason.by)), out);
    member("by_event", Some(decision.text(reason.by_event)), out);
    out.push(b'}');
}

/// `,"name":[…]`, or nothing for no items.
fn list<T>(name: &str, items: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    let Some((first, rest)) = items.split_first() else {
        return;
    };
    key(name, out);
    out.push(b'[');
    write(first, out);
    for item in rest {
        out.push(b',');
        write(item, out);
    }
    out.push(b']');
}

/// `,"name":"text"`, or nothing.
fn member(name: &str, text: Option<&str>, out: &mut Vec<u8>) {
    if let Some(text) = text {
        key(name, out);
        string(text, out);
    }
}

/// `,"name":"2026-…Z"`, or nothing.
fn instant(name: &str, time: Option<crate::time::Timestamp>, out: &mut Vec<u8>) {
    if let Some(time) = time {
        key(name, out);
        out.push(b'"');
        time.write(out);
        out.push(b'"');
    }
}

fn key(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// A JSON string (RFC 8259): quotes, backslashes and control characters escaped, everything else as it is.
pub fn string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text.as_bytes();
    // Hardly any text needs escapes; looking at all of it without stopping early is what a compiler can vectorise.
    let plain = rest.iter().fold(true, |plain, byte| plain & (*byte >= 0x20) & (*byte != b'"') & (*byte != b'\\'));
    if plain {
        out.extend_from_slice(rest);
        out.push(b'"');
        return;
    }
    while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        let escaped = match rest[at] {
            b'"' => b'"',
            b'\\' => b'\\',
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
                rest = &rest[at + 1..];
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escaped]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
