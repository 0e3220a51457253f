//! The function's response: what is known of the job, and how its watch continues.

use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::watch::job::{Counts, JobRef, JobStatus, Outcome, Status};
use crate::watch::notice::{self, Notice};
use crate::watch::pacing::{self, Bounds, NextCheck};
use crate::watch::request::{History, ReportedError, Request, Tags};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// What a check found, and how the watch continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The job; if the request names no valid one, what it says instead.
    pub job: JobRef,
    /// What the caller attached to the watch.
    pub tags: Tags,
    /// Zoho's status value when the job was last seen; `None` if it never was.
    pub status: Option<Status>,
    /// Zoho's counts then.
    pub counts: Counts,
    /// Number of checks in this watch, this one included.
    pub checks: u64,
    /// When the watch began.
    pub began: Timestamp,
    /// When `status` and the counts are from; the time of this check if there is no status.
    pub checked_at: Timestamp,
    /// When the counts last changed; only with `NO_PROGRESS_NOTICE_SECONDS`.
    pub last_progress_at: Option<Timestamp>,
    /// How the watch continues.
    pub state: State,
}

/// How a watch continues after a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The job is unfinished: when the next check is, and the notice that is due.
    Continues(NextCheck, Option<Notice>),
    /// The job could not be checked, and the watch goes on: why, and when the next check is.
    Unchecked(ReportedError, NextCheck),
    /// The job is over.
    Finished(Outcome),
    /// The watch has reached its limit. With the error if this check failed.
    TimedOut(Option<ReportedError>),
    /// The watch never worked, or its state machine gave it up.
    Failed(ReportedError),
}

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
            Self::End(outcome) => outcome.into(),
            Self::Notice(notice) => notice.into(),
        }
    }
}

/// The limits of a watch, and its notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `CHECK_INTERVAL_MIN_SECONDS` and `CHECK_INTERVAL_MAX_SECONDS`.
    pub bounds: Bounds,
    /// `WATCH_LIMIT_SECONDS`: the maximum duration of a watch.
    pub watch_limit_seconds: u64,
    /// How often a watch that continues sends a notice.
    pub notices: notice::Intervals,
}

impl Limits {
    /// Whether a watch that began at this time has used up its time.
    pub fn is_over(&self, began: Timestamp, now: Timestamp) -> bool {
        now.elapsed_since(began) >= self.watch_limit_seconds
    }
}

/// Shortest waits after a check that failed, in seconds.
const TOKEN_RATE_LIMIT_WAIT: u64 = 120;
/// `Retry-After` is honored up to this, in seconds.
const LONGEST_RETRY_AFTER: u64 = 3_600;

impl Report {
    /// The report of a check whose response from Zoho came at the time `now`.
    pub fn of_check(request: &Request, job: &JobStatus, now: Timestamp, limits: &Limits) -> Self {
        let History { began, .. } = request.history;
        let mut report = Self {
            status: Some(job.status.clone()),
            counts: job.counts,
            checked_at: now,
            last_progress_at: None,
            ..Self::of_end(request, State::TimedOut(None), 1, now)
        };
        if let Some(outcome) = job.outcome() {
            report.state = State::Finished(outcome);
        } else if !began.is_some_and(|began| limits.is_over(began, now)) {
            report.last_progress_at =
                limits.notices.no_progress.and_then(|_| notice::last_progress_at(&request.history, &job.counts, now));
            let previous = request.history.checked_at;
            let notice = limits.notices.due(report.began, report.last_progress_at, previous, now);
            let next = pacing::next_check(&request.history, job, now, &limits.bounds);
            report.state = State::Continues(next, notice);
        }
        report
    }

    /// The report of a check that failed, in a watch that goes on: the last known facts, and the error.
    pub fn that_goes_on(request: &Request, error: &WatchError, now: Timestamp, limits: &Limits) -> Self {
        let mut report = Self::of_end(request, State::TimedOut(None), 1, now);
        let since = if report.status.is_some() { report.checked_at } else { report.began };
        let job = report.job.names()[1].unwrap_or_default();
        let retry_after = error.retry_after.map_or(0, |wait| wait.as_secs().min(LONGEST_RETRY_AFTER));
        let by_name = if error.kind == ErrorType::TokenRateLimited { TOKEN_RATE_LIMIT_WAIT } else { 0 };
        let seconds = pacing::after_failure(now.elapsed_since(since), job)
            .max(limits.bounds.min_seconds)
            .max(pacing::after_many_checks(report.checks, now.elapsed_since(report.began)))
            .max(by_name)
            .max(retry_after);
        report.state = State::Unchecked(error.into(), NextCheck { seconds, reason: "failed check" });
        report
    }

    /// The report of a watch that ends with an error. `checks` is 1 if this invocation checked the job, otherwise 0.
    pub fn of_end(request: &Request, state: State, checks: u64, now: Timestamp) -> Self {
        let history = &request.history;
        let seen_at = history.checked_at.filter(|_| history.status.is_some());
        Self {
            job: request.job(),
            tags: request.tags.clone(),
            status: history.status.clone(),
            counts: history.counts,
            checks: history.checks.saturating_add(checks),
            began: history.began.map_or(now, |began| began.min(now)),
            checked_at: seen_at.unwrap_or(now),
            last_progress_at: history.last_progress_at,
            state,
        }
    }

