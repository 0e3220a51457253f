//! What a mass change owner job is: its names, its status, and how it ends. Each type exists only in a valid form.

use crate::{invalid::Invalid, redact};
use serde::Serialize;
use strum::IntoStaticStr;

/// A mass change owner job: its ID is unique within its module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    /// The module whose records get a new owner.
    pub module: ModuleName,
    /// The job's ID.
    pub job_id: JobId,
}

/// The job that a request names: valid, or as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobRef {
    /// A valid job.
    Valid(Job),
    /// What stands in the place of the module and of the job ID, up to 200 characters each; `None` if it is not text.
    AsWritten([Option<String>; 2]),
}

impl JobRef {
    /// The module and the job ID, as far as they are known.
    pub fn names(&self) -> [Option<&str>; 2] {
        match self {
            Self::Valid(job) => [Some(job.module.as_str()), Some(job.job_id.as_str())],
            Self::AsWritten(names) => names.each_ref().map(Option::as_deref),
        }
    }
}

/// A module's API name, as it stands in Zoho's URLs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModuleName(String);

/// Zoho's limit is not documented; 255 characters is more than any real name has.
const LONGEST_MODULE_NAME: usize = 255;

/// The API names of Zoho's standard modules (docs/zoho-api.md). The display names have spaces in place of underscores;
/// only `Events` are called `Meetings`.
const STANDARD_MODULES: [&str; 17] = [
    "Leads", "Accounts", "Contacts", "Deals", "Campaigns", "Tasks", "Cases", "Events", "Calls", "Solutions",
    "Products", "Vendors", "Price_Books", "Quotes", "Sales_Orders", "Purchase_Orders", "Invoices",
];

impl ModuleName {
    /// Accepts an API name as it is, and a standard module's display name or API name in any letter case.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.eq_ignore_ascii_case("custom") {
            return Err(Invalid::new(
                "is the placeholder for custom modules in Zoho's documentation",
                "Use the module's own API name, such as \"CustomModule1\" (Zoho CRM: Setup, Developer Hub, APIs & \
                 SDKs, API Names)",
            ));
        }
        let api_name = if text.eq_ignore_ascii_case("Meetings") { "Events" } else { &text.replace(' ', "_") };
        let standard = STANDARD_MODULES.into_iter().find(|standard| standard.eq_ignore_ascii_case(api_name));
        let name = standard.unwrap_or(text);
        let is_valid = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.len() <= LONGEST_MODULE_NAME
            // A client secret in the wrong field would go into URLs, logs, and messages.
            && !redact::contains_secret(name, &[]);
        let what =
            "is not a module's API name (a letter, then letters, digits, and underscores; at most 255 characters)";
        let hint = "Use a name such as \"Leads\" or \"CustomModule1\"";
        if is_valid { Ok(Self(name.to_owned())) } else { Err(Invalid::new(what, hint)) }
    }

    /// The API name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The ID of a mass change owner job: 1 to 20 ASCII digits (real ones have 18 or 19).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobId(String);

impl JobId {
    /// The error says why the text is not valid.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let is_valid = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let hint = "Use an ID such as 3652397000009565021, with every digit and nothing else";
        if is_valid { Ok(Self(text.to_owned())) } else { Err(Invalid::new("is not a job ID (1 to 20 digits)", hint)) }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A job as Zoho describes it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Zoho's status value.
    pub status: Status,
    /// Zoho's record counts.
    pub counts: Counts,
}

/// Record counts; `None` if Zoho omits a count. They need not add up (docs/zoho-api.md).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records whose owner was to be changed.
    pub total: Option<u64>,
    /// Records with the new owner.
    pub updated: Option<u64>,
    /// Records that still have the previous owner.
    pub not_updated: Option<u64>,
    /// Records whose owner could not be changed.
    pub failed: Option<u64>,
}

/// Zoho's status value in one spelling: upper case, with spaces and hyphens replaced by `_`.
///
/// This endpoint documents `SCHEDULED`, `RUNNING`, `COMPLETED`, and `FAILED`. Related endpoints return `in progress`,
/// `Completed`, `QUEUED`, and more (docs/zoho-api.md), so an unknown value is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status(String);

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The job is complete, and no count says that a record was left.
    Succeeded,
    /// The job is complete, but some records were not updated.
    PartiallySucceeded,
    /// The job failed.
    Failed,
    /// The watch reached its limit, and the job may be unfinished.
    WatchTimedOut,
    /// The watch never worked, or its state machine gave it up.
    WatchFailed,
}

/// The longest status value that is accepted, in characters. Reports, subjects, and message attributes carry it.
pub const LONGEST_STATUS: usize = 100;

impl Status {
    /// `None` for text without a letter or digit.
    pub fn normalize(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c.is_control() || c == '-' || c == '_')
            .filter(|part| !part.is_empty())
            .collect();
        let normalized = parts.join("_").to_uppercase();
        normalized.chars().any(char::is_alphanumeric).then_some(Self(normalized))
    }

    /// A value that an earlier report says. `None` if no report can have said it.
    pub fn reported(text: &str) -> Option<Self> {
        let is_possible = text.chars().count() <= LONGEST_STATUS && !redact::contains_secret(text, &[]);
        Self::normalize(text).filter(|_| is_possible)
    }

    /// The normalized value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the end of the job: `COMPLETED` and `FAILED` only.
    pub fn is_finished(&self) -> bool {
        matches!(self.as_str(), "COMPLETED" | "FAILED")
    }

    /// Whether the job is queued and cannot have updated anything yet.
    pub fn is_queued(&self) -> bool {
        matches!(self.as_str(), "SCHEDULED" | "QUEUED")
    }

    /// Whether the meaning of the value is known, from this endpoint or a related one.
    pub fn is_known(&self) -> bool {
        self.is_finished() || self.is_queued() || matches!(self.as_str(), "RUNNING" | "IN_PROGRESS")
    }
}

