//! `watch-job`: watches a Zoho CRM mass change owner job from a terminal, without AWS.
#![deny(clippy::print_stdout, clippy::print_stderr)]
// The SDK's futures nest deep.
#![recursion_limit = "256"]

mod arguments;
mod check;
mod credentials;
mod login;
mod view;
mod words;

use arguments::{Arguments, Command, Settings};
use clap::Parser;
use credentials::{Source, Store, invalid, places, read};
use mass_change_owner_status::aws::sdk::{self, Sdk};
use mass_change_owner_status::{environment, error::WatchError, token::Sharing};
use std::process::ExitCode;
use view::View;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Where this fails, the AWS SDK reports what it does not understand.
    let _restarted = environment::restart_without_empty_variables();
    let arguments = Arguments::parse();
    let source = Source::choose(&arguments);
    let name = source.as_ref().map_or_else(|_| "the credentials".to_owned(), Source::name);
    let (view, interruption) = (View::new(&arguments, name), arguments.interruption(std::env::args_os()));
    let result = tokio::select! {
        // Until it waits for the first time, Ctrl-C ends the process at once, also at a question of `login`.
        biased;
        code = run(arguments, source, &view) => code,
        number = interrupted() => {
            view.interrupted(&interruption);
            Ok(number.saturating_add(128))
        }
    };
    result.unwrap_or_else(|error| view.error(&error)).into()
}

/// A watch, a check of the credentials, or a login, which ends with such a check. Returns the exit code.
async fn run(mut arguments: Arguments, source: Result<Source, WatchError>, view: &View) -> Result<u8, WatchError> {
    let Some(Command::Login { client_id, client_secret, code, print_secret }) = arguments.command.take() else {
        return work(source?, &arguments, view).await;
    };
    let (path, _) = places().ok_or_else(|| invalid("there is no home directory. Set HOME"))?;
    let client = [client_id, client_secret];
    let json = login::log_in(client, code.as_deref(), &Settings::new(&arguments, None)?, view).await?;
    if print_secret {
        view.out(&json);
        return Ok(0);
    }
    let name = path.display();
    credentials::write(&path, &json).map_err(|error| invalid(format!("{name} could not be written: {error}")))?;
    view.err(&format!("The credentials are in {name}, for you alone. To watch a job: watch-job MODULE JOB_ID"));
    arguments.check_credentials = true;
    work(Source::File(path), &arguments, view).await
}

/// A watch, or a check of the credentials.
async fn work(source: Source, arguments: &Arguments, view: &View) -> Result<u8, WatchError> {
    let (text, file) = match source {
        Source::Variable(text) => (text, None),
        Source::File(path) => {
            let (text, is_file) = read(&path)?;
            #[cfg(unix)]
            if path.metadata().is_ok_and(|file| is_file && std::os::unix::fs::MetadataExt::mode(&file) & 0o077 != 0) {
                let name = path.display();
                view.err(&format!("Other users can read {name}, which holds credentials. Run: chmod 600 {name}"));
            }
            (text, is_file.then_some(path))
        }
        Source::Secret(secret_id) => {
            let settings = Settings::new(arguments, Some(&secret_id))?;
            let region = sdk::region(&settings.environment).await;
            let region = region.ok_or_else(|| invalid("the secret is in AWS, but no Region is set. Set AWS_REGION"))?;
            let (connections, timeout) = (settings.config.connections.clone(), settings.config.zoho.request_timeout);
            let sdk = Sdk::load(connections, &settings.environment, region, timeout).await;
            return check::run(sdk.secret(secret_id), Sharing::ReadOnly, settings, arguments, view).await;
        }
    };
    let cache = places().map(|(_, cache)| cache).filter(|_| !arguments.no_cache);
    let (store, settings) = (Store::new(text, file, cache), Settings::new(arguments, None)?);
    check::run(store, Sharing::ReadWrite, settings, arguments, view).await
}

/// The number of the signal that asks the process to stop.
async fn interrupted() -> u8 {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        return tokio::select! {
            _ = terminate.recv() => 15,
            _ = tokio::signal::ctrl_c() => 2,
        };
    }
    let _registered = tokio::signal::ctrl_c().await;
    2
}
