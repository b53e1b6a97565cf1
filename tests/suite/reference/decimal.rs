//! Exact decimals: a whole number and how many of its digits stand behind the point.
//! Amounts, units, attributes and sums are compared and added as written; no binary float comes near them.
//! A result beyond 38 digits is `None`: the specification calls an overflow an error.

use std::cmp::Ordering;

/// A decimal without trailing zeros behind the point, so that equal values are equal structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    digits: i128,
    places: u32,
}

impl Decimal {
    pub fn whole(number: i128) -> Decimal {
        Decimal { digits: number, places: 0 }
    }

    /// Reads `-?digits(.digits)?` and nothing else.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (before, after) = match unsigned.split_once('.') {
            Some((before, after)) if !after.is_empty() => (before, after),
            Some(_) => return None,
            None => (unsigned, ""),
        };
        if before.is_empty() || !before.bytes().chain(after.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits: i128 = format!("{before}{after}").parse().ok()?;
        let places = u32::try_from(after.len()).ok()?;
        Some(Decimal { digits: if negative { -digits } else { digits }, places }.trimmed())
    }

    fn trimmed(mut self) -> Decimal {
        while self.places > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.places -= 1;
        }
        self
    }

    fn digits_at(self, places: u32) -> Option<i128> {
        self.digits.checked_mul(10i128.checked_pow(places - self.places)?)
    }

    pub fn plus(self, other: Decimal) -> Option<Decimal> {
        let places = self.places.max(other.places);
        let digits = self.digits_at(places)?.checked_add(other.digits_at(places)?)?;
        Some(Decimal { digits, places }.trimmed())
    }

    pub fn negated(self) -> Decimal {
        Decimal { digits: -self.digits, places: self.places }
    }

    pub fn minus(self, other: Decimal) -> Option<Decimal> {
        self.plus(other.negated())
    }

    pub fn times(self, other: Decimal) -> Option<Decimal> {
        let digits = self.digits.checked_mul(other.digits)?;
        Some(Decimal { digits, places: self.places + other.places }.trimmed())
    }

    pub fn compare(self, other: Decimal) -> Option<Ordering> {
        let places = self.places.max(other.places);
        Some(self.digits_at(places)?.cmp(&other.digits_at(places)?))
    }

    pub fn exceeds(self, other: Decimal) -> bool {
        self.compare(other) == Some(Ordering::Greater)
    }

    pub fn is_negative(self) -> bool {
        self.digits < 0
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let places = self.places as usize;
        let text = format!("{:0>width$}", self.digits.unsigned_abs().to_string(), width = places + 1);
        let (before, after) = text.split_at(text.len() - places);
        if after.is_empty() { write!(out, "{sign}{before}") } else { write!(out, "{sign}{before}.{after}") }
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).expect("the test writes decimals")
    }

    #[test]
    fn decimals_print_plainly_and_compare_by_value() {
        for (text, printed) in
            [("100.00", "100"), ("0.50", "0.5"), ("-0.05", "-0.05"), ("10", "10"), ("0", "0"), ("0.00", "0")]
        {
            assert_eq!(d(text).to_string(), printed);
        }
        assert_eq!(d("1.10"), d("1.1"));
        assert!(d("100000.01").exceeds(d("100000")));
        assert_eq!(d("0.1").plus(d("0.2")), Some(d("0.3")));
        assert_eq!(d("1.5").times(d("-2")), Some(d("-3")));
        assert_eq!(Decimal::parse("1."), None);
        assert_eq!(Decimal::parse(".5"), None);
    }
}
