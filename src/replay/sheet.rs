//! Decisions as CSV, one row each, for DuckDB, pandas and spreadsheets.
//!
//! Texts of events are anybody's, and a spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. Such a
//! cell gets an apostrophe before it (OWASP, "CSV Injection"), and so does one that begins with a tab or a carriage return.

use crate::{
    decision::{Decision, Reason, RestrictionId},
    event::Event,
    rules::Packs,
};

/// The first row.
pub const HEADINGS: &str =
    "event,type,wallet,time,counterparty,merchant,amount,action,score,rules,restrictions,shadow,standing,flags,pack";

/// Appends a decision as a row, without a line end. Lists are joined by blanks; a name that has a blank or a quote stands in quotes.
pub fn encode(decision: &Decision, event: &Event<'_>, packs: &Packs, out: &mut Vec<u8>) {
    let rules = decision.reasons.iter().filter_map(|reason| match reason {
        Reason::Rule(reason) => Some(packs.rule(reason.rule).id.as_str()),
        Reason::Restriction(_) => None,
    });
    let restriction = |id: RestrictionId| packs.restriction(id).name.as_str();
    let restrictions = decision.reasons.iter().filter_map(|reason| match reason {
        Reason::Restriction(reason) => Some(restriction(reason.restriction)),
        Reason::Rule(_) => None,
    });
    let shadow = decision.shadow.iter().map(|reason| packs.rule(reason.rule).id.as_str());
    let standing = decision.restrictions.iter().map(|id| restriction(*id));
    let cells = [
        event.id,
        packs.types.name(event.kind),
        event.wallet,
        &event.time.to_string(),
        event.counterparty.unwrap_or_default(),
        event.merchant.unwrap_or_default(),
        &event.amount.map(|amount| amount.to_string()).unwrap_or_default(),
        decision.action.name(),
        &decision.score.to_string(),
        &joined(rules),
        &joined(restrictions),
        &joined(shadow),
        &joined(standing),
        &joined(decision.flags.names()),
        &packs.name,
    ];
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        put(cell, out);
    }
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut list = String::new();
    for name in names {
        if !list.is_empty() {
            list.push(' ');
        }
        if name.contains(|letter: char| letter.is_whitespace() || letter == '"') {
            list.push('"');
            list.push_str(&name.replace('"', "\"\""));
            list.push('"');
        } else {
            list.push_str(name);
        }
    }
    list
}

/// One cell (RFC 4180), harmless to a spreadsheet.
fn put(cell: &str, out: &mut Vec<u8>) {
    // Some programs take the wide forms for the narrow ones.
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let quoted = cell.contains(['"', ',', '\n', '\r']);
    if quoted {
        out.push(b'"');
    }
    if formula {
        out.push(b'\'');
    }
    for byte in cell.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    if quoted {
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_stay_one_each() {
        for (names, list) in [
            (&["large-transfer", "a,b"][..], "large-transfer a,b"),
            (&["my rule", "other"], "\"my rule\" other"),
            (&["\"so called\"", "x"], "\"\"\"so called\"\"\" x"),
            (&["5\"", "no\u{a0}break"], "\"5\"\"\" \"no\u{a0}break\""),
            (&[], ""),
        ] {
            assert_eq!(joined(names.iter().copied()), list);
            // Whoever reads such a list has a reader of CSV with a blank for the comma.
            let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(b' ').from_reader(list.as_bytes());
            let read = reader.records().next().map(|row| row.expect("it is a list"));
            assert!(read.iter().flatten().eq(names.iter().copied()), "{list}");
        }
    }

    /// The `csv` crate reads back what was written, but for the apostrophe.
    #[test]
    fn cells_are_read_back_and_none_is_a_formula() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b \"c\"\nd", "a,b \"c\"\nd"),
            ("=1+2", "'=1+2"),
            ("+77010000001", "'+77010000001"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\r=1,\"", "'\r=1,\""),
            ("\n=1", "'\n=1"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            ("'=1", "'=1"),
        ] {
            let mut out = Vec::new();
            put(cell, &mut out);
            out.extend_from_slice(b",end\n");
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(out.as_slice());
            let row = reader.records().next().expect("a row").expect("it is CSV");
            assert_eq!((&row[0], &row[1]), (expected, "end"));
        }
    }
}
