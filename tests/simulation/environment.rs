//! One execution environment: its clock, its death, its freezes, and its way to AWS and to Zoho.

use crate::world::{World, pause};
use crate::zoho::{self, Answer};
use http::{StatusCode, header};
use mass_change_owner_status::http::{HttpClient, HttpRequest, HttpResponse, NoResponse, Origin, TransportError};
use mass_change_owner_status::timestamp::Clock;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What an execution environment is to the services that it uses.
pub(crate) struct Environment {
    pub world: World,
    pub number: usize,
    /// It can be wrong.
    pub clock: Clock,
    phase: watch::Sender<Phase>,
    life: Mutex<Life>,
}

/// Nothing in it continues unless it runs: while it starts, and during invocations. It is frozen since so many seconds
/// after the beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    Running,
    Frozen(u64),
    Dead,
}

#[derive(Debug, Default)]
pub(crate) struct Life {
    /// In so many steps.
    dies_in: Option<u64>,
    stalled_until: Option<Instant>,
    pub task: Task,
    sent: Sent,
    /// Until when it has reason to request a token without a claim: it cannot write, or cannot reach, the secret.
    pub alone_until: u64,
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

/// Requests of one invocation, timeouts, and responses after which one more request is due.
#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    status_requests: u32,
    token_requests: u32,
    timeouts: u32,
    more: u32,
}

impl Environment {
    pub(crate) fn start(world: &World) -> Arc<Self> {
        let (number, skew) = {
            let state = &mut *world.state();
            state.environments += 1;
            (state.environments, fastrand::i64(-state.faults.skew..=state.faults.skew))
        };
        let (world, theirs, phase) = (world.clone(), world.clone(), watch::Sender::new(Phase::Running));
        let clock: Clock = Arc::new(move || theirs.now().plus_seconds(skew));
        Arc::new(Self { world, number, clock, phase, life: Mutex::default() })
    }

    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap()
    }

    pub(crate) fn thaw(&self, task: Task, fault: &str) {
        let mut life = self.life();
        (life.sent, life.task) = (Sent::default(), task);
        life.dies_in = (fault == "death").then(|| fastrand::u64(1..16));
        // The stall of an earlier invocation is over.
        let stall = || Instant::now() + Duration::from_millis(fastrand::u64(1..40_000));
        life.stalled_until = (fault == "stall").then(stall);
        self.turn(Phase::Running);
    }

    pub(crate) fn freeze(&self) {
        self.turn(Phase::Frozen(self.world.elapsed()));
    }

    pub(crate) fn kill(&self) {
        self.world.trace(|| format!("environment {} dies", self.number));
        self.turn(Phase::Dead);
    }

    fn turn(&self, phase: Phase) {
        self.phase.send_modify(|now| *now = if *now == Phase::Dead { Phase::Dead } else { phase });
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) async fn reach(&self, phase: Phase) {
        drop(self.phase.subscribe().wait_for(|now| *now == phase).await);
    }

    /// Between any two effects: here the environment dies, freezes, or stalls.
    pub(crate) async fn step(&self) {
        self.reach(Phase::Running).await;
        let (dies, stalled_until) = {
            let mut life = self.life();
            life.dies_in = life.dies_in.map(|steps| steps - 1);
            (life.dies_in == Some(0), life.stalled_until)
        };
        if dies {
            self.kill();
        }
        if let Some(until) = stalled_until {
            sleep_until(until).await;
        }
        self.reach(Phase::Running).await;
    }

    /// One request to AWS, with the faults that outlast the SDK's own retries: what came back, or the fault.
    pub(crate) async fn request<T: Send + 'static>(
        &self,
        services: &[&str],
        done: impl Fn(&World) -> T + Send + 'static,
    ) -> Result<T, &'static str> {
        let world = self.world.clone();
        self.step().await;
        pause(5..80).await;
        let fault = services.iter().find_map(|service| world.fault(service));
        world.trace(|| format!("environment {} requests {services:?} {fault:?}", self.number));
        let mut result = fault.map_or_else(|| Ok(done(&world)), Err);
        match fault {
            Some("503") => sleep(Duration::from_secs(4)).await,
            Some("lost") => {
                done(&world);
                sleep(Duration::from_secs(4)).await;
            }
            Some("again") => {
                done(&world);
                sleep(Duration::from_secs(1)).await;
                result = Ok(done(&world));
            }
            // Whatever becomes of the environment.
            Some("late") => {
                let later = async move {
                    pause(2_000..90_000).await;
                    done(&world);
                };
                tokio::spawn(later).await.unwrap();
            }
            _ => {}
        }
        self.step().await;
        result
    }

    /// What Zoho does with a request. Goes on whatever happens to the environment.
    async fn at_zoho(self: Arc<Self>, path: String, token: String, fault: &'static str) -> Answer {
        let (world, is_token) = (&self.world, path.starts_with("/oauth/"));
        if is_token {
            let (now, state) = (world.elapsed(), &mut *world.state());
            let alone = self.life().alone_until > now || state.secrets.is_crowded(now);
            state.ledger.token_request_begins(self.number, alone, now);
        }
        pause(10..600).await;
        let (now, revoked) = (world.elapsed(), world.fault("credentials").is_some());
        let state = &mut *world.state();
        let answer = if is_token {
            state.ledger.token_request_ends(self.number);
            state.zoho.issue(now, revoked)
        } else {
            state.zoho.status(&path, &token, now, revoked)
        };
        zoho::spoiled(answer, fault, is_token)
    }

    fn note_request(&self, is_token: bool) {
        let sent = {
            let sent = &mut self.life().sent;
            *if is_token { &mut sent.token_requests } else { &mut sent.status_requests } += 1;
            *sent
        };
        // Three attempts; more for other tokens (three, each tried twice), and one to confirm that there is no such job.
        let too_many = sent.status_requests > 3 + sent.more || sent.more > 7 || sent.token_requests > 6;
        // While Secrets Manager is down as well, what is known of earlier ones can be lost.
        if too_many || !is_token && !self.life().task.is_direct && sent.timeouts > 0 {
            self.world.violation(format!("too many requests: {sent:?}"));
        }
    }

    fn note_answer(&self, answer: &Answer, is_token: bool) {
        self.world.state().ledger.note(answer.means, self.world.elapsed());
        let is_one_more_due = answer.means == "TokenRejected" || answer.response.status == StatusCode::NO_CONTENT;
        self.life().sent.more += u32::from(!is_token && is_one_more_due);
    }
}

