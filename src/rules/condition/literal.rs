//! What the literals of a condition mean: CEL's escapes, and numbers as exact decimals.
//!
//! A number is its digits: `0.1` is one tenth and `1e3` is 1000, and one that does not fit a [`Decimal`] without
//! rounding is refused. CEL's difference between `5`, `5u` and `5.0` is dropped, as the spec has one kind of number.

use crate::number::Decimal;
use std::ops::Range;

/// Reads a number literal that [`super::token`] has cut.
pub(super) fn number(word: &str) -> Option<Decimal> {
    let word = word.trim_end_matches(['u', 'U']);
    if let Some(digits) = word.strip_prefix("0x") {
        return whole(digits, 16).and_then(|value| Decimal::try_from_i128_with_scale(value, 0).ok());
    }
    let (digits, exponent) = match word.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?),
        None => (word, 0),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    // Zeros at the end only move the point, and leaving them out lets long spellings of small numbers through.
    let all = [before, after].concat();
    let significant = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - significant.len()).ok()?;
    let mantissa = whole(significant, 10)?;
    let scale = i64::try_from(after.len()).ok()?.checked_sub(dropped)?.checked_sub(exponent)?;
    scaled(mantissa, scale)
}

/// `mantissa / 10^scale`, where a negative scale multiplies.
fn scaled(mantissa: i128, scale: i64) -> Option<Decimal> {
    if mantissa == 0 {
        return Some(Decimal::ZERO);
    }
    if scale >= 0 {
        return Decimal::try_from_i128_with_scale(mantissa, u32::try_from(scale).ok()?).ok();
    }
    let power = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
    Decimal::try_from_i128_with_scale(mantissa.checked_mul(power)?, 0).ok()
}

fn whole(digits: &str, radix: u32) -> Option<i128> {
    if digits.is_empty() { Some(0) } else { i128::from_str_radix(digits, radix).ok() }
}

/// A place in a literal, what is wrong there, and what to write instead.
type Fault = (Range<usize>, &'static str, &'static str);

/// Reads a string literal that [`super::token`] has cut.
///
/// # Errors
/// The bytes of `word` at fault, what is wrong with them and what to write instead.
pub(super) fn text(word: &str) -> Result<String, Fault> {
    let quote = word.find(['"', '\'']).unwrap_or_default();
    let prefix = &word[..quote];
    if prefix.contains(['b', 'B']) {
        return Err((0..word.len(), "there are no byte strings", "leave the b before the quote out"));
    }
    let mark = &word[quote..=quote];
    let triple = word[quote..].starts_with(&mark.repeat(3));
    let width = if triple { 3 } else { 1 };
    let inner = &word[quote + width..word.len() - width];
    if prefix.is_empty() {
        let moved = |at: Range<usize>| at.start + quote + width..at.end + quote + width;
        unescaped(inner).map_err(|(at, message, help)| (moved(at), message, help))
    } else {
        Ok(inner.to_owned())
    }
}

fn unescaped(inner: &str) -> Result<String, Fault> {
    let mut out = String::with_capacity(inner.len());
    let mut at = 0;
    while let Some(backslash) = inner[at..].find('\\') {
        out.push_str(&inner[at..at + backslash]);
        at += backslash;
        let (character, length) = escape(&inner[at..]).ok_or_else(|| {
            let length = 1 + inner[at + 1..].chars().next().map_or(0, char::len_utf8);
            (at..at + length, "this escape is none of CEL's", "a backslash itself is \\\\, or write r\"…\"")
        })?;
        out.push(character);
        at += length;
    }
    out.push_str(&inner[at..]);
    Ok(out)
}

/// The character that the escape at the start of `rest` means, and the length of the escape.
fn escape(rest: &str) -> Option<(char, usize)> {
    let simple = |character| Some((character, 2));
    let coded = |from: usize, digits: usize, radix| {
        let code = rest.get(from..from + digits)?;
        let code = code.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(code)?;
        let character = char::from_u32(u32::from_str_radix(code, radix).ok()?)?;
        Some((character, from + digits))
    };
    match rest.as_bytes().get(1)? {
        b'a' => simple('\x07'),
        b'b' => simple('\x08'),
        b'f' => simple('\x0C'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'v' => simple('\x0B'),
        mark @ (b'\\' | b'?' | b'"' | b'\'' | b'`') => simple(char::from(*mark)),
        b'x' | b'X' => coded(2, 2, 16),
        b'u' => coded(2, 4, 16),
        b'U' => coded(2, 8, 16),
        b'0'..=b'3' => coded(1, 3, 8),
        _ => None,
    }
}
