//! Foreign ways to say when something happened.

use super::json;
use crate::time::{Timestamp, Zone};
use jiff::{
    civil,
    fmt::strtime::{self, BrokenDownTime},
    tz::{AmbiguousOffset, TimeZone},
};

/// How a time is written.
#[derive(Debug, Default)]
pub(super) enum Moment {
    /// RFC 3339, which the decoder reads.
    #[default]
    Rfc3339,
    /// So many units after `start`, both in ms.
    Count { unit: i64, start: i64 },
    /// As `strptime` reads it; in `zone` where it gives no offset of its own.
    Format { format: String, zone: Option<TimeZone> },
}

/// Units and their lengths in ms.
pub(super) const UNITS: [(&str, i64); 5] =
    [("ms", 1), ("second", 1_000), ("minute", 60_000), ("hour", 3_600_000), ("day", 86_400_000)];

/// The length in ms of a unit; `s` is short for `second`.
pub(super) fn unit_millis(name: &str) -> Option<i64> {
    let name = if name == "s" { "second" } else { name };
    UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, millis)| *millis)
}

impl Moment {
    /// The instant that a text names; nothing where the decoder is to read it.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the text.
    pub(super) fn read(&self, text: &str) -> Result<Option<Timestamp>, String> {
        let time = match self {
            Moment::Rfc3339 => return Ok(None),
            Moment::Count { unit, start } => {
                // Tables export large figures, such as milliseconds since 1970, with an exponent.
                let plain = json::plain(text);
                let millis = scaled(plain.as_deref().unwrap_or(text), *unit)
                    .ok_or("is not a plain number of at most 18 digits")?;
                millis.checked_add(i128::from(*start)).and_then(|sum| i64::try_from(sum).ok()).map(Timestamp)
            }
            Moment::Format { format, zone } => Some(formatted(text, format, zone.as_ref())?),
        };
        match time.filter(|time| (Timestamp::MIN..=Timestamp::MAX).contains(time)) {
            Some(time) => Ok(Some(time)),
            None => Err("lies outside the years 0000 to 9999 in UTC".to_owned()),
        }
    }
}

/// `text × unit` in ms, what is below a millisecond cut off.
fn scaled(text: &str, unit: i64) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let all_digits =
        |text: &str| !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !fraction.is_none_or(all_digits) {
        return None;
    }
    let fraction = fraction.unwrap_or("");
    // Eighteen digits and a sign fit 64 bits.
    let value = |digits: &str| digits.bytes().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    let sign = if negative { -1 } else { 1 };
    let whole = i128::from(sign * value(whole));
    if fraction.is_empty() {
        return whole.checked_mul(i128::from(unit));
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let mantissa = whole * scale + i128::from(sign * value(fraction));
    Some(mantissa.checked_mul(i128::from(unit))?.div_euclid(scale))
}

/// The time zone of an IANA name.
///
/// # Errors
/// A sentence that names the zone, when there is none.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    let known = Zone::load(name)?;
    Ok(jiff::tz::TimeZoneDatabase::bundled().get(known.name()).expect("the same database has just had it"))
}

/// A local time that comes twice is the first of the two instants; one that the clocks jump over is none.
fn formatted(text: &str, format: &str, zone: Option<&TimeZone>) -> Result<Timestamp, String> {
    let wrong = || format!("does not look like \"{format}\"");
    let parts = BrokenDownTime::parse(format, text).map_err(|_| wrong())?;
    if is_leap_second(&parts, text, format) {
        return Err("has a second 60, which no clock here has".to_owned());
    }
    if parts.offset().is_some() || parts.timestamp().is_some() {
        let instant = parts.to_timestamp().map_err(|_| wrong())?;
        return Ok(Timestamp(instant.as_millisecond()));
    }
    let date = parts.to_date().map_err(|_| wrong())?;
    let clock = if parts.hour().is_some() { parts.to_time().map_err(|_| wrong())? } else { civil::Time::midnight() };
    let zone = zone.ok_or_else(wrong)?;
    let local = date.to_datetime(clock);
    let offset = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => offset,
        AmbiguousOffset::Gap { .. } => {
            let name = zone.iana_name().unwrap_or("its zone");
            return Err(format!("does not exist in {name}: the clocks jump over that time"));
        }
    };
    let instant = offset.to_timestamp(local).map_err(|_| wrong())?;
    Ok(Timestamp(instant.as_millisecond()))
}

/// Whether the seconds are written as 60, which the parser takes for 59: then some 60 of the text can be written as 59
/// and nothing changes.
fn is_leap_second(parts: &BrokenDownTime, text: &str, format: &str) -> bool {
    let read = |text: &str| BrokenDownTime::parse(format, text).ok().map(|parts| format!("{parts:?}"));
    let is_59 = |(at, sixty): (usize, &str)| {
        let other = format!("{}59{}", &text[..at], &text[at + sixty.len()..]);
        read(&other) == Some(format!("{parts:?}"))
    };
    parts.second() == Some(59) && text.match_indices("60").any(is_59)
}

/// Whether a format says where its times are: an offset, or seconds since 1970.
pub(super) fn has_offset(format: &str) -> bool {
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter == '%'
            && letters
                .by_ref()
                .find(|letter| !":-_0^#".contains(*letter))
                .is_some_and(|directive| matches!(directive, 'z' | 's'))
        {
            return true;
        }
    }
    false
}

