//! Figures of a backtest as people and programs read them: money, shares, rates, spans of time.

use crate::{number::write_scaled, wording::grouped};

/// Minor units as money is read: `12,345.60`.
#[must_use]
pub fn money(minor: i128) -> String {
    let magnitude = minor.unsigned_abs();
    let sign = if minor < 0 { "-" } else { "" };
    let whole = u64::try_from(magnitude / 100).unwrap_or(u64::MAX);
    format!("{sign}{}.{:02}", grouped(whole), magnitude % 100)
}

/// Money for JSON: plain digits in a text, since a JSON number may be read as a binary float.
#[must_use]
pub fn plain_money(minor: i128) -> String {
    let mut text = String::new();
    write_scaled(&mut text, minor, 2).expect("a String takes every text");
    text
}

/// A part of a whole; nothing where there is no whole.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a share to be read: nobody reads more than 53 bits of it")]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How many a day, over `millis` of event time; less than a day counts as one.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a rate to be read: nobody reads more than 53 bits of it")]
pub fn a_day(count: u64, millis: i64) -> f64 {
    let days = millis.max(DAY) as f64 / DAY as f64;
    count as f64 / days
}

/// A rate as people read it: `2,046.0`.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts over at least a day: never negative, and few"
)]
pub fn rate(rate: f64) -> String {
    let tenths = (rate * 10.0).round() as u64;
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// `12.3 %`, or nothing to say. What is not nothing, and not all, does not read so.
#[must_use]
pub fn percent(share: Option<f64>) -> String {
    match share {
        None => "-".to_owned(),
        Some(share) if share > 0.0 && share < 0.0005 => "< 0.1 %".to_owned(),
        Some(share) if (0.9995..1.0).contains(&share) => "> 99.9 %".to_owned(),
        Some(share) => format!("{:.1} %", share * 100.0),
    }
}

/// `3d 4h`, `2h 5m`, `1m 30s`: the two largest units, with a minus where it is negative.
#[must_use]
pub fn span(millis: i64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = millis.unsigned_abs() / 1_000;
    let sign = if millis < 0 { "-" } else { "" };
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[first];
    let rest = UNITS.get(first + 1).map(|(smaller, name)| (seconds % unit / smaller, name));
    match rest {
        Some((count, smaller)) if count > 0 => format!("{sign}{}{name} {count}{smaller}", seconds / unit),
        _ => format!("{sign}{}{name}", seconds / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        for (minor, read, plain) in
            [(0, "0.00", "0"), (123_456_060, "1,234,560.60", "1234560.6"), (-5, "-0.05", "-0.05")]
        {
            assert_eq!((money(minor).as_str(), plain_money(minor).as_str()), (read, plain));
        }
        for (millis, text) in [
            (0, "0s"),
            (90_000, "1m 30s"),
            (7_200_000, "2h"),
            (-7_500_000, "-2h 5m"),
            (273_600_000, "3d 4h"),
            (86_400_000 + 5_000, "1d"),
        ] {
            assert_eq!(span(millis), text);
        }
        assert_eq!((percent(ratio(1, 8)), percent(ratio(0, 0))), ("12.5 %".to_owned(), "-".to_owned()));
        for (part, whole, text) in [
            (0, 9, "0.0 %"),
            (4, 13_948, "< 0.1 %"),
            (1, 2_000, "0.1 %"),
            (13_944, 13_948, "> 99.9 %"),
            (9, 9, "100.0 %"),
        ] {
            assert_eq!(percent(ratio(part, whole)), text);
        }
        assert_eq!([0.0, 0.06, 13_944.0, 1_234.96].map(rate), ["0.0", "0.1", "13,944.0", "1,235.0"]);
        assert!((a_day(10, 5 * DAY) - 2.0).abs() < 1e-12 && (a_day(10, 5) - 10.0).abs() < 1e-12);
    }
}
