//! What a watch is, without any I/O: the request, the job, the pace, the report, and the message.

pub mod chat;
pub mod event;
mod event_id;
pub mod ids;
pub mod job;
pub mod message;
pub mod notice;
pub mod pacing;
pub mod report;
pub mod request;
