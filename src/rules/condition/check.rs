//! From the tree to the program: every name is resolved, every operand typed, every mistake named at its place.
//!
//! A mistake becomes [`Typed::Unknown`], which agrees with everything, so that one mistake is reported once and the
//! rest of the condition is still checked. Advice says what to write, since the reader is an analyst with a rule to
//! mend, not a programmer with a grammar.

use super::{
    ConditionError, Scope, advice, exact, pattern,
    program::{Comparison, Money, Number, Test, Text, Time},
    syntax::{Node, Operator, What},
};
use crate::{
    event::{ClientStatus, Field, FieldType},
    limits,
    number::Decimal,
    rules::{ListId, Unit, UnitId},
    time::Timestamp,
};
use regex::bytes::Regex;
use std::{collections::BTreeSet, ops::Range};

/// An operand and its type.
pub(super) enum Typed {
    Test(Test),
    Number(Number),
    Text(Text),
    Time(Time),
    /// An attribute, whose type is known only when an event carries it.
    Attribute(Field),
    /// A mistake that has been reported.
    Unknown,
}

impl Typed {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Typed::Test(_) => "true or false",
            Typed::Number(_) => "a number",
            Typed::Text(_) => "a text",
            Typed::Time(_) => "a time",
            Typed::Attribute(_) | Typed::Unknown => "an attribute",
        }
    }
}

/// Checks one condition.
pub(super) struct Checker<'c> {
    pub source: &'c str,
    pub scope: &'c Scope<'c>,
    pub fields: BTreeSet<Field>,
    /// The lists in which the event's address is looked for.
    pub address_lists: BTreeSet<ListId>,
    pub errors: Vec<ConditionError>,
}

