//! The command line, and the settings that follow from it and the environment.

use crate::login::LoginOptions;
use clap::{Parser, Subcommand};
use mass_change_owner_status::config::{self, Config};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::Connections;
use mass_change_owner_status::invalid::Invalid;
use mass_change_owner_status::watch::ids::{Job, JobId, ModuleName};
use mass_change_owner_status::{deadline::CurrentDeadline, environment::Environment, timestamp::Timestamp};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

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
    min_interval: Option<u64>,
    /// Longest wait between two checks [env: CHECK_INTERVAL_MAX_SECONDS] [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_interval: Option<u64>,
    /// Stop watching an unfinished job after this time [env: WATCH_LIMIT_SECONDS] [default: 1d]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    limit: Option<u64>,
    /// When this watch began, to resume it: an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = past)]
    pub since: Option<Timestamp>,
    /// No bell at the end of a watch of a minute or more
    #[arg(long)]
    pub no_bell: bool,
    /// Log each request to standard error
    #[arg(short, long)]
    pub verbose: bool,
}

/// Everything but a watch.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Get credentials from Zoho, once, and keep them for every later start
    Login(LoginOptions),
}

/// A variable and its value.
pub(crate) type Variable = (&'static str, Option<String>);

impl Arguments {
    /// The options that stand in the places of variables.
    pub(crate) fn variables(&self) -> [Variable; 3] {
        [
            ("CHECK_INTERVAL_MIN_SECONDS", self.min_interval),
            ("CHECK_INTERVAL_MAX_SECONDS", self.max_interval),
            ("WATCH_LIMIT_SECONDS", self.limit),
        ]
        .map(|(name, seconds)| (name, seconds.map(|seconds| seconds.to_string())))
    }

    /// The job to watch. `--check-credentials` can do without a module and a job ID.
    pub(crate) fn job(&self) -> Result<Job, WatchError> {
        let module = self.module.as_deref().unwrap_or("Leads");
        let job_id = self.job_id.as_deref().unwrap_or("1");
        let invalid = |problem| WatchError::new(ErrorType::InvalidInput, problem);
        let no_module = |problem: Invalid| invalid(problem.of(&format!("the module {module:?}")));
        let no_job = |problem: Invalid| invalid(problem.of(&format!("the job ID {job_id:?}")));
        Ok(Job { module: ModuleName::parse(module).map_err(no_module)?, job_id: JobId::parse(job_id).map_err(no_job)? })
    }
}

/// Whole seconds, also without a unit.
fn duration(text: &str) -> Result<u64, String> {
    let seconds = text.parse().map(Duration::from_secs);
    seconds
        .or_else(|_| humantime::parse_duration(text))
        .ok()
        .filter(|duration| duration.subsec_nanos() == 0 && (1..=31_536_000).contains(&duration.as_secs()))
        .map(|duration| duration.as_secs())
        .ok_or_else(|| "it must be a duration from 1s to 365d, such as 90s, 5m, or 2h".to_owned())
}

fn past(text: &str) -> Result<Timestamp, String> {
    let past = Timestamp::parse(text).filter(|time| *time <= Timestamp::now());
    past.ok_or_else(|| "it must be an RFC 3339 time in the past, such as 2026-11-23T10:00:00Z".to_owned())
}

/// This command, for a shell: a new watch. With `--since`, it continues a watch.
pub(crate) fn again(arguments: impl Iterator<Item = OsString>) -> String {
    let mut words = Vec::new();
    let mut is_since = false;
    for word in arguments {
        if !is_since && word != "--since" && !word.as_encoded_bytes().starts_with(b"--since=") {
            words.push(quoted(&word));
        }
        is_since = word == "--since";
    }
    words.join(" ")
}

/// A word as a shell reads it back.
fn quoted(word: &OsStr) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    match word.to_str().filter(|text| !text.contains(char::is_control)) {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        None => format!("$'{}'", word.as_encoded_bytes().escape_ascii()),
    }
}

/// What the environment says: the variables, with the options in their places, and what follows from them.
pub(crate) struct Settings {
    pub environment: Environment,
    pub config: Config,
    pub connections: Connections,
}

/// For messages that this program does not publish.
const UNUSED: [&str; 4] =
    ["STATUS_TOPIC_ARN", "STILL_RUNNING_NOTICE_SECONDS", "NO_PROGRESS_NOTICE_SECONDS", "CHAT_NOTIFICATIONS"];

impl Settings {
    /// `variables` are options. AWS's own variables count only with a secret there.
    pub(crate) fn new(variables: &[Variable], secret_id: Option<&str>) -> Result<Self, WatchError> {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        let is_used = |name: &str| !UNUSED.contains(&name) && (secret_id.is_some() || !name.starts_with("AWS_"));
        // The function cannot work without a secret; this program can.
        let secret_id = [("ZOHO_SECRET_ID", Some(secret_id.unwrap_or("unused").to_owned()))];
        let given = variables.iter().chain(&secret_id);
        let given = given.filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?)));
        let process = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        let environment: Environment = process.filter(|(name, _)| is_used(name)).chain(given).collect();
        let config = Config::new(&environment).map_err(|problems| config::invalid(&problems))?;
        let (cert_file, proxy) = (config.cert_file.as_deref(), config.proxy.clone());
        let connections = Connections::new(cert_file, proxy, CurrentDeadline::default());
        let invalid = |problem| config::invalid(&[format!("SSL_CERT_FILE {problem}")]);
        Ok(Self { environment, config, connections: connections.map_err(invalid)? })
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
            (&["Leads", "3652397000009565021", "--since", "2026-11-23T10:00:00Z"][..], true),
            (&["--check-credentials", "Deals"], true),
            (&["login", "--print-secret"], true),
            (&["Leads"], false),
            (&["Leads", "1", "--credentials", "f", "--secret-id", "s"], false),
            (&["--check-credentials", "--once"], false),
            (&["Leads", "1", "--since", "9999-01-01T00:00:00Z"], false),
        ] {
            let parsed = Arguments::try_parse_from([&["watch-job"], words].concat());
            assert_eq!(parsed.is_ok(), is_valid, "{words:?}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in
            [("90", 90), ("5m", 300), ("1h 30min", 5_400), ("365d", 31_536_000), ("366d", 0), ("0", 0), ("500ms", 0)]
        {
            assert_eq!(duration(text).unwrap_or(0), seconds, "{text}");
        }
    }

    #[test]
    fn the_command_that_resumes_a_watch() {
        for (words, expected) in [
            (&["watch-job", "Leads", "1", "a b's", "a\x1bb"][..], r"watch-job Leads 1 'a b'\''s' $'a\x1bb'"),
            (&["watch-job", "Leads", "1", "--since=2026-11-22T10:00:00Z"], "watch-job Leads 1"),
            (&["watch-job", "--since", "2026-11-22T10:00:00Z", "Leads", "1"], "watch-job Leads 1"),
        ] {
            assert_eq!(again(words.iter().map(OsString::from)), expected);
        }
    }
}
