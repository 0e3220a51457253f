//! The three forms of the secret, parsed into types that exist only when the secret is complete. Pure.

use crate::http::Origin;
use crate::invalid::Invalid;
use crate::zoho::data_center::{DataCenter, DataCenterSource};
use ::http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use std::fmt;

/// The operator's secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// How to get an access token.
    pub grant: TokenGrant,
    /// `data_center`, `ZOHO_DATA_CENTER`, or the default.
    pub data_center: DataCenter,
    /// Which of the three.
    pub data_center_source: DataCenterSource,
    /// `accounts_domain`, which overrides the data center's accounts server.
    pub accounts_domain: Option<Origin>,
    /// `api_domain`, which overrides the data center's API host.
    pub api_domain: Option<Origin>,
}

/// How to get an access token.
#[derive(Debug, Clone)]
pub enum TokenGrant {
    /// Form 1: something else keeps this token up to date.
    Static(AccessToken),
    /// Forms 2 and 3: the function requests its own.
    Credentials(Credentials),
}

/// A client that is registered at Zoho, and the grant that it uses.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// From Zoho's API console.
    pub client_id: SecretString,
    /// From Zoho's API console.
    pub client_secret: SecretString,
    /// What the client exchanges for an access token.
    pub grant: Grant,
}

/// The OAuth grants that do not need a person at a browser.
#[derive(Debug, Clone)]
pub enum Grant {
    /// Form 2.
    RefreshToken(SecretString),
    /// Form 3.
    ClientCredentials {
        /// `ZohoCRM.<organization ID>`.
        soid: SecretString,
        /// What the token may be used for.
        scope: String,
    },
}

/// An access token: visible ASCII, so that it fits into a header. Its `Debug` output is masked.
#[derive(Clone)]
pub struct AccessToken(SecretString);

/// The scope that the status endpoint requires.
pub const SCOPE: &str = "ZohoCRM.change_owner.READ";

impl AccessToken {
    /// `None` if the text is empty or contains anything but visible ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// The token itself, for the two places that need it: the header and the shared version of the secret.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// `Zoho-oauthtoken …`, marked sensitive. The scheme is the same whatever `token_type` a token response names
    /// (docs/zoho-api.md, "OAuth").
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
    /// Every value that must be masked in text from elsewhere.
    pub fn secrets(&self) -> Vec<&str> {
        let mut secrets = vec![self.client_id.expose_secret(), self.client_secret.expose_secret()];
        match &self.grant {
            Grant::RefreshToken(token) => secrets.push(token.expose_secret()),
            Grant::ClientCredentials { soid, scope } => {
                // The scope is no secret, unless it holds a value that belongs into another field.
                secrets.extend([soid.expose_secret(), scope].into_iter().filter(|text| *text != SCOPE));
            }
        }
        secrets
    }
}

impl Secret {
    /// Parses a `SecretString`. `default` is the data center of a secret that names none (`ZOHO_DATA_CENTER`).
    ///
    /// # Errors
    ///
    /// What is missing or malformed, by the field's name, never by its value.
    ///
    /// ```
    /// use mass_change_owner_status::zoho::credentials::{Secret, TokenGrant};
    ///
    /// let secret = Secret::parse(r#"{"access_token": "1000.abc.def", "data_center": "EU"}"#, None)?;
    /// assert!(matches!(secret.grant, TokenGrant::Static(_)));
    /// assert_eq!(secret.data_center.api_host, "www.zohoapis.eu");
    ///
    /// let invalid = Secret::parse(r#"{"client_id": "1000.XYZ"}"#, None).unwrap_err();
    /// assert!(invalid.to_string().starts_with("has no `client_secret`."));
    /// # Ok::<(), mass_change_owner_status::invalid::Invalid>(())
    /// ```
    pub fn parse(text: &str, default: Option<DataCenter>) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.starts_with('{') {
            let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
                let what = format!("is not a JSON object (line {}, column {})", error.line(), error.column());
                Invalid::new(what, FORMS)
            })?;
            return Self::from_object(&Fields(object), default);
        }
        let token = AccessToken::parse(text)
            .filter(|_| !text.starts_with(['[', '"']))
            .ok_or_else(|| Invalid::new("is neither an access token nor a JSON object", FORMS))?;
        Self::with_hosts(TokenGrant::Static(token), &Fields(Map::new()), default)
    }

    fn from_object(fields: &Fields, default: Option<DataCenter>) -> Result<Self, Invalid> {
        let of_client = ["client_id", "client_secret", "refresh_token", "soid"];
        let grant = if of_client.iter().any(|name| fields.0.contains_key(*name)) {
            TokenGrant::Credentials(Credentials {
                client_id: fields.required("client_id")?.into(),
                client_secret: fields.required("client_secret")?.into(),
                grant: match (fields.text("refresh_token")?, fields.text("soid")?) {
                    (Some(token), _) => Grant::RefreshToken(token.into()),
                    (None, Some(soid)) => Grant::ClientCredentials {
                        soid: soid.into(),
                        scope: fields.text("scope")?.unwrap_or(SCOPE).to_owned(),
                    },
                    (None, None) => return Err(Invalid::new("has no `refresh_token` (or `soid`)", FORMS)),
                },
            })
        } else if let Some(text) = fields.text("access_token")? {
            let token = AccessToken::parse(text).ok_or_else(|| {
                let what = "has an `access_token` with white space or characters that do not fit into an HTTP header";
                Invalid::new(what, "Store the token as Zoho issued it")
            })?;
            TokenGrant::Static(token)
        } else {
            return Err(Invalid::new("has none of the fields that the function needs", FORMS));
        };
        Self::with_hosts(grant, fields, default)
    }

    fn with_hosts(grant: TokenGrant, fields: &Fields, default: Option<DataCenter>) -> Result<Self, Invalid> {
        let (data_center, data_center_source) = match (fields.text("data_center")?, default) {
            (Some(name), _) => {
                let named = DataCenter::named(name).ok_or_else(|| {
                    let hint = format!("Use one of {}", DataCenter::names());
                    Invalid::new("has a `data_center` that does not exist", hint)
                })?;
                (named, DataCenterSource::SecretField)
            }
            (None, Some(default)) => (default, DataCenterSource::Variable),
            (None, None) => (DataCenter::default(), DataCenterSource::Default),
        };
        let host = |name: &str, example: &str| {
            let parse = |text: &str| {
                Origin::parse_host(text).map_err(|_| {
                    let hint = format!("Use a host such as {example}, or leave the field out");
                    Invalid::new(format!("has an `{name}` that is not a host"), hint)
                })
            };
            fields.text(name)?.map(parse).transpose()
        };
        Ok(Self {
            grant,
            data_center,
            data_center_source,
            accounts_domain: host("accounts_domain", data_center.accounts_host)?,
            api_domain: host("api_domain", data_center.api_host)?,
        })
    }
}

