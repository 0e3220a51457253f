//! A secret, an accounts server and the copies of the function that use them.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::token::source::{Settings, TokenSource};
use crate::token::store::{Put, SecretStore, StoreError, Version};
use crate::token::{LEASE_LABEL, Live, TOKEN_LABEL};
use crate::zoho::credentials::{AccessToken, Credentials, Grant};
use crate::zoho::hosts::AccountsHost;
use crate::zoho::oauth::{IssuedToken, THROTTLE_WINDOW, TokenEndpoint, TokenError};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// When the simulated time begins.
const BEGINNING: i64 = 1_795_428_000;

/// How Zoho answers a request for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zoho {
    Good,
    /// The throttle answer.
    Throttles,
    /// `invalid_code`.
    Rejects,
    /// A 500.
    Fails,
}

/// What Secrets Manager and Zoho are like, and what they have been asked.
pub struct State {
    // How they behave.
    pub zoho: Zoho,
    pub mint_takes: Range<u64>,
    /// Milliseconds that a request to Secrets Manager takes, one way.
    pub hop_takes: Range<u64>,
    /// The share of puts that are done while their answers get lost; the SDK then puts again, twice.
    pub lost_answers: f64,
    /// Puts a second; more are throttled.
    pub put_rate: usize,
    /// An error instead of any read, any write.
    pub reads: Option<StoreError>,
    pub writes: Option<StoreError>,
    /// Puts look whether the id is free first and write a moment later: two at once both win.
    pub both_win: bool,
    /// How many of the next requests to Zoho kill the copy that sent them.
    pub deadly_mints: u32,
    /// Zoho's API answers 401 whatever the token.
    pub refuses_all: bool,
    // What is stored.
    versions: HashMap<String, Version>,
    labels: HashMap<String, String>,
    recent_puts: Vec<Instant>,
    // What happened.
    pub mint_requests: Vec<Sent>,
    /// Token, and until when it lives.
    pub minted: Vec<(String, Instant)>,
    pub read_count: usize,
    pub puts: Vec<Instant>,
    pub double_wins: u32,
    pub crashes: u32,
    /// Checks with a token that Zoho does not accept.
    pub refused_checks: usize,
    revoked: Vec<String>,
}

/// A request for a token: who sent it with what, and when it was over for that copy.
#[derive(Debug, Clone)]
pub struct Sent {
    pub client: String,
    pub from: Instant,
    pub to: Option<Instant>,
}

#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    began: Instant,
}

impl World {
    pub fn new() -> Self {
        let state = State {
            zoho: Zoho::Good,
            mint_takes: 200..1_500,
            hop_takes: 1..40,
            lost_answers: 0.0,
            put_rate: 1_000,
            reads: None,
            writes: None,
            both_win: false,
            deadly_mints: 0,
            refuses_all: false,
            versions: HashMap::new(),
            labels: HashMap::new(),
            recent_puts: Vec::new(),
            mint_requests: Vec::new(),
            minted: Vec::new(),
            read_count: 0,
            puts: Vec::new(),
            double_wins: 0,
            crashes: 0,
            refused_checks: 0,
            revoked: Vec::new(),
        };
        let world = Self { state: Arc::new(Mutex::new(state)), began: Instant::now() };
        world.replace_credentials("first");
        world
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// True time.
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.began.elapsed().as_secs()).unwrap();
        Timestamp::from_epoch_seconds(BEGINNING + elapsed)
    }

    /// The operator stores other credentials.
    pub fn replace_credentials(&self, client: &str) {
        let text = format!(r#"{{"client_id": "{client}", "client_secret": "s", "refresh_token": "r"}}"#);
        self.store(&format!("operators-version-{client}"), "AWSCURRENT", &text);
    }

    /// Somebody puts a version by hand.
    pub fn store(&self, id: &str, label: &str, text: &str) {
        let version = Version { id: id.into(), created: self.now(), text: text.into() };
        let mut state = self.state();
        state.versions.insert(id.into(), version);
        state.labels.insert(label.into(), id.into());
    }

    pub fn remove_label(&self, label: &str) {
        self.state().labels.remove(label);
    }

    pub fn labelled(&self, label: &str) -> Option<Version> {
        let state = self.state();
        state.versions.get(state.labels.get(label)?).cloned()
    }

    pub fn revoke(&self, live: &Live) {
        self.state().revoked.push(live.token.expose().to_owned());
    }

    /// What Zoho's API thinks of a token.
    pub fn accepts(&self, live: &Live) -> bool {
        let state = self.state();
        let token = live.token.expose();
        !state.refuses_all
            && !state.revoked.iter().any(|revoked| revoked == token)
            && state.minted.iter().any(|(minted, end)| minted == token && Instant::now() < *end)
    }

    pub fn shared_token(&self) -> Option<String> {
        let version = self.labelled(TOKEN_LABEL)?;
        let value: serde_json::Value = serde_json::from_str(version.text.expose_secret()).ok()?;
        Some(value["access_token"].as_str()?.to_owned())
    }

    /// Two requests for a token that were under way at the same time, if there are such.
    pub fn overlapping_mints(&self) -> Option<(Sent, Sent)> {
        let state = self.state();
        let mut sent = state.mint_requests.clone();
        sent.sort_by_key(|sent| sent.from);
        sent.windows(2).find_map(|pair| {
            let over = pair[0].to.is_some_and(|to| to <= pair[1].from);
            (!over).then(|| (pair[0].clone(), pair[1].clone()))
        })
    }

    /// The most puts within any hour.
    pub fn busiest_hour(&self) -> usize {
        let puts = self.state().puts.clone();
        let hour = Duration::from_secs(3_600);
        puts.iter()
            .map(|from| puts.iter().filter(|put| *put >= from && **put < *from + hour).count())
            .max()
            .unwrap_or(0)
    }
}

