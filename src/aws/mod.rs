//! AWS: the only place with clients of its services.

mod errors;
pub(crate) mod http;
mod reporter;
pub(crate) mod scheduler;
pub mod sdk;
pub mod secrets_manager;
pub(crate) mod sns;

#[cfg(test)]
mod tests;
