//! Event time: instants in milliseconds, RFC 3339 in and out, spans, and the calendar of a pack's time zone.
//!
//! The clock is nowhere in this file. A zone's transitions are compiled once from the bundled tz database (never
//! the host's), so that a local date costs a search in a short table.

use jiff::civil;
use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z; always within the years 0000 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Timestamp {
    /// 0000-01-01T00:00:00Z.
    pub const MIN: Timestamp = Timestamp(-62_167_219_200_000);
    /// 9999-12-31T23:59:59.999Z.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

    /// Reads an RFC 3339 date-time as section 10 of the spec narrows it: `T` and `Z` in capitals, no leap second;
    /// digits past the millisecond are cut.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the value.
    pub fn parse(text: &str) -> Result<Timestamp, &'static str> {
        let bytes = text.as_bytes();
        let digits = |from: usize, count: usize| -> Option<i64> {
            bytes
                .get(from..from + count)?
                .iter()
                .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
        };
        let mark = |at: usize, expected: u8| bytes.get(at) == Some(&expected);
        const SHAPE: &str = "is not an RFC 3339 date-time with an offset, such as 2026-03-01T08:15:30.123+05:00";
        let (Some(year), Some(month), Some(day)) = (digits(0, 4), digits(5, 2), digits(8, 2)) else {
            return Err(SHAPE);
        };
        let (Some(hour), Some(minute), Some(second)) = (digits(11, 2), digits(14, 2), digits(17, 2)) else {
            return Err(SHAPE);
        };
        if !(mark(4, b'-') && mark(7, b'-') && mark(10, b'T') && mark(13, b':') && mark(16, b':')) {
            return Err(SHAPE);
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err("is not a time of day: hours go to 23, minutes and seconds to 59");
        }
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return Err("is not a day of the calendar");
        }
        let (millis, offset_at) = fraction(bytes, 19).ok_or(SHAPE)?;
        let offset = match bytes.get(offset_at) {
            Some(b'Z') if bytes.len() == offset_at + 1 => 0,
            Some(sign @ (b'+' | b'-')) if bytes.len() == offset_at + 6 && mark(offset_at + 3, b':') => {
                let (Some(hours), Some(minutes)) = (digits(offset_at + 1, 2), digits(offset_at + 4, 2)) else {
                    return Err(SHAPE);
                };
                if hours > 23 || minutes > 59 {
                    return Err("has an offset that is not a time of day");
                }
                (hours * HOUR + minutes * MINUTE) * if *sign == b'-' { -1 } else { 1 }
            }
            _ => return Err(SHAPE),
        };
        let local = days_from_civil(year, month, day) * DAY + hour * HOUR + minute * MINUTE + second * SECOND;
        let time = Timestamp(local + millis - offset);
        if (Timestamp::MIN..=Timestamp::MAX).contains(&time) {
            Ok(time)
        } else {
            Err("lies outside the years 0000 to 9999 in UTC")
        }
    }

    /// Appends the instant in UTC: `2026-03-01T08:15:30Z`, with `.mmm` when it is not zero. RFC 3339 has no years
    /// outside 0000 to 9999; what a window or an end reaches beyond them is written as their first or last instant.
    pub fn write(self, out: &mut Vec<u8>) {
        let Timestamp(within) = self.clamp(Timestamp::MIN, Timestamp::MAX);
        let (year, month, day) = civil_from_days(within.div_euclid(DAY));
        let of_day = within.rem_euclid(DAY);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |at: usize, value: i64| {
            text[at] = digit(value / 10);
            text[at + 1] = digit(value % 10);
        };
        put(0, year / 100);
        put(2, year % 100);
        put(5, month);
        put(8, day);
        put(11, of_day / HOUR);
        put(14, of_day / MINUTE % 60);
        put(17, of_day / SECOND % 60);
        let millis = of_day % SECOND;
        if millis == 0 {
            out.extend_from_slice(&text[..19]);
            out.push(b'Z');
            return;
        }
        put(20, millis / 10);
        text[22] = digit(millis % 10);
        out.extend_from_slice(&text);
    }
}

