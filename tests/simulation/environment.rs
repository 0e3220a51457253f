//! One execution environment: its clock, its death, its freezes, and its ways to Zoho, SNS, and Scheduler.

use crate::faults::{Fault, Service};
use crate::ledger::Publication;
use crate::world::World;
use crate::zoho;
use http::{StatusCode, header};
use mass_change_owner_status::delivery::Destinations;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::{
    HttpClient, HttpRequest as Request, HttpResponse as Response, Origin, Stage, TransportError,
};
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::token::StoreError;
use mass_change_owner_status::watch::ids::ScheduleArn;
use mass_change_owner_status::watch::message::Message;
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
    thawed: Notify,
    died: Notify,
}

/// What happens to it.
#[derive(Debug, Default)]
pub(crate) struct Life {
    is_dead: bool,
    /// Between invocations, it is frozen: nothing in it continues.
    is_running: bool,
    /// In so many steps.
    dies_in: Option<u32>,
    stalled_until: Option<Instant>,
    /// What this invocation has sent.
    pub sent: Sent,
    /// The watch of this invocation.
    pub watch: usize,
    /// Until when, in seconds since the beginning, this environment has reason to go without a lease: it cannot write,
    /// or cannot reach, the secret.
    alone_until: u64,
}

/// Requests of one invocation.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sent {
    pub status_requests: u32,
    pub token_requests: u32,
    /// A response has come that no further request can change.
    permanent_error: bool,
    /// Tokens that Zoho's API has rejected.
    rejections: u32,
}

/// How long after a failure of Secrets Manager an environment may go without a lease.
const GOES_ALONE_SECONDS: u64 = 300;

impl Environment {
    pub(crate) fn new(world: World, number: usize, skew: i64) -> Arc<Self> {
        let (life, thawed, died) = (Mutex::default(), Notify::new(), Notify::new());
        Arc::new(Self { world, number, skew, life, thawed, died })
    }

    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap()
    }

    /// Its wall clock.
    pub(crate) fn clock(self: &Arc<Self>) -> Clock {
        let this = self.clone();
        Arc::new(move || this.world.now().plus_seconds(this.skew))
    }

    /// Continues, for an invocation of this watch.
    pub(crate) fn thaw(&self, watch: usize, dies_in: Option<u32>, stalls_for: Duration) {
        let mut life = self.life();
        life.is_running = true;
        life.dies_in = dies_in;
        life.stalled_until = (!stalls_for.is_zero()).then(|| Instant::now() + stalls_for);
        (life.sent, life.watch) = (Sent::default(), watch);
        drop(life);
        self.thawed.notify_waiters();
    }

    /// Nothing continues until the next invocation.
    pub(crate) fn freeze(&self) {
        self.life().is_running = false;
    }

    /// Nothing continues.
    pub(crate) fn kill(&self) {
        self.life().is_dead = true;
        self.died.notify_waiters();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.life().is_dead
    }

    /// Ends when the environment does.
    pub(crate) async fn death(&self) {
        if !self.is_dead() {
            self.died.notified().await;
        }
    }

    /// Between any two effects: here the environment dies, freezes, or stalls.
    pub(crate) async fn step(&self) {
        let dies = {
            let mut life = self.life();
            if let (true, Some(steps)) = (life.is_running, &mut life.dies_in) {
                *steps = steps.saturating_sub(1);
            }
            life.is_running && life.dies_in == Some(0)
        };
        if dies {
            self.world.trace(|| format!("environment {} dies", self.number));
            self.kill();
        }
        loop {
            let stalled_until = {
                let life = self.life();
                if life.is_dead {
                    None
                } else if let Some(until) = life.stalled_until.filter(|until| *until > Instant::now()) {
                    Some(until)
                } else if life.is_running {
                    return;
                } else {
                    None
                }
            };
            match stalled_until {
                Some(until) => sleep_until(until).await,
                None if self.is_dead() => pending().await,
                None => self.thawed.notified().await,
            }
        }
    }

    /// Remembers whether this environment has reason to go without a lease.
    pub(crate) fn note_store(&self, error: &StoreError) {
        let until = match error {
            StoreError::Denied(_) => u64::MAX,
            StoreError::Unavailable(_) => self.world.elapsed() + GOES_ALONE_SECONDS,
            StoreError::Throttled(_) => 0,
        };
        let mut life = self.life();
        life.alone_until = life.alone_until.max(until);
    }

    fn may_go_alone(&self) -> bool {
        self.life().alone_until > self.world.elapsed()
    }

    /// What Zoho does with a request, and what becomes of its response. Goes on whatever happens to the environment.
    async fn at_zoho(
        self: Arc<Self>,
        path: String,
        token: String,
        takes: Duration,
        fault: Option<Fault>,
    ) -> Response {
        let is_token = path.starts_with("/oauth/");
        let mint = is_token.then(|| {
            let alone = self.may_go_alone();
            self.world.state().ledger.mint_begins(self.number, alone)
        });
        sleep(takes).await;
        let now = self.world.elapsed();
        let state = &mut *self.world.state();
        if let Some(number) = mint {
            state.ledger.mint_ends(number);
        }
        let response = if is_token {
            state.zoho.issue(&mut state.rng, now)
        } else {
            state.zoho.status(&path, &token, now)
        };
        match fault {
            Some(fault) => zoho::spoiled(response, fault, is_token, &mut state.rng),
            None => response,
        }
    }

    fn note_request(&self, is_token: bool) {
        let mut life = self.life();
        if is_token {
            life.sent.token_requests += 1;
        } else {
            life.sent.status_requests += 1;
        }
        let repeated = life.sent.permanent_error && !is_token;
        drop(life);
        if repeated {
            self.world.violation("a status request is repeated after an error that is permanent".into());
        }
    }
}

