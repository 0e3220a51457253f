//! One access token for all execution environments, shared through the secret itself.
//!
//! Zoho issues 10 tokens per refresh token in 10 minutes, so environments must not each request their own. They write one
//! numbered chain of records into the secret ([`record`]). Secrets Manager rejects a second put under an ID that exists:
//! that is the compare-and-set. An acquisition ([`acquire`]) is a loop: read, decide, act. The decision ([`chain`]) is
//! pure. The first rule that applies counts:
//!
//! | | if | then |
//! |---|---|---|
//! | 1 | a token can be used and is not a rejected one | use it |
//! | 2 | the newest record is a failure whose time is not over | its error |
//! | 3 | the newest record is another environment's claim, or its token of a moment ago that was rejected here | look again |
//! | 4 | the newest record is one's own claim, read back, with enough time left | request a token, store it or the failure |
//! | 5 | fewer than 78 records are younger than a day | put a claim under the next number, look again |
//! | 6 | the secret cannot be written, or rule 5 allows no claim | request a token for this environment alone |
//!
//! A refresh keeps the present token wherever a rule says error or look again. docs/token-sharing.md has the formats, the
//! guarantees, and what it costs.

mod acquire;
mod chain;
mod record;
mod source;
mod store;
mod times;

pub(crate) use acquire::Context;
pub use acquire::Sharing;
pub use record::{LEASE_LABEL, TOKEN_LABEL};
pub use source::TokenSource;
pub use store::{Put, SecretStore, StoreError, Version};
pub use times::CachedToken;
