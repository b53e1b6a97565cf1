//! Instants, spans and the pack's calendar. Instants are milliseconds since 1970 in UTC; only months and calendar
//! spans look at the zone. Leap seconds do not exist here: the record check refuses `:60`.

use chrono::{DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Milliseconds(i64),
    Months(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    Sliding(Span),
    CalendarDay,
    CalendarMonth,
}

impl Window {
    /// Reads `"90m"`, `"30d"`, `"6 months"`, `"calendar day"`.
    pub fn parse(text: &str) -> Option<Window> {
        match text {
            "calendar day" => return Some(Window::CalendarDay),
            "calendar month" => return Some(Window::CalendarMonth),
            _ => {}
        }
        let letters = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(letters);
        let number: i64 = number.parse().ok()?;
        let unit_length = match unit.trim_start() {
            "ms" => 1,
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            "month" | "months" => return Some(Window::Sliding(Span::Months(number.try_into().ok()?))),
            _ => return None,
        };
        Some(Window::Sliding(Span::Milliseconds(number * unit_length)))
    }
}

/// The zone of the packs, and the two mistakes that concern it.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    pub zone: Tz,
    pub thirty_day_months: bool,
    pub ambiguous_takes_second: bool,
}

impl Calendar {
    pub fn new(zone: Tz) -> Calendar {
        Calendar { zone, thirty_day_months: false, ambiguous_takes_second: false }
    }

    pub fn in_utc(self) -> Calendar {
        Calendar { zone: Tz::UTC, ..self }
    }

    fn local(self, time: i64) -> NaiveDateTime {
        utc(time).with_timezone(&self.zone).naive_local()
    }

    pub fn date(self, time: i64) -> NaiveDate {
        self.local(time).date()
    }

    /// The instant of a local time: the first of two, and after a gap the one that the old offset gives.
    pub fn instant(self, local: NaiveDateTime) -> i64 {
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(one) => one.timestamp_millis(),
            LocalResult::Ambiguous(first, second) if self.ambiguous_takes_second => {
                first.max(second).timestamp_millis()
            }
            LocalResult::Ambiguous(first, second) => first.min(second).timestamp_millis(),
            LocalResult::None => {
                let day_before = local - chrono::Duration::days(1);
                self.instant(day_before) + DAY
            }
        }
    }

    pub fn midnight(self, date: NaiveDate) -> i64 {
        self.instant(date.and_time(NaiveTime::MIN))
    }

    /// N months on: the same local time on the same day, or on the month's last day.
    pub fn add_months(self, time: i64, months: u32) -> i64 {
        if self.thirty_day_months {
            return time + i64::from(months) * 30 * DAY;
        }
        self.instant(self.local(time).checked_add_months(Months::new(months)).expect("four-digit years leave room"))
    }

    pub fn add(self, time: i64, span: Span) -> i64 {
        match span {
            Span::Milliseconds(length) => time + length,
            Span::Months(months) => self.add_months(time, months),
        }
    }

    /// Days or months counted from year 0, so that the previous period's number is one less.
    pub fn period(self, time: i64, window: Window) -> i64 {
        let date = self.date(time);
        match window {
            Window::CalendarDay => i64::from(date.num_days_from_ce()),
            Window::CalendarMonth => i64::from(date.year()) * 12 + i64::from(date.month0()),
            Window::Sliding(_) => panic!("a sliding window has no periods"),
        }
    }

    pub fn period_start(self, time: i64, window: Window) -> i64 {
        let date = self.date(time);
        match window {
            Window::CalendarDay => self.midnight(date),
            Window::CalendarMonth => self.midnight(date.with_day(1).expect("every month has a first")),
            Window::Sliding(_) => panic!("a sliding window has no periods"),
        }
    }

    pub fn period_end(self, time: i64, window: Window) -> i64 {
        let date = self.date(time);
        match window {
            Window::CalendarDay => self.midnight(date + Days::new(1)),
            Window::CalendarMonth => self.midnight(date.with_day(1).expect("every month has a first") + Months::new(1)),
            Window::Sliding(_) => panic!("a sliding window has no periods"),
        }
    }

    /// When something that begins at `time` and lasts `window` ends.
    pub fn end(self, time: i64, window: Window) -> i64 {
        match window {
            Window::Sliding(span) => self.add(time, span),
            calendar => self.period_end(time, calendar),
        }
    }
}

