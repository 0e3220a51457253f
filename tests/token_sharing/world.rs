//! A secret, a Zoho, and the execution environments that use them.

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use mass_change_owner_status::checker::{self, Checker};
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::http::{
    HttpClient, HttpRequest as Request, HttpResponse as Response, Origin, Stage, TransportError,
};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{
    CachedToken, LEASE_LABEL, Put, SecretStore, Settings, StoreError, TOKEN_LABEL, TokenSource, Version,
};
use mass_change_owner_status::watch::ids::{Job, JobId, ModuleName};
use mass_change_owner_status::watch::job::JobStatus;
use mass_change_owner_status::zoho::client::Attempts;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// When the virtual time begins.
const BEGINNING: i64 = 1_795_428_000;

/// How long the SDK waits for a response.
const ATTEMPT: Duration = Duration::from_secs(1);

/// How the accounts server responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accounts {
    Good,
    /// The throttle response.
    Throttles,
    /// `invalid_code`.
    Rejects,
    /// A 500.
    Fails,
    /// No response.
    Silent,
}

/// What Secrets Manager and Zoho are like, and what they were asked.
pub(crate) struct State {
    // How they behave.
    pub accounts: Accounts,
    pub mint_takes: Range<u64>,
    /// What the token response says.
    pub expires_in: u64,
    /// What the token response names.
    pub api_domain: &'static str,
    /// Milliseconds that a request to Secrets Manager takes, one way.
    pub hop_takes: Range<u64>,
    /// The share of puts that are done while their responses get lost; the SDK then puts again, twice.
    pub lost_responses: f64,
    /// Puts a second; more are throttled.
    pub put_rate: usize,
    /// An error instead of any read, of any read of a label of the function's own, of any write.
    pub reads: Option<StoreError>,
    pub label_reads: Option<StoreError>,
    pub writes: Option<StoreError>,
    /// No response to any write, and no write is done.
    pub stalled_writes: bool,
    /// No response to so many of the next writes, although they are done.
    pub lost_writes: u32,
    /// Puts look whether the ID is free first and write a moment later: two at once both succeed.
    pub both_win: bool,
    /// Puts move `AWSCURRENT` too.
    pub moves_current: bool,
    /// How many of the next requests for a token kill the environment that sent them.
    pub deadly_mints: u32,
    /// Zoho's API responds with 401 to every token.
    pub rejects_all: bool,
    // What is stored.
    versions: HashMap<String, Version>,
    labels: HashMap<String, String>,
    recent_puts: Vec<Instant>,
    // What happened.
    pub mint_requests: Vec<Sent>,
    /// Token, and until when it lives.
    pub issued: Vec<(String, Instant)>,
    pub read_count: usize,
    pub puts: Vec<Instant>,
    pub double_wins: u32,
    pub crashes: u32,
    /// Status requests with a token that Zoho does not accept.
    pub rejected_requests: usize,
    /// Hosts that tokens were sent to.
    pub hosts: Vec<String>,
    revoked: Vec<String>,
}

