//! A secret, a Zoho, and the execution environments that use them.

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::http::{
    HttpClient, HttpRequest as Request, HttpResponse as Response, Origin, Stage, TransportError,
};
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::token::{
    CachedToken, LEASE_LABEL, Put, SecretStore, Sharing, StoreError, TOKEN_LABEL, TokenSource, Version,
};
use mass_change_owner_status::watch::ids::{Job, JobId, ModuleName};
use mass_change_owner_status::watch::job::JobStatus;
use mass_change_owner_status::zoho::ZohoSettings;
use mass_change_owner_status::zoho::client::Attempts;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// When the virtual time begins.
const BEGINNING: i64 = 1_795_428_000;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// The most versions younger than a day.
const VERSIONS: usize = 100;

/// How the accounts server responds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Accounts {
    #[default]
    Good,
    Throttles,
    Rejects,
    Fails,
    /// No response.
    Silent,
    /// A 500 to half of the requests.
    FailsHalf,
}

/// What Secrets Manager and Zoho are like, and what they were asked.
#[derive(Default)]
pub(crate) struct State {
    pub accounts: Accounts,
    /// An accounts server and an API host that reject everything, and a client that is rejected.
    pub rejecting: Vec<&'static str>,
    /// How long Zoho's API rejects a new token.
    pub spreading: Duration,
    /// The share of puts whose responses get lost although they are done; the SDK then puts again, twice.
    pub lost_responses: f64,
    /// An error instead of any read, of any put.
    pub reads: Option<StoreError>,
    pub puts: Option<StoreError>,
    /// Puts look whether the ID is free first and write a moment later: two at once both succeed.
    pub both_succeed: bool,
    /// The share of requests for a token that kill the environment that sent them.
    pub deadly: f64,
    versions: HashMap<String, Version>,
    labels: HashMap<String, String>,
    /// When the function put versions, and when the operator did.
    pub written: Vec<Instant>,
    pub operators: Vec<Instant>,
    pub requests: Vec<TokenRequest>,
    issued: HashMap<String, Instant>,
    revoked: Vec<String>,
    pub reads_done: usize,
    pub double_puts: usize,
    pub environments: usize,
}

/// By whom a token was requested, and when that was over for the sender.
#[derive(Debug, Clone)]
pub(crate) struct TokenRequest {
    pub environment: usize,
    pub from: Instant,
    pub to: Option<Instant>,
}

#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    began: Instant,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { state: Arc::default(), began: Instant::now() };
        world.operator_puts("first").unwrap();
        world
    }

    /// A world that differs in this.
    pub(crate) fn with(change: impl FnOnce(&mut State)) -> Self {
        let world = Self::new();
        change(&mut world.state());
        world
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.began.elapsed().as_secs()).unwrap();
        Timestamp::from_epoch_seconds(BEGINNING + elapsed)
    }

    /// The operator stores credentials.
    pub(crate) fn operator_puts(&self, client: &str) -> Result<(), &'static str> {
        if !self.has_room() {
            return Err("LimitExceededException");
        }
        let text = format!(r#"{{"client_id": "{client}", "client_secret": "s", "refresh_token": "r"}}"#);
        self.state().operators.push(Instant::now());
        self.store(&format!("operators-version-{client}"), "AWSCURRENT", &text);
        Ok(())
    }

    /// Secrets Manager keeps all versions of a day.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state();
        let young = |put: &&Instant| put.elapsed() < DAY;
        state.written.iter().chain(&state.operators).filter(young).count() < VERSIONS
    }

    pub(crate) fn store(&self, id: &str, label: &str, text: &str) {
        let version = Version { id: id.into(), created: self.now(), text: text.into() };
        let mut state = self.state();
        state.double_puts += usize::from(state.versions.insert(id.into(), version).is_some());
        state.labels.insert(label.into(), id.into());
    }

    pub(crate) fn revoke(&self, token: &CachedToken) {
        self.state().revoked.push(token.token.expose().to_owned());
    }

    /// Two requests for a token that were under way at the same time, if there were such.
    pub(crate) fn overlapping_requests(&self) -> Option<(TokenRequest, TokenRequest)> {
        let requests = self.state().requests.clone();
        requests.windows(2).find_map(|pair| {
            let is_over = pair[0].to.is_some_and(|to| to <= pair[1].from);
            (!is_over).then(|| (pair[0].clone(), pair[1].clone()))
        })
    }

    pub(crate) fn written(&self) -> usize {
        self.state().written.len()
    }

    pub(crate) fn request_count(&self) -> usize {
        self.state().requests.len()
    }

    /// Versions that the function wrote within any 24 hours.
    pub(crate) fn worst_day(&self) -> usize {
        most_within(&self.state().written, DAY)
    }

    /// Requests of one environment within any hour.
    pub(crate) fn worst_hour(&self) -> usize {
        let mut by_environment: HashMap<usize, Vec<Instant>> = HashMap::new();
        for request in &self.state().requests {
            by_environment.entry(request.environment).or_default().push(request.from);
        }
        let hour = Duration::from_secs(3_600);
        by_environment.values().map(|requests| most_within(requests, hour)).max().unwrap_or(0)
    }
}