const FORMS: &str = "Store an access token, {\"access_token\": …}, or {\"client_id\": …, \"client_secret\": …, \
                     \"refresh_token\": … (or \"soid\": …), \"data_center\": \"US\"}";

struct Fields(Map<String, Value>);

impl Fields {
    /// A missing field, null, and the empty string are the same.
    fn text(&self, name: &str) -> Result<Option<&str>, Invalid> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => {
                Err(Invalid::new(format!("has a `{name}` that is not a string"), "Put the value in quotes"))
            }
        }
    }

    fn required(&self, name: &str) -> Result<&str, Invalid> {
        self.text(name)?.ok_or_else(|| Invalid::new(format!("has no `{name}`"), FORMS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_token_or_one_in_json() {
        for text in ["1000.abc.def", " 1000.abc.def\n", r#"{"access_token": "1000.abc.def"}"#] {
            match Secret::parse(text, None).unwrap().grant {
                TokenGrant::Static(token) => assert_eq!(token.expose(), "1000.abc.def"),
                TokenGrant::Credentials(_) => panic!("{text}"),
            }
        }
    }

    #[test]
    fn credentials_of_both_grants() {
        let secret = Secret::parse(
            r#"{"client_id": "1000.ID", "client_secret": "cs", "refresh_token": "1000.rt", "data_center": "eu", "access_token": "old"}"#,
            None,
        )
        .unwrap();
        assert_eq!(secret.data_center.name, "EU");
        assert_eq!(secret.api_domain, None);
        assert!(matches!(
            secret.grant,
            TokenGrant::Credentials(Credentials { grant: Grant::RefreshToken(_), .. })
        ));

        let secret =
            Secret::parse(r#"{"client_id": "i", "client_secret": "cs", "soid": "ZohoCRM.1", "api_domain": "sandbox.zohoapis.com"}"#, None)
                .unwrap();
        assert_eq!(secret.api_domain.unwrap().as_str(), "https://sandbox.zohoapis.com");
        match secret.grant {
            TokenGrant::Credentials(Credentials {
                grant: Grant::ClientCredentials { scope, .. }, ..
            }) => {
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
            ("{\"hunter2\"", "not a JSON object (line 1"),
            ("{}", "none of the fields"),
            (r#"{"placeholder": "hunter2"}"#, "none of the fields"),
            (r#"{"access_token": ""}"#, "none of the fields"),
            (r#"{"access_token": "hunter2 "}"#, ""),
            (r#"{"access_token": "hunter2\n3"}"#, "white space"),
            (r#"{"access_token": 7}"#, "`access_token` that is not a string"),
            (r#"{"client_id": "hunter2"}"#, "has no `client_secret`"),
            (r#"{"client_id": "hunter2", "client_secret": "hunter2"}"#, "has no `refresh_token`"),
            (
                r#"{"client_id": "", "client_secret": "hunter2", "refresh_token": "hunter2"}"#,
                "has no `client_id`",
            ),
            (r#"{"access_token": "t", "data_center": "hunter2"}"#, "US EU IN"),
            (
                r#"{"access_token": "t", "api_domain": "http://www.zohoapis.com"}"#,
                "`api_domain` that is not a host. Use a host such as www.zohoapis.com",
            ),
        ] {
            match Secret::parse(text, None) {
                Ok(_) => assert_eq!(part, "", "{text}"),
                Err(invalid) => {
                    let message = invalid.to_string();
                    assert!(!part.is_empty() && message.contains(part), "{text}: {message}");
                    assert!(!message.contains("hunter"), "{message}");
                }
            }
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::parse(
            r#"{"client_id": "hunter1", "client_secret": "hunter2", "refresh_token": "hunter3"}"#,
            None,
        )
        .unwrap();
        assert!(!format!("{secret:?}").contains("hunter"));
        let token = AccessToken::parse("hunter4").unwrap();
        assert!(!format!("{token:?} {:?}", token.authorization()).contains("hunter"));
    }
}
