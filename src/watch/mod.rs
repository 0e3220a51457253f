//! What a watch is, without any I/O: the request, the job, the pace, the report, and the message.

pub mod chat;
mod event_id;
pub mod ids;
pub mod job;
pub mod message;
pub mod pacing;
pub mod report;
pub mod request;