#[derive(Clone)]
pub(crate) struct Outside(pub Arc<Environment>);

impl HttpClient for Outside {
    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        let Self(environment) = self;
        let world = &environment.world;
        environment.step().await;
        let is_token = request.path.starts_with("/oauth/");
        let (service, host) = match is_token {
            true => ("accounts", "https://accounts.zoho.eu"),
            false => ("crm", "https://www.zohoapis."),
        };
        let is_foreign = !request.origin.as_str().starts_with(host);
        if is_foreign && !world.state().zoho.has_foreign_hosts {
            world.violation(format!("a request to {}", request.origin.as_str()));
        }
        let fault = if is_foreign { "401" } else { world.fault(service).unwrap_or_default() };
        world.trace(|| format!("environment {} sends {} {fault}", environment.number, request.path));
        // Only what reaches the accounts server counts there.
        if !is_token || fault != "refused" {
            environment.note_request(is_token);
        }
        let authorization = request.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        let token = authorization.and_then(|text| text.strip_prefix("Zoho-oauthtoken ")).unwrap_or_default();
        let at_zoho = environment.clone().at_zoho(request.path.clone(), token.to_owned(), fault);
        let exchange = async {
            pause(10..600).await;
            if fault == "refused" {
                return Err(TransportError::new(NoResponse::Other, "connection refused"));
            }
            let at_zoho = tokio::spawn(at_zoho);
            if fault == "death" {
                pause(10..600).await;
                environment.kill();
            }
            let answer = at_zoho.await.unwrap();
            pause(if fault == "late" { 10_000..40_000 } else { 10..600 }).await;
            if fault == "lost" {
                return Err(TransportError::new(NoResponse::Other, "the connection closed"));
            }
            environment.note_answer(&answer, is_token);
            let too_long = TransportError::new(NoResponse::Oversized(StatusCode::OK), "the body is too long");
            if fault == "too-long" { Err(too_long) } else { Ok(answer.response) }
        };
        let result = timeout(request.timeout, exchange).await;
        environment.step().await;
        result.unwrap_or_else(|_| {
            environment.life().sent.timeouts += u32::from(!is_token);
            Err(TransportError::new(NoResponse::TimedOut, "the response timed out"))
        })
    }

    async fn preconnect(&self, _: &Origin) {
        self.0.step().await;
    }
}
