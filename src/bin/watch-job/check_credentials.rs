//! `--check-credentials`: one line that says whether the credentials, the scope, and the data center are correct.

use crate::view::View;
use crate::watch::CHECK_TIME;
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::HttpClient;
use mass_change_owner_status::token::SecretStore;
use mass_change_owner_status::watch::ids::Job;
use mass_change_owner_status::zoho::client::Attempts;
use mass_change_owner_status::zoho::credentials::SCOPE;

/// Gets a token and asks for the status of the job, which need not exist (`is_named`: the command line names it): only
/// somebody who may read statuses learns that it does not. Returns the exit code.
pub(crate) async fn run<S, H>(checker: &Checker<S, H>, job: &Job, is_named: bool, view: &View<'_>) -> u8
where
    S: SecretStore + 'static,
    H: HttpClient + Clone + 'static,
{
    let deadline = Deadline::after(CHECK_TIME);
    let Job { module, job_id } = job;
    let result = async {
        let host = checker.api_host(deadline).await?;
        let found = match checker.check(job, true, deadline, &mut Attempts::default()).await {
            Ok(status) => format!("Job {job_id} is {}", status.status.as_str()),
            Err(error) if error.kind() == ErrorType::JobNotFound => format!("There is no job {job_id}"),
            Err(error) => return Err(error),
        };
        let found = if is_named { format!(". {found}") } else { String::new() };
        Ok(format!("OK: {host} accepts the access token for {SCOPE} in {module}{found}"))
    };
    let (code, line) = match result.await {
        Ok(line) => (0, line),
        Err(error) => {
            let (code, what) = what_is_wrong(&error);
            (code, format!("{what} (asked for {module}): {error}"))
        }
    };
    view.out(&view.place.fit(&line));
    code
}

/// The exit code, and what an error says about the credentials.
fn what_is_wrong(error: &WatchError) -> (u8, &'static str) {
    let what = match error.kind() {
        ErrorType::SecretInvalid => "The credentials are not correct",
        ErrorType::TokenRejected => "The credentials or the data center are not correct",
        ErrorType::ScopeMismatch => "The scope is not correct",
        ErrorType::PermissionDenied => "The Zoho user lacks a permission",
        ErrorType::InvalidModule => "The credentials are accepted, but the module is not correct",
        ErrorType::ZohoUnexpectedResponse => {
            "The host is not correct, or something else responds in its place"
        }
        _ => return (7, "The credentials could not be checked"),
    };
    (5, what)
}
