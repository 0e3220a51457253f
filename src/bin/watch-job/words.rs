//! The words of this program. Pure.

use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::watch::format::{duration, for_people};
use mass_change_owner_status::watch::{report::Report, text::counts};

/// The library's messages are those of a function that reads a secret; here, each of them passes this table on its way out.
/// The first phrases apply first. A test looks for each of them in the library.
const PHRASES: [(&str, &str); 12] = [
    ("the secret that ZOHO_SECRET_ID names", "{source}"),
    ("in the secret", "in {source}"),
    ("ZOHO_SECRET_ID is", "--secret-id (or ZOHO_SECRET_ID) is"),
    ("the function's outbound network path: in a VPC, it needs ", "this computer's network connection and HTTPS_PROXY"),
    ("a VPC endpoint for secretsmanager or ", ""),
    ("a NAT gateway and a security group that allows HTTPS", ""),
    ("the function's execution role", "that you are logged in (log in with the AWS CLI and set AWS_PROFILE)"),
    ("the function's role", "your AWS user or role"),
    (". Give the function a longer timeout", ""),
    ("something else may use the same credentials", "each program with these credentials and each --no-cache count"),
    ("invocation", "check"),
    ("the function", "this program"),
];

/// The error as it is shown here. `source` is the name of the source of the credentials.
pub(crate) fn fit(error: &WatchError, source: &str) -> WatchError {
    let here = |text: String, (phrase, here): &(&str, &str)| text.replace(phrase, &here.replace("{source}", source));
    let message = PHRASES.iter().fold(error.message.clone(), here);
    WatchError { cause: error.cause, retry_after: error.retry_after, ..WatchError::new(error.kind, message) }
}

/// `42%, 21,000 of 50,000 updated, 200 failed`: what is known of the records.
pub(crate) fn records(report: &Report) -> String {
    let percent = report.progress_percent().map(|percent| format!("{percent}%"));
    joined([percent.unwrap_or_default(), counts(report)])
}

/// `70 per second, about 6 min left, next check in 45 s`: how the watch goes on. `next` are seconds.
pub(crate) fn pace(report: &Report, before: Option<&Report>, next: Option<u64>) -> String {
    // When the job was last seen; if it never was, when the watch began.
    let since = for_people(if report.status.is_some() { report.checked_at } else { report.began });
    let (speed, event) = match report.error() {
        None => (before.and_then(|before| speed(report, before)), "check"),
        Some(_) => (Some(format!("cannot be checked since {since}")), "attempt"),
    };
    let next = next.map(|seconds| format!("next {event} in {}", duration(seconds)));
    joined([speed, next].map(Option::unwrap_or_default))
}

/// What this check and the one before it tell; `None` if nothing moved.
fn speed(report: &Report, before: &Report) -> Option<String> {
    let (done, seconds) = (report.counts.done()?, report.checked_at.elapsed_since(before.checked_at));
    // Counts have at most 16 digits in any real job: no digit is lost.
    let rate = done.saturating_sub(before.counts.done()?) as f64 / seconds as f64;
    let left = report.counts.total.filter(|_| !report.is_finished()).map(|total| total.saturating_sub(done));
    let left = left.map(|left| format!("about {} left", duration((left as f64 / rate).ceil() as u64)));
    let speed = joined([format!("{rate:.*} per second", usize::from(rate < 10.0)), left.unwrap_or_default()]);
    rate.is_normal().then_some(speed)
}

/// The parts that say something.
pub(crate) fn joined<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mass_change_owner_status::watch::job::{Counts, Job, JobId, JobStatus, ModuleName, Status};
    use mass_change_owner_status::watch::{notice::Intervals, pacing::Bounds, report::Limits, request::Request};
    use mass_change_owner_status::{error::ErrorType, timestamp::Timestamp};
    use std::{fs, path::Path};

    /// A check, seconds after the watch began.
    fn report(status: &str, updated: Option<u64>, seconds: i64) -> Report {
        let began = Timestamp::from_epoch_seconds(1_000);
        let bounds = Bounds { min_seconds: 10, max_seconds: 10 };
        let limits = Limits { bounds, watch_limit_seconds: 86_400, notices: Intervals::default() };
        let job = Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("1").unwrap() };
        let counts = Counts { total: updated.map(|_| 50_000), updated, ..Counts::default() };
        let seen = JobStatus { status: Status::normalize(status).unwrap(), counts };
        Report::of_check(&Request::of_job(job, began), &seen, began.plus_seconds(seconds), &limits)
    }

    #[test]
    fn rates_and_lines() {
        for (before, status, updated, seconds, expected) in [
            (Some(1_000), "A", Some(8_000), 100, "16%, 8,000 of 50,000 updated, 70 per second, about 10 min left"),
            (Some(1_000), "A", Some(1_001), 2, "2%, 1,001 of 50,000 updated, 0.5 per second, about 1 d 3 h left"),
            (Some(1_000), "A", Some(1_000), 100, "2%, 1,000 of 50,000 updated"),
            (Some(0), "COMPLETED", Some(50_000), 100, "100%, 50,000 of 50,000 updated, 500 per second"),
            (None, "QUEUED", None, 5, ""),
        ] {
            let before = report("RUNNING", before, 0);
            let report = report(status, updated, seconds);
            assert_eq!(joined([records(&report), pace(&report, Some(&before), None)]), expected);
        }
    }

    /// The text of the library, without the line breaks of long strings.
    fn library(folder: &Path) -> String {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let texts = entries.filter(|path| !path.ends_with("bin"));
        let texts = texts.map(|path| if path.is_dir() { library(&path) } else { fs::read_to_string(path).unwrap() });
        texts.collect::<String>().split("\\\n").map(str::trim_start).collect()
    }

    #[test]
    fn messages_fit() {
        let library = library(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        let library = library.replace("{service}", "secretsmanager").replace("{way_out}", "a NAT gateway");
        for (phrase, _) in PHRASES {
            assert!(library.contains(phrase), "the library no longer says: {phrase}");
        }
        let message = "`client_id` in the secret that ZOHO_SECRET_ID names, in the secret";
        let shown = fit(&WatchError::new(ErrorType::SecretInvalid, message), "~/zoho.json");
        assert_eq!(shown.message, "`client_id` in ~/zoho.json, in ~/zoho.json");
    }
}
