//! AWS: the only place with clients of its services.

mod errors;
pub mod http;
mod reporter;
pub mod scheduler;
pub mod sdk;
pub mod secrets_manager;
pub mod sns;

#[cfg(test)]
mod tests;
