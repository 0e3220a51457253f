//! `watch-job`: watches a Zoho CRM mass change owner job from a terminal, without AWS.
//!
//! # Layout
//!
//! * [`arguments`]: the command line, and the settings that follow from it and the environment.
//! * [`source`]: where the credentials come from; [`files`] reads and writes them.
//! * [`login`]: gets them from Zoho.
//! * [`store`]: keeps the access token for the next start.
//! * [`watch`]: the loop of checks, with the function's own checker, rule, and report.
//! * [`check_credentials`]: the one-line report of `--check-credentials`.
//! * [`view`]: a progress bar, plain lines, or JSON; [`progress`] and [`place`] find the words.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod check_credentials;
mod exit;
mod files;
mod login;
mod place;
mod progress;
mod source;
mod store;
mod view;
mod watch;

use arguments::{Arguments, Command, Commands, Settings};
use clap::Parser;
use exit::Exit;
use login::Login;
use mass_change_owner_status::aws::sdk::{self, Sdk};
use mass_change_owner_status::environment;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::setup;
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::token::{SecretStore, StoreError};
use mass_change_owner_status::watch::request::Request;
use place::Place;
use source::{Origin, Source};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use store::{LocalStore, ReadOnly};
use view::View;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Where this fails, the AWS SDK reports what it does not understand.
    let _restarted = environment::restart_without_empty_variables();
    let mut arguments = Arguments::parse();
    // Boxed: the SDK's futures nest too deep for the compiler as one type.
    let exit = match arguments.command.take() {
        Some(Command::Login(login)) => Box::pin(log_in(&login, arguments)).await,
        None => {
            let source = Source::choose(arguments.credentials.as_deref(), arguments.secret_id.as_deref());
            Box::pin(work(source, &arguments)).await
        }
    };
    exit.into()
}

/// Gets credentials, keeps them, and checks them.
async fn log_in(login: &Login, mut arguments: Arguments) -> Exit {
    let pairs = login.options().iter().map(|(option, variable, _)| (*option, *variable)).collect();
    let view = View::new(Place::new("the credentials", pairs), false, false, false);
    let result = async {
        let path = source::of_login()?;
        let options = login.options().into_iter().map(|(_, variable, value)| (variable, value));
        let settings = Settings::new(options, None)?;
        let client = login.client()?;
        let json = tokio::select! {
            json = login.run(&client, &settings, &view) => json?,
            number = interrupted() => return Ok(Err(Exit::Signal(number))),
        };
        if login.print_secret {
            view.out(&json);
            return Ok(Err(Exit::Succeeded));
        }
        files::write(&path, &format!("{json}\n")).map_err(|error| {
            let message = format!("{} could not be written: {error}", files::shown(&path));
            WatchError::new(ErrorType::InvalidConfiguration, message)
        })?;
        view.err(&format!("The credentials are in {}, which only you can read.", files::shown(&path)));
        Ok(Ok(path))
    };
    match result.await {
        Ok(Ok(path)) => {
            arguments.check_credentials = true;
            let exit = work(Source::of_path(&path), &arguments).await;
            if exit == Exit::Succeeded {
                view.err("No option is needed from now on. To watch a job: watch-job MODULE JOB_ID");
            }
            exit
        }
        Ok(Err(exit)) => exit,
        Err(error) => view.error(&error),
    }
}

/// A watch, or a check of the credentials.
async fn work(source: Result<Source, WatchError>, arguments: &Arguments) -> Exit {
    let options = arguments.options();
    let mut pairs: Vec<_> = options.iter().map(|(option, variable, _)| (*option, *variable)).collect();
    pairs.extend(arguments.secret_id.is_some().then_some(("--secret-id", "ZOHO_SECRET_ID")));
    let name = source.as_ref().map_or("the credentials", |source| source.name.as_str());
    let has_bar = !arguments.once && !arguments.check_credentials;
    let view = View::new(Place::new(name, pairs), has_bar, arguments.json, !arguments.no_bell);
    view.log(arguments.verbose);
    let result = async {
        let Source { origin, warning, .. } = source?;
        warning.iter().for_each(|warning| view.err(warning));
        let options = options.into_iter().map(|(_, variable, value)| (variable, value));
        let Origin::SecretsManager(secret_id) = origin else {
            let settings = Settings::new(options, None)?;
            let store = LocalStore::new(origin, cache(arguments).as_deref(), &settings.hosts());
            return perform(store.map_err(StoreError::into_error)?, settings, arguments, &view).await;
        };
        let settings = Settings::new(options, Some(&secret_id))?;
        let Some(region) = sdk::region(&settings.environment).await else {
            let message = "no AWS Region is set, but the credentials are in Secrets Manager. Set AWS_REGION";
            return Err(WatchError::new(ErrorType::InvalidConfiguration, message));
        };
        let (connections, timeout) = (settings.connections.clone(), settings.config.request_timeout);
        let sdk = Sdk::load(connections, &settings.environment, region, timeout).await;
        perform(ReadOnly(sdk.secret(secret_id)), settings, arguments, &view).await
    };
    result.await.unwrap_or_else(|error| view.error(&error))
}

/// Where tokens are kept.
fn cache(arguments: &Arguments) -> Option<PathBuf> {
    let cache = files::directories().map(|(_, cache)| cache);
    if cache.is_none() {
        tracing::warn!("there is no home directory: the access token is not kept for the next start");
    }
    cache.filter(|_| !arguments.no_cache)
}

async fn perform<S: SecretStore + 'static>(
    store: S,
    settings: Settings,
    arguments: &Arguments,
    view: &View,
) -> Result<Exit, WatchError> {
    let clock: Clock = Arc::new(Timestamp::now);
    let checker = setup::checker(store, settings.connections, &settings.config, &clock);
    let job = arguments.job()?;
    let commands = Commands::new(std::env::args_os(), arguments.since());
    let resume = (!arguments.check_credentials).then_some(commands.resume.as_str());
    let work = async {
        if arguments.check_credentials {
            return Ok(check_credentials::run(&checker, &job, arguments.names_job(), view).await);
        }
        let request = Request::of_job(job.clone(), commands.since);
        let limits = setup::limits(&settings.config);
        let report = watch::run(&checker, request.clone(), &job, &limits, arguments.once, view).await?;
        view.end(&report, &request, &commands.again);
        Ok(Exit::of_report(&report))
    };
    tokio::select! {
        exit = Box::pin(work) => exit,
        number = interrupted() => {
            view.interrupted(resume);
            Ok(Exit::Signal(number))
        }
    }
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
