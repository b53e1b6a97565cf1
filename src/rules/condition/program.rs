//! A condition as it is evaluated: typed, with every name resolved and every literal read.
//!
//! Nothing is allocated and nothing is looked up by name but attributes. An operand that has no value, is of another
//! type or overflows gives `None`, CEL's error; `&&` and `||` pass over it when another part decides, and whatever
//! else meets it becomes `None` too. Parts are taken from left to right and only as far as they are needed, because
//! a country or an anonymiser may cost a look-up.

use super::{exact, syntax::Operator};
use crate::{
    event::{ClientStatus, Field, Scalar, Value},
    facts::Facts,
    number::Decimal,
    rules::{List, ListId, Unit, UnitId},
    time::{Timestamp, Zone},
};
use regex::bytes::Regex;

/// What is true, false or, as `None`, an error.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Constant(bool),
    Flag(Field),
    Has(Field),
    Not(Box<Test>),
    All(Box<[Test]>),
    Any(Box<[Test]>),
    /// Two truths are equal, or are not.
    Same {
        equal: bool,
        sides: Box<[Test; 2]>,
    },
    /// The client's status is one of those marked, in the order of [`ClientStatus::ALL`].
    Status([bool; 3]),
    /// Amounts of money, compared in minor units.
    Money {
        comparison: Comparison,
        sides: Box<[Money; 2]>,
    },
    Numbers {
        comparison: Comparison,
        sides: Box<[Number; 2]>,
    },
    Texts {
        comparison: Comparison,
        sides: Box<[Text; 2]>,
    },
    Times {
        comparison: Comparison,
        sides: [Time; 2],
    },
    /// Two attributes, whose types are known only when an event carries them.
    Attributes {
        comparison: Comparison,
        sides: Box<[Field; 2]>,
    },
    NumberIn {
        number: Box<Number>,
        among: Box<[Number]>,
    },
    TextIn {
        text: Text,
        among: Box<[Text]>,
    },
    /// A text that is in one of the packs' lists, as a text: ranges count for the event's address only.
    Listed {
        text: Text,
        list: ListId,
    },
    /// The event's address is.
    ListedAddress(ListId),
    StartsWith(Box<[Text; 2]>),
    EndsWith(Box<[Text; 2]>),
    Contains(Box<[Text; 2]>),
    Matches {
        text: Text,
        pattern: Box<Regex>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Debug)]
pub(super) enum Number {
    Constant(Decimal),
    Field(Field),
    Unit(UnitId),
    Negative(Box<Number>),
    Sum(Box<[Number; 2]>),
    Difference(Box<[Number; 2]>),
    Product(Box<[Number; 2]>),
}

#[derive(Clone, Debug)]
pub(super) enum Money {
    Minor(i64),
    Amount,
    Balance,
    /// A unit's worth, or a multiple of it, from each local date on, rising.
    Dated(Box<[(i64, i64)]>),
}

#[derive(Clone, Debug)]
pub(super) enum Text {
    Constant(Box<str>),
    Field(Field),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Time {
    Constant(Timestamp),
    Event,
}

impl Comparison {
    /// What an operator compares, where it compares at all.
    pub(crate) fn of(operator: Operator) -> Option<Comparison> {
        Some(match operator {
            Operator::Equal => Comparison::Equal,
            Operator::NotEqual => Comparison::NotEqual,
            Operator::Less => Comparison::Less,
            Operator::AtMost => Comparison::AtMost,
            Operator::More => Comparison::More,
            Operator::AtLeast => Comparison::AtLeast,
            _ => return None,
        })
    }

    #[inline]
    pub(crate) fn holds<T: Ord + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
            Comparison::More => left > right,
            Comparison::AtLeast => left >= right,
        }
    }
}

/// One event and everything else that a condition may look at. `attribute` gives an attribute of the event by name.
pub(super) struct Scene<'s, A> {
    pub facts: &'s Facts<'s>,
    pub attribute: A,
    pub units: &'s [Unit],
    pub lists: &'s [List],
    pub zone: &'s Zone,
}

