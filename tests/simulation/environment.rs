//! One execution environment: its clock, its death, its freezes, and its way to Zoho.

use crate::secrets::Store;
use crate::world::World;
use crate::zoho::{self, Answer};
use http::{StatusCode, header};
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::http::{
    HttpClient, HttpRequest as Request, HttpResponse as Response, NoResponse, Origin, TransportError,
};
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::token::{Sharing, StoreError, TokenSource};
use mass_change_owner_status::zoho::ZohoSettings;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// What an execution environment is to the services that it uses.
pub(crate) struct Environment {
    pub world: World,
    pub number: usize,
    /// How far its clock is off, in seconds.
    skew: i64,
    life: Mutex<Life>,
    changed: Notify,
}

/// What happens to it.
#[derive(Debug, Default)]
pub(crate) struct Life {
    is_dead: bool,
    /// Between invocations, it is frozen: nothing in it continues.
    is_running: bool,
    /// In so many steps.
    dies_in: Option<u64>,
    stalled_until: Option<Instant>,
    pub task: Task,
    sent: Sent,
    /// Until when it has reason to request a token without a claim: it cannot write, or cannot reach, the secret.
    alone_until: u64,
    /// When it last read a schedule.
    pub read_at: u64,
}

/// What an invocation is about.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Task {
    pub watch: usize,
    /// The request has the status of an earlier report.
    pub has_worked: bool,
    /// A person or a program waits for the response.
    pub is_direct: bool,
}

/// Requests of one invocation, and responses of Zoho's API.
#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    status_requests: u32,
    token_requests: u32,
    timeouts: u32,
    rejections: u32,
    no_content: u32,
}

/// How long after a failure of Secrets Manager an environment may go without a claim.
const GOES_ALONE_SECONDS: u64 = 300;

impl Environment {
    pub(crate) fn new(world: World, number: usize, skew: i64) -> Arc<Self> {
        Arc::new(Self { world, number, skew, life: Mutex::default(), changed: Notify::new() })
    }

    /// What the function checks jobs with, in this environment.
    pub(crate) fn checker(
        self: &Arc<Self>,
        sharing: Sharing,
        settings: ZohoSettings,
    ) -> (TokenSource<Store, Network>, Checker<Store, Network>) {
        let (store, network) = (Store(self.clone()), Network(self.clone()));
        let tokens = TokenSource::new(store, network, settings, sharing, self.clock());
        (tokens.clone(), Checker::new(tokens))
    }

    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap()
    }

    /// The time on its wall clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.world.now().plus_seconds(self.skew)
    }

    pub(crate) fn clock(self: &Arc<Self>) -> Clock {
        let this = self.clone();
        Arc::new(move || this.now())
    }

    /// Continues, for this invocation.
    pub(crate) fn thaw(&self, task: Task, dies_in: Option<u64>) {
        let mut life = self.life();
        (life.is_running, life.dies_in, life.sent, life.task) = (true, dies_in, Sent::default(), task);
        drop(life);
        self.changed.notify_waiters();
    }

    /// Nothing continues for so long.
    pub(crate) fn stall(&self, duration: Duration) {
        self.life().stalled_until = Some(Instant::now() + duration);
    }

    /// Nothing continues until the next invocation, which begins without the stall of this one.
    pub(crate) fn freeze(&self) {
        let mut life = self.life();
        (life.is_running, life.stalled_until) = (false, None);
    }

    /// Nothing continues.
    pub(crate) fn kill(&self) {
        self.world.trace(|| format!("environment {} dies", self.number));
        self.life().is_dead = true;
        self.changed.notify_waiters();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.life().is_dead
    }

    /// Ends when the environment does.
    pub(crate) async fn death(&self) {
        while !self.is_dead() {
            self.changed.notified().await;
        }
    }

    /// Between any two effects: here the environment dies, freezes, or stalls.
    pub(crate) async fn step(&self) {
        let dies = {
            let mut life = self.life();
            life.dies_in = life.dies_in.map(|steps| steps.saturating_sub(u64::from(life.is_running)));
            life.is_running && life.dies_in == Some(0)
        };
        if dies {
            self.kill();
        }
        loop {
            let (is_dead, is_running, stalled_until) = {
                let life = self.life();
                (life.is_dead, life.is_running, life.stalled_until.filter(|until| *until > Instant::now()))
            };
            match stalled_until {
                _ if is_dead => pending().await,
                Some(until) => sleep_until(until).await,
                None if is_running => return,
                None => self.changed.notified().await,
            }
        }
    }

    /// Remembers whether this environment has reason to go without a claim.
    pub(crate) fn note_store(&self, error: &StoreError) {
        let until = match error {
            StoreError::Denied(_) => u64::MAX,
            StoreError::Unavailable(_) => self.world.elapsed() + GOES_ALONE_SECONDS,
            StoreError::Throttled(_) => 0,
        };
        let mut life = self.life();
        life.alone_until = life.alone_until.max(until);
    }

    /// What Zoho does with a request. Goes on whatever happens to the environment.
    async fn at_zoho(
        self: Arc<Self>,
        path: String,
        token: String,
        takes: Duration,
        fault: Option<&'static str>,
    ) -> Answer {
        let (world, is_token) = (&self.world, path.starts_with("/oauth/"));
        if is_token {
            let (now, state) = (world.elapsed(), &mut *world.state());
            let alone = self.life().alone_until > now || state.secrets.is_crowded(now);
            state.ledger.token_request_begins(self.number, alone, now);
        }
        sleep(takes).await;
        let (now, revoked) = (world.elapsed(), world.fault("credentials").is_some());
        let state = &mut *world.state();
        let answer = if is_token {
            state.ledger.token_request_ends(self.number);
            state.zoho.issue(&mut state.rng, now, revoked)
        } else {
            state.zoho.status(&path, &token, now, revoked)
        };
        zoho::spoiled(answer, fault.unwrap_or_default(), is_token, &mut state.rng)
    }

    fn note_request(&self, is_token: bool) {
        let mut life = self.life();
        let is_direct = life.task.is_direct;
        let sent = &mut life.sent;
        *if is_token { &mut sent.token_requests } else { &mut sent.status_requests } += 1;
        let sent = *sent;
        drop(life);
        // Three attempts; more for other tokens, and one to confirm that there is no such job.
        let too_many = sent.status_requests > 3 + sent.rejections + sent.no_content;
        // While Secrets Manager is down as well, what is known of earlier ones can be lost.
        let is_repeated = !is_token && !is_direct && sent.timeouts > 0;
        if too_many || is_repeated || sent.rejections > 4 || sent.token_requests > 6 {
            self.world.violation(format!("too many requests: {sent:?}"));
        }
    }

    fn note_answer(&self, answer: &Answer, is_token: bool) {
        self.world.state().ledger.note(answer.means, self.world.elapsed());
        let mut life = self.life();
        life.sent.rejections += u32::from(!is_token && answer.means == "TokenRejected");
        life.sent.no_content += u32::from(answer.response.status == StatusCode::NO_CONTENT);
    }
}

