//! A decision as JSON: the keys of section 7 of the spec in their order, empty ones left out, no blanks.
//!
//! Written straight into the caller's buffer; a JSON library would need the whole decision as owned values first. What packs
//! say in every decision alike is written once, by [`crate::rules::written`].

use crate::{
    decision::{Decision, Flags, Reason, RestrictionReason, RuleReason, Text},
    event::Event,
    plain::escaped,
    rules::Packs,
    time::Timestamp,
};

/// Appends the decision on `event` as one JSON object, without a line end.
pub fn encode(decision: &Decision, event: &Event<'_>, packs: &Packs, out: &mut Vec<u8>) {
    head(decision, event, packs, out);
    list(b",\"reasons\":[", &decision.reasons, out, |reason, out| match reason {
        Reason::Rule(rule) => rule_reason(decision, rule, packs, out),
        Reason::Restriction(restriction) => restriction_reason(decision, restriction, packs, out),
    });
    list(b",\"shadow\":[", &decision.shadow, out, |rule, out| rule_reason(decision, rule, packs, out));
    let written = packs.written();
    list(b",\"restrictions\":[", &decision.restrictions, out, |id, out| out.extend_from_slice(written.standing(*id)));
    let texts = |opening: &[u8], texts: &[Text], out: &mut Vec<u8>| {
        list(opening, texts, out, |text, out| string(decision.text(*text), out));
    };
    texts(b",\"released\":[", &decision.released, out);
    texts(b",\"cancelled\":[", &decision.cancelled, out);
    texts(b",\"expired\":[", &decision.expired, out);
    if decision.waiting_forgotten {
        out.extend_from_slice(b",\"waiting_forgotten\":true");
    }
    flags(decision.flags, out);
    out.extend_from_slice(&written.end);
}

/// What every decision has: `{"event":"…","type":"…","wallet":"…","time":"…","action":"…","score":0`.
fn head(decision: &Decision, event: &Event<'_>, packs: &Packs, out: &mut Vec<u8>) {
    let written = packs.written();
    out.extend_from_slice(b"{\"event\":\"");
    escaped(event.id, out);
    out.extend_from_slice(written.of_type(event.kind));
    escaped(event.wallet, out);
    out.extend_from_slice(b"\",\"time\":\"");
    event.time.write(out);
    out.extend_from_slice(written.of_action(decision.action));
    number(decision.score, out);
}

fn rule_reason(decision: &Decision, reason: &RuleReason, packs: &Packs, out: &mut Vec<u8>) {
    out.extend_from_slice(packs.written().rule(reason.rule));
    member(b",\"measured\":\"", reason.measured.map(|text| decision.text(text)), out);
    member(b",\"limit\":\"", reason.limit.map(|text| decision.text(text)), out);
    instant(b",\"from\":\"", reason.from, out);
    out.push(b'}');
}

fn restriction_reason(decision: &Decision, reason: &RestrictionReason, packs: &Packs, out: &mut Vec<u8>) {
    let (name, rest) = packs.written().restriction(reason.restriction);
    out.extend_from_slice(name);
    member(b",\"of\":\"", reason.of.name(), out);
    out.extend_from_slice(rest);
    instant(b",\"since\":\"", Some(reason.since), out);
    instant(b",\"until\":\"", reason.until, out);
    member(b",\"by\":\"", Some(decision.text(reason.by)), out);
    member(b",\"by_event\":\"", Some(decision.text(reason.by_event)), out);
    out.push(b'}');
}

/// The names of the flags that are set, as a list; nothing for none.
fn flags(flags: Flags, out: &mut Vec<u8>) {
    if flags == Flags::default() {
        return;
    }
    let mut before: &[u8] = b",\"flags\":[";
    for flag in flags.names() {
        out.extend_from_slice(before);
        string(flag, out);
        before = b",";
    }
    out.push(b']');
}

/// The items between `opening`, which ends with `[`, and `]`; nothing for no items, which is what most decisions have.
#[inline(always)]
fn list<T>(opening: &[u8], items: &[T], out: &mut Vec<u8>, write: impl FnMut(&T, &mut Vec<u8>)) {
    if let Some((first, rest)) = items.split_first() {
        some_items(opening, first, rest, out, write);
    }
}

#[inline(never)]
fn some_items<T>(opening: &[u8], first: &T, rest: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    out.extend_from_slice(opening);
    write(first, out);
    for item in rest {
        out.push(b',');
        write(item, out);
    }
    out.push(b']');
}

/// A text after `opening`, which ends with its quote; nothing for none.
#[inline]
fn member(opening: &[u8], text: Option<&str>, out: &mut Vec<u8>) {
    if let Some(text) = text {
        out.extend_from_slice(opening);
        escaped(text, out);
        out.push(b'"');
    }
}

/// An instant after `opening`, which ends with its quote; nothing for none.
fn instant(opening: &[u8], time: Option<Timestamp>, out: &mut Vec<u8>) {
    if let Some(time) = time {
        out.extend_from_slice(opening);
        time.write(out);
        out.push(b'"');
    }
}

#[inline]
fn number(number: u16, out: &mut Vec<u8>) {
    if number == 0 {
        out.push(b'0');
    } else {
        digits(number, out);
    }
}

/// A number as JSON has it (RFC 8259).
pub fn digits(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A JSON string (RFC 8259): quotes, backslashes and control characters escaped, everything else as it is.
pub fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escaped(text, out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `serde_json` escapes the same bytes in the same way, and is slow and plain enough to be the judge.
    #[test]
    fn strings_are_those_of_serde_json() {
        for length in 0..40 {
            for at in 0..length.max(1) {
                for letter in (0..128).map(char::from).chain(['é', '\u{2028}', '😀']) {
                    let mut letters = vec!['a'; length];
                    if let Some(place) = letters.get_mut(at) {
                        *place = letter;
                    }
                    let text: String = letters.into_iter().collect();
                    let mut out = Vec::new();
                    string(&text, &mut out);
                    assert_eq!(String::from_utf8(out).expect("UTF-8"), serde_json::to_string(&text).expect("a text"));
                }
            }
        }
    }
}
