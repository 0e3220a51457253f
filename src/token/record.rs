//! What the execution environments store for each other: versions of the secret, their IDs and their contents. Pure.
//!
//! Nothing that is read here is trusted. Whoever can write the secret can stop the function (they could also delete the
//! credentials), and nothing more: every time and every text has a bound, and every name comes from a list.

use crate::error::{ErrorType, WatchError};
use crate::http::Origin;
use crate::timestamp::Timestamp;
use crate::token::clock::{Now, Timer};
use crate::token::store::Version;
use crate::zoho::credentials::AccessToken;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::Duration;

/// The staging label of the shared token.
pub const TOKEN_LABEL: &str = "ZOHO_ACCESS_TOKEN";

/// The staging label of leases and failures. Without a label of its own, a version would get `AWSCURRENT`. This one only
/// points to the latest such version.
pub const LEASE_LABEL: &str = "ZOHO_TOKEN_LEASE";

/// How many versions are followed in one look. Secrets Manager keeps those of the last day, but rarely more than 100.
pub(super) const MAX_VERSIONS: u32 = 200;

const MAX_LEASE: Duration = Duration::from_secs(60);
const MAX_COOLDOWN: Duration = Duration::from_secs(1_800);
const MAX_FAILURE_TEXT: usize = 400;

/// A link in the chain of tokens: issued for these credentials, after that token.
///
/// Every ID is computed from it, so that environments that see the same secret compete for the same IDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    /// The version ID of the credentials.
    pub credentials: String,
    /// The version ID of the token before; empty for the first one.
    pub after: String,
}

impl Slot {
    /// The first link for these credentials.
    pub(super) fn first(credentials: &str) -> Self {
        Self { credentials: credentials.to_owned(), after: String::new() }
    }

    /// The only ID under which a token can fill this slot. Version IDs have 32 to 64 characters (`ClientRequestToken` in
    /// the API reference of `PutSecretValue`); this one has 63.
    pub(super) fn token_id(&self) -> String {
        format!("{}{}", token_prefix(&self.credentials), self.digest())
    }

    /// The ID whose first writer may request a token for this slot, in this term.
    pub(super) fn lease_id(&self, term: u32) -> String {
        format!("lease-{}-{term:04}", self.digest())
    }

    /// The ID under which the holder of that lease reports that it got no token.
    pub(super) fn failure_id(&self, term: u32) -> String {
        format!("failure-{}-{term:04}", self.digest())
    }

    /// The term of a lease or a failure, if it belongs to this slot.
    pub(super) fn term_of(&self, id: &str) -> Option<u32> {
        let (_kind, rest) = id.split_once('-')?;
        let (digest, term) = rest.split_once('-')?;
        (digest == self.digest()).then(|| term.parse().ok()).flatten()
    }

    fn digest(&self) -> String {
        // Version IDs contain no line feeds, so that the two cannot run into each other.
        hex(&format!("{}\n{}", self.credentials, self.after), 20)
    }
}

/// Tells readers that know only their own credentials whether the token belongs to them.
fn token_prefix(credentials: &str) -> String {
    format!("token-{}-", hex(credentials, 8))
}

/// The first bytes of a SHA-256, two digits each.
fn hex(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether this function stored the version, judged by its ID.
pub(super) fn is_ours(id: &str) -> bool {
    ["token-", "lease-", "failure-"].iter().any(|kind| id.starts_with(kind))
}

/// Whether a shared token was issued for these credentials: by its ID or, if something else stored it, by its age.
pub(super) fn issued_for(token: &Version, credentials: &Version) -> bool {
    if is_ours(&token.id) {
        token.id.starts_with(&token_prefix(&credentials.id))
    } else {
        token.created >= credentials.created
    }
}

/// The content of a token's version: `{"access_token", "api_domain", "expires_at"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SharedToken {
    pub token: AccessToken,
    /// The host that the token response named.
    pub api_domain: Option<Origin>,
    pub expires_at: Timestamp,
}

impl SharedToken {
    pub(super) fn to_text(&self) -> SecretString {
        let api_domain = self.api_domain.as_ref().map(Origin::as_str);
        json!({"access_token": self.token.expose(), "api_domain": api_domain, "expires_at": self.expires_at})
            .to_string()
            .into()
    }

    /// `expires_at` is RFC 3339, or seconds or milliseconds since the epoch.
    pub(super) fn parse(text: &SecretString) -> Option<Self> {
        let value: Value = serde_json::from_str(text.expose_secret()).ok()?;
        let api_domain = value.get("api_domain").and_then(Value::as_str);
        Some(Self {
            token: AccessToken::parse(value.get("access_token")?.as_str()?)?,
            api_domain: api_domain.and_then(|text| Origin::parse(text).ok()),
            expires_at: Timestamp::from_json(value.get("expires_at")?)?,
        })
    }
}

