//! What must be true of an event before a condition can hold, as keys that an index finds.
//!
//! Of each condition one *access predicate* is taken (Fabret and others, "Filtering Algorithms and Implementation for Very
//! Fast Publish/Subscribe Systems", SIGMOD 2001): of parts joined by `&&` the one that fewest events are likely to bear
//! out, of parts joined by `||` one of each. It is necessary and never sufficient, so whoever finds a condition by it still
//! has the condition judged. An error is not true either, so a part that needs a value is one that needs it to be there.
//!
//! A country or an anonymiser may cost a look-up, and is taken only where the condition itself would ask for it first.

use super::program::{Comparison, Money, Number, Test, Text, Time};
use crate::{
    event::Field,
    number::{Amount, Decimal},
    time::Timestamp,
};

/// Something that an index finds by one value of the event.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// A simple test comes to this: asked once an event for all conditions that need it.
    Fact(Fact),
    Number(Field, Range),
    Text(Field, Part, Box<str>),
}

#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub test: Test,
    pub truth: bool,
}

/// Numbers from `least` to `most`, both in, in millionths cut towards the lesser: what compares in some way as it is
/// compares so, or equal, when it is cut, whatever its decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub least: i128,
    pub most: i128,
}

/// Where in a text another stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Start,
    End,
}

/// Keys of which at least one fits every event for which the condition holds; nothing where any event may do.
pub(super) type Keys = Option<Vec<Key>>;

const MILLIONTHS: u32 = 6;
const MILLIONTHS_IN_MINOR: i128 = 10_000;

/// A number in millionths, cut.
pub(super) fn millionths(number: Decimal) -> i128 {
    match MILLIONTHS.checked_sub(number.scale()) {
        Some(more) => number.mantissa() * 10_i128.pow(more),
        None => number.mantissa().div_euclid(10_i128.pow(number.scale() - MILLIONTHS)),
    }
}

/// An amount in millionths.
pub(super) fn money(Amount(minor): Amount) -> i128 {
    i128::from(minor) * MILLIONTHS_IN_MINOR
}

/// What must be true where `test` comes to `truth`.
pub(super) fn keys(test: &Test, truth: bool) -> Keys {
    match test {
        Test::Constant(constant) => (*constant != truth).then(Vec::new),
        Test::Flag(_) | Test::Status(_) => fact(test, truth),
        Test::Has(field) if is_always_known(field) => (!truth).then(Vec::new),
        Test::Has(_) => fact(test, truth),
        Test::Not(inner) => keys(inner, !truth),
        Test::All(parts) if truth => all(parts, truth),
        Test::Any(parts) if !truth => all(parts, truth),
        Test::All(parts) | Test::Any(parts) => any(parts, truth),
        Test::Same { equal, sides } => match &**sides {
            [side, Test::Constant(constant)] | [Test::Constant(constant), side] => {
                keys(side, (*equal == truth) == *constant)
            }
            _ => None,
        },
        Test::Money { comparison, sides } => amounts(comparison.where_it_is(truth), sides),
        Test::Numbers { comparison, sides } => numbers(comparison.where_it_is(truth), sides),
        Test::Texts { comparison, sides } => match (comparison.where_it_is(truth), &**sides) {
            (
                Comparison::Equal,
                [Text::Field(field), Text::Constant(text)] | [Text::Constant(text), Text::Field(field)],
            ) => Some(vec![Key::Text(field.clone(), Part::Whole, text.clone())]),
            _ => sides.iter().find_map(has_text),
        },
        Test::Times { comparison, sides } => times(comparison.where_it_is(truth), *sides),
        Test::Attributes { sides, .. } => has(&sides[0]),
        Test::NumberIn { number, among } => number_in(number, among, truth),
        Test::TextIn { text, among } => text_in(text, among, truth),
        Test::Listed { text: Text::Field(_), .. } | Test::ListedAddress(_) if truth => fact(test, truth),
        Test::Listed { text, .. } => has_text(text),
        Test::ListedAddress(_) => has(&Field::Ip),
        Test::StartsWith(sides) => end_of_text(Part::Start, sides, truth),
        Test::EndsWith(sides) => end_of_text(Part::End, sides, truth),
        Test::Contains(sides) => sides.iter().find_map(has_text),
        Test::Matches { text, .. } => has_text(text),
    }
}

