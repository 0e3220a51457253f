//! One invocation, from the payload to the response, and one check: an access token, the status request, and a replacement
//! if Zoho rejects the token.

use crate::arn::Location;
use crate::delivery::{Courier, Delivery, Destinations};
use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::{HttpClient, Origin};
use crate::token::{CachedToken, Context, SecretStore, TokenSource};
use crate::watch::job::{Job, JobStatus};
use crate::watch::message::{Message, MessageSettings};
use crate::watch::report::{Limits, Report, Response, State};
use crate::watch::request::{Ask, Caller, Request};
use crate::watch::rule::{has_worked, judge};
use crate::watch::{notice::Intervals, pacing::Bounds};
use crate::zoho::status::{self, Attempts, StatusRequest};
use crate::zoho::{data_center::DataCenter, hosts::ZohoHost};
use crate::{deadline::Deadline, phase, record, timestamp::Timestamp};
use std::time::{Duration, Instant};

/// The function: everything that lives from one invocation to the next.
pub struct Handler<S, H, D> {
    checker: Checker<S, H>,
    courier: Courier<D>,
    settings: MessageSettings,
    region: String,
}

/// A job that was started a moment ago may not be known everywhere yet.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(2);

/// What the runtime says about an invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The payload as text, even if it is not JSON.
    pub payload: String,
    /// The ARN under which the function was invoked. Empty if it is not known.
    pub function_arn: String,
    /// When the response must be ready.
    pub deadline: Deadline,
}

impl<S, H, D> Handler<S, H, D>
where
    S: SecretStore + 'static,
    H: HttpClient + 'static,
    D: Destinations,
{
    /// Sends nothing yet. `region` is the function's own, such as `eu-west-1`.
    pub fn new(checker: Checker<S, H>, courier: Courier<D>, settings: MessageSettings, region: String) -> Self {
        Self { checker, courier, settings, region }
    }

    /// Does what the first invocation needs ahead of it.
    pub async fn warm_up(&self) {
        self.checker.warm_up().await;
    }

    /// Responds to one invocation.
    pub async fn handle(&self, invocation: &Invocation) -> Result<Response, WatchError> {
        let began = Instant::now();
        let Invocation { payload, function_arn, deadline } = invocation;
        let here = Location::of_function(function_arn, Some(&self.region));
        let delivered = &Request::parse(payload, self.courier.now(), &here);
        let mut settings = self.settings.clone();
        (settings.function_arn, settings.location) = (function_arn.clone(), here);
        let mut request = delivered.clone();
        let mut attempts = Attempts::default();
        let result = match self.report(&mut request, *deadline, &mut attempts).await {
            Ok(report) if matches!(request.caller, Caller::StateMachine(_)) => Ok(compose(report, &request, &settings)),
            Ok(report) => {
                let delivery = Delivery { request: &request, delivered, settings: &settings, deadline: *deadline };
                self.courier.deliver(report, delivery).await
            }
            Err(error) => Err(error),
        };
        record::invocation(delivered, &result, attempts.sent, began.elapsed());
        result
    }

    /// What is to be reported. Sets the start of the watch in the request.
    async fn report(
        &self,
        request: &mut Request,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<Report, WatchError> {
        let job = match &request.ask {
            Ask::Compose(failure, _) => {
                return Ok(Report::of_end(request, State::Failed(failure.clone()), 0, self.courier.now()));
            }
            Ask::Reject(error, _) => {
                let error = error.clone();
                self.courier.complete(request, false, deadline).await;
                return judge(request, error, &self.courier.limits, self.courier.now());
            }
            Ask::Check(job) => job.clone(),
        };
        // The next check comes anyway, and no execution environment is held for long.
        let repeats_timeouts = matches!(request.caller, Caller::Direct { .. });
        let mut check = async || self.checker.check(&job, repeats_timeouts, deadline, attempts).await;
        let mut checked = {
            let check = check();
            let prepare = async {
                if matches!(request.caller, Caller::Schedule { adapts: true, .. }) {
                    self.courier.prepare(deadline).await;
                }
            };
            tokio::pin!(check, prepare);
            // The check does not wait for the connection.
            tokio::select! {
                biased;
                checked = &mut check => checked,
                () = &mut prepare => check.await,
            }
        };
        let is_scheduled = matches!(request.caller, Caller::Schedule { .. });
        if is_scheduled && !matches!(&checked, Ok(job) if job.status.is_finished()) {
            let is_permanent = checked.as_ref().is_err_and(|error| !error.kind.is_retryable());
            self.courier.complete(request, is_permanent, deadline).await;
        }
        if let Err(error) = &checked
            && error.cause == ErrorCause::NoContent
            && !has_worked(request, self.courier.now())
            && deadline.left() > CONFIRM_AFTER
        {
            tokio::time::sleep(CONFIRM_AFTER).await;
            checked = check().await;
        }
        match checked {
            Ok(job) => {
                record::warn_if_unknown(&job.status);
                Ok(Report::of_check(request, &job, self.courier.now(), &self.courier.limits))
            }
            Err(error) => judge(request, error, &self.courier.limits, self.courier.now()),
        }
    }
}

/// The response for a state machine, which publishes the announcement and the notice itself.
fn compose(report: Report, request: &Request, settings: &MessageSettings) -> Response {
    let message = report.event().map(|event| Message::about(&report, event, request, settings).to_announcement());
    let is_over = report.outcome().is_some();
    let (announcement, notice) = if is_over { (message, None) } else { (None, message) };
    Response { announcement: Some(announcement.unwrap_or_default()), notice, ..Response::from(report) }
}

/// Responds to an invocation of a function whose configuration is invalid. A watch that has worked goes on with waits of
/// an hour, and a state machine bounds it with its own timeout. `now` is the present time.
pub fn respond_without_configuration(
    error: &WatchError,
    invocation: &Invocation,
    now: Timestamp,
) -> Result<Response, WatchError> {
    let here = Location::of_function(&invocation.function_arn, None);
    let request = Request::parse(&invocation.payload, now, &here);
    let is_machine = matches!(request.caller, Caller::StateMachine(_));
    let limits = Limits {
        bounds: Bounds { min_seconds: 10, max_seconds: 900 },
        watch_limit_seconds: if is_machine { u64::MAX } else { 86_400 },
        notices: Intervals::default(),
    };
    let report = match &request.ask {
        Ask::Compose(failure, _) => Ok(Report::of_end(&request, State::Failed(failure.clone()), 0, now)),
        // Nothing can be published without a configuration.
        Ask::Reject(error, _) if is_machine => judge(&request, error.clone(), &limits, now),
        Ask::Reject(..) | Ask::Check(_) => {
            let error = WatchError { retry_after: Some(Duration::from_secs(3_600)), ..error.clone() };
            judge(&request, error, &limits, now)
        }
    };
    let result = report.map(|report| match is_machine {
        true => compose(report, &request, &MessageSettings::default()),
        false => Response::from(report),
    });
    record::invocation(&request, &result, 0, Duration::ZERO);
    result
}

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

#[cfg(test)]
mod tests;
