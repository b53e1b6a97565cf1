//! IP addresses as events write them. Nearly all are IPv4, which is read here in a third of the instructions that the
//! standard library takes; that reads all others, and says what is none.

use std::net::{IpAddr, Ipv4Addr};

/// Any address, an IPv4 one that is written as IPv6 among the IPv4 ones; nothing where the text is none.
pub(super) fn any(text: &[u8]) -> Option<IpAddr> {
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

/// Four decimal numbers of up to three digits, without leading zeros, and points between them.
#[inline]
pub(super) fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    let (first, rest) = octet(text)?;
    let (second, rest) = octet(rest.strip_prefix(b".")?)?;
    let (third, rest) = octet(rest.strip_prefix(b".")?)?;
    let (fourth, rest) = octet(rest.strip_prefix(b".")?)?;
    rest.is_empty().then(|| Ipv4Addr::new(first, second, third, fourth))
}

/// The number that stands first in `text`, and what follows it.
#[inline(always)]
fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: &u8| u32::from(byte.wrapping_sub(b'0'));
    let (number, length) = match text {
        [a] | [a, b'.', ..] if digit(a) < 10 => (digit(a), 1),
        [a @ b'1'..=b'9', b] | [a @ b'1'..=b'9', b, b'.', ..] if digit(b) < 10 => (digit(a) * 10 + digit(b), 2),
        [a @ b'1'..=b'2', b, c, ..] if digit(b) < 10 && digit(c) < 10 => (digit(a) * 100 + digit(b) * 10 + digit(c), 3),
        _ => return None,
    };
    Some((u8::try_from(number).ok()?, text.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) {
        let expected = text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        assert_eq!(any(text.as_bytes()), expected, "{text:?}");
        let dotted = dotted(text.as_bytes()).map(IpAddr::V4);
        assert_eq!(dotted, expected.filter(|_| !text.contains(':')), "{text:?}");
    }

    /// The standard library judges.
    #[test]
    fn addresses_are_those_of_the_standard_library() {
        for number in 0..1_200 {
            for text in [format!("{number}.0.0.1"), format!("1.{number}.2.3"), format!("10.0.0.{number}")] {
                check(&text);
                check(&text.replace(".0", ".00"));
            }
        }
        for text in ["10.20.255.4", "::ffff:10.0.0.1", "2001:db8::1", "255.255.255.255", "0.0.0.0"] {
            for at in 0..=text.len() {
                check(&text[..at]);
                check(&text[at..]);
                for letter in (0..128).map(char::from).chain(['é', '０']) {
                    let (before, after) = text.split_at(at);
                    check(&format!("{before}{letter}{after}"));
                    check(&format!("{before}{letter}{}", after.get(1..).unwrap_or_default()));
                }
            }
        }
    }
}
