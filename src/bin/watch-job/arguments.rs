//! The command line, and the settings that follow from it and the environment.

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use mass_change_owner_status::config::{self, Config};
use mass_change_owner_status::deadline::CurrentDeadline;
use mass_change_owner_status::environment::Environment;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::{self, Connections};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::ids::{Job, JobId, ModuleName};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Watch a Zoho CRM "mass change owner" job until it ends.
#[derive(Debug, Parser)]
#[command(name = "watch-job", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    /// API name of the module whose records get a new owner, such as Leads
    #[arg(required_unless_present_any = ["check_credentials", "man", "completions"])]
    module: Option<String>,
    /// The ID of the job, such as 3652397000009565021
    #[arg(required_unless_present_any = ["check_credentials", "man", "completions"])]
    job_id: Option<String>,
    /// File with Zoho's credentials, in a form of the function's secret
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Secret in AWS Secrets Manager with Zoho's credentials [env: ZOHO_SECRET_ID]
    #[arg(long, value_name = "NAME_OR_ARN", conflicts_with = "credentials")]
    pub secret_id: Option<String>,
    /// Report in one line whether the credentials, the scope, and the data center are correct, and exit
    #[arg(long)]
    check_credentials: bool,
    /// Print one report (a JSON object) per line
    #[arg(long, conflicts_with = "check_credentials")]
    pub json: bool,
    /// Shortest wait between two checks [env: CHECK_INTERVAL_MIN_SECONDS] [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds())]
    min_interval: Option<u64>,
    /// Longest wait between two checks [env: CHECK_INTERVAL_MAX_SECONDS] [default: 900]
    #[arg(long, value_name = "SECONDS", value_parser = seconds())]
    max_interval: Option<u64>,
    /// Stop watching a job that is unfinished after this time [env: WATCH_LIMIT_SECONDS] [default: 86400]
    #[arg(long, value_name = "SECONDS", value_parser = seconds())]
    limit: Option<u64>,
    /// When this watch began, to resume it: an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Timestamp>,
    /// Log each request to standard error
    #[arg(short, long)]
    pub verbose: bool,
    /// Print the manual page
    #[arg(long, exclusive = true)]
    man: bool,
    /// Print a completion script for this shell
    #[arg(long, exclusive = true, value_name = "SHELL")]
    completions: Option<Shell>,
}

const AFTER_HELP: &str = "\
Credentials come from --credentials, from --secret-id, from the variable ZOHO_CREDENTIALS (the content of such a file), \
or from the secret that ZOHO_SECRET_ID names, in this order. Only a secret in Secrets Manager is shared with the function, \
access tokens included; every other source gets an access token of its own.

Exit codes: 0 the job succeeded (or the credentials are correct); 1 it failed; 2 the command line or the environment is \
not valid; 3 it partially succeeded; 4 it was unfinished at the limit; 5 the watch could not continue (or the credentials \
are not correct). Ctrl-C ends the watch, not the job.";

/// What the program does.
#[derive(Debug)]
pub(crate) enum Task {
    /// Watch this job.
    Watch {
        /// The job.
        job: Job,
        /// When the watch began.
        since: Timestamp,
    },
    /// Check the credentials with a status request for this job, which need not exist.
    CheckCredentials(Job),
}

/// Everything that the command line and the environment say.
pub(crate) struct Settings {
    /// What to do.
    pub task: Task,
    /// `--credentials`.
    pub credentials: Option<PathBuf>,
    /// `--secret-id`.
    pub secret_id: Option<String>,
    /// The variables, with the options in their places.
    pub environment: Environment,
    /// The same, checked.
    pub config: Config,
    /// The HTTP client.
    pub connections: Arc<Connections>,
    /// How to go on.
    pub commands: Commands,
}

/// Commands for a shell.
pub(crate) struct Commands {
    /// The same command: a new watch.
    pub again: String,
    /// Continues this watch: its limit and its pace count from the same start.
    pub resume: String,
}

impl Arguments {
    /// Reads the process's own command line. A wrong one ends the process with 2, `--help` and `--version` with 0.
    pub(crate) fn read() -> Self {
        Self::parse()
    }

    /// Prints the manual page or the completions, if that was requested.
    pub(crate) fn print_page(&self) -> bool {
        let mut command = Self::command();
        let mut out = io::stdout().lock();
        if self.man {
            // Nobody is left to be informed of a closed pipe.
            let _closed = clap_mangen::Man::new(command).render(&mut out);
        } else if let Some(shell) = self.completions {
            clap_complete::generate(shell, &mut command, env!("CARGO_BIN_NAME"), &mut out);
        }
        let _closed = out.flush();
        self.man || self.completions.is_some()
    }

    /// # Errors
    ///
    /// `InvalidInput` for the job, `InvalidConfiguration` for a variable.
    pub(crate) fn settings(self) -> Result<Settings, WatchError> {
        let environment: Environment = std::env::vars().chain(self.variables()).collect();
        let config = Config::new(&environment).map_err(|problems| config::invalid(&problems))?;
        let connections = Connections::new(http::HttpSettings {
            cert_file: config.cert_file.as_deref(),
            proxy: config.proxy.clone(),
            // Checks have deadlines of their own.
            deadline: CurrentDeadline::default(),
        });
        let connections =
            connections.map_err(|problem| config::invalid(&[format!("SSL_CERT_FILE {problem}")]))?;
        let since = self.since.unwrap_or_else(Timestamp::now);
        let commands = Commands::new(std::env::args(), since);
        let (module, job_id) = (self.module.as_deref(), self.job_id.as_deref());
        let task = if self.check_credentials {
            Task::CheckCredentials(job(module.unwrap_or("Leads"), job_id.unwrap_or("1"))?)
        } else {
            Task::Watch { job: job(module.unwrap_or_default(), job_id.unwrap_or_default())?, since }
        };
        Ok(Settings {
            task,
            credentials: self.credentials,
            secret_id: self.secret_id,
            environment,
            config,
            connections: Arc::new(connections),
            commands,
        })
    }

