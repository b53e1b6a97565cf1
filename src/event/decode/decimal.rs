//! Decimals as events write them: plain digits and a point, nothing else, straight into whole units of the last place.

use crate::{
    limits::{
        AMOUNT_FRACTION_DIGITS, AMOUNT_MINOR_MAX, AMOUNT_WHOLE_DIGITS, ATTRIBUTE_FRACTION_DIGITS,
        ATTRIBUTE_WHOLE_DIGITS,
    },
    number::{Amount, Decimal},
};
use std::fmt;

/// Why a text is no decimal of the kind that is asked for; written as the end of a sentence that begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotDecimal {
    /// Neither digits, nor digits, a point and digits: exponents, blanks, a plus, other letters.
    Shape,
    LeadingZero,
    Negative,
    WholeDigits {
        count: usize,
        max: usize,
    },
    FractionDigits {
        count: usize,
        max: usize,
    },
    NotOverZero,
    OverMax,
}

impl fmt::Display for NotDecimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            NotDecimal::Shape => out.write_str("is not a plain decimal such as 12.34"),
            NotDecimal::LeadingZero => out.write_str("has leading zeros"),
            NotDecimal::Negative => out.write_str("has a sign; it is to be over 0"),
            NotDecimal::WholeDigits { count, max } => {
                write!(out, "has {count} digits before the point; at most {max} are allowed")
            }
            NotDecimal::FractionDigits { count, max } => {
                write!(out, "has {count} digits after the point; at most {max} are allowed")
            }
            NotDecimal::NotOverZero => out.write_str("is not over 0"),
            NotDecimal::OverMax => write!(out, "is beyond the largest amount, {}", Amount(AMOUNT_MINOR_MAX)),
        }
    }
}

/// A decimal taken apart: at most 18 digits a side, so that neither overflows.
struct Written {
    negative: bool,
    whole: i64,
    fraction: i64,
    fraction_digits: usize,
}

// 18 digits are the most that always fit an `i64`.
const _: () = assert!(AMOUNT_WHOLE_DIGITS + AMOUNT_FRACTION_DIGITS <= 18);
const _: () = assert!(ATTRIBUTE_WHOLE_DIGITS <= 18 && ATTRIBUTE_FRACTION_DIGITS <= 18);

impl Written {
    #[inline]
    fn read(text: &[u8], whole_max: usize, fraction_max: usize) -> Result<Written, NotDecimal> {
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (whole, whole_digits) = digits(unsigned, whole_max);
        let (fraction, fraction_digits) = match &unsigned[whole_digits..] {
            [] => (0, 0),
            [b'.', rest @ ..] => match digits(rest, fraction_max) {
                (fraction, count) if count == rest.len() && count > 0 => (fraction, count),
                _ => return Err(NotDecimal::Shape),
            },
            _ => return Err(NotDecimal::Shape),
        };
        if whole_digits == 0 {
            return Err(NotDecimal::Shape);
        }
        if whole_digits > 1 && unsigned[0] == b'0' {
            return Err(NotDecimal::LeadingZero);
        }
        if whole_digits > whole_max {
            return Err(NotDecimal::WholeDigits { count: whole_digits, max: whole_max });
        }
        if fraction_digits > fraction_max {
            return Err(NotDecimal::FractionDigits { count: fraction_digits, max: fraction_max });
        }
        Ok(Written { negative, whole, fraction, fraction_digits })
    }

    /// In minor units of two decimals; the sign not applied.
    #[inline]
    fn minor_units(&self) -> i64 {
        let fraction = if self.fraction_digits == 1 { self.fraction * 10 } else { self.fraction };
        self.whole * 100 + fraction
    }
}

/// The digits that `bytes` begins with: the value of the first `value_digits`, and how many there are in all.
#[inline]
fn digits(bytes: &[u8], value_digits: usize) -> (i64, usize) {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (value, place);
        }
        if place < value_digits {
            value = value * 10 + i64::from(digit);
        }
    }
    (value, bytes.len())
}

/// An amount: over 0, at most 10^15, at most two decimals.
#[inline]
pub(super) fn amount(text: &[u8]) -> Result<Amount, NotDecimal> {
    if let Some(minor @ 1..) = few_digits(text) {
        return Ok(Amount(minor));
    }
    let written = Written::read(text, AMOUNT_WHOLE_DIGITS, AMOUNT_FRACTION_DIGITS)?;
    match written.minor_units() {
        _ if written.negative => Err(NotDecimal::Negative),
        0 => Err(NotDecimal::NotOverZero),
        minor if minor > AMOUNT_MINOR_MAX => Err(NotDecimal::OverMax),
        minor => Ok(Amount(minor)),
    }
}

/// Minor units of what nearly all amounts are: at most nine digits that begin with none of 0, and no more than two
/// decimals; nothing of all else, which has to be looked at more closely.
#[inline]
fn few_digits(text: &[u8]) -> Option<i64> {
    let [b'1'..=b'9', ..] = text else { return None };
    if text.len() > 9 {
        return None;
    }
    let mut value = 0_u32;
    for (place, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let (b'.', decimals) = (*byte, &text[place + 1..]) else { return None };
            return with_decimals(value, decimals);
        }
        // Nine digits are below 2^32.
        value = value.wrapping_mul(10).wrapping_add(u32::from(digit));
    }
    Some(i64::from(value) * 100)
}

/// So many whole units and what stands after the point, in minor units.
#[inline]
fn with_decimals(whole: u32, decimals: &[u8]) -> Option<i64> {
    let digit = |byte: u8| Some(i64::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10);
    match *decimals {
        [tenths] => Some(i64::from(whole) * 100 + digit(tenths)? * 10),
        [tenths, hundredths] => Some(i64::from(whole) * 100 + digit(tenths)? * 10 + digit(hundredths)?),
        _ => None,
    }
}

/// A balance: from −10^15 to 10^15, at most two decimals.
pub(super) fn balance(text: &[u8]) -> Result<Amount, NotDecimal> {
    let written = Written::read(text, AMOUNT_WHOLE_DIGITS, AMOUNT_FRACTION_DIGITS)?;
    match written.minor_units() {
        minor if minor > AMOUNT_MINOR_MAX => Err(NotDecimal::OverMax),
        minor => Ok(Amount(if written.negative { -minor } else { minor })),
    }
}

/// A number in `attributes`, without the trailing zeros it may be written with; `-0` is 0.
pub(super) fn attribute(text: &[u8]) -> Result<Decimal, NotDecimal> {
    let written = Written::read(text, ATTRIBUTE_WHOLE_DIGITS, ATTRIBUTE_FRACTION_DIGITS)?;
    let mut scale = u32::try_from(written.fraction_digits).expect("at most ATTRIBUTE_FRACTION_DIGITS");
    let mut fraction = written.fraction;
    while scale > 0 && fraction % 10 == 0 {
        fraction /= 10;
        scale -= 1;
    }
    let magnitude = i128::from(written.whole) * 10_i128.pow(scale) + i128::from(fraction);
    Ok(Decimal::from_i128_with_scale(if written.negative { -magnitude } else { magnitude }, scale))
}
