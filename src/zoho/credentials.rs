//! The three forms of the secret, parsed into types that exist only when the secret is complete. Pure.

use crate::zoho::data_center::DataCenter;
use crate::{http::Origin, invalid::Invalid, json::Fields, operation};
use ::http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;

/// The operator's secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// How to get an access token.
    pub grant: TokenGrant,
    /// `data_center`, `ZOHO_DATA_CENTER`, or the default.
    pub data_center: DataCenter,
    /// The setting that decides this.
    pub data_center_setting: &'static str,
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

/// A client that is registered at Zoho, and its grant: the fields of a token request.
#[derive(Debug, Clone)]
pub struct Credentials(Vec<(&'static str, SecretString)>);

/// An access token: visible ASCII, so that it fits into a header. Its `Debug` output is masked.
#[derive(Debug, Clone)]
pub struct AccessToken(SecretString);

impl AccessToken {
    /// `None` if the text is empty or contains anything but visible ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// The token itself, for the header and the shared version of the secret.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// `Zoho-oauthtoken …`, marked sensitive; whatever `token_type` a response names (docs/zoho-api.md, "OAuth").
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

impl Credentials {
    /// The body of a token request.
    pub(super) fn form(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| (name, value.expose_secret()));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// Every value that must be masked in text from elsewhere.
    pub fn secrets(&self) -> Vec<&str> {
        let secrets = self.0.iter().filter(|(name, _)| !["grant_type", "scope"].contains(name));
        secrets.map(|(_, value)| value.expose_secret()).collect()
    }

    /// What the token may be used for, for messages.
    pub(super) fn scope(&self) -> &str {
        let scope = self.0.iter().find(|(name, _)| *name == "scope");
        scope.map_or("the one of the refresh token", |(_, scope)| scope.expose_secret())
    }
}

impl Secret {
    /// Parses a `SecretString`. `default` is the data center of a secret that names none (`ZOHO_DATA_CENTER`).
    /// The error names what is missing or malformed, and never shows a value.
    pub fn parse(text: &str, default: Option<DataCenter>) -> Result<Self, Invalid> {
        let text = text.trim_matches(is_blank);
        // JSON inside a JSON string.
        let decoded = serde_json::from_str::<String>(text).ok();
        let text = decoded.as_deref().unwrap_or(text).trim_matches(is_blank);
        let is_token = is_zoho_token(text);
        if text.is_empty() {
            return Err(Invalid::new("is empty", FORMS));
        } else if !is_token && !text.starts_with('{') {
            return Err(Invalid::new("is neither a Zoho access token nor a JSON object", FORMS));
        }
        let json = serde_json::from_str::<&RawValue>(if is_token { "{}" } else { text }).map_err(|error| {
            Invalid::new(format!("is not JSON from line {}, column {} on", error.line(), error.column()), FORMS)
        })?;
        let fields = Fields::of(json, KNOWN).unwrap_or_default();
        let grant = if is_token { TokenGrant::Static(AccessToken(text.into())) } else { grant(&fields)? };
        let (data_center, data_center_setting) = match (value(&fields, "data_center")?, default) {
            (Some(name), _) => {
                let hint = || format!("Use one of {}", DataCenter::names());
                let none = || Invalid::new("has a `data_center` that does not exist", hint());
                (DataCenter::named(&name).ok_or_else(none)?, "`data_center` in the secret")
            }
            (None, Some(default)) => (default, "ZOHO_DATA_CENTER"),
            (None, None) => (DataCenter::default(), "the default of `data_center` in the secret"),
        };
        let host = |name: &str, example: &str| {
            let hint = || format!("Use a host such as {example}, or leave the field out");
            let invalid = |_| Invalid::new(format!("has an `{name}` that is not a host"), hint());
            value(&fields, name)?.map(|text| Origin::parse_host(&text).map_err(invalid)).transpose()
        };
        let accounts_domain = host("accounts_domain", data_center.accounts_host)?;
        let api_domain = host("api_domain", data_center.api_host)?;
        Ok(Self { grant, data_center, data_center_setting, accounts_domain, api_domain })
    }
}

/// Every field that is read.
const KNOWN: &[&str] = &[
    "access_token", "client_id", "client_secret", "refresh_token", "soid", "scope", "data_center", "accounts_domain",
    "api_domain",
];

const FORMS: &str = "Store an access token, {\"access_token\": …}, or {\"client_id\": …, \"client_secret\": …, \
                     \"refresh_token\": … (or \"soid\": …), \"data_center\": \"US\"}";

fn grant(fields: &Fields<'_>) -> Result<TokenGrant, Invalid> {
    let value = |name| value(fields, name);
    let invalid = |what| Invalid::new(what, FORMS);
    let (client_id, client_secret) = (value("client_id")?, value("client_secret")?);
    let (refresh_token, soid) = (value("refresh_token")?, value("soid")?);
    if [&client_id, &client_secret, &refresh_token, &soid].into_iter().all(Option::is_none) {
        let token = value("access_token")?.as_deref().and_then(AccessToken::parse).map(TokenGrant::Static);
        return token.ok_or_else(|| invalid("has none of the fields that the function needs"));
    }
    let client_id = client_id.ok_or_else(|| invalid("has no `client_id`"))?;
    let client_secret = client_secret.ok_or_else(|| invalid("has no `client_secret`"))?;
    let grant = if let Some(token) = refresh_token {
        vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", token)]
    } else {
        let soid = soid.ok_or_else(|| invalid("has no `refresh_token` (or `soid`)"))?;
        if !soid.starts_with("ZohoCRM.") {
            return Err(Invalid::new("has a `soid` of another form", "Use ZohoCRM. followed by the organization's ID"));
        }
        vec![("grant_type", "client_credentials".to_owned()), ("scope", scope(value("scope")?)?), ("soid", soid)]
    };
    let form = [("client_id", client_id), ("client_secret", client_secret)].into_iter().chain(grant);
    Ok(TokenGrant::Credentials(Credentials(form.map(|(name, value)| (name, value.into())).collect())))
}

/// A field's value without white space around it. A missing field, null, and the empty string are the same.
fn value(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Invalid> {
    let Some(json) = fields.get(name) else { return Ok(None) };
    let Ok(text) = serde_json::from_str::<String>(json.get()) else {
        return Err(Invalid::new(format!("has a `{name}` that is not a string"), "Put the value in quotes"));
    };
    let text = text.trim_matches(is_blank);
    // Several scopes may be separated by spaces.
    if text.bytes().all(|byte| byte.is_ascii_graphic() || (byte == b' ' && name == "scope")) {
        return Ok(Some(text.to_owned()).filter(|text| !text.is_empty()));
    }
    let what = format!("has a `{name}` with white space or characters other than ASCII");
    Err(Invalid::new(what, "Copy the value again"))
}

/// White space, or a byte order mark.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Whether the text has the form `1000.….…` of a token. Anything else may be a secret of something else: it is not sent.
fn is_zoho_token(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_part = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    matches!(*parts, ["1000", _, _]) && parts.iter().all(is_part)
}

/// Scopes, separated by commas. What has another form may be a secret in the wrong field: messages show the scope.
fn scope(text: Option<String>) -> Result<String, Invalid> {
    let Some(text) = text else { return Ok(operation::SCOPE.to_owned()) };
    let scopes: Vec<&str> = text.split([',', ' ']).filter(|scope| !scope.is_empty()).collect();
    let is_scope = |scope: &&str| scope.contains('.') && scope.starts_with(|c: char| c.is_ascii_alphabetic());
    if !scopes.is_empty() && scopes.iter().all(is_scope) {
        return Ok(scopes.join(","));
    }
    Err(Invalid::new("has a `scope` of another form", format!("Use {}, or leave the field out", operation::SCOPE)))
}

#[cfg(test)]
mod tests;
