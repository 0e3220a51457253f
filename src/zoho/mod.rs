//! What Zoho is: its API, its accounts server, its data centers, and its credentials.

use crate::http::Origin;
use data_center::DataCenter;
use std::time::Duration;

pub mod credentials;
pub mod data_center;
pub mod exchange;
pub mod hosts;
pub mod oauth;
pub mod status;
#[cfg(test)]
mod tests;

/// What the environment says about Zoho.
#[derive(Debug, Clone)]
pub struct ZohoSettings {
    /// `ZOHO_DATA_CENTER`: the data center of a secret that names none.
    pub data_center: Option<DataCenter>,
    /// `ZOHO_API_DOMAIN`: overrides every other source of the API host.
    pub api_domain: Option<Origin>,
    /// `ZOHO_ACCOUNTS_DOMAIN`: overrides every other source of the accounts host.
    pub accounts_domain: Option<Origin>,
    /// `ZOHO_API_VERSION`, such as `v8`.
    pub api_version: String,
    /// `REQUEST_TIMEOUT_SECONDS`: the timeout for one HTTP attempt.
    pub request_timeout: Duration,
}

impl Default for ZohoSettings {
    fn default() -> Self {
        let (api_version, request_timeout) = ("v8".to_owned(), Duration::from_secs(10));
        Self { data_center: None, api_domain: None, accounts_domain: None, api_version, request_timeout }
    }
}
