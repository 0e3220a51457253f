//! Which Zoho hosts are called, and which setting decides that. Pure.
//!
//! Messages name both: a token that is rejected by one host may be valid at another.

use crate::http::Origin;
use crate::zoho::credentials::Secret;
use crate::zoho::data_center::DataCenter;
use std::fmt;

/// One of Zoho's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZohoServer {
    /// Serves the status of jobs.
    Api,
    /// Issues access tokens.
    Accounts,
}

/// A host that requests are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZohoHost {
    /// What it is for.
    pub server: ZohoServer,
    /// Where it is.
    pub origin: Origin,
    /// The setting that decides this, such as `ZOHO_API_DOMAIN`.
    pub setting: &'static str,
    /// The API host that the token response names, if it belongs to another data center than `origin`.
    pub conflicting: Option<Origin>,
}

/// The accounts server: `ZOHO_ACCOUNTS_DOMAIN`, the secret's `accounts_domain`, or the data center's.
pub fn accounts(variable: Option<&Origin>, secret: &Secret) -> ZohoHost {
    let (origin, setting) = match (variable, &secret.accounts_domain) {
        (Some(origin), _) => (origin.clone(), "ZOHO_ACCOUNTS_DOMAIN"),
        (None, Some(origin)) => (origin.clone(), "`accounts_domain` in the secret"),
        (None, None) => (secret.data_center.accounts_origin(), secret.data_center_setting),
    };
    ZohoHost { server: ZohoServer::Accounts, origin, setting, conflicting: None }
}

/// The API host: `ZOHO_API_DOMAIN`, the secret's `api_domain`, the token response's, or the data center's.
///
/// `from_response` is the `api_domain` of a response of `accounts`, or of the shared token. It decides where access tokens
/// are sent, so that it counts only if it is a Zoho API host, or a loopback host next to an accounts server on one.
pub fn api(
    variable: Option<&Origin>,
    secret: &Secret,
    accounts: &ZohoHost,
    from_response: Option<&Origin>,
) -> ZohoHost {
    let is_trusted = |origin: &&Origin| {
        DataCenter::of_api_host(origin).is_some() || (origin.is_loopback() && accounts.origin.is_loopback())
    };
    let trusted = from_response.filter(is_trusted);
    if let (Some(host), None) = (from_response, trusted) {
        tracing::warn!(
            host = crate::redact::quote(host.as_str()),
            "ignored an `api_domain` that is not one of Zoho's API hosts. If it is correct, set ZOHO_API_DOMAIN"
        );
    }
    let (origin, setting) = match (variable, &secret.api_domain, trusted) {
        (Some(origin), ..) => (origin.clone(), "ZOHO_API_DOMAIN"),
        (None, Some(origin), _) => (origin.clone(), "`api_domain` in the secret"),
        // Whatever decides about the accounts server decides what its responses name.
        (None, None, Some(origin)) => (origin.clone(), accounts.setting),
        (None, None, None) => (secret.data_center.api_origin(), secret.data_center_setting),
    };
    let is_elsewhere = |named: &&Origin| {
        // Production, sandbox, and developer hosts belong together.
        let (of_named, of_host) = (DataCenter::of_api_host(named), DataCenter::of_api_host(&origin));
        **named != origin && (of_named.is_none() || of_named != of_host)
    };
    let conflicting = trusted.filter(is_elsewhere).cloned();
    ZohoHost { server: ZohoServer::Api, origin, setting, conflicting }
}

impl ZohoServer {
    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "Zoho's API",
            Self::Accounts => "Zoho's accounts server",
        }
    }

    /// Every setting that decides where a request goes.
    pub fn settings(self) -> &'static str {
        match self {
            Self::Api => "ZOHO_API_DOMAIN, ZOHO_API_VERSION, and `api_domain` and `data_center` in the secret",
            Self::Accounts => "ZOHO_ACCOUNTS_DOMAIN, and `accounts_domain` and `data_center` in the secret",
        }
    }
}