/// A request for a token: with which client ID it was sent, and when it was over for the sender.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub client: String,
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
        let state = State {
            accounts: Accounts::Good,
            mint_takes: 200..1_500,
            expires_in: 3_600,
            api_domain: "https://www.zohoapis.com",
            hop_takes: 1..40,
            lost_responses: 0.0,
            put_rate: 1_000,
            reads: None,
            label_reads: None,
            writes: None,
            stalled_writes: false,
            lost_writes: 0,
            both_win: false,
            moves_current: false,
            deadly_mints: 0,
            rejects_all: false,
            versions: HashMap::new(),
            labels: HashMap::new(),
            recent_puts: Vec::new(),
            mint_requests: Vec::new(),
            issued: Vec::new(),
            read_count: 0,
            puts: Vec::new(),
            double_wins: 0,
            crashes: 0,
            rejected_requests: 0,
            hosts: Vec::new(),
            revoked: Vec::new(),
        };
        let world = Self { state: Arc::new(Mutex::new(state)), began: Instant::now() };
        world.replace_credentials("first");
        world
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The right time.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.began.elapsed().as_secs()).unwrap();
        Timestamp::from_epoch_seconds(BEGINNING + elapsed)
    }

    /// The operator stores other credentials.
    pub(crate) fn replace_credentials(&self, client: &str) {
        let text = format!(r#"{{"client_id": "{client}", "client_secret": "s", "refresh_token": "r"}}"#);
        self.store(&format!("operators-version-{client}"), "AWSCURRENT", &text);
    }

    /// Somebody puts a version by hand.
    pub(crate) fn store(&self, id: &str, label: &str, text: &str) {
        let version = Version { id: id.into(), created: self.now(), text: text.into() };
        let mut state = self.state();
        state.versions.insert(id.into(), version);
        state.labels.insert(label.into(), id.into());
    }

    pub(crate) fn remove_label(&self, label: &str) {
        self.state().labels.remove(label);
    }

    pub(crate) fn labeled(&self, label: &str) -> Option<Version> {
        let state = self.state();
        state.versions.get(state.labels.get(label)?).cloned()
    }

    pub(crate) fn revoke(&self, token: &Arc<CachedToken>) {
        self.state().revoked.push(token.token.expose().to_owned());
    }

    /// Whether Zoho's API accepts the token.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        let state = self.state();
        !state.rejects_all
            && !state.revoked.iter().any(|revoked| revoked == token)
            && state.issued.iter().any(|(issued, end)| issued == token && Instant::now() < *end)
    }

    pub(crate) fn shared_token(&self) -> Option<String> {
        let version = self.labeled(TOKEN_LABEL)?;
        let value: serde_json::Value = serde_json::from_str(version.text.expose_secret()).ok()?;
        Some(value["access_token"].as_str()?.to_owned())
    }

    /// Two requests for a token that were under way at the same time, if there were such.
    pub(crate) fn overlapping_mints(&self) -> Option<(Sent, Sent)> {
        let mut sent = self.state().mint_requests.clone();
        sent.sort_by_key(|sent| sent.from);
        sent.windows(2).find_map(|pair| {
            let is_over = pair[0].to.is_some_and(|to| to <= pair[1].from);
            (!is_over).then(|| (pair[0].clone(), pair[1].clone()))
        })
    }

    /// The most puts within any hour.
    pub(crate) fn busiest_hour(&self) -> usize {
        let puts = self.state().puts.clone();
        let hour = Duration::from_secs(3_600);
        puts.iter()
            .map(|from| puts.iter().filter(|put| *put >= from && **put < *from + hour).count())
            .max()
            .unwrap_or(0)
    }
}

/// One execution environment.
#[derive(Clone)]
pub(crate) struct Instance {
    pub tokens: TokenSource<Wire, Wire>,
    checker: Arc<Checker<Wire, Wire>>,
    pub wire: Wire,
}

/// The way of one environment to Secrets Manager and Zoho.
#[derive(Clone)]
pub(crate) struct Wire {
    world: World,
    fate: Arc<Mutex<Fate>>,
}

#[derive(Debug, Default)]
struct Fate {
    crashed: bool,
    frozen_until: Option<Instant>,
    /// Seconds by which the clock is off.
    skew: i64,
}

