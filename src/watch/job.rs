//! What the status of a mass change owner job means.

use crate::redact;
use serde::Serialize;
use strum::IntoStaticStr;

/// A job as Zoho describes it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Zoho's status value.
    pub status: Status,
    /// Zoho's record counts.
    pub counts: Counts,
}

/// Record counts; `None` if Zoho omits a count. They need not add up (docs/zoho-api.md).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records whose owner was to be changed.
    pub total: Option<u64>,
    /// Records with the new owner.
    pub updated: Option<u64>,
    /// Records that still have the previous owner.
    pub not_updated: Option<u64>,
    /// Records whose owner could not be changed.
    pub failed: Option<u64>,
}

/// Zoho's status value in one spelling: upper case, with spaces and hyphens replaced by `_`.
///
/// This endpoint documents `SCHEDULED`, `RUNNING`, `COMPLETED`, and `FAILED`. Related endpoints return `in progress`,
/// `Completed`, `QUEUED`, and more (docs/zoho-api.md), so an unknown value is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status(String);

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The job is complete, and no count says that a record was left.
    Succeeded,
    /// The job is complete, but some records were not updated.
    PartiallySucceeded,
    /// The job failed.
    Failed,
    /// The watch reached its limit, and the job may be unfinished.
    WatchTimedOut,
    /// The watch never worked, or its state machine gave it up.
    WatchFailed,
}

/// The longest status value that is accepted, in characters. Reports, subjects, and message attributes carry it.
pub const LONGEST_STATUS: usize = 100;

impl Status {
    /// `None` for text without a letter or digit.
    pub fn normalize(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c.is_control() || c == '-' || c == '_')
            .filter(|part| !part.is_empty())
            .collect();
        let normalized = parts.join("_").to_uppercase();
        normalized.chars().any(char::is_alphanumeric).then_some(Self(normalized))
    }

    /// A value that an earlier report says. `None` if no report can have said it.
    pub fn reported(text: &str) -> Option<Self> {
        let is_possible = text.chars().count() <= LONGEST_STATUS && !redact::contains_secret(text, &[]);
        Self::normalize(text).filter(|_| is_possible)
    }

    /// The normalized value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the end of the job: `COMPLETED` and `FAILED` only.
    pub fn is_finished(&self) -> bool {
        matches!(self.as_str(), "COMPLETED" | "FAILED")
    }

    /// Whether the job is queued and cannot have updated anything yet.
    pub fn is_queued(&self) -> bool {
        matches!(self.as_str(), "SCHEDULED" | "QUEUED")
    }

    /// Whether the meaning of the value is known, from this endpoint or a related one.
    pub fn is_known(&self) -> bool {
        self.is_finished() || self.is_queued() || matches!(self.as_str(), "RUNNING" | "IN_PROGRESS")
    }
}

impl JobStatus {
    /// How the job ended; `None` while it has not. An unknown count speaks neither for nor against a success.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.status.as_str() {
            "FAILED" => Some(Outcome::Failed),
            "COMPLETED" if self.counts.is_any_left() => Some(Outcome::PartiallySucceeded),
            "COMPLETED" => Some(Outcome::Succeeded),
            _ => None,
        }
    }
}

impl Counts {
    /// Records that are processed, whether updated or failed; `None` if Zoho does not report how many are updated.
    pub fn done(&self) -> Option<u64> {
        Some(self.updated?.saturating_add(self.failed.unwrap_or(0)))
    }

    /// Whether records are known not to be updated.
    fn is_any_left(&self) -> bool {
        [self.failed, self.not_updated, Some(self.unexplained())].into_iter().flatten().any(|count| count > 0)
    }

    /// Records of the total that are in no other count.
    pub fn unexplained(&self) -> u64 {
        let (Some(total), Some(updated)) = (self.total, self.updated) else { return 0 };
        [Some(updated), self.failed, self.not_updated].into_iter().flatten().fold(total, u64::saturating_sub)
    }

    /// Whole percent of the total that is updated or failed, rounded down, 0 to 100; `None` if it cannot be determined.
    pub fn progress_percent(&self, status: Option<&Status>) -> Option<u8> {
        // A share of failed records alone is a lower bound.
        match (self.total.filter(|total| *total > 0), self.done().or(self.failed)) {
            (Some(total), Some(done)) => {
                let percent = u128::from(done).saturating_mul(100).checked_div(u128::from(total)).unwrap_or(0);
                u8::try_from(percent.min(100)).ok()
            }
            _ => (status?.as_str() == "COMPLETED").then_some(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::job;

    #[test]
    fn words_are_folded_to_one_spelling() {
        for (word, folded, finished, known) in [
            ("COMPLETED", Some("COMPLETED"), true, true),
            ("failed", Some("FAILED"), true, true),
            (" scheduled\n", Some("SCHEDULED"), false, true),
            ("In-Progress", Some("IN_PROGRESS"), false, true),
            ("COMPLETED_PARTLY", Some("COMPLETED_PARTLY"), false, false),
            (" - ", None, false, false),
        ] {
            let status = Status::normalize(word);
            assert_eq!(status.as_ref().map(Status::as_str), folded, "{word:?}");
            let meaning = status.map_or((false, false), |status| (status.is_finished(), status.is_known()));
            assert_eq!(meaning, (finished, known), "{word:?}");
        }
    }

    /// Counts: total, updated, not updated, failed.
    #[test]
    fn outcomes_and_progress() {
        use Outcome::{Failed, PartiallySucceeded, Succeeded};
        let all = Some(u64::MAX);
        for (status, counts, outcome, percent) in [
            ("COMPLETED", [Some(5), Some(5), Some(0), Some(0)], Some(Succeeded), Some(100)),
            ("COMPLETED", [None; 4], Some(Succeeded), Some(100)),
            ("COMPLETED", [Some(100), None, Some(0), Some(0)], Some(Succeeded), Some(0)),
            ("COMPLETED", [Some(1_000), Some(999), Some(0), Some(1)], Some(PartiallySucceeded), Some(100)),
            ("COMPLETED", [Some(5), None, Some(1), None], Some(PartiallySucceeded), Some(100)),
            // Nothing failed, nothing is left, and still not every record was updated.
            ("COMPLETED", [Some(100), Some(0), Some(0), Some(0)], Some(PartiallySucceeded), Some(0)),
            ("FAILED", [Some(5), Some(5), Some(0), Some(0)], Some(Failed), Some(100)),
            ("FAILED", [Some(0), Some(0), None, None], Some(Failed), None),
            ("RUNNING", [Some(3), Some(2), None, None], None, Some(66)),
            ("RUNNING", [Some(3), None, None, Some(1)], None, Some(33)),
            ("RUNNING", [all, all, None, all], None, Some(100)),
        ] {
            let job = job(status, counts);
            assert_eq!(job.outcome(), outcome, "{job:?}");
            assert_eq!(job.counts.progress_percent(Some(&job.status)), percent, "{job:?}");
        }
    }
}
