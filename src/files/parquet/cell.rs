//! What the values of a column stand for, and each as JSON.
//!
//! Decimals are written exactly, without the zeros that their type adds at the end: `12.3400` of a column with four places is the
//! figure 12.34. Instants are UTC to the millisecond. A time without a zone is written without one, which a mapping can give it.

use crate::{encode, number::write_scaled, plain, time::Timestamp};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    data_type::{ByteArray, FixedLenByteArray, Int96},
    schema::types::ColumnDescriptor,
};
use std::fmt::Display;

/// What the values of a column stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What their type says.
    Plain,
    Unsigned,
    Text,
    /// Whole numbers of 10^-scale.
    Decimal {
        scale: u32,
    },
    /// Days since 1970-01-01.
    Date,
    /// So many in a second, since 1970.
    Instant {
        a_second: i64,
        utc: bool,
    },
    /// So many in a second, since midnight.
    TimeOfDay {
        a_second: i64,
    },
    Uuid,
}

/// Most digits after the point of a decimal that 128 bits hold.
const DECIMAL_SCALE_MAX: u32 = 38;

impl Meaning {
    /// Nothing where the values have no text.
    pub fn of(described: &ColumnDescriptor) -> Option<Meaning> {
        let meaning = match described.logical_type_ref() {
            Some(logical) => of_logical(logical)?,
            None => of_converted(described)?,
        };
        let is_bytes = described.physical_type() == Type::FIXED_LEN_BYTE_ARRAY;
        let fits = match meaning {
            Meaning::Decimal { scale } => scale <= DECIMAL_SCALE_MAX,
            Meaning::Uuid => is_bytes && described.type_length() == 16,
            // Bytes of a fixed length are no text unless something says so.
            _ => !is_bytes,
        };
        fits.then_some(meaning)
    }
}

fn of_logical(logical: &LogicalType) -> Option<Meaning> {
    Some(match logical {
        LogicalType::String | LogicalType::Enum | LogicalType::Json => Meaning::Text,
        LogicalType::Decimal(decimal) => Meaning::Decimal { scale: u32::try_from(decimal.scale).ok()? },
        LogicalType::Date => Meaning::Date,
        LogicalType::Time(time) => Meaning::TimeOfDay { a_second: a_second(time.unit) },
        LogicalType::Timestamp(time) => {
            Meaning::Instant { a_second: a_second(time.unit), utc: time.is_adjusted_to_u_t_c }
        }
        LogicalType::Integer(integer) if !integer.is_signed => Meaning::Unsigned,
        LogicalType::Integer(_) => Meaning::Plain,
        LogicalType::Uuid => Meaning::Uuid,
        _ => return None,
    })
}

/// What older files say.
fn of_converted(described: &ColumnDescriptor) -> Option<Meaning> {
    let instant = |a_second| Meaning::Instant { a_second, utc: true };
    Some(match described.converted_type() {
        // Old writers do not say that bytes are texts. 96 bits are always the nanoseconds of an instant.
        ConvertedType::NONE if described.physical_type() == Type::INT96 => instant(1_000_000_000),
        ConvertedType::NONE if described.physical_type() == Type::BYTE_ARRAY => Meaning::Text,
        ConvertedType::NONE
        | ConvertedType::INT_8
        | ConvertedType::INT_16
        | ConvertedType::INT_32
        | ConvertedType::INT_64 => Meaning::Plain,
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Meaning::Text,
        ConvertedType::DECIMAL => Meaning::Decimal { scale: u32::try_from(described.type_scale()).ok()? },
        ConvertedType::DATE => Meaning::Date,
        ConvertedType::TIME_MILLIS => Meaning::TimeOfDay { a_second: 1_000 },
        ConvertedType::TIME_MICROS => Meaning::TimeOfDay { a_second: 1_000_000 },
        ConvertedType::TIMESTAMP_MILLIS => instant(1_000),
        ConvertedType::TIMESTAMP_MICROS => instant(1_000_000),
        ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64 => {
            Meaning::Unsigned
        }
        _ => return None,
    })
}

fn a_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    }
}

/// A value that can be written as JSON.
pub(super) trait Write {
    fn write(&self, meaning: Meaning, out: &mut Vec<u8>);
}

