//! What the user sees: a progress bar on a terminal, plain lines elsewhere, or JSON. Everything that this program writes,
//! it writes here.

use crate::words::{fit, joined, line, records, speed};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::job::{Outcome, Status};
use mass_change_owner_status::watch::report::{Report, seconds_between};
use mass_change_owner_status::watch::request::{History, Request};
use mass_change_owner_status::watch::text::{MessageSettings, Text};
use mass_change_owner_status::watch::{event::Event, format::duration};
use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Standard output and standard error.
#[derive(Default)]
pub(crate) struct View {
    /// The name of the source of the credentials.
    pub source: String,
    /// Only on a terminal that can move its cursor.
    pub bar: Option<ProgressBar>,
    pub has_json: bool,
    pub has_bell: bool,
    /// Why the last check failed.
    pub failing: RefCell<Option<String>>,
}

/// Whoever starts a longer watch looks elsewhere.
const BELL_AFTER_SECONDS: u64 = 60;

/// A bar on a terminal that can move its cursor.
pub(crate) fn bar() -> Option<ProgressBar> {
    let target = ProgressDrawTarget::stdout();
    let style = ProgressStyle::with_template("{prefix}\n{wide_bar}\n{msg}").ok()?;
    let bar = || ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stdout());
    let bar = (!target.is_hidden()).then(|| bar().with_style(style.progress_chars("█▉▊▋▌▍▎▏░")));
    bar.inspect(|bar| bar.set_message("first check"))
}

impl View {
    /// Sends the log to standard error: warnings, and with `verbose` each request. Libraries stay silent: they print headers
    /// and bodies, and with them tokens. So does the sharing of tokens between execution environments.
    pub(crate) fn log(&self, verbose: bool) {
        let level = |quiet| if verbose { LevelFilter::DEBUG } else { quiet };
        let filter = Targets::new()
            .with_target("watch_job", LevelFilter::WARN)
            .with_target("mass_change_owner_status", level(LevelFilter::WARN))
            .with_target("mass_change_owner_status::token", level(LevelFilter::ERROR));
        let bar = self.bar.clone();
        let layer = fmt::layer().with_target(false).with_ansi(false).without_time();
        let layer = layer.with_writer(move || Stderr(bar.clone())).with_filter(filter);
        // Only the first call in a process can succeed; a login makes a second one.
        let _already_set = tracing_subscriber::registry().with(layer).try_init();
    }

    /// A check was made at the time `now`; `earlier` is what the checks before it saw. `next`: seconds until the next one.
    pub(crate) fn report(&self, report: &Report, earlier: &History, now: Timestamp, next: Option<u64>) {
        if self.has_json {
            self.out(&serde_json::to_string(report).unwrap_or_default());
        }
        let name = report.error().map(|error| error.name.clone());
        let last = self.failing.replace(name.clone());
        match report.error() {
            // One line for each outage, and for each change of its cause. `end` prints the last one.
            Some(error) if name != last && report.outcome().is_none() => {
                let next = next.map(|seconds| format!(" (next attempt in {})", duration(seconds)));
                self.err(&format!("{now} {}: {}{}", error.name, error.message, next.unwrap_or_default()));
            }
            Some(_) => {}
            None => {
                if last.is_some() {
                    let gap = duration(seconds_between(since(report, earlier), now));
                    self.err(&format!("{now} The job can be checked again, after {gap}."));
                }
                if self.bar.is_none() && !self.has_json {
                    self.out(&format!("{now} {}", line(report, earlier, next)));
                }
            }
        }
    }

