//! All that this program writes: a progress bar on a terminal, plain lines elsewhere, or JSON.

use crate::arguments::Arguments;
use crate::words::{fit, joined, pace, records};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::report::{Event, Report};
use mass_change_owner_status::watch::text::{MessageSettings, Text};
use mass_change_owner_status::watch::{job::Outcome, job::Status, request::Request};
use std::io::{self, Write};
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Standard output and standard error.
pub(crate) struct View {
    /// The name of the source of the credentials.
    pub source: String,
    /// Hidden, unless a watch has a terminal that can move its cursor.
    bar: ProgressBar,
    has_json: bool,
    has_bell: bool,
}

impl View {
    /// Sends the log to standard error. Libraries stay silent: they print headers and bodies, and with them tokens.
    pub(crate) fn new(arguments: &Arguments, source: String) -> Self {
        let has_bar = arguments.is_watch() && !(arguments.json || arguments.once || arguments.verbose);
        let target = if has_bar { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{prefix}\n{wide_bar}\n{msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▉▊▋▌▍▎▏░");
        let bar = ProgressBar::with_draw_target(Some(100), target).with_style(style);
        let level = if arguments.verbose { LevelFilter::DEBUG } else { LevelFilter::ERROR };
        let filter = Targets::new().with_target("mass_change_owner_status", level);
        // Nobody has to be able to read it.
        let layer = fmt::layer().with_target(false).with_ansi(false).without_time().log_internal_errors(false);
        tracing_subscriber::registry().with(layer.with_writer(io::stderr).with_filter(filter)).init();
        Self { source, bar, has_json: arguments.json, has_bell: !arguments.no_bell }
    }

    /// A check was made at the time `now`, after the one that `before` reports. `next`: seconds until the next one.
    pub(crate) fn report(&self, report: &Report, before: Option<&Report>, now: Timestamp, next: Option<u64>) {
        if self.has_json {
            self.out(&serde_json::to_string(report).unwrap_or_default());
        }
        let failed = before.and_then(Report::error);
        if let Some(error) = report.error() {
            // One line for each outage, and for each change of its cause. `end` prints the last one.
            let is_known = failed.is_some_and(|known| known.name == error.name);
            if !is_known && report.outcome().is_none() {
                self.err(&format!("{now} {}: {} ({})", error.name, error.message, pace(report, before, next)));
            }
            return;
        }
        if failed.is_some() {
            self.err(&format!("{now} The job can be checked again."));
        }
        if self.bar.is_hidden() && !self.has_json {
            let status = report.status.as_ref().map(Status::as_str).unwrap_or_default().to_owned();
            self.out(&format!("{now} {}", joined([status, records(report), pace(report, before, next)])));
        }
    }

    /// Waits for the next check.
    pub(crate) async fn wait(&self, report: &Report, before: Option<&Report>, seconds: u64) {
        let [module, job_id] = report.job.names();
        let names = [module, job_id, report.status.as_ref().map(Status::as_str)];
        self.bar.set_prefix(names.map(Option::unwrap_or_default).join(" "));
        self.bar.set_position(report.progress_percent().unwrap_or(0).into());
        for left in (1..=seconds).rev() {
            let lines = [records(report), pace(report, before, Some(left))].join("\n");
            self.bar.set_message(lines.trim().to_owned());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The watch is over.
    pub(crate) fn end(&self, report: &Report, request: &Request) {
        self.bar.finish_and_clear();
        let Some(outcome) = report.outcome().filter(|_| !self.has_json) else { return };
        let text = Text::about(report, Event::End(outcome), request, &MessageSettings::default());
        let job_id = report.job.names()[1].unwrap_or_default();
        let mut lines = vec![format!("{}: {}, job {job_id}", text.beginning, text.operation), text.sentence];
        lines.extend(report.error().map(|error| format!("{}: {}", error.name, error.message)));
        lines.extend(match outcome {
            // What ended this watch would end the next one, too.
            Outcome::WatchFailed => None,
            Outcome::WatchTimedOut => Some("To watch it again, run the command again, without --since.".to_owned()),
            _ => text.advice,
        });
        // Whoever starts a longer watch looks elsewhere.
        let is_long = Timestamp::now().elapsed_since(report.began) >= 60;
        let bell = if is_long && self.has_bell && !self.bar.is_hidden() { "\x07" } else { "" };
        self.out(&(lines.join("\n") + bell));
    }

    /// Ctrl-C. The terminal has echoed it below the bar, which stays as it is: to clear it would clear the wrong lines.
    pub(crate) fn interrupted(&self, message: &str) {
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
        self.err(&format!("\n{message}"));
    }

    /// An error that ends the program, and the exit code.
    pub(crate) fn error(&self, error: &WatchError) -> u8 {
        self.err(&fit(error, &self.source).to_string());
        if matches!(error.kind, ErrorType::InvalidInput | ErrorType::InvalidConfiguration) { 2 } else { 5 }
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

    /// Lines on standard error, above the bar. Nobody has to be able to read them.
    pub(crate) fn err(&self, text: &str) {
        self.bar.suspend(|| drop(writeln!(io::stderr(), "{text}")));
    }
}
