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
        Timestamp::read(text.as_bytes())
    }

    /// The same from bytes, whatever they are.
    ///
    /// # Errors
    /// Those of [`Timestamp::parse`].
    pub fn read(text: &[u8]) -> Result<Timestamp, &'static str> {
        const SHAPE: &str = "is not an RFC 3339 date-time with an offset, such as 2026-03-01T08:15:30.123+05:00";
        let (written, rest) = text.split_first_chunk().ok_or(SHAPE)?;
        let written = DateTime::read(written).ok_or(SHAPE)?;
        let of_day =
            written.seconds_of_day().ok_or("is not a time of day: hours go to 23, minutes and seconds to 59")?;
        let days = written.days().ok_or("is not a day of the calendar")?;
        let (millis, offset) = fraction(rest).ok_or(SHAPE)?;
        let offset = match offset {
            b"Z" => 0,
            _ => seconds_of_offset(text, offset).ok_or(SHAPE)?.ok_or("has an offset that is not a time of day")?,
        };
        let time = Timestamp(days * DAY + i64::from(of_day - offset) * SECOND + i64::from(millis));
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
        let of_day = u32::try_from(within.rem_euclid(DAY)).expect("a day has fewer milliseconds than 2^32");
        let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
        let (minutes, year) = (seconds / 60, u32::try_from(year).expect("clamped to the years from 0 on"));
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |at: usize, value: u32| {
            text[at..at + 2].copy_from_slice(&PAIRS[value as usize]);
        };
        put(0, year / 100);
        put(2, year % 100);
        put(5, month);
        put(8, day);
        put(11, minutes / 60);
        put(14, minutes % 60);
        put(17, seconds % 60);
        if millis == 0 {
            text[19] = b'Z';
            out.extend_from_slice(&text[..20]);
            return;
        }
        put(21, millis % 100);
        text[20] = PAIRS[(millis / 100) as usize][1];
        out.extend_from_slice(&text);
    }
}

/// The numbers below a hundred in two digits each.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut tens = 0;
    while tens < 10 {
        let mut ones = 0;
        while ones < 10 {
            pairs[(tens * 10 + ones) as usize] = [b'0' + tens, b'0' + ones];
            ones += 1;
        }
        tens += 1;
    }
    pairs
};

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(24);
        self.write(&mut bytes);
        out.write_str(std::str::from_utf8(&bytes).expect("a date-time is ASCII"))
    }
}

/// A date-time as it is written, before anybody asks whether there is such a day.
struct DateTime {
    century: u8,
    year_of_century: u8,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl DateTime {
    /// Reads `2026-03-01T08:15:30` as three words of eight bytes; two of them share some.
    #[inline]
    fn read(text: &[u8; 19]) -> Option<DateTime> {
        const MONTH: Form = Form::new(b"0000-00-");
        const MINUTE: Form = Form::new(b"00T00:00");
        const SECOND: Form = Form::new(b"00:00:00");
        let [century, _, year_of_century, _, _, month, ..] = MONTH.pairs(*text.first_chunk()?)?;
        let [day, _, _, hour, _, _, minute, _] = MINUTE.pairs(*text[8..].first_chunk()?)?;
        let [.., second, _] = SECOND.pairs(*text.last_chunk()?)?;
        Some(DateTime { century, year_of_century, month, day, hour, minute, second })
    }

    /// Days since 1970-01-01; nothing where the calendar has no such day.
    #[inline]
    fn days(&self) -> Option<i64> {
        let (month, day) = (u32::from(self.month), u32::from(self.day));
        // Of a century, years that four divides are leap years; of its first year the century says.
        let fours = if self.year_of_century == 0 { self.century } else { self.year_of_century };
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(fours % 4 == 0, month) {
            return None;
        }
        let year = u32::from(self.century) * 100 + u32::from(self.year_of_century);
        Some(i64::from(shifted_days(year + SHIFT_YEARS, month, day)) - SHIFT_DAYS)
    }

    /// Nothing where it is no time of day.
    #[inline]
    fn seconds_of_day(&self) -> Option<i32> {
        seconds_of_day(self.hour, self.minute, self.second)
    }
}

/// What eight bytes have to look like: a digit wherever `0` stands, and elsewhere what stands there.
struct Form {
    word: u64,
    /// The most that may be added to each byte's value without leaving its lower half: 6 to a digit, 15 to nothing.
    room: u64,
}

impl Form {
    const fn new(form: &[u8; 8]) -> Form {
        let mut room = [0x0F; 8];
        let mut place = 0;
        while place < 8 {
            if form[place] == b'0' {
                room[place] = 0x06;
            }
            place += 1;
        }
        Form { word: u64::from_le_bytes(*form), room: u64::from_le_bytes(room) }
    }