impl Instance {
    /// A new process, whose clock is off by so many seconds.
    pub(crate) fn start(world: &World, skew: i64) -> Self {
        let wire = Wire { world: world.clone(), fate: Arc::default() };
        wire.fate().skew = skew;
        let for_clock = wire.clone();
        let clock: mass_change_owner_status::timestamp::Clock = Arc::new(move || {
            let skew = for_clock.fate().skew;
            for_clock.world.now().plus_seconds(skew)
        });
        let settings = Settings {
            api_domain: None,
            accounts_domain: None,
            data_center: None,
            request_timeout: Duration::from_secs(10),
            clock: clock.clone(),
            random: Arc::new(|| fastrand::u64(..)),
        };
        let tokens = TokenSource::new(wire.clone(), wire.clone(), settings);
        let settings = checker::CheckerSettings {
            api_version: "v8".into(),
            request_timeout: Duration::from_secs(10),
            api_host: None,
            clock,
        };
        let checker = Arc::new(Checker::new(tokens.clone(), wire.clone(), settings));
        Self { tokens, checker, wire }
    }

    /// One check, as the function does it.
    pub(crate) async fn check(&self, deadline: Deadline) -> Result<JobStatus, WatchError> {
        let job = Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("1").unwrap() };
        self.checker.check(&job, true, deadline, &mut Attempts::default()).await
    }

    /// Sets the clock.
    pub(crate) fn set_skew(&self, skew: i64) {
        self.wire.fate().skew = skew;
    }

    /// The process is gone: nothing that it waits for ever comes.
    pub(crate) fn crash(&self) {
        self.wire.crash();
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.wire.fate().crashed
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

    fn crash(&self) {
        self.fate().crashed = true;
        self.world.state().crashes += 1;
    }

    /// Where crashes and freezes take effect.
    async fn alive(&self) {
        loop {
            let Fate { crashed, frozen_until, .. } = *self.fate();
            match frozen_until {
                _ if crashed => std::future::pending::<()>().await,
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    async fn hop(&self) {
        let takes = self.world.state().hop_takes.clone();
        sleep(Duration::from_millis(fastrand::u64(takes))).await;
        self.alive().await;
    }

    async fn get(
        &self,
        error: impl Fn(&State) -> Option<StoreError> + Send,
        find: impl Fn(&State) -> Option<String> + Send,
    ) -> Result<Option<Version>, StoreError> {
        self.hop().await;
        let response = {
            let mut state = self.world.state();
            state.read_count += 1;
            match state.reads.clone().or_else(|| error(&state)) {
                Some(error) => Err(error),
                None => Ok(find(&state).and_then(|id| state.versions.get(&id).cloned())),
            }
        };
        self.hop().await;
        response
    }

    /// `None` if the ID is free.
    fn examine(&self, id: &str, text: &SecretString) -> Option<Result<Put, StoreError>> {
        let mut state = self.world.state();
        if let Some(error) = &state.writes {
            return Some(Err(error.clone()));
        }
        let now = Instant::now();
        state.recent_puts.retain(|put| now - *put < Duration::from_secs(1));
        if state.recent_puts.len() >= state.put_rate {
            return Some(Err(StoreError::Throttled("slow down".into())));
        }
        state.recent_puts.push(now);
        let stored = state.versions.get(id)?;
        let is_same = stored.text.expose_secret() == text.expose_secret();
        Some(Ok(if is_same { Put::Done { stages: Vec::new() } } else { Put::Taken }))
    }

    fn write(&self, id: &str, label: &str, text: &SecretString) -> Put {
        let version = Version { id: id.into(), created: self.world.now(), text: text.clone() };
        let mut state = self.world.state();
        if state.versions.insert(id.into(), version).is_some() {
            state.double_wins += 1;
        }
        state.puts.push(Instant::now());
        let mut stages = vec![label.to_owned()];
        if state.moves_current {
            stages.push("AWSCURRENT".into());
        }
        for stage in &stages {
            state.labels.insert(stage.clone(), id.into());
        }
        Put::Done { stages }
    }

    async fn request_token(&self, request: Request<'_>) -> Result<Response, TransportError> {
        let mut form = request.body.split('&').filter_map(|pair| pair.split_once('='));
        let client = form.find(|(name, _)| *name == "client_id").unwrap().1.to_owned();
        let (timeout, from) = (request.timeout, Instant::now());
        let (number, takes, is_deadly, life) = {
            let mut state = self.world.state();
            state.mint_requests.push(Sent { client: client.clone(), from, to: None });
            let is_deadly = state.deadly_mints > 0;
            state.deadly_mints = state.deadly_mints.saturating_sub(1);
            let silent = state.accounts == Accounts::Silent;
            let takes = if silent { u64::MAX } else { fastrand::u64(state.mint_takes.clone()) };
            (state.mint_requests.len() - 1, Duration::from_millis(takes), is_deadly, state.expires_in)
        };
        let over = || self.world.state().mint_requests[number].to = Some(Instant::now());
        if is_deadly {
            sleep(takes.min(timeout).mul_f64(fastrand::f64())).await;
            over();
            self.crash();
            self.alive().await;
        }
        let token = format!("{client}-token-{number}");
        if takes <= timeout && self.world.state().accounts == Accounts::Good {
            self.world.state().issued.push((token.clone(), from + Duration::from_secs(3_600)));
        }
        sleep(takes.min(timeout)).await;
        over();
        self.alive().await;
        let State { accounts, api_domain, .. } = *self.world.state();
        let (status, body) = match accounts {
            _ if takes > timeout => {
                return Err(TransportError::new(Stage::Responding, "the response timed out"));
            }
            Accounts::Silent | Accounts::Fails => (500, r#"{"error":"server_error"}"#.to_owned()),
            Accounts::Rejects => (400, r#"{"error":"invalid_code"}"#.to_owned()),
            Accounts::Throttles => (
                400,
                r#"{"error":"Access Denied","error_description":"You have made too many requests continuously. Please try again after some time.","status":"failure"}"#.to_owned(),
            ),
            Accounts::Good => (
                200,
                format!(r#"{{"access_token":"{token}","api_domain":"{api_domain}","token_type":"Bearer","expires_in":{life}}}"#),
            ),
        };
        Ok(response(status, body))
    }

    async fn request_status(&self, request: Request<'_>) -> Result<Response, TransportError> {
        self.alive().await;
        let authorization = request.headers[AUTHORIZATION].to_str().unwrap();
        let token = authorization.strip_prefix("Zoho-oauthtoken ").unwrap();
        self.world.state().hosts.push(request.origin.to_string());
        if self.world.accepts(token) {
            let body = r#"{"data":[{"Status":"RUNNING","Total_Count":10,"Updated_Count":1}]}"#;
            return Ok(response(200, body.to_owned()));
        }
        self.world.state().rejected_requests += 1;
        let body =
            r#"{"code":"INVALID_TOKEN","details":{},"message":"invalid oauth token","status":"error"}"#;
        Ok(response(401, body.to_owned()))
    }
}

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
        self.get(|_| None, |state| state.labels.get("AWSCURRENT").cloned()).await.map(Option::unwrap)
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.get(|state| state.label_reads.clone(), |state| state.labels.get(label).cloned()).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.get(|_| None, |_| Some(id.to_owned())).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        assert!((32..=64).contains(&id.len()));
        assert!([TOKEN_LABEL, LEASE_LABEL].contains(&label));
        for _ in 0..3 {
            self.hop().await;
            if self.world.state().stalled_writes {
                sleep(ATTEMPT).await;
                continue;
            }
            let response = match self.examine(id, text) {
                Some(response) => response,
                None => {
                    if self.world.state().both_win {
                        sleep(Duration::from_millis(fastrand::u64(0..30))).await;
                    }
                    Ok(self.write(id, label, text))
                }
            };
            let lost_writes = self.world.state().lost_writes;
            if lost_writes > 0 {
                self.world.state().lost_writes = lost_writes - 1;
                sleep(ATTEMPT).await;
                continue;
            }
            self.hop().await;
            if fastrand::f64() >= self.world.state().lost_responses {
                return response;
            }
        }
        Err(StoreError::Unavailable("no response".into()))
    }
}