impl Write for bool {
    fn write(&self, _: Meaning, out: &mut Vec<u8>) {
        put(self, out);
    }
}

impl Write for i32 {
    fn write(&self, meaning: Meaning, out: &mut Vec<u8>) {
        match meaning {
            Meaning::Unsigned => put(&self.cast_unsigned(), out),
            _ => i64::from(*self).write(meaning, out),
        }
    }
}

impl Write for i64 {
    fn write(&self, meaning: Meaning, out: &mut Vec<u8>) {
        match meaning {
            Meaning::Unsigned => put(&self.cast_unsigned(), out),
            Meaning::Decimal { scale } => decimal(i128::from(*self), scale, out),
            Meaning::Date => time(self.checked_mul(86_400_000), 0..DATE_LENGTH, out),
            Meaning::TimeOfDay { a_second } => time(millis(*self, a_second), DATE_LENGTH + 1..usize::MAX, out),
            Meaning::Instant { a_second, utc } => instant(*self, a_second, utc, out),
            Meaning::Plain | Meaning::Text | Meaning::Uuid => put(self, out),
        }
    }
}

impl Write for Int96 {
    fn write(&self, _: Meaning, out: &mut Vec<u8>) {
        time(Some(self.to_millis()), 0..usize::MAX, out);
        zulu(out);
    }
}

impl Write for f32 {
    fn write(&self, _: Meaning, out: &mut Vec<u8>) {
        if self.is_finite() { put(self, out) } else { encode::string(&self.to_string(), out) }
    }
}

impl Write for f64 {
    /// The shortest digits that are this number and no other; never an exponent.
    fn write(&self, _: Meaning, out: &mut Vec<u8>) {
        if self.is_finite() { put(self, out) } else { encode::string(&self.to_string(), out) }
    }
}

impl Write for ByteArray {
    fn write(&self, meaning: Meaning, out: &mut Vec<u8>) {
        bytes(self.data(), meaning, out);
    }
}

impl Write for FixedLenByteArray {
    fn write(&self, meaning: Meaning, out: &mut Vec<u8>) {
        bytes(self.data(), meaning, out);
    }
}

fn put(value: &impl Display, out: &mut Vec<u8>) {
    use std::io::Write;
    write!(out, "{value}").expect("a Vec takes every text");
}

fn decimal(value: i128, scale: u32, out: &mut Vec<u8>) {
    let mut text = String::new();
    write_scaled(&mut text, value, scale).expect("a String takes every text");
    out.extend_from_slice(text.as_bytes());
}

/// Bytes of a date: `2026-03-01`.
const DATE_LENGTH: usize = 10;

fn millis(count: i64, a_second: i64) -> Option<i64> {
    Some(count.div_euclid(a_second / 1_000))
}

fn instant(count: i64, a_second: i64, utc: bool, out: &mut Vec<u8>) {
    time(millis(count, a_second), 0..usize::MAX, out);
    if utc {
        zulu(out);
    }
}

/// Makes of a quoted time one in UTC.
fn zulu(out: &mut Vec<u8>) {
    out.pop();
    out.extend_from_slice(b"Z\"");
}

/// A part of an instant's text, quoted and without a zone. What lies outside the years that times may have is written as the
/// count that it is, for the record to be rejected by.
fn time(millis: Option<i64>, part: std::ops::Range<usize>, out: &mut Vec<u8>) {
    let known = |millis: &i64| (Timestamp::MIN.0..=Timestamp::MAX.0).contains(millis);
    let mut text = Vec::new();
    match millis.filter(known) {
        Some(millis) => Timestamp(millis).write(&mut text),
        None => put(&millis.unwrap_or(i64::MAX), &mut text),
    }
    if text.ends_with(b"Z") {
        text.pop();
    }
    let end = part.end.min(text.len());
    out.push(b'"');
    out.extend_from_slice(&text[part.start.min(end)..end]);
    out.push(b'"');
}

fn bytes(data: &[u8], meaning: Meaning, out: &mut Vec<u8>) {
    match meaning {
        Meaning::Decimal { scale } => match whole(data) {
            Some(value) => decimal(value, scale, out),
            // More digits than any figure here may have.
            None => encode::string(&hexadecimal(data), out),
        },
        Meaning::Uuid => {
            let digits = hexadecimal(data);
            let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
            encode::string(&format!("{a}-{b}-{c}-{d}-{e}"), out);
        }
        _ => match std::str::from_utf8(data) {
            Ok(text) => encode::string(text, out),
            Err(_) => raw(data, out),
        },
    }
}