/// The content of a lease's version: who may request a token, and for how long after the put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    /// A random number in hexadecimal digits, new for each claim.
    pub owner: String,
    pub seconds: u64,
}

impl Lease {
    pub(super) fn to_text(&self) -> SecretString {
        json!({"owner": self.owner, "seconds": self.seconds}).to_string().into()
    }

    /// `None` if it is not a lease.
    pub(super) fn parse(text: &SecretString) -> Option<Self> {
        serde_json::from_str(text.expose_secret()).ok()
    }

    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds).min(MAX_LEASE)
    }
}

/// The negative result of a lease: why there is no token, and until when nobody needs to ask Zoho again.
#[derive(Debug, Clone)]
pub(super) struct MintFailure {
    pub error: WatchError,
    pub until: Timer,
    pub term: u32,
}

impl MintFailure {
    /// The cooldown doubles with each term, because a failure that lasts must not fill the secret with versions: Secrets
    /// Manager keeps all those of a day, and rejects new ones at a quota, those of the operator included.
    pub(super) fn new(error: WatchError, first_cooldown: Duration, term: u32, now: Now) -> Self {
        let factor = 1_u32 << term.min(20);
        let cooldown = first_cooldown.saturating_mul(factor).min(MAX_COOLDOWN);
        Self { error, until: Timer::start(now, cooldown), term }
    }

    /// `{"error_type", "message", "seconds"}`.
    pub(super) fn to_text(&self) -> SecretString {
        let (error_type, message) = (self.error.kind().name(), self.error.message());
        json!({"error_type": error_type, "message": message, "seconds": self.until.duration().as_secs()})
            .to_string()
            .into()
    }

