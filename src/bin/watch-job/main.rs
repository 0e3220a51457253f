//! `watch-job`: watches a Zoho CRM mass change owner job from a terminal, without AWS.
//!
//! # Layout
//!
//! * [`arguments`]: the command line, and the settings that follow from it and the environment.
//! * [`credentials`]: a file, an environment variable, or the function's secret as a [`SecretStore`].
//! * [`watch`]: the loop of checks, with the function's own checker, pacing, and report.
//! * [`retry`]: how long to wait after an error. Pure.
//! * [`progress`]: rate, time left, and the lines that people read. Pure.
//! * [`view`]: a progress bar, plain lines, or JSON.
//! * [`check_credentials`]: the one-line report of `--check-credentials`.

mod arguments;
mod check_credentials;
mod credentials;
mod exit;
mod progress;
mod retry;
mod view;
mod watch;

use arguments::{Arguments, Settings, Task};
use credentials::Source;
use exit::Exit;
use mass_change_owner_status::aws::sdk::{self, Sdk};
use mass_change_owner_status::environment;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::setup;
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::token::{SecretStore, Sharing};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::oneshot;
use view::View;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Where this fails, the AWS SDK reports what it does not understand.
    let _restarted = environment::restart_without_empty_variables();
    let arguments = Arguments::read();
    if arguments.print_page() {
        return ExitCode::SUCCESS;
    }
    let view = View::new(arguments.json);
    view.log(arguments.verbose);
    let result = match arguments.settings() {
        // Boxed: the SDK's futures nest too deep for the compiler as one type.
        Ok(settings) => Box::pin(run(settings, &view)).await,
        Err(error) => Err(error),
    };
    let exit = result.unwrap_or_else(|error| {
        view.error(&error);
        Exit::of_error(&error)
    });
    exit.into()
}

async fn run(settings: Settings, view: &View) -> Result<Exit, WatchError> {
    match credentials::source(&settings)? {
        Source::Local(store) => Box::pin(perform(store, settings, view)).await,
        Source::SecretsManager(secret_id) => {
            let Some(region) = sdk::region(&settings.environment).await else {
                let message =
                    "no AWS Region is set, but the credentials are in Secrets Manager. Set AWS_REGION";
                return Err(WatchError::new(ErrorType::InvalidConfiguration, message));
            };
            let (connections, timeout) = (settings.connections.clone(), settings.config.request_timeout);
            let store =
                Sdk::load(connections, &settings.environment, region, timeout).await.secret(secret_id);
            Box::pin(perform(store, settings, view)).await
        }
    }
}

async fn perform<S: SecretStore + 'static>(
    store: S,
    settings: Settings,
    view: &View,
) -> Result<Exit, WatchError> {
    let clock: Clock = Arc::new(Timestamp::now);
    let checker = setup::checker(store, Sharing::ReadOnly, settings.connections, &settings.config, &clock);
    match settings.task {
        Task::CheckCredentials(job) => Ok(Box::pin(check_credentials::run(&checker, &job)).await),
        Task::Watch { job, since } => {
            let limits = setup::limits(&settings.config);
            tokio::select! {
                report = Box::pin(watch::run(&checker, &job, since, &limits, &clock, view)) => {
                    view.end(&report, &settings.commands.again);
                    Ok(Exit::of_report(&report))
                }
                number = interrupted() => {
                    view.interrupted(&settings.commands.resume);
                    Ok(Exit::Signal(number))
                }
            }
        }
    }
}

/// The number of the signal that asks the process to stop.
async fn interrupted() -> u8 {
    let (sender, receiver) = oneshot::channel();
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) {
        std::thread::spawn(move || {
            let number = signals.forever().next().and_then(|number| u8::try_from(number).ok());
            // Nobody receives it if the watch ended at the same moment.
            let _ended = number.map(|number| sender.send(number));
        });
    }
    match receiver.await {
        Ok(number) => number,
        // Without a handler, the signal ends the process by itself.
        Err(_) => std::future::pending().await,
    }
}
