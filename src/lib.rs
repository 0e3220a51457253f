//! Watches a Zoho CRM mass change owner job.

pub mod aws;
pub mod base_url;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod error;
pub mod job;
pub mod logging;
pub mod names;
pub mod notification;
pub mod pacing;
pub mod payload;
pub mod phase;
pub mod redact;
pub mod report;
pub mod request;
pub mod schedule;
pub mod secret;
pub mod token;
pub mod transport;
pub mod watcher;
pub mod zoho;
