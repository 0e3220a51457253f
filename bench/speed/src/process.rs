//! One execution environment: a process with a Runtime API of its own.

use crate::runtime_api::RuntimeApi;
use crate::subject::Variables;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How to start it.
#[derive(Clone)]
pub struct Start {
    pub command: Vec<PathBuf>,
    pub directory: PathBuf,
    pub variables: Variables,
}

/// A running process; killed when dropped.
pub struct Process {
    pub api: RuntimeApi,
    pub started: Instant,
    child: Child,
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
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { api, started, child })
    }

    /// What Lambda does after each response.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// What Lambda does when there is an event. Returns when it was.
    pub fn thaw(&self) -> Result<Instant> {
        self.signal(Signal::CONT)?;
        Ok(Instant::now())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
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

    /// Processor time of its threads so far, by the kernel's own account.
    pub fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let account = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += account.split_whitespace().next().context("no schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails for a process that has ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
