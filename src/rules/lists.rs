//! Lists for `in` of conditions: texts, addresses and address ranges, from a pack or from a file beside it.
//!
//! A file has one entry a line: `value`, or `value,expires`, or `value,expires,note`. `expires` is an RFC 3339
//! date-time with an offset or a date (local midnight), and may be empty; the note is the rest of the line, commas
//! and all. Blanks around a part are no part of it; blank lines and lines that begin with `#` say nothing. A value
//! with a comma does not fit into a file: it goes into the pack, in quotes.

use super::{List, diagnostic::Diagnostic};
use crate::{limits, time::Timestamp};
use ipnet::{IpNet, Ipv4Net};
use std::{
    collections::hash_map::Entry,
    net::{IpAddr, Ipv6Addr},
    ops::Range,
};

/// One entry as it is written, with its place.
#[derive(Debug)]
pub struct Written<'a> {
    pub value: &'a str,
    pub span: Range<usize>,
    pub expires: Option<Timestamp>,
}

impl List {
    /// Takes an entry in; an address or a range also counts as that. The error is for people.
    ///
    /// # Errors
    /// The same value stands here already with another expiry.
    pub fn add(&mut self, entry: &Written<'_>) -> Result<(), String> {
        match self.texts.entry(entry.value.into()) {
            Entry::Occupied(before) if *before.get() == entry.expires => return Ok(()),
            Entry::Occupied(_) => return Err(format!("`{}` is listed twice with different expiries", entry.value)),
            Entry::Vacant(free) => free.insert(entry.expires),
        };
        if let Some(network) = network(entry.value) {
            self.networks.push((network, entry.expires));
        }
        Ok(())
    }
}

/// The range that a text is; one of IPv4 addresses mapped into IPv6 is that of the IPv4 addresses.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network.trunc(),
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    const MAPPED_BITS: u8 = 96;
    let mapped =
        |address: Ipv6Addr, length: u8| Ipv4Net::new(address.to_ipv4_mapped()?, length.checked_sub(MAPPED_BITS)?).ok();
    match network {
        IpNet::V6(wide) => Some(mapped(wide.addr(), wide.prefix_len()).map_or(network, IpNet::V4)),
        IpNet::V4(_) => Some(network),
    }
}

/// Reads the entries of a list file. `expires` turns a date or date-time into an instant.
pub fn read_file<'a>(
    source: usize,
    text: &'a str,
    expires: &dyn Fn(&str) -> Option<Timestamp>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Written<'a>> {
    let mut entries = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some(entry) = read_line(source, start, line, expires, found) {
            entries.push(entry);
        }
        start += line.len();
    }
    entries
}

fn read_line<'a>(
    source: usize,
    start: usize,
    line: &'a str,
    expires: &dyn Fn(&str) -> Option<Timestamp>,
    found: &mut Vec<Diagnostic>,
) -> Option<Written<'a>> {
    let content = line.strip_prefix('\u{feff}').filter(|_| start == 0).unwrap_or(line);
    let start = start + line.len() - content.len();
    if content.trim().is_empty() || content.trim_start().starts_with('#') {
        return None;
    }
    let mut parts = content.splitn(3, ',');
    let mut offset = start;
    let mut next = || {
        let part = parts.next()?;
        let span = place(offset, part);
        offset += part.len() + 1;
        Some((part.trim(), span))
    };
    let (value, span) = next()?;
    let mut fault = |span: &Range<usize>, message: String, help: &str| {
        found.push(Diagnostic::error(message).at(source, span.clone(), "").help(help));
    };
    if value.is_empty() {
        fault(&(start..start + 1), "an entry has no value".to_owned(), "write `value` or `value,expires,note`");
        return None;
    }
    if value.starts_with('"') {
        let help = "write the value without quotes; one with a comma goes into the pack's `[lists]`";
        fault(&span, "an entry is in quotes, which would be part of its value".to_owned(), help);
        return None;
    }
    if value.len() > limits::LIST_ENTRY_BYTES {
        let message = format!("an entry has {} bytes, more than {}", value.len(), limits::LIST_ENTRY_BYTES);
        fault(&span, message, "write one entry a line");
        return None;
    }
    let expiry = match next() {
        Some((text, span)) if !text.is_empty() => {
            let expiry = expires(text);
            if expiry.is_none() {
                let message =
                    format!("\"{}\" is no time at which an entry expires", text.chars().take(80).collect::<String>());
                fault(&span, message, "write a date such as 2026-05-01, or 2026-05-01T08:00:00+05:00");
            }
            expiry
        }
        _ => None,
    };
    Some(Written { value, span, expires: expiry })
}

/// Where the trimmed `part` that begins at `offset` stands.
fn place(offset: usize, part: &str) -> Range<usize> {
    let start = offset + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ranges_are_networks() {
        for (text, network_text) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("192.0.2.7", Some("192.0.2.7/32")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::ffff:192.0.2.7", Some("192.0.2.7/32")),
            ("::ffff:192.0.2.0/120", Some("192.0.2.0/24")),
            ("::/0", Some("::/0")),
            ("77010000001", None),
            ("10.0.0.0/33", None),
        ] {
            assert_eq!(network(text).map(|network| network.to_string()).as_deref(), network_text, "{text}");
        }
    }

    #[test]
    fn quotes_are_no_part_of_an_entry() {
        let mut found = Vec::new();
        let entries = read_file(0, "77010000001\n\"77010000002\"\n", &|_| None, &mut found);
        assert_eq!((entries.len(), found.len()), (1, 1));
        assert!(found[0].message.starts_with("an entry is in quotes"), "{:?}", found[0]);
    }

    #[test]
    fn files_have_values_expiries_and_notes() {
        let text = "\u{feff}# mules\r\n 77010000001 \r\n\r\n77010000002, 2026-05-01T00:00:00Z , case 7, closed\n10.0.0.0/8,,office\n";
        let mut found = Vec::new();
        let entries = read_file(0, text, &|text| Timestamp::parse(text).ok(), &mut found);
        assert_eq!(found, []);
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| {
                format!("{} {:?} {}", entry.value, entry.expires.map(|at| at.to_string()), &text[entry.span.clone()])
            })
            .collect();
        assert_eq!(
            shown,
            [
                "77010000001 None 77010000001",
                "77010000002 Some(\"2026-05-01T00:00:00Z\") 77010000002",
                "10.0.0.0/8 None 10.0.0.0/8"
            ]
        );
        let mut list = List::default();
        entries.iter().for_each(|entry| list.add(entry).expect("no entry stands twice"));
        assert_eq!((list.texts.len(), list.networks.len()), (3, 1));
    }
}
