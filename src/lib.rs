//! Watches a Zoho CRM mass change owner job.

pub mod base_url;
pub mod clock;
pub mod config;
pub mod error;
pub mod job;
pub mod names;
pub mod redact;
pub mod request;
pub mod zoho { pub mod answer; pub mod data_center; pub mod retry; }