    /// The options that stand in the place of variables.
    fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let seconds = |option: Option<u64>| option.map(|seconds| seconds.to_string());
        let secret_id = self.secret_id.clone().or_else(|| std::env::var(SECRET_ID).ok());
        [
            ("CHECK_INTERVAL_MIN_SECONDS", seconds(self.min_interval)),
            ("CHECK_INTERVAL_MAX_SECONDS", seconds(self.max_interval)),
            ("WATCH_LIMIT_SECONDS", seconds(self.limit)),
            // The function cannot work without a secret; this program can, with another source of credentials.
            (
                SECRET_ID,
                secret_id.filter(|name| !name.trim().is_empty()).or_else(|| Some("unused".to_owned())),
            ),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }
}

const SECRET_ID: &str = "ZOHO_SECRET_ID";

fn seconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=31_536_000)
}

fn past(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .filter(|time| *time <= Timestamp::now())
        .ok_or_else(|| "it must be an RFC 3339 time in the past, such as 2026-11-23T10:00:00Z".to_owned())
}

fn job(module: &str, job_id: &str) -> Result<Job, WatchError> {
    let invalid = |name: &str, text: &str, problem: String| {
        WatchError::new(ErrorType::InvalidInput, format!("the {name} {text:?} {problem}"))
    };
    Ok(Job {
        module: ModuleName::parse(module)
            .map_err(|problem| invalid("module", module, problem.to_string()))?,
        job_id: JobId::parse(job_id).map_err(|problem| invalid("job ID", job_id, problem.to_string()))?,
    })
}

impl Commands {
    fn new(arguments: impl Iterator<Item = String>, since: Timestamp) -> Self {
        let mut words = Vec::new();
        let mut is_since = false;
        for word in arguments {
            if !is_since && word != "--since" && !word.starts_with("--since=") {
                words.push(quoted(&word));
            }
            is_since = word == "--since";
        }
        let again = words.join(" ");
        Self { resume: format!("{again} --since {since}"), again }
    }
}

/// A word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, clap::error::ErrorKind> {
        Arguments::try_parse_from([&["watch-job"], words].concat()).map_err(|error| error.kind())
    }

    #[test]
    fn the_description_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn command_lines() {
        use clap::error::ErrorKind::{
            ArgumentConflict, DisplayHelp, InvalidValue, MissingRequiredArgument, UnknownArgument,
            ValueValidation,
        };
        for (words, error) in [
            (&["Leads", "3652397000009565021"][..], None),
            (&["--check-credentials"], None),
            (&["--check-credentials", "Deals"], None),
            (&["--man"], None),
            (&["Leads", "1", "--since", "2026-11-23T10:00:00Z"], None),
            (&["Leads"], Some(MissingRequiredArgument)),
            (&[], Some(MissingRequiredArgument)),
            (&["Leads", "1", "--credentials", "f", "--secret-id", "s"], Some(ArgumentConflict)),
            (&["Leads", "1", "--json", "--check-credentials"], Some(ArgumentConflict)),
            (&["Leads", "1", "--man"], Some(ArgumentConflict)),
            (&["Leads", "1", "--limit", "0"], Some(ValueValidation)),
            (&["Leads", "1", "--since", "9999-01-01T00:00:00Z"], Some(ValueValidation)),
            (&["--completions", "dos"], Some(InvalidValue)),
            (&["Leads", "1", "--interval", "5"], Some(UnknownArgument)),
            (&["--help"], Some(DisplayHelp)),
        ] {
            assert_eq!(parse(words).err(), error, "{words:?}");
        }
    }

    #[test]
    fn options_stand_in_the_place_of_variables() {
        let arguments = parse(&["Leads", "1", "--min-interval", "5", "--limit", "60"]).unwrap();
        let config = Config::new(&arguments.variables().collect()).unwrap();
        assert_eq!((config.check_interval_min_seconds, config.check_interval_max_seconds), (5, 900));
        assert_eq!(config.watch_limit_seconds, 60);
    }

    #[test]
    fn the_command_that_resumes_a_watch() {
        let since = Timestamp::parse("2026-11-23T10:00:00Z").unwrap();
        for (words, again) in [
            (
                &["watch-job", "Leads", "1", "--credentials", "my file's"][..],
                r"watch-job Leads 1 --credentials 'my file'\''s'",
            ),
            (&["watch-job", "Leads", "1", "--since=2026-11-22T10:00:00Z"], "watch-job Leads 1"),
            (&["watch-job", "--since", "2026-11-22T10:00:00Z", "Leads", "1"], "watch-job Leads 1"),
        ] {
            let commands = Commands::new(words.iter().map(|word| (*word).to_owned()), since);
            assert_eq!(commands.again, again);
            assert_eq!(commands.resume, format!("{again} --since 2026-11-23T10:00:00Z"));
        }
    }
}
