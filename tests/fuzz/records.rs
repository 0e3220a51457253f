//! What whoever can write the secret can put there for the function to read: tokens, leases, and failures.

use crate::targets::{CREDENTIALS, check_error};
use http::{HeaderMap, StatusCode};
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::http::{HttpClient, Origin, Request, Response, TransportError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{
    LEASE_LABEL, Put, SecretStore, Sharing, StoreError, TOKEN_LABEL, TokenSettings, TokenSource, Version,
};
use mass_change_owner_status::zoho::data_center::DataCenter;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;

const NOW: i64 = 1_795_428_000;

const ID: &str = "zoho-access-token-record-0000000001";

/// A secret in which one record was planted.
struct Planted {
    kind: &'static str,
    text: String,
}

impl Planted {
    fn planted(&self) -> Version {
        Version {
            id: ID.to_owned(),
            created: Timestamp::from_epoch_seconds(NOW),
            text: self.text.clone().into(),
        }
    }
}

impl SecretStore for Planted {
    async fn current(&self) -> Result<Version, StoreError> {
        let [id, secret, refresh] = CREDENTIALS;
        let text =
            format!(r#"{{"client_id":"{id}","client_secret":"{secret}","refresh_token":"{refresh}"}}"#);
        let created = Timestamp::from_epoch_seconds(NOW - 60);
        Ok(Version { id: "operator".into(), created, text: text.into() })
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        let planted = if self.kind == "token" { TOKEN_LABEL } else { LEASE_LABEL };
        Ok((label == planted).then(|| self.planted()))
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        Ok((id == ID).then(|| self.planted()))
    }

    async fn put(&self, id: &str, _: &str, _: &SecretString) -> Result<Put, StoreError> {
        Ok(if id == ID { Put::Taken } else { Put::Done })
    }
}

/// Issues a token.
#[derive(Clone)]
struct Accounts;

impl HttpClient for Accounts {
    async fn send(&self, _: Request<'_>) -> Result<Response, TransportError> {
        let body = br#"{"access_token":"issued","expires_in":3600}"#.to_vec();
        Ok(Response { status: StatusCode::OK, headers: HeaderMap::new(), body })
    }

    async fn preconnect(&self, _: &Origin) {}
}

/// The kind of record is in the first line.
pub(crate) fn shared_records(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let (kind, text) = text.split_once('\n').unwrap_or(("token", &text));
    let kind = ["lease", "failure"].into_iter().find(|known| *known == kind).unwrap_or("token");
    let clock = Arc::new(|| Timestamp::from_epoch_seconds(NOW));
    let settings = TokenSettings {
        api_domain: None,
        accounts_domain: None,
        data_center: None,
        request_timeout: Duration::from_secs(10),
        sharing: Sharing::ReadWrite,
        clock,
    };
    let tokens = TokenSource::new(Planted { kind, text: text.to_owned() }, Accounts, settings);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let result = runtime.block_on(tokens.token(Deadline::after(Duration::from_secs(20))));
    match result {
        Ok(token) => {
            assert!(DataCenter::is_api_host(&token.api.origin), "{}", token.api.origin.as_str());
            format!("{kind} {} {}", token.token.expose() == "issued", token.api.origin.as_str())
        }
        Err(error) => format!("{kind} {}", check_error(&error)),
    }
}
