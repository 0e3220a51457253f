//! The command line, and the settings that follow from it and the environment.

use crate::credentials::invalid;
use clap::{Parser, Subcommand};
use mass_change_owner_status::config::{self, Config};
use mass_change_owner_status::environment::{self, Environment};
use mass_change_owner_status::watch::job::{Job, JobId, ModuleName};
use mass_change_owner_status::{error::WatchError, invalid::Invalid, timestamp::Timestamp};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Watch a Zoho CRM "mass change owner" job until it ends.
#[derive(Parser)]
#[command(
    name = "watch-job",
    version,
    after_help = include_str!("help.txt"),
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// API name of the module whose records get a new owner, such as Leads
    #[arg(required_unless_present = "check_credentials")]
    pub module: Option<String>,
    /// The ID of the job, such as 3652397000009565021
    #[arg(required_unless_present = "check_credentials")]
    pub job_id: Option<String>,
    /// File or pipe with Zoho's credentials, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Secret in AWS Secrets Manager with Zoho's credentials [env: ZOHO_SECRET_ID]
    #[arg(long, value_name = "NAME_OR_ARN", conflicts_with = "credentials")]
    pub secret_id: Option<String>,
    /// Data center of the credentials, such as EU [env: ZOHO_DATA_CENTER]
    #[arg(long, value_name = "NAME", global = true)]
    pub data_center: Option<String>,
    /// Request an access token of its own, and keep none for the next start
    #[arg(long)]
    pub no_cache: bool,
    /// Report in one line whether the credentials, the scope, and the data center are correct, and exit
    #[arg(long)]
    pub check_credentials: bool,
    /// Check once and exit
    #[arg(long, conflicts_with = "check_credentials")]
    pub once: bool,
    /// Print one report (a JSON object) per line
    #[arg(long, conflicts_with = "check_credentials")]
    pub json: bool,
    /// Shortest wait between two checks [env: CHECK_INTERVAL_MIN_SECONDS] [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_interval: Option<String>,
    /// Longest wait between two checks [env: CHECK_INTERVAL_MAX_SECONDS] [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_interval: Option<String>,
    /// Stop watching an unfinished job after this time [env: WATCH_LIMIT_SECONDS] [default: 1d]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    limit: Option<String>,
    /// When this watch began, to resume it: an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = past)]
    pub since: Option<Timestamp>,
    /// No bell at the end of a watch of a minute or more
    #[arg(long)]
    pub no_bell: bool,
    /// Log each request to standard error, without a progress bar
    #[arg(short, long)]
    pub verbose: bool,
}

/// Everything but a watch.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Get credentials from Zoho, once, and keep them for every later start
    ///
    /// Register a client of the type "Non-browser Application" at api-console.zoho.com (or .eu, .in, …). Its ID and
    /// its secret are options, or asked for, or read from a pipe, a line each. With a "Self Client", generate a code there and
    /// use --code.
    Login {
        /// The client's ID
        #[arg(long)]
        client_id: Option<String>,
        /// The client's secret; other users of this computer can see an option while the login runs
        #[arg(long)]
        client_secret: Option<String>,
        /// One-time code of a self client, or the console's self_client.json (- for standard input)
        #[arg(long, value_name = "CODE_OR_FILE")]
        code: Option<PathBuf>,
        /// Print the JSON for AWS Secrets Manager instead of writing a file
        #[arg(long)]
        print_secret: bool,
    },
}

impl Arguments {
    /// Whether a job is to be watched.
    pub(crate) fn is_watch(&self) -> bool {
        self.command.is_none() && !self.check_credentials
    }

    /// The job to watch. `--check-credentials` can do without a module and a job ID.
    pub(crate) fn job(&self) -> Result<Job, WatchError> {
        let (module, job_id) = (self.module.as_deref().unwrap_or("Leads"), self.job_id.as_deref().unwrap_or("1"));
        let no_module = |problem: Invalid| invalid(problem.of(&format!("the module {module:?}")));
        let no_job = |problem: Invalid| invalid(problem.of(&format!("the job ID {job_id:?}")));
        Ok(Job { module: ModuleName::parse(module).map_err(no_module)?, job_id: JobId::parse(job_id).map_err(no_job)? })
    }

