//! STUB of conditions (`when`): the interface that everybody builds on.

use super::{List, Unit};
use crate::{event::Facts, time::Zone};

/// What names a condition may use, besides the event's fields.
pub struct Scope<'a> {
    pub units: &'a [Unit],
    pub lists: &'a [List],
}

/// An error of a condition, at a byte range of its source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    pub span: std::ops::Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// A compiled condition.
#[derive(Clone, Debug)]
pub struct Condition {
    source: String,
}

impl Condition {
    /// # Errors
    /// Every error that was found.
    pub fn compile(source: &str, _scope: &Scope<'_>) -> Result<Condition, Vec<ConditionError>> {
        Ok(Condition { source: source.to_owned() })
    }

    /// Whether the condition holds for an event; an error left over is false.
    #[must_use]
    pub fn holds(&self, _facts: &Facts<'_>, _units: &[Unit], _lists: &[List], _zone: &Zone) -> bool {
        todo!()
    }

    /// The source text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}