/// Of parts that must all come to `truth`, the one that fewest events bear out; bounds of one field are one range.
fn all(parts: &[Test], truth: bool) -> Keys {
    let (mut best, mut ranges): (Keys, Vec<(Field, Range)>) = (None, Vec::new());
    for (place, part) in parts.iter().enumerate() {
        let keys = keys(part, truth);
        if place > 0 && looks_up(&keys) {
            continue;
        }
        match keys.as_deref() {
            Some([Key::Number(field, range)]) => match ranges.iter_mut().find(|(other, _)| other == field) {
                Some((_, known)) => *known = known.and(*range),
                None => ranges.push((field.clone(), *range)),
            },
            _ => best = rarer(best, keys),
        }
    }
    let of_range = |(field, range): (Field, Range)| {
        Some(if range.least <= range.most { vec![Key::Number(field, range)] } else { Vec::new() })
    };
    ranges.into_iter().map(of_range).fold(best, rarer)
}

/// Of parts of which one must come to `truth`, one key or more of each.
fn any(parts: &[Test], truth: bool) -> Keys {
    let mut all = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let keys = keys(part, truth);
        if place > 0 && looks_up(&keys) {
            return None;
        }
        all.extend(keys?);
    }
    Some(all)
}

fn rarer(first: Keys, second: Keys) -> Keys {
    if commonness(&second) < commonness(&first) { second } else { first }
}

/// A guess at how many events bear the keys out, in no unit.
fn commonness(keys: &Keys) -> u8 {
    let of_key = |key: &Key| match key {
        Key::Text(Field::Type | Field::Currency, ..) | Key::Number(Field::Time, _) => 4,
        Key::Text(..) => 1,
        Key::Number(_, Range { least, most }) if least == most => 1,
        Key::Number(_, Range { least: i128::MIN, .. } | Range { most: i128::MAX, .. }) => 3,
        Key::Number(..) => 2,
        Key::Fact(Fact { test: Test::Listed { .. } | Test::ListedAddress(_), .. }) => 1,
        Key::Fact(Fact { test: Test::Flag(_), truth: true }) => 3,
        Key::Fact(Fact { test: Test::Has(_), .. }) => 5,
        Key::Fact(_) => 4,
    };
    keys.as_ref().map_or(u8::MAX, |keys| keys.iter().map(of_key).max().unwrap_or(0))
}

/// Whether some key asks for what may have to be looked up.
fn looks_up(keys: &Keys) -> bool {
    let of_field = |field: &Field| matches!(field, Field::Country | Field::Anonymous);
    let of_key = |key: &Key| match key {
        Key::Text(field, ..) | Key::Number(field, _) => of_field(field),
        Key::Fact(Fact { test, .. }) => match test {
            Test::Flag(field) | Test::Has(field) | Test::Listed { text: Text::Field(field), .. } => of_field(field),
            _ => false,
        },
    };
    keys.iter().flatten().any(of_key)
}

fn fact(test: &Test, truth: bool) -> Keys {
    Some(vec![Key::Fact(Fact { test: test.clone(), truth })])
}

/// There is a value.
fn has(field: &Field) -> Keys {
    if is_always_known(field) { None } else { fact(&Test::Has(field.clone()), true) }
}

fn has_text(text: &Text) -> Keys {
    match text {
        Text::Field(field) => has(field),
        Text::Constant(_) => None,
    }
}

fn has_number(number: &Number) -> Keys {
    match number {
        Number::Field(field) => has(field),
        Number::Constant(_) | Number::Unit(_) => None,
        Number::Negative(inner) => has_number(inner),
        Number::Sum(sides) | Number::Difference(sides) | Number::Product(sides) => sides.iter().find_map(has_number),
    }
}

fn is_always_known(field: &Field) -> bool {
    matches!(field, Field::Id | Field::Type | Field::Time | Field::Wallet | Field::Currency | Field::ClientStatus)
}

impl Range {
    fn and(self, other: Range) -> Range {
        Range { least: self.least.max(other.least), most: self.most.min(other.most) }
    }

    /// What compares so with something of this range; nothing where nearly all does.
    fn compared(self, comparison: Comparison) -> Option<Range> {
        Some(match comparison {
            Comparison::Equal => self,
            Comparison::NotEqual => return None,
            Comparison::Less | Comparison::AtMost => Range { least: i128::MIN, ..self },
            Comparison::More | Comparison::AtLeast => Range { most: i128::MAX, ..self },
        })
    }
}

