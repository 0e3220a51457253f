//! AWS: the only place with clients of its services.

pub mod http;
pub mod scheduler;
pub mod sdk;
pub mod secrets_manager;
pub mod sns;
