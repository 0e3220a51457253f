//! Where the figures come from.

use anyhow::Result;
use std::fs;
use std::thread::{self, available_parallelism};
use std::time::Duration;
use time::UtcDateTime;

/// The share of the processors' time that may be others' before it disturbs.
const BUSY: f64 = 0.05;

/// The machine, in a sentence; with what else it was busy with.
pub fn described() -> Result<String> {
    let field = |file: &str, name: &str| -> Result<String> {
        let text = fs::read_to_string(file)?;
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        Ok(line.split_once(':').map_or("", |(_, value)| value).trim().to_owned())
    };
    let processor = field("/proc/cpuinfo", "model name")?;
    let memory: u64 = field("/proc/meminfo", "MemTotal")?.trim_end_matches(" kB").parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let others = busy_with_others()?;
    let busy = if others > BUSY { " **Too busy: these figures are to be taken again.**" } else { "" };
    Ok(format!(
        "{}: {} cores of {processor}, {} GiB, Linux {}; {:.0} % busy with other things before the run.{busy}",
        UtcDateTime::now().date(),
        available_parallelism()?,
        memory.div_ceil(1024 * 1024),
        kernel.trim(),
        others * 100.0,
    ))
}

/// The share of the processors' time that is used while this program does nothing.
fn busy_with_others() -> Result<f64> {
    let before = processors()?;
    thread::sleep(Duration::from_secs(2));
    let after = processors()?;
    let (idle, all) = (after.0 - before.0, after.1 - before.1);
    Ok(1.0 - idle as f64 / all.max(1) as f64)
}

/// Idle time and all time so far, in ticks.
fn processors() -> Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    // user, nice, system, idle, iowait, irq, softirq, steal
    Ok((ticks.iter().skip(3).take(2).sum(), ticks.iter().take(8).sum()))
}
