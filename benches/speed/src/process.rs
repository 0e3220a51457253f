//! One execution environment: a process with a Runtime API of its own.

use crate::runtime_api::RuntimeApi;
use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How to start it.
#[derive(Clone)]
pub struct Start {
    pub command: Vec<PathBuf>,
    pub directory: PathBuf,
    pub variables: BTreeMap<String, String>,
}

/// A running process; killed when dropped.
pub struct Process {
    pub api: RuntimeApi,
    pub started: Instant,
    child: Child,
    used_before: Duration,
}

impl Process {
    /// Starts it. An event that is queued `first` is handed out as soon as it is asked for.
    pub fn start(start: &Start, first: Option<&str>) -> Result<Self> {
        let api = RuntimeApi::start()?;
        if let Some(event) = first {
            api.send(event)?;
        }
        let (program, arguments) = start.command.split_first().context("no command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&start.directory)
            .env_clear()
            .envs(&start.variables)
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if std::env::var_os("SPEED_STDERR").is_none() {
            command.stderr(Stdio::null());
        }
        let used_before = used_by_ended_children()?;
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { api, started, child, used_before })
    }

    /// Resident memory now, in bytes.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kibibytes = status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
            })
            .context("no VmRSS")?;
        Ok(kibibytes * 1024)
    }

    /// Ends it and says how much processor time it took in all. One process at a time, or the figures mix.
    pub fn end(mut self) -> Result<Duration> {
        self.kill();
        Ok(used_by_ended_children()?.saturating_sub(self.used_before))
    }

    fn kill(&mut self) {
        // Fails for a process that has ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn used_by_ended_children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(microseconds.try_into()?))
}