impl Environment {
    fn note_response(&self, response: &Response, fault: Option<Fault>, is_token: bool) {
        let now = self.world.elapsed();
        let mut life = self.life();
        let mut state = self.world.state();
        let is_garbled = matches!(fault, Some(Fault::StrayPage | Fault::Truncated));
        if is_garbled {
            state.ledger.note_garbled(now);
        }
        if is_token {
            return;
        }
        match response.status.as_u16() {
            204 | 400 | 403 | 404 if !is_garbled => life.sent.permanent_error = true,
            401 => {
                life.sent.rejections += 1;
                // A token that the operator stores is the only one there is.
                if life.sent.rejections > 1 || state.zoho.static_token().is_some() {
                    state.ledger.note_rejected(now);
                }
            }
            _ => {}
        }
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
        let (service, host) = if is_token {
            (Service::Accounts, "https://accounts.zoho.eu")
        } else {
            (Service::Crm, "https://www.zohoapis.")
        };
        if !request.origin.as_str().starts_with(host) {
            world.violation(format!("a request to {}", request.origin.as_str()));
        }
        let fault = world.fault(service);
        world.trace(|| format!("environment {} sends {}, {fault:?}", environment.number, request.path));
        if fault == Some(Fault::Unreachable) {
            let takes = Duration::from_millis(world.draw(1..300));
            sleep(takes.min(request.timeout)).await;
            environment.step().await;
            return Err(TransportError::new(Stage::Connecting, "connection refused"));
        }
        environment.note_request(is_token);
        let authorization = request.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        let token = authorization.and_then(|text| text.strip_prefix("Zoho-oauthtoken ")).unwrap_or_default();
        let takes = Duration::from_millis(world.draw(10..600));
        let at_zoho = environment.clone().at_zoho(request.path.clone(), token.to_owned(), takes, fault);
        let deadline = Instant::now() + request.timeout;
        let response = timeout_at(deadline, async {
            let response = tokio::spawn(at_zoho).await.unwrap();
            let back = world.draw(if fault == Some(Fault::Stall) { 9_000..40_000 } else { 10..600 });
            sleep(Duration::from_millis(back)).await;
            response
        })
        .await;
        environment.step().await;
        let Ok(response) = response else {
            return Err(TransportError::new(Stage::Responding, "the response timed out"));
        };
        match fault {
            Some(Fault::LostResponse) => Err(TransportError::new(
                Stage::Responding,
                "the connection closed in the middle of a response",
            )),
            Some(Fault::Oversized) => {
                world.state().ledger.note_garbled(world.elapsed());
                Err(TransportError::new(Stage::Oversized(StatusCode::OK), "the body is too long"))
            }
            _ => {
                environment.note_response(&response, fault, is_token);
                Ok(response)
            }
        }
    }

    async fn preconnect(&self, _: &Origin) {
        self.0.step().await;
        sleep(Duration::from_millis(30)).await;
    }
}

/// An environment's way to SNS and Scheduler.
pub(crate) struct Ends(pub Arc<Environment>);

impl Ends {
    /// One operation, with the faults that outlast the SDK's own retries.
    async fn request<T>(
        &self,
        service: Service,
        kind: ErrorType,
        done: impl FnOnce(&World) -> T,
    ) -> Result<T, WatchError> {
        let Self(environment) = self;
        let world = &environment.world;
        environment.step().await;
        world.pause(5..80).await;
        let fault = world.fault(service);
        let error = WatchError::new(kind, "the service failed");
        match fault {
            Some(Fault::LostResponse) => {
                done(world);
                sleep(Duration::from_secs(2)).await;
                environment.step().await;
                Err(error)
            }
            Some(Fault::Stall) => {
                sleep(Duration::from_secs(90)).await;
                environment.step().await;
                Err(error)
            }
            Some(_) => {
                sleep(Duration::from_secs(1)).await;
                environment.step().await;
                Err(error)
            }
            None => {
                let result = done(world);
                environment.step().await;
                Ok(result)
            }
        }
    }
}

impl Destinations for Ends {
    async fn prepare(&self, _: bool, _: bool) {
        self.0.step().await;
    }

    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        let watch = self.0.life().watch;
        self.request(Service::Topic, ErrorType::NotificationFailed, |world| {
            let publication = Publication {
                watch,
                at: world.elapsed(),
                event_id: message.event_id.clone(),
                outcome: attribute(message, "outcome"),
                report: message.body.clone(),
            };
            world.publish(publication)
        })
        .await
    }

    async fn delete_schedule(&self, schedule: &ScheduleArn) -> Result<(), WatchError> {
        self.request(Service::Scheduler, ErrorType::ScheduleNotDeleted, |world| {
            world.trace(|| format!("schedule {} is deleted", schedule.name()));
            world.state().ledger.delete_schedule(schedule.as_str(), world.elapsed());
        })
        .await
    }

    async fn schedule_created_at(&self, schedule: &ScheduleArn) -> Result<Option<Timestamp>, WatchError> {
        self.request(Service::Scheduler, ErrorType::ScheduleNotDeleted, |world| {
            world.state().ledger.schedule_created_at(schedule.as_str())
        })
        .await
    }
}

fn attribute(message: &Message, name: &str) -> String {
    let found = message.attributes.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}
