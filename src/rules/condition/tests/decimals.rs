//! Exact arithmetic against schoolbook arithmetic on decimal digits, which shares nothing with it.

use super::{super::exact, random::Dice};
use crate::number::Decimal;

/// A number as a sign, digits (least first) and how many of them stand behind the point.
#[derive(Clone, Debug, PartialEq)]
struct Digits {
    negative: bool,
    digits: Vec<u8>,
    behind: usize,
}

impl Digits {
    fn of(number: Decimal) -> Digits {
        let text = number.to_string();
        let plain = text.trim_start_matches('-');
        let behind = plain.split_once('.').map_or(0, |(_, after)| after.len());
        let digits = plain.bytes().rev().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
        Digits { negative: text.starts_with('-'), digits, behind }.trimmed()
    }

    fn trimmed(mut self) -> Digits {
        while self.behind > 0 && self.digits.first() == Some(&0) {
            self.digits.remove(0);
            self.behind -= 1;
        }
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        if self.digits.is_empty() {
            return Digits { negative: false, digits: Vec::new(), behind: 0 };
        }
        self
    }

    fn times(&self, other: &Digits) -> Digits {
        let mut digits = vec![0_u32; self.digits.len() + other.digits.len() + 1];
        for (i, a) in self.digits.iter().enumerate() {
            for (j, b) in other.digits.iter().enumerate() {
                digits[i + j] += u32::from(*a) * u32::from(*b);
            }
        }
        let digits = carried(digits);
        Digits { negative: self.negative != other.negative, digits, behind: self.behind + other.behind }.trimmed()
    }

    fn plus(&self, other: &Digits) -> Digits {
        let behind = self.behind.max(other.behind);
        let (left, right) = (self.shifted(behind), other.shifted(behind));
        if self.negative == other.negative {
            let length = left.len().max(right.len()) + 1;
            let digit = |digits: &[u8], place: usize| u32::from(digits.get(place).copied().unwrap_or(0));
            let sums = (0..length).map(|place| digit(&left, place) + digit(&right, place)).collect();
            return Digits { negative: self.negative, digits: carried(sums), behind }.trimmed();
        }
        let larger_first = {
            let (mut l, mut r) = (left.clone(), right.clone());
            l.resize(left.len().max(right.len()), 0);
            r.resize(left.len().max(right.len()), 0);
            l.iter().rev().ge(r.iter().rev())
        };
        let (large, small) = if larger_first { (left, right) } else { (right, left) };
        let (mut digits, mut borrow) = (Vec::new(), 0_u8);
        for (place, digit) in large.iter().enumerate() {
            let taken = small.get(place).copied().unwrap_or(0) + borrow;
            borrow = u8::from(*digit < taken);
            digits.push(digit + 10 * borrow - taken);
        }
        let negative = if larger_first { self.negative } else { other.negative };
        Digits { negative, digits, behind }.trimmed()
    }

    fn shifted(&self, behind: usize) -> Vec<u8> {
        let mut digits = vec![0; behind - self.behind];
        digits.extend(&self.digits);
        digits
    }

    /// Whether a mantissa of 96 bits and a scale up to 28 can hold it: by comparing digits.
    fn fits(&self) -> bool {
        const LARGEST: &str = "79228162514264337593543950335";
        let text: String = self.digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
        self.behind <= 28 && (text.len() < LARGEST.len() || text.len() == LARGEST.len() && text.as_str() <= LARGEST)
    }
}

fn carried(sums: Vec<u32>) -> Vec<u8> {
    let mut carry = 0;
    let mut digits: Vec<u8> = sums
        .into_iter()
        .map(|sum| {
            let all = sum + carry;
            carry = all / 10;
            last_digit(all)
        })
        .collect();
    while carry > 0 {
        digits.push(last_digit(carry));
        carry /= 10;
    }
    digits
}

fn last_digit(number: u32) -> u8 {
    u8::try_from(number % 10).expect("a digit fits")
}

/// A number below `bound`, as powers and scales are.
fn small(dice: &mut Dice, bound: u8) -> u32 {
    u32::try_from(dice.below(usize::from(bound))).expect("it is below a byte")
}

fn any(dice: &mut Dice) -> Decimal {
    let bits = small(dice, 97);
    let mut mantissa = (i128::from(dice.next()) << 64 | i128::from(dice.next())) & ((1_i128 << bits) - 1);
    // Round numbers are where trailing zeros decide whether a result can be held.
    match dice.below(4) {
        0 => mantissa = mantissa / 10_i128.pow(small(dice, 28)) * 10_i128.pow(small(dice, 10)),
        1 => mantissa = 2_i128.pow(small(dice, 96)),
        2 => mantissa = 5_i128.pow(small(dice, 41)),
        _ => {}
    }
    let mantissa = mantissa.min((1 << 96) - 1) * if dice.below(2) == 0 { 1 } else { -1 };
    Decimal::from_i128_with_scale(mantissa, small(dice, 29))
}

#[test]
fn a_result_is_exact_or_an_error() {
    for seed in 0..20_000 {
        let mut dice = Dice::new(seed);
        let (a, b) = (any(&mut dice), any(&mut dice));
        let check = |name: &str, got: Option<Decimal>, judged: Digits| {
            let expected = judged.fits().then_some(judged);
            assert_eq!(got.map(Digits::of), expected, "seed {seed}: {a} {name} {b}");
        };
        check("*", exact::multiply(a, b), Digits::of(a).times(&Digits::of(b)));
        check("+", exact::add(a, b), Digits::of(a).plus(&Digits::of(b)));
        check("-", exact::subtract(a, b), Digits::of(a).plus(&Digits::of(-b)));
    }
}

#[test]
fn rust_decimal_would_have_rounded() {
    let (third, tiny) = (Decimal::from_i128_with_scale(10_i128.pow(28) / 3, 28), Decimal::new(1, 1));
    assert!(third.checked_mul(tiny).is_some(), "it gives something");
    assert_eq!(exact::multiply(third, tiny), None, "which is not the product");
}
