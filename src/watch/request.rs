//! What an invocation asks for: every trigger, one shape.

mod parse;

use crate::error::WatchError;
use crate::timestamp::Timestamp;
use crate::watch::ids::{ExecutionArn, Job, JobRef, ScheduleArn};
use crate::watch::job::{Counts, Status};
use serde::Serialize;

/// What one invocation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub ask: Ask,
    /// Who invoked the function, which decides where the response goes.
    pub caller: Caller,
    /// What an earlier report of this watch says.
    pub history: History,
    /// What is passed on to every report of the watch.
    pub tags: Tags,
    /// The caller's name for this watch, as one line of at most 200 characters.
    pub watch: Option<String>,
}

/// What an invocation is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To check this job.
    Check(Job),
    /// To compose the end of a watch that its state machine gave up.
    Compose {
        /// What the state machine caught.
        failure: ReportedError,
        /// The job, as far as the request names one.
        job: JobRef,
    },
    /// Nothing that can be done: the payload is not a valid request.
    Reject {
        /// `InvalidInput`, naming every invalid field.
        error: WatchError,
        /// The job, as far as the request names one.
        job: JobRef,
    },
}

/// Who invoked the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A state machine, which publishes the announcement itself.
    StateMachine {
        /// The execution, for the link in its messages.
        execution: Option<ExecutionArn>,
    },
    /// An EventBridge schedule, which is deleted when the watch has ended.
    Schedule {
        /// The schedule.
        arn: ScheduleArn,
        /// Whether the function updates the schedule after each check.
        adapts: bool,
        /// Whether to publish the end of the job.
        notify: bool,
    },
    /// An event, a rule, a program, or a person.
    Direct {
        /// Whether to publish the end of the job.
        notify: bool,
    },
}

/// What a caller attaches to a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// Who asked for the change of owner, or why: one line of at most 100 characters.
    pub label: Option<String>,
    /// The list that the watch belongs to.
    pub list: Option<String>,
}

/// What the function reads back from an earlier report. Invalid values are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Zoho's status value when the job was last seen. A watch with one has worked.
    pub status: Option<Status>,
    /// Zoho's counts then.
    pub counts: Counts,
    /// Number of earlier checks.
    pub checks: u64,
    /// When the watch began. In the future if the clocks of execution environments differ a little: all of them must give
    /// an end of the watch the same ID.
    pub began: Option<Timestamp>,
    /// When the job was last seen.
    pub checked_at: Option<Timestamp>,
    /// When the counts last changed.
    pub last_progress_at: Option<Timestamp>,
}

/// An error as a report carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ReportedError {
    /// The function's `errorType`, or the name of the error that a state machine caught.
    #[serde(rename = "type")]
    pub name: String,
    /// What happened and what to do, in one line.
    pub message: String,
    /// Whether a state machine caught it: the name and the message are not the function's own.
    #[serde(skip)]
    pub is_callers: bool,
}

impl From<&WatchError> for ReportedError {
    fn from(error: &WatchError) -> Self {
        let (name, message) = (error.kind().name().to_owned(), error.message().to_owned());
        Self { name, message, is_callers: false }
    }
}

/// Enough for the function's own messages; a state machine's cause can have 32,768 characters.
const LONGEST_CAUSE: usize = 1_000;

impl Request {
    /// A request of a program that keeps its own history, such as the terminal watch.
    pub fn of_job(job: Job, began: Timestamp) -> Self {
        Self {
            ask: Ask::Check(job),
            caller: Caller::StateMachine { execution: None },
            history: History { began: Some(began), ..History::default() },
            tags: Tags::default(),
            watch: None,
        }
    }

    /// The job, valid or as it was written.
    pub fn job(&self) -> JobRef {
        match &self.ask {
            Ask::Check(job) => JobRef::Valid(job.clone()),
            Ask::Compose { job, .. } | Ask::Reject { job, .. } => job.clone(),
        }
    }
}

impl History {
    /// How far two clocks differ at most, in seconds.
    pub const CLOCK_DIFFERENCE: i64 = 600;

    /// When the watch began, and never in the future.
    pub fn began_by(&self, now: Timestamp) -> Option<Timestamp> {
        self.began.map(|began| began.min(now))
    }
}

#[cfg(test)]
mod tests;
