//! Which Zoho hosts are called, and which setting decides that. Pure.
//!
//! Messages name both: a token that is rejected by one host may be valid at another.

use crate::http::Origin;
use crate::zoho::{credentials::Secret, data_center::DataCenter};
use std::fmt;

/// One of Zoho's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
pub enum ZohoServer {
    /// Serves the status of jobs.
    #[strum(serialize = "Zoho's API")]
    Api,
    /// Issues access tokens.
    #[strum(serialize = "Zoho's accounts server")]
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
}

/// The accounts server: `ZOHO_ACCOUNTS_DOMAIN`, the secret's `accounts_domain`, or the data center's.
pub fn accounts(variable: Option<&Origin>, secret: &Secret) -> ZohoHost {
    let (origin, setting) = match (variable, &secret.accounts_domain) {
        (Some(origin), _) => (origin.clone(), "ZOHO_ACCOUNTS_DOMAIN"),
        (None, Some(origin)) => (origin.clone(), "`accounts_domain` in the secret"),
        (None, None) => (secret.data_center.accounts_origin(), secret.data_center_setting),
    };
    ZohoHost { server: ZohoServer::Accounts, origin, setting }
}

/// The API host: `ZOHO_API_DOMAIN`, the secret's `api_domain`, the token response's, or the data center's.
///
/// `named` is the `api_domain` of a response of `accounts`, or of the shared token. It decides where access tokens
/// are sent, so that it counts only if it is a Zoho API host, or a loopback host next to an accounts server on one.
pub fn api(variable: Option<&Origin>, secret: &Secret, accounts: &ZohoHost, named: Option<&Origin>) -> ZohoHost {
    let is_trusted = |origin: &&Origin| {
        DataCenter::of_api_host(origin).is_some() || (origin.is_loopback() && accounts.origin.is_loopback())
    };
    let (origin, setting) = match (variable, &secret.api_domain, named.filter(is_trusted)) {
        (Some(origin), ..) => (origin.clone(), "ZOHO_API_DOMAIN"),
        (None, Some(origin), _) => (origin.clone(), "`api_domain` in the secret"),
        // Whatever decides about the accounts server decides what its responses name.
        (None, None, Some(origin)) => (origin.clone(), accounts.setting),
        (None, None, None) => (secret.data_center.api_origin(), secret.data_center_setting),
    };
    ZohoHost { server: ZohoServer::Api, origin, setting }
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

    /// `variable` decides about both servers; `named` is what a token response or a shared token names. Whoever can write
    /// one must not learn tokens: it counts only if it is Zoho's.
    #[test]
    fn the_first_known_host_is_called() {
        const CANADA: &str = r#","data_center":"ca""#;
        const BOTH: &str = r#","accounts_domain":"accounts.zoho.eu","api_domain":"sandbox.zohoapis.eu""#;
        const LOOPBACK: &str = r#","accounts_domain":"http://127.0.0.1:8600""#;
        const DEVELOPER: &str = "https://developer.zohoapis.in";
        const DEFAULT: &str = "https://www.zohoapis.com, set by the default of `data_center` in the secret";
        let (au, own) = (DataCenter::named("AU"), Some("crm.example.com"));
        for (variable, fields, default, named, expected) in [
            (None, "", None, "", "https://accounts.zoho.com, set by the default of `data_center` in the secret"),
            (None, "", au, "", "https://accounts.zoho.com.au, set by ZOHO_DATA_CENTER"),
            (None, CANADA, au, "", "https://accounts.zohocloud.ca, set by `data_center` in the secret"),
            (None, BOTH, au, "", "https://accounts.zoho.eu, set by `accounts_domain` in the secret"),
            (own, BOTH, au, "", "https://crm.example.com, set by ZOHO_ACCOUNTS_DOMAIN"),
            (None, "", None, "", DEFAULT),
            (None, CANADA, au, DEVELOPER, "https://developer.zohoapis.in, set by `data_center` in the secret"),
            (None, BOTH, au, DEVELOPER, "https://sandbox.zohoapis.eu, set by `api_domain` in the secret"),
            (own, BOTH, au, DEVELOPER, "https://crm.example.com, set by ZOHO_API_DOMAIN"),
            (None, LOOPBACK, None, DEVELOPER, "https://developer.zohoapis.in, set by `accounts_domain` in the secret"),
            (None, LOOPBACK, None, "http://127.0.0.1:8601", "http://127.0.0.1:8601, set by `accounts_domain`"),
            (None, LOOPBACK, None, "https://evil.example", DEFAULT),
            (None, "", None, "http://127.0.0.1:8601", DEFAULT),
            (None, "", None, "https://www.zohoapis.eu:8443", DEFAULT),
            (None, "", None, "https://zohoapis.eu", DEFAULT),
            (None, "", None, "https://evil.zohoapis.eu", DEFAULT),
            (None, "", None, "https://www.zohoapis.eu.evil.example", DEFAULT),
        ] {
            let variable = variable.map(|text| Origin::parse_host(text).unwrap());
            let secret = Secret::parse(&format!(r#"{{"access_token":"t"{fields}}}"#), default).unwrap();
            let accounts = accounts(variable.as_ref(), &secret);
            let api = api(variable.as_ref(), &secret, &accounts, Origin::parse(named).ok().as_ref());
            let hosts = [accounts, api].map(|host| host.to_string());
            assert!(hosts.iter().any(|host| host.starts_with(expected)), "{named}: {hosts:?}");
        }
    }
}
