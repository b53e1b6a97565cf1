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