fn most_within(moments: &[Instant], period: Duration) -> usize {
    let within = |from: &Instant| moments.iter().filter(|at| *at >= from && **at < *from + period).count();
    moments.iter().map(within).max().unwrap_or(0)
}

/// One execution environment.
#[derive(Clone)]
pub(crate) struct Environment {
    pub tokens: TokenSource<Wire, Wire>,
    checker: Arc<Checker<Wire, Wire>>,
    wire: Wire,
}

/// The way of one environment to Secrets Manager and Zoho.
#[derive(Clone)]
pub(crate) struct Wire {
    world: World,
    number: usize,
    fate: Arc<Mutex<Fate>>,
}

#[derive(Debug, Default)]
struct Fate {
    has_died: bool,
    frozen_until: Option<Instant>,
    /// Seconds by which the clock is off.
    skew: i64,
}

impl Environment {
    pub(crate) fn start(world: &World) -> Self {
        Self::with(world, Sharing::ReadWrite, ZohoSettings::default())
    }

    /// A new process with other settings.
    pub(crate) fn with(world: &World, sharing: Sharing, settings: ZohoSettings) -> Self {
        let mut state = world.state();
        state.environments += 1;
        let wire = Wire { world: world.clone(), number: state.environments, fate: Arc::default() };
        drop(state);
        let of_clock = wire.clone();
        let clock: Clock = Arc::new(move || of_clock.world.now().plus_seconds(of_clock.fate().skew));
        let tokens = TokenSource::new(wire.clone(), wire.clone(), settings, sharing, clock);
        let checker = Arc::new(Checker::new(tokens.clone()));
        Self { tokens, checker, wire }
    }

    /// A token within so many seconds.
    pub(crate) async fn token(&self, seconds: u64) -> Result<Arc<CachedToken>, WatchError> {
        self.tokens.token(Deadline::after(Duration::from_secs(seconds))).await
    }

    /// One check, as the function does it.
    pub(crate) async fn check(&self) -> Result<JobStatus, WatchError> {
        let job = Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("1").unwrap() };
        let deadline = Deadline::after(Duration::from_secs(29));
        self.checker.check(&job, true, deadline, &mut Attempts::default()).await
    }

    /// Sets the clock.
    pub(crate) fn set_skew(&self, skew: i64) {
        self.wire.fate().skew = skew;
    }

    /// The process is gone: nothing that it waits for ever comes.
    pub(crate) fn die(&self) {
        self.wire.fate().has_died = true;
    }

    pub(crate) fn has_died(&self) -> bool {
        self.wire.fate().has_died
    }

    /// Nothing that it waits for comes until then.
    pub(crate) fn freeze(&self, duration: Duration) {
        self.wire.fate().frozen_until = Some(Instant::now() + duration);
    }
}

impl Wire {
    fn fate(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap()
    }

