//! One access token for all execution environments, shared through the secret itself.
//!
//! Zoho issues 10 tokens per refresh token in 10 minutes, so that environments must not each request their own. Five
//! well-known ideas are enough:
//!
//! * **A compare-and-set log.** Tokens form a chain of versions of the secret. The ID of each is computed from the ID of
//!   the one before, and Secrets Manager rejects a second put under the same ID ([`record`]).
//! * **A lease with the clock rule of the DynamoDB Lock Client.** Whoever puts the lease of the next slot requests the
//!   token. No clocks are compared: the holder starts its timer before the put, the others when they first see the lease
//!   ([`lease`]).
//! * **Single flight.** In one process, one acquisition at a time serves all invocations ([`source`]).
//! * **Negative caching.** What Zoho's refusal means for one environment, it means for all: the holder stores a failure
//!   with a cooldown in place of a token ([`record::MintFailure`]).
//! * **Refresh ahead.** The environment that requested a token requests the next one some time before the end, with a
//!   lease as always; the others do so later, and only if that one is gone ([`cache`]).
//!
//! An acquisition ([`acquire`]) is a loop: [`observe`] reads the secret, [`plan`] decides, and the loop acts. The
//! decision is pure. The first rule that applies counts:
//!
//! | | if | then |
//! |---|---|---|
//! | 1 | the secret cannot be read | wait and read again, a few times; then request a token with the credentials in memory, unless the secret is only throttled; else fail |
//! | 2 | there is a token that can be used and is not the rejected one | use it |
//! | 3 | tokens cannot be shared: no permission, or `AWSCURRENT` has moved | as rules 4 and 5, but without putting anything; else request a token without a lease |
//! | 4 | this environment has a new token, or a failure, that is not stored | store it; after four attempts, use the token alone |
//! | 5 | a failure is in effect | fail with it, or wait if it ends within two seconds |
//! | 6 | this environment holds the lease | request a token |
//! | 7 | another one holds the lease | wait |
//! | 8 | nobody does | claim it, then look again: what is read back decides who has it |
//!
//! Nobody waits for a successor: where a rule says "wait", the present token is used, and a later invocation looks again.
//!
//! docs/token-sharing.md has the formats, the sequence diagram, the guarantees, and what it costs.

mod acquire;
mod cache;
mod clock;
mod context;
mod lease;
mod observe;
mod plan;
mod record;
mod source;
mod store;

pub use cache::CachedToken;
pub use context::{Random, Settings};
pub use record::{LEASE_LABEL, TOKEN_LABEL};
pub use source::TokenSource;
pub use store::{Put, SecretStore, StoreError, Version};
