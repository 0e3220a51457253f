//! What the simulated services share: the time, the chances, the faults, and the log of what happened.

use crate::environment::Environment;
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::scheduler::Schedules;
use crate::secrets::Secrets;
use crate::zoho::Zoho;
use fastrand::Rng;
use mass_change_owner_status::timestamp::Timestamp;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// When the simulated time begins: 2026-11-23T10:00:00Z.
const BEGINNING: i64 = 1_795_428_000;

/// Everything outside the function. Clones share it.
#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    began: Instant,
    /// `WATCH_LIMIT_SECONDS`.
    pub limit: u64,
    /// Whether to print what happens.
    traced: bool,
}

/// What the services know.
pub(crate) struct State {
    pub rng: Rng,
    pub faults: Faults,
    pub zoho: Zoho,
    pub secrets: Secrets,
    pub schedules: Schedules,
    pub ledger: Ledger,
    /// Execution environments that were started.
    environments: usize,
}

impl World {
    /// A world with this seed; everything in it follows from the seed.
    pub(crate) fn new(mut rng: Rng, limit: u64, traced: bool) -> Self {
        let faults = Faults::draw(&mut rng);
        let zoho = Zoho::new(&mut rng);
        let secrets = Secrets::new(&mut rng, zoho.static_token());
        let (schedules, ledger) = Default::default();
        let state = State { rng, faults, zoho, secrets, schedules, ledger, environments: 0 };
        Self { state: Arc::new(Mutex::new(state)), began: Instant::now(), limit, traced }
    }

    /// Access to all of it, between two awaits.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A new execution environment, whose clock is off by at most so many seconds.
    pub(crate) fn environment(&self, skew: i64) -> Arc<Environment> {
        let (number, skew) = {
            let state = &mut *self.state();
            state.environments += 1;
            (state.environments, state.rng.i64(-skew..=skew))
        };
        Environment::new(self.clone(), number, skew)
    }

    /// Seconds since the beginning.
    pub(crate) fn elapsed(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// The true time.
    pub(crate) fn now(&self) -> Timestamp {
        Self::at(self.elapsed())
    }

    /// The time so many seconds after the beginning.
    pub(crate) fn at(elapsed: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(BEGINNING + i64::try_from(elapsed).unwrap())
    }

    /// Sleeps until so many seconds after the beginning.
    pub(crate) async fn sleep_until(&self, elapsed: u64) {
        tokio::time::sleep_until(self.began + Duration::from_secs(elapsed)).await;
    }

    /// True with this probability.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.state().rng.f64() < probability
    }

    /// A random number.
    pub(crate) fn draw(&self, range: Range<u64>) -> u64 {
        self.state().rng.u64(range)
    }

    /// Sleeps for so many milliseconds.
    pub(crate) async fn pause(&self, milliseconds: Range<u64>) {
        let duration = Duration::from_millis(self.draw(milliseconds));
        sleep(duration).await;
    }

    /// The fault that meets a request to this service now.
    pub(crate) fn fault(&self, service: &str) -> Option<&'static str> {
        let now = self.elapsed();
        let state = &mut *self.state();
        state.faults.meet(service, now, &mut state.rng)
    }

    /// Prints what happens, if this is a replay.
    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>12.3} {}", self.began.elapsed().as_secs_f64(), what());
        }
    }

    /// Notes that a rule is broken.
    pub(crate) fn violation(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        self.trace(|| format!("VIOLATION {what}"));
        let at = self.began.elapsed().as_secs_f64();
        self.state().ledger.violations.push(format!("{what} (at {at:.3} s)"));
    }
}

/// A number between the two, with every order of magnitude equally likely.
pub(crate) fn log_uniform(rng: &mut Rng, from: f64, to: f64) -> u64 {
    let exponent = rng.f64() * (to / from).ln();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    let number = (from * exponent.exp()) as u64;
    number
}

/// The most of these moments that lie within a period of so many seconds.
pub(crate) fn most_within(moments: &[u64], period: u64) -> usize {
    let within = |from: &u64| moments.iter().filter(|at| (*from..from + period).contains(at)).count();
    moments.iter().map(within).max().unwrap_or(0)
}
