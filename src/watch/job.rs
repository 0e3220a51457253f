//! What a mass change owner job's status means, whatever service told it.

use serde::Serialize;

/// A job as Zoho described it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Zoho's word, folded.
    pub status: Status,
    /// Zoho's counts.
    pub counts: Counts,
}

/// Records; `None` where Zoho left a count out. The sums need not add up (crm-oas's own samples do not).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records whose owner was to be changed.
    pub total: Option<u64>,
    /// Records moved.
    pub updated: Option<u64>,
    /// Records yet to be moved.
    pub not_updated: Option<u64>,
    /// Records that could not be moved.
    pub failed: Option<u64>,
}

/// Zoho's status word in one spelling: upper case, spaces and hyphens folded to `_`.
///
/// This endpoint documents `SCHEDULED`, `RUNNING`, `COMPLETED` and `FAILED`; its sisters write `in progress`,
/// `Completed`, `QUEUED` and more, so the word is kept as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status(String);

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// Completed; nothing failed or left over.
    Succeeded,
    /// Completed, but some records failed or were left over.
    PartiallySucceeded,
    /// The job failed.
    Failed,
    /// The job was still unfinished when the watch's time was up.
    WatchTimedOut,
    /// The watch could not go on.
    WatchFailed,
}

impl Outcome {
    /// The name as it stands in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::PartiallySucceeded => "PARTIALLY_SUCCEEDED",
            Self::Failed => "FAILED",
            Self::WatchTimedOut => "WATCH_TIMED_OUT",
            Self::WatchFailed => "WATCH_FAILED",
        }
    }
}

impl Status {
    /// `None` for a word without a letter or digit in it.
    pub fn normalize(word: &str) -> Option<Self> {
        let parts: Vec<&str> = word
            .split(|c: char| c.is_whitespace() || c.is_control() || c == '-' || c == '_')
            .filter(|part| !part.is_empty())
            .collect();
        let folded = parts.join("_").to_uppercase();
        folded.chars().any(char::is_alphanumeric).then_some(Self(folded))
    }

    /// The folded word.
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

    /// Whether the job waits for its turn and cannot have moved anything yet.
    pub fn is_queued(&self) -> bool {
        matches!(self.0.as_str(), "SCHEDULED" | "QUEUED")
    }

    /// Whether the word is one whose meaning is known, here or from the sister endpoints.
    pub fn is_known(&self) -> bool {
        self.is_finished() || self.is_queued() || matches!(self.0.as_str(), "RUNNING" | "IN_PROGRESS")
    }
}

impl JobStatus {
    /// How the job ended; `None` while it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        let leftover =
            [self.counts.failed, self.counts.not_updated].into_iter().flatten().any(|count| count > 0);
        match (self.status.is_finished(), self.status.is_completed()) {
            (false, _) => None,
            (true, false) => Some(Outcome::Failed),
            (true, true) if leftover => Some(Outcome::PartiallySucceeded),
            (true, true) => Some(Outcome::Succeeded),
        }
    }

    /// Whole percent of the total that is updated or failed, rounded down, 0 to 100; `None` where it cannot be known.
    pub fn progress_percent(&self) -> Option<u8> {
        let Counts { total, updated, failed, .. } = self.counts;
        let done = match (updated, failed) {
            (None, None) => None,
            (updated, failed) => Some(updated.unwrap_or(0).saturating_add(failed.unwrap_or(0))),
        };
        match (total.filter(|total| *total > 0), done) {
            (Some(total), Some(done)) => {
                let percent =
                    u128::from(done).saturating_mul(100).checked_div(u128::from(total)).unwrap_or(0);
                u8::try_from(percent.min(100)).ok()
            }
            _ => self.status.is_completed().then_some(100),
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
            (job("COMPLETED", Some(5), Some(5), Some(0), Some(0)), Some(Outcome::Succeeded)),
            (job("COMPLETED", None, None, None, None), Some(Outcome::Succeeded)),
            (
                job("COMPLETED", Some(50_000), Some(49_500), Some(0), Some(500)),
                Some(Outcome::PartiallySucceeded),
            ),
            (job("COMPLETED", Some(5), Some(4), Some(1), Some(0)), Some(Outcome::PartiallySucceeded)),
            (job("COMPLETED", Some(5), None, Some(1), None), Some(Outcome::PartiallySucceeded)),
            (job("FAILED", Some(5), Some(5), Some(0), Some(0)), Some(Outcome::Failed)),
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
            assert_eq!(job.progress_percent(), percent, "{job:?}");
        }
    }
}
