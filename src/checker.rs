//! One check: an access token, the status request, and a replacement if Zoho rejects the token.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, Origin};
use crate::phase;
use crate::token::{CachedToken, Context, SecretStore, TokenSource};
use crate::watch::ids::Job;
use crate::watch::job::JobStatus;
use crate::zoho::client::{self, Attempts, StatusRequest};
use crate::zoho::data_center::DataCenter;
use crate::zoho::hosts::ZohoHost;
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
        let Context { http, settings, .. } = &*self.0.context;
        // As far as it is known without the secret. It can be wrong without harm.
        let expected = settings.api_domain.clone().or(settings.data_center.map(DataCenter::api_origin));
        let connect = async |host: &Origin| phase::timed("init.connect", http.preconnect(host)).await;
        let token = phase::timed("init.secret", self.0.token(Deadline::after(WARM_UP_LIMIT)));
        let connection = async {
            if let Some(host) = &expected {
                connect(host).await;
            }
        };
        // Both at once. The longer one comes first, so that the other one's work fits into its waits.
        tokio::pin!(token, connection);
        let mut is_connected = false;
        let token = loop {
            tokio::select! {
                biased;
                token = &mut token => break token,
                () = &mut connection, if !is_connected => is_connected = true,
            }
        };
        match token {
            // Nobody waits for a host that is not the right one.
            Ok(token) if Some(&token.api.origin) != expected.as_ref() => connect(&token.api.origin).await,
            _ if is_connected => {}
            _ => connection.await,
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
            client::fetch_status(http, &request, attempts).await
        };
        let (mut result, ()) = tokio::join!(fetch(&token), self.0.refresh_if_due(deadline));
        let mut rejected = Vec::new();
        loop {
            if is_rejection(&result) && token.is_fresh(clock()) && deadline.left() > SPREADING {
                tokio::time::sleep(SPREADING).await;
                result = fetch(&token).await;
            }
            let rejection = match result {
                Err(error) if error.kind() == ErrorType::TokenRejected => error,
                other => return other,
            };
            if !rejected.is_empty() && !token.is_shared() {
                self.0.report_rejected(&token, &rejection, deadline).await;
                return Err(rejection);
            }
            tracing::debug!(error = %rejection, "Zoho rejected the access token; getting another one");
            rejected.push(token);
            // The third token is one that this environment requested, unless others request more at the same time.
            if rejected.len() > MAX_REPLACEMENTS {
                return Err(rejection);
            }
            token = match self.0.replace_rejected(&rejected, deadline).await? {
                Some(replacement) => replacement,
                None => return Err(rejection),
            };
            result = fetch(&token).await;
        }
    }
}

fn is_rejection(result: &Result<JobStatus, WatchError>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorType::TokenRejected)
}

#[cfg(test)]
mod tests;