/// One process of the function.
#[derive(Clone)]
pub struct Copy {
    pub tokens: Arc<TokenSource<Wire, Wire>>,
    pub wire: Wire,
}

/// A copy's way to Secrets Manager and Zoho.
#[derive(Clone)]
pub struct Wire {
    world: World,
    fate: Arc<Mutex<Fate>>,
}

#[derive(Debug, Default)]
struct Fate {
    crashed: bool,
    frozen_until: Option<Instant>,
}

impl Copy {
    /// A new process, whose clock is off by so many seconds.
    pub fn start(world: &World, skew: i64) -> Self {
        let wire = Wire { world: world.clone(), fate: Arc::default() };
        let clock = world.clone();
        let settings = Settings {
            api_domain: None,
            accounts_domain: None,
            data_center: None,
            request_timeout: Duration::from_secs(10),
            clock: Arc::new(move || clock.now().plus_seconds(skew)),
        };
        Self { tokens: Arc::new(TokenSource::new(wire.clone(), wire.clone(), settings)), wire }
    }

    /// As the watcher does it: a token, a check, one replacement on a 401, and the refresh beside it.
    pub async fn check(&self, deadline: Deadline) -> Result<Arc<Live>, WatchError> {
        let live = self.tokens.token(deadline).await?;
        let accepted = self.wire.world.accepts(&live);
        self.tokens.refresh(deadline).await;
        if accepted {
            return Ok(live);
        }
        self.wire.world.state().refused_checks += 1;
        let refused = WatchError::new(ErrorType::TokenRejected, "INVALID_TOKEN");
        match self.tokens.replace(&live, deadline).await? {
            Some(live) if self.wire.world.accepts(&live) => Ok(live),
            Some(live) => {
                self.tokens.give_up(&live, &refused, deadline).await;
                Err(refused)
            }
            None => Err(refused),
        }
    }

    /// The process is gone: nothing that it waits for ever comes.
    pub fn crash(&self) {
        self.wire.crash();
    }

    pub fn crashed(&self) -> bool {
        self.wire.fate.lock().unwrap().crashed
    }

    /// Nothing that it waits for comes until then.
    pub fn freeze(&self, duration: Duration) {
        self.wire.fate.lock().unwrap().frozen_until = Some(Instant::now() + duration);
    }
}

impl Wire {
    fn crash(&self) {
        self.fate.lock().unwrap().crashed = true;
        self.world.state().crashes += 1;
    }

