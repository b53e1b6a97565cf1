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
pub(crate) struct Node<'s> {
    pub what: What<'s>,
    pub span: Range<usize>,
    height: usize,
}

#[derive(Debug)]
pub(crate) enum What<'s> {
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
pub(crate) enum Operator {
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
    Or,
    And,
    Relation,
    Sum,
    Product,
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
pub(crate) fn parse<'s>(source: &'s str, tokens: &[Token]) -> Result<Box<Node<'s>>, Box<ConditionError>> {
    if tokens.len() == 1 {
        let help = "leave `when` out, or write a comparison such as amount > 100000";
        return Err(ConditionError::new(0..source.len(), "this condition is empty", help).into());
    }
    let mut parser = Parser { source, tokens, at: 0, depth: 0 };
    let node = parser.expression()?;
    match parser.kind() {
        Kind::End => Ok(node),
        _ => Err(parser.left_over()),
    }
}

/// Whether CEL keeps a word for itself, so that nothing should be called so.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word) || KEYWORDS.contains(&word)
}

const CHOICE: &str = "there is no `? :`; write (condition && yes) || (!condition && no)";
const MAP: &str = "there are no maps and messages; a list is [\"a\", \"b\"]";
const COMMA: &str =
    "a list stands in square brackets: [\"KZ\", \"RU\"]; a number has a point and no separators: 1000.50";

struct Parser<'s, 't> {
    source: &'s str,
    /// Ends with [`Kind::End`].
    tokens: &'t [Token],
    at: usize,
    /// Open brackets.
    depth: usize,
}