    /// The number of two digits that begins at each place of `text`; nothing where it looks different.
    #[inline(always)]
    fn pairs(&self, text: [u8; 8]) -> Option<[u8; 8]> {
        // A digit's value, or 0 where the form has none. Whatever is more leaves the lower half of its byte, or had
        // left it before; only then does the sum reach the next byte.
        let values = u64::from_le_bytes(text) ^ self.word;
        if (values | values.wrapping_add(self.room)) & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
            return None;
        }
        // Each byte is at most 99, so that none reaches the next.
        Some(values.wrapping_mul(10).wrapping_add(values >> 8).to_le_bytes())
    }
}

/// Reads `.ddd…`, cut to milliseconds, if it stands there; gives them and what follows.
#[inline]
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.', digits @ ..] = text else { return Some((0, text)) };
    let digit = |byte: u8| Some(u32::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10);
    // Who writes a fraction writes milliseconds, with hardly an exception.
    if let [a, b, c, b'Z' | b'+' | b'-', ..] = digits {
        return Some((digit(*a)? * 100 + digit(*b)? * 10 + digit(*c)?, &digits[3..]));
    }
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at(count);
    let value = |place: usize| digits.get(place).map_or(0, |digit| u32::from(digit - b'0'));
    (count > 0).then(|| (value(0) * 100 + value(1) * 10 + value(2), rest))
}

/// Seconds of an offset such as `+05:00`, with its sign, that ends `text`: nothing where it looks different, and nothing
/// within that where it is no time of day.
#[inline]
fn seconds_of_offset(text: &[u8], offset: &[u8]) -> Option<Option<i32>> {
    const OFFSET: Form = Form::new(b"---00:00");
    let [sign @ (b'+' | b'-'), _, _, _, _, _] = *offset else { return None };
    // What stands before the five that are looked at is shifted out, and three of the form's own come in its place.
    let word = u64::from_le_bytes(*text.last_chunk()?) >> 24 << 24 | OFFSET.word & 0xFF_FFFF;
    let [_, _, _, hours, _, _, minutes, _] = OFFSET.pairs(word.to_le_bytes())?;
    let seconds = seconds_of_day(hours, minutes, 0);
    Some(if sign == b'-' { seconds.map(|seconds| -seconds) } else { seconds })
}

/// Nothing where it is no time of day.
#[inline]
fn seconds_of_day(hour: u8, minute: u8, second: u8) -> Option<i32> {
    let seconds = i32::from(hour) * 3_600 + i32::from(minute) * 60 + i32::from(second);
    (hour < 24 && minute < 60 && second < 60).then_some(seconds)
}

fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(leap_year: bool, month: u32) -> u32 {
    match month {
        2 if leap_year => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Years by which dates are shifted so that all of them are positive: whole periods of the calendar, of 400 years.
const SHIFT_YEARS: u32 = 32_800;
/// Days from the first of March of the year −32800 to 1970-01-01.
const SHIFT_DAYS: i64 = 719_468 + 146_097 * (SHIFT_YEARS as i64 / 400);

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, of the years −32000 to 32000.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let shifted = u32::try_from(year + i64::from(SHIFT_YEARS)).expect("years are shifted above zero");
    i64::from(shifted_days(shifted, month, day)) - SHIFT_DAYS
}

/// Days from the first of March of the year −32800 to a date of a shifted year (Neri and Schneider, "Euclidean affine
/// functions and their application to calendar algorithms", 2022).
#[inline]
fn shifted_days(year: u32, month: u32, day: u32) -> u32 {
    let early = month <= 2;
    let year = year - u32::from(early);
    let century = year / 100;
    let days_before_year = 1_461 * year / 4 - century + century / 4;
    let days_before_month = (979 * (if early { month + 12 } else { month }) - 2_919) / 32;
    days_before_year + days_before_month + day - 1
}

/// The inverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = u64::try_from(days + SHIFT_DAYS).expect("dates are shifted above zero");
    let (year, month_and_day) = march_year(shifted);
    let (month, day) = (month_and_day >> 16, (month_and_day & 0xFFFF) / 2_141 + 1);
    let early = month > 12;
    let small = |value: u64| u32::try_from(value).expect("months and days are small");
    (year - i64::from(SHIFT_YEARS) + i64::from(early), small(if early { month - 12 } else { month }), small(day))
}

