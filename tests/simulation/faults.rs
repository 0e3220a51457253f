//! What goes wrong at the services, and when: drawn from the seed before the first watch begins.

use crate::world::log_uniform;
use Fault::*;
use fastrand::Rng;
use std::ops::Range;

/// A service that the function uses, or something that people set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Zoho's CRM API.
    Crm,
    /// Zoho's accounts server.
    Accounts,
    /// The credentials, as Zoho knows them.
    Credentials,
    /// Secrets Manager.
    Secrets,
    /// SNS.
    Topic,
    /// EventBridge Scheduler.
    Scheduler,
    /// Lambda itself.
    Lambda,
    /// The environment variables of the function.
    Configuration,
}

/// How a service fails a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A server error: the request is not done.
    ServerError,
    /// The request is turned down for now.
    Throttle,
    /// IAM denies the request.
    Denied,
    /// No connection.
    Unreachable,
    /// The request is done, and the response is lost.
    LostResponse,
    /// The request is done, and the response comes after any timeout.
    Stall,
    /// A web page with status 200, such as that of a maintenance window.
    Page,
    /// A web page with status 403, such as that of a firewall.
    ForbiddenPage,
    /// The response ends too early, with status 200.
    Truncated,
    /// The response is longer than any that is accepted.
    Oversized,
    /// A 401 for a token that is good.
    Unauthorized,
    /// A 204 for a job that exists.
    NoContent,
    /// A code that nobody knows.
    UnknownCode,
    /// The credentials are revoked, the secret has none, or the configuration is not valid.
    Invalid,
}

const PSEUDO: [Service; 2] = [Service::Credentials, Service::Configuration];

impl Service {
    const ALL: [Self; 8] = [
        Self::Crm,
        Self::Accounts,
        Self::Credentials,
        Self::Secrets,
        Self::Topic,
        Self::Scheduler,
        Self::Lambda,
        Self::Configuration,
    ];

    /// What can go wrong there.
    fn repertoire(self) -> &'static [Fault] {
        match self {
            Self::Crm => &[
                ServerError,
                Throttle,
                Unreachable,
                LostResponse,
                Stall,
                Page,
                ForbiddenPage,
                Truncated,
                Oversized,
                Unauthorized,
                NoContent,
                UnknownCode,
            ],
            Self::Accounts => &[
                ServerError,
                Throttle,
                Unreachable,
                LostResponse,
                Stall,
                Page,
                ForbiddenPage,
                Truncated,
                UnknownCode,
            ],
            Self::Secrets => &[ServerError, Throttle, Denied, LostResponse, Stall, Invalid],
            Self::Topic | Self::Scheduler => &[ServerError, Throttle, Denied, LostResponse, Stall],
            Self::Lambda => &[ServerError, Throttle, LostResponse],
            Self::Credentials | Self::Configuration => &[Invalid],
        }
    }
}

/// A time during which a service fails most requests in one way.
#[derive(Debug, Clone)]
struct Outage {
    service: Service,
    fault: Fault,
    seconds: Range<u64>,
    /// The share of the requests that fail.
    share: f64,
}

/// All that goes wrong in a world.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    outages: Vec<Outage>,
    /// The share of requests that fail outside of outages.
    flakiness: f64,
    /// How often an execution environment dies during an invocation.
    pub deaths: f64,
    /// How often one stalls for a while during an invocation.
    pub stalls: f64,
    /// How often an event is delivered twice.
    pub duplicates: f64,
    /// How far clocks are off, in seconds.
    pub skew: i64,
}

impl Faults {
    /// A quarter of the worlds have no outage: there, nothing hides a mistake.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let outages = [0, 1, rng.usize(1..5), rng.usize(1..5)][rng.usize(0..4)];
        Self {
            outages: (0..outages).map(|_| Outage::draw(rng)).collect(),
            flakiness: [0.0, 0.0, 0.003, 0.03][rng.usize(0..4)],
            deaths: [0.0, 0.0, 0.01, 0.1][rng.usize(0..4)],
            stalls: [0.0, 0.0, 0.01, 0.05][rng.usize(0..4)],
            duplicates: [0.0, 0.01, 0.1][rng.usize(0..3)],
            skew: [0, 0, 2, 120][rng.usize(0..4)],
        }
    }

    /// The fault that meets a request now.
    pub(crate) fn meet(&mut self, service: Service, now: u64, rng: &mut Rng) -> Option<Fault> {
        let outage =
            self.outages.iter().find(|outage| outage.service == service && outage.seconds.contains(&now));
        if let Some(outage) = outage
            && rng.f64() < outage.share
        {
            return Some(outage.fault);
        }
        let is_flaky = self.flakiness > 0.0 && !PSEUDO.contains(&service) && rng.f64() < self.flakiness;
        is_flaky.then(|| rng.choice(service.repertoire()).copied()).flatten()
    }

    /// The seconds of all outages together.
    pub(crate) fn outage_seconds(&self) -> u64 {
        self.outages.iter().map(|outage| outage.seconds.end - outage.seconds.start).sum()
    }
}

impl Outage {
    fn draw(rng: &mut Rng) -> Self {
        let service = Service::ALL[rng.usize(0..Service::ALL.len())];
        let repertoire = service.repertoire();
        let fault = repertoire[rng.usize(0..repertoire.len())];
        let from = log_uniform(rng, 1.0, 40_000.0);
        let seconds = from..from + log_uniform(rng, 5.0, 20_000.0);
        let share = if PSEUDO.contains(&service) { 1.0 } else { [0.5, 0.9, 1.0][rng.usize(0..3)] };
        Self { service, fault, seconds, share }
    }
}
