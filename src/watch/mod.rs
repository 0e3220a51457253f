//! What a watch is, without any I/O: the request, the job, the pace, the rule, the report, and the message.

pub mod event;
pub mod format;
pub mod job;
pub mod message;
pub mod notice;
pub mod pacing;
pub mod report;
pub mod request;
pub mod rule;
pub mod schedule;
pub mod text;
