//! What the execution environments store for each other: one numbered chain of versions of the secret. Pure.
//!
//! Nothing that is read here is trusted. Whoever can write the secret can stop the function (they could also delete the
//! credentials), and nothing more: every time and every text has a bound, and every name comes from a list.

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::Origin;
use crate::timestamp::Timestamp;
use crate::token::store::Version;
use crate::zoho::oauth::IssuedToken;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The staging label of the shared token.
pub const TOKEN_LABEL: &str = "ZOHO_ACCESS_TOKEN";

/// The staging label of the latest claim or failure. Without a label of its own, a version would get `AWSCURRENT`.
pub const LEASE_LABEL: &str = "ZOHO_TOKEN_LEASE";

const PREFIX: &str = "zoho-access-token-record-";

/// No failure lasts longer.
const LONGEST_FAILURE: Duration = Duration::from_secs(3_600);

const LONGEST_MESSAGE: usize = 400;

/// The version ID of a record. Version IDs have 32 to 64 characters (API reference of `PutSecretValue`).
pub(super) fn id(number: u64) -> String {
    format!("{PREFIX}{number:010}")
}

/// A version of the secret that an execution environment stored.
#[derive(Clone)]
pub(super) struct Record {
    pub number: u64,
    /// By Secrets Manager's clock.
    pub created: Timestamp,
    pub content: Content,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Content {
    /// The digest of the [`Identity`] for this kind.
    pub credentials: String,
    /// The failures in a row up to this record.
    pub failures: u32,
    #[serde(flatten)]
    pub kind: RecordKind,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum RecordKind {
    /// A token that Zoho issued.
    Token { access_token: String, api_domain: Option<String>, expires_at: String },
    /// Why there is no token, and for how long nobody needs to ask again.
    Failure { error_type: String, message: String, seconds: u64 },
    /// This environment is about to request a token.
    Claim { owner: String },
    /// Of another user of the secret, or not readable: it decides nothing here.
    #[default]
    #[serde(skip)]
    Foreign,
}

impl Record {
    /// `None` if the version is not part of the chain.
    pub(super) fn parse(version: &Version, identity: &Identity) -> Option<Self> {
        let digits = version.id.strip_prefix(PREFIX).filter(|digits| digits.len() == 10)?;
        let content: Option<Content> = serde_json::from_str(version.text.expose_secret()).ok();
        let content = content.filter(|content| content.credentials == identity.digest(&content.kind));
        Some(Self { number: digits.parse().ok()?, created: version.created, content: content.unwrap_or_default() })
    }

    pub(super) fn is_foreign(&self) -> bool {
        matches!(self.content.kind, RecordKind::Foreign)
    }
}

impl RecordKind {
    /// A token that was requested at this time.
    pub(super) fn token(issued: &IssuedToken, at: Timestamp) -> Self {
        let lifetime = i64::try_from(issued.lifetime.as_secs()).unwrap_or_default();
        Self::Token {
            access_token: issued.token.expose().to_owned(),
            api_domain: issued.api_domain.as_ref().map(|origin| origin.as_str().to_owned()),
            expires_at: at.plus_seconds(lifetime).to_string(),
        }
    }

    pub(super) fn failure(error: &WatchError, lasts: Duration) -> Self {
        let (error_type, message) = (error.kind.name().to_owned(), error.message.to_owned());
        Self::Failure { error_type, message, seconds: lasts.as_secs() }
    }
}

impl Content {
    pub(super) fn new(kind: RecordKind, identity: &Identity, failures: u32) -> Self {
        Self { credentials: identity.digest(&kind).to_owned(), failures, kind }
    }

    pub(super) fn to_text(&self) -> SecretString {
        // Texts and numbers: this cannot fail.
        serde_json::to_string(self).unwrap_or_default().into()
    }

    /// What a failure says, and for how long after it was stored. Only what a request for a token can lead to.
    pub(super) fn error(&self) -> Option<(WatchError, Duration)> {
        use ErrorType::{TokenRateLimited, TokenRejected, ZohoUnavailable, ZohoUnexpectedResponse};
        let RecordKind::Failure { error_type, message, seconds } = &self.kind else { return None };
        let (kind, cause) = match ErrorType::from_name(error_type)? {
            kind @ ZohoUnexpectedResponse => (kind, ErrorCause::NotJson),
            kind @ (TokenRateLimited | TokenRejected | ZohoUnavailable) => (kind, ErrorCause::Stated),
            _ => return None,
        };
        let message: String = message.chars().take(LONGEST_MESSAGE).collect();
        let error = WatchError { cause, ..WatchError::new(kind, message) };
        Some((error, Duration::from_secs(*seconds).min(LONGEST_FAILURE)))
    }
}

/// What tells the records of this function's kind from those of another user of the secret.
#[derive(PartialEq)]
pub(super) struct Identity {
    /// Of tokens: the version ID of the credentials, and with it the grant, and the accounts host.
    token: String,
    /// Of claims and failures: the API host, too. The same token can be rejected by one and accepted by another.
    attempt: String,
}

impl Identity {
    pub(super) fn new(credentials: &str, accounts: &Origin, api: &Origin) -> Self {
        let token = digest(&[credentials, accounts.as_str()]);
        Self { attempt: digest(&[&token, api.as_str()]), token }
    }

    fn digest(&self, kind: &RecordKind) -> &str {
        if matches!(kind, RecordKind::Token { .. }) { &self.token } else { &self.attempt }
    }
}

/// The first 16 bytes of a SHA-256 in hexadecimal digits. Neither version IDs nor origins contain line feeds.
fn digest(parts: &[&str]) -> String {
    Sha256::digest(parts.join("\n")).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoho::credentials::AccessToken;
    use serde_json::json;

    fn identity(version: &str, accounts: &str, api: &str) -> Identity {
        let origin = |host: &str| Origin::parse_host(host).unwrap();
        Identity::new(version, &origin(accounts), &origin(api))
    }

    fn parse(id: &str, text: &str, identity: &Identity) -> Option<Record> {
        let created = Timestamp::from_epoch_seconds(0);
        Record::parse(&Version { id: id.into(), created, text: text.into() }, identity)
    }

    #[test]
    fn records_are_numbered() {
        assert!((32..=64).contains(&id(1).len()));
        let ours = identity("v1", "accounts.zoho.com", "www.zohoapis.com");
        for (id, number) in [
            (id(1_234_567_890), Some(1_234_567_890)),
            ("zoho-access-token-record-1".into(), None),
            ("8a1c7d5e-0000-4000-8000-000000000000".into(), None),
        ] {
            let record = parse(&id, "garbage", &ours);
            assert!(record.as_ref().is_none_or(Record::is_foreign));
            assert_eq!(record.map(|record| record.number), number, "{id}");
        }
    }

    #[test]
    fn every_kind_of_record_survives_the_round_trip_and_belongs_to_one_identity() {
        let ours = identity("v1", "accounts.zoho.com", "www.zohoapis.com");
        let (token, at) = (AccessToken::parse("secret").unwrap(), Timestamp::from_epoch_seconds(0));
        let issued = IssuedToken { token, api_domain: None, lifetime: Duration::from_secs(9) };
        let error = WatchError::new(ErrorType::TokenRejected, "rejected");
        for (kind, counts_for_another_api_host) in [
            (RecordKind::token(&issued, at), true),
            (RecordKind::failure(&error, Duration::from_secs(60)), false),
            (RecordKind::Claim { owner: "owner".to_owned() }, false),
        ] {
            let text = Content::new(kind, &ours, 3).to_text();
            let text = text.expose_secret();
            for (version, accounts, api, counts) in [
                ("v1", "accounts.zoho.com", "www.zohoapis.com", true),
                ("v1", "accounts.zoho.com", "sandbox.zohoapis.com", counts_for_another_api_host),
                ("v1", "accounts.zoho.eu", "www.zohoapis.com", false),
                ("v2", "accounts.zoho.com", "www.zohoapis.com", false),
            ] {
                let record = parse(&id(1), text, &identity(version, accounts, api)).unwrap();
                let is_same = record.content.to_text().expose_secret() == text;
                assert!(is_same == counts && record.is_foreign() != counts, "{version} {accounts} {api}: {text}");
            }
        }
    }

    #[test]
    fn a_planted_failure_has_a_bounded_effect() {
        for kind in ErrorType::ALL {
            let text = json!({"error_type": kind.name(), "message": "m".repeat(40_000), "seconds": u64::MAX,
                              "credentials": "", "failures": 0});
            let read = serde_json::from_value::<Content>(text).unwrap().error();
            let requesting_can_fail_so = ["Token", "ZohoUn"].iter().any(|name| kind.name().starts_with(name));
            assert_eq!(read.is_some(), requesting_can_fail_so, "{kind}");
            if let Some((error, lasts)) = read {
                assert_eq!((error.message.len(), lasts), (LONGEST_MESSAGE, LONGEST_FAILURE));
            }
        }
    }
}