    /// Waits for the next check.
    pub(crate) async fn wait(&self, report: &Report, earlier: &History, seconds: u64) {
        let Some(end) = Instant::now().checked_add(Duration::from_secs(seconds)) else { return };
        let Some(bar) = &self.bar else { return tokio::time::sleep_until(end).await };
        let names = [report.job.module(), report.job.job_id(), report.status.as_ref().map(Status::as_str)];
        bar.set_prefix(names.map(Option::unwrap_or_default).join(" "));
        bar.set_position(report.progress_percent().unwrap_or(0).into());
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let seconds = duration(left.as_secs().saturating_add(1));
            let pace = if report.error().is_some() {
                let since = since(report, &History::from(report)).to_string();
                let clock = since.get(11..16).unwrap_or_default();
                format!("cannot be checked since {clock} UTC, next attempt in {seconds}")
            } else {
                joined([Some(speed(earlier, report)), Some(format!("next check in {seconds}"))])
            };
            bar.set_message([records(report), pace].join("\n").trim().to_owned());
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
    }

    /// The watch is over.
    pub(crate) fn end(&self, report: &Report, request: &Request, again: &str) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
        let error = report.error().map(|error| format!("{}: {}", error.name, error.message));
        let Some(outcome) = report.outcome().filter(|_| !self.has_json) else { return };
        let text = Text::about(report, Event::End(outcome), request, &MessageSettings::default());
        let (job_id, checks) = (report.job.job_id().unwrap_or_default(), report.checks);
        let watched = seconds_between(report.began, Timestamp::now());
        let mut lines = vec![format!("{}: {}, job {job_id}", text.beginning, text.operation), text.sentence];
        if watched > 0 {
            lines.push(format!("Watched for {} (checks: {checks}).", duration(watched)));
        }
        lines.extend(error);
        match outcome {
            // What ended this watch would end the next one, too.
            Outcome::WatchFailed => {}
            Outcome::WatchTimedOut => lines.push(format!("To watch it again:\n  {again}")),
            _ => lines.extend(text.advice),
        }
        self.out(&lines.join("\n"));
        if self.bar.is_some() && self.has_bell && watched >= BELL_AFTER_SECONDS {
            let _silent = io::stdout().write_all(b"\x07").and_then(|()| io::stdout().flush());
        }
    }

    /// Ctrl-C. The terminal has echoed it below the bar, which stays as it is: to clear it would clear the wrong lines.
    pub(crate) fn interrupted(&self) {
        self.bar.iter().for_each(|bar| bar.set_draw_target(ProgressDrawTarget::hidden()));
        if io::stderr().is_terminal() {
            self.ask("\n");
        }
    }

    /// An error that ends the program, and the exit code.
    pub(crate) fn error(&self, error: &WatchError) -> u8 {
        self.err(&fit(&error.to_string(), &self.source));
        if matches!(error.kind(), ErrorType::InvalidInput | ErrorType::InvalidConfiguration) { 2 } else { 5 }
    }

    /// A question, which is answered in the same line.
    pub(crate) fn ask(&self, question: &str) {
        let _infallible = Stderr(None).write_all(question.as_bytes());
    }

    /// The error in the words of this place.
    pub(crate) fn fit(&self, error: WatchError) -> WatchError {
        WatchError::new(error.kind(), fit(error.message(), &self.source))
            .because(error.cause())
            .with_retry_after(error.retry_after())
    }

    /// Lines on standard output. A reader that has gone away ends the process, as it ends any filter. A full disk does not:
    /// the exit code still counts.
    pub(crate) fn out(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(141), // 128 and SIGPIPE
            Err(error) => self.err(&format!("standard output cannot be written: {error}")),
            Ok(()) => {}
        }
    }

    /// Lines on standard error, above the bar.
    pub(crate) fn err(&self, text: &str) {
        let _infallible = Stderr(self.bar.clone()).write_all(format!("{text}\n").as_bytes());
    }
}

/// Since when a job that cannot be checked has not been seen.
fn since(report: &Report, earlier: &History) -> Timestamp {
    earlier.checked_at.filter(|_| earlier.status.is_some()).unwrap_or(report.began)
}

/// Standard error, above the bar. Nobody has to be able to read it.
struct Stderr(Option<ProgressBar>);

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let write = || drop(io::stderr().write_all(text));
        self.0.as_ref().map_or_else(write, |bar| bar.suspend(write));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