fn utc(time: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time).expect("the record check keeps years to four digits")
}

/// The time as decisions print it.
pub fn print(time: i64) -> String {
    let time = utc(time);
    let format = if time.timestamp_subsec_millis() == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
    time.format(format).to_string()
}

/// Reads RFC 3339 with an offset as the specification narrows it; digits beyond the millisecond are cut.
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = bytes.get(from..to)?;
        digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
    };
    let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
    if !(is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':')) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let mut at = 19;
    let mut millisecond = 0;
    if is(at, b'.') {
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for place in 0..3 {
            let digit = if place < digits { u32::from(bytes[at + 1 + place] - b'0') } else { 0 };
            millisecond = millisecond * 10 + digit;
        }
        at += 1 + digits;
    }
    let offset = match bytes.get(at)? {
        b'Z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && is(at + 3, b':') => {
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i64::from(hours) * HOUR + i64::from(minutes) * MINUTE;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let local = date.and_time(NaiveTime::from_hms_milli_opt(hour, minute, second, millisecond)?);
    let time = local.and_utc().timestamp_millis() - offset;
    (0..=9999).contains(&utc(time).year()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn almaty() -> Calendar {
        Calendar::new(Tz::Asia__Almaty)
    }

    fn at(text: &str) -> i64 {
        parse(text).expect("the test writes times")
    }

    #[test]
    fn times_are_read_and_printed_as_the_fine_print_says() {
        for (text, printed) in [
            ("2026-03-01T13:15:30.123456+05:00", "2026-03-01T08:15:30.123Z"),
            ("2026-03-01T13:15:30.9999Z", "2026-03-01T13:15:30.999Z"),
            ("2026-03-01T13:15:30.000Z", "2026-03-01T13:15:30Z"),
            ("2026-03-01T13:15:30-00:00", "2026-03-01T13:15:30Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
        ] {
            assert_eq!(print(at(text)), printed);
        }
        for bad in [
            "2026-03-01t13:15:30Z",
            "2026-03-01T13:15:30z",
            "2026-03-01 13:15:30Z",
            "2026-03-01T13:15:60Z",
            "2026-03-01T24:00:00Z",
            "2026-02-29T13:15:30Z",
            "2026-03-01T13:15:30",
            "2026-03-01T13:15:30.Z",
            "2026-03-01T13:15:30+0500",
            "2026-03-01T13:15Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-03-01T13:15:30+24:00",
            "",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_leap_day_of_2024_is_25_hours_long_in_almaty() {
        let noon = at("2024-02-29T12:00:00+06:00");
        assert_eq!(print(almaty().period_start(noon, Window::CalendarDay)), "2024-02-28T18:00:00Z");
        assert_eq!(print(almaty().period_end(noon, Window::CalendarDay)), "2024-02-29T19:00:00Z");
        assert_eq!(almaty().date(at("2024-02-29T18:59:59.999Z")).to_string(), "2024-02-29");
        assert_eq!(almaty().date(at("2024-02-29T19:00:00Z")).to_string(), "2024-03-01");
    }

    #[test]
    fn months_keep_the_local_time_and_stop_at_the_last_day() {
        for (from, months, to) in [
            ("2026-01-31T10:00:00+05:00", 1, "2026-02-28T05:00:00Z"),
            ("2026-01-28T10:00:00+05:00", 1, "2026-02-28T05:00:00Z"),
            ("2024-01-31T10:00:00+06:00", 1, "2024-02-29T04:00:00Z"),
            // Across the change of offset: 10:00 stays 10:00.
            ("2023-09-15T10:00:00+06:00", 6, "2024-03-15T05:00:00Z"),
            // 23:30 of the leap day came twice: the first.
            ("2024-01-29T23:30:00+06:00", 1, "2024-02-29T17:30:00Z"),
        ] {
            assert_eq!(print(almaty().add_months(at(from), months)), to, "{from}");
        }
    }

    #[test]
    fn windows_are_read() {
        assert_eq!(Window::parse("90m"), Some(Window::Sliding(Span::Milliseconds(90 * MINUTE))));
        assert_eq!(Window::parse("6 months"), Some(Window::Sliding(Span::Months(6))));
        assert_eq!(Window::parse("calendar day"), Some(Window::CalendarDay));
        assert_eq!(Window::parse("an hour"), None);
    }
}
