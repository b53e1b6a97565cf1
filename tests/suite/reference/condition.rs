//! Conditions: a small recursive-descent reader and evaluator of the subset of CEL that the packs may use.
//! An evaluation gives a value or an error; `&&` and `||` let the other side decide, and an error left over is false.
//! Packs are validated elsewhere, so what the grammar lacks simply panics.

use std::cmp::Ordering;
use std::net::IpAddr;

use super::decimal::Decimal;
use super::event::{Event, Value};

/// What a condition sees beside the event.
pub trait Surroundings {
    /// A unit's worth on the event's local date.
    fn unit(&self, name: &str, event: &Event) -> Option<Decimal>;
    /// Whether an entry of the list, in force at the event's time, holds the value.
    fn listed(&self, value: &Value, list: &str, event: &Event) -> bool;
    /// The mistake of letting an error win over the other side.
    fn error_wins(&self) -> bool;
}

#[derive(Clone, Debug)]
pub struct Condition(Expression);

#[derive(Clone, Debug)]
enum Expression {
    Literal(Value),
    Field(String),
    Unit(String),
    Has(String),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Two(Box<Expression>, Operator, Box<Expression>),
    InList(Box<Expression>, String),
    InLiterals(Box<Expression>, Vec<Expression>),
    Call(Box<Expression>, String, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Or,
    And,
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
}

/// An error of CEL: it decides nothing.
struct Undecided;

impl Condition {
    pub fn parse(text: &str) -> Condition {
        let mut reader = Reader { tokens: tokens(text), at: 0 };
        let expression = reader.either();
        assert!(reader.at == reader.tokens.len(), "a condition ends at its end: {text}");
        Condition(expression)
    }

    pub fn holds(&self, event: &Event, around: &dyn Surroundings) -> bool {
        matches!(self.0.evaluate(event, around), Ok(Value::Bool(true)))
    }
}

impl Expression {
    fn evaluate(&self, event: &Event, around: &dyn Surroundings) -> Result<Value, Undecided> {
        match self {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Field(name) => event.field(name).ok_or(Undecided),
            Expression::Unit(name) => around.unit(name, event).map(Value::Number).ok_or(Undecided),
            Expression::Has(name) => Ok(Value::Bool(event.field(name).is_some())),
            Expression::Not(inner) => Ok(Value::Bool(!truth(inner.evaluate(event, around)?)?)),
            Expression::Negative(inner) => Ok(Value::Number(number(&inner.evaluate(event, around)?)?.negated())),
            Expression::Two(left, operator @ (Operator::Or | Operator::And), right) => {
                let left = left.evaluate(event, around).and_then(truth);
                let right = right.evaluate(event, around).and_then(truth);
                connect(left, *operator, right, around.error_wins()).map(Value::Bool)
            }
            Expression::Two(left, operator, right) => {
                combine(&left.evaluate(event, around)?, *operator, &right.evaluate(event, around)?)
            }
            Expression::InList(item, list) => {
                Ok(Value::Bool(around.listed(&item.evaluate(event, around)?, list, event)))
            }
            Expression::InLiterals(item, literals) => {
                let item = item.evaluate(event, around)?;
                let mut found = false;
                for literal in literals {
                    found |= order(&item, &literal.evaluate(event, around)?)? == Ordering::Equal;
                }
                Ok(Value::Bool(found))
            }
            Expression::Call(text, function, argument) => {
                let (text, argument) =
                    (string(&text.evaluate(event, around)?)?, string(&argument.evaluate(event, around)?)?);
                Ok(Value::Bool(match function.as_str() {
                    "startsWith" => text.starts_with(&argument),
                    "endsWith" => text.ends_with(&argument),
                    "contains" => text.contains(&argument),
                    "matches" => regex::Regex::new(&argument).expect("packs are validated elsewhere").is_match(&text),
                    other => panic!("no function {other}"),
                }))
            }
        }
    }
}

fn connect(
    left: Result<bool, Undecided>,
    operator: Operator,
    right: Result<bool, Undecided>,
    error_wins: bool,
) -> Result<bool, Undecided> {
    if error_wins {
        let (left, right) = (left?, right?);
        return Ok(if operator == Operator::Or { left || right } else { left && right });
    }
    let decisive = operator == Operator::Or;
    match (left, right) {
        (Ok(one), _) | (_, Ok(one)) if one == decisive => Ok(decisive),
        (Ok(_), Ok(_)) => Ok(!decisive),
        _ => Err(Undecided),
    }
}

fn truth(value: Value) -> Result<bool, Undecided> {
    match value {
        Value::Bool(yes) => Ok(yes),
        _ => Err(Undecided),
    }
}

fn number(value: &Value) -> Result<Decimal, Undecided> {
    match value {
        Value::Number(number) => Ok(*number),
        _ => Err(Undecided),
    }
}

fn string(value: &Value) -> Result<String, Undecided> {
    match value {
        Value::Text(_) | Value::Address(_) => Ok(value.to_string()),
        _ => Err(Undecided),
    }
}

/// Order within one type; between two types there is none, and that is an error.
fn order(left: &Value, right: &Value) -> Result<Ordering, Undecided> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.compare(*right).ok_or(Undecided),
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
        _ => Ok(string(left)?.cmp(&string(right)?)),
    }
}