    /// What another environment stored, with the time that is left of it by Secrets Manager's clock. `None` if it is not
    /// a failure, or one that requesting a token cannot have.
    pub(super) fn parse(version: &Version, term: u32, now: Now) -> Option<Self> {
        let value: Value = serde_json::from_str(version.text.expose_secret()).ok()?;
        let text = |key| value.get(key).and_then(Value::as_str);
        let kind = ErrorType::from_name(text("error_type")?).filter(|kind| {
            matches!(
                kind,
                ErrorType::TokenRejected
                    | ErrorType::TokenRateLimited
                    | ErrorType::ZohoUnavailable
                    | ErrorType::ZohoUnexpectedResponse
            )
        })?;
        let message: String = text("message")?.chars().take(MAX_FAILURE_TEXT).collect();
        let cooldown = Duration::from_secs(value.get("seconds")?.as_u64()?).min(MAX_COOLDOWN);
        let age = u64::try_from(now.at.seconds_since(version.created)).unwrap_or_default();
        let left = cooldown.saturating_sub(Duration::from_secs(age));
        Some(Self { error: WatchError::new(kind, message), until: Timer::start(now, left), term })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::clock::tests::{later, some_time};

    fn version(id: &str, created: i64) -> Version {
        Version { id: id.into(), created: Timestamp::from_epoch_seconds(created), text: "".into() }
    }

    #[test]
    fn ids_have_a_valid_length_and_differ_in_every_part() {
        let slot =
            |credentials: &str, after: &str| Slot { credentials: credentials.into(), after: after.into() };
        let mut seen = std::collections::HashSet::new();
        for slot in [slot("c1", ""), slot("c1", "t1"), slot("c2", ""), slot("c1t", "1")] {
            let terms = [slot.lease_id(0), slot.lease_id(1), slot.failure_id(0), slot.failure_id(1)];
            for id in terms.into_iter().chain([slot.token_id()]) {
                assert!((32..=64).contains(&id.len()) && is_ours(&id), "{id}");
                assert!(seen.insert(id));
            }
        }
        let ours = slot("c1", "t1");
        for (id, term) in [
            (ours.lease_id(7), Some(7)),
            (ours.failure_id(12_345), Some(12_345)),
            (slot("c1", "t2").lease_id(7), None),
            (slot("c2", "t1").lease_id(7), None),
            (ours.token_id(), None),
            ("lease-7".into(), None),
        ] {
            assert_eq!(ours.term_of(&id), term, "{id}");
        }
        assert!(ours.lease_id(7).ends_with("-0007"));
    }

    #[test]
    fn a_token_belongs_to_the_credentials_that_it_was_issued_for() {
        let (old, new) = (version("c1", 100), version("c2", 200));
        let ours = Slot::first("c1").token_id();
        // The function's own tokens by their IDs, no matter how late they were put; all others by their age.
        for (token, by_old, by_new) in [
            (version(&ours, 300), true, false),
            (version("by-hand", 150), true, false),
            (version("by-hand", 200), true, true),
        ] {
            assert_eq!((issued_for(&token, &old), issued_for(&token, &new)), (by_old, by_new), "{token:?}");
        }
    }

    #[test]
    fn a_shared_token_survives_the_round_trip() {
        let text =
            r#"{"access_token":"t","api_domain":"https://www.zohoapis.eu","expires_at":1795428000000}"#;
        let shared = SharedToken::parse(&text.into()).unwrap();
        assert_eq!(shared.token.expose(), "t");
        assert_eq!(shared.expires_at.to_string(), "2026-11-23T10:00:00Z");
        assert_eq!(SharedToken::parse(&shared.to_text()).unwrap(), shared);
        for garbage in [
            "",
            "garbage",
            "{}",
            "[]",
            r#"{"access_token":"t"}"#,
            r#"{"access_token":"a b","expires_at":1}"#,
            r#"{"access_token":"t","expires_at":"soon"}"#,
        ] {
            assert!(SharedToken::parse(&garbage.into()).is_none(), "{garbage}");
        }
    }

    #[test]
    fn a_lease_is_bounded_and_survives_the_round_trip() {
        let lease = Lease { owner: "x".into(), seconds: 12 };
        assert_eq!(Lease::parse(&lease.to_text()), Some(lease));
        assert_eq!(Lease::parse(&"garbage".into()), None);
        assert_eq!(Lease { owner: String::new(), seconds: u64::MAX }.duration(), MAX_LEASE);
    }

    #[test]
    fn a_failure_is_read_back_with_the_time_that_is_left() {
        let now = some_time();
        let error = WatchError::new(ErrorType::TokenRateLimited, "too many requests");
        let failure = MintFailure::new(error.clone(), Duration::from_secs(600), 0, now);
        let stored = Version { id: String::new(), created: now.at, text: failure.to_text() };
        for (seconds_later, left) in [(0, 600), (100, 500), (600, 0), (90_000, 0), (-90_000, 600)] {
            let now = later(now, seconds_later, 0);
            let read = MintFailure::parse(&stored, 3, now).unwrap();
            assert_eq!((read.error, read.term), (error.clone(), 3));
            assert_eq!(read.until.left(now).as_secs(), left, "{seconds_later}");
        }
    }

    #[test]
    fn cooldowns_double_up_to_half_an_hour_for_every_kind_of_failure() {
        let now = some_time();
        for (kind, first, seconds) in [
            (ErrorType::ZohoUnavailable, 1, [1, 2, 4, 1_024, 1_800, 1_800]),
            (ErrorType::TokenRejected, 60, [60, 120, 240, 1_800, 1_800, 1_800]),
            (ErrorType::TokenRateLimited, 600, [600, 1_200, 1_800, 1_800, 1_800, 1_800]),
        ] {
            let cooldown = |term| {
                let error = WatchError::new(kind, "");
                MintFailure::new(error, Duration::from_secs(first), term, now).until.duration().as_secs()
            };
            assert_eq!([0, 1, 2, 10, 11, u32::MAX].map(cooldown), seconds, "{kind}");
        }
    }

    #[test]
    fn a_planted_failure_has_a_bounded_effect() {
        let now = some_time();
        let parse = |text: String| {
            MintFailure::parse(&Version { id: String::new(), created: now.at, text: text.into() }, 0, now)
        };
        for kind in ErrorType::ALL {
            let text = json!({"error_type": kind.name(), "message": "m".repeat(40_000), "seconds": u64::MAX});
            let requesting_can_fail_so = ["Token", "ZohoUnavailable", "ZohoUnexpectedResponse"]
                .iter()
                .any(|name| kind.name().starts_with(name));
            let read = parse(text.to_string());
            assert_eq!(read.is_some(), requesting_can_fail_so, "{kind}");
            if let Some(read) = read {
                assert_eq!(read.error.message().len(), MAX_FAILURE_TEXT);
                assert_eq!(read.until.duration(), MAX_COOLDOWN);
            }
        }
        for garbage in ["", "[]", r#"{"error_type":"Nonsense","message":"m","seconds":1}"#] {
            assert!(parse(garbage.to_owned()).is_none(), "{garbage}");
        }
    }
}
