//! What goes wrong, and when: drawn from the seed before the first watch begins.

use crate::world::{chance, log_uniform, one_of};
use std::ops::Range;

/// What can go wrong at each service, and then with what people set: the credentials at Zoho, the content of the secret,
/// and the configuration of the function. `lost`: the request is done, and its response is lost; `again`: so the SDK
/// sends it again; `late`: it comes after any timeout; `death`, `stall`: of the execution environment.
pub(crate) const FAULTS: [(&str, &[&str]); 10] = [
    ("crm", &["503", "429", "refused", "lost", "late", "page", "403-page", "cut", "too-long", "401", "204", "odd"]),
    ("accounts", &["503", "429", "refused", "lost", "late", "page", "403-page", "cut", "odd"]),
    ("secret", &["503", "429", "denied", "lost", "again"]),
    ("sns", &["503", "429", "denied", "lost", "again", "late"]),
    ("scheduler", &["503", "429", "denied", "lost", "again", "late"]),
    ("lambda", &["503", "429", "lost", "death", "stall"]),
    ("events", &["twice", "late"]),
    ("credentials", &["revoked"]),
    ("content", &["malformed"]),
    ("configuration", &["invalid"]),
];

/// So many of them fail single requests, too.
const SERVICES: usize = 7;

#[derive(Debug, Default)]
pub(crate) struct Faults {
    outages: Vec<Outage>,
    /// The share of requests that fail outside of outages.
    flakiness: f64,
    /// How far clocks are off, in seconds.
    pub skew: i64,
}

/// A time during which a service fails a share of the requests in one way.
#[derive(Debug)]
struct Outage {
    service: &'static str,
    fault: &'static str,
    seconds: Range<u64>,
    share: f64,
}

impl Faults {
    /// A quarter of the worlds have no outage: there, nothing hides a mistake.
    pub(crate) fn draw() -> Self {
        let mut faults = Self {
            outages: Vec::new(),
            flakiness: one_of(&[0.0, 0.0, 0.003, 0.03, 0.1]),
            skew: one_of(&[0, 0, 2, 120]),
        };
        for _ in 0..one_of(&[0, 1, fastrand::usize(1..5), fastrand::usize(1..5)]) {
            let number = fastrand::usize(0..FAULTS.len());
            let (service, kinds) = FAULTS[number];
            let from = log_uniform(1, 40_000);
            let share = if number < SERVICES { one_of(&[0.5, 0.9, 1.0]) } else { 1.0 };
            faults.add(service, one_of(kinds), from..from + log_uniform(5, 20_000), share);
        }
        faults
    }

    pub(crate) fn add(&mut self, service: &'static str, fault: &'static str, seconds: Range<u64>, share: f64) {
        self.outages.push(Outage { service, fault, seconds, share });
    }

    pub(crate) fn meet(&self, service: &str, now: u64) -> Option<&'static str> {
        let is_now = |outage: &&Outage| outage.service == service && outage.seconds.contains(&now);
        if let Some(outage) = self.outages.iter().find(is_now).filter(|outage| chance(outage.share)) {
            return Some(outage.fault);
        }
        let (_, faults) = FAULTS[..SERVICES].iter().find(|(name, _)| *name == service)?;
        chance(self.flakiness).then(|| one_of(faults))
    }

    pub(crate) fn outage_seconds(&self) -> u64 {
        self.outages.iter().map(|outage| outage.seconds.end - outage.seconds.start).sum()
    }
}
