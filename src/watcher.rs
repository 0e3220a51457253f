//! One call, from the payload to the answer.

use crate::aws;
use crate::base_url::BaseUrl;
use crate::clock::{Timestamp, milliseconds};
use crate::config::{self, Config};
use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::job::{JobStatus, Outcome, StatusWord};
use crate::notification::{Message, Publisher};
use crate::phase::{self, Phase};
use crate::redact;
use crate::report::{Notification, Report};
use crate::request::{Delivery, History, Rejected, Request};
use crate::schedule::Schedules;
use crate::token::{SecretsManager, Settings, TokenSource, ZohoAccounts};
use crate::transport::Transport;
use crate::zoho::api::{Attempts, Check, ZohoApi};
use aws_config::SdkConfig;
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The function: everything that lives from call to call.
pub struct Watcher {
    config: Config,
    transport: Transport,
    tokens: TokenSource<SecretsManager, ZohoAccounts>,
    sdk: SdkConfig,
    /// Made for the first report that is published: most environments never see one.
    publisher: OnceLock<Publisher>,
    /// Made for the first schedule that is deleted.
    schedules: OnceLock<Schedules>,
    /// The client of the API host that the present token goes with.
    api: Mutex<Option<Arc<ZohoApi>>>,
}

/// How a check went, for the one line it gets in the log.
#[derive(Debug, Default)]
struct Trace {
    module: Option<String>,
    job_id: Option<String>,
    attempts: u32,
}

impl Watcher {
    /// Reads the configuration and makes the clients; no request is sent.
    pub async fn from_env() -> Result<Self, WatchError> {
        let configuring = Phase::begin(phase::INIT_CONFIG);
        let cert_file = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
        let transport = Transport::new(cert_file.as_deref().map(Path::new));
        let (config, transport) = match (Config::from_env(), transport) {
            (Ok(config), Ok(transport)) => (config, transport),
            (config, transport) => {
                let bundle = transport.err().map(|wrong| format!("SSL_CERT_FILE {wrong}"));
                let faults: Vec<String> = config.err().into_iter().flatten().chain(bundle).collect();
                return Err(config::invalid(&faults));
            }
        };
        let client = transport.client().map_err(|wrong| config::invalid(&[wrong]))?;
        drop(configuring);
        let _aws = Phase::begin(phase::INIT_AWS);
        let sdk = aws::load(client.clone(), config.request_timeout).await;
        if sdk.region().is_none() {
            return Err(config::invalid(&["AWS_REGION is not set".to_owned()]));
        }
        let vault = SecretsManager::new(aws_sdk_secretsmanager::Client::new(&sdk), config.secret_id.clone());
        let settings = Settings {
            api_domain: config.api_domain.clone(),
            accounts_domain: config.accounts_domain.clone(),
            request_timeout: config.request_timeout,
            clock: Arc::new(Timestamp::now),
        };
        Ok(Self {
            tokens: TokenSource::new(vault, ZohoAccounts(client), settings),
            publisher: OnceLock::new(),
            schedules: OnceLock::new(),
            sdk,
            api: Mutex::default(),
            config,
            transport,
        })
    }

    /// Does ahead of the first call what it would need: a token and an open connection to Zoho. Whatever fails here is
    /// tried again by the call, and answered there.
    pub async fn warm_up(&self) {
        let plenty = Deadline::after(Duration::from_secs(60));
        match &self.config.api_domain {
            // The host is known without the secret: both at once.
            Some(base) => {
                let connect = async {
                    if let Ok(api) = self.api(base) {
                        api.preconnect().await;
                    }
                };
                // The longer one first: the other one's work then fits into its waits.
                let _ = tokio::join!(
                    phase::timed(phase::INIT_SECRET, self.tokens.token(plenty)),
                    phase::timed(phase::INIT_CONNECT, connect),
                );
            }
            None => {
                if let Ok(live) = phase::timed(phase::INIT_SECRET, self.tokens.token(plenty)).await
                    && let Ok(api) = self.api(&live.api)
                {
                    phase::timed(phase::INIT_CONNECT, api.preconnect()).await;
                }
            }
        }
    }

