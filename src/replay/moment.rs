//! Moments as an analyst writes them: an instant, or a local date that stands for its beginning or its end.

use crate::time::{Timestamp, Zone, date_number};

/// Which end of its day a date stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Local midnight.
    Begin,
    /// The last millisecond before the next midnight.
    End,
    /// The next midnight.
    After,
}

/// Reads `2026-03-01`, or an RFC 3339 date-time.
///
/// # Errors
/// What is wrong with the text, which the sentence names.
pub fn read(text: &str, edge: Edge, zone: &Zone) -> Result<Timestamp, String> {
    // The parser of dates would also take a date-time, and drop its time.
    let date = (text.len() == "2026-03-01".len()).then(|| text.parse().ok()).flatten().map(date_number);
    match (date, edge) {
        (Some(date), Edge::Begin) => Ok(zone.midnight(date)),
        (Some(date), Edge::End) => Ok(Timestamp(zone.midnight(date + 1).0 - 1)),
        (Some(date), Edge::After) => Ok(zone.midnight(date + 1)),
        (None, _) => Timestamp::parse(text).map_err(|why| format!("\"{text}\" {why}, or a date such as 2026-03-01")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_ends() {
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        for (text, edge, expected) in [
            ("2026-03-01", Edge::Begin, "2026-02-28T19:00:00Z"),
            ("2026-03-01", Edge::End, "2026-03-01T18:59:59.999Z"),
            ("2026-03-01", Edge::After, "2026-03-01T19:00:00Z"),
            ("2026-03-01T08:00:00+05:00", Edge::End, "2026-03-01T03:00:00Z"),
        ] {
            assert_eq!(read(text, edge, &zone).map(|time| time.to_string()).as_deref(), Ok(expected));
        }
        assert!(read("2026-03-32", Edge::End, &zone).is_err());
        assert!(read("soon", Edge::End, &zone).is_err());
    }
}
