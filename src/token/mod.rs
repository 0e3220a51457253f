//! Access tokens: one for all copies of the function, minted once, shared through the secret itself.
//!
//! docs/token-sharing.md draws the protocol and states what it guarantees.

mod lease;
mod live;
mod minting;
mod record;
mod search;
mod source;
pub mod store;

pub use live::Live;
pub use record::{LEASE_LABEL, TOKEN_LABEL};
pub use source::{Settings, TokenSource};
pub use store::{Put, SecretStore, StoreError, Version};

#[cfg(test)]
mod simulation;