fn combine(left: &Value, operator: Operator, right: &Value) -> Result<Value, Undecided> {
    let compared = |good: fn(Ordering) -> bool| order(left, right).map(|found| Value::Bool(good(found)));
    let calculated = |with: fn(Decimal, Decimal) -> Option<Decimal>| {
        with(number(left)?, number(right)?).map(Value::Number).ok_or(Undecided)
    };
    match operator {
        Operator::Equal => compared(Ordering::is_eq),
        Operator::Different => compared(Ordering::is_ne),
        Operator::Less => compared(Ordering::is_lt),
        Operator::LessOrEqual => compared(Ordering::is_le),
        Operator::Greater => compared(Ordering::is_gt),
        Operator::GreaterOrEqual => compared(Ordering::is_ge),
        Operator::Plus => match (left, right) {
            (Value::Number(_), _) | (_, Value::Number(_)) => calculated(Decimal::plus),
            _ => Ok(Value::Text(string(left)? + &string(right)?)),
        },
        Operator::Minus => calculated(Decimal::minus),
        Operator::Times => calculated(Decimal::times),
        Operator::Or | Operator::And => unreachable!("connected, not combined"),
    }
}

/// Whether a list's entry holds the value: an address or a range for `ip`, the text itself otherwise.
pub fn entry_holds(entry: &str, value: &Value) -> bool {
    let Value::Address(address) = value else { return entry == value.to_string() };
    let (base, bits) = match entry.split_once('/') {
        Some((base, bits)) => (base, bits.parse().ok()),
        None => (entry, None),
    };
    let Ok(base) = base.parse::<IpAddr>() else { return false };
    let (base, base_width) = address_bits(base);
    let (address, width) = address_bits(*address);
    if base_width != width {
        return false;
    }
    let bits: u32 = bits.unwrap_or(width);
    bits == 0 || (base >> (width - bits)) == (address >> (width - bits))
}

fn address_bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Number(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: &[&str] =
    &["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ",", ".", "+", "-", "*"];

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return found };
        let length = if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(Token::Name(rest[..length].to_owned()));
            length
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            found.push(Token::Number(rest[..length].to_owned()));
            length
        } else if first == '"' || first == '\'' {
            let (content, length) = quoted(rest, first);
            found.push(Token::Text(content));
            length
        } else {
            let sign =
                SIGNS.iter().find(|sign| rest.starts_with(**sign)).unwrap_or_else(|| panic!("no sign at {rest}"));
            found.push(Token::Sign(sign));
            sign.len()
        };
        rest = &rest[length..];
    }
}

