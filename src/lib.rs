//! Watches a Zoho CRM mass change owner job: one check per invocation, and an announcement at the end.
//!
//! A module imports from lower layers only (tests/library/module_order.rs). What [`watch`] is made of does no I/O.

pub mod arn;
pub mod aws;
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
#[cfg(feature = "schemas")]
pub mod schema;
pub mod setup;
#[cfg(test)]
mod tests;
pub mod timestamp;
pub mod token;
pub mod watch;
pub mod zoho;
