//! Random conditions against a slow evaluator that walks what was generated and knows no program.

use super::{Given, Packs};

/// A small generator (splitmix64), so that a seed is the whole case.
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("bounds of tests are small");
        usize::try_from(self.next() % bound).expect("it is below a bound that was one")
    }

    pub fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.below(from.len())]
    }
}

/// A number in millionths of millionths, wide enough for what is generated here.
type Wide = i128;
const ONE: Wide = 1_000_000_000_000;

/// An expression as text and what it comes to.
struct Made<T> {
    text: String,
    value: Option<T>,
}

struct Maker<'d> {
    dice: &'d mut Dice,
    given: String,
}

impl Maker<'_> {
    fn given(&self, name: &str) -> Option<String> {
        let pairs = self.given.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(own, _)| *own == name).map(|(_, value)| value.to_owned()).next()
    }

    fn number(&mut self, depth: usize) -> Made<Wide> {
        if depth == 0 || self.dice.below(3) == 0 {
            return self.plain_number();
        }
        let (left, right) = (self.number(depth - 1), self.number(depth - 1));
        let both = left.value.zip(right.value);
        let (operator, value) = match self.dice.below(4) {
            0 => ("+", both.map(|(a, b)| a + b)),
            1 => ("-", both.map(|(a, b)| a - b)),
            2 => ("*", both.map(|(a, b)| a / 1_000_000 * (b / 1_000_000))),
            _ => return Made { text: format!("-({})", left.text), value: left.value.map(|a| -a) },
        };
        Made { text: format!("({} {operator} {})", left.text, right.text), value }
    }

    fn plain_number(&mut self) -> Made<Wide> {
        let name = *self.dice.pick(&["", "", "amount", "balance", "attributes.n", "attributes.t", "units.MCI"]);
        if name.is_empty() {
            let (whole, tenths) = (self.dice.below(12), self.dice.below(10));
            return Made {
                text: format!("{whole}.{tenths}"),
                value: Some(whole as Wide * ONE + tenths as Wide * ONE / 10),
            };
        }
        let value = match name {
            "units.MCI" => Some(4325 * ONE),
            "attributes.t" => None,
            _ => self.given(&name.replace("attributes.", "a.")).map(|text| wide(&text)),
        };
        Made { text: name.to_owned(), value }
    }

    fn text(&mut self) -> Made<String> {
        let name = *self.dice.pick(&["", "wallet", "merchant", "device", "attributes.t", "attributes.n"]);
        match name {
            "" => {
                let text = (*self.dice.pick(&["a", "ab", "b", "abc", ""])).to_owned();
                Made { text: format!("\"{text}\""), value: Some(text) }
            }
            "attributes.n" => Made { text: name.to_owned(), value: None },
            _ => Made { text: name.to_owned(), value: self.given(&name.replace("attributes.", "a.")) },
        }
    }

    fn test(&mut self, depth: usize) -> Made<bool> {
        if depth == 0 {
            return self.comparison();
        }
        let (left, right) = (self.test(depth - 1), self.test(depth - 1));
        let (a, b) = (left.value, right.value);
        let (text, value) = match self.dice.below(6) {
            0 | 1 => (format!("({} && {})", left.text, right.text), either(a, b, false)),
            2 | 3 => (format!("({} || {})", left.text, right.text), either(a, b, true)),
            4 => (format!("!({})", left.text), a.map(|a| !a)),
            _ => (format!("({} == {})", left.text, right.text), a.zip(b).map(|(a, b)| a == b)),
        };
        Made { text, value }
    }

    fn comparison(&mut self) -> Made<bool> {
        let operator = *self.dice.pick(&["==", "!=", "<", "<=", ">", ">="]);
        match self.dice.below(7) {
            0..=2 => {
                let (left, right) = (self.number(2), self.number(2));
                // Two attributes have no type until an event comes; the table of them is elsewhere.
                let text = format!("({} {operator} {} + 0)", left.text, right.text);
                Made { text, value: left.value.zip(right.value).map(|(a, b)| holds(operator, &a, &b)) }
            }
            3 => {
                let (left, right) = (self.text(), self.text());
                let value = left.value.as_ref().zip(right.value.as_ref()).map(|(a, b)| holds(operator, a, b));
                let both = left.text.starts_with("attr") && right.text.starts_with("attr");
                let right = if both { Made { text: "wallet".to_owned(), value: self.given("wallet") } } else { right };
                let value =
                    if both { left.value.zip(right.value).map(|(a, b)| holds(operator, &a, &b)) } else { value };
                Made { text: format!("({} {operator} {})", left.text, right.text), value }
            }
            4 => {
                let (left, right) = (self.text(), self.text());
                let (name, found): (_, fn(&str, &str) -> bool) = match self.dice.below(3) {
                    0 => ("startsWith", |a, b| a.starts_with(b)),
                    1 => ("endsWith", |a, b| a.ends_with(b)),
                    _ => ("contains", |a, b| a.contains(b)),
                };
                let value = left.value.zip(right.value).map(|(a, b)| found(&a, &b));
                Made { text: format!("{}.{name}({})", left.text, right.text), value }
            }
            5 => {
                let (value, items) = (self.number(1), [self.number(0), self.number(0), self.number(1)]);
                let list: Option<Vec<Wide>> = items.iter().map(|item| item.value).collect();
                let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
                let text = format!("({} + 0 in [{}, 7])", value.text, texts.join(", "));
                Made {
                    text,
                    value: value.value.zip(list).map(|(value, list)| value == 7 * ONE || list.contains(&value)),
                }
            }
            _ => {
                let name =
                    *self.dice.pick(&["amount", "balance", "merchant", "device", "attributes.n", "attributes.q"]);
                let value = self.given(&name.replace("attributes.", "a.")).is_some();
                Made { text: format!("has({name})"), value: Some(value) }
            }
        }
    }
}

