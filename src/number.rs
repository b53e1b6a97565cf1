//! Money and other numbers: decimals at the edges, whole minor units inside, never a binary float.
//!
//! [`Amount`] is what events carry (at most two decimals); [`Decimal`] is what conditions and attributes use.
//! The text of a number is the number: parsing goes from digits to integers and nothing else.

use std::fmt;

pub use rust_decimal::Decimal;

/// An amount of money in minor units (tiyn, cents): two implied decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub i64);

impl Amount {
    /// The same value as a decimal with two decimals.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.0, 2)
    }
}

impl fmt::Display for Amount {
    /// Plain digits without trailing zeros: `5000`, `0.5`, `-12.34`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(out, i128::from(self.0), 2)
    }
}

/// Writes `mantissa / 10^scale` as plain digits without trailing zeros.
///
/// # Errors
/// Only those of `out`.
pub fn write_scaled(out: &mut impl fmt::Write, mantissa: i128, scale: u32) -> fmt::Result {
    match u64::try_from(mantissa) {
        Ok(small) if scale <= SMALL_SCALE => write_small(out, small, 10_u64.pow(scale)),
        _ => write_wide(out, mantissa, scale),
    }
}

/// Twice ten to this fits in 64 bits.
const SMALL_SCALE: u32 = 18;

fn write_wide(out: &mut impl fmt::Write, mantissa: i128, scale: u32) -> fmt::Result {
    let one = 10_u128.pow(scale);
    let magnitude = mantissa.unsigned_abs();
    let (whole, mut fraction) = (magnitude / one, magnitude % one);
    if mantissa < 0 {
        out.write_char('-')?;
    }
    write!(out, "{whole}")?;
    if fraction == 0 {
        return Ok(());
    }
    let mut digits = scale as usize;
    while fraction % 10 == 0 {
        fraction /= 10;
        digits -= 1;
    }
    write!(out, ".{fraction:0digits$}")
}

/// The same of what is not negative and fits in 64 bits, in which dividing is cheap.
fn write_small(out: &mut impl fmt::Write, magnitude: u64, one: u64) -> fmt::Result {
    let (whole, mut fraction) = (magnitude / one, magnitude % one);
    let mut buffer = itoa::Buffer::new();
    out.write_str(buffer.format(whole))?;
    if fraction == 0 {
        return Ok(());
    }
    // With a one before them, the digits keep their zeros.
    fraction += one;
    while fraction % 10 == 0 {
        fraction /= 10;
    }
    out.write_char('.')?;
    out.write_str(&buffer.format(fraction)[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_written_as_wide_ones() {
        let written = |write: &dyn Fn(&mut String) -> fmt::Result| {
            let mut out = String::new();
            write(&mut out).expect("a String takes every text");
            out
        };
        for scale in 0..=SMALL_SCALE + 1 {
            let powers = (0..=18).map(|power| 10_i128.pow(power));
            let large = [i128::from(u64::MAX), i128::from(u64::MAX) + 1, 1_050_000];
            for mantissa in powers.flat_map(|power| [power - 1, power, power + 10, -power]).chain(0..200).chain(large) {
                let quick = written(&|out| write_scaled(out, mantissa, scale));
                assert_eq!(quick, written(&|out| write_wide(out, mantissa, scale)), "{mantissa} of {scale}");
            }
        }
    }
}