impl Comparison {
    /// What two sides must be for the comparison to come to `truth`.
    fn where_it_is(self, truth: bool) -> Comparison {
        match self {
            _ if truth => self,
            Comparison::Equal => Comparison::NotEqual,
            Comparison::NotEqual => Comparison::Equal,
            Comparison::Less => Comparison::AtLeast,
            Comparison::AtMost => Comparison::More,
            Comparison::More => Comparison::AtMost,
            Comparison::AtLeast => Comparison::Less,
        }
    }

    /// The same of the sides the other way round.
    fn turned(self) -> Comparison {
        match self {
            Comparison::Equal | Comparison::NotEqual => self,
            Comparison::Less => Comparison::More,
            Comparison::AtMost => Comparison::AtLeast,
            Comparison::More => Comparison::Less,
            Comparison::AtLeast => Comparison::AtMost,
        }
    }
}

fn within(field: Field, comparison: Comparison, range: Range) -> Keys {
    match range.compared(comparison) {
        Some(range) => Some(vec![Key::Number(field, range)]),
        None => has(&field),
    }
}

fn amounts(comparison: Comparison, [left, right]: &[Money; 2]) -> Keys {
    let field = |side: &Money| match side {
        Money::Amount => Some(Field::Amount),
        Money::Balance => Some(Field::Balance),
        Money::Minor(_) | Money::Dated(_) => None,
    };
    match (field(left), field(right)) {
        (Some(left), Some(_)) => has(&left),
        (Some(field), None) => worth(right).map_or(Some(Vec::new()), |worth| within(field, comparison, worth)),
        (None, Some(field)) => worth(left).map_or(Some(Vec::new()), |worth| within(field, comparison.turned(), worth)),
        (None, None) => None,
    }
}

/// What an amount that is no field is on any day; nothing where it never is anything.
fn worth(side: &Money) -> Option<Range> {
    let range = |least: i64, most: i64| {
        let [least, most] = [least, most].map(|minor| money(Amount(minor)));
        Range { least, most }
    };
    match side {
        Money::Minor(minor) => Some(range(*minor, *minor)),
        Money::Dated(worth) => {
            let minor = || worth.iter().map(|(_, minor)| *minor);
            Some(range(minor().min()?, minor().max()?))
        }
        Money::Amount | Money::Balance => unreachable!("a field is told apart before"),
    }
}

fn numbers(comparison: Comparison, sides: &[Number; 2]) -> Keys {
    match sides {
        [Number::Field(field), Number::Constant(number)] => within(field.clone(), comparison, point(*number)),
        [Number::Constant(number), Number::Field(field)] => within(field.clone(), comparison.turned(), point(*number)),
        _ => sides.iter().find_map(has_number),
    }
}

fn point(number: Decimal) -> Range {
    let number = millionths(number);
    Range { least: number, most: number }
}

fn times(comparison: Comparison, sides: [Time; 2]) -> Keys {
    let at = |Timestamp(time): Timestamp| Range { least: time.into(), most: time.into() };
    match sides {
        [Time::Event, Time::Constant(time)] => within(Field::Time, comparison, at(time)),
        [Time::Constant(time), Time::Event] => within(Field::Time, comparison.turned(), at(time)),
        [Time::Event, Time::Event] | [Time::Constant(_), Time::Constant(_)] => None,
    }
}

fn number_in(number: &Number, among: &[Number], truth: bool) -> Keys {
    let constant = |item: &Number| match item {
        Number::Constant(number) => Some(point(*number)),
        _ => None,
    };
    match (number, among.iter().map(constant).collect::<Option<Vec<Range>>>()) {
        (Number::Field(field), Some(points)) if truth => {
            Some(points.into_iter().map(|point| Key::Number(field.clone(), point)).collect())
        }
        _ => has_number(number),
    }
}

fn text_in(text: &Text, among: &[Text], truth: bool) -> Keys {
    let constant = |item: &Text| match item {
        Text::Constant(text) => Some(text.clone()),
        Text::Field(_) => None,
    };
    match (text, among.iter().map(constant).collect::<Option<Vec<Box<str>>>>()) {
        (Text::Field(field), Some(texts)) if truth => {
            Some(texts.into_iter().map(|text| Key::Text(field.clone(), Part::Whole, text)).collect())
        }
        _ => has_text(text),
    }
}

fn end_of_text(part: Part, sides: &[Text; 2], truth: bool) -> Keys {
    match sides {
        [Text::Field(field), Text::Constant(text)] if truth => Some(vec![Key::Text(field.clone(), part, text.clone())]),
        _ => sides.iter().find_map(has_text),
    }
}