fn digit(value: i64) -> u8 {
    b'0' + u8::try_from(value).expect("a digit is below ten")
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(24);
        self.write(&mut bytes);
        out.write_str(std::str::from_utf8(&bytes).expect("a date-time is ASCII"))
    }
}

/// Reads `.ddd…` at `at`, cut to milliseconds; gives them and where the offset begins.
fn fraction(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if bytes.get(at) != Some(&b'.') {
        return Some((0, at));
    }
    let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut millis = 0;
    for place in 0..3 {
        let digit = if place < digits { i64::from(bytes[at + 1 + place] - b'0') } else { 0 };
        millis = millis * 10 + digit;
    }
    (digits > 0).then_some((millis, at + 1 + digits))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant, `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A calendar period of the packs' time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Calendar {
    Day,
    Month,
}

/// A length of time as packs write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// `"1h"`, `"90m"`, `"30d"` (a `d` is 24 h): exact milliseconds.
    Millis(i64),
    /// `"6 months"`: the same local time on the same day that many months later, or on that month's last day.
    Months(u32),
    /// `"calendar day"`, `"calendar month"`: to the end of the period.
    Calendar(Calendar),
}

/// Longest span: 100 years, so that no sum of an instant and a span can leave `i64`.
const SPAN_DAYS_MAX: i64 = 36_525;

impl Span {
    /// Reads `"90m"`, `"1h"`, `"30d"`, `"45s"`, `"250ms"`, `"6 months"`, `"1 month"`, `"calendar day"`, `"calendar month"`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Span, String> {
        const FORMS: &str = "write a whole number and a unit, such as \"90s\", \"15m\", \"2h\", \"30d\", \"6 months\", \
                             or \"calendar day\" or \"calendar month\"";
        match text {
            "calendar day" => return Ok(Span::Calendar(Calendar::Day)),
            "calendar month" => return Ok(Span::Calendar(Calendar::Month)),
            _ => {}
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: i64 = number.parse().map_err(|_| FORMS.to_owned())?;
        if number == 0 {
            return Err("a span is at least 1 of its unit".to_owned());
        }
        let unit_millis = match unit.strip_prefix(' ').unwrap_or(unit) {
            "ms" => 1,
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            "month" | "months" => {
                return u32::try_from(number)
                    .ok()
                    .filter(|months| *months <= 1_200)
                    .map(Span::Months)
                    .ok_or_else(|| "a span is at most 1200 months".to_owned());
            }
            _ => return Err(FORMS.to_owned()),
        };
        number
            .checked_mul(unit_millis)
            .filter(|millis| *millis <= SPAN_DAYS_MAX * DAY)
            .map(Span::Millis)
            .ok_or_else(|| format!("a span is at most {SPAN_DAYS_MAX} days"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Span::Calendar(Calendar::Day) => out.write_str("calendar day"),
            Span::Calendar(Calendar::Month) => out.write_str("calendar month"),
            Span::Months(1) => out.write_str("1 month"),
            Span::Months(months) => write!(out, "{months} months"),
            Span::Millis(millis) => {
                let (unit, name) = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1, "ms")]
                    .into_iter()
                    .find(|(unit, _)| millis % unit == 0)
                    .expect("every number is a multiple of one");
                write!(out, "{}{name}", millis / unit)
            }
        }
    }
}

/// A period's place in the count of its kind: days since 1970-01-01, or months since January 1970, in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub i32);

/// A time zone as a table: from each instant on, the offset of local time.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    /// Instants in ms at which an offset begins, rising; the first is before every timestamp.
    starts: Vec<i64>,
    /// Offset from UTC in ms from the instant of the same place on.
    offsets: Vec<i64>,
}

impl Zone {
    /// Compiles the zone of that IANA name from the bundled tz database.
    ///
    /// # Errors
    /// A sentence that names the zone, when the database has no such zone.
    pub fn load(name: &str) -> Result<Zone, String> {
        let zone = jiff::tz::TimeZoneDatabase::bundled()
            .get(name)
            .map_err(|_| format!("no time zone is called \"{name}\"; use an IANA name such as \"Asia/Almaty\""))?;
        let first = jiff::Timestamp::MIN;
        let mut starts = vec![i64::MIN];
        let mut offsets = vec![i64::from(zone.to_offset(first).seconds()) * SECOND];
        for transition in zone.following(first) {
            starts.push(transition.timestamp().as_millisecond());
            offsets.push(i64::from(transition.offset().seconds()) * SECOND);
        }
        Ok(Zone { name: name.to_owned(), starts, offsets })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Local time at `time`, as milliseconds since the local 1970-01-01T00:00:00.
    fn local(&self, time: Timestamp) -> i64 {
        // Most events come after the last change of the clocks.
        let last = self.starts.len() - 1;
        let place =
            if self.starts[last] <= time.0 { last } else { self.starts.partition_point(|start| *start <= time.0) - 1 };
        time.0 + self.offsets[place]
    }

    /// The first instant whose local time is `local`, or, where the clocks jump over it, the instant they jump.
    fn first_instant(&self, local: i64) -> Timestamp {
        let from = self.starts.partition_point(|start| *start <= local.saturating_sub(2 * DAY)) - 1;
        for place in from..self.starts.len() {
            let candidate = local - self.offsets[place];
            let ends = self.starts.get(place + 1).copied().unwrap_or(i64::MAX);
            if candidate < ends {
                return Timestamp(candidate.max(self.starts[place]));
            }
        }
        unreachable!("the last offset has no end")
    }

    /// The day or month that holds `time`.
    #[must_use]
    pub fn period(&self, time: Timestamp, calendar: Calendar) -> Period {
        let days = self.local(time).div_euclid(DAY);
        let count = match calendar {
            Calendar::Day => days,
            Calendar::Month => {
                let (year, month, _) = civil_from_days(days);
                (year - 1970) * 12 + month - 1
            }
        };
        Period(i32::try_from(count).expect("timestamps stay within ten thousand years"))
    }

    /// The first instant of a period.
    #[must_use]
    pub fn start(&self, period: Period, calendar: Calendar) -> Timestamp {
        let count = i64::from(period.0);
        let days = match calendar {
            Calendar::Day => count,
            Calendar::Month => days_from_civil(1970 + count.div_euclid(12), count.rem_euclid(12) + 1, 1),
        };
        self.first_instant(days * DAY)
    }

    /// `months` months after `time`: the same local time on the same day, or on that month's last day; of two such
    /// instants the first (spec, section 10).
    #[must_use]
    pub fn add_months(&self, time: Timestamp, months: i64) -> Timestamp {
        let local = self.local(time);
        let (year, month, day) = civil_from_days(local.div_euclid(DAY));
        let count = year * 12 + month - 1 + months;
        let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
        let day = day.min(days_in_month(year, month));
        self.first_instant(days_from_civil(year, month, day) * DAY + local.rem_euclid(DAY))
    }

    /// The end of `span` begun at `time`: the first instant that no longer belongs to it.
    #[must_use]
    pub fn after(&self, time: Timestamp, span: Span) -> Timestamp {
        match span {
            Span::Millis(millis) => Timestamp(time.0 + millis),
            Span::Months(months) => self.add_months(time, i64::from(months)),
            Span::Calendar(calendar) => {
                let Period(count) = self.period(time, calendar);
                self.start(Period(count + 1), calendar)
            }
        }
    }

    /// Days since 1970-01-01 of the local date at `time`; what dated units are looked up by.
    #[must_use]
    pub fn date(&self, time: Timestamp) -> i64 {
        self.local(time).div_euclid(DAY)
    }

    /// Local midnight of a date given as days since 1970-01-01.
    #[must_use]
    pub fn midnight(&self, date: i64) -> Timestamp {
        self.first_instant(date * DAY)
    }

    /// The instant of a local date-time.
    #[must_use]
    pub fn instant(&self, local: civil::DateTime) -> Timestamp {
        let days = date_number(local.date());
        let time = local.time();
        let of_day = i64::from(time.hour()) * HOUR
            + i64::from(time.minute()) * MINUTE
            + i64::from(time.second()) * SECOND
            + i64::from(time.millisecond());
        self.first_instant(days * DAY + of_day)
    }
}

/// Days since 1970-01-01 of a date.
#[must_use]
pub fn date_number(date: civil::Date) -> i64 {
    days_from_civil(i64::from(date.year()), i64::from(date.month()), i64::from(date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn reads_and_writes_rfc_3339() {
        for (text, written) in [
            ("2026-03-01T08:15:30.123Z", "2026-03-01T08:15:30.123Z"),
            ("2026-03-01T13:15:30.1239+05:00", "2026-03-01T08:15:30.123Z"),
            ("2026-03-01T08:15:30.1Z", "2026-03-01T08:15:30.100Z"),
            ("2026-03-01T08:15:30-00:00", "2026-03-01T08:15:30Z"),
            ("2024-02-29T23:59:59.000999+23:59", "2024-02-29T00:00:59Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(at(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn refuses_what_section_10_refuses() {
        for text in [
            "",
            "2026-03-01",
            "2026-03-01t08:15:30Z",
            "2026-03-01T08:15:30z",
            "2026-03-01 08:15:30Z",
            "2026-03-01T08:15:60Z",
            "2026-03-01T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-03-00T00:00:00Z",
            "2026-03-01T08:15:30",
            "2026-03-01T08:15:30.Z",
            "2026-03-01T08:15:30+5:00",
            "2026-03-01T08:15:30+0500",
            "2026-03-01T08:15:30+24:00",
            "2026-03-01T08:15:30+05:60",
            "2026-03-01T08:15:30Z ",
            "+2026-03-01T08:15:30Z",
            "2026-03-01T08:15:30,5Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-03-01T08:15Z",
            "2026-3-01T08:15:30Z",
            "２026-03-01T08:15:30Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn civil_days_agree_with_jiff() {
        for days in (-719_528..2_932_897).step_by(17) {
            let (year, month, day) = civil_from_days(days);
            let date = civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).expect("a date in range");
            assert_eq!((year, month, day), (date.year().into(), date.month().into(), date.day().into()));
            assert_eq!(date_number(date), days);
        }
    }

    #[test]
    fn almaty_changed_its_offset_in_2024() {
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        let midnight = |text| zone.start(zone.period(at(text), Calendar::Day), Calendar::Day).to_string();
        assert_eq!(midnight("2024-02-29T12:00:00+06:00"), "2024-02-28T18:00:00Z");
        assert_eq!(midnight("2024-03-01T12:00:00+05:00"), "2024-02-29T19:00:00Z");
        // The clocks went from 24:00 back to 23:00 of the 29th: that day has 25 hours.
        assert_eq!(
            zone.after(at("2024-02-29T00:30:00+06:00"), Span::Calendar(Calendar::Day)).to_string(),
            "2024-02-29T19:00:00Z"
        );
    }

    #[test]
    fn months_end_on_the_last_day() {
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        for (from, months, to) in [
            ("2026-01-31T10:00:00+05:00", 1, "2026-02-28T10:00:00+05:00"),
            ("2026-08-31T10:00:00+05:00", 6, "2027-02-28T10:00:00+05:00"),
            ("2023-12-15T10:00:00+06:00", 6, "2024-06-15T10:00:00+05:00"),
            // 23:30 of 2024-02-29 happened twice; the first one counts.
            ("2024-01-29T23:30:00+06:00", 1, "2024-02-29T23:30:00+06:00"),
        ] {
            assert_eq!(zone.add_months(at(from), months), at(to), "{from} + {months}");
        }
    }

    #[test]
    fn spans_are_read_and_written() {
        for text in ["1h", "90m", "30d", "6 months", "1 month", "calendar day", "calendar month", "250ms", "45s"] {
            assert_eq!(Span::parse(text).expect("a span").to_string(), text);
        }
        for text in [
            "",
            "1",
            "h",
            "0h",
            "-1h",
            "1.5h",
            "1 h 5m",
            "1w",
            "999999999999999999999d",
            "36526d",
            "1201 months",
            "calendar year",
        ] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }
}