/// `https://www.zohoapis.com, set by ZOHO_API_DOMAIN`.
impl fmt::Display for ZohoHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, set by {}", self.origin, self.setting)
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
        const DEFAULT: &str = "the default of `data_center` in the secret";
        const FIELD: &str = "`data_center` in the secret";
        const API_FIELD: &str = "`api_domain` in the secret";
        const VARIABLE: &str = "ZOHO_API_DOMAIN";
        const EU: &str = r#","data_center":"EU""#;
        const SANDBOX: &str = r#","data_center":"EU","api_domain":"sandbox.zohoapis.eu""#;
        let (in_, us, eu) = (Some("www.zohoapis.in"), Some("www.zohoapis.com"), Some("www.zohoapis.eu"));
        for (variable, fields, response, expected, setting, conflicting) in [
            (None, "", None, "www.zohoapis.com", DEFAULT, None),
            (None, EU, None, "www.zohoapis.eu", FIELD, None),
            (None, EU, in_, "www.zohoapis.in", FIELD, None),
            (None, SANDBOX, None, "sandbox.zohoapis.eu", API_FIELD, None),
            // The token response names the production host of the same data center: no conflict.
            (None, SANDBOX, eu, "sandbox.zohoapis.eu", API_FIELD, None),
            (None, SANDBOX, us, "sandbox.zohoapis.eu", API_FIELD, us),
            (us, SANDBOX, None, "www.zohoapis.com", VARIABLE, None),
            (us, SANDBOX, eu, "www.zohoapis.com", VARIABLE, eu),
            (us, EU, us, "www.zohoapis.com", VARIABLE, None),
            (Some("crm.example.com"), EU, eu, "crm.example.com", VARIABLE, eu),
            // What is not trusted is no conflict either.
            (us, EU, Some("evil.example"), "www.zohoapis.com", VARIABLE, None),
        ] {
            let (secret, response) = (secret(fields), response.map(origin));
            let accounts = accounts(None, &secret);
            let host = api(variable.map(origin).as_ref(), &secret, &accounts, response.as_ref());
            assert_eq!(host.to_string(), format!("https://{expected}, set by {setting}"), "{fields}");
            assert_eq!(host.conflicting, conflicting.map(origin), "{variable:?} {fields} {response:?}");
        }
    }

    #[test]
    fn the_first_known_accounts_server_is_called() {
        const FIELD: &str = r#","accounts_domain":"accounts.zoho.eu""#;
        const CANADA: &str = r#","data_center":"ca""#;
        let variable = origin("accounts.zoho.in");
        for (variable, fields, default, expected) in [
            (None, "", None, "https://accounts.zoho.com, set by the default of `data_center` in the secret"),
            (None, "", DataCenter::named("AU"), "https://accounts.zoho.com.au, set by ZOHO_DATA_CENTER"),
            (
                None,
                CANADA,
                DataCenter::named("AU"),
                "https://accounts.zohocloud.ca, set by `data_center` in the secret",
            ),
            (None, FIELD, None, "https://accounts.zoho.eu, set by `accounts_domain` in the secret"),
            (Some(&variable), FIELD, None, "https://accounts.zoho.in, set by ZOHO_ACCOUNTS_DOMAIN"),
        ] {
            let secret = Secret::parse(&format!(r#"{{"access_token":"t"{fields}}}"#), default).unwrap();
            assert_eq!(accounts(variable, &secret).to_string(), expected, "{fields}");
        }
    }

    /// The hosts that a token response or a shared token may name. Whoever can write one must not learn tokens.
    #[test]
    fn hosts_from_elsewhere_are_called_only_if_they_are_zohos() {
        const PUBLIC: &str = "https://accounts.zoho.eu";
        const LOOPBACK: &str = "http://127.0.0.1:8600";
        for (named, accounts_url, called) in [
            ("https://www.zohoapis.eu", PUBLIC, Some("https://www.zohoapis.eu")),
            ("https://sandbox.zohoapis.eu", PUBLIC, Some("https://sandbox.zohoapis.eu")),
            ("https://developer.zohoapis.in", PUBLIC, Some("https://developer.zohoapis.in")),
            ("HTTPS://WWW.ZOHOAPIS.EU:443/", PUBLIC, Some("https://www.zohoapis.eu")),
            ("https://www.zohoapis.eu", LOOPBACK, Some("https://www.zohoapis.eu")),
            ("http://127.0.0.1:8601", LOOPBACK, Some("http://127.0.0.1:8601")),
            ("https://www.zohoapis.eu:8443", PUBLIC, None),
            ("https://www.zohoapis.eu.", PUBLIC, None),
            ("https://zohoapis.eu", PUBLIC, None),
            ("https://evil.zohoapis.eu", PUBLIC, None),
            ("https://www.zohoapis.eu.evil.example", PUBLIC, None),
            ("https://wwwxzohoapis.eu", PUBLIC, None),
            ("https://www.zohoap\u{456}s.eu", PUBLIC, None),
            ("https://www.xn--zohoaps-pof.eu", PUBLIC, None),
            ("https://www.zohoapis.eu%2eevil.example", PUBLIC, None),
            ("https://www.zohoapis.eu@evil.example", PUBLIC, None),
            ("https://user:password@www.zohoapis.eu", PUBLIC, None),
            ("http://www.zohoapis.eu", PUBLIC, None),
            ("https://169.254.169.254", PUBLIC, None),
            ("https://[fd00:ec2::254]", PUBLIC, None),
            ("http://127.0.0.1:8601", PUBLIC, None),
            ("https://[::ffff:127.0.0.1]", PUBLIC, None),
            ("https://evil.example", LOOPBACK, None),
        ] {
            let secret = secret("");
            let accounts = accounts(Some(&origin(accounts_url)), &secret);
            let host = api(None, &secret, &accounts, Origin::parse(named).ok().as_ref());
            assert_eq!(host.origin.as_str(), called.unwrap_or("https://www.zohoapis.com"), "{named}");
        }
    }
}
