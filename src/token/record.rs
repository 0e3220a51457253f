//! What the copies of the function write to each other: versions of the secret, their ids and their contents. Pure.

use crate::error::{ErrorType, WatchError};
use crate::http::origin::Origin;
use crate::timestamp::Timestamp;
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

/// The staging label of what is said about minting. A version needs a label lest it take `AWSCURRENT`; this one is no
/// more than a hint at the latest record.
pub const LEASE_LABEL: &str = "ZOHO_TOKEN_LEASE";

/// How many tries at one place are told apart. Secrets Manager forgets versions that are older than a day beyond a
/// hundred, so that there cannot be many more.
pub const LONGEST_WALK: u32 = 200;

/// A place in the chain of tokens: minted with these credentials, to follow that token.
///
/// All ids are worked out from it, so that copies which see the same secret compete for the same ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The version id of the credentials.
    pub credentials: String,
    /// The version id that carries [`TOKEN_LABEL`] now; empty where none does.
    pub follows: String,
}

impl Position {
    /// The one id under which a token can take this place.
    pub fn token_id(&self) -> String {
        // Says which credentials it was minted with, for readers that know only theirs.
        format!("{}{}", token_id_prefix(&self.credentials), self.digest("token", 0))
    }

    /// The id whose first writer may mint for this place, at the n-th try.
    pub fn lease_id(&self, attempt: u32) -> String {
        format!("lease-{}", self.digest("lease", attempt))
    }

    /// The id under which the holder of that lease says that it got no token.
    pub fn settled_id(&self, attempt: u32) -> String {
        format!("settled-{}", self.digest("settled", attempt))
    }

    /// Which try at this place a lease or a settled record belongs to, if it belongs here.
    pub fn attempt_of(&self, id: &str) -> Option<u32> {
        (0..LONGEST_WALK).find(|attempt| self.lease_id(*attempt) == id || self.settled_id(*attempt) == id)
    }

    fn digest(&self, kind: &str, attempt: u32) -> String {
        // Version ids hold no line feeds, so that the parts cannot run into each other.
        hex(&format!("{kind}\n{}\n{}\n{attempt}", self.credentials, self.follows), 20)
    }
}

/// Version ids are 32 to 64 characters (`ClientRequestToken`, API reference): 23 and 40 make 63.
fn token_id_prefix(credentials: &str) -> String {
    format!("token-{}-", hex(credentials, 8))
}

/// The first bytes of a SHA-256, two digits each.
fn hex(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// A token as the copies share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedToken {
    /// The token.
    pub token: AccessToken,
    /// What the token reply named.
    pub api_domain: Option<Origin>,
    /// When Zoho ends it.
    pub expires_at: Timestamp,
}

impl SharedToken {
    /// As the contract has it: `{"access_token", "api_domain", "expires_at"}`.
    pub fn to_text(&self) -> SecretString {
        let api_domain = self.api_domain.as_ref().map(Origin::as_str);
        json!({"access_token": self.token.expose(), "api_domain": api_domain, "expires_at": self.expires_at})
            .to_string()
            .into()
    }

    /// `expires_at` in RFC 3339, or seconds (or milliseconds) since the epoch; a host that is not trusted is left out.
    pub fn parse(text: &SecretString) -> Option<Self> {
        let value: Value = serde_json::from_str(text.expose_secret()).ok()?;
        let expires_at = match value.get("expires_at")? {
            Value::String(text) if text.trim().parse::<f64>().is_err() => Timestamp::parse(text)?,
            value => {
                let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
                let milliseconds = number > 1e11;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "saturates, and is clamped to the years there are"
                )]
                let seconds = (if milliseconds { number / 1_000.0 } else { number }) as i64;
                Timestamp::from_epoch_seconds(seconds)
            }
        };
        Some(Self {
            token: AccessToken::parse(value.get("access_token")?.as_str()?)?,
            api_domain: value
                .get("api_domain")
                .and_then(Value::as_str)
                .and_then(|text| Origin::parse(text).ok()),
            expires_at,
        })
    }
}

/// Whether a shared token was minted with these credentials.
///
/// Ours say so in their ids. One that something else put there counts where it is not older than the credentials.
pub fn minted_with(token: &Version, credentials: &Version) -> bool {
    if token.id.starts_with("token-") {
        token.id.starts_with(&token_id_prefix(&credentials.id))
    } else {
        token.created >= credentials.created
    }
}

/// The content of a lease: who may mint, and for how long after putting it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The copy that may mint.
    pub owner: String,
    /// After that time on a clock that was started when the lease was first seen, its owner mints no more.
    pub seconds: u64,
}

/// What a holder says that got no token, so that the others need not ask Zoho for the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Why.
    pub error: WatchError,
    /// For how long nobody needs to ask again.
    pub seconds: u64,
}

impl Lease {
    /// As stored.
    pub fn to_text(&self) -> SecretString {
        json!({"owner": self.owner, "seconds": self.seconds}).to_string().into()
    }

    /// `None` where it is no lease.
    pub fn parse(text: &SecretString) -> Option<Self> {
        serde_json::from_str(text.expose_secret()).ok()
    }