impl JobStatus {
    /// How the job ended; `None` while it has not. An unknown count speaks neither for nor against a success.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.status.as_str() {
            "FAILED" => Some(Outcome::Failed),
            "COMPLETED" if self.counts.is_any_left() => Some(Outcome::PartiallySucceeded),
            "COMPLETED" => Some(Outcome::Succeeded),
            _ => None,
        }
    }
}

impl Counts {
    /// Records that are processed, whether updated or failed; `None` if Zoho does not report how many are updated.
    pub fn done(&self) -> Option<u64> {
        Some(self.updated?.saturating_add(self.failed.unwrap_or(0)))
    }

    /// Whether records are known not to be updated.
    fn is_any_left(&self) -> bool {
        [self.failed, self.not_updated, Some(self.unexplained())].into_iter().flatten().any(|count| count > 0)
    }

    /// Records of the total that are in no other count.
    pub fn unexplained(&self) -> u64 {
        let (Some(total), Some(updated)) = (self.total, self.updated) else { return 0 };
        [Some(updated), self.failed, self.not_updated].into_iter().flatten().fold(total, u64::saturating_sub)
    }

    /// Whole percent of the total that is updated or failed, rounded down, 0 to 100; `None` if it cannot be determined.
    pub fn progress_percent(&self, status: Option<&Status>) -> Option<u8> {
        // A share of failed records alone is a lower bound.
        match (self.total.filter(|total| *total > 0), self.done().or(self.failed)) {
            (Some(total), Some(done)) => {
                let percent = u128::from(done).saturating_mul(100).checked_div(u128::from(total)).unwrap_or(0);
                u8::try_from(percent.min(100)).ok()
            }
            _ => (status?.as_str() == "COMPLETED").then_some(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::job;

    #[test]
    fn words_are_folded_to_one_spelling() {
        for (word, folded, finished, known) in [
            ("COMPLETED", Some("COMPLETED"), true, true),
            ("failed", Some("FAILED"), true, true),
            (" scheduled\n", Some("SCHEDULED"), false, true),
            ("In-Progress", Some("IN_PROGRESS"), false, true),
            ("COMPLETED_PARTLY", Some("COMPLETED_PARTLY"), false, false),
            (" - ", None, false, false),
        ] {
            let status = Status::normalize(word);
            assert_eq!(status.as_ref().map(Status::as_str), folded, "{word:?}");
            let meaning = status.map_or((false, false), |status| (status.is_finished(), status.is_known()));
            assert_eq!(meaning, (finished, known), "{word:?}");
        }
    }

    /// Counts: total, updated, not updated, failed.
    #[test]
    fn outcomes_and_progress() {
        use Outcome::{Failed, PartiallySucceeded, Succeeded};
        let all = Some(u64::MAX);
        for (status, counts, outcome, percent) in [
            ("COMPLETED", [Some(5), Some(5), Some(0), Some(0)], Some(Succeeded), Some(100)),
            ("COMPLETED", [None; 4], Some(Succeeded), Some(100)),
            ("COMPLETED", [Some(100), None, Some(0), Some(0)], Some(Succeeded), Some(0)),
            ("COMPLETED", [Some(1_000), Some(999), Some(0), Some(1)], Some(PartiallySucceeded), Some(100)),
            ("COMPLETED", [Some(5), None, Some(1), None], Some(PartiallySucceeded), Some(100)),
            // Nothing failed, nothing is left, and still not every record was updated.
            ("COMPLETED", [Some(100), Some(0), Some(0), Some(0)], Some(PartiallySucceeded), Some(0)),
            ("FAILED", [Some(5), Some(5), Some(0), Some(0)], Some(Failed), Some(100)),
            ("FAILED", [Some(0), Some(0), None, None], Some(Failed), None),
            ("RUNNING", [Some(3), Some(2), None, None], None, Some(66)),
            ("RUNNING", [Some(3), None, None, Some(1)], None, Some(33)),
            ("RUNNING", [all, all, None, all], None, Some(100)),
        ] {
            let job = job(status, counts);
            assert_eq!(job.outcome(), outcome, "{job:?}");
            assert_eq!(job.counts.progress_percent(Some(&job.status)), percent, "{job:?}");
        }
    }

    #[test]
    fn module_names() {
        let parsed = |text: &str| ModuleName::parse(text).ok().map(|name| name.0);
        for name in ["CustomModule1", "zohosign__ZohoSign_Documents", &"a".repeat(255)] {
            assert_eq!(parsed(name).as_deref(), Some(name));
        }
        for text in ["custom", "", "1Leads", "_Leads", "Leads/../Deals", "Leads?x", "Léads", " Leads"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
        let client_secret = "a5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9";
        assert_eq!([&*"a".repeat(256), client_secret].map(parsed), [None, None]);
        assert_eq!(parsed("meetings").as_deref(), Some("Events"));
        for name in STANDARD_MODULES {
            for text in [name.to_owned(), name.to_lowercase(), name.replace('_', " ").to_uppercase()] {
                assert_eq!(parsed(&text).as_deref(), Some(name));
            }
        }
    }

    #[test]
    fn job_ids() {
        assert!(["1", "12345678901234567890"].iter().all(|text| JobId::parse(text).is_ok()));
        for text in ["123456789012345678901", "", "12 3", "-1", "3.652397e18", "١٢٣"] {
            assert!(JobId::parse(text).is_err(), "{text:?}");
        }
    }
}
