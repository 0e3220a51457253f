//! Which Zoho hosts are called, and how the function came to know them. Pure.
//!
//! Messages name both: a token that is rejected by one host may be valid at another.

use crate::http::Origin;
use crate::zoho::credentials::Secret;
use crate::zoho::data_center::{DataCenter, DataCenterSource};
use std::fmt;

/// How a host became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostSource {
    /// An environment variable of this name.
    Variable(&'static str),
    /// The secret's field of this name.
    SecretField(&'static str),
    /// `api_domain` in the response that contained the access token.
    TokenResponse,
    /// The data center's own host.
    DataCenter(DataCenter, DataCenterSource),
}

/// The accounts server that issues access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountsHost {
    /// What requests are sent to.
    pub origin: Origin,
    /// Why it is this one.
    pub source: HostSource,
}

/// The API host that the status request goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiHost {
    /// What requests are sent to.
    pub origin: Origin,
    /// Why it is this one.
    pub source: HostSource,
    /// The host that the token response names, if it belongs to another data center than `origin`.
    pub conflicting: Option<Origin>,
}

/// The accounts server: `ZOHO_ACCOUNTS_DOMAIN`, the secret's `accounts_domain`, or the data center's.
pub fn accounts(variable: Option<&Origin>, secret: &Secret) -> AccountsHost {
    let (origin, source) = match (variable, &secret.accounts_domain) {
        (Some(origin), _) => (origin.clone(), HostSource::Variable("ZOHO_ACCOUNTS_DOMAIN")),
        (None, Some(origin)) => (origin.clone(), HostSource::SecretField("accounts_domain")),
        (None, None) => (secret.data_center.accounts_origin(), of_data_center(secret)),
    };
    AccountsHost { origin, source }
}

/// The API host: `ZOHO_API_DOMAIN`, the secret's `api_domain`, the token response's, or the data center's.
///
/// `from_response` is the `api_domain` of a token response or of the shared token. It decides where access tokens are
/// sent, so that it counts only if it is a Zoho API host, or a loopback host next to an accounts server on one.
pub fn api(
    variable: Option<&Origin>,
    secret: &Secret,
    accounts: &Origin,
    from_response: Option<&Origin>,
) -> ApiHost {
    let is_trusted = |origin: &&Origin| {
        DataCenter::is_api_host(origin) || (origin.is_loopback() && accounts.is_loopback())
    };
    let trusted = from_response.filter(is_trusted);
    if let (Some(host), None) = (from_response, trusted) {
        tracing::warn!(
            host = crate::redact::quote(host.as_str()),
            "ignored an `api_domain` that is not one of Zoho's API hosts. If it is correct, set ZOHO_API_DOMAIN"
        );
    }
    let (origin, source) = match (variable, &secret.api_domain, trusted) {
        (Some(origin), ..) => (origin.clone(), HostSource::Variable("ZOHO_API_DOMAIN")),
        (None, Some(origin), _) => (origin.clone(), HostSource::SecretField("api_domain")),
        (None, None, Some(origin)) => (origin.clone(), HostSource::TokenResponse),
        (None, None, None) => (secret.data_center.api_origin(), of_data_center(secret)),
    };
    let conflicting = trusted.filter(|named| !is_same_data_center(named, &origin)).cloned();
    ApiHost { origin, source, conflicting }
}

/// The source of a host that only the data center decides.
fn of_data_center(secret: &Secret) -> HostSource {
    HostSource::DataCenter(secret.data_center, secret.data_center_source)
}

/// Production, sandbox, and developer hosts of one data center accept the same tokens' data center.
fn is_same_data_center(one: &Origin, other: &Origin) -> bool {
    let (of_one, of_other) = (DataCenter::of_api_host(one), DataCenter::of_api_host(other));
    one == other || (of_one.is_some() && of_one == of_other)
}

