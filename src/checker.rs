//! One check: an access token, the status request, and one replacement token if Zoho rejects the first one.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, Origin};
use crate::phase;
use crate::timestamp::Clock;
use crate::token::{SecretStore, TokenSource};
use crate::watch::ids::Job;
use crate::watch::job::JobStatus;
use crate::zoho::client::{self, Attempts, StatusRequest};
use crate::zoho::hosts::ZohoHost;
use std::time::Duration;
use tokio::sync::Notify;

/// Checks jobs at Zoho.
pub struct Checker<S, H> {
    tokens: TokenSource<S, H>,
    http: H,
    settings: CheckerSettings,
}

/// What the environment says about checks.
#[derive(Clone)]
pub struct CheckerSettings {
    /// `ZOHO_API_VERSION`.
    pub api_version: String,
    /// `REQUEST_TIMEOUT_SECONDS`: the timeout for one HTTP attempt.
    pub request_timeout: Duration,
    /// The API host to connect to during INIT, if it is known without the secret. It can be wrong without harm.
    pub api_host: Option<Origin>,
    /// The wall clock.
    pub clock: Clock,
}

/// The INIT phase has no deadline of its own; a request that takes longer than this is no longer useful.
const WARM_UP_LIMIT: Duration = Duration::from_secs(60);

impl<S: SecretStore + 'static, H: HttpClient + Clone + 'static> Checker<S, H> {
    /// Sends nothing.
    pub fn new(tokens: TokenSource<S, H>, http: H, settings: CheckerSettings) -> Self {
        Self { tokens, http, settings }
    }

    /// Gets a token and opens a connection to Zoho ahead of the first check. If anything fails here, the check tries
    /// again and reports the error.
    pub async fn warm_up(&self) {
        let deadline = Deadline::after(WARM_UP_LIMIT);
        let expected = self.settings.api_host.as_ref();
        let connect =
            async |host: &Origin| phase::timed(phase::INIT_CONNECT, self.http.preconnect(host)).await;
        let is_elsewhere = Notify::new();
        let secret = async {
            let token = phase::timed(phase::INIT_SECRET, self.tokens.token(deadline)).await;
            if let Ok(token) = token
                && Some(&token.api.origin) != expected
            {
                is_elsewhere.notify_one();
                connect(&token.api.origin).await;
            }
        };
        let connection = async {
            if let Some(host) = expected {
                tokio::select! {
                    biased;
                    () = is_elsewhere.notified() => {}
                    () = connect(host) => {}
                }
            }
        };
        // Both at once. The longer one comes first, so that the other one's work fits into its waits.
        tokio::join!(secret, connection);
    }

    /// The API host that checks go to. Gets an access token if there is none yet: its response can name the host.
    pub async fn api_host(&self, deadline: Deadline) -> Result<ZohoHost, WatchError> {
        Ok(self.tokens.token(deadline).await?.api.clone())
    }

    /// Returns the status of a job. If Zoho rejects the token, gets another one, once. Refreshes the token concurrently
    /// with the request if that is due.
    ///
    /// `repeats_timeouts`: whether a request that timed out is sent again within the invocation.
    ///
    /// # Errors
    ///
    /// What the token source or Zoho's last response amounts to.
    pub async fn check(
        &self,
        job: &Job,
        repeats_timeouts: bool,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<JobStatus, WatchError> {
        let cached = self.tokens.token(deadline).await?;
        let mut request = StatusRequest {
            host: &cached.api,
            api_version: &self.settings.api_version,
            module: &job.module,
            job_id: &job.job_id,
            token: &cached.token,
            timeout: self.settings.request_timeout,
            deadline,
            clock: &self.settings.clock,
            repeats_timeouts,
        };
        let (first, ()) = tokio::join!(
            client::fetch_status(&self.http, &request, attempts),
            self.tokens.refresh_if_due(deadline)
        );
        let rejection = match first {
            Err(error) if error.kind() == ErrorType::TokenRejected => error,
            other => return other,
        };
        tracing::debug!(error = %rejection, "Zoho rejected the access token; getting another one");
        let Some(replacement) = self.tokens.replace_rejected(&cached, deadline).await? else {
            return Err(rejection);
        };
        (request.host, request.token) = (&replacement.api, &replacement.token);
        let second = client::fetch_status(&self.http, &request, attempts).await;
        if let Err(error) = &second
            && error.kind() == ErrorType::TokenRejected
        {
            self.tokens.report_rejected(&replacement, error, deadline).await;
        }
        second
    }
}

#[cfg(test)]
mod tests;
