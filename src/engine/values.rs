//! Values of an event as keys and entries have them: canonical bytes for hashing, plain text for reasons.

use crate::{
    event::Value,
    number::{Amount, write_scaled},
    state::memory::Known,
};

/// Appends a value's canonical bytes: equal values, whatever their writing, give equal bytes.
pub fn canonical(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => put_canonical(b't', text.as_bytes(), out),
        Value::Number(number) => {
            let plain = number.normalize();
            put_canonical(b'n', &plain.mantissa().to_le_bytes(), out);
            put_canonical(b's', &plain.scale().to_le_bytes(), out);
        }
        Value::Bool(flag) => put_canonical(b'b', &[u8::from(*flag)], out),
        Value::Time(time) => put_canonical(b'c', &time.0.to_le_bytes(), out),
        Value::Ip(std::net::IpAddr::V4(ip)) => put_canonical(b'4', &ip.octets(), out),
        Value::Ip(std::net::IpAddr::V6(ip)) => put_canonical(b'6', &ip.octets(), out),
    }
}

/// The same bytes as those of the amount as a number, without the divisions of a decimal.
pub fn canonical_amount(Amount(minor): Amount, out: &mut Vec<u8>) {
    let (digits, scale) = match (minor % 100, minor % 10) {
        (0, _) => (minor / 100, 0_u32),
        (_, 0) => (minor / 10, 1),
        _ => (minor, 2),
    };
    put_canonical(b'n', &i128::from(digits).to_le_bytes(), out);
    put_canonical(b's', &scale.to_le_bytes(), out);
}

#[inline]
fn put_canonical(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    let [a, b, c, d] = u32::try_from(bytes.len()).expect("a record is below 4 GiB").to_le_bytes();
    out.extend_from_slice(&[tag, a, b, c, d]);
    out.extend_from_slice(bytes);
}

/// A value as reasons print it.
pub fn write_plain(value: &Value<'_>, out: &mut String) {
    use std::fmt::Write;
    match value {
        Value::Text(text) => out.push_str(text),
        Value::Number(number) => {
            write_scaled(out, number.mantissa(), number.scale()).expect("a String takes every text");
        }
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Time(time) => write!(out, "{time}").expect("a String takes every text"),
        Value::Ip(ip) => write!(out, "{ip}").expect("a String takes every text"),
    }
}

/// A value that must be printed again later.
pub fn known(value: &Value<'_>, text: &mut String) -> Known {
    let tag = match value {
        Value::Text(text) => return Known::new(b't', text),
        Value::Number(_) => b'n',
        Value::Bool(_) => b'b',
        Value::Time(_) => b'c',
        Value::Ip(_) => b'i',
    };
    text.clear();
    write_plain(value, text);
    Known::new(tag, text)
}

/// A number in millionths, where it is one that is not negative.
pub fn millionths(value: &Value<'_>) -> Option<i128> {
    let Value::Number(number) = value else { return None };
    let scale = 6_u32.checked_sub(number.scale())?;
    (!number.is_sign_negative() || number.is_zero()).then(|| number.mantissa() * 10_i128.pow(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_canonical_bytes_of_its_number() {
        let powers = (0..19).map(|power| 10_i64.pow(power));
        for minor in (-2_000..2_000).chain(powers.flat_map(|power| [-power, power - 1, power, power + 10])) {
            let (mut quick, mut plain) = (Vec::new(), Vec::new());
            canonical_amount(Amount(minor), &mut quick);
            canonical(&Value::Number(Amount(minor).decimal()), &mut plain);
            assert_eq!(quick, plain, "{minor}");
        }
    }
}
