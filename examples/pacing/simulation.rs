//! Simulated jobs, and watches of them in simulated time.

use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::job::{Counts, JobStatus, Status};
use mass_change_owner_status::watch::pacing::Bounds;
use mass_change_owner_status::watch::request::History;

/// When a simulated job is created, in epoch seconds.
const CREATED: i64 = 1_800_000_000;

/// How much of a job is done (0 to 1) at a share of its running time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Curve(fn(f64) -> f64),
    /// Straight lines between the amounts done at equal spaces of time.
    Knots([f64; 7]),
}

impl Shape {
    fn at(&self, time: f64) -> f64 {
        match self {
            Self::Curve(curve) => curve(time),
            Self::Knots(knots) => {
                let place = time * (knots.len() - 1) as f64;
                let left = (place as usize).min(knots.len() - 2);
                knots[left] + (place - left as f64) * (knots[left + 1] - knots[left])
            }
        }
    }
}

/// The shapes that the targets are about: linear, accelerating, decelerating, in eight steps, and stalled for the
/// middle third.
pub(crate) const SHAPES: [Shape; 5] = [
    Shape::Curve(|x| x),
    Shape::Curve(|x| x * x),
    Shape::Curve(|x| 1.0 - (1.0 - x).powi(2)),
    Shape::Curve(|x| in_steps(x, 8.0)),
    Shape::Curve(|x| stalled(x, 1.0 / 3.0)),
];

/// Shapes that the rule was not chosen by: steeper and flatter curves, few and many steps, stalls at other times.
const OTHER_SHAPES: [Shape; 8] = [
    Shape::Curve(|x| x.powi(3)),
    Shape::Curve(|x| (5.0 * x).exp_m1() / 5.0_f64.exp_m1()),
    Shape::Curve(f64::sqrt),
    Shape::Curve(|x| x * x * (3.0 - 2.0 * x)),
    Shape::Curve(|x| in_steps(x, 3.0)),
    Shape::Curve(|x| in_steps(x, 20.0)),
    Shape::Curve(|x| stalled(x, 0.05)),
    Shape::Curve(|x| stalled(x, 0.6)),
];

fn in_steps(time: f64, steps: f64) -> f64 {
    (time * steps).floor() / steps
}

/// Linear, but for a third of the time from `from` on.
fn stalled(time: f64, from: f64) -> f64 {
    1.5 * (time - (time - from).clamp(0.0, 1.0 / 3.0))
}

/// A hundred shapes of random speeds, the same ones in every run.
fn random_shapes() -> Vec<Shape> {
    let mut state = 0x5EED_u64;
    // SplitMix64: it stays the same whatever becomes of any library.
    let mut random = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut shape = || {
        let mut knots = [0.0; 7];
        for i in 1..knots.len() {
            // Squared: speeds that differ by far more than a factor of two.
            knots[i] = knots[i - 1] + random().powi(2) + 0.001;
        }
        Shape::Knots(knots.map(|knot| knot / knots[6]))
    };
    (0..100).map(|_| shape()).collect()
}

/// A simulated job. Times are in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub queue: u64,
    pub run: u64,
    pub shape: Shape,
    pub records: u64,
    /// Whether its status tells counts.
    pub counts: bool,
}

impl Job {
    /// From its creation to its end, queue and run.
    pub(crate) fn length(&self) -> u64 {
        self.queue + self.run
    }

    /// What a check finds so many seconds after the job was created.
    fn counts_at(&self, time: u64) -> Counts {
        let running = time.saturating_sub(self.queue) as f64 / self.run as f64;
        // The addition keeps a whole number that a float just misses.
        let updated = (self.shape.at(running) * self.records as f64 + 1e-9).floor() as u64;
        let [total, updated] = [self.records, updated].map(|count| self.counts.then_some(count));
        Counts { total, updated, ..Counts::default() }
    }
}

/// The jobs that the targets are about: six durations, three queues, five shapes.
pub(crate) fn listed_jobs(counts: bool) -> Vec<Job> {
    jobs(&[20, 120, 600, 3_600, 21_600, 43_200], &[0, 60, 1_800], &SHAPES, 50_000, counts)
}

/// Every combination.
fn jobs(runs: &[u64], queues: &[u64], shapes: &[Shape], records: u64, counts: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for &run in runs {
        for &queue in queues {
            jobs.extend(shapes.iter().map(|&shape| Job { queue, run, shape, records, counts }));
        }
    }
    jobs
}

