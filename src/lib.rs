//! Watches a Zoho CRM mass change owner job: one check per invocation, and an announcement at the end.
//!
//! The layers, from the top to the bottom: a module imports from those below its own only (`tests/module_order.rs`).
//!
//! * `schema` (JSON Schemas, for tests), [`setup`], [`runtime`]
//! * [`handler`]: one invocation, from the payload to the response
//! * [`record`]
//! * [`checker`]: one check; [`delivery`]: publish, then delete or update the schedule
//! * [`config`], [`aws`]
//! * [`token`]
//! * [`zoho`]
//! * [`watch`]: what a watch is, without I/O; [`http`]
//! * [`error`], [`phase`], [`logging`], [`metrics`]
//! * [`operation`]: what is particular to this kind of job; one small thing each: [`arn`], [`environment`], [`invalid`],
//!   [`json`], [`redact`], [`timestamp`], [`deadline`]
//!
//! The core is pure: functions without I/O, each with a table of cases next to it.

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
pub(crate) mod json;
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
