//! A value that is not valid: one type for every variable, field, and file that people write by hand.

use std::fmt;

/// Why a value was rejected, and what to do. Never contains the value: it may be a secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    /// A predicate that follows the name of the value, and a sentence that says what to do, both without a period.
    pub fn new(what: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self(format!("{what}. {hint}"))
    }

    /// The message about the value of this name.
    pub fn of(&self, name: &str) -> String {
        format!("{name} {self}")
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
