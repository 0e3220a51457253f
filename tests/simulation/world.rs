//! What the simulated services share: the time, the faults, and the log of what happened.

use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::scheduler::Schedules;
use crate::secrets::{CREDENTIALS, Secrets};
use crate::zoho::{self, Zoho};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::{notice::Intervals, pacing::Bounds, report::Limits};
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// When the simulated time begins: 2026-11-23T10:00:00Z.
const BEGINNING: i64 = 1_795_428_000;

/// Whether to print what happens: in a replay.
static IS_TRACED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("SEED").is_some());

/// Everything outside the function. Clones share it.
#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    began: Instant,
    pub limits: Limits,
}

#[derive(Default)]
pub(crate) struct State {
    pub faults: Faults,
    pub zoho: Zoho,
    pub secrets: Secrets,
    pub schedules: Schedules,
    pub ledger: Ledger,
    pub environments: usize,
}

impl World {
    /// A world in which anything can go wrong.
    pub(crate) fn new(limit: u64) -> Self {
        Self::with(limit, |state| {
            state.faults = Faults::draw();
            state.secrets.is_read_only = chance(0.08);
            if chance(0.1) {
                // The operator stores a token that does not end.
                let token = zoho::new_token();
                state.secrets.store(CREDENTIALS[0], "AWSCURRENT", &token, Self::at(0));
                state.zoho.static_token = Some(token);
            }
        })
    }

    /// A world in which nothing goes wrong, with one job.
    pub(crate) fn quiet(limit: u64, job_ends_at: u64) -> Self {
        Self::with(limit, |state| {
            state.zoho.start_job(0);
            let job = &mut state.zoho.jobs[0];
            (job.ends_at, job.problem.0) = (job_ends_at, 0..0);
        })
    }

    fn with(watch_limit_seconds: u64, change: impl FnOnce(&mut State)) -> Self {
        let (min_seconds, max_seconds) = match fastrand::u32(0..200) {
            0 => (10, 20),
            1..=40 => (30, 300),
            41..=60 => (60, 3_600),
            _ => (10, 900),
        };
        let every = one_of(&[None, None, Some(3_600)]);
        let limits = Limits {
            bounds: Bounds { min_seconds, max_seconds },
            watch_limit_seconds,
            notices: Intervals { still_running: every, no_progress: every },
        };
        let mut state = State::default();
        state.secrets.operator_puts(CREDENTIALS[0], 0);
        change(&mut state);
        Self { state: Arc::new(Mutex::new(state)), began: Instant::now(), limits }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn elapsed(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Self::at(self.elapsed())
    }

    pub(crate) fn at(elapsed: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(BEGINNING + i64::try_from(elapsed).unwrap())
    }

    pub(crate) async fn sleep_until(&self, elapsed: u64) {
        tokio::time::sleep_until(self.began + Duration::from_secs(elapsed)).await;
    }

    pub(crate) fn fault(&self, service: &str) -> Option<&'static str> {
        self.state().faults.meet(service, self.elapsed())
    }

    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if *IS_TRACED {
            println!("{:>12.3} {}", self.began.elapsed().as_secs_f64(), what());
        }
    }

    pub(crate) fn violation(&self, what: impl AsRef<str>) {
        let what = format!("{} (at {:.3} s)", what.as_ref(), self.began.elapsed().as_secs_f64());
        self.trace(|| format!("VIOLATION {what}"));
        self.state().ledger.violations.push(what);
    }
}

/// True with this probability.
pub(crate) fn chance(probability: f64) -> bool {
    probability > 0.0 && fastrand::f64() < probability
}

pub(crate) fn one_of<T: Copy>(these: &[T]) -> T {
    these[fastrand::usize(0..these.len())]
}

/// A number between the two, with every order of magnitude equally likely.
pub(crate) fn log_uniform(from: u32, to: u32) -> u64 {
    let (from, to) = (f64::from(from), f64::from(to));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    let number = (from * (fastrand::f64() * (to / from).ln()).exp()) as u64;
    number
}

pub(crate) async fn pause(milliseconds: Range<u64>) {
    sleep(Duration::from_millis(fastrand::u64(milliseconds))).await;
}

/// The most of these moments that lie within a period of so many seconds.
pub(crate) fn most_within(moments: &[u64], period: u64) -> usize {
    let within = |from: &u64| moments.iter().filter(|at| (*from..from + period).contains(at)).count();
    moments.iter().map(within).max().unwrap_or(0)
}
