//! One check: a token, the status request, and one replacement token if Zoho rejects the first one.

use crate::deadline::Deadline;
use crate::error::WatchError;
use crate::http::{HttpClient, Origin};
use crate::phase::{self, Phase};
use crate::timestamp::Clock;
use crate::token::{SecretStore, TokenSource};
use crate::watch::ids::{JobId, ModuleName};
use crate::watch::job::JobStatus;
use crate::zoho::client::{self, Attempts, StatusRequest};
use std::time::Duration;

/// Checks jobs at Zoho.
pub struct Checker<S, H> {
    tokens: TokenSource<S, H>,
    http: H,
    settings: Settings,
}

/// What the environment says about checks.
#[derive(Clone)]
pub struct Settings {
    /// `ZOHO_API_VERSION`.
    pub api_version: String,
    /// `REQUEST_TIMEOUT_SECONDS`: the longest time for one HTTP attempt.
    pub request_timeout: Duration,
    /// The API host, if it is known without the secret.
    pub api_host: Option<Origin>,
    /// The wall clock.
    pub clock: Clock,
}

/// INIT has no deadline of its own that matters here; a request that takes this long is of no use any more.
const WARM_UP_TIME: Duration = Duration::from_secs(60);

impl<S: SecretStore + 'static, H: HttpClient + Clone + 'static> Checker<S, H> {
    /// Sends nothing yet.
    pub fn new(tokens: TokenSource<S, H>, http: H, settings: Settings) -> Self {
        Self { tokens, http, settings }
    }

    /// Does what the first check needs ahead of it: a token, and an open connection to Zoho. Whatever fails here, the
    /// check tries again and reports.
    pub async fn warm_up(&self) {
        let deadline = Deadline::after(WARM_UP_TIME);
        match &self.settings.api_host {
            // The host is known without the secret: do both at once. The longer one comes first, so that the other one's
            // work fits into its waits.
            Some(api_host) => {
                let _ = tokio::join!(
                    phase::timed(phase::INIT_SECRET, self.tokens.token(deadline)),
                    phase::timed(phase::INIT_CONNECT, self.http.preconnect(api_host)),
                );
            }
            None => {
                if let Ok(token) = phase::timed(phase::INIT_SECRET, self.tokens.token(deadline)).await {
                    phase::timed(phase::INIT_CONNECT, self.http.preconnect(&token.api.origin)).await;
                }
            }
        }
    }

    /// Returns the status of a job. If Zoho rejects the token, gets another one, once. Refreshes the token beside the
    /// request if that is due.
    pub async fn check(
        &self,
        module: &ModuleName,
        job_id: &JobId,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<JobStatus, WatchError> {
        let cached = phase::timed(phase::CALL_TOKEN, self.tokens.token(deadline)).await?;
        let _zoho = Phase::begin(phase::CALL_ZOHO);
        let mut request = StatusRequest {
            host: &cached.api,
            api_version: &self.settings.api_version,
            module,
            job_id,
            token: &cached.token,
            timeout: self.settings.request_timeout,
            deadline,
            clock: &self.settings.clock,
        };
        let (first, ()) =
            tokio::join!(client::fetch_status(&self.http, &request, attempts), self.tokens.refresh(deadline));
        let rejection = match first {
            Err(error) if error.token_rejected => error,
            other => return other.map_err(|error| error.error),
        };
        tracing::debug!(error = %rejection.error, "Zoho rejected the access token; getting another one");
        let Some(replacement) = self.tokens.replace(&cached, deadline).await? else {
            return Err(rejection.error);
        };
        (request.host, request.token) = (&replacement.api, &replacement.token);
        let second = client::fetch_status(&self.http, &request, attempts).await;
        if let Err(error) = &second
            && error.token_rejected
        {
            self.tokens.give_up(&replacement, &error.error, deadline).await;
        }
        second.map_err(|error| error.error)
    }
}
