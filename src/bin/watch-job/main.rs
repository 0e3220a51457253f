//! `watch-job`: watches a Zoho CRM mass change owner job from a terminal, without AWS.
//!
//! * [`arguments`]: the command line, and the settings that follow from it and the environment.
//! * [`credentials`]: where they come from, and their files. [`login`] gets them from Zoho.
//! * [`store`]: keeps the access token for the next start.
//! * [`check`]: the loop of checks, with the function's own checker, rule, and report.
//! * [`view`]: a progress bar, plain lines, or JSON. [`words`] are what it says.
#![deny(clippy::print_stdout, clippy::print_stderr)]
// The SDK's futures nest deep.
#![recursion_limit = "256"]

mod arguments;
mod check;
mod credentials;
mod login;
mod store;
mod view;
mod words;

use arguments::{Arguments, Command, Settings, again};
use clap::Parser;
use credentials::{Source, invalid, places, shown};
use login::{Login, LoginOptions};
use mass_change_owner_status::aws::sdk::{self, Sdk};
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::token::{Sharing, TokenSource};
use mass_change_owner_status::{checker::Checker, environment, watch::request::Request};
use std::process::ExitCode;
use std::sync::Arc;
use store::Store;
use view::View;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Where this fails, the AWS SDK reports what it does not understand.
    let _restarted = environment::restart_without_empty_variables();
    let mut arguments = Arguments::parse();
    let source = Source::choose(arguments.credentials.as_deref(), arguments.secret_id.as_deref());
    let name = source.as_ref().map_or_else(|_| "the credentials".to_owned(), Source::name);
    let has_bar = !(arguments.json || arguments.once || arguments.check_credentials || arguments.command.is_some());
    let view = View {
        source: name,
        bar: has_bar.then(view::bar).flatten(),
        has_json: arguments.json,
        has_bell: !arguments.no_bell,
        ..View::default()
    };
    view.log(arguments.verbose);
    let result = match arguments.command.take() {
        Some(Command::Login(options)) => log_in(&options, arguments, &view).await,
        None => work(source, &arguments, &view).await,
    };
    result.unwrap_or_else(|error| view.error(&error)).into()
}

/// Gets credentials, keeps them, and checks them. Returns the exit code.
async fn log_in(options: &LoginOptions, mut arguments: Arguments, view: &View) -> Result<u8, WatchError> {
    let (path, _) = places().ok_or_else(|| invalid("there is no home directory. Set HOME"))?;
    let settings = Settings::new(&[("ZOHO_DATA_CENTER", options.data_center.clone())], None)?;
    let login = Login::new(options, &settings, view)?;
    let json = tokio::select! {
        json = login.run() => json?,
        number = interrupted() => return Ok(number.saturating_add(128)),
    };
    if options.print_secret {
        view.out(&json);
        return Ok(0);
    }
    let unwritten = |error| invalid(format!("{} could not be written: {error}", shown(&path)));
    credentials::write(&path, &json).map_err(unwritten)?;
    view.err(&format!("The credentials are in {}, which only you can read.", shown(&path)));
    arguments.check_credentials = true;
    let code = work(Ok(Source::File(path)), &arguments, view).await?;
    if code == 0 {
        view.err("To watch a job, no option is needed: watch-job MODULE JOB_ID");
    }
    Ok(code)
}

/// A watch, or a check of the credentials. Returns the exit code.
async fn work(source: Result<Source, WatchError>, arguments: &Arguments, view: &View) -> Result<u8, WatchError> {
    let (source, variables) = (source?, arguments.variables());
    let (settings, store, sharing) = if let Source::Secret(secret_id) = source {
        let settings = Settings::new(&variables, Some(&secret_id))?;
        let region = sdk::region(&settings.environment).await;
        let region = region.ok_or_else(|| invalid("the secret is in AWS, but no Region is set. Set AWS_REGION"))?;
        let (connections, timeout) = (settings.config.connections.clone(), settings.config.zoho.request_timeout);
        let sdk = Sdk::load(connections, &settings.environment, region, timeout).await;
        (settings, Store::of_aws(sdk.secret(secret_id)), Sharing::ReadOnly)
    } else {
        let settings = Settings::new(&variables, None)?;
        let hosts = ["ZOHO_ACCOUNTS_DOMAIN", "ZOHO_API_DOMAIN", "ZOHO_DATA_CENTER"];
        let hosts = format!("{:?}", hosts.map(|name| settings.environment.get(name)));
        let cache = places().map(|(_, cache)| cache).filter(|_| !arguments.no_cache);
        (settings, Store::new(source, cache, &hosts)?, Sharing::ReadWrite)
    };
    let (clock, zoho): (Clock, _) = (Arc::new(Timestamp::now), settings.config.zoho.clone());
    let zoho = Checker::new(TokenSource::new(store, settings.config.connections, zoho, sharing, clock));
    let job = arguments.job()?;
    let since = arguments.since.unwrap_or_else(Timestamp::now);
    let again = again(std::env::args_os());
    let work = async {
        if arguments.check_credentials {
            return check::credentials(&zoho, &job, arguments.job_id.is_some(), view).await;
        }
        let request = Request::of_job(job.clone(), since);
        let limits = &settings.config.limits;
        let report = check::watch(&zoho, &job, request.clone(), limits, arguments.once, view).await?;
        view.end(&report, &request, &again);
        Ok(check::exit_code(&report))
    };
    let number = tokio::select! {
        code = work => return code,
        number = interrupted() => number,
    };
    view.interrupted();
    if !arguments.check_credentials {
        let again = format!("To resume the watch:\n  {again} --since {since}");
        view.err(&format!("The watch has stopped; the job itself continues in Zoho. {again}"));
    }
    Ok(number.saturating_add(128))
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