impl HostSource {
    /// What to correct if the host is wrong.
    pub fn setting(&self) -> String {
        match self {
            Self::Variable(name) => (*name).to_owned(),
            Self::SecretField(name) => format!("`{name}` in the secret"),
            Self::DataCenter(_, DataCenterSource::Variable) => {
                "`data_center` in the secret (or ZOHO_DATA_CENTER)".to_owned()
            }
            Self::TokenResponse | Self::DataCenter(..) => "`data_center` in the secret".to_owned(),
        }
    }
}

/// A phrase that follows the host: `https://www.zohoapis.com, set by ZOHO_API_DOMAIN`.
impl fmt::Display for HostSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "set by {name}"),
            Self::SecretField(name) => write!(f, "set by `{name}` in the secret"),
            Self::TokenResponse => f.write_str("named by the token response"),
            Self::DataCenter(data_center, source) => {
                let source = match source {
                    DataCenterSource::SecretField => "`data_center` in the secret",
                    DataCenterSource::Variable => "ZOHO_DATA_CENTER",
                    DataCenterSource::Default => "the default",
                };
                write!(f, "the host of data center {} ({source})", data_center.name)
            }
        }
    }
}

impl fmt::Display for AccountsHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.origin, self.source)
    }
}

impl fmt::Display for ApiHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.origin, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse_host(text).unwrap()
    }

    fn secret(fields: &str) -> Secret {
        Secret::parse(&format!(r#"{{"access_token":"t"{fields}}}"#), None).unwrap()
    }

    #[test]
    fn the_first_known_host_is_called() {
        const EU: &str = r#","data_center":"EU""#;
        const SANDBOX: &str = r#","data_center":"EU","api_domain":"sandbox.zohoapis.eu""#;
        let (in_, us, eu) = (Some("www.zohoapis.in"), Some("www.zohoapis.com"), Some("www.zohoapis.eu"));
        for (variable, fields, response, expected, conflicting) in [
            (None, "", None, "https://www.zohoapis.com, the host of data center US (the default)", None),
            (
                None,
                EU,
                None,
                "https://www.zohoapis.eu, the host of data center EU (`data_center` in the secret)",
                None,
            ),
            (None, EU, in_, "https://www.zohoapis.in, named by the token response", None),
            (None, SANDBOX, None, "https://sandbox.zohoapis.eu, set by `api_domain` in the secret", None),
            // The token response names the production host of the same data center: no conflict.
            (None, SANDBOX, eu, "https://sandbox.zohoapis.eu, set by `api_domain` in the secret", None),
            (None, SANDBOX, us, "https://sandbox.zohoapis.eu, set by `api_domain` in the secret", us),
            (us, SANDBOX, None, "https://www.zohoapis.com, set by ZOHO_API_DOMAIN", None),
            (us, SANDBOX, eu, "https://www.zohoapis.com, set by ZOHO_API_DOMAIN", eu),
            (us, EU, us, "https://www.zohoapis.com, set by ZOHO_API_DOMAIN", None),
            (Some("crm.example.com"), EU, eu, "https://crm.example.com, set by ZOHO_API_DOMAIN", eu),
            // What is not trusted is no conflict either.
            (us, EU, Some("evil.example"), "https://www.zohoapis.com, set by ZOHO_API_DOMAIN", None),
        ] {
            let secret = secret(fields);
            let host = api(
                variable.map(origin).as_ref(),
                &secret,
                &origin("accounts.zoho.com"),
                response.map(origin).as_ref(),
            );
            assert_eq!(host.to_string(), expected, "{variable:?} {fields} {response:?}");
            assert_eq!(host.conflicting, conflicting.map(origin), "{variable:?} {fields} {response:?}");
        }
    }

    #[test]
    fn the_first_known_accounts_server_is_called() {
        let variable = origin("accounts.zoho.in");
        for (variable, fields, expected) in [
            (None, "", "https://accounts.zoho.com, the host of data center US (the default)"),
            (
                None,
                r#","data_center":"ca""#,
                "https://accounts.zohocloud.ca, the host of data center CA (`data_center` in the secret)",
            ),
            (
                None,
                r#","accounts_domain":"accounts.zoho.eu""#,
                "https://accounts.zoho.eu, set by `accounts_domain` in the secret",
            ),
            (
                Some(&variable),
                r#","accounts_domain":"accounts.zoho.eu""#,
                "https://accounts.zoho.in, set by ZOHO_ACCOUNTS_DOMAIN",
            ),
        ] {
            assert_eq!(accounts(variable, &secret(fields)).to_string(), expected, "{fields}");
        }
        let default = Secret::parse("token", DataCenter::named("AU")).unwrap();
        assert_eq!(
            accounts(None, &default).to_string(),
            "https://accounts.zoho.com.au, the host of data center AU (ZOHO_DATA_CENTER)"
        );
    }

    /// The hosts that a token response or a shared token may name. Whoever can write one must not learn tokens.
    #[test]
    fn hosts_from_elsewhere_are_called_only_if_they_are_zohos() {
        const PUBLIC: &str = "https://accounts.zoho.eu";
        const LOOPBACK: &str = "http://127.0.0.1:8600";
        for (named, accounts, is_called) in [
            ("https://www.zohoapis.eu", PUBLIC, true),
            ("https://www.zohoapis.com.cn", PUBLIC, true),
            ("https://sandbox.zohoapis.com", PUBLIC, true),
            ("https://developer.zohoapis.in", PUBLIC, true),
            ("HTTPS://WWW.ZOHOAPIS.EU/", PUBLIC, true),
            ("https://www.zohoapis.eu:443", PUBLIC, true),
            ("https://www.zohoapis.eu", LOOPBACK, true),
            ("https://www.zohoapis.eu:8443", PUBLIC, false),
            ("https://www.zohoapis.eu.", PUBLIC, false),
            ("https://zohoapis.eu", PUBLIC, false),
            ("https://evil.zohoapis.eu", PUBLIC, false),
            ("https://www.evil.zohoapis.eu", PUBLIC, false),
            ("https://www.zohoapis.eu.evil.example", PUBLIC, false),
            ("https://www.zohoapis.evil", PUBLIC, false),
            ("https://wwwxzohoapis.eu", PUBLIC, false),
            ("https://www.zohoap\u{456}s.eu", PUBLIC, false),
            ("https://www.xn--zohoaps-pof.eu", PUBLIC, false),
            ("https://www.zohoapis.eu%2eevil.example", PUBLIC, false),
            ("https://www.zohoapis.eu@evil.example", PUBLIC, false),
            ("https://user:password@www.zohoapis.eu", PUBLIC, false),
            ("http://www.zohoapis.eu", PUBLIC, false),
            ("https://accounts.zoho.eu", PUBLIC, false),
            ("https://evil.example", PUBLIC, false),
            ("https://169.254.169.254", PUBLIC, false),
            ("http://169.254.169.254", PUBLIC, false),
            ("https://[fd00:ec2::254]", PUBLIC, false),
            ("http://[fd00:ec2::254]", LOOPBACK, false),
            ("https://10.0.0.1", PUBLIC, false),
            ("https://10.0.0.1", LOOPBACK, false),
            ("https://127.0.0.1", PUBLIC, false),
            ("http://127.0.0.1:8601", PUBLIC, false),
            ("http://localhost:8601", PUBLIC, false),
            ("http://[::1]:8601", PUBLIC, false),
            ("https://[::ffff:127.0.0.1]", PUBLIC, false),
            ("http://127.0.0.1:8601", LOOPBACK, true),
            ("http://localhost:8601", LOOPBACK, true),
            ("https://evil.example", LOOPBACK, false),
        ] {
            let parsed = Origin::parse(named).ok();
            let host = api(None, &secret(""), &origin(accounts), parsed.as_ref());
            assert_eq!(host.source == HostSource::TokenResponse, is_called, "{named} with {accounts}");
            if !is_called {
                assert_eq!(host.origin.as_str(), "https://www.zohoapis.com", "{named} with {accounts}");
            }
        }
    }
}
