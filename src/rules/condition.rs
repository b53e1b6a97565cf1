//! Conditions (`when`): CEL expressions, checked when a pack is loaded and evaluated without allocation.
//!
//! The way is `token` → `syntax` → `check` → `program`: words, a tree, types, and what is evaluated. A condition that
//! compiles names only what exists and compares only what compares; what is left for run time are CEL's errors (a
//! value that is not there, an attribute of another type, an overflow), and those are false.
//!
//! Where there are many, `access` says what must be true of an event before one can hold, and `index` finds those by it.
//!
//! **Why the parser is our own.** The grammar is CEL's, but the crates that read it are built for another purpose.
//! `cel` 0.15.0 (ANTLR; 18 crates that nothing else here needs, 40 s of a cold build on two cores) overflows a stack
//! of 2 MiB in a debug build on 1,024 bytes of `(`, `[`, `{`, `!(` or `f(`, and aborts the process before its own limit
//! on recursion speaks. It drops `!!` and `--` together with the types that they demand, refuses integers of more
//! than 64 bits, places a node at its operator alone, and says what is wrong in the terms of its grammar. Literals
//! must be read from the source text in any case. So it judges this parser in the tests, where both must accept the
//! same texts and read the same trees, and is no part of the engine.

mod access;
mod advice;
mod check;
mod exact;
pub mod index;
mod literal;
pub mod nearest;
pub(crate) mod pattern;
pub(crate) mod program;
pub(crate) mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod token;

use super::{List, ListId, Unit};
use crate::{event::Field, facts::Facts, limits::CONDITION_BYTES, time::Zone};
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    ops::Range,
};

/// Whether CEL keeps a word for itself, so that no unit and no list may be called so.
#[must_use]
pub fn is_reserved(word: &str) -> bool {
    syntax::is_reserved(word)
}

/// What names a condition may use, besides the event's fields.
pub struct Scope<'a> {
    pub units: &'a [Unit],
    pub lists: &'a [List],
}

/// An error of a condition, at a byte range of its source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    pub span: Range<usize>,
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl ConditionError {
    fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        ConditionError { span, message: message.into(), help: help.into() }
    }
}

/// The words and the tree of a condition, for whoever checks it against names of its own.
///
/// # Errors
/// What makes it no condition at all: its length, words that are none, or the first thing that is no CEL.
pub(crate) fn parse(source: &str) -> Result<(Vec<token::Token>, Box<syntax::Node<'_>>), Vec<ConditionError>> {
    if source.len() > CONDITION_BYTES {
        let message = format!("a condition has at most {CONDITION_BYTES} bytes, and this has {}", source.len());
        let help = "put names into a list, or split the rule in two";
        return Err(vec![ConditionError::new(0..source.len(), message, help)]);
    }
    let tokens = token::tokens(source)?;
    let tree = syntax::parse(source, &tokens).map_err(|error| vec![*error])?;
    Ok((tokens, tree))
}

/// A compiled condition. Two are equal when they differ in nothing but blanks and comments; equal ones of the same
/// packs hold for the same events, so their rules may share a window.
#[derive(Clone, Debug)]
pub struct Condition {
    source: Box<str>,
    identity: Box<str>,
    fields: Box<[Field]>,
    address_lists: Box<[ListId]>,
    test: program::Test,
}

impl Condition {
    /// # Errors
    /// Every error that was found, in the order of the text.
    pub fn compile(source: &str, scope: &Scope<'_>) -> Result<Condition, Vec<ConditionError>> {
        let (tokens, tree) = parse(source)?;
        let mut checker = check::Checker {
            source,
            scope,
            fields: BTreeSet::new(),
            address_lists: BTreeSet::new(),
            errors: Vec::new(),
        };
        let test = checker.truth(&tree);
        if !checker.errors.is_empty() {
            checker.errors.sort_by_key(|error| (error.span.start, error.span.end));
            return Err(checker.errors);
        }
        let words: Vec<&str> = tokens.iter().map(|token| &source[token.span.clone()]).collect();
        Ok(Condition {
            source: source.into(),
            identity: words.join(" ").trim_end().into(),
            fields: checker.fields.into_iter().collect(),
            address_lists: checker.address_lists.into_iter().collect(),
            test,
        })
    }

    /// Whether the condition holds for an event; an error left over is false. `units` and `lists` are those that it
    /// was compiled with.
    #[must_use]
    #[inline]
    pub fn holds(&self, facts: &Facts<'_>, units: &[Unit], lists: &[List], zone: &Zone) -> bool {
        let attribute = |name: &str| facts.event.attributes.get(name);
        program::Scene { facts, attribute, units, lists, zone }.test(&self.test) == Some(true)
    }

    /// The source text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The source text without what does not matter: comments, and all blanks but one between two words.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The fields that it looks at, in the order of [`Field`].
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The lists that it looks up the event's address in (`ip in lists.x`).
    #[must_use]
    pub fn address_lists(&self) -> &[ListId] {
        &self.address_lists
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Eq for Condition {}

impl Hash for Condition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity.hash(state);
    }
}
