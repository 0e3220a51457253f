//! One watch of the default deployment: its cold start, warm checks, a sparse one, and its end.

use crate::http::Counts;
use crate::process::{Process, Start};
use crate::quota::Quota;
use crate::stats::Times;
use crate::world::{FINISHED_JOB, RUNNING_JOB, Traffic, World, event, scheduled_event};
use anyhow::{Result, bail, ensure};
use std::thread::sleep;
use std::time::Duration;

/// What happens in one environment, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From the start of the process: nobody has to wait for it, but it is part of a cold start.
    Init,
    First,
    Further,
    /// Zoho has closed the connection while the environment was frozen.
    Sparse,
    /// The job has finished: publish, and delete the schedule.
    End,
    /// Again, because the schedule could not be deleted, say.
    EndAgain,
}

impl Step {
    pub const ALL: [Self; 6] =
        [Self::Init, Self::First, Self::Further, Self::Sparse, Self::End, Self::EndAgain];

    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::First => "first check, running",
            Self::Further => "further check, running",
            Self::Sparse => "sparse check: the connection has ended meanwhile",
            Self::End => "end: scheduled, finished",
            Self::EndAgain => "the same end again",
        }
    }

    /// What a step must send, and over which connections.
    fn expected(self) -> Traffic {
        let new = |requests| Counts { connections: requests, resumed: 0, requests };
        let kept = |requests| Counts { connections: 0, resumed: 0, requests };
        let nothing = Traffic::default();
        match self {
            // The credentials and the shared token are read at the same time. The connection to Zoho is only opened.
            Self::Init => {
                Traffic { secrets_manager: new(2), zoho: Counts { connections: 1, ..kept(0) }, ..nothing }
            }
            Self::First | Self::Further => Traffic { zoho: kept(1), ..nothing },
            Self::Sparse => Traffic { zoho: Counts { resumed: 1, ..new(1) }, ..nothing },
            Self::End => Traffic { zoho: kept(1), sns: new(1), scheduler: new(1), ..nothing },
            // The same end is not announced twice by one process.
            Self::EndAgain => Traffic { zoho: kept(1), scheduler: kept(1), ..nothing },
        }
    }

    /// How many round trips must pass, one after the other, until the step is done.
    fn round_trips(self) -> u32 {
        match self {
            // Secrets Manager: TCP, TLS, and the request. Zoho meanwhile: TCP and TLS.
            Self::Init => 3,
            Self::First | Self::Further => 1,
            // TCP, TLS (a resumed handshake costs a round trip too), and the request.
            Self::Sparse => 3,
            // The check. SNS: TCP, TLS, and the request. Scheduler, which is connected to meanwhile: the request.
            Self::End => 1 + 4,
            Self::EndAgain => 1 + 1,
        }
    }
}

/// A step: how long it took, and what it sent.
pub struct Done {
    pub step: Step,
    pub took: Duration,
    pub traffic: Traffic,
}

/// Goes through all steps in a new process. After INIT, which has a whole processor on Lambda, the quota applies.
pub fn watch(start: &Start, world: &World, quota: Option<&Quota>) -> Result<Vec<Done>> {
    let mut before = world.traffic();
    let mut all = Vec::new();
    let process = Process::start(start, None)?;
    for step in Step::ALL {
        let took = match step {
            Step::Init => process.api.wait_until_ready()? - process.started,
            Step::First => {
                quota.map_or(Ok(()), |quota| quota.apply(process.id()))?;
                invoke(&process, &event(RUNNING_JOB))?
            }
            Step::Further => invoke(&process, &event(RUNNING_JOB))?,
            Step::Sparse => sparse(&process, world)?,
            Step::End | Step::EndAgain => invoke(&process, &scheduled_event(FINISHED_JOB))?,
        };
        let now = world.traffic();
        all.push(Done { step, took, traffic: now.since(before) });
        before = now;
    }
    Ok(all)
}

fn invoke(process: &Process, event: &str) -> Result<Duration> {
    let took = process.api.invoke(event)?.took;
    // Until the process asks for more, it may still be at it.
    process.api.wait_until_ready()?;
    Ok(took)
}

/// Ends the connection as it ends on Lambda: the process learns of it when it is thawed, together with the next event.
fn sparse(process: &Process, world: &World) -> Result<Duration> {
    process.freeze()?;
    world.zoho.end_connections();
    // For the news to arrive, however far the function is.
    sleep(Duration::from_millis(100));
    process.api.send(&event(RUNNING_JOB))?;
    let thawed = process.thaw()?;
    let took = process.api.answer()?.at - thawed;
    process.api.wait_until_ready()?;
    Ok(took)
}

/// The times of each step, over many watches.
pub type StepTimes = [Times; Step::ALL.len()];

pub fn add(times: &mut StepTimes, done: &[Done]) {
    for (times, done) in times.iter_mut().zip(done) {
        times.push(done.took);
    }
}

/// So long that what a machine adds, even a busy one, is far less.
const VERY_FAR: Duration = Duration::from_millis(150);
/// A busy machine can make a watch seem to have more round trips than it has, but never fewer: one good watch is proof.
const WATCHES: usize = 5;

/// Holds each step to its requests, connections, and round trips. Round trips are counted in whole ones, between
/// stand-ins that are so far away that nothing else counts: no time is compared with another.
pub fn check(start: &Start, far: impl Fn(Duration) -> Result<Start>, world: &World) -> Result<()> {
    for Done { step, traffic, .. } in watch(start, world, None)? {
        let expected = step.expected();
        ensure!(traffic == expected, "{}: {traffic:?}, expected {expected:?}", step.name());
    }
    let far = far(VERY_FAR)?;
    let mut least = [u128::MAX; Step::ALL.len()];
    let expected = Step::ALL.map(|step| u128::from(step.round_trips()));
    for _ in 0..WATCHES {
        for (least, done) in least.iter_mut().zip(watch(&far, world, None)?) {
            *least = (*least).min(done.took.as_nanos() / VERY_FAR.as_nanos());
        }
        if least == expected {
            return Ok(());
        }
    }
    let wrong =
        Step::ALL.into_iter().zip(least).find(|(step, least)| *least != u128::from(step.round_trips()));
    match wrong {
        Some((step, least)) => {
            bail!("{}: {least} round trips, expected {}", step.name(), step.round_trips())
        }
        None => Ok(()),
    }
}