    /// How the watch ended; `None` while it continues.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Continues(..) | State::Unchecked(..) => None,
            State::Finished(outcome) => Some(outcome),
            State::TimedOut(_) => Some(Outcome::WatchTimedOut),
            State::Failed(_) => Some(Outcome::WatchFailed),
        }
    }

    /// Why this check failed, or why the watch ended.
    pub fn error(&self) -> Option<&ReportedError> {
        match &self.state {
            State::Unchecked(error, _) | State::Failed(error) => Some(error),
            State::TimedOut(error) => error.as_ref(),
            State::Continues(..) | State::Finished(_) => None,
        }
    }

    /// Whether the job is over.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished(_))
    }

    /// When the next check is; `None` when the watch is over.
    pub fn next_check(&self) -> Option<NextCheck> {
        if let State::Continues(next, _) | State::Unchecked(_, next) = self.state { Some(next) } else { None }
    }

    /// Seconds to wait before it.
    pub fn next_check_seconds(&self) -> Option<u64> {
        self.next_check().map(|next| next.seconds)
    }

    /// The notice that is due.
    pub fn notice(&self) -> Option<Notice> {
        if let State::Continues(_, notice) = self.state { notice } else { None }
    }

    /// What a message is to be sent about, if anything.
    pub fn event(&self) -> Option<Event> {
        self.outcome().map(Event::End).or_else(|| self.notice().map(Event::Notice))
    }

    /// Whole percent of the total that is updated or failed, 0 to 100.
    pub fn progress_percent(&self) -> Option<u8> {
        self.counts.progress_percent(self.status.as_ref())
    }
}

/// A report in JSON. The first fourteen keys are always present; the others only where they apply.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schemas", schemars(rename = "Report"))]
pub struct ReportKeys<'a> {
    /// API name of the module; if the request names no valid one, what it says instead.
    pub module: Option<&'a str>,
    /// ID of the job; if the request names no valid one, what it says instead.
    pub job_id: Option<&'a str>,
    /// Zoho's status value, normalized; null if the job was never seen.
    pub status: Option<&'a str>,
    /// Whether the job is over.
    pub finished: bool,
    /// How the watch ended; null while it continues.
    pub outcome: Option<Outcome>,
    /// Records whose owner was to be changed.
    pub total_count: Option<u64>,
    /// Records with the new owner.
    pub updated_count: Option<u64>,
    /// Records that still have the previous owner.
    pub not_updated_count: Option<u64>,
    /// Records whose owner could not be changed.
    pub failed_count: Option<u64>,
    /// Whole percent, 0 to 100.
    #[cfg_attr(feature = "schemas", schemars(range(max = 100)))]
    pub progress_percent: Option<u8>,
    /// Number of checks in this watch, this one included.
    pub checks: u64,
    /// When the watch began.
    pub first_checked_at: Timestamp,
    /// When `status` and the counts are from; the time of this check if there is no status.
    pub checked_at: Timestamp,
    /// Seconds to wait before the next check; null when the watch is over.
    pub next_check_seconds: Option<u64>,
    /// When the counts last changed; only with `NO_PROGRESS_NOTICE_SECONDS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_progress_at: Option<Timestamp>,
    /// What the request says about who asked for the change of owner, or why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    /// The list that the watch belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<&'a str>,
    /// Why this check failed, or why the watch ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a ReportedError>,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [module, job_id] = self.job.names();
        let keys = ReportKeys {
            module,
            job_id,
            status: self.status.as_ref().map(Status::as_str),
            finished: self.is_finished(),
            outcome: self.outcome(),
            total_count: self.counts.total,
            updated_count: self.counts.updated,
            not_updated_count: self.counts.not_updated,
            failed_count: self.counts.failed,
            progress_percent: self.progress_percent(),
            checks: self.checks,
            first_checked_at: self.began,
            checked_at: self.checked_at,
            next_check_seconds: self.next_check_seconds(),
            last_progress_at: self.last_progress_at,
            label: self.tags.label.as_deref(),
            list: self.tags.list.as_deref(),
            error: self.error(),
        };
        keys.serialize(serializer)
    }
}

/// The function's response: the report, and what became of it where that applies.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Response {
    /// The report.
    #[serde(flatten)]
    #[cfg_attr(feature = "schemas", schemars(with = "ReportKeys<'static>"))]
    pub report: Report,
    /// The message that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
    /// Whether the schedule that triggered the invocation is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_deleted: Option<bool>,
    /// The composed message, if the request asked for it; null while the watch continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<crate::schema::Announcement>"))]
    pub announcement: Option<Value>,
    /// The composed notice about an unfinished job, if one is due and the request asked for announcements.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<crate::schema::Announcement>"))]
    pub notice: Option<Value>,
}

impl From<Report> for Response {
    fn from(report: Report) -> Self {
        Self { report, notification: None, schedule_deleted: None, announcement: None, notice: None }
    }
}

/// What SNS returned.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Notification {
    /// SNS's ID of the message.
    pub message_id: String,
}

#[cfg(test)]
mod tests;
