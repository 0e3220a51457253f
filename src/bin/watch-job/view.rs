//! What the user sees: a progress bar on a terminal, plain lines elsewhere, or JSON. Everything that this program writes,
//! it writes here.

use crate::exit::Exit;
use crate::place::Place;
use crate::progress::{joined, line, records, speed};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::event::Event;
use mass_change_owner_status::watch::format::duration;
use mass_change_owner_status::watch::ids::Job;
use mass_change_owner_status::watch::job::Status;
use mass_change_owner_status::watch::report::{Outcome, Report, ReportedError, seconds_between};
use mass_change_owner_status::watch::request::{History, Request};
use mass_change_owner_status::watch::text::{Deployment, Text};
use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::time::Duration;
use tokio::time::Instant;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Standard output and standard error.
pub(crate) struct View {
    screen: Screen,
    place: Place,
    has_bell: bool,
    /// Since when the job cannot be checked, and the name of the error.
    outage: RefCell<Option<(Timestamp, String)>>,
    cannot_write: Cell<bool>,
}

/// One of the three, chosen once.
enum Screen {
    /// A terminal that can move its cursor.
    Bar(ProgressBar),
    /// Any other terminal, a pipe, or a file.
    Lines,
    /// `--json`.
    Json,
}

const BAR: &str = "{prefix}\n{wide_bar}\n{msg}";
const TICK: Duration = Duration::from_secs(1);

/// Whoever starts a longer watch looks elsewhere.
const BELL_AFTER_SECONDS: u64 = 60;

impl View {
    /// `has_bar`: for a watch in the foreground.
    pub(crate) fn new(place: Place, has_bar: bool, has_json: bool, has_bell: bool) -> Self {
        let target = ProgressDrawTarget::stdout();
        let screen = if has_json {
            Screen::Json
        } else if has_bar && !target.is_hidden() {
            let bar = ProgressBar::with_draw_target(Some(100), target);
            // The template is a constant that a test parses.
            let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏░"));
            Screen::Bar(bar)
        } else {
            Screen::Lines
        };
        Self { screen, place, has_bell, outage: RefCell::default(), cannot_write: Cell::default() }
    }

    /// Sends the log to standard error: warnings, and with `verbose` each request.
    ///
    /// Libraries stay silent, whatever the level: they print headers and bodies, and with them tokens. So do the warnings
    /// about sharing tokens between execution environments: this program has its own.
    pub(crate) fn log(&self, verbose: bool) {
        let level = |quiet| if verbose { LevelFilter::DEBUG } else { quiet };
        let filter = Targets::new()
            .with_target("watch_job", LevelFilter::WARN)
            .with_target("mass_change_owner_status", level(LevelFilter::WARN))
            .with_target("mass_change_owner_status::token", level(LevelFilter::ERROR));
        let bar = match &self.screen {
            Screen::Bar(bar) => Some(bar.clone()),
            Screen::Lines | Screen::Json => None,
        };
        let writer = move || Log(bar.clone());
        let layer = fmt::layer().with_target(false).with_ansi(false).without_time().with_writer(writer);
        // Only the first call in a process can succeed, and there is one.
        let _already_set = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    }

    /// The first check is under way.
    pub(crate) fn begin(&self, job: &Job) {
        if let Screen::Bar(bar) = &self.screen {
            bar.set_prefix(format!("{} {}", job.module, job.job_id));
            bar.set_message("first check");
        }
    }

    /// A check was made; `earlier` is what the checks before it saw.
    pub(crate) fn report(&self, report: &Report, earlier: &History, now: Timestamp) {
        if matches!(self.screen, Screen::Json) {
            self.out(&serde_json::to_string(report).unwrap_or_default());
        }
        match (report.error(), report.next_check_seconds()) {
            (Some(error), Some(wait)) => self.failed(error, wait, now),
            // The end of the watch: `end` prints it.
            (Some(_), None) => {}
            (None, next) => {
                if let Some((since, _)) = self.outage.take() {
                    self.err(&format!(
                        "{now} The job can be checked again, after {}.",
                        duration(seconds_between(since, now))
                    ));
                }
                if matches!(self.screen, Screen::Lines) {
                    self.out(&format!("{now} {}", line(report, earlier, next)));
                }
            }
        }
    }

    /// The job cannot be checked. One line for each outage, and for each change of its cause.
    fn failed(&self, error: &ReportedError, wait: u64, now: Timestamp) {
        let (since, is_news) = match &*self.outage.borrow() {
            Some((since, name)) => (*since, *name != error.name),
            None => (now, true),
        };
        self.outage.replace(Some((since, error.name.clone())));
        if is_news {
            let (name, message, wait) = (&error.name, &error.message, duration(wait));
            self.err(&format!("{now} {name}: {message} (next attempt in {wait})"));
        }
    }

