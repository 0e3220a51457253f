//! What goes wrong at the services, and when: drawn from the seed before the first watch begins.

use crate::world::log_uniform;
use fastrand::Rng;
use std::ops::Range;

/// A service that the function uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Zoho's CRM API.
    Crm,
    /// Zoho's accounts server.
    Accounts,
    /// Secrets Manager.
    Secrets,
    /// SNS.
    Topic,
    /// EventBridge Scheduler.
    Scheduler,
    /// Lambda itself.
    Lambda,
}

/// How a service fails a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A server error: the request is not done.
    ServerError,
    /// The request is turned down for now.
    Throttle,
    /// No connection.
    Unreachable,
    /// The request is done, and the response is lost.
    LostResponse,
    /// The response comes after any timeout.
    Stall,
    /// A web page with status 200, such as that of a maintenance window.
    StrayPage,
    /// The response ends too early, with status 200.
    Truncated,
    /// The response is longer than any that is accepted.
    Oversized,
    /// A 401 for a token that is good.
    Unauthorized,
}

use Fault::{
    LostResponse, Oversized, ServerError, Stall, StrayPage, Throttle, Truncated, Unauthorized, Unreachable,
};

impl Service {
    const ALL: [Self; 6] =
        [Self::Crm, Self::Accounts, Self::Secrets, Self::Topic, Self::Scheduler, Self::Lambda];

    /// What can go wrong there.
    fn repertoire(self) -> &'static [Fault] {
        match self {
            Self::Crm => &[
                ServerError,
                Throttle,
                Unreachable,
                LostResponse,
                Stall,
                StrayPage,
                Truncated,
                Oversized,
                Unauthorized,
            ],
            Self::Accounts => {
                &[ServerError, Throttle, Unreachable, LostResponse, Stall, StrayPage, Truncated]
            }
            Self::Secrets | Self::Topic | Self::Scheduler => {
                &[ServerError, Throttle, Unreachable, LostResponse, Stall]
            }
            Self::Lambda => &[ServerError, Throttle, LostResponse],
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
#[derive(Debug)]
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
    /// Half of the worlds are nearly quiet: there, nothing hides a mistake.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let outages = match rng.u32(0..4) {
            0 => 0,
            1 => 1,
            _ => rng.usize(1..5),
        };
        let outages = (0..outages).map(|_| Outage::draw(rng)).collect();
        Self {
            outages,
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
        let is_flaky = self.flakiness > 0.0 && rng.f64() < self.flakiness;
        is_flaky.then(|| rng.choice(service.repertoire()).copied()).flatten()
    }

    /// Ends every outage and every other mishap.
    pub(crate) fn clear(&mut self) {
        *self =
            Self { outages: Vec::new(), flakiness: 0.0, deaths: 0.0, stalls: 0.0, duplicates: 0.0, skew: 0 };
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
        // Nothing of a state machine outlasts a longer outage of SNS or Lambda than its retries do: see the definition.
        let longest = if matches!(service, Service::Lambda | Service::Topic) { 1_200.0 } else { 20_000.0 };
        let seconds = from..from + log_uniform(rng, 5.0, longest);
        Self { service, fault, seconds, share: [0.5, 0.9, 1.0][rng.usize(0..3)] }
    }
}
