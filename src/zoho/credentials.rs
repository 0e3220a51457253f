//! The three forms of the secret, read into something that exists only when it is complete.

use crate::http::origin::Origin;
use crate::zoho::data_center::DataCenter;
use ::http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use std::fmt;

/// What the operator stored.
#[derive(Debug, Clone)]
pub struct Secret {
    /// How to come by an access token.
    pub source: Source,
    /// `accounts_domain`, else the data centre's.
    pub accounts: Origin,
    /// `api_domain`, where the secret names one.
    pub api: Option<Origin>,
    /// The data centre's API host, the last resort.
    pub default_api: Origin,
}

/// How to come by an access token.
#[derive(Debug, Clone)]
pub enum Source {
    /// Form 1: something else keeps this one fresh.
    Token(AccessToken),
    /// Forms 2 and 3: the function mints its own.
    Mint(Credentials),
}

/// A client registered at Zoho, and the grant it uses.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// From Zoho's API console.
    pub client_id: SecretString,
    /// From Zoho's API console.
    pub client_secret: SecretString,
    /// What it is exchanged for a token with.
    pub grant: Grant,
}

/// OAuth grants that need nobody at a browser.
#[derive(Debug, Clone)]
pub enum Grant {
    /// Form 2.
    RefreshToken(SecretString),
    /// Form 3: `soid` is `ZohoCRM.<organisation id>`.
    ClientCredentials {
        /// The organisation.
        soid: SecretString,
        /// What the token may do.
        scope: String,
    },
}

/// An access token: visible ASCII, so that it fits a header. Does not print.
#[derive(Clone)]
pub struct AccessToken(SecretString);

/// The scope that the status endpoint needs.
pub const SCOPE: &str = "ZohoCRM.change_owner.READ";

impl AccessToken {
    /// `None` for the empty text, or where white space, control characters or anything beyond ASCII stand in it.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// The token itself, for the two places that must have it: the header and the shared version of the secret.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// `Zoho-oauthtoken …`, marked sensitive. The scheme is this whatever the token reply's `token_type` says.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Zoho-oauthtoken {}", self.expose())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for AccessToken {}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([redacted])")
    }
}

impl Credentials {
    /// Everything in it that must never be shown, to be taken out of foreign text.
    pub fn secrets(&self) -> Vec<&str> {
        let grant = match &self.grant {
            Grant::RefreshToken(token) => token,
            Grant::ClientCredentials { soid, .. } => soid,
        };
        [&self.client_id, &self.client_secret, grant].map(|secret| secret.expose_secret()).to_vec()
    }
}

impl Secret {
    /// Reads a `SecretString`. The error says what is missing; it never quotes what is there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('{') {
            let value: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
                format!("is no JSON object (line {}, column {})", error.line(), error.column())
            })?;
            return Self::from_object(&Fields(value));
        }
        let token = AccessToken::parse(text)
            .filter(|_| !text.starts_with(['[', '"']))
            .ok_or_else(|| format!("is neither a bare access token nor a JSON object. {FORMS}"))?;
        Self::with_hosts(Source::Token(token), &Fields(Map::new()))
    }

    fn from_object(fields: &Fields) -> Result<Self, String> {
        let minting = ["client_id", "client_secret", "refresh_token", "soid"];
        let source = if minting.iter().any(|name| fields.0.contains_key(*name)) {
            Source::Mint(Credentials {
                client_id: fields.required("client_id")?.into(),
                client_secret: fields.required("client_secret")?.into(),
                grant: match (fields.text("refresh_token")?, fields.text("soid")?) {
                    (Some(token), _) => Grant::RefreshToken(token.into()),
                    (None, Some(soid)) => Grant::ClientCredentials {
                        soid: soid.into(),
                        scope: fields.text("scope")?.unwrap_or(SCOPE).to_owned(),
                    },
                    (None, None) => return Err("lacks `refresh_token` (or `soid`)".into()),
                },
            })
        } else if let Some(text) = fields.text("access_token")? {
            let token = AccessToken::parse(text)
                .ok_or("has an `access_token` with white space or characters that fit no HTTP header")?;
            Source::Token(token)
        } else {
            return Err(format!("holds none of the known forms. {FORMS}"));
        };
        Self::with_hosts(source, fields)
    }

    fn with_hosts(source: Source, fields: &Fields) -> Result<Self, String> {
        let data_center = match fields.text("data_center")? {
            None => DataCenter::default(),
            Some(name) => DataCenter::named(name)
                .ok_or_else(|| format!("has a `data_center` that is none of {}", DataCenter::names()))?,
        };
        let host = |name: &str, default: &str| match fields.text(name)? {
            None => Origin::parse_host(default),
            // Without what is there: it may be a client secret in the wrong field.
            Some(text) => Origin::parse_host(text).map_err(|_| {
                format!("has a `{name}` that is no host such as {default} (or https://{default})")
            }),
        };
        let default_api = Origin::parse_host(data_center.api_host)?;
        let api = fields.text("api_domain")?.map(|_| host("api_domain", data_center.api_host)).transpose()?;
        Ok(Self { source, accounts: host("accounts_domain", data_center.accounts_host)?, api, default_api })
    }
}

