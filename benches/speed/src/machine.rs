//! Where the figures come from.

use anyhow::Result;
use std::fs;
use std::thread::available_parallelism;
use time::UtcDateTime;

/// A load that disturbs: with two cores, another program that works all the time.
const BUSY: f64 = 1.0;

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
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: f64 = load.split(' ').next().unwrap_or_default().parse()?;
    let busy = if load > BUSY {
        " **It was busy with other things: these figures are to be taken again.**"
    } else {
        ""
    };
    Ok(format!(
        "{}: {} cores of {processor}, {} GiB, Linux {}; load before the run {load}.{busy}",
        UtcDateTime::now().date(),
        available_parallelism()?,
        memory.div_ceil(1024 * 1024),
        kernel.trim(),
    ))
}
