//! What the status of a mass change owner job means.

use crate::redact;

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
///
/// ```
/// use mass_change_owner_status::watch::job::Status;
///
/// let status = Status::normalize("in progress").unwrap();
/// assert_eq!(status.as_str(), "IN_PROGRESS");
/// assert!(!status.is_finished());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status(String);

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOutcome {
    /// The job is complete, and no count says that a record was left.
    Succeeded,
    /// The job is complete, but some records were not updated.
    PartiallySucceeded,
    /// The job failed.
    Failed,
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

    fn is_completed(&self) -> bool {
        self.0 == "COMPLETED"
    }

    /// Whether this is the end of the job: `COMPLETED` and `FAILED` only.
    pub fn is_finished(&self) -> bool {
        self.is_completed() || self.0 == "FAILED"
    }

    /// Whether the job is queued and cannot have updated anything yet.
    pub fn is_queued(&self) -> bool {
        matches!(self.0.as_str(), "SCHEDULED" | "QUEUED")
    }

    /// Whether the meaning of the value is known, from this endpoint or a related one.
    pub fn is_known(&self) -> bool {
        self.is_finished() || self.is_queued() || matches!(self.0.as_str(), "RUNNING" | "IN_PROGRESS")
    }
}

impl JobStatus {
    /// How the job ended; `None` while it has not. An unknown count speaks neither for nor against a success.
    pub fn outcome(&self) -> Option<JobOutcome> {
        match (self.status.is_finished(), self.status.is_completed()) {
            (false, _) => None,
            (true, false) => Some(JobOutcome::Failed),
            (true, true) if self.counts.left_over() > 0 => Some(JobOutcome::PartiallySucceeded),
            (true, true) => Some(JobOutcome::Succeeded),
        }
    }
}

impl Counts {
    /// Records that are processed, whether updated or failed; `None` if Zoho does not report how many are updated.
    pub fn done(&self) -> Option<u64> {
        Some(self.updated?.saturating_add(self.failed.unwrap_or(0)))
    }

    /// Records that are known not to be updated.
    pub fn left_over(&self) -> u64 {
        let known = self.failed.unwrap_or(0).saturating_add(self.not_updated.unwrap_or(0));
        known.saturating_add(self.unexplained())
    }

    /// Records of the total that are in no other count.
    pub fn unexplained(&self) -> u64 {
        let (Some(total), Some(updated)) = (self.total, self.updated) else { return 0 };
        [Some(updated), self.failed, self.not_updated].into_iter().flatten().fold(total, u64::saturating_sub)
    }

