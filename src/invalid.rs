//! A value that is not valid: one type for every variable, field, and file that people write by hand.

use std::borrow::Cow;
use std::fmt;

/// Why a value was rejected, and what to do. Never contains the value: it may be a secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is not valid: a predicate that follows the name of the value.
    pub what: Cow<'static, str>,
    /// What to do: a sentence without its period.
    pub hint: Cow<'static, str>,
}

impl Invalid {
    /// A predicate and a sentence, both without a period.
    pub fn new(what: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// The message about the value of this name.
    pub fn of(&self, name: &str) -> String {
        format!("{name} {self}")
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.what, self.hint)
    }
}