/// The default bounds.
pub(crate) const USUAL: Bounds = Bounds { min_seconds: 10, max_seconds: 900 };

/// Jobs and bounds beyond the listed ones, to show that the rule was not fitted to those: no duration and no queue is
/// among theirs.
pub(crate) fn scenarios() -> Vec<(&'static str, Vec<Job>, Bounds)> {
    const RUNS: [u64; 8] = [33, 75, 250, 900, 2_000, 7_000, 30_000, 80_000];
    const QUEUES: [u64; 4] = [0, 25, 400, 5_000];
    let with = |shapes: &[Shape], records| jobs(&RUNS, &QUEUES, shapes, records, true);
    let usual = || with(&SHAPES, 50_000);
    // Zoho's latest specification does not list `RUNNING`: all that a rule can see of these is a queue.
    let silent = |length: &u64| Job { queue: length - 1, run: 1, shape: SHAPES[0], records: 1, counts: false };
    vec![
        ("other durations and queues", usual(), USUAL),
        ("other shapes", with(&OTHER_SHAPES, 50_000), USUAL),
        ("random shapes", with(&random_shapes(), 50_000), USUAL),
        ("5 records", with(&SHAPES, 5), USUAL),
        ("scheduled until completed", RUNS.iter().chain(&QUEUES[1..]).map(silent).collect(), USUAL),
        ("bounds 30 s and 5 min", usual(), Bounds { min_seconds: 30, max_seconds: 300 }),
        ("bounds 1 s and 1 h", usual(), Bounds { min_seconds: 1, max_seconds: 3_600 }),
    ]
}

/// What a policy may go by.
pub(crate) struct Check {
    pub history: History,
    pub job: JobStatus,
    pub now: Timestamp,
    pub bounds: Bounds,
    /// Seconds until the job ends, which only a clairvoyant may look at.
    pub ends_in: u64,
}

impl Check {
    /// Seconds since the first check.
    pub(crate) fn watched(&self) -> u64 {
        self.history.began.map_or(0, |began| self.now.seconds_since(began) as u64)
    }
}

/// Watches a job from its creation to its end: how many checks that takes, and how many seconds late the last one is.
pub(crate) fn watch(job: &Job, bounds: &Bounds, wait: impl Fn(&Check) -> u64) -> (u32, u64) {
    let at = |time| Timestamp::from_epoch_seconds(CREATED + time as i64);
    let status = |text| Status::normalize(text).unwrap();
    let seen = JobStatus { status: status("SCHEDULED"), counts: Counts::default() };
    let mut check = Check { history: History::default(), job: seen, now: at(0), bounds: *bounds, ends_in: 0 };
    let (mut time, mut checks) = (0, 1);
    while time < job.length() {
        (check.now, check.ends_in, check.job.counts) = (at(time), job.length() - time, job.counts_at(time));
        if time >= job.queue && check.job.status.is_queued() {
            check.job.status = status("RUNNING");
        }
        time += wait(&check);
        let began = check.history.began.or(Some(check.now));
        check.history = History { began, checked_at: Some(check.now), counts: check.job.counts, ..History::default() };
        checks += 1;
    }
    (checks, time - job.length())
}

/// How a policy did on a set of jobs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub checks: u32,
    /// Jobs noticed too late: by more than the lower bound and more than a tenth of their length.
    pub too_late: u32,
    /// The largest share of a job's length (queue and run) by which it was noticed late. Here a job counts as at least
    /// ten lower bounds long, so that a tenth is what is too late for every job.
    pub worst: f64,
    /// The mean share of the length, as it is.
    pub mean: f64,
}

pub(crate) fn tally(jobs: &[Job], bounds: &Bounds, wait: impl Fn(&Check) -> u64) -> Tally {
    let mut tally = Tally::default();
    for job in jobs {
        let (checks, late) = watch(job, bounds, &wait);
        let share = late as f64 / job.length().max(10 * bounds.min_seconds) as f64;
        tally.checks += checks;
        tally.too_late += u32::from(share > 0.1);
        tally.worst = tally.worst.max(share);
        tally.mean += late as f64 / job.length() as f64 / jobs.len() as f64;
    }
    tally
}