/// An environment's way to Zoho.
#[derive(Clone)]
pub(crate) struct Network(pub Arc<Environment>);

impl HttpClient for Network {
    async fn send(&self, request: Request<'_>) -> Result<Response, TransportError> {
        let Self(environment) = self;
        let world = &environment.world;
        environment.step().await;
        let is_token = request.path.starts_with("/oauth/");
        let (service, host) = match is_token {
            true => ("accounts", "https://accounts.zoho.eu"),
            false => ("crm", "https://www.zohoapis."),
        };
        let origin = request.origin.as_str();
        let is_foreign = world.state().zoho.foreign.contains(&origin);
        if !is_foreign && !origin.starts_with(host) {
            world.violation(format!("a request to {origin}"));
        }
        let fault = if is_foreign { Some("401") } else { world.fault(service) };
        world.trace(|| format!("environment {} sends {}, {fault:?}", environment.number, request.path));
        // Only what reaches the accounts server counts there.
        if !is_token || fault != Some("refused") {
            environment.note_request(is_token);
        }
        let authorization = request.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        let token = authorization.and_then(|text| text.strip_prefix("Zoho-oauthtoken ")).unwrap_or_default();
        let takes = Duration::from_millis(world.draw(10..600));
        let at_zoho = environment.clone().at_zoho(request.path.clone(), token.to_owned(), takes, fault);
        let answer = timeout_at(Instant::now() + request.timeout, async {
            if fault == Some("refused") {
                sleep(takes).await;
                return None;
            }
            let at_zoho = tokio::spawn(at_zoho);
            if fault == Some("death") {
                world.pause(10..600).await;
                environment.kill();
            }
            let answer = at_zoho.await.unwrap();
            world.pause(if fault == Some("late") { 10_000..40_000 } else { 10..600 }).await;
            Some(answer)
        })
        .await;
        environment.step().await;
        match (answer, fault) {
            (Err(_), _) => {
                environment.life().sent.timeouts += u32::from(!is_token);
                Err(TransportError::new(NoResponse::TimedOut, "the response timed out"))
            }
            (Ok(None), _) => Err(TransportError::new(NoResponse::Other, "connection refused")),
            (Ok(Some(_)), Some("lost")) => Err(TransportError::new(NoResponse::Other, "the connection closed")),
            (Ok(Some(answer)), _) => {
                environment.note_answer(&answer, is_token);
                let too_long = TransportError::new(NoResponse::Oversized(StatusCode::OK), "the body is too long");
                if fault == Some("too-long") { Err(too_long) } else { Ok(answer.response) }
            }
        }
    }

    async fn preconnect(&self, _: &Origin) {
        self.0.step().await;
    }
}
