//! Watches a Zoho CRM mass change owner job.

pub mod aws;
pub mod checker;
pub mod config;
pub mod deadline;
pub mod delivery;
pub mod error;
pub mod handler;
pub mod http;
pub mod invalid;
pub mod json;
pub mod logging;
pub mod phase;
pub mod redact;
pub mod setup;
pub mod timestamp;
pub mod token;
pub mod watch;
pub mod zoho;
