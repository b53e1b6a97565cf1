//! Arithmetic on decimals that is exact or an error: `rust_decimal` rounds what does not fit, and money must not.
//!
//! A result exists when some mantissa of at most 96 bits and some scale from 0 to 28 are precisely its value. The
//! short way is tried first; only a result that overflows it is looked at again with its zeros taken out.

use crate::number::Decimal;

/// The largest mantissa of a [`Decimal`].
const MANTISSA_MAX: u128 = (1 << 96) - 1;

// A mantissa times 10^9 fits, so numbers as events write them are aligned without looking at their zeros.
const _: () = assert!(MANTISSA_MAX < i128::MAX as u128 / 1_000_000_000);

#[must_use]
pub(super) fn add(left: Decimal, right: Decimal) -> Option<Decimal> {
    sum(left.mantissa(), left.scale(), right.mantissa(), right.scale()).or_else(|| {
        let ((left, left_scale), (right, right_scale)) = (bare(left), bare(right));
        sum(left, left_scale, right, right_scale)
    })
}

#[must_use]
pub(super) fn subtract(left: Decimal, right: Decimal) -> Option<Decimal> {
    add(left, -right)
}

#[must_use]
pub(super) fn multiply(left: Decimal, right: Decimal) -> Option<Decimal> {
    let scale = left.scale() + right.scale();
    if let Some(mantissa) = left.mantissa().checked_mul(right.mantissa())
        && fits(mantissa, scale)
    {
        return made(mantissa, scale);
    }
    let (mut left, mut right, mut scale) = (left.mantissa(), right.mantissa(), scale);
    // Takes the tens out of the product, a two and a five at a time, before it is multiplied.
    while scale > 0 && (left % 2 == 0 || right % 2 == 0) && (left % 5 == 0 || right % 5 == 0) {
        for prime in [2, 5] {
            let factor = if left % prime == 0 { &mut left } else { &mut right };
            *factor /= prime;
        }
        scale -= 1;
    }
    made(left.checked_mul(right)?, scale)
}

/// The sum of two scaled mantissas, when aligning them overflows nothing.
fn sum(left: i128, left_scale: u32, right: i128, right_scale: u32) -> Option<Decimal> {
    let scale = left_scale.max(right_scale);
    let aligned = |mantissa: i128, own: u32| mantissa.checked_mul(10_i128.pow(scale - own));
    made(aligned(left, left_scale)?.checked_add(aligned(right, right_scale)?)?, scale)
}

/// The value without trailing zeros behind the point.
fn bare(number: Decimal) -> (i128, u32) {
    stripped(number.mantissa(), number.scale())
}

fn stripped(mut mantissa: i128, mut scale: u32) -> (i128, u32) {
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    (mantissa, scale)
}

fn fits(mantissa: i128, scale: u32) -> bool {
    mantissa.unsigned_abs() <= MANTISSA_MAX && scale <= Decimal::MAX_SCALE
}

fn made(mantissa: i128, scale: u32) -> Option<Decimal> {
    let (mantissa, scale) = if fits(mantissa, scale) { (mantissa, scale) } else { stripped(mantissa, scale) };
    fits(mantissa, scale).then(|| Decimal::from_i128_with_scale(mantissa, scale))
}
