//! The measurements themselves. Everything that is compared is taken in alternation.

use crate::process::{Process, Start};
use crate::quota::Quota;
use crate::stats::Times;
use crate::subject::{DEFAULT, FLOOR, OURS, Subject};
use crate::watch::{self, StepTimes};
use crate::world::{RUNNING_JOB, World, event};
use anyhow::{Context, Result, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Checks that each cold-started environment goes on to make.
const WARM_CHECKS: u32 = 49;
/// The same where each takes a while.
const WARM_CHECKS_FAR: u32 = 5;

/// What many short lives of a program were like.
#[derive(Default)]
pub struct Lives {
    /// Start of the process to the first answer.
    pub cold: Times,
    /// From an event to its answer.
    pub warm: Times,
    /// Processor time from the start to the first answer.
    pub cold_processor: Times,
    /// Resident bytes after the first check and after the last.
    pub resident: [u64; 2],
}

/// What one long life was like.
pub struct LongLife {
    pub checks: u32,
    pub took: Duration,
    pub times: Times,
    pub processor_per_check: Duration,
    pub resident: u64,
}

/// Starts every subject anew, in turn, again and again.
pub fn lives(subjects: &[Subject], rounds: u32) -> Result<Vec<Lives>> {
    let mut all: Vec<Lives> = subjects.iter().map(|_| Lives::default()).collect();
    let most = subjects.iter().map(|subject| subject.starts).max().unwrap_or_default();
    for turn in 0..rounds * most {
        for (subject, lives) in subjects.iter().zip(&mut all) {
            if turn % (most / subject.starts) == 0 {
                live(&subject.start, lives, WARM_CHECKS).with_context(|| subject.name)?;
            }
        }
    }
    Ok(all)
}

fn live(start: &Start, lives: &mut Lives, warm_checks: u32) -> Result<()> {
    let job = event(RUNNING_JOB);
    let process = Process::start(start, Some(&job))?;
    let answer = process.api.answer()?;
    lives.cold.push(answer.at - process.started);
    lives.cold_processor.push(process.processor_time()?);
    lives.resident[0] = process.resident()?;
    for _ in 0..warm_checks {
        lives.warm.push(process.api.invoke(&job)?.took);
    }
    lives.resident[1] = process.resident()?;
    Ok(())
}

/// One environment that checks as fast as it can.
pub fn long_life(subject: &Subject) -> Result<LongLife> {
    let job = event(RUNNING_JOB);
    let process = Process::start(&subject.start, Some(&job))?;
    process.api.answer()?;
    let used_before = process.processor_time()?;
    let began = Instant::now();
    for _ in 0..subject.checks {
        process.api.send(&job)?;
    }
    let mut times = Times::default();
    for _ in 0..subject.checks {
        times.push(process.api.answer()?.took);
    }
    let took = began.elapsed();
    let resident = process.resident()?;
    let processor = process.processor_time()?.saturating_sub(used_before);
    Ok(LongLife {
        checks: subject.checks,
        took,
        times,
        processor_per_check: processor / subject.checks,
        resident,
    })
}

/// The same program with everybody near, and with everybody far away.
pub struct Distances {
    pub name: &'static str,
    pub near: Start,
    pub far: Start,
}

/// How it fared.
#[derive(Default)]
pub struct Fared {
    pub near: Lives,
    pub far: Lives,
}

/// Starts each one near and far, in turn.
pub fn distances(all: &[Distances], rounds: u32) -> Result<Vec<Fared>> {
    let mut fared: Vec<Fared> = all.iter().map(|_| Fared::default()).collect();
    for _ in 0..rounds {
        for (distances, fared) in all.iter().zip(&mut fared) {
            live(&distances.near, &mut fared.near, WARM_CHECKS_FAR).context(distances.name)?;
            live(&distances.far, &mut fared.far, WARM_CHECKS_FAR).context(distances.name)?;
        }
    }
    Ok(fared)
}

/// What Zoho's stand-in takes to answer the plainest client there can be, on an open connection.
pub fn stand_in(world: &World, requests: u32) -> Result<Times> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&world.ca_file)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(world.zoho.address)?;
    socket.set_nodelay(true)?;
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let mut stream = StreamOwned::new(connection, socket);
    let mut buffer = [0; 4096];
    let mut times = Times::default();
    for _ in 0..requests {
        let began = Instant::now();
        stream.write_all(
            b"GET /crm/v8/Leads/actions/mass_change_owner?job_id=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )?;
        stream.flush()?;
        // The stand-in writes an answer in one piece, and so it arrives.
        ensure!(stream.read(&mut buffer)? > 0, "the stand-in has hung up");
        times.push(began.elapsed());
    }
    Ok(times)
}

/// Holds every subject to an answer, and to the requests of two checks. No time is looked at.
pub fn check(subjects: &[Subject], world: &World) -> Result<()> {
    for subject in subjects {
        let before = world.traffic();
        let process = Process::start(&subject.start, Some(&event(RUNNING_JOB)))?;
        let first = process.api.answer().with_context(|| subject.name)?;
        process.api.invoke(&event(RUNNING_JOB)).with_context(|| subject.name)?;
        let traffic = world.traffic().since(before);
        let (secrets, checks) = match subject.name {
            FLOOR => (0, 0),
            OURS | DEFAULT => (2, 2),
            _ => (1, 2),
        };
        if subject.name != FLOOR {
            ensure!(String::from_utf8_lossy(&first.body).contains("RUNNING"), "{}: no status", subject.name);
        }
        ensure!(
            (traffic.secrets_manager.requests, traffic.zoho.requests) == (secrets, checks),
            "{}: {traffic:?}",
            subject.name
        );
    }
    Ok(())
}

/// Watches of the default deployment: near, far, and near with a fraction of a processor.
#[derive(Default)]
pub struct Watches {
    pub near: StepTimes,
    pub far: StepTimes,
    /// None where the machine allows no quota.
    pub throttled: Option<StepTimes>,
}

/// Makes the watches in turn.
pub fn watches(near: &Start, far: &Start, world: &World, rounds: u32) -> Result<Watches> {
    let quota = Quota::new().inspect_err(|error| eprintln!("not measured with a quota: {error:#}")).ok();
    let mut watches = Watches { throttled: quota.is_some().then(StepTimes::default), ..Watches::default() };
    for _ in 0..rounds {
        watch::add(&mut watches.near, &watch::watch(near, world, None)?);
        watch::add(&mut watches.far, &watch::watch(far, world, None)?);
        if let Some(times) = &mut watches.throttled {
            watch::add(times, &watch::watch(near, world, quota.as_ref())?);
        }
    }
    Ok(watches)
}