    /// Answers one call. `payload` is the invocation's JSON text.
    pub async fn call(&self, payload: &str, deadline: Deadline) -> Result<Report, WatchError> {
        let _call = Phase::begin(phase::CALL);
        let started = Instant::now();
        let mut trace = Trace::default();
        let result = match Request::parse(payload, Timestamp::now()) {
            Ok(request) => self.answer(&request, deadline, &mut trace).await,
            Err(rejected) => self.reject(*rejected, deadline).await,
        };
        trace.log(&result, started.elapsed());
        result
    }

    async fn answer(
        &self,
        request: &Request,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Report, WatchError> {
        trace.module = Some(request.module.to_string());
        trace.job_id = Some(request.job_id.to_string());
        let mut attempts = Attempts::default();
        let status = self.status(request, deadline, &mut attempts).await;
        trace.attempts = attempts.sent;
        match status {
            Ok(job) => {
                warn_of_unknown(&job.word);
                let report = Report::of_check(request, &job, Timestamp::now(), &self.config);
                self.deliver(report, &request.delivery, deadline).await
            }
            Err(error) => {
                let (module, job_id) = (request.module.to_string(), request.job_id.to_string());
                self.fail((Some(module), Some(job_id)), &request.history, &request.delivery, error, deadline)
                    .await
            }
        }
    }

    async fn reject(&self, rejected: Rejected, deadline: Deadline) -> Result<Report, WatchError> {
        let Rejected { error, module, job_id, delivery } = rejected;
        self.fail((module, job_id), &History::default(), &delivery, error, deadline).await
    }

    /// Asks Zoho, with another token once if it refuses this one; sees to the next token meanwhile if that is due.
    async fn status(
        &self,
        request: &Request,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<JobStatus, WatchError> {
        let check = Check {
            module: &request.module,
            job_id: &request.job_id,
            api_version: &self.config.api_version,
            timeout: self.config.request_timeout,
            deadline,
        };
        let live = phase::timed(phase::CALL_TOKEN, self.tokens.token(deadline)).await?;
        let _zoho = Phase::begin(phase::CALL_ZOHO);
        let api = self.api(&live.api)?;
        let (first, ()) =
            tokio::join!(api.check(&check, &live.token, attempts), self.tokens.refresh(deadline));
        let refusal = match first {
            Ok(job) => return Ok(job),
            Err(refusal) if refusal.token_refused => refusal,
            Err(refusal) => return Err(refusal.error),
        };
        tracing::debug!(error = %refusal.error, "Zoho refused the access token; looking for another");
        match self.tokens.replace(&live, deadline).await? {
            Some(live) => {
                let again = self.api(&live.api)?.check(&check, &live.token, attempts).await;
                if let Err(refusal) = &again
                    && refusal.token_refused
                {
                    self.tokens.give_up(&live, &refusal.error, deadline).await;
                }
                again.map_err(|refusal| refusal.error)
            }
            None => Err(refusal.error),
        }
    }

    /// The client of this API host, made anew where the host is another than last time.
    fn api(&self, base: &BaseUrl) -> Result<Arc<ZohoApi>, WatchError> {
        let mut slot = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(api) = slot.as_ref().filter(|api| api.base() == base) {
            return Ok(api.clone());
        }
        let api = ZohoApi::new(&self.transport, base.clone()).map_err(|wrong| config::invalid(&[wrong]))?;
        Ok(slot.insert(Arc::new(api)).clone())
    }

    /// Publishes a report that ends the watch, where that is wanted, and then ends the schedule.
    async fn deliver(
        &self,
        mut report: Report,
        delivery: &Delivery,
        deadline: Deadline,
    ) -> Result<Report, WatchError> {
        let schedule = delivery.schedule.as_ref();
        let message = report.outcome.map(|outcome| Message::about(&report, outcome, schedule));
        if delivery.announcement {
            report.announcement = Some(message.as_ref().map_or(Value::Null, Message::to_announcement));
        }
        let Some(message) = message else { return Ok(report) };
        if delivery.notify {
            let message_id = self.publish(&message, deadline).await?;
            report.notification = Some(Notification { message_id });
        }
        if let Some(schedule) = schedule {
            let _deleting = Phase::begin(phase::CALL_SCHEDULE);
            let schedules =
                self.schedules.get_or_init(|| Schedules::new(aws_sdk_scheduler::Client::new(&self.sdk)));
            let deleted = deadline.limit(schedules.delete(schedule)).await;
            let late = "the watch is over, but its schedule could not be deleted in the time of this call";
            deleted.unwrap_or_else(|| Err(out_of_time(ErrorType::ScheduleNotDeleted, late)))?;
            report.schedule_deleted = Some(true);
        }
        Ok(report)
    }

    async fn publish(&self, message: &Message, deadline: Deadline) -> Result<String, WatchError> {
        let topic_arn = self.config.topic_arn.as_deref().ok_or_else(|| {
            let fault =
                "a notification is due, but STATUS_TOPIC_ARN is not set: it must be the ARN of an SNS topic";
            config::invalid(&[fault.to_owned()])
        })?;
        let _publishing = Phase::begin(phase::CALL_PUBLISH);
        let publisher = self.publisher.get_or_init(|| Publisher::new(aws_sdk_sns::Client::new(&self.sdk)));
        let published = deadline.limit(publisher.publish(topic_arn, message)).await;
        let late = "SNS did not take the message in the time of this call";
        published.unwrap_or_else(|| Err(out_of_time(ErrorType::NotificationFailed, late)))
    }

    /// Ends a schedule's watch loudly where asking again cannot help; else the error is the answer.
    async fn fail(
        &self,
        (module, job_id): (Option<String>, Option<String>),
        history: &History,
        delivery: &Delivery,
        error: WatchError,
        deadline: Deadline,
    ) -> Result<Report, WatchError> {
        let mends_itself = error.kind().try_again() || error.kind() == ErrorType::InvalidConfiguration;
        if delivery.schedule.is_none() || mends_itself {
            return Err(error);
        }
        let report = Report::of_failure(module, job_id, history, error.clone(), Timestamp::now());
        // Whatever the request says of notifications: nobody would ever learn of this end otherwise.
        let delivery = Delivery { notify: true, ..delivery.clone() };
        self.deliver(report, &delivery, deadline).await.map_err(|delivery_error| {
            tracing::error!(error = %delivery_error, "the end of this watch could not be announced");
            error
        })
    }
}

impl Trace {
    /// One line a check.
    fn log(&self, result: &Result<Report, WatchError>, took: Duration) {
        let report = result.as_ref().ok();
        let module = self.module.as_deref().or(report.and_then(|report| report.module.as_deref()));
        let job_id = self.job_id.as_deref().or(report.and_then(|report| report.job_id.as_deref()));
        let status = report.and_then(|report| report.status.as_deref());
        let outcome = report.and_then(|report| report.outcome).map(Outcome::name);
        let error =
            result.as_ref().err().or(report.and_then(|report| report.error.as_ref().map(|error| &error.0)));
        let error_type = error.map(|error| error.kind().name());
        let (attempts, milliseconds) = (self.attempts, milliseconds(took));
        if let Some(error) = error {
            let error = error.message();
            tracing::warn!(
                module,
                job_id,
                status,
                outcome,
                attempts,
                milliseconds,
                error_type,
                error,
                "check"
            );
        } else {
            tracing::info!(module, job_id, status, outcome, attempts, milliseconds, "check");
        }
    }
}

fn warn_of_unknown(word: &StatusWord) {
    if !word.known() {
        let status = redact::quote(word.as_str());
        tracing::warn!(
            status,
            "Zoho reports a status that is not documented; the job is taken for unfinished"
        );
    }
}

fn out_of_time(kind: ErrorType, what: &str) -> WatchError {
    WatchError::new(kind, format!("{what}; give the function a longer time-out"))
}