/// What is wrong; boxed for the same reason as a node.
type Mistake = Box<ConditionError>;
/// Boxed, because these pass through every frame of a recursion whose stack is bounded.
type Parsed<'s> = Result<Box<Node<'s>>, Mistake>;

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

    fn expression(&mut self) -> Parsed<'s> {
        let condition = self.operators()?;
        if self.is("?") { self.choice(condition) } else { Ok(condition) }
    }

    /// Reads values and the operators between them. What waits for its right side waits in a list, not on the stack,
    /// so that an open bracket costs the same stack wherever it stands.
    fn operators(&mut self) -> Parsed<'s> {
        let mut waiting: Vec<(Box<Node<'s>>, Operator, Binding, Range<usize>)> = Vec::new();
        loop {
            let mut right = self.prefixed()?;
            let next = self.operator();
            while let Some((left, operator, _, at)) =
                waiting.pop_if(|(_, _, binding, _)| next.is_none_or(|(_, next)| *binding >= next))
            {
                right = joined(operator, at, left, right)?;
            }
            let Some((operator, binding)) = next else { return Ok(right) };
            let at = self.next();
            waiting.push((right, operator, binding, at));
        }
    }

    fn operator(&self) -> Option<(Operator, Binding)> {
        match self.kind() {
            Kind::Mark(mark) => Operator::of(mark),
            Kind::Name if self.word() == "in" => Operator::of("in"),
            _ => None,
        }
    }

    #[expect(clippy::boxed_local, reason = "nodes stay boxed while they are handed through the recursion")]
    fn choice(&mut self, condition: Box<Node<'s>>) -> Parsed<'s> {
        self.next();
        let yes = self.operators()?;
        if !self.take(":") {
            return Err(self.expected("`:` and what holds otherwise", CHOICE));
        }
        let no = self.nested()?;
        let span = condition.span.start..no.span.end;
        node(What::Choice(Box::new([*condition, *yes, *no])), span)
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
            let negated = token.kind == Kind::Mark("!");
            inner = node(if negated { What::Not(inner) } else { What::Negative(inner) }, span)?;
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
                    let help = match left.what {
                        What::Number(_) => {
                            let digits = &self.source[left.span.clone()];
                            format!("write {digits} or {digits}.0")
                        }
                        _ => "write a name of letters, digits and _, such as attributes.device_model".to_owned(),
                    };
                    return Err(self.expected("a name after the point", help));
                }
                let (name, at) = (self.word(), self.next());
                let end = at.end;
                left = if self.is("(") {
                    self.call(Some(left), name, at, start)?
                } else {
                    node(What::Part { of: left, name }, start..end)?
                };
            } else if self.take("[") {
                let index = self.nested()?;
                let end = self.close("]")?;
                left = node(What::Index { of: left, index }, start..end)?;
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
                node(What::Text(text(word, span.start)?), span)
            }
            Kind::Mark("(") => {
                self.next();
                let mut inner = self.nested()?;
                inner.span = span.start..self.close(")")?;
                Ok(inner)
            }
            Kind::Mark("[") => {
                self.next();
                let items = self.items("]")?;
                let end = self.close("]")?;
                node(What::List(items), span.start..end)
            }
            _ => Err(self.expected("a field, a number, a text in quotes, or `(`", self.value_help())),
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
            "in" => Err(self.expected("something to look for before `in`", "write country in [\"KZ\", \"RU\"]")),
            "not" | "NOT" => Err(self.unexpected("`not` is no word of CEL", "write !(…)")),
            _ if RESERVED.contains(&word) => {
                let help = format!("an attribute of that name is attributes.{word}");
                Err(ConditionError::new(span, format!("`{word}` is a word that CEL reserves"), help).into())
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
    fn items(&mut self, end: &'static str) -> Result<Vec<Node<'s>>, Mistake> {
        let mut items = Vec::new();
        // Even `[,]` is CEL.
        if self.is(end) || (end == "]" && self.take(",")) {
            return Ok(items);
        }
        loop {
            items.push(*self.nested()?);
            if !self.take(",") || (end == "]" && self.is(end)) {
                return Ok(items);
            }
        }
    }

    /// Reads an expression inside brackets, of which only so many may be open.
    fn nested(&mut self) -> Parsed<'s> {
        if self.depth == CONDITION_DEPTH {
            return Err(too_deep(self.token().span.clone()));
        }
        self.depth += 1;
        let inner = self.expression();
        self.depth -= 1;
        inner
    }

    /// Takes the closing bracket and gives its end.
    fn close(&mut self, mark: &'static str) -> Result<usize, Mistake> {
        if self.is(mark) {
            return Ok(self.next().end);
        }
        // An operator that is not CEL's says more than the bracket that it keeps from closing.
        let bracket = || self.expected(&format!("`{mark}`"), format!("close the bracket with `{mark}`"));
        Err(self.foreign().unwrap_or_else(bracket))
    }

    fn unexpected(&self, message: &str, help: impl Into<String>) -> Mistake {
        ConditionError::new(self.token().span.clone(), message, help).into()
    }

    /// The error for what stands where `what` should; `help` says what to write where the word itself does not tell.
    fn expected(&self, what: &str, help: impl Into<String>) -> Mistake {
        let found = match self.kind() {
            Kind::End => "the condition ends here".to_owned(),
            _ => format!("`{}` stands here", self.word()),
        };
        let message = format!("{found}, but {what} is needed");
        match self.kind() {
            Kind::Mark(",") => self.unexpected(&message, COMMA),
            Kind::Mark("{") => self.unexpected(&message, MAP),
            Kind::Mark(".") => self.unexpected(&message, "a field is written without a point before it"),
            Kind::Mark("==" | "<" | ">") => self.unexpected(&message, "the operators are == != < <= > >= && || ! in"),
            _ => self.unexpected(&message, help),
        }
    }

    /// What to write where a value is missing, as the words around tell.
    fn value_help(&self) -> String {
        let word =
            |at: Option<usize>| at.and_then(|at| self.tokens.get(at)).map(|token| &self.source[token.span.clone()]);
        let next = self.tokens.get(self.at + 1).filter(|next| next.kind == Kind::Number);
        if let (Kind::Mark("+"), Some(number)) = (self.kind(), next) {
            return format!("write {}", &self.source[number.span.clone()]);
        }
        let before = self.at.checked_sub(1);
        match word(before) {
            Some("==" | "!=" | "<" | "<=" | ">" | ">=") => "write what it is compared with, such as amount > 1000",
            Some("in") => "write a list, such as country in [\"KZ\", \"RU\"]",
            Some("&&" | "||") => "write another condition behind it, or take it out",
            Some("+" | "-" | "*" | "/" | "%") => "write a number behind it",
            Some("!") => "write what is not to hold, such as !anonymous",
            Some(",") => "take the comma out, or write another value behind it",
            Some("(" | "[") => "write a condition or a value between the brackets, or take them out",
            Some("?" | ":") => CHOICE,
            _ => "write a condition before it, such as amount > 1000, or take it out",
        }
        .to_owned()
    }

    /// The error for what follows a whole expression without an operator.
    fn left_over(&self) -> Mistake {
        let word = self.word();
        let help = match word {
            ")" | "]" => "take it out, or write the bracket that it closes",
            _ => "take it out, or join two conditions with && or ||",
        };
        self.foreign().unwrap_or_else(|| self.unexpected(&format!("`{word}` is not expected here"), help))
    }

    /// The error for what other languages would take for an operator here, or for two values side by side.
    fn foreign(&self) -> Option<Mistake> {
        let digits = |at: usize| self.tokens.get(at).is_some_and(|token| token.kind == Kind::Number);
        if self.at > 0 && digits(self.at - 1) && digits(self.at) {
            let message = format!("`{}` is a second number beside the first", self.word());
            let help = "write numbers without blanks: 100000; in a list a comma stands between two";
            return Some(self.unexpected(&message, help));
        }
        let help = match self.word() {
            "and" | "AND" => "write &&",
            "or" | "OR" => "write ||",
            "not" | "NOT" => "write !(… in …)",
            "is" | "IS" => "write ==, or has(…) for whether there is a value",
            "like" | "LIKE" | "matches" | "startsWith" | "endsWith" | "contains" => {
                "functions of a text follow a point: counterparty.startsWith(\"7701\")"
            }
            "between" | "BETWEEN" => "write amount >= 10 && amount <= 20",
            "," => COMMA,
            "{" => MAP,
            ";" => "a condition is one expression; join its parts with && or ||",
            ":" => "`:` belongs to `?`, which conditions do not have",
            _ if matches!(self.kind(), Kind::Name | Kind::Number | Kind::Text) => "join two conditions with && or ||",
            _ => return None,
        };
        Some(self.unexpected(&format!("`{}` is no operator", self.word()), help))
    }
}