/// Bytes that are no text, as they are: whoever decodes the record finds that it is not UTF-8.
fn raw(data: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in data {
        if byte.is_ascii() && !plain::is_plain(&[*byte]) {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out.push(b'"');
}

/// A whole number in two's complement, the highest byte first; nothing where it does not fit.
fn whole(data: &[u8]) -> Option<i128> {
    let negative = data.first().is_some_and(|byte| *byte >= 0x80);
    let padding = if negative { 0xff } else { 0 };
    let cut = data.len().saturating_sub(16);
    let (extension, rest) = data.split_at(cut);
    let sign_kept = rest.first().is_none_or(|byte| (*byte >= 0x80) == negative);
    if !sign_kept || extension.iter().any(|byte| *byte != padding) {
        return None;
    }
    let mut wide = [padding; 16];
    wide[16 - rest.len()..].copy_from_slice(rest);
    Some(i128::from_be_bytes(wide))
}

fn hexadecimal(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &impl Write, meaning: Meaning) -> String {
        let mut out = Vec::new();
        value.write(meaning, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn numbers_are_written_exactly() {
        let two = Meaning::Decimal { scale: 2 };
        for (found, expected) in [
            (written(&1_234_i32, two), "12.34"),
            (written(&-50_i64, two), "-0.5"),
            (written(&10_000_000_i64, Meaning::Decimal { scale: 4 }), "1000"),
            (written(&0_i64, two), "0"),
            (written(&ByteArray::from(vec![0xff, 0x38]), two), "-2"),
            (written(&ByteArray::from(vec![0; 20]), two), "0"),
            (written(&ByteArray::from([vec![0xff; 10], vec![0x80, 0]].concat()), two), "-327.68"),
            (written(&ByteArray::from([vec![1], vec![0; 16]].concat()), two), "\"0100000000000000000000000000000000\""),
            (
                written(&ByteArray::from([vec![0], vec![0x80], vec![0; 15]].concat()), two),
                "\"0080000000000000000000000000000000\"",
            ),
            (written(&-1_i32, Meaning::Unsigned), "4294967295"),
            (written(&-1_i64, Meaning::Unsigned), "18446744073709551615"),
            (written(&0.1_f64, Meaning::Plain), "0.1"),
            (written(&1e7_f64, Meaning::Plain), "10000000"),
            (written(&0.1_f32, Meaning::Plain), "0.1"),
            (written(&f64::NAN, Meaning::Plain), "\"NaN\""),
            (written(&true, Meaning::Plain), "true"),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn times_are_texts() {
        let instant = |a_second, utc| Meaning::Instant { a_second, utc };
        for (found, expected) in [
            (written(&1_772_352_930_123_i64, instant(1_000, true)), "\"2026-03-01T08:15:30.123Z\""),
            (written(&1_772_352_930_123_999_i64, instant(1_000_000, true)), "\"2026-03-01T08:15:30.123Z\""),
            (written(&1_772_352_930_000_000_000_i64, instant(1_000_000_000, false)), "\"2026-03-01T08:15:30\""),
            (written(&-1_i64, instant(1_000_000, true)), "\"1969-12-31T23:59:59.999Z\""),
            (written(&i64::MAX, instant(1_000, true)), "\"9223372036854775807Z\""),
            (written(&20_513_i32, Meaning::Date), "\"2026-03-01\""),
            (written(&29_730_500_i32, Meaning::TimeOfDay { a_second: 1_000 }), "\"08:15:30.500\""),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_what_they_are() {
        let mut out = Vec::new();
        ByteArray::from(b"a\"\n\xff".to_vec()).write(Meaning::Text, &mut out);
        assert_eq!(out, b"\"a\\u0022\\u000a\xff\"");
        let uuid = FixedLenByteArray::from(ByteArray::from((0..16).collect::<Vec<u8>>()));
        assert_eq!(written(&uuid, Meaning::Uuid), "\"00010203-0405-0607-0809-0a0b0c0d0e0f\"");
    }
}