    /// One way through the network, where deaths and freezes take effect.
    async fn hop(&self) {
        sleep(Duration::from_millis(fastrand::u64(1..40))).await;
        loop {
            let Fate { has_died, frozen_until, .. } = *self.fate();
            match frozen_until {
                _ if has_died => std::future::pending::<()>().await,
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    async fn get(
        &self,
        find: impl Fn(&State) -> Option<String> + Send,
    ) -> Result<Option<Version>, StoreError> {
        self.hop().await;
        let response = {
            let mut state = self.world.state();
            state.reads_done += 1;
            let found = || find(&state).and_then(|id| state.versions.get(&id).cloned());
            state.reads.clone().map_or_else(|| Ok(found()), Err)
        };
        self.hop().await;
        response
    }

    /// What a put of this version returns if it writes nothing.
    fn refusal(&self, id: &str, text: &SecretString) -> Option<Result<Put, StoreError>> {
        let has_room = self.world.has_room();
        let state = self.world.state();
        let stored = state.versions.get(id).map(|version| version.text.expose_secret());
        match (&state.puts, stored) {
            (Some(error), _) => Some(Err(error.clone())),
            (None, Some(stored)) if stored == text.expose_secret() => Some(Ok(Put::Done)),
            (None, Some(_)) => Some(Ok(Put::Taken)),
            (None, None) if !has_room => Some(Err(StoreError::Denied("LimitExceededException".into()))),
            (None, None) => None,
        }
    }

    async fn request_token(&self, request: Request<'_>) -> Result<Response, TransportError> {
        let mut form = request.body.split('&').filter_map(|pair| pair.split_once('='));
        let client = form.find(|(name, _)| *name == "client_id").unwrap().1.to_owned();
        let from = Instant::now();
        let (number, accounts, is_deadly) = {
            let mut state = self.world.state();
            let sent = TokenRequest { environment: self.number, from, to: None };
            state.requests.push(sent);
            let is_rejecting =
                state.rejecting.iter().any(|name| [request.origin.as_str(), &client].contains(name));
            let accounts = if is_rejecting { Accounts::Rejects } else { state.accounts };
            (state.requests.len() - 1, accounts, fastrand::f64() < state.deadly)
        };
        let takes = Duration::from_millis(fastrand::u64(200..1_500));
        let takes = if accounts == Accounts::Silent { request.timeout } else { takes };
        sleep(if is_deadly { takes.mul_f64(fastrand::f64()) } else { takes }).await;
        self.world.state().requests[number].to = Some(Instant::now());
        self.fate().has_died |= is_deadly;
        self.hop().await;
        let token = format!("{client}-token-{number}");
        let (status, body) = match accounts {
            Accounts::Silent => return Err(TransportError::new(Stage::Responding, "the response timed out")),
            Accounts::Rejects => (400, r#"{"error":"invalid_code"}"#.to_owned()),
            Accounts::Throttles => (400, THROTTLED.to_owned()),
            Accounts::Fails => (500, r#"{"error":"server_error"}"#.to_owned()),
            Accounts::FailsHalf if fastrand::bool() => (500, r#"{"error":"server_error"}"#.to_owned()),
            Accounts::Good | Accounts::FailsHalf => {
                self.world.state().issued.insert(token.clone(), from);
                (
                    200,
                    format!(
                        r#"{{"access_token":"{token}","api_domain":"https://www.zohoapis.com","expires_in":3600}}"#
                    ),
                )
            }
        };
        Ok(response(status, body))
    }

    async fn request_status(&self, request: Request<'_>) -> Result<Response, TransportError> {
        self.hop().await;
        let token =
            request.headers[AUTHORIZATION].to_str().unwrap().strip_prefix("Zoho-oauthtoken ").unwrap();
        let state = self.world.state();
        let is_known = state
            .issued
            .get(token)
            .is_some_and(|issued| (state.spreading..Duration::from_secs(3_600)).contains(&issued.elapsed()));
        let is_rejected = state.rejecting.contains(&request.origin.as_str())
            || state.revoked.iter().any(|revoked| revoked == token);
        Ok(if is_known && !is_rejected {
            response(200, r#"{"data":[{"Status":"RUNNING","Total_Count":10,"Updated_Count":1}]}"#.to_owned())
        } else {
            response(
                401,
                r#"{"code":"INVALID_TOKEN","message":"invalid oauth token","status":"error"}"#.to_owned(),
            )
        })
    }
}

const THROTTLED: &str = r#"{"error":"Access Denied","error_description":"You have made too many requests continuously. Please try again after some time.","status":"failure"}"#;

fn response(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    Response { status, headers: HeaderMap::new(), body: body.into_bytes() }
}

impl HttpClient for Wire {
    async fn send(&self, request: Request<'_>) -> Result<Response, TransportError> {
        if request.path == "/oauth/v2/token" {
            self.request_token(request).await
        } else {
            self.request_status(request).await
        }
    }

    async fn preconnect(&self, _: &Origin) {}
}

impl SecretStore for Wire {
    async fn current(&self) -> Result<Version, StoreError> {
        self.get(|state| state.labels.get("AWSCURRENT").cloned()).await.map(Option::unwrap)
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.get(|state| state.labels.get(label).cloned()).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.get(|_| Some(id.to_owned())).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        assert!((32..=64).contains(&id.len()));
        assert!([TOKEN_LABEL, LEASE_LABEL].contains(&label));
        for _ in 0..3 {
            self.hop().await;
            let response = self.refusal(id, text);
            if response.is_none() {
                let moment = if self.world.state().both_succeed { fastrand::u64(0..30) } else { 0 };
                sleep(Duration::from_millis(moment)).await;
                self.world.store(id, label, text.expose_secret());
                self.world.state().written.push(Instant::now());
            }
            if fastrand::f64() >= self.world.state().lost_responses {
                self.hop().await;
                return response.unwrap_or(Ok(Put::Done));
            }
            sleep(Duration::from_secs(1)).await;
        }
        Err(StoreError::Unavailable("no response".into()))
    }
}