    /// Waits for the next check.
    pub(crate) async fn wait(&self, report: &Report, earlier: &History, seconds: u64) {
        let end = Instant::now().checked_add(Duration::from_secs(seconds));
        let Some(end) = end else { return };
        let Screen::Bar(bar) = &self.screen else { return tokio::time::sleep_until(end).await };
        let job = |name: Option<&str>| name.unwrap_or("unknown").to_owned();
        let status = report.status.as_ref().map_or("not checked yet", Status::as_str);
        bar.set_prefix(format!("{} {} {status}", job(report.job.module()), job(report.job.job_id())));
        bar.set_position(report.progress_percent().unwrap_or(0).into());
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let seconds = duration(left.as_secs().saturating_add(1));
            let pace = match &*self.outage.borrow() {
                Some((since, _)) => {
                    let clock = since.to_string().get(11..16).unwrap_or_default().to_owned();
                    format!("cannot be checked since {clock} UTC, next attempt in {seconds}")
                }
                None => joined([Some(speed(earlier, report)), Some(format!("next check in {seconds}"))]),
            };
            let lines = [records(report), pace];
            bar.set_message(lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"));
            tokio::time::sleep(TICK.min(left)).await;
        }
    }

    /// The watch is over.
    pub(crate) fn end(&self, report: &Report, request: &Request, again: &str) {
        let bell = match &self.screen {
            Screen::Bar(bar) => {
                bar.finish_and_clear();
                self.has_bell && seconds_between(report.began, Timestamp::now()) >= BELL_AFTER_SECONDS
            }
            Screen::Lines => false,
            Screen::Json => return,
        };
        let Some(outcome) = report.outcome() else {
            // `--once`: the line of the check has said it all, or there is none.
            return report
                .error()
                .map_or((), |error| self.err(&format!("{}: {}", error.name, error.message)));
        };
        let text = Text::about(report, Event::End(outcome), request, &Deployment::default());
        let checks = if report.checks == 1 { "check" } else { "checks" };
        let watched = duration(seconds_between(report.began, Timestamp::now()));
        let mut lines = vec![
            format!(
                "{}: {}, job {}",
                text.beginning,
                text.operation,
                report.job.job_id().unwrap_or("unknown")
            ),
            text.sentence,
            format!("Watched for {watched}, {} {checks}.", report.checks),
        ];
        lines.extend(report.error().map(|error| format!("{}: {}", error.name, error.message)));
        match outcome {
            // An error that ends a watch meets the same command again.
            Outcome::WatchFailed => {}
            Outcome::WatchTimedOut => lines.push(format!("To watch it again:\n  {again}")),
            _ => lines.extend(text.advice),
        }
        self.out(&lines.join("\n"));
        if bell {
            let _silent = io::stdout().write_all(b"\x07").and_then(|()| io::stdout().flush());
        }
    }

    /// Ctrl-C, or a request to terminate. `resume` is the command that continues the watch, if there is one.
    pub(crate) fn interrupted(&self, resume: Option<&str>) {
        if let Screen::Bar(bar) = &self.screen {
            bar.finish_and_clear();
        }
        if let Some(resume) = resume {
            self.err(&format!(
                "The watch has stopped; the job itself continues in Zoho. To resume the watch:\n  {resume}"
            ));
        }
    }

    /// An error that ends the program.
    pub(crate) fn error(&self, error: &WatchError) -> Exit {
        self.err(&self.fit(&error.to_string()));
        Exit::of_error(error)
    }

    /// A message in the words of this place.
    pub(crate) fn fit(&self, message: &str) -> String {
        self.place.fit(message)
    }

    /// A question, which is answered in the same line.
    pub(crate) fn prompt(question: &str) {
        let _unread = io::stderr().write_all(question.as_bytes());
    }

    /// The error in the words of this place.
    pub(crate) fn fit_error(&self, error: WatchError) -> WatchError {
        WatchError::new(error.kind(), self.place.fit(error.message()))
            .because(error.cause())
            .with_retry_after(error.retry_after())
    }

    /// A line on standard output. A reader that has gone away ends the process, as it ends any filter. A full disk does
    /// not: the exit code still says how the job ended.
    pub(crate) fn out(&self, line: &str) {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(141), // 128 and SIGPIPE
            Err(error) if !self.cannot_write.replace(true) => {
                self.err(&format!("standard output cannot be written ({error}); the exit code still counts"));
            }
            Err(_) => {}
        }
    }

    /// Lines on standard error, above the bar. They are advice: nobody has to be able to read them.
    pub(crate) fn err(&self, text: &str) {
        let write = || {
            let _unread = writeln!(io::stderr(), "{text}");
        };
        match &self.screen {
            Screen::Bar(bar) => bar.suspend(write),
            Screen::Lines | Screen::Json => write(),
        }
    }
}

/// Writes the log above the progress bar.
struct Log(Option<ProgressBar>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let write = || {
            // The subscriber panics where it cannot report that it could not write.
            let _unread = io::stderr().write_all(text);
        };
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
