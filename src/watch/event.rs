//! What a message is about.

use crate::watch::job::Outcome;
use crate::watch::notice::Notice;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The end of a watch.
    End(Outcome),
    /// A job that is still unfinished.
    Notice(Notice),
}

impl Event {
    /// The name as a message carries it.
    pub fn name(self) -> &'static str {
        match self {
            Self::End(outcome) => outcome.name(),
            Self::Notice(notice) => notice.kind.name(),
        }
    }
}
