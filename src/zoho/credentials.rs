//! The three forms of the secret, parsed into types that exist only when the secret is complete. Pure.

mod fields;
mod wrapping;

use crate::http::Origin;
use crate::invalid::Invalid;
use crate::zoho::data_center::{DataCenter, DataCenterSource};
use ::http::HeaderValue;
use fields::Fields;
use secrecy::{ExposeSecret, SecretString};
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
                // The scope is not a secret, unless it contains a value that belongs into another field.
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
        let text = wrapping::unwrap(text);
        if let Some(fields) = Fields::parse(&text)? {
            return Self::from_fields(&fields, default);
        }
        let token = parse_token(&text)
            .ok_or_else(|| Invalid::new("is neither an access token nor a JSON object", FORMS))?;
        Self::with_hosts(TokenGrant::Static(token), &Fields::default(), default)
    }

    fn from_fields(fields: &Fields, default: Option<DataCenter>) -> Result<Self, Invalid> {
        let mut of_client = ["client_id", "client_secret", "refresh_token", "soid"].into_iter();
        let grant = if of_client.any(|name| fields.has(name)) {
            TokenGrant::Credentials(Credentials {
                client_id: fields.required("client_id")?.into(),
                client_secret: fields.required("client_secret")?.into(),
                grant: match (fields.text("refresh_token")?, fields.text("soid")?) {
                    (Some(token), _) => Grant::RefreshToken(token.into()),
                    (None, Some(soid)) => Grant::ClientCredentials {
                        soid: parse_soid(soid)?.into(),
                        scope: parse_scope(fields.text("scope")?)?,
                    },
                    (None, None) => return Err(Invalid::new("has no `refresh_token` (or `soid`)", FORMS)),
                },
            })
        } else if let Some(text) = fields.text("access_token")? {
            let token = parse_token(&text).ok_or_else(|| {
                Invalid::new("has an `access_token` that is not a token", "Store the token as Zoho issued it")
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
                let named = DataCenter::named(&name).ok_or_else(|| {
                    let hint = format!("Use one of {}", DataCenter::names());
                    Invalid::new("has a `data_center` that does not exist", hint)
                })?;
                (named, DataCenterSource::SecretField)
            }
            (None, Some(default)) => (default, DataCenterSource::Variable),
            (None, None) => (DataCenter::default(), DataCenterSource::Default),
        };
        let host = |name: &str, example: &str| {
            let parse = |text: String| {
                Origin::parse_host(&text).map_err(|_| {
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

/// An access token in the secret. What a token cannot contain is left of something else: JSON, a tag, a URL.
fn parse_token(text: &str) -> Option<AccessToken> {
    const FOREIGN: [char; 12] = ['{', '}', '[', ']', '<', '>', '"', '\'', '\\', ',', '&', ';'];
    AccessToken::parse(text).filter(|_| !text.contains(FOREIGN) && !text.contains("://"))
}

fn parse_soid(text: String) -> Result<String, Invalid> {
    let is_soid = text.split_once('.').is_some_and(|(service, organization)| {
        service.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !service.is_empty()
            && !organization.is_empty()
    });
    if is_soid {
        return Ok(text);
    }
    Err(Invalid::new("has a `soid` of another form", "Use ZohoCRM. followed by the organization's ID"))
}

/// Scopes are separated by commas.
fn parse_scope(text: Option<String>) -> Result<String, Invalid> {
    let Some(text) = text else { return Ok(SCOPE.to_owned()) };
    let scopes: Vec<&str> = text.split([',', ' ']).map(str::trim).filter(|scope| !scope.is_empty()).collect();
    let is_scope = |scope: &&str| {
        scope.contains('.')
            && scope.starts_with(|c: char| c.is_ascii_alphabetic())
            && scope.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
    };
    if scopes.iter().all(is_scope) {
        return Ok(scopes.join(","));
    }
    Err(Invalid::new("has a `scope` of another form", format!("Use {SCOPE}, or leave the field out")))
}

const FORMS: &str = "Store an access token, {\"access_token\": …}, or {\"client_id\": …, \"client_secret\": …, \
                     \"refresh_token\": … (or \"soid\": …), \"data_center\": \"US\"}";

#[cfg(test)]
mod tests;
