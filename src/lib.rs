//! Watches a Zoho CRM mass change owner job: one check per invocation, and an announcement at the end.
//!
//! # Layout
//!
//! From the top to the bottom. A module imports from the layers below its own only (`tests/module_order.rs`).
//!
//! | Module | What it knows |
//! |---|---|
//! | `schema` | JSON Schemas of the public shapes (feature `schemas`, for tests) |
//! | [`setup`] | builds the function from its environment |
//! | [`runtime`] | the Lambda Runtime API: takes invocations, sends back responses |
//! | [`handler`] | one invocation, from the payload to the response |
//! | [`record`] | the log line and the metrics of an invocation |
//! | [`checker`] | one check: a token, the status request, one replacement token on a 401 |
//! | [`delivery`] | publish, then delete or update the schedule |
//! | [`config`] | the settings: every environment variable, checked |
//! | [`aws`] | the clients of AWS's services, and what their errors mean |
//! | [`token`] | one access token for all execution environments |
//! | [`zoho`] | Zoho's API, accounts server, data centers, and credentials |
//! | [`watch`] | what a watch is, without I/O: request, job, rule, pacing, report, schedule, message |
//! | [`http`] | the one HTTP client, and what every exchange has in common |
//! | [`error`] | the public error names |
//! | [`operation`] | what is particular to this kind of job |
//! | [`phase`], [`logging`], [`metrics`] | where the time goes; log lines; metrics |
//! | [`arn`], [`environment`], [`invalid`], [`json`], [`redact`], [`timestamp`], [`deadline`] | one small thing each |
//!
//! The core is pure: functions without I/O, each with a table of cases next to it. The whole of one check, without a
//! network:
//!
//! ```
//! use mass_change_owner_status::timestamp::Timestamp;
//! use mass_change_owner_status::watch::ids::Location;
//! use mass_change_owner_status::watch::job::{Counts, JobStatus, Outcome, Status};
//! use mass_change_owner_status::watch::notice::Intervals;
//! use mass_change_owner_status::watch::pacing::Bounds;
//! use mass_change_owner_status::watch::report::{Limits, Report};
//! use mass_change_owner_status::watch::request::Request;
//!
//! let payload = r#"{"module": "Leads", "job_id": "3652397000009565021"}"#;
//! let now = Timestamp::parse("2026-11-23T10:12:30Z").unwrap();
//! let request = Request::parse(payload, now, &Location::default());
//!
//! // What Zoho says about the job:
//! let status = JobStatus {
//!     status: Status::normalize("COMPLETED").unwrap(),
//!     counts: Counts { total: Some(50_000), updated: Some(49_500), not_updated: Some(0), failed: Some(500) },
//! };
//!
//! let limits = Limits {
//!     bounds: Bounds { min_seconds: 10, max_seconds: 900 },
//!     watch_limit_seconds: 86_400,
//!     notices: Intervals::default(),
//! };
//! let report = Report::of_check(&request, &status, now, &limits);
//! assert_eq!(report.outcome(), Some(Outcome::PartiallySucceeded));
//! ```

pub(crate) mod arn;
pub mod aws;
pub mod checker;
pub mod config;
pub mod deadline;
pub mod delivery;
pub mod environment;
pub mod error;
pub mod handler;
pub mod http;
pub mod invalid;
pub mod json;
pub mod logging;
pub mod metrics;
pub mod operation;
pub mod phase;
pub mod record;
pub mod redact;
pub mod runtime;
#[cfg(feature = "schemas")]
pub mod schema;
pub mod setup;
#[cfg(test)]
mod tests;
pub mod timestamp;
pub mod token;
pub mod watch;
pub mod zoho;
