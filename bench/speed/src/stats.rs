//! Figures of many runs: the median, and how far they spread.

use std::time::Duration;

/// Times, in the order in which they were taken.
#[derive(Debug, Default, Clone)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Each time with the other one of the same run.
    pub fn plus(&self, others: &Self) -> Self {
        Self(self.0.iter().zip(&others.0).map(|(time, other)| *time + *other).collect())
    }

    /// The time that this share of all does not exceed; zero where there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
        sorted.get(place).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }
}

/// `median (10 % to 90 %)` in milliseconds.
pub fn spread(times: &Times) -> String {
    let [low, median, high] = [0.1, 0.5, 0.9].map(|share| milliseconds(times.quantile(share)));
    format!("{median} ({low} to {high})")
}

/// Milliseconds with as many digits as mean something.
pub fn milliseconds(time: Duration) -> String {
    let value = time.as_secs_f64() * 1e3;
    match value {
        0.0..1.0 => format!("{value:.3}"),
        1.0..20.0 => format!("{value:.2}"),
        20.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Bytes in MiB, as memory is counted.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}

/// Bytes in MB, as files are.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}
