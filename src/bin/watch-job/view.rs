//! What the user sees: a progress bar on a terminal, plain lines elsewhere, or JSON.

use crate::progress::{self, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::watch::event::Event;
use mass_change_owner_status::watch::ids::Job;
use mass_change_owner_status::watch::job::Outcome;
use mass_change_owner_status::watch::message::{advice, between, counts, duration, headline};
use mass_change_owner_status::watch::report::Report;
use mass_change_owner_status::watch::request::History;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// One of the three, chosen once.
pub(crate) enum View {
    /// A terminal.
    Bar(ProgressBar),
    /// A pipe or a file.
    Lines,
    /// `--json`.
    Json,
}

const BAR: &str = "{prefix}\n{wide_bar} {msg}";
const TICK: Duration = Duration::from_secs(1);

impl View {
    /// Looks at what standard output is.
    pub(crate) fn new(json: bool) -> Self {
        if json {
            return Self::Json;
        }
        if !io::stdout().is_terminal() {
            return Self::Lines;
        }
        let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stdout());
        // The template is a constant that a test parses.
        let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏░"));
        Self::Bar(bar)
    }

    /// Sends the log to standard error: warnings, and with `verbose` each request.
    ///
    /// Libraries stay silent, whatever the level: they print headers and bodies, and with them tokens.
    pub(crate) fn log(&self, verbose: bool) {
        let level = if verbose { LevelFilter::DEBUG } else { LevelFilter::WARN };
        let filter = Targets::new().with_target("mass_change_owner_status", level);
        let bar = match self {
            Self::Bar(bar) => Some(bar.clone()),
            Self::Lines | Self::Json => None,
        };
        let writer = move || Log(bar.clone());
        let layer = fmt::layer().with_target(false).with_ansi(false).without_time().with_writer(writer);
        // Only the first call in a process can succeed, and there is one.
        let _already_set = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    }

    /// The first check is under way.
    pub(crate) fn begin(&self, job: &Job) {
        if let Self::Bar(bar) = self {
            bar.set_prefix(format!("{} {}", job.module, job.job_id));
            bar.set_message("first check");
        }
    }

    /// A check was made; `earlier` is what the check before it saw.
    pub(crate) fn report(&self, report: &Report, earlier: &History) {
        let progress = Progress::between(earlier, report);
        match self {
            Self::Json => out(&serde_json::to_string(report).unwrap_or_default()),
            Self::Lines if report.status.is_some() => {
                out(&format!("{} {}", report.checked_at, progress::line(report, &progress)));
            }
            // The end of a watch with an error: `end` prints it.
            Self::Lines => {}
            Self::Bar(bar) => {
                if let Some(percent) = report.progress_percent {
                    bar.set_position(percent.into());
                }
                bar.set_prefix(title(report));
                let percent = report.progress_percent.map(|percent| format!("{percent}%"));
                let speed = Some(progress.text()).filter(|text| !text.is_empty());
                bar.set_message(percent.into_iter().chain(speed).collect::<Vec<_>>().join(", "));
            }
        }
    }

    /// A check failed and will be repeated.
    pub(crate) fn retry(&self, error: &WatchError, seconds: u64) {
        self.err(&format!("{error} (trying again in {})", duration(seconds)));
    }

    /// Waits for the next check.
    pub(crate) async fn wait(&self, seconds: u64) {
        let end = Instant::now().checked_add(Duration::from_secs(seconds));
        let Some(end) = end else { return };
        if let Self::Bar(bar) = self {
            let message = bar.message();
            loop {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                let next = format!("next check in {}", duration(left.as_secs().saturating_add(1)));
                let parts = [message.as_str(), &next];
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                bar.set_message(parts.join(", "));
                tokio::time::sleep(TICK.min(left)).await;
            }
            bar.set_message(message);
        }
        tokio::time::sleep_until(end).await;
    }

    /// The watch is over.
    pub(crate) fn end(&self, report: &Report, again: &str) {
        let Some(outcome) = report.outcome else { return };
        match self {
            Self::Json => return,
            Self::Lines => {}
            Self::Bar(bar) => bar.finish_and_clear(),
        }
        for line in last_lines(report, outcome, again) {
            out(&line);
        }
    }

    /// Ctrl-C, or a request to terminate.
    pub(crate) fn interrupted(&self, resume: &str) {
        if let Self::Bar(bar) = self {
            bar.abandon();
        }
        self.err(&format!(
            "The watch has stopped; the job itself continues in Zoho. To resume the watch:\n  {resume}"
        ));
    }

    /// An error before the first check.
    pub(crate) fn error(&self, error: &WatchError) {
        self.err(&error.to_string());
    }

    fn err(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Self::Lines | Self::Json => eprintln!("{text}"),
        }
    }
}

/// What the job is, and what happened to its records so far.
fn title(report: &Report) -> String {
    let named = |text: Option<&str>| text.unwrap_or("unknown").to_owned();
    let job = format!("{} {}", named(report.job.module()), named(report.job.job_id()));
    let status = report.status.as_deref().unwrap_or("unknown");
    let mut parts = vec![format!("{job} {status}")];
    parts.extend(counts(report));
    parts.join(", ")
}

/// The end of the watch, and what to do.
fn last_lines(report: &Report, outcome: Outcome, again: &str) -> Vec<String> {
    let module = report.job.module().unwrap_or("unknown");
    let watched = between(report.first_checked_at, report.checked_at);
    let checks = if report.checks == 1 { "check" } else { "checks" };
    let mut lines = vec![
        format!("Zoho CRM {module} owner change: {}", headline(report, Event::End(outcome))),
        format!("Watched for {watched}, {} {checks}.", report.checks),
    ];
    lines.extend(report.error.as_ref().map(|error| format!("{}: {}", error.name, error.message)));
    if outcome.leaves_the_job_open() {
        lines.push("The job itself may continue in Zoho. To watch it again:".to_owned());
        lines.push(format!("  {again}"));
    } else {
        lines.extend(advice(Event::End(outcome), module));
    }
    lines
}

/// A line on standard output. A reader that has gone away ends the process, as it ends any filter.
fn out(line: &str) {
    let mut stdout = io::stdout().lock();
    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
        std::process::exit(141); // 128 and SIGPIPE
    }
}

/// Writes the log above the progress bar.
struct Log(Option<ProgressBar>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr();
        match &self.0 {
            Some(bar) => bar.suspend(|| stderr.write(text)),
            None => stderr.write(text),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_valid() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