/// `deciding` when one side is; an error when one side is; else the opposite.
fn either(left: Option<bool>, right: Option<bool>, deciding: bool) -> Option<bool> {
    if left == Some(deciding) || right == Some(deciding) {
        return Some(deciding);
    }
    left.and(right)
}

fn holds<T: PartialOrd>(operator: &str, left: &T, right: &T) -> bool {
    match operator {
        "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    }
}

fn wide(text: &str) -> Wide {
    let (whole, tenths) = text.split_once('.').expect("one decimal");
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let whole: Wide = whole.trim_start_matches('-').parse().expect("digits");
    sign * (whole * ONE + tenths.parse::<Wide>().expect("a digit") * ONE / 10)
}

/// A test of an event, as text.
pub(super) fn random_test(dice: &mut Dice, given: &str) -> String {
    let depth = dice.below(2);
    Maker { dice, given: given.to_owned() }.test(depth).text
}

pub(super) fn any_event(dice: &mut Dice) -> String {
    let mut given = "wallet=ab".to_owned();
    for (name, signed) in [("amount", false), ("balance", true), ("a.n", true)] {
        if dice.below(4) > 0 {
            let sign = if signed && dice.below(2) == 0 { "-" } else { "" };
            given += &format!(" {name}={sign}{}.{}", dice.below(12), dice.below(10));
        }
    }
    for name in ["merchant", "device", "a.t"] {
        if dice.below(4) > 0 {
            given += &format!(" {name}={}", dice.pick(&["a", "ab", "b", "abc", "c"]));
        }
    }
    given
}

#[test]
fn programs_do_what_their_text_says() {
    let packs = Packs::new();
    let mut outcomes = [0; 3];
    for seed in 0..20_000 {
        let mut dice = Dice::new(seed);
        let given = any_event(&mut dice);
        let depth = dice.below(4);
        let made = Maker { dice: &mut dice, given: given.clone() }.test(depth);
        if made.text.len() > crate::limits::CONDITION_BYTES {
            continue;
        }
        let condition =
            packs.compile(&made.text).unwrap_or_else(|errors| panic!("seed {seed}: {} {errors:#?}", made.text));
        let outcome = Given::parse(&given).outcome(&condition, &packs);
        assert_eq!(outcome, made.value, "seed {seed}: {} with {given}", made.text);
        outcomes[outcome.map_or(2, usize::from)] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 2_000), "one outcome is hardly ever tried: {outcomes:?}");
}