/// What is wrong with a format, found by writing and reading an instant with it.
pub(super) fn check_format(format: &str) -> Result<(), String> {
    let sample = civil::date(2026, 3, 1).at(8, 15, 30, 0).to_zoned(jiff::tz::TimeZone::UTC);
    let written = sample
        .map_err(|error| error.to_string())
        .and_then(|sample| strtime::format(format, &sample).map_err(|error| error.to_string()))?;
    let parts = BrokenDownTime::parse(format, &written).map_err(|error| error.to_string())?;
    if parts.timestamp().is_none() {
        parts.to_date().map_err(|_| "it names no day".to_owned())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(moment: &Moment, text: &str) -> String {
        match moment.read(text) {
            Ok(Some(time)) => time.to_string(),
            Ok(None) => "as it is".to_owned(),
            Err(why) => why,
        }
    }

    #[test]
    fn counts_are_exact() {
        let start = Timestamp::parse("2026-01-01T00:00:00+05:00").expect("a time").0;
        for (unit, start, text, expected) in [
            ("hour", start, "1", "2025-12-31T20:00:00Z"),
            ("hour", start, "1.0", "2025-12-31T20:00:00Z"),
            ("day", start, "31", "2026-01-31T19:00:00Z"),
            ("ms", 0, "1772352930123", "2026-03-01T08:15:30.123Z"),
            ("s", 0, "1772352930.1239", "2026-03-01T08:15:30.123Z"),
            ("second", 0, "-0.001", "1969-12-31T23:59:59.999Z"),
            ("minute", 0, "0", "1970-01-01T00:00:00Z"),
            ("day", 0, "999999999999999999", "lies outside the years 0000 to 9999 in UTC"),
            ("ms", 0, "1.771E12", "2026-02-13T16:26:40Z"),
            ("day", 0, "1e3", "1972-09-27T00:00:00Z"),
            ("day", 0, "1e", "is not a plain number of at most 18 digits"),
            ("day", 0, "1e30", "is not a plain number of at most 18 digits"),
            ("day", 0, "", "is not a plain number of at most 18 digits"),
            ("day", 0, "1.", "is not a plain number of at most 18 digits"),
            ("day", 0, " 1", "is not a plain number of at most 18 digits"),
            ("day", 0, "1234567890123456789", "is not a plain number of at most 18 digits"),
        ] {
            let moment = Moment::Count { unit: unit_millis(unit).expect("a unit"), start };
            assert_eq!(read(&moment, text), expected, "{text} {unit}");
        }
    }

    #[test]
    fn formats_are_read_in_their_zone() {
        let almaty = || zone("Asia/Almaty").ok();
        let berlin = || zone("Europe/Berlin").ok();
        for (format, zone, text, expected) in [
            ("%Y-%m-%d %H:%M:%S", almaty(), "2026-03-01 13:15:30", "2026-03-01T08:15:30Z"),
            ("%Y-%m-%d %H:%M:%S", almaty(), "2024-02-29 13:15:30", "2024-02-29T07:15:30Z"),
            ("%Y-%m-%d %H:%M:%S%.f", almaty(), "2026-03-01 13:15:30.1239", "2026-03-01T08:15:30.123Z"),
            ("%d.%m.%Y", almaty(), "01.03.2026", "2026-02-28T19:00:00Z"),
            ("%d/%b/%Y:%H:%M:%S %z", None, "01/Mar/2026:13:15:30 +0500", "2026-03-01T08:15:30Z"),
            ("%d/%m/%Y %I:%M %p", almaty(), "01/03/2026 01:15 PM", "2026-03-01T08:15:00Z"),
            ("%s", None, "1772352930", "2026-03-01T08:15:30Z"),
            ("%Y-%m-%d %H:%M:%S", almaty(), "1960-06-06 06:06:59", "1960-06-06T00:06:59Z"),
            ("%Y-%m-%d %H:%M:%S%.f", almaty(), "2026-01-01 00:00:59.60", "2025-12-31T19:00:59.600Z"),
            ("%Y-%m-%d %H:%M:%S", almaty(), "2026-03-01 13:15:60", "has a second 60, which no clock here has"),
            ("%Y-%m-%d %T%.f", almaty(), "1960-03-01 13:15:60.60", "has a second 60, which no clock here has"),
            ("%H:%M:%S %d.%m.%Y %z", None, "13:15:60 01.03.2026 +0500", "has a second 60, which no clock here has"),
            // The clocks jump over 02:00 to 03:00, and in autumn 02:00 to 03:00 comes twice.
            ("%Y-%m-%d %H:%M", berlin(), "2026-03-29 01:59", "2026-03-29T00:59:00Z"),
            (
                "%Y-%m-%d %H:%M",
                berlin(),
                "2026-03-29 02:30",
                "does not exist in Europe/Berlin: the clocks jump over that time",
            ),
            ("%Y-%m-%d %H:%M", berlin(), "2026-03-29 03:00", "2026-03-29T01:00:00Z"),
            ("%Y-%m-%d %H:%M", berlin(), "2026-10-25 02:30", "2026-10-25T00:30:00Z"),
            ("%Y-%m-%d %H:%M", almaty(), "2024-02-29 23:30", "2024-02-29T17:30:00Z"),
            ("%Y-%m-%d", almaty(), "2026-02-30", "does not look like \"%Y-%m-%d\""),
            ("%Y-%m-%d", almaty(), "2026-02-01 ", "does not look like \"%Y-%m-%d\""),
        ] {
            assert_eq!(check_format(format), Ok(()), "{format}");
            let moment = Moment::Format { format: format.to_owned(), zone };
            assert_eq!(read(&moment, text), expected, "{text} by {format}");
        }
        for (format, offset) in [("%Y %z", true), ("%s", true), ("%Y %:z", true), ("%%z", false), ("%Y", false)] {
            assert_eq!(has_offset(format), offset, "{format}");
        }
        for format in ["%H:%M", "%Y-%m-%d %!", "%", ""] {
            assert!(check_format(format).is_err(), "{format}");
        }
    }
}
