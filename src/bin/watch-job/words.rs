//! The words of this program. Pure.

use mass_change_owner_status::watch::format::{duration, with_thousands_separators};
use mass_change_owner_status::watch::report::{Report, seconds_between};
use mass_change_owner_status::watch::{job::Status, request::History, text::counts};

/// The library's messages are those of a function that reads a secret; here, each of them passes this table on its way out.
/// The first phrases apply first. A test looks for each of them in the library.
const PHRASES: [(&str, &str); 12] = [
    ("the secret that ZOHO_SECRET_ID names", "{source}"),
    ("in the secret", "in {source}"),
    ("ZOHO_SECRET_ID is", "--secret-id (or ZOHO_SECRET_ID) is"),
    ("the function's outbound network path: in a VPC, it needs ", "this computer's network connection and HTTPS_PROXY"),
    ("a VPC endpoint for secretsmanager or ", ""),
    ("a NAT gateway and a security group that allows HTTPS", ""),
    (
        "the function's execution role, or AWS_ACCESS_KEY_ID",
        "that you are logged in (log in with the AWS CLI and set AWS_PROFILE), or AWS_ACCESS_KEY_ID",
    ),
    ("the function's role", "your AWS user or role"),
    (". Give the function a longer timeout", ""),
    (
        "something else may use the same credentials",
        "all programs with these credentials and each start with --no-cache count",
    ),
    ("invocation", "check"),
    ("the function", "this program"),
];

/// A message as it is shown here. `source` is the name of the source of the credentials.
pub(crate) fn fit(message: &str, source: &str) -> String {
    let here = |text: String, (phrase, here): &(&str, &str)| text.replace(phrase, &here.replace("{source}", source));
    PHRASES.iter().fold(message.to_owned(), here)
}

/// `42%, 21,000 of 50,000 updated, 200 failed`: what is known of the records.
pub(crate) fn records(report: &Report) -> String {
    joined([report.progress_percent().map(|percent| format!("{percent}%")), Some(counts(report))])
}

/// `70 per second, about 6 min left`: what this check and the one before it tell. Empty if nothing moved.
pub(crate) fn speed(earlier: &History, report: &Report) -> String {
    let seconds = earlier.checked_at.map_or(0, |then| seconds_between(then, report.checked_at));
    let moved = match (report.counts.done(), earlier.counts.done()) {
        (Some(done), Some(before)) => done.saturating_sub(before),
        _ => 0,
    };
    if moved == 0 || seconds == 0 {
        return String::new();
    }
    // Counts have at most 16 digits in any real job: no digit is lost.
    let rate = moved as f64 / seconds as f64;
    let rate_text = if rate >= 10.0 { with_thousands_separators(rate.round() as u64) } else { format!("{rate:.1}") };
    let left = report.counts.total.filter(|_| !report.is_finished()).map(|total| {
        let left = total.saturating_sub(report.counts.done().unwrap_or(0));
        format!("about {} left", duration((left as f64 / rate).ceil() as u64))
    });
    joined([Some(format!("{rate_text} per second")), left])
}

/// What a check saw, in one line.
pub(crate) fn line(report: &Report, earlier: &History, next: Option<u64>) -> String {
    let next = next.map(|seconds| format!("next check in {}", duration(seconds)));
    let parts = joined([Some(records(report)), Some(speed(earlier, report)), next]);
    let status = report.status.as_ref().map_or("unknown", Status::as_str);
    if parts.is_empty() { status.to_owned() } else { format!("{status}: {parts}") }
}

/// The parts that say something.
pub(crate) fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mass_change_owner_status::timestamp::Timestamp;
    use mass_change_owner_status::watch::ids::{Job, JobId, ModuleName};
    use mass_change_owner_status::watch::job::{Counts, JobStatus};
    use mass_change_owner_status::watch::{notice::Intervals, pacing::Bounds, report::Limits, request::Request};
    use std::{fs, path::Path};

    #[test]
    fn rates_and_lines() {
        let bounds = Bounds { min_seconds: 10, max_seconds: 10 };
        let limits = Limits { bounds, watch_limit_seconds: 86_400, notices: Intervals::default() };
        let counts = |updated| Counts { total: Some(50_000), updated, not_updated: None, failed: None };
        for (before, status, updated, seconds, expected) in [
            (None, "RUNNING", Some(1_000), 0, "RUNNING: 2%, 1,000 of 50,000 updated"),
            (Some(1_000), "A", Some(8_000), 100, "A: 16%, 8,000 of 50,000 updated, 70 per second, about 10 min left"),
            (Some(1_000), "A", Some(1_001), 2, "A: 2%, 1,001 of 50,000 updated, 0.5 per second, about 1 d 3 h left"),
            (Some(1_000), "A", Some(1_000), 100, "A: 2%, 1,000 of 50,000 updated"),
            (Some(0), "COMPLETED", Some(50_000), 100, "COMPLETED: 100%, 50,000 of 50,000 updated, 500 per second"),
            (None, "QUEUED", None, 5, "QUEUED"),
        ] {
            let began = Timestamp::from_epoch_seconds(1_000);
            let job = Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("1").unwrap() };
            let status = Status::normalize(status).unwrap();
            let total = if updated.is_some() { counts(updated) } else { Counts::default() };
            let seen = JobStatus { status, counts: total };
            let report = Report::of_check(&Request::of_job(job, began), &seen, began.plus_seconds(seconds), &limits);
            let earlier = History { checked_at: Some(began), counts: counts(before), ..History::default() };
            assert_eq!(line(&report, &earlier, None), expected);
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
        let shown = fit("`client_id` in the secret that ZOHO_SECRET_ID names, in the secret", "~/zoho.json");
        assert_eq!(shown, "`client_id` in ~/zoho.json, in ~/zoho.json");
    }
}
