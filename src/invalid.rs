//! A value that is not valid: one type for every variable, field, and file that people write by hand.

use std::fmt::Display;

/// Why a value was rejected, and what to do. Never contains the value: it may be a secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    /// A predicate that follows the name of the value, and a sentence that says what to do, both without a period.
    pub fn new(what: impl Display, hint: impl Display) -> Self {
        Self(format!("{what}. {hint}"))
    }

    /// The message about the value of this name.
    pub fn of(&self, name: &str) -> String {
        format!("{name} {}", self.0)
    }
}
