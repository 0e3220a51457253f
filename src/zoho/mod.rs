//! What Zoho is: its API, its accounts server, its data centers, and its credentials.

pub mod client;
pub mod credentials;
pub mod data_center;
mod envelope;
pub mod exchange;
pub mod hosts;
pub mod oauth;
pub mod response;
pub mod retry;