    /// For how long.
    pub fn duration(&self) -> Duration {
        // A bound, lest a damaged record stop everybody for ever.
        Duration::from_secs(self.seconds.min(60))
    }
}

impl Settled {
    /// As stored.
    pub fn to_text(&self) -> SecretString {
        json!({"error_type": self.error.kind().name(), "message": self.error.message(), "seconds": self.seconds})
            .to_string()
            .into()
    }

    /// `None` where it is no such record.
    pub fn parse(text: &SecretString) -> Option<Self> {
        let value: Value = serde_json::from_str(text.expose_secret()).ok()?;
        let text = |key| value.get(key).and_then(Value::as_str);
        Some(Self {
            error: WatchError::new(ErrorType::from_name(text("error_type")?)?, text("message")?),
            seconds: value.get("seconds")?.as_u64()?,
        })
    }

    /// When it is over, from when it was said: by Secrets Manager's clock, so that the writer's does not matter.
    pub fn until(&self, said_at: Timestamp) -> Timestamp {
        // A bound, lest a damaged record stop everybody for ever.
        said_at.plus_seconds(i64::try_from(self.seconds.min(1_800)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str, created: i64) -> Version {
        Version { id: id.into(), created: Timestamp::from_epoch_seconds(created), text: "".into() }
    }

    #[test]
    fn ids_fit_and_differ_by_every_part() {
        let at = |credentials: &str, follows: &str| Position {
            credentials: credentials.into(),
            follows: follows.into(),
        };
        let mut seen = std::collections::HashSet::new();
        for position in [at("c1", ""), at("c1", "t1"), at("c2", ""), at("c1t", "1")] {
            for id in [
                position.token_id(),
                position.lease_id(0),
                position.lease_id(1),
                position.settled_id(0),
                position.settled_id(1),
            ] {
                assert!((32..=64).contains(&id.len()), "{id}");
                assert!(seen.insert(id));
            }
        }
        let place = at("c1", "t1");
        for id in [place.lease_id(7), place.settled_id(7)] {
            assert_eq!(place.attempt_of(&id), Some(7));
            assert_eq!(at("c2", "t1").attempt_of(&id), None);
        }
    }

    #[test]
    fn a_token_of_replaced_credentials_is_told_apart() {
        let (old, new) = (version("c1", 100), version("c2", 200));
        let ours = Position { credentials: "c1".into(), follows: String::new() }.token_id();
        // Ours by its id, however late it was put; anybody else's by its age.
        for (token, with_old, with_new) in [
            (version(&ours, 300), true, false),
            (version("by-hand", 150), true, false),
            (version("by-hand", 200), true, true),
        ] {
            assert_eq!(
                (minted_with(&token, &old), minted_with(&token, &new)),
                (with_old, with_new),
                "{token:?}"
            );
        }
    }

    #[test]
    fn shared_tokens_are_read_in_every_notation_of_time() {
        let expires_at = Timestamp::parse("2026-11-23T10:00:00Z").unwrap();
        for text in [
            r#"{"access_token":"t","api_domain":"https://www.zohoapis.eu","expires_at":"2026-11-23T10:00:00Z"}"#,
            r#"{"access_token":"t","api_domain":"https://www.zohoapis.eu","expires_at":1795428000}"#,
            r#"{"access_token":"t","api_domain":"https://www.zohoapis.eu","expires_at":1795428000.7}"#,
            r#"{"access_token":"t","api_domain":"https://www.zohoapis.eu","expires_at":1795428000000}"#,
        ] {
            let shared = SharedToken::parse(&text.into()).unwrap();
            assert_eq!((shared.token.expose(), shared.expires_at), ("t", expires_at), "{text}");
            assert_eq!(SharedToken::parse(&shared.to_text()).unwrap(), shared);
        }
        let evil = SharedToken::parse(
            &r#"{"access_token":"t","api_domain":"http://evil.example","expires_at":1}"#.into(),
        );
        assert_eq!(evil.unwrap().api_domain, None);
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
    fn records_survive_the_round_trip() {
        let lease = Lease { owner: "x".into(), seconds: 12 };
        assert_eq!(Lease::parse(&lease.to_text()), Some(lease));
        let settled = Settled { error: WatchError::new(ErrorType::TokenRateLimited, "later"), seconds: 600 };
        let said_at = Timestamp::from_epoch_seconds(1_000);
        assert_eq!(settled.until(said_at).epoch_seconds(), 1_600);
        assert_eq!(
            Settled { seconds: u64::MAX, ..settled.clone() }.until(said_at).epoch_seconds(),
            1_000 + 1_800
        );
        assert_eq!(Settled::parse(&settled.to_text()), Some(settled));
        assert_eq!(Lease::parse(&"garbage".into()), None);
        assert_eq!(Settled::parse(&r#"{"error_type":"Nonsense","message":"m","seconds":1}"#.into()), None);
        assert!(Lease { owner: String::new(), seconds: u64::MAX }.duration() <= Duration::from_secs(60));
    }
}
