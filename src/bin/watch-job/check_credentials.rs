//! `--check-credentials`: one line that says whether the credentials, the scope, and the data center are correct.

use crate::exit::Exit;
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::HttpClient;
use mass_change_owner_status::token::SecretStore;
use mass_change_owner_status::watch::ids::Job;
use mass_change_owner_status::zoho::client::Attempts;
use mass_change_owner_status::zoho::operation::OPERATION;
use std::time::Duration;

const TIME: Duration = Duration::from_secs(60);

/// Gets a token and asks for the status of the job, which need not exist: only somebody who may read statuses learns
/// that it does not.
pub(crate) async fn run<S, H>(checker: &Checker<S, H>, job: &Job) -> Exit
where
    S: SecretStore + 'static,
    H: HttpClient + Clone + 'static,
{
    let deadline = Deadline::after(TIME);
    let result = match checker.api_host(deadline).await {
        Ok(host) => {
            let mut attempts = Attempts::default();
            let checked = checker.check(job, true, deadline, &mut attempts).await;
            checked.map(|_| ()).or_else(unless_not_found).map(|()| host)
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(host) => {
            println!(
                "OK: {} (set by {}) accepts the access token for {}",
                host.origin, host.setting, OPERATION.scope
            );
            Exit::Succeeded
        }
        Err(error) => {
            println!("{}: {error}", what_is_wrong(error.kind()));
            Exit::WatchFailed
        }
    }
}

/// Only a request that was authorized learns that there is no such job.
fn unless_not_found(error: WatchError) -> Result<(), WatchError> {
    if error.kind() == ErrorType::JobNotFound { Ok(()) } else { Err(error) }
}

/// What an error says about the credentials.
fn what_is_wrong(error: ErrorType) -> &'static str {
    match error {
        ErrorType::SecretInvalid => "The credentials are not correct",
        ErrorType::TokenRejected => "The credentials or the data center are not correct",
        ErrorType::ScopeMismatch => "The scope is not correct",
        ErrorType::PermissionDenied => "The Zoho user lacks a permission",
        ErrorType::InvalidModule => "The credentials are accepted, but the module is not correct",
        ErrorType::ZohoUnexpectedResponse => {
            "The host is not correct, or something else responds in its place"
        }
        _ => "The credentials could not be checked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_does_not_exist_is_what_was_hoped_for() {
        for kind in ErrorType::ALL {
            let checked = unless_not_found(WatchError::new(*kind, ""));
            assert_eq!(checked.is_ok(), *kind == ErrorType::JobNotFound, "{kind}");
        }
    }
}
