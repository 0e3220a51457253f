//! AWS: the only place with clients of its services.

mod errors;
pub mod http;
pub(crate) mod scheduler;
pub mod sdk;
pub mod secrets_manager;
pub(crate) mod sns;
#[cfg(test)]
mod tests;
