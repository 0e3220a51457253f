//! `--check-credentials`: one line that says whether the credentials, the scope, and the data center are correct.

use crate::exit::Exit;
use crate::view::View;
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::HttpClient;
use mass_change_owner_status::token::SecretStore;
use mass_change_owner_status::watch::ids::Job;
use mass_change_owner_status::zoho::client::Attempts;
use mass_change_owner_status::zoho::credentials::SCOPE;
use std::time::Duration;

const TIME: Duration = Duration::from_secs(60);

/// Gets a token and asks for the status of the job, which need not exist (`is_named`: the command line names it): only
/// somebody who may read statuses learns that it does not.
pub(crate) async fn run<S, H>(checker: &Checker<S, H>, job: &Job, is_named: bool, view: &View) -> Exit
where
    S: SecretStore + 'static,
    H: HttpClient + Clone + 'static,
{
    let deadline = Deadline::after(TIME);
    let result = async {
        let host = checker.api_host(deadline).await?;
        let found = match checker.check(job, true, deadline, &mut Attempts::default()).await {
            Ok(status) => format!("Job {} is {}", job.job_id, status.status.as_str()),
            Err(error) if error.kind() == ErrorType::JobNotFound => {
                format!("There is no job {} there", job.job_id)
            }
            Err(error) => return Err(error),
        };
        let found = if is_named { format!(". {found}") } else { String::new() };
        let (origin, source, module) = (&host.origin, &host.source, &job.module);
        Ok(format!("OK: {origin} ({source}) accepts the access token for {SCOPE} in {module}{found}"))
    };
    match result.await {
        Ok(line) => {
            view.out(&view.fit(&line));
            Exit::Succeeded
        }
        Err(error) => {
            let (exit, what) = what_is_wrong(&error);
            view.out(&view.fit(&format!("{what} (asked for {}): {error}", job.module)));
            exit
        }
    }
}

/// What an error says about the credentials.
fn what_is_wrong(error: &WatchError) -> (Exit, &'static str) {
    let what = match error.kind() {
        ErrorType::SecretInvalid => "The credentials are not correct",
        ErrorType::TokenRejected => "The credentials or the data center are not correct",
        ErrorType::ScopeMismatch => "The scope is not correct",
        ErrorType::PermissionDenied => "The Zoho user lacks a permission",
        ErrorType::InvalidModule => "The credentials are accepted, but the module is not correct",
        ErrorType::ZohoUnexpectedResponse => {
            "The host is not correct, or something else responds in its place"
        }
        _ => return (Exit::NotChecked, "The credentials could not be checked"),
    };
    (Exit::WatchFailed, what)
}