/// Months from January 1970 to the month of a shifted day.
#[inline]
fn months_from_days(shifted: u64) -> i64 {
    let (year, month_and_day) = march_year(shifted);
    // The thirteenth and fourteenth month of a year are the first two of the next.
    year * 12 + i64::try_from(month_and_day >> 16).expect("a month is small") - 1 - i64::from(SHIFT_YEARS + 1970) * 12
}

/// The shifted year of a shifted day, as it begins in March, with its month, of 3 to 14, in the upper and a multiple of its day, which
/// begins at 0, in the lower 16 bits.
#[inline]
fn march_year(shifted: u64) -> (i64, u64) {
    let quarters = 4 * shifted + 3;
    let century = quarters / 146_097;
    let of_century = ((quarters % 146_097) | 3) * 2_939_745;
    let day_of_year = (of_century & u64::from(u32::MAX)) / 2_939_745 / 4;
    let year = i64::try_from(century * 100 + (of_century >> 32)).expect("a shifted year is a small number");
    (year, 2_141 * day_of_year + 197_913)
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
    /// The last of both: most events come after the last change of the clocks.
    last: (i64, i64),
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
        let last = starts.last().copied().zip(offsets.last().copied()).expect("there is an offset before all changes");
        Ok(Zone { name: name.to_owned(), starts, offsets, last })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Local time at `time`, as milliseconds since the local 1970-01-01T00:00:00.
    #[must_use]
    #[inline]
    pub fn local(&self, time: Timestamp) -> i64 {
        let (start, offset) = self.last;
        time.0 + if start <= time.0 { offset } else { self.earlier_offset(time) }
    }

    #[cold]
    fn earlier_offset(&self, time: Timestamp) -> i64 {
        self.offsets[self.starts.partition_point(|start| *start <= time.0) - 1]
    }

    /// The first instant whose local time is `local`, or, where the clocks jump over it, the instant they jump.
    fn first_instant(&self, local: i64) -> Timestamp {
        let before = local.saturating_sub(2 * DAY);
        let (start, offset) = self.last;
        if start <= before {
            return Timestamp(local - offset);
        }
        let from = self.starts.partition_point(|start| *start <= before) - 1;
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
        const IN_RANGE: &str = "timestamps stay within ten thousand years";
        const DAY_LENGTH: u64 = DAY.unsigned_abs();
        // Shifted above zero, a division is one multiplication.
        let shifted = u64::try_from(self.local(time) + SHIFT_DAYS * DAY).expect(IN_RANGE) / DAY_LENGTH;
        let count = match calendar {
            Calendar::Day => i64::try_from(shifted).expect(IN_RANGE) - SHIFT_DAYS,
            Calendar::Month => months_from_days(shifted),
        };
        Period(i32::try_from(count).expect(IN_RANGE))
    }

    /// The first instant of a period.
    #[must_use]
    pub fn start(&self, period: Period, calendar: Calendar) -> Timestamp {
        let count = i64::from(period.0);
        let days = match calendar {
            Calendar::Day => count,
            Calendar::Month => {
                let (year, month) = year_and_month(count);
                days_from_civil(1970 + year, month, 1)
            }
        };
        self.first_instant(days * DAY)
    }

    /// `months` months after `time`: the same local time on the same day, or on that month's last day; of two such
    /// instants the first (spec, section 10).
    #[must_use]
    pub fn add_months(&self, time: Timestamp, months: i64) -> Timestamp {
        let local = self.local(time);
        let (year, month, day) = civil_from_days(local.div_euclid(DAY));
        let (year, month) = year_and_month(year * 12 + i64::from(month) - 1 + months);
        let day = day.min(days_in_month(is_leap_year(year), month));
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

/// The year and the month, from 1 on, of a count of months from January of the year 0 on.
fn year_and_month(months: i64) -> (i64, u32) {
    let month = u32::try_from(months.rem_euclid(12)).expect("a remainder of twelve is not negative");
    (months.div_euclid(12), month + 1)
}

/// Days since 1970-01-01 of a date.
#[must_use]
pub fn date_number(date: civil::Date) -> i64 {
    let positive = |value: i8| value.unsigned_abs().into();
    days_from_civil(i64::from(date.year()), positive(date.month()), positive(date.day()))
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

    /// The same by a regular expression and chrono, slow and plain.
    fn judged(text: &str, form: &regex::Regex) -> Option<Timestamp> {
        let parts = form.captures(text)?;
        let number = |name: &str| parts.name(name).map_or(0, |digits| digits.as_str().parse().expect("few digits"));
        let date = chrono::NaiveDate::from_ymd_opt(number("y"), parts["m"].parse().ok()?, parts["d"].parse().ok()?)?;
        let millis = parts.name("f").map_or("", |digits| digits.as_str()).chars().chain("000".chars()).take(3);
        let millis: u32 = millis.collect::<String>().parse().expect("three digits");
        let [hour, minute, second] = ["h", "i", "s"].map(|name| number(name).unsigned_abs());
        let local = date.and_hms_milli_opt(hour, minute, second, millis)?.and_utc().timestamp_millis();
        let (hours, minutes) = (i64::from(number("oh")), i64::from(number("om")));
        let offset = (hours * HOUR + minutes * MINUTE) * if text.contains('+') { 1 } else { -1 };
        let time = Timestamp(local - offset);
        (hours < 24 && minutes < 60 && time >= Timestamp::MIN && time <= Timestamp::MAX).then_some(time)
    }

    #[test]
    fn changed_and_cut_date_times_are_read_as_chrono_reads_them() {
        let form = r"^(?<y>[0-9]{4})-(?<m>[0-9]{2})-(?<d>[0-9]{2})T(?<h>[0-9]{2}):(?<i>[0-9]{2}):(?<s>[0-9]{2})(\.(?<f>[0-9]+))?(Z|[+-](?<oh>[0-9]{2}):(?<om>[0-9]{2}))$";
        let form = regex::Regex::new(form).expect("a pattern");
        let check = |text: &str| assert_eq!(Timestamp::parse(text).ok(), judged(text, &form), "{text:?}");
        for text in [
            "2026-03-01T08:15:30Z",
            "2024-02-29T23:59:59.123+05:00",
            "2100-02-28T00:00:00.5-23:59",
            "2000-02-29T19:09:09.000999+23:59",
            "0000-01-01T00:00:00.1Z",
            "9999-12-31T23:59:59.999999999999-00:00",
        ] {
            check(text);
            for at in 0..=text.len() {
                check(&text[..at]);
                check(&text[at..]);
                for byte in (0..128).map(char::from).chain(['é', '０', '\u{ff}']) {
                    let (before, after) = text.split_at(at);
                    check(&format!("{before}{byte}{after}"));
                    check(&format!("{before}{byte}{}", after.get(1..).unwrap_or_default()));
                }
            }
            // Every pair of digits at every place where two stand.
            for at in 0..text.len() - 1 {
                for pair in 0..100 {
                    check(&format!("{}{pair:02}{}", &text[..at], &text[at + 2..]));
                }
            }
        }
        for digits in 0..20 {
            check(&format!("2026-03-01T08:15:30.{}Z", &"12345678901234567890"[..digits]));
        }
    }

    #[test]
    fn every_day_agrees_with_jiff() {
        let mut date = civil::date(0, 1, 1);
        for days in -719_528..2_932_897 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(
                (year, month, day),
                (date.year().into(), date.month().unsigned_abs().into(), date.day().unsigned_abs().into())
            );
            assert_eq!(date_number(date), days);
            assert_eq!(months_from_days((days + SHIFT_DAYS).unsigned_abs()), (year - 1970) * 12 + i64::from(month) - 1);
            date = date.tomorrow().unwrap_or(date);
        }
        // Sums of instants and spans reach past the years that are written.
        for days in (-12_000_000..12_000_000).step_by(101) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn every_time_of_day_is_written_as_chrono_writes_it() {
        for at in (Timestamp::MIN.0..Timestamp::MAX.0).step_by(999_999_999_989).chain((-DAY..DAY).step_by(997)) {
            let form = if at % SECOND == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
            let expected = chrono::DateTime::from_timestamp_millis(at).expect("in range").format(form).to_string();
            assert_eq!(Timestamp(at).to_string(), expected);
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
