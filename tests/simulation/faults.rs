//! What goes wrong, and when: drawn from the seed before the first watch begins.

use crate::world::log_uniform;
use fastrand::Rng;
use std::ops::Range;

/// What can go wrong at each service, and then with what people set: the credentials at Zoho, and the configuration of the
/// function. `lost`: the request is done, and its response is lost; `late`: it comes after any timeout.
pub(crate) const FAULTS: [(&str, &str); 8] = [
    ("crm", "503 429 refused lost late page 403-page cut too-long 401 204 odd"),
    ("accounts", "503 429 refused lost late page 403-page cut odd"),
    ("secret", "503 429 denied lost malformed"),
    ("sns", "503 429 denied lost late"),
    ("scheduler", "503 429 denied lost late"),
    ("lambda", "503 429 lost"),
    ("credentials", "revoked"),
    ("configuration", "invalid"),
];

/// So many of them fail single requests, too.
const SERVICES: usize = 6;

/// All that goes wrong in a world.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    outages: Vec<Outage>,
    /// The share of requests that fail outside of outages.
    flakiness: f64,
    /// How often an execution environment dies during an invocation, or stalls for a while.
    pub deaths: f64,
    pub stalls: f64,
    /// How often an event is delivered twice.
    pub duplicates: f64,
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

    /// Nothing goes wrong but this.
    pub(crate) fn only(service: &'static str, fault: &'static str, seconds: Range<u64>) -> Self {
        Self { outages: vec![Outage { service, fault, seconds, share: 1.0 }], ..Self::default() }
    }

    /// From now on, this service fails this share of the requests.
    pub(crate) fn add(&mut self, service: &'static str, fault: &'static str, share: f64) {
        self.outages.push(Outage { service, fault, seconds: 0..u64::MAX, share });
    }

    /// The fault that meets a request now.
    pub(crate) fn meet(&self, service: &str, now: u64, rng: &mut Rng) -> Option<&'static str> {
        let is_now = |outage: &&Outage| outage.service == service && outage.seconds.contains(&now);
        if let Some(outage) = self.outages.iter().find(is_now)
            && rng.f64() < outage.share
        {
            return Some(outage.fault);
        }
        let (_, faults) = FAULTS[..SERVICES].iter().find(|(name, _)| *name == service)?;
        let is_flaky = self.flakiness > 0.0 && rng.f64() < self.flakiness;
        is_flaky.then(|| choose(faults, rng))
    }

    /// The seconds of all outages together.
    pub(crate) fn outage_seconds(&self) -> u64 {
        self.outages.iter().map(|outage| outage.seconds.end - outage.seconds.start).sum()
    }
}

impl Outage {
    fn draw(rng: &mut Rng) -> Self {
        let number = rng.usize(0..FAULTS.len());
        let (service, faults) = FAULTS[number];
        let fault = choose(faults, rng);
        let from = log_uniform(rng, 1.0, 40_000.0);
        let seconds = from..from + log_uniform(rng, 5.0, 20_000.0);
        let share = if number < SERVICES { [0.5, 0.9, 1.0][rng.usize(0..3)] } else { 1.0 };
        Self { service, fault, seconds, share }
    }
}

/// One of these words.
fn choose(words: &'static str, rng: &mut Rng) -> &'static str {
    let words: Vec<&str> = words.split(' ').collect();
    words[rng.usize(0..words.len())]
}
