//! A share of a processor for one process, by the kernel's bandwidth control. Needs a control group that can be written.

use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What Lambda gives a function with 128 MB: AWS's guide has a whole processor at 1,769 MB.
pub const SHARE: f64 = 0.07;
/// In each period, a process runs for its share of it, and then waits for the next one. AWS does not say how long a period
/// is. In a short one, less work fits in without a wait.
pub const PERIOD: Duration = Duration::from_millis(20);

/// A control group with the quota; removed when dropped.
pub struct Quota(PathBuf);

impl Quota {
    pub fn new() -> Result<Self> {
        let period = PERIOD.as_micros();
        let quota = PERIOD.mul_f64(SHARE).as_micros();
        // Of the second version, or of the first.
        for (root, files) in [
            ("/sys/fs/cgroup", vec![("cpu.max", format!("{quota} {period}"))]),
            (
                "/sys/fs/cgroup/cpu",
                vec![("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota.to_string())],
            ),
        ] {
            let group = Path::new(root).join(format!("speed-{}", std::process::id()));
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let made = Self(group);
            let mut files = files.iter();
            // The kernel's files: where they are missing, this is no such group.
            if files.all(|(name, value)| {
                made.0.join(name).exists() && fs::write(made.0.join(name), value).is_ok()
            }) {
                return Ok(made);
            }
        }
        bail!("no control group for processor time can be made")
    }

    /// From now on, all threads of this process are bound by the quota.
    pub fn apply(&self, process: u32) -> Result<()> {
        Ok(fs::write(self.0.join("cgroup.procs"), process.to_string())?)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Fails while a process is in it.
        let _removed = fs::remove_dir(&self.0);
    }
}