    /// What to say if Ctrl-C ends this: for a watch that begins now, how to resume it.
    pub(crate) fn interruption(&self, command: impl Iterator<Item = OsString>) -> String {
        if !self.is_watch() {
            return "Interrupted.".to_owned();
        }
        let since = self.since.map_or_else(|| format!(" --since {}", Timestamp::now()), |_| String::new());
        let command = command.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ");
        format!("The watch has stopped; the job itself continues in Zoho. To resume the watch:\n  {command}{since}")
    }
}

/// Seconds, also without a unit. Which of them are valid is the same as for variables.
fn duration(text: &str) -> Result<String, humantime::DurationError> {
    let seconds = text.parse::<u64>();
    Ok(seconds.or_else(|_| humantime::parse_duration(text).map(|duration| duration.as_secs()))?.to_string())
}

fn past(text: &str) -> Result<Timestamp, &'static str> {
    let past = Timestamp::parse(text).filter(|time| *time <= Timestamp::now());
    past.ok_or("it must be a past RFC 3339 time, such as 2026-11-23T10:00:00Z")
}

/// A word as a shell reads it back.
fn quoted(word: &OsStr) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    match word.to_str().filter(|text| !text.is_empty() && text.chars().all(is_plain)) {
        Some(text) => text.to_owned(),
        None => format!("$'{}'", word.as_encoded_bytes().escape_ascii()),
    }
}

/// What the environment says: the variables, with the options in their places, and what follows from them.
pub(crate) struct Settings {
    pub environment: Environment,
    pub config: Config,
}

/// How variables begin that count only with a secret in AWS, or, for messages, never.
const UNUSED: [&str; 5] = ["AWS_", "STATUS_TOPIC_", "STILL_RUNNING_", "NO_PROGRESS_", "CHAT_"];

impl Settings {
    /// `secret_id` is the name of a secret in AWS.
    pub(crate) fn new(arguments: &Arguments, secret_id: Option<&str>) -> Result<Self, WatchError> {
        let options = [
            ("ZOHO_DATA_CENTER", arguments.data_center.as_deref()),
            ("CHECK_INTERVAL_MIN_SECONDS", arguments.min_interval.as_deref()),
            ("CHECK_INTERVAL_MAX_SECONDS", arguments.max_interval.as_deref()),
            ("WATCH_LIMIT_SECONDS", arguments.limit.as_deref()),
            // The function cannot work without a secret; this program can.
            ("ZOHO_SECRET_ID", secret_id.or(Some("unused"))),
        ];
        let options = options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let unused = UNUSED.iter().skip(usize::from(secret_id.is_some()));
        let is_used = |name: &str| !unused.clone().any(|start| name.starts_with(start));
        let process = environment::variables().filter(|(name, _)| is_used(name));
        let environment: Environment = process.chain(options).collect();
        let config = Config::new(&environment).map_err(|problems| config::invalid(&problems))?;
        Ok(Self { environment, config })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_lines() {
        Arguments::command().debug_assert();
        for (words, is_valid) in [
            ("Leads 3652397000009565021 --since 2026-11-23T10:00:00Z", true),
            ("--check-credentials Deals", true),
            ("login --print-secret --data-center EU", true),
            ("Leads", false),
            ("Leads 1 --credentials f --secret-id s", false),
            ("--check-credentials --once", false),
            ("Leads 1 --since 9999-01-01T00:00:00Z", false),
            ("Leads 1 --limit 2x", false),
        ] {
            let parsed = Arguments::try_parse_from(format!("watch-job {words}").split(' '));
            assert_eq!(parsed.is_ok(), is_valid, "{words}");
        }
        assert_eq!(["90", "5m", "1h 30min"].map(|text| duration(text).unwrap()), ["90", "300", "5400"]);
    }

    #[test]
    fn the_command_that_resumes_a_watch() {
        for (words, expected) in [
            (
                &["watch-job", "Leads", "1", "--credentials", "a b's\x1b"][..],
                r"Leads 1 --credentials $'a b\'s\x1b' --since 2",
            ),
            (&["watch-job", "--since", "2026-11-22T10:00:00Z", "Leads", "1"], "--since 2026-11-22T10:00:00Z Leads 1"),
        ] {
            let command = Arguments::parse_from(words).interruption(words.iter().map(OsString::from));
            assert!(command.contains(&format!("\n  watch-job {expected}")), "{command}");
        }
    }
}