impl<'c> Checker<'c> {
    /// Reports a mistake with advice; the operand agrees with everything from here on.
    fn refuse(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Typed {
        self.errors.push(ConditionError::new(span.clone(), message, help));
        Typed::Unknown
    }

    /// `typed`, unless something was wrong with what it is made of: its type is a guess then.
    fn unless_wrong(&self, errors_before: usize, typed: Typed) -> Typed {
        if self.errors.len() > errors_before { Typed::Unknown } else { typed }
    }

    fn written(&self, node: &Node<'_>) -> &'c str {
        &self.source[node.span.clone()]
    }

    fn typed(&mut self, node: &Node<'c>) -> Typed {
        match &node.what {
            What::Name(name) => self.name(name, &node.span),
            What::Number(number) => Typed::Number(Number::Constant(*number)),
            What::Text(text) => Typed::Text(Text::Constant(text.as_str().into())),
            What::Bool(truth) => Typed::Test(Test::Constant(*truth)),
            What::Null => self.refuse(&node.span, "there is no null", "whether there is a value is has(counterparty)"),
            What::Part { of, name } => self.part(of, name, &node.span),
            What::Index { of, index } => self.index(of, index, &node.span),
            What::Call { of, name, at, arguments } => self.call(of.as_deref(), name, at, arguments, node),
            What::List(_) => {
                self.refuse(&node.span, "a list stands only on the right of `in`", "write country in [\"KZ\", \"RU\"]")
            }
            What::Not(inner) => Typed::Test(Test::Not(Box::new(self.truth(inner)))),
            What::Negative(inner) => {
                let before = self.errors.len();
                let number = self.number(inner);
                self.unless_wrong(before, Typed::Number(negative(number)))
            }
            What::Joined { all, parts } => {
                let parts = parts.iter().map(|part| self.truth(part)).collect();
                Typed::Test(if *all { Test::All(parts) } else { Test::Any(parts) })
            }
            What::Binary { operator, at, sides } => self.binary(*operator, at, sides, &node.span),
            What::Choice(three) => {
                three.iter().for_each(|part| drop(self.typed(part)));
                self.refuse(&node.span, "there is no `? :`", "write (condition && yes) || (!condition && no)")
            }
        }
    }

    fn name(&mut self, name: &str, span: &Range<usize>) -> Typed {
        if let Some(field) = Field::KNOWN.iter().find(|field| field.name() == name) {
            return self.field(field.clone());
        }
        let (message, help) = advice::unknown_name(name, self.scope);
        self.refuse(span, message, help)
    }

    fn field(&mut self, field: Field) -> Typed {
        self.fields.insert(field.clone());
        match field.value_type() {
            FieldType::Text => Typed::Text(Text::Field(field)),
            FieldType::Number => Typed::Number(Number::Field(field)),
            FieldType::Bool => Typed::Test(Test::Flag(field)),
            FieldType::Time => Typed::Time(Time::Event),
            FieldType::Any => Typed::Attribute(field),
        }
    }

    fn part(&mut self, of: &Node<'c>, name: &str, span: &Range<usize>) -> Typed {
        match of.what {
            What::Name("attributes") => self.field(Field::Attribute(name.into())),
            What::Name("units") => match self.scope.units.iter().position(|unit| unit.name == name) {
                Some(place) => Typed::Number(Number::Unit(UnitId(place_of(place)))),
                None => {
                    let help = advice::one_of("units", name, self.scope.units.iter().map(|unit| unit.name.as_str()));
                    self.refuse(span, format!("there is no unit `{name}`"), help)
                }
            },
            What::Name("lists") => self.refuse(
                span,
                "a list stands only on the right of `in`",
                format!("write counterparty in lists.{name}"),
            ),
            What::Name(_) if Field::parse(name).is_some() && Field::parse(self.written(of)).is_none() => {
                self.refuse(span, format!("`{}` is not known", self.written(of)), format!("write {name}"))
            }
            _ => {
                if matches!(self.typed(of), Typed::Unknown) {
                    return Typed::Unknown;
                }
                let message = format!("`{}` has no parts", self.written(of));
                self.refuse(span, message, "only attributes, units and lists have parts, and those have none in turn")
            }
        }
    }

    fn index(&mut self, of: &Node<'c>, index: &Node<'c>, span: &Range<usize>) -> Typed {
        let help = match (&of.what, &index.what) {
            (What::Name(whole @ ("attributes" | "units" | "lists")), What::Text(name)) if is_plain_name(name) => {
                format!("write {whole}.{name}")
            }
            (What::Name("attributes"), What::Text(_)) => {
                "conditions see only attributes whose names are of letters, digits and _".to_owned()
            }
            _ => "a text is searched with contains, startsWith, endsWith or matches".to_owned(),
        };
        self.refuse(span, "there is no `[ ]` behind a value", help)
    }

    fn binary(&mut self, operator: Operator, at: &Range<usize>, sides: &[Node<'c>; 2], span: &Range<usize>) -> Typed {
        if let Some(comparison) = Comparison::of(operator) {
            return self.comparison(comparison, sides, span);
        }
        match operator {
            Operator::In => self.within(sides),
            Operator::Divide | Operator::Remainder => {
                sides.iter().for_each(|side| drop(self.number(side)));
                let help = advice::no_division(operator == Operator::Divide);
                self.refuse(at, format!("there is no `{}`", &self.source[at.clone()]), help)
            }
            _ => self.arithmetic(operator, sides),
        }
    }

    fn arithmetic(&mut self, operator: Operator, sides: &[Node<'c>; 2]) -> Typed {
        let before = self.errors.len();
        let [left, right] = [self.number(&sides[0]), self.number(&sides[1])];
        if self.errors.len() > before {
            return Typed::Unknown;
        }
        if let (Number::Constant(left), Number::Constant(right)) = (&left, &right) {
            let folded = match operator {
                Operator::Plus => exact::add(*left, *right),
                Operator::Minus => exact::subtract(*left, *right),
                _ => exact::multiply(*left, *right),
            };
            // One that overflows stays as it is: at run time it is an error, over which `&&` and `||` may pass.
            if let Some(number) = folded {
                return Typed::Number(Number::Constant(number));
            }
        }
        let sides = Box::new([left, right]);
        Typed::Number(match operator {
            Operator::Plus => Number::Sum(sides),
            Operator::Minus => Number::Difference(sides),
            _ => Number::Product(sides),
        })
    }

    fn comparison(&mut self, comparison: Comparison, nodes: &[Node<'c>; 2], span: &Range<usize>) -> Typed {
        let [left, right] = [self.typed(&nodes[0]), self.typed(&nodes[1])];
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let test = match (left, right) {
            (Typed::Unknown, _) | (_, Typed::Unknown) => return Typed::Unknown,
            (Typed::Attribute(left), Typed::Attribute(right)) => {
                Test::Attributes { comparison, sides: Box::new([left, right]) }
            }
            (left @ (Typed::Number(_) | Typed::Attribute(_)), right @ (Typed::Number(_) | Typed::Attribute(_))) => {
                numbers(comparison, [left, right].map(to_number), self.scope.units)
            }
            (left @ (Typed::Text(_) | Typed::Attribute(_)), right @ (Typed::Text(_) | Typed::Attribute(_))) => {
                let sides = [left, right].map(to_text);
                if equality {
                    self.possible(&sides[0], &sides[1], &nodes[1]);
                    self.possible(&sides[1], &sides[0], &nodes[0]);
                }
                texts(comparison, sides)
            }
            (Typed::Time(left), Typed::Time(right)) => Test::Times { comparison, sides: [left, right] },
            (Typed::Time(left), Typed::Text(Text::Constant(text))) => {
                Test::Times { comparison, sides: [left, self.time(&text, &nodes[1])] }
            }
            (Typed::Text(Text::Constant(text)), Typed::Time(right)) => {
                Test::Times { comparison, sides: [self.time(&text, &nodes[0]), right] }
            }
            (left @ (Typed::Test(_) | Typed::Attribute(_)), right @ (Typed::Test(_) | Typed::Attribute(_)))
                if equality =>
            {
                let sides = Box::new([left, right].map(to_test));
                Test::Same { equal: comparison == Comparison::Equal, sides }
            }
            (left, right) => {
                let [first, second] = [&nodes[0], &nodes[1]].map(|node| self.written(node));
                let (message, help) = advice::no_comparison((first, &left), (second, &right));
                return self.refuse(span, message, help);
            }
        };
        Typed::Test(test)
    }

    /// Reports a text that `field` can never be, where it is written as a literal: such a rule would never fire.
    fn possible(&mut self, field: &Text, literal: &Text, node: &Node<'c>) {
        let (Text::Field(field), Text::Constant(text)) = (field, literal) else { return };
        if let Some(help) = advice::impossible(field, text) {
            self.refuse(&node.span, format!("{} is never `{text}`", field.name()), help);
        }
    }

    fn time(&mut self, text: &str, node: &Node<'c>) -> Time {
        let time = Timestamp::parse(text).unwrap_or_else(|message| {
            self.refuse(&node.span, format!("`{text}` {message}"), advice::time_of(text));
            Timestamp::MIN
        });
        Time::Constant(time)
    }

    /// `left in right`.
    fn within(&mut self, nodes: &[Node<'c>; 2]) -> Typed {
        let [left, right] = nodes;
        match &right.what {
            What::Part { of, name } if matches!(of.what, What::Name("lists")) => self.listed(left, name, right),
            What::List(items) => self.among(left, items, right),
            _ => {
                let help = match (self.typed(left), self.typed(right)) {
                    (_, Typed::Unknown) => return Typed::Unknown,
                    (Typed::Text(_), Typed::Text(_)) => "whether a text holds another is counterparty.contains(\"77\")",
                    _ => "write country in [\"KZ\", \"RU\"] or counterparty in lists.mules",
                };
                let message = format!("`{}` is not a list", self.written(right));
                self.refuse(&right.span, message, help)
            }
        }
    }

    fn listed(&mut self, left: &Node<'c>, name: &str, right: &Node<'c>) -> Typed {
        let text = self.text(left);
        let Some(place) = self.scope.lists.iter().position(|list| list.name == name) else {
            let help = advice::one_of("lists", name, self.scope.lists.iter().map(|list| list.name.as_str()));
            return self.refuse(&right.span, format!("there is no list `{name}`"), help);
        };
        let list = ListId(place_of(place));
        Typed::Test(match text {
            Text::Field(Field::Ip) => {
                self.address_lists.insert(list);
                Test::ListedAddress(list)
            }
            text => Test::Listed { text, list },
        })
    }

    fn among(&mut self, left: &Node<'c>, items: &[Node<'c>], right: &Node<'c>) -> Typed {
        if items.is_empty() {
            return self.refuse(&right.span, "nothing is in an empty list", "name what it is compared with");
        }
        let value = self.typed(left);
        let typed: Vec<Typed> = items.iter().map(|item| self.typed(item)).collect();
        // An attribute takes its type from the items, of which the first that has one decides.
        let has_type = |typed: &&Typed| !matches!(typed, Typed::Attribute(_) | Typed::Unknown);
        let decider = std::iter::once(&value).chain(&typed).find(has_type);
        let [numbers, texts] = [matches!(decider, Some(Typed::Number(_))), matches!(decider, Some(Typed::Text(_)))];
        let other = decider.map(Typed::name);
        let mistaken = std::iter::once(&value).chain(&typed).any(|typed| matches!(typed, Typed::Unknown));
        let pairs = typed.into_iter().zip(items);
        if numbers {
            let among = pairs.map(|(item, node)| self.as_number(item, node)).collect();
            Typed::Test(Test::NumberIn { number: Box::new(to_number(value)), among })
        } else if texts {
            let text = to_text(value);
            let among: Box<[Text]> = pairs.map(|(item, node)| self.as_text(item, node)).collect();
            among.iter().zip(items).for_each(|(item, node)| self.possible(&text, item, node));
            Typed::Test(text_in(text, among))
        } else {
            let message = match other {
                Some(other) => format!("only numbers and texts are in lists, and this is {other}"),
                None if mistaken => return Typed::Unknown,
                None => "nothing here says of which type the attributes are".to_owned(),
            };
            self.refuse(&left.span, message, "compare with ==, && and ||")
        }
    }

    fn call(
        &mut self,
        of: Option<&Node<'c>>,
        name: &str,
        at: &Range<usize>,
        arguments: &[Node<'c>],
        node: &Node<'c>,
    ) -> Typed {
        match (of, name, arguments) {
            (None, "has", [argument]) => self.has(argument),
            (Some(of), "startsWith", [part]) => {
                Typed::Test(Test::StartsWith(Box::new([self.text(of), self.text(part)])))
            }
            (Some(of), "endsWith", [part]) => Typed::Test(Test::EndsWith(Box::new([self.text(of), self.text(part)]))),
            (Some(of), "contains", [part]) => Typed::Test(Test::Contains(Box::new([self.text(of), self.text(part)]))),
            (Some(of), "matches", [pattern]) => {
                let text = self.text(of);
                self.pattern(pattern)
                    .map_or(Typed::Unknown, |pattern| Typed::Test(Test::Matches { text, pattern: Box::new(pattern) }))
            }
            (_, "has" | "startsWith" | "endsWith" | "contains" | "matches", _) => {
                self.refuse(&node.span, format!("{name}() is not called like this"), advice::call_of(name))
            }
            _ => {
                // Its operands are left alone: macros bring names of their own.
                let (message, help) = advice::unknown_function(name);
                self.refuse(at, message, help)
            }
        }
    }

    fn has(&mut self, argument: &Node<'c>) -> Typed {
        let field = match &argument.what {
            What::Name(name) => Field::KNOWN.iter().find(|field| field.name() == *name).cloned(),
            What::Part { of, name } if matches!(of.what, What::Name("attributes")) => {
                Some(Field::Attribute((*name).into()))
            }
            _ => None,
        };
        if let Some(field) = field {
            self.fields.insert(field.clone());
            return Typed::Test(Test::Has(field));
        }
        if let What::Name(name) = argument.what
            && !["attributes", "units", "lists"].contains(&name)
        {
            return self.name(name, &argument.span);
        }
        self.refuse(&argument.span, "has() takes a field or attributes.name", advice::call_of("has"))
    }

    fn pattern(&mut self, node: &Node<'c>) -> Option<Regex> {
        let What::Text(pattern) = &node.what else {
            let help = "write the pattern itself, such as wallet.matches(\"^7701\")";
            self.refuse(&node.span, "the pattern of matches() is a text in quotes", help);
            return None;
        };
        match pattern::compile(pattern) {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                let (message, help) = advice::bad_pattern(&error);
                self.refuse(&node.span, message, help);
                None
            }
        }
    }

    /// What must be true or false: the whole condition, and what `!`, `&&` and `||` stand between.
    pub(super) fn truth(&mut self, node: &Node<'c>) -> Test {
        match self.typed(node) {
            typed @ (Typed::Test(_) | Typed::Attribute(_) | Typed::Unknown) => to_test(typed),
            other => {
                let message = format!("`{}` is {}, where true or false is needed", self.written(node), other.name());
                self.refuse(&node.span, message, advice::comparison_of(self.written(node), &other));
                to_test(Typed::Unknown)
            }
        }
    }

    fn number(&mut self, node: &Node<'c>) -> Number {
        let typed = self.typed(node);
        self.as_number(typed, node)
    }

    fn as_number(&mut self, typed: Typed, node: &Node<'c>) -> Number {
        match typed {
            typed @ (Typed::Number(_) | Typed::Attribute(_) | Typed::Unknown) => to_number(typed),
            other => {
                let message = format!("`{}` is {}, where a number is needed", self.written(node), other.name());
                self.refuse(&node.span, message, advice::number_of(&other));
                to_number(Typed::Unknown)
            }
        }
    }

    fn text(&mut self, node: &Node<'c>) -> Text {
        let typed = self.typed(node);
        self.as_text(typed, node)
    }

    fn as_text(&mut self, typed: Typed, node: &Node<'c>) -> Text {
        match typed {
            typed @ (Typed::Text(_) | Typed::Attribute(_) | Typed::Unknown) => to_text(typed),
            other => {
                let message = format!("`{}` is {}, where a text is needed", self.written(node), other.name());
                self.refuse(&node.span, message, advice::text_of(self.written(node), &other));
                to_text(Typed::Unknown)
            }
        }
    }
}

/// The operand as a number; whoever calls has made sure that it may be one.
fn to_number(typed: Typed) -> Number {
    match typed {
        Typed::Number(number) => number,
        Typed::Attribute(field) => Number::Field(field),
        _ => Number::Field(Field::Amount),
    }
}

fn to_text(typed: Typed) -> Text {
    match typed {
        Typed::Text(text) => text,
        Typed::Attribute(field) => Text::Field(field),
        _ => Text::Field(Field::Id),
    }
}

fn to_test(typed: Typed) -> Test {
    match typed {
        Typed::Test(test) => test,
        Typed::Attribute(field) => Test::Flag(field),
        _ => Test::Constant(false),
    }
}

fn negative(number: Number) -> Number {
    match number {
        Number::Constant(number) => Number::Constant(-number),
        number => Number::Negative(Box::new(number)),
    }
}

/// A comparison of numbers, in minor units where both sides are amounts of money.
fn numbers(comparison: Comparison, sides: [Number; 2], units: &[Unit]) -> Test {
    match sides.each_ref().map(|side| money(side, units)) {
        [Some(left), Some(right)] => Test::Money { comparison, sides: Box::new([left, right]) },
        _ => Test::Numbers { comparison, sides: Box::new(sides) },
    }
}

fn money(number: &Number, units: &[Unit]) -> Option<Money> {
    match number {
        Number::Field(Field::Amount) => Some(Money::Amount),
        Number::Field(Field::Balance) => Some(Money::Balance),
        Number::Constant(number) => minor_units(*number).map(Money::Minor),
        Number::Unit(unit) => dated(Decimal::ONE, *unit, units),
        Number::Product(sides) => match &**sides {
            [Number::Constant(times), Number::Unit(unit)] | [Number::Unit(unit), Number::Constant(times)] => {
                dated(*times, *unit, units)
            }
            _ => None,
        },
        _ => None,
    }
}

/// So many of a unit, worked out for every date of it; nothing where one of these is not whole in minor units.
fn dated(times: Decimal, unit: UnitId, units: &[Unit]) -> Option<Money> {
    let worth = &units[usize::from(unit.0)].worth;
    let minor = |worth: Decimal| minor_units(exact::multiply(times, worth)?);
    worth.iter().map(|(from, worth)| Some((*from, minor(*worth)?))).collect::<Option<_>>().map(Money::Dated)
}

fn minor_units(number: Decimal) -> Option<i64> {
    let minor = exact::multiply(number, Decimal::ONE_HUNDRED)?.normalize();
    if minor.scale() == 0 { i64::try_from(minor.mantissa()).ok() } else { None }
}

fn texts(comparison: Comparison, sides: [Text; 2]) -> Test {
    let equal = match comparison {
        Comparison::Equal => true,
        Comparison::NotEqual => false,
        _ => return Test::Texts { comparison, sides: Box::new(sides) },
    };
    match &sides {
        [Text::Field(Field::ClientStatus), Text::Constant(text)]
        | [Text::Constant(text), Text::Field(Field::ClientStatus)] => {
            Test::Status(ClientStatus::ALL.map(|status| (status.name() == &**text) == equal))
        }
        _ => Test::Texts { comparison, sides: Box::new(sides) },
    }
}

fn text_in(text: Text, among: Box<[Text]>) -> Test {
    let constants = among.iter().map(|item| match item {
        Text::Constant(text) => Some(&**text),
        Text::Field(_) => None,
    });
    match (&text, constants.collect::<Option<Vec<&str>>>()) {
        (Text::Field(Field::ClientStatus), Some(names)) => {
            Test::Status(ClientStatus::ALL.map(|status| names.contains(&status.name())))
        }
        _ => Test::TextIn { text, among },
    }
}

fn place_of(place: usize) -> u16 {
    const _: () = assert!(limits::UNITS < 1 << 16 && limits::LISTS < 1 << 16);
    u16::try_from(place).expect("units and lists are bounded by limits::UNITS and limits::LISTS")
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