impl<'s, A: Fn(&str) -> Option<Scalar<'s>>> Scene<'s, A> {
    pub(super) fn test(&self, test: &Test) -> Option<bool> {
        match test {
            Test::Constant(truth) => Some(*truth),
            Test::Flag(Field::Anonymous) => self.facts.anonymous(),
            Test::Flag(field) => match self.value(field)? {
                Value::Bool(flag) => Some(flag),
                _ => None,
            },
            Test::Has(Field::Attribute(name)) => Some((self.attribute)(name).is_some()),
            Test::Has(field) => Some(self.facts.has(field)),
            Test::Not(inner) => self.test(inner).map(|truth| !truth),
            Test::All(parts) => self.joined(parts, false),
            Test::Any(parts) => self.joined(parts, true),
            Test::Same { equal, sides } => Some((self.test(&sides[0])? == self.test(&sides[1])?) == *equal),
            Test::Status(among) => Some(among[status_place(self.facts.client_status)]),
            Test::Money { comparison, sides } => {
                Some(comparison.holds(&self.money(&sides[0])?, &self.money(&sides[1])?))
            }
            Test::Numbers { comparison, sides } => {
                Some(comparison.holds(&self.number(&sides[0])?, &self.number(&sides[1])?))
            }
            Test::Texts { comparison, sides } => Some(comparison.holds(self.text(&sides[0])?, self.text(&sides[1])?)),
            Test::Times { comparison, sides } => Some(comparison.holds(&self.time(sides[0]), &self.time(sides[1]))),
            Test::Attributes { comparison, sides } => {
                compare(*comparison, self.value(&sides[0])?, self.value(&sides[1])?)
            }
            Test::NumberIn { number, among } => self.number_in(self.number(number)?, among),
            Test::TextIn { text, among } => self.text_in(self.text(text)?, among),
            Test::Listed { text, list } => Some(self.list(*list).has_name(self.text(text)?, self.facts.event.time)),
            Test::ListedAddress(list) => self.listed_address(*list),
            Test::StartsWith(sides) => Some(self.text(&sides[0])?.starts_with(self.text(&sides[1])?)),
            Test::EndsWith(sides) => Some(self.text(&sides[0])?.ends_with(self.text(&sides[1])?)),
            Test::Contains(sides) => {
                let (text, part) = (self.text(&sides[0])?, self.text(&sides[1])?);
                Some(memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some())
            }
            Test::Matches { text, pattern } => Some(pattern.is_match(self.text(text)?.as_bytes())),
        }
    }

    /// `deciding` if any part is; else an error if any part is; else the opposite.
    fn joined(&self, parts: &[Test], deciding: bool) -> Option<bool> {
        let mut undecided = Some(!deciding);
        for part in parts {
            match self.test(part) {
                Some(truth) if truth == deciding => return Some(deciding),
                Some(_) => {}
                None => undecided = None,
            }
        }
        undecided
    }

    /// CEL builds the whole list first, so an item that is an error spoils it wherever the value is found.
    fn number_in(&self, number: Decimal, among: &[Number]) -> Option<bool> {
        among.iter().try_fold(false, |found, item| Some(found | (self.number(item)? == number)))
    }

    fn text_in(&self, text: &str, among: &[Text]) -> Option<bool> {
        among.iter().try_fold(false, |found, item| Some(found | (self.text(item)? == text)))
    }

    fn listed_address(&self, list: ListId) -> Option<bool> {
        let (list, time) = (self.list(list), self.facts.event.time);
        let address = self.facts.event.ip?;
        Some(
            list.networks.contains(address, time)
                || (!list.texts.is_empty() && list.has_name(self.facts.ip_text()?, time)),
        )
    }

    fn list(&self, id: ListId) -> &'s List {
        &self.lists[usize::from(id.0)]
    }

    pub(super) fn value(&self, field: &Field) -> Option<Value<'s>> {
        let Field::Attribute(name) = field else { return self.facts.value(field) };
        (self.attribute)(name).map(|value| match value {
            Scalar::Text(text) => Value::Text(text),
            Scalar::Number(number) => Value::Number(number),
            Scalar::Bool(flag) => Value::Bool(flag),
        })
    }

    #[inline]
    fn money(&self, money: &Money) -> Option<i64> {
        match money {
            Money::Minor(minor) => Some(*minor),
            Money::Amount => self.facts.event.amount.map(|amount| amount.0),
            Money::Balance => self.facts.event.balance.map(|amount| amount.0),
            Money::Dated(worth) => {
                let date = self.zone.date(self.facts.event.time);
                // Most events are of the newest date's time.
                worth.iter().rev().find(|(from, _)| *from <= date).map(|(_, minor)| *minor)
            }
        }
    }

    fn number(&self, number: &Number) -> Option<Decimal> {
        match number {
            Number::Constant(number) => Some(*number),
            Number::Field(field) => match self.value(field)? {
                Value::Number(number) => Some(number),
                _ => None,
            },
            Number::Unit(unit) => self.units[usize::from(unit.0)].on(self.zone.date(self.facts.event.time)),
            Number::Negative(inner) => self.number(inner).map(|number| -number),
            Number::Sum(sides) => exact::add(self.number(&sides[0])?, self.number(&sides[1])?),
            Number::Difference(sides) => exact::subtract(self.number(&sides[0])?, self.number(&sides[1])?),
            Number::Product(sides) => exact::multiply(self.number(&sides[0])?, self.number(&sides[1])?),
        }
    }

    fn text<'t>(&self, text: &'t Text) -> Option<&'t str>
    where
        's: 't,
    {
        match text {
            Text::Constant(text) => Some(text),
            Text::Field(field) => self.text_of(field),
        }
    }

    #[inline]
    pub(super) fn text_of(&self, field: &Field) -> Option<&'s str> {
        match self.value(field)? {
            Value::Text(text) => Some(text),
            Value::Ip(_) => self.facts.ip_text(),
            _ => None,
        }
    }

    fn time(&self, time: Time) -> Timestamp {
        match time {
            Time::Constant(time) => time,
            Time::Event => self.facts.event.time,
        }
    }
}

fn status_place(status: ClientStatus) -> usize {
    match status {
        ClientStatus::Unregistered => 0,
        ClientStatus::Unidentified => 1,
        ClientStatus::Identified => 2,
    }
}

/// Compares the values of two attributes; different types, or an order of truths, is an error.
fn compare(comparison: Comparison, left: Value<'_>, right: Value<'_>) -> Option<bool> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(comparison.holds(left, right)),
        (Value::Number(left), Value::Number(right)) => Some(comparison.holds(&left, &right)),
        (Value::Bool(left), Value::Bool(right)) => match comparison {
            Comparison::Equal => Some(left == right),
            Comparison::NotEqual => Some(left != right),
            _ => None,
        },
        _ => None,
    }
}
