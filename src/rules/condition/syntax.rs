//! The grammar of a condition: words in, a tree with the place of every node out.
//!
//! It reads all of CEL's operators and calls, also those that conditions do not have, so that [`super::check`] can name
//! each of them together with every other mistake; only what no CEL parser accepts stops it. The tree is at most
//! [`CONDITION_DEPTH`] high, so nobody who walks it needs more stack than that; `&&` and `||` are one node however
//! many parts they join.

use super::{
    ConditionError, literal,
    token::{Kind, Token},
};
use crate::{limits::CONDITION_DEPTH, number::Decimal};
use std::ops::Range;

/// One node of the tree.
#[derive(Debug)]
pub(super) struct Node<'s> {
    pub what: What<'s>,
    pub span: Range<usize>,
    height: usize,
}

#[derive(Debug)]
pub(super) enum What<'s> {
    Name(&'s str),
    Number(Decimal),
    Text(String),
    Bool(bool),
    Null,
    /// `of.name`
    Part {
        of: Box<Node<'s>>,
        name: &'s str,
    },
    /// `of[index]`
    Index {
        of: Box<Node<'s>>,
        index: Box<Node<'s>>,
    },
    /// `name(arguments)` or `of.name(arguments)`; `at` is the name's place.
    Call {
        of: Option<Box<Node<'s>>>,
        name: &'s str,
        at: Range<usize>,
        arguments: Vec<Node<'s>>,
    },
    List(Vec<Node<'s>>),
    Not(Box<Node<'s>>),
    Negative(Box<Node<'s>>),
    /// Parts joined by `&&` (`all`) or `||`.
    Joined {
        all: bool,
        parts: Vec<Node<'s>>,
    },
    /// Two sides of any other operator.
    Binary {
        operator: Operator,
        at: Range<usize>,
        sides: Box<[Node<'s>; 2]>,
    },
    /// `condition ? yes : no`
    Choice(Box<[Node<'s>; 3]>),
}

/// An operator with two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
}

/// How tightly an operator binds, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Choice,
    Or,
    And,
    Relation,
    Sum,
    Product,
    Prefix,
}

impl Operator {
    fn of(mark: &str) -> Option<(Operator, Binding)> {
        Some(match mark {
            "||" => (Operator::Or, Binding::Or),
            "&&" => (Operator::And, Binding::And),
            "==" => (Operator::Equal, Binding::Relation),
            "!=" => (Operator::NotEqual, Binding::Relation),
            "<" => (Operator::Less, Binding::Relation),
            "<=" => (Operator::AtMost, Binding::Relation),
            ">" => (Operator::More, Binding::Relation),
            ">=" => (Operator::AtLeast, Binding::Relation),
            "in" => (Operator::In, Binding::Relation),
            "+" => (Operator::Plus, Binding::Sum),
            "-" => (Operator::Minus, Binding::Sum),
            "*" => (Operator::Times, Binding::Product),
            "/" => (Operator::Divide, Binding::Product),
            "%" => (Operator::Remainder, Binding::Product),
            _ => return None,
        })
    }
}

/// CEL keeps these words for itself; they name no field, but may follow a point.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
/// These may not even follow a point.
const KEYWORDS: [&str; 4] = ["in", "true", "false", "null"];

/// Reads a whole condition.
///
/// # Errors
/// The first thing that is no CEL.
pub(super) fn parse<'s>(source: &'s str, tokens: &[Token]) -> Result<Node<'s>, ConditionError> {
    let mut parser = Parser { source, tokens, at: 0, depth: 0 };
    let node = parser.expression(Binding::Choice)?;
    match parser.kind() {
        Kind::End => Ok(node),
        _ => Err(parser.left_over()),
    }
}

struct Parser<'s, 't> {
    source: &'s str,
    /// Ends with [`Kind::End`].
    tokens: &'t [Token],
    at: usize,
    /// Open brackets.
    depth: usize,
}

type Parsed<'s> = Result<Node<'s>, ConditionError>;

impl<'s> Parser<'s, '_> {
    fn token(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn kind(&self) -> Kind {
        self.token().kind
    }

    fn word(&self) -> &'s str {
        &self.source[self.token().span.clone()]
    }

    fn next(&mut self) -> Range<usize> {
        let span = self.token().span.clone();
        self.at += 1;
        span
    }

    fn is(&self, mark: &'static str) -> bool {
        self.kind() == Kind::Mark(mark)
    }

    fn take(&mut self, mark: &'static str) -> bool {
        let there = self.is(mark);
        self.at += usize::from(there);
        there
    }

    /// Reads operators that bind at least as tightly as `floor`.
    fn expression(&mut self, floor: Binding) -> Parsed<'s> {
        let mut left = self.prefixed()?;
        loop {
            if floor == Binding::Choice && self.is("?") {
                left = self.choice(left)?;
                continue;
            }
            let Some((operator, binding)) = self.operator().filter(|(_, binding)| *binding >= floor) else {
                return Ok(left);
            };
            let at = self.next();
            let right = match binding {
                Binding::Or => self.expression(Binding::And)?,
                Binding::And => self.expression(Binding::Relation)?,
                Binding::Relation => self.expression(Binding::Sum)?,
                Binding::Sum => self.expression(Binding::Product)?,
                _ => self.expression(Binding::Prefix)?,
            };
            left = joined(operator, at, left, right)?;
        }
    }

    fn operator(&self) -> Option<(Operator, Binding)> {
        match self.kind() {
            Kind::Mark(mark) => Operator::of(mark),
            Kind::Name if self.word() == "in" => Operator::of("in"),
            _ => None,
        }
    }

    fn choice(&mut self, condition: Node<'s>) -> Parsed<'s> {
        self.next();
        let yes = self.expression(Binding::Or)?;
        if !self.take(":") {
            return Err(self.expected("`:` and what holds otherwise"));
        }
        let no = self.nested(|parser| parser.expression(Binding::Choice))?;
        let span = condition.span.start..no.span.end;
        node(What::Choice(Box::new([condition, yes, no])), span)
    }

    /// Reads `!` and `-` and what they stand before.
    fn prefixed(&mut self) -> Parsed<'s> {
        let first = self.at;
        while self.is("!") || self.is("-") {
            self.at += 1;
        }
        let last = self.at;
        let mut inner = self.member()?;
        for token in self.tokens[first..last].iter().rev() {
            let span = token.span.start..inner.span.end;
            let boxed = Box::new(inner);
            let negated = token.kind == Kind::Mark("!");
            inner = node(if negated { What::Not(boxed) } else { What::Negative(boxed) }, span)?;
        }
        Ok(inner)
    }

    /// Reads a value and the points, calls and indices behind it.
    fn member(&mut self) -> Parsed<'s> {
        let mut left = self.value()?;
        loop {
            let start = left.span.start;
            if self.take(".") {
                if self.kind() != Kind::Name || KEYWORDS.contains(&self.word()) {
                    return Err(self.expected("a name after the point"));
                }
                let (name, at) = (self.word(), self.next());
                let end = at.end;
                left = if self.is("(") {
                    self.call(Some(Box::new(left)), name, at, start)?
                } else {
                    node(What::Part { of: Box::new(left), name }, start..end)?
                };
            } else if self.take("[") {
                let index = self.nested(|parser| parser.expression(Binding::Choice))?;
                let end = self.close("]")?;
                left = node(What::Index { of: Box::new(left), index: Box::new(index) }, start..end)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn value(&mut self) -> Parsed<'s> {
        let (word, span) = (self.word(), self.token().span.clone());
        match self.kind() {
            Kind::Name => self.named(word, span),
            Kind::Number => {
                self.next();
                let number = literal::number(word).ok_or_else(|| too_long(&span))?;
                node(What::Number(number), span)
            }
            Kind::Text => {
                self.next();
                let text = literal::text(word).map_err(|(at, message)| {
                    ConditionError::new(span.start + at.start..span.start + at.end, message.to_owned())
                })?;
                node(What::Text(text), span)
            }
            Kind::Mark("(") => {
                self.next();
                let mut inner = self.nested(|parser| parser.expression(Binding::Choice))?;
                inner.span = span.start..self.close(")")?;
                Ok(inner)
            }
            Kind::Mark("[") => {
                self.next();
                let items = self.items("]")?;
                let end = self.close("]")?;
                node(What::List(items), span.start..end)
            }
            _ => Err(self.expected("a field, a number, a text in quotes, or `(`")),
        }
    }

    fn named(&mut self, word: &'s str, span: Range<usize>) -> Parsed<'s> {
        match word {
            "true" | "false" => {
                self.next();
                node(What::Bool(word == "true"), span)
            }
            "null" => {
                self.next();
                node(What::Null, span)
            }
            "in" => Err(self.expected("something to look for before `in`")),
            "not" | "NOT" => Err(self.unexpected("`not` is no word of CEL").help("write !(…)")),
            _ if RESERVED.contains(&word) => {
                Err(ConditionError::new(span, format!("`{word}` is a word that CEL reserves"))
                    .help("an attribute of that name is attributes.".to_owned() + word))
            }
            _ => {
                self.next();
                let start = span.start;
                if self.is("(") { self.call(None, word, span, start) } else { node(What::Name(word), span) }
            }
        }
    }

    fn call(&mut self, of: Option<Box<Node<'s>>>, name: &'s str, at: Range<usize>, start: usize) -> Parsed<'s> {
        self.next();
        let arguments = self.items(")")?;
        let end = self.close(")")?;
        node(What::Call { of, name, at, arguments }, start..end)
    }

    /// Reads what stands between commas up to `end`; a list may end with a comma, a call may not.
    fn items(&mut self, end: &'static str) -> Result<Vec<Node<'s>>, ConditionError> {
        let mut items = Vec::new();
        if self.is(end) {
            return Ok(items);
        }
        loop {
            items.push(self.nested(|parser| parser.expression(Binding::Choice))?);
            if !self.take(",") || (end == "]" && self.is(end)) {
                return Ok(items);
            }
        }
    }

    /// Reads something inside brackets, of which only so many may be open.
    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Parsed<'s>) -> Parsed<'s> {
        if self.depth == CONDITION_DEPTH {
            return Err(too_deep(self.token().span.clone()));
        }
        self.depth += 1;
        let inner = read(self);
        self.depth -= 1;
        inner
    }

    /// Takes the closing bracket and gives its end.
    fn close(&mut self, mark: &'static str) -> Result<usize, ConditionError> {
        if self.is(mark) {
            return Ok(self.next().end);
        }
        let mistake = self.left_over();
        // An operator that is not CEL's says more than the bracket that it keeps from closing.
        if mistake.help.is_some() { Err(mistake) } else { Err(self.expected(&format!("`{mark}`"))) }
    }

    fn unexpected(&self, message: &str) -> ConditionError {
        ConditionError::new(self.token().span.clone(), message.to_owned())
    }

    fn expected(&self, what: &str) -> ConditionError {
        let found = match self.kind() {
            Kind::End => "the condition ends here".to_owned(),
            _ => format!("`{}` stands here", self.word()),
        };
        let error = self.unexpected(&format!("{found}, but {what} is needed"));
        match self.kind() {
            Kind::Mark("{") => error.help("there are no maps and messages; a list is [\"a\", \"b\"]"),
            Kind::Mark(".") => error.help("a field is written without a point before it"),
            Kind::Mark("=" | "==" | "!" | "<" | ">") => error.help("the operators are == != < <= > >= && || ! in"),
            _ => error,
        }
    }

    /// The error for what follows a whole expression without an operator.
    fn left_over(&self) -> ConditionError {
        let help = match self.word() {
            "and" | "AND" => "write &&",
            "or" | "OR" => "write ||",
            "not" | "NOT" => "write !(… in …)",
            "is" | "IS" => "write ==, or has(…) for whether there is a value",
            "like" | "LIKE" | "matches" | "startsWith" | "endsWith" | "contains" => {
                "functions of a text follow a point: counterparty.startsWith(\"7701\")"
            }
            "between" | "BETWEEN" => "write amount >= 10 && amount <= 20",
            "{" => "there are no maps and messages; a list is [\"a\", \"b\"]",
            ";" => "a condition is one expression; join its parts with && or ||",
            ":" => "`:` belongs to `?`, which conditions do not have",
            _ => {
                let help = match self.kind() {
                    Kind::Name | Kind::Number | Kind::Text => Some("join two conditions with && or ||"),
                    _ => None,
                };
                let error = self.unexpected(&format!("`{}` is not expected here", self.word()));
                return match help {
                    Some(help) => error.help(help),
                    None => error,
                };
            }
        };
        self.unexpected(&format!("`{}` is no operator", self.word())).help(help)
    }
}

fn joined<'s>(operator: Operator, at: Range<usize>, left: Node<'s>, right: Node<'s>) -> Parsed<'s> {
    let span = left.span.start..right.span.end;
    let all = match operator {
        Operator::And => true,
        Operator::Or => false,
        _ => return node(What::Binary { operator, at, sides: Box::new([left, right]) }, span),
    };
    // Joining has no order that could be seen, so parts in brackets may join as well.
    let parts = match left.what {
        What::Joined { all: same, mut parts } if same == all => {
            parts.push(right);
            parts
        }
        _ => vec![left, right],
    };
    node(What::Joined { all, parts }, span)
}

/// Makes a node, unless the tree would become too high.
fn node(what: What<'_>, span: Range<usize>) -> Parsed<'_> {
    let tallest = |nodes: &[Node<'_>]| nodes.iter().map(|node| node.height).max().unwrap_or(0);
    let height = 1 + match &what {
        What::Name(_) | What::Number(_) | What::Text(_) | What::Bool(_) | What::Null => 0,
        What::Part { of, .. } | What::Not(of) | What::Negative(of) => of.height,
        What::Index { of, index } => of.height.max(index.height),
        What::Call { of, arguments, .. } => of.as_ref().map_or(0, |of| of.height).max(tallest(arguments)),
        What::List(items) | What::Joined { parts: items, .. } => tallest(items),
        What::Binary { sides, .. } => tallest(&sides[..]),
        What::Choice(three) => tallest(&three[..]),
    };
    if height > CONDITION_DEPTH {
        return Err(too_deep(span));
    }
    Ok(Node { what, span, height })
}

fn too_deep(span: Range<usize>) -> ConditionError {
    ConditionError::new(span, format!("this is nested deeper than {CONDITION_DEPTH}"))
        .help("take brackets out, or split the rule in two")
}

fn too_long(span: &Range<usize>) -> ConditionError {
    ConditionError::new(span.clone(), "this number cannot be held exactly".to_owned())
        .help("a number has at most 28 digits, at most 28 of them after the point")
}
