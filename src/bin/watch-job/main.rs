//! `watch-job`: watches a Zoho CRM mass change owner job from a terminal, without AWS.
//!
//! * [`arguments`]: the command line, and the settings that follow from it and the environment.
//! * [`source`]: where the credentials come from; [`files`] reads and writes them; [`login`] gets them from Zoho.
//! * [`store`]: keeps the access token for the next start.
//! * [`watch`]: the loop of checks, with the function's own checker, rule, and report; [`check_credentials`] is one check.
//! * [`view`]: a progress bar, plain lines, or JSON; [`progress`] and [`place`] find the words.
#![deny(clippy::print_stdout, clippy::print_stderr)]
// The SDK's futures nest deep.
#![recursion_limit = "256"]

mod arguments;
mod check_credentials;
mod files;
mod login;
mod place;
mod progress;
mod source;
mod store;
mod view;
mod watch;

use arguments::{Arguments, Command, Settings, again};
use clap::Parser;
use login::Login;
use mass_change_owner_status::aws::sdk::{self, Sdk};
use mass_change_owner_status::environment;
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::setup;
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::token::SecretStore;
use mass_change_owner_status::watch::request::Request;
use place::Place;
use source::{Source, invalid};
use std::process::ExitCode;
use std::sync::Arc;
use store::{LocalStore, ReadOnly};
use view::View;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Where this fails, the AWS SDK reports what it does not understand.
    let _restarted = environment::restart_without_empty_variables();
    let mut arguments = Arguments::parse();
    if let Some(Command::Login(login)) = arguments.command.take() {
        let options = login.options();
        let view = View::new(Place("the credentials".to_owned(), &options));
        let written = log_in(&login, &view).await;
        match written.unwrap_or_else(|error| Some(view.error(&error))) {
            Some(code) => return code.into(),
            None => arguments.check_credentials = true,
        }
    }
    work(&arguments).await.into()
}

/// Gets credentials and keeps them. Returns an exit code if there is nothing to check.
async fn log_in(login: &Login, view: &View<'_>) -> Result<Option<u8>, WatchError> {
    let (path, _) = files::places().ok_or_else(|| invalid("there is no home directory. Set HOME"))?;
    let settings = Settings::new(&login.options(), None)?;
    let client = login.client()?;
    let json = tokio::select! {
        json = login.run(&client, &settings, view) => json?,
        number = interrupted() => return Ok(Some(number.saturating_add(128))),
    };
    if login.print_secret {
        view.out(&json);
        return Ok(Some(0));
    }
    let path_shown = files::shown(&path);
    files::write(&path, &json)
        .map_err(|error| invalid(format!("{path_shown} could not be written: {error}")))?;
    view.err(&format!(
        "Only you can read the credentials in {path_shown}. To watch a job: watch-job MODULE JOB_ID"
    ));
    Ok(None)
}

/// A watch, or a check of the credentials. Returns the exit code.
async fn work(arguments: &Arguments) -> u8 {
    let options = arguments.options();
    let source = Source::choose(arguments.credentials.as_deref(), arguments.secret_id.as_deref());
    let name = source.as_ref().map_or_else(|_| "the credentials".to_owned(), Source::name);
    let mut view = View::new(Place(name, &options));
    if arguments.json || !(arguments.once || arguments.check_credentials) {
        view = view.of_watch(arguments.json, !arguments.no_bell);
    }
    view.log(arguments.verbose);
    let result = async {
        let source = source?;
        let Source::Secret(secret_id) = source else {
            let settings = Settings::new(&options, None)?;
            let hosts = ["ZOHO_ACCOUNTS_DOMAIN", "ZOHO_API_DOMAIN", "ZOHO_DATA_CENTER"];
            let hosts = format!("{:?}", hosts.map(|name| settings.environment.get(name)));
            let cache = files::places().map(|(_, cache)| cache).filter(|_| !arguments.no_cache);
            let store = LocalStore::new(source, cache, &hosts)?;
            return perform(store, settings, arguments, &view).await;
        };
        let settings = Settings::new(&options, Some(&secret_id))?;
        let region = sdk::region(&settings.environment).await;
        let region =
            region.ok_or_else(|| invalid("the secret is in AWS, but no Region is set. Set AWS_REGION"))?;
        let (connections, timeout) = (settings.connections.clone(), settings.config.request_timeout);
        let sdk = Sdk::load(connections, &settings.environment, region, timeout).await;
        Box::pin(perform(ReadOnly(sdk.secret(secret_id)), settings, arguments, &view)).await
    };
    result.await.unwrap_or_else(|error| view.error(&error))
}

async fn perform<S: SecretStore + 'static>(
    store: S,
    settings: Settings,
    arguments: &Arguments,
    view: &View<'_>,
) -> Result<u8, WatchError> {
    let clock: Clock = Arc::new(Timestamp::now);
    let checker = setup::checker(store, settings.connections, &settings.config, &clock);
    let job = arguments.job()?;
    let since = arguments.since.unwrap_or_else(Timestamp::now);
    let again = again(std::env::args_os());
    let work = async {
        if arguments.check_credentials {
            return Ok(check_credentials::run(&checker, &job, arguments.job_id.is_some(), view).await);
        }
        let request = Request::of_job(job.clone(), since);
        let limits = setup::limits(&settings.config);
        let report = watch::run(&checker, request.clone(), &job, &limits, arguments.once, view).await?;
        view.end(&report, &request, &again);
        Ok(watch::exit_code(&report))
    };
    let number = tokio::select! {
        code = work => return code,
        number = interrupted() => number,
    };
    view.clear();
    if !arguments.check_credentials {
        view.err("The watch has stopped; the job itself continues in Zoho. To resume the watch:");
        view.err(&format!("  {again} --since {since}"));
    }
    Ok(number.saturating_add(128))
}

/// The number of the signal that asks the process to stop.
#[cfg(unix)]
async fn interrupted() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        // Without a handler, the signal ends the process by itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
    }
}

#[cfg(not(unix))]
async fn interrupted() -> u8 {
    let _registered = tokio::signal::ctrl_c().await;
    2
}
