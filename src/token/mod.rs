//! One access token for all execution environments, shared through the secret itself.
//!
//! Zoho issues 10 tokens per refresh token in 10 minutes, so environments must not each request their own. They write one
//! numbered chain of records ([`record`]) into the secret. Secrets Manager rejects a second put under an ID that exists:
//! that is the compare-and-set. An acquisition ([`acquire`]) is a loop: read, decide ([`chain`], pure), act.
//! docs/token-sharing.md has the rules, the formats, the guarantees, and what it costs.

mod acquire;
mod cache;
mod chain;
mod record;
mod source;
mod store;

pub(crate) use cache::Context;
pub use cache::{CachedToken, Sharing};
pub use record::{LEASE_LABEL, TOKEN_LABEL};
pub use source::TokenSource;
pub use store::{Put, SecretStore, StoreError, Version};
