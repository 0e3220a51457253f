//! Watches a Zoho CRM mass change owner job.

pub mod base_url;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod error;
pub mod job;
pub mod names;
pub mod redact;
pub mod request;
pub mod secret;
pub mod transport;
pub mod zoho;
