//! One check: an access token, the status request, and a replacement if Zoho rejects the token.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, Origin};
use crate::phase;
use crate::token::{CachedToken, Context, SecretStore, TokenSource};
use crate::watch::{ids::Job, job::JobStatus};
use crate::zoho::status::{self, Attempts, StatusRequest};
use crate::zoho::{data_center::DataCenter, hosts::ZohoHost};
use std::time::Duration;

/// Checks jobs at Zoho.
pub struct Checker<S, H>(TokenSource<S, H>);

/// A new token that Zoho rejects is tried once more after so long: it is not known everywhere at once.
const SPREADING: Duration = Duration::from_secs(2);

/// Tokens in one check after the first one: what others have stored, and what this environment requested.
const MAX_REPLACEMENTS: usize = 3;

/// The INIT phase has no deadline of its own; a request that takes longer than this is no longer useful.
const WARM_UP_LIMIT: Duration = Duration::from_secs(60);

impl<S: SecretStore + 'static, H: HttpClient + 'static> Checker<S, H> {
    /// Sends nothing.
    pub fn new(tokens: TokenSource<S, H>) -> Self {
        Self(tokens)
    }

    /// Gets a token and opens a connection to Zoho ahead of the first check. If anything fails here, the check tries
    /// again and reports the error.
    pub async fn warm_up(&self) {
        let Context { settings, .. } = &*self.0.context;
        // As far as it is known without the secret. It can be wrong without harm.
        let expected = settings.api_domain.clone().or(settings.data_center.map(DataCenter::api_origin));
        let connect = |host: Origin| {
            let context = self.0.context.clone();
            // A task of its own: it fits into the waits for the token, and nobody waits for a host that is not the right one.
            tokio::spawn(async move { phase::timed("init.connect", context.http.preconnect(&host)).await })
        };
        let connecting = expected.clone().map(connect);
        let token = phase::timed("init.secret", self.0.token(Deadline::after(WARM_UP_LIMIT))).await;
        let named = token.ok().map(|token| token.api.origin.clone()).filter(|host| Some(host) != expected.as_ref());
        if let Some(connecting) = named.map(connect).or(connecting) {
            let _connected = connecting.await;
        }
    }

    /// The API host that checks go to. Gets an access token if there is none yet: its response can name the host.
    pub async fn api_host(&self, deadline: Deadline) -> Result<ZohoHost, WatchError> {
        Ok(self.0.token(deadline).await?.api.clone())
    }

    /// Returns the status of a job. If Zoho rejects the token, takes the one that another environment has stored meanwhile,
    /// then requests one. Refreshes the token concurrently with the first request if that is due.
    ///
    /// `repeats_timeouts`: whether a request that timed out is sent again within the invocation.
    pub async fn check(
        &self,
        job: &Job,
        repeats_timeouts: bool,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<JobStatus, WatchError> {
        let Context { http, settings, clock, .. } = &*self.0.context;
        let mut token = self.0.token(deadline).await?;
        let mut fetch = async |token: &CachedToken| {
            let request = StatusRequest {
                host: &token.api,
                job,
                token: &token.token,
                settings,
                deadline,
                clock,
                repeats_timeouts,
            };
            status::fetch_status(http, &request, attempts).await
        };
        let (mut result, ()) = tokio::join!(fetch(&token), self.0.refresh_if_due(deadline));
        let mut rejected = Vec::new();
        loop {
            if rejection(&result).is_some() && token.is_fresh(clock()) && deadline.left() > SPREADING {
                tokio::time::sleep(SPREADING).await;
                result = fetch(&token).await;
            }
            let Some(error) = rejection(&result) else { return result };
            let is_last = !rejected.is_empty() && !token.is_shared();
            if is_last {
                self.0.report_rejected(&token, error, deadline).await;
            }
            rejected.push(token);
            // The third token is one that this environment requested, unless others request more at the same time.
            if is_last || rejected.len() > MAX_REPLACEMENTS {
                return result;
            }
            tracing::debug!(%error, "Zoho rejected the access token; getting another one");
            let Some(replacement) = self.0.replace_rejected(&rejected, deadline).await? else { return result };
            token = replacement;
            result = fetch(&token).await;
        }
    }
}

fn rejection(result: &Result<JobStatus, WatchError>) -> Option<&WatchError> {
    result.as_ref().err().filter(|error| error.kind == ErrorType::TokenRejected)
}