const FORMS: &str = "It must be an access token, {\"access_token\": …}, or {\"client_id\": …, \"client_secret\": …, \
                     \"refresh_token\": … (or \"soid\": …), \"data_center\": \"US\"}";

struct Fields(Map<String, Value>);

impl Fields {
    /// Absent, null and empty are the same; anything but text is at fault.
    fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(format!("has a `{name}` that is no text")),
        }
    }

    fn required(&self, name: &str) -> Result<&str, String> {
        self.text(name)?.ok_or_else(|| format!("lacks `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_token_or_one_in_json() {
        for text in ["1000.abc.def", " 1000.abc.def\n", r#"{"access_token": "1000.abc.def"}"#] {
            match Secret::parse(text).unwrap().source {
                Source::Token(token) => assert_eq!(token.expose(), "1000.abc.def"),
                Source::Mint(_) => panic!("{text}"),
            }
        }
    }

    #[test]
    fn credentials_of_both_grants() {
        let secret = Secret::parse(
            r#"{"client_id": "1000.ID", "client_secret": "cs", "refresh_token": "1000.rt", "data_center": "eu", "access_token": "old"}"#,
        )
        .unwrap();
        assert_eq!(secret.accounts.as_str(), "https://accounts.zoho.eu");
        assert_eq!(secret.default_api.as_str(), "https://www.zohoapis.eu");
        assert_eq!(secret.api, None);
        assert!(matches!(secret.source, Source::Mint(Credentials { grant: Grant::RefreshToken(_), .. })));

        let secret =
            Secret::parse(r#"{"client_id": "i", "client_secret": "cs", "soid": "ZohoCRM.1", "api_domain": "sandbox.zohoapis.com"}"#)
                .unwrap();
        assert_eq!(secret.api.unwrap().as_str(), "https://sandbox.zohoapis.com");
        match secret.source {
            Source::Mint(Credentials { grant: Grant::ClientCredentials { scope, .. }, .. }) => {
                assert_eq!(scope, SCOPE)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_what_is_there() {
        for (text, part) in [
            ("", "neither"),
            ("hunter2 hunter3", "neither"),
            ("\"hunter2\"", "neither"),
            ("[\"hunter2\"]", "neither"),
            ("{\"hunter2\"", "no JSON object (line 1"),
            ("{}", "none of the known forms"),
            (r#"{"placeholder": "hunter2"}"#, "none of the known forms"),
            (r#"{"access_token": ""}"#, "none of the known forms"),
            (r#"{"access_token": "hunter2 "}"#, ""),
            (r#"{"access_token": "hunter2\n3"}"#, "white space"),
            (r#"{"access_token": 7}"#, "`access_token` that is no text"),
            (r#"{"client_id": "hunter2"}"#, "lacks `client_secret`"),
            (r#"{"client_id": "hunter2", "client_secret": "hunter2"}"#, "lacks `refresh_token`"),
            (
                r#"{"client_id": "", "client_secret": "hunter2", "refresh_token": "hunter2"}"#,
                "lacks `client_id`",
            ),
            (r#"{"access_token": "t", "data_center": "hunter2"}"#, "US EU IN"),
            (
                r#"{"access_token": "t", "api_domain": "http://www.zohoapis.com"}"#,
                "`api_domain` that is no host such as www.zohoapis.com",
            ),
        ] {
            match Secret::parse(text) {
                Ok(_) => assert_eq!(part, "", "{text}"),
                Err(wrong) => {
                    assert!(!part.is_empty() && wrong.contains(part), "{text}: {wrong}");
                    assert!(!wrong.contains("hunter"), "{wrong}");
                }
            }
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::parse(
            r#"{"client_id": "hunter1", "client_secret": "hunter2", "refresh_token": "hunter3"}"#,
        )
        .unwrap();
        assert!(!format!("{secret:?}").contains("hunter"));
        let token = AccessToken::parse("hunter4").unwrap();
        assert!(!format!("{token:?} {:?}", token.authorization()).contains("hunter"));
    }
}