    /// Where crashes and frosts take hold.
    async fn alive(&self) {
        loop {
            let (crashed, frozen_until) = {
                let fate = self.fate.lock().unwrap();
                (fate.crashed, fate.frozen_until)
            };
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
        find: impl Fn(&State) -> Option<String> + Send,
    ) -> Result<Option<Version>, StoreError> {
        self.hop().await;
        let answer = {
            let mut state = self.world.state();
            state.read_count += 1;
            match &state.reads {
                Some(error) => Err(error.clone()),
                None => Ok(find(&state).and_then(|id| state.versions.get(&id).cloned())),
            }
        };
        self.hop().await;
        answer
    }

    /// `None` where the id is free.
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
        let there = state.versions.get(id)?;
        let same = there.text.expose_secret() == text.expose_secret();
        Some(Ok(if same { Put::Done } else { Put::Taken }))
    }

    fn write(&self, id: &str, label: &str, text: &SecretString) {
        let version = Version { id: id.into(), created: self.world.now(), text: text.clone() };
        let mut state = self.world.state();
        if state.versions.insert(id.into(), version).is_some() {
            state.double_wins += 1;
        }
        state.labels.insert(label.into(), id.into());
        state.puts.push(Instant::now());
    }
}

impl SecretStore for Wire {
    async fn current(&self) -> Result<Version, StoreError> {
        self.get(|state| state.labels.get("AWSCURRENT").cloned()).await.map(Option::unwrap)
    }

    async fn labelled(&self, label: &str) -> Result<Option<Version>, StoreError> {
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
            let answer = match self.examine(id, text) {
                Some(answer) => answer,
                None => {
                    if self.world.state().both_win {
                        sleep(Duration::from_millis(fastrand::u64(0..30))).await;
                    }
                    self.write(id, label, text);
                    Ok(Put::Done)
                }
            };
            self.hop().await;
            if fastrand::f64() >= self.world.state().lost_answers {
                return answer;
            }
        }
        Err(StoreError::Unavailable("no answer".into()))
    }
}

impl TokenEndpoint for Wire {
    async fn request_token(
        &self,
        _: &AccountsHost,
        credentials: &Credentials,
        _: Timestamp,
        timeout: Duration,
    ) -> Result<IssuedToken, Box<TokenError>> {
        assert!(matches!(credentials.grant, Grant::RefreshToken(_)));
        let client = credentials.client_id.expose_secret().to_owned();
        let from = Instant::now();
        let (number, takes, deadly) = {
            let mut state = self.world.state();
            state.mint_requests.push(Sent { client: client.clone(), from, to: None });
            let deadly = state.deadly_mints > 0;
            state.deadly_mints = state.deadly_mints.saturating_sub(1);
            (
                state.mint_requests.len() - 1,
                Duration::from_millis(fastrand::u64(state.mint_takes.clone())),
                deadly,
            )
        };
        if deadly {
            sleep(takes.min(timeout).mul_f64(fastrand::f64())).await;
            self.world.state().mint_requests[number].to = Some(Instant::now());
            self.crash();
            self.alive().await;
        }
        let token = format!("{client}-token-{number}");
        if takes <= timeout && self.world.state().zoho == Zoho::Good {
            self.world.state().minted.push((token.clone(), from + Duration::from_secs(3_600)));
        }
        sleep(takes.min(timeout)).await;
        self.world.state().mint_requests[number].to = Some(Instant::now());
        self.alive().await;
        let zoho = self.world.state().zoho;
        let refused = |kind, quiet| {
            let error = WatchError::new(kind, "refused");
            Err(Box::new(TokenError {
                error,
                cooldown: quiet,
                is_transient: kind == ErrorType::ZohoUnavailable,
                unsent: false,
            }))
        };
        match zoho {
            _ if takes > timeout => refused(ErrorType::ZohoUnavailable, Duration::from_secs(1)),
            Zoho::Fails => refused(ErrorType::ZohoUnavailable, Duration::from_secs(1)),
            Zoho::Throttles => refused(ErrorType::TokenRateLimited, THROTTLE_WINDOW),
            Zoho::Rejects => refused(ErrorType::TokenRejected, Duration::from_secs(60)),
            Zoho::Good => Ok(IssuedToken {
                token: AccessToken::parse(&token).unwrap(),
                api_domain: None,
                lifetime: Duration::from_secs(3_600),
            }),
        }
    }
}