#[expect(clippy::boxed_local, reason = "nodes stay boxed while they are handed through the recursion")]
fn joined<'s>(operator: Operator, at: Range<usize>, left: Box<Node<'s>>, right: Box<Node<'s>>) -> Parsed<'s> {
    let span = left.span.start..right.span.end;
    let all = match operator {
        Operator::And => true,
        Operator::Or => false,
        _ => return node(What::Binary { operator, at, sides: Box::new([*left, *right]) }, span),
    };
    // Joining has no order that could be seen, so parts in brackets may join as well.
    let parts = match left.what {
        What::Joined { all: same, mut parts } if same == all => {
            parts.push(*right);
            parts
        }
        _ => vec![*left, *right],
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
    Ok(Box::new(Node { what, span, height }))
}

fn text(word: &str, start: usize) -> Result<String, Mistake> {
    literal::text(word)
        .map_err(|(at, message, help)| ConditionError::new(start + at.start..start + at.end, message, help).into())
}

fn too_deep(span: Range<usize>) -> Mistake {
    let help = "take brackets out, or split the rule in two";
    ConditionError::new(span, format!("this is nested deeper than {CONDITION_DEPTH}"), help).into()
}

fn too_long(span: &Range<usize>) -> Mistake {
    let help = "a number has at most 28 digits, at most 28 of them after the point";
    ConditionError::new(span.clone(), "this number cannot be held exactly", help).into()
}
