//! Zoho's API: the one request that asks for a job's status, sent as often as makes sense within a call.

use crate::base_url::BaseUrl;
use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::job::JobStatus;
use crate::names::{JobId, ModuleName};
use crate::secret::AccessToken;
use crate::transport::{self, Fault, Preconnect, Stage, Transport};
use crate::zoho::answer::{self, Answer, Refusal};
use crate::zoho::retry::{self, Retry};
use http::header::{ACCEPT, AUTHORIZATION};
use std::time::Duration;
use time::UtcDateTime;

/// A client of one API host.
pub struct ZohoApi {
    base: BaseUrl,
    client: reqwest::Client,
    preconnect: Preconnect,
}

/// What is asked, and how.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// The module.
    pub module: &'a ModuleName,
    /// The job.
    pub job_id: &'a JobId,
    /// `v8` and the like.
    pub api_version: &'a str,
    /// The most that one attempt may take.
    pub timeout: Duration,
    /// When the call must be over.
    pub deadline: Deadline,
}

/// Requests sent so far in this call.
#[derive(Debug, Default, Clone, Copy)]
pub struct Attempts {
    /// All of them: for the log.
    pub sent: u32,
    /// Those that ended in a connection fault, a 5xx or a 429: at most [`retry::MAX_ATTEMPTS`].
    faults: u32,
}

impl ZohoApi {
    /// A client of this host; nothing is sent yet.
    pub fn new(transport: &Transport, base: BaseUrl) -> Result<Self, String> {
        let (client, preconnect) = transport.preconnecting_client()?;
        Ok(Self { base, client, preconnect })
    }

    /// The host.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Opens a connection for the first check.
    pub async fn preconnect(&self) -> bool {
        self.preconnect.open(&self.client, self.base.as_str()).await
    }

    /// Asks for the job's status until there is an answer, an error that asking again will not mend, or no time left.
    pub async fn check(
        &self,
        check: &Check<'_>,
        token: &AccessToken,
        attempts: &mut Attempts,
    ) -> Result<JobStatus, Box<Refusal>> {
        loop {
            let left = check.deadline.left();
            if left.is_zero() {
                return Err(unavailable(
                    "no time is left in this call; give the function a longer time-out",
                    Retry::No,
                ));
            }
            attempts.sent = attempts.sent.saturating_add(1);
            let refusal = match self.attempt(check, token, left.min(check.timeout)).await {
                Ok(status) => return Ok(status),
                Err(refusal) => refusal,
            };
            if refusal.retry != Retry::No {
                attempts.faults = attempts.faults.saturating_add(1);
            }
            let pause = retry::wait(refusal.retry, attempts.faults, check.deadline.left(), fastrand::f64());
            match pause {
                None => return Err(refusal),
                Some(pause) => {
                    tracing::debug!(error = %refusal.error, milliseconds = crate::clock::milliseconds(pause), "trying again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn attempt(
        &self,
        check: &Check<'_>,
        token: &AccessToken,
        timeout: Duration,
    ) -> Result<JobStatus, Box<Refusal>> {
        let Some(authorization) = token.authorization() else {
            return Err(unavailable("the access token fits no HTTP header", Retry::No));
        };
        let Check { module, job_id, api_version, .. } = check;
        let url =
            format!("{}/crm/{api_version}/{module}/actions/mass_change_owner?job_id={job_id}", self.base);
        let request = self
            .client
            .get(url)
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .timeout(timeout);
        let fetched =
            transport::fetch(request, answer::BODY_LIMIT).await.map_err(|fault| self.fault(&fault))?;
        answer::classify(&Answer {
            status: fetched.status,
            headers: &fetched.headers,
            body: &fetched.body,
            now: UtcDateTime::now(),
            secrets: &[token.expose()],
        })
    }

    fn fault(&self, fault: &Fault) -> Box<Refusal> {
        let retry = match fault.stage {
            Stage::Oversized(status) => return Refusal::oversized(status),
            Stage::Unanswered => Retry::Reconnect,
            Stage::Connecting | Stage::Answering => Retry::Backoff,
        };
        unavailable(
            &format!(
                "Zoho's API {} gave no answer ({fault}). Try again later; if it stays so, check ZOHO_API_DOMAIN, the network and SSL_CERT_FILE",
                self.base
            ),
            retry,
        )
    }
}

fn unavailable(message: &str, retry: Retry) -> Box<Refusal> {
    Box::new(Refusal {
        error: WatchError::new(ErrorType::ZohoUnavailable, message),
        token_refused: false,
        retry,
    })
}