    /// Whole percent of the total that is updated or failed, rounded down, 0 to 100; `None` if it cannot be determined.
    pub fn progress_percent(&self, status: Option<&Status>) -> Option<u8> {
        // A share of failed records alone is a lower bound.
        let done = self.done().or(self.failed);
        match (self.total.filter(|total| *total > 0), done) {
            (Some(total), Some(done)) => {
                let percent =
                    u128::from(done).saturating_mul(100).checked_div(u128::from(total)).unwrap_or(0);
                u8::try_from(percent.min(100)).ok()
            }
            _ => status?.is_completed().then_some(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(
        word: &str,
        total: Option<u64>,
        updated: Option<u64>,
        not_updated: Option<u64>,
        failed: Option<u64>,
    ) -> JobStatus {
        JobStatus {
            status: Status::normalize(word).unwrap(),
            counts: Counts { total, updated, not_updated, failed },
        }
    }

    #[test]
    fn words_are_folded_to_one_spelling() {
        for (word, folded) in [
            ("COMPLETED", Some("COMPLETED")),
            ("Completed", Some("COMPLETED")),
            ("in progress", Some("IN_PROGRESS")),
            ("in_progress", Some("IN_PROGRESS")),
            ("IN-PROGRESS", Some("IN_PROGRESS")),
            (" running\n", Some("RUNNING")),
            ("", None),
            (" - ", None),
        ] {
            assert_eq!(Status::normalize(word).as_ref().map(Status::as_str), folded, "{word:?}");
        }
    }

    #[test]
    fn only_completed_and_failed_are_finished() {
        for (word, finished, known) in [
            ("COMPLETED", true, true),
            ("FAILED", true, true),
            ("SCHEDULED", false, true),
            ("RUNNING", false, true),
            ("QUEUED", false, true),
            ("IN PROGRESS", false, true),
            ("SUSPENDED", false, false),
            ("COMPLETED_PARTLY", false, false),
        ] {
            let word = Status::normalize(word).unwrap();
            assert_eq!((word.is_finished(), word.is_known()), (finished, known), "{word:?}");
        }
    }

    #[test]
    fn outcomes() {
        for (job, outcome) in [
            (job("COMPLETED", Some(5), Some(5), Some(0), Some(0)), Some(JobOutcome::Succeeded)),
            (job("COMPLETED", None, None, None, None), Some(JobOutcome::Succeeded)),
            (
                job("COMPLETED", Some(50_000), Some(49_500), Some(0), Some(500)),
                Some(JobOutcome::PartiallySucceeded),
            ),
            (job("COMPLETED", Some(5), Some(4), Some(1), Some(0)), Some(JobOutcome::PartiallySucceeded)),
            (job("COMPLETED", Some(5), None, Some(1), None), Some(JobOutcome::PartiallySucceeded)),
            // Nothing failed, nothing is left, and still not every record was updated.
            (job("COMPLETED", Some(100), Some(0), Some(0), Some(0)), Some(JobOutcome::PartiallySucceeded)),
            (job("COMPLETED", Some(100), Some(60), None, Some(0)), Some(JobOutcome::PartiallySucceeded)),
            (job("COMPLETED", Some(100), Some(60), None, None), Some(JobOutcome::PartiallySucceeded)),
            (job("COMPLETED", Some(100), None, Some(0), Some(0)), Some(JobOutcome::Succeeded)),
            (job("COMPLETED", None, Some(60), None, None), Some(JobOutcome::Succeeded)),
            (job("COMPLETED", Some(0), Some(0), Some(0), Some(0)), Some(JobOutcome::Succeeded)),
            (job("FAILED", Some(5), Some(5), Some(0), Some(0)), Some(JobOutcome::Failed)),
            (job("RUNNING", Some(5), Some(5), Some(0), Some(5)), None),
            (job("SUSPENDED", None, None, None, None), None),
        ] {
            assert_eq!(job.outcome(), outcome, "{job:?}");
        }
    }

    #[test]
    fn progress() {
        for (job, percent) in [
            (job("COMPLETED", Some(50_000), Some(49_500), Some(0), Some(500)), Some(100)),
            (job("RUNNING", Some(50_000), Some(25_499), None, Some(0)), Some(50)),
            (job("RUNNING", Some(3), Some(2), None, None), Some(66)),
            (job("RUNNING", Some(3), None, None, Some(1)), Some(33)),
            (job("RUNNING", Some(3), Some(9), None, Some(9)), Some(100)),
            (job("RUNNING", Some(u64::MAX), Some(u64::MAX), None, Some(u64::MAX)), Some(100)),
            (job("SCHEDULED", Some(50_000), Some(0), None, Some(0)), Some(0)),
            (job("RUNNING", Some(0), Some(0), None, Some(0)), None),
            (job("RUNNING", None, Some(5), None, Some(0)), None),
            (job("RUNNING", Some(5), None, None, None), None),
            (job("COMPLETED", None, None, None, None), Some(100)),
            (job("COMPLETED", Some(0), Some(0), Some(0), Some(0)), Some(100)),
            (job("COMPLETED", Some(100), Some(40), Some(60), Some(0)), Some(40)),
            (job("FAILED", None, None, None, None), None),
            (job("FAILED", Some(0), Some(0), None, None), None),
            (job("FAILED", Some(10), Some(4), None, None), Some(40)),
        ] {
            assert_eq!(job.counts.progress_percent(Some(&job.status)), percent, "{job:?}");
        }
    }
}