/// The content of a quoted string and its length with the quotes.
fn quoted(text: &str, quote: char) -> (String, usize) {
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next().expect("packs are validated elsewhere").1 {
                'n' => content.push('\n'),
                't' => content.push('\t'),
                'r' => content.push('\r'),
                other => content.push(other),
            },
            _ if character == quote => return (content, at + 1),
            _ => content.push(character),
        }
    }
    panic!("a string ends with its quote: {text}")
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn eat(&mut self, sign: &str) -> bool {
        let there = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &str) {
        assert!(self.eat(sign), "{sign} is missing in {:?}", self.tokens);
    }

    fn next(&mut self) -> Token {
        let token = self.tokens.get(self.at).cloned().expect("a condition does not stop midway");
        self.at += 1;
        token
    }

    fn name(&mut self) -> String {
        match self.next() {
            Token::Name(name) => name,
            other => panic!("{other:?} is no name"),
        }
    }

    fn either(&mut self) -> Expression {
        let mut left = self.both();
        while self.eat("||") {
            left = Expression::Two(Box::new(left), Operator::Or, Box::new(self.both()));
        }
        left
    }

    fn both(&mut self) -> Expression {
        let mut left = self.relation();
        while self.eat("&&") {
            left = Expression::Two(Box::new(left), Operator::And, Box::new(self.relation()));
        }
        left
    }

    fn relation(&mut self) -> Expression {
        let mut left = self.sum();
        loop {
            if self.tokens.get(self.at) == Some(&Token::Name("in".to_owned())) {
                self.at += 1;
                left = self.membership(left);
                continue;
            }
            let pairs = [
                ("==", Operator::Equal),
                ("!=", Operator::Different),
                ("<=", Operator::LessOrEqual),
                (">=", Operator::GreaterOrEqual),
                ("<", Operator::Less),
                (">", Operator::Greater),
            ];
            let Some((_, operator)) = pairs.into_iter().find(|(sign, _)| self.eat(sign)) else { return left };
            left = Expression::Two(Box::new(left), operator, Box::new(self.sum()));
        }
    }

    fn membership(&mut self, item: Expression) -> Expression {
        if self.eat("[") {
            let mut literals = Vec::new();
            while !self.eat("]") {
                literals.push(self.either());
                self.eat(",");
            }
            return Expression::InLiterals(Box::new(item), literals);
        }
        assert_eq!(self.name(), "lists");
        self.expect(".");
        Expression::InList(Box::new(item), self.name())
    }

    fn sum(&mut self) -> Expression {
        let mut left = self.product();
        loop {
            let operator = if self.eat("+") {
                Operator::Plus
            } else if self.eat("-") {
                Operator::Minus
            } else {
                return left;
            };
            left = Expression::Two(Box::new(left), operator, Box::new(self.product()));
        }
    }

    fn product(&mut self) -> Expression {
        let mut left = self.unary();
        while self.eat("*") {
            left = Expression::Two(Box::new(left), Operator::Times, Box::new(self.unary()));
        }
        left
    }

    fn unary(&mut self) -> Expression {
        if self.eat("!") {
            return Expression::Not(Box::new(self.unary()));
        }
        if self.eat("-") {
            return Expression::Negative(Box::new(self.unary()));
        }
        let mut value = self.primary();
        while self.eat(".") {
            let function = self.name();
            self.expect("(");
            let argument = self.either();
            self.expect(")");
            value = Expression::Call(Box::new(value), function, Box::new(argument));
        }
        value
    }

    fn primary(&mut self) -> Expression {
        if self.eat("(") {
            let inner = self.either();
            self.expect(")");
            return inner;
        }
        match self.next() {
            Token::Number(text) => {
                Expression::Literal(Value::Number(Decimal::parse(&text).expect("packs are validated elsewhere")))
            }
            Token::Text(text) => Expression::Literal(Value::Text(text)),
            Token::Name(name) => match name.as_str() {
                "true" | "false" => Expression::Literal(Value::Bool(name == "true")),
                "units" => {
                    self.expect(".");
                    Expression::Unit(self.name())
                }
                "has" => {
                    self.expect("(");
                    let name = self.name();
                    let field = self.field(name);
                    self.expect(")");
                    Expression::Has(field)
                }
                _ => Expression::Field(self.field(name)),
            },
            Token::Sign(sign) => panic!("{sign} begins nothing"),
        }
    }

    /// A bare field, or `attributes` and the name behind its point.
    fn field(&mut self, name: String) -> String {
        if name != "attributes" {
            return name;
        }
        self.expect(".");
        format!("attributes.{}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Around;

    impl Surroundings for Around {
        fn unit(&self, name: &str, _: &Event) -> Option<Decimal> {
            (name == "MCI").then(|| Decimal::whole(4325))
        }
        fn listed(&self, value: &Value, list: &str, _: &Event) -> bool {
            match list {
                "shared" => entry_holds("10.0.0.0/8", value) || entry_holds("2001:db8::1", value),
                _ => entry_holds("7702", value),
            }
        }
        fn error_wins(&self) -> bool {
            false
        }
    }

    #[test]
    fn conditions_follow_cel() {
        let text = |text: &str| Value::Text(text.to_owned());
        let number = |text: &str| Value::Number(Decimal::parse(text).unwrap());
        let fields = BTreeMap::from([
            ("amount".to_owned(), number("432500.01")),
            ("counterparty".to_owned(), text("7702")),
            ("ip".to_owned(), Value::Address("10.1.2.3".parse().unwrap())),
            ("anonymous".to_owned(), Value::Bool(true)),
            ("attributes.tag".to_owned(), text("ab")),
            ("attributes.size".to_owned(), number("2.5")),
        ]);
        let event = Event { id: "e".into(), kind: "transfer".into(), time: 0, wallet: "w".into(), fields };
        for (condition, holds) in [
            ("amount > 100 * units.MCI", true),
            ("amount >= 432500.010", true),
            ("amount > 100 * units.MCI + 1", false),
            ("amount - 0.01 == 432500", true),
            ("2 + 3 * 2 == 8", true),
            ("-1 < 0 && !(1 < 0)", true),
            ("anonymous", true),
            ("!anonymous || country == \"KZ\"", false),
            ("country == \"KZ\" || anonymous", true),
            ("anonymous || country == \"KZ\"", true),
            ("!(country == \"KZ\" && !anonymous)", true),
            ("country != \"KZ\"", false),
            ("!(country == \"KZ\")", false),
            ("has(country)", false),
            ("has(attributes.tag) && !has(attributes.none)", true),
            ("attributes.tag > 5", false),
            ("attributes.tag != 5", false),
            ("attributes.size > 2", true),
            ("units.MRP > 0", false),
            ("counterparty in lists.mules", true),
            ("ip in lists.shared", true),
            ("ip == '10.1.2.3' && ip.startsWith(\"10.\")", true),
            ("attributes.tag in [\"x\", 'ab']", true),
            ("amount in [1, 2]", false),
            ("attributes.tag.contains('b') && attributes.tag.endsWith('b')", true),
            ("attributes.tag.matches('^a.$')", true),
            ("attributes.tag.matches('b')", true),
            ("attributes.size.contains('2')", false),
        ] {
            assert_eq!(Condition::parse(condition).holds(&event, &Around), holds, "{condition}");
        }
    }

    #[test]
    fn ranges_hold_their_addresses_only() {
        let address = |text: &str| Value::Address(text.parse().unwrap());
        assert!(entry_holds("10.0.0.0/24", &address("10.0.0.255")));
        assert!(!entry_holds("10.0.0.0/24", &address("10.0.1.0")));
        assert!(entry_holds("0.0.0.0/0", &address("1.1.1.1")));
        assert!(!entry_holds("0.0.0.0/0", &address("::1")));
        assert!(entry_holds("2001:db8::/32", &address("2001:db8:1::1")));
    }
}
