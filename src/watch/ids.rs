//! The names that a request carries. Each type exists only in a valid form.

use crate::arn::Arn;
use crate::invalid::Invalid;
use crate::redact;
use serde::Serialize;
use std::fmt;

/// A mass change owner job: its ID is unique within its module.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Job {
    /// The module whose records get a new owner.
    pub module: ModuleName,
    /// The job's ID.
    pub job_id: JobId,
}

/// The job that a request names: valid, or as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum JobRef {
    /// A valid job.
    Valid(Job),
    /// What the request says instead, as one line of at most 200 characters each. `None` if it is not text.
    AsWritten {
        /// Stands in the place of the module.
        module: Option<String>,
        /// Stands in the place of the job ID.
        job_id: Option<String>,
    },
}

impl Default for JobRef {
    fn default() -> Self {
        Self::AsWritten { module: None, job_id: None }
    }
}

impl JobRef {
    /// The module, as far as it is known.
    pub fn module(&self) -> Option<&str> {
        match self {
            Self::Valid(job) => Some(job.module.as_str()),
            Self::AsWritten { module, .. } => module.as_deref(),
        }
    }

    /// The job ID, as far as it is known.
    pub fn job_id(&self) -> Option<&str> {
        match self {
            Self::Valid(job) => Some(job.job_id.as_str()),
            Self::AsWritten { job_id, .. } => job_id.as_deref(),
        }
    }
}

/// A module's API name, as it stands in Zoho's URLs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ModuleName(String);

/// Zoho's limit is not documented; 255 characters is more than any real name has.
const LONGEST_MODULE_NAME: usize = 255;

/// Zoho's standard modules: display name, API name (docs/zoho-api.md).
const STANDARD_MODULES: [(&str, &str); 17] = [
    ("Leads", "Leads"),
    ("Accounts", "Accounts"),
    ("Contacts", "Contacts"),
    ("Deals", "Deals"),
    ("Campaigns", "Campaigns"),
    ("Tasks", "Tasks"),
    ("Cases", "Cases"),
    ("Meetings", "Events"),
    ("Calls", "Calls"),
    ("Solutions", "Solutions"),
    ("Products", "Products"),
    ("Vendors", "Vendors"),
    ("Price Books", "Price_Books"),
    ("Quotes", "Quotes"),
    ("Sales Orders", "Sales_Orders"),
    ("Purchase Orders", "Purchase_Orders"),
    ("Invoices", "Invoices"),
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
        let standard = STANDARD_MODULES
            .iter()
            .find(|(display, api)| text.eq_ignore_ascii_case(display) || text.eq_ignore_ascii_case(api));
        let name = standard.map_or(text, |(_, api)| api);
        let mut bytes = name.bytes();
        let valid = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.len() <= LONGEST_MODULE_NAME
            // A client secret in the wrong field would go into URLs, logs, and messages.
            && !redact::contains_secret(name, &[]);
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err(Invalid::new(
                "is not a module's API name (a letter, then letters, digits, and underscores; at most 255 characters)",
                "Use a name such as \"Leads\" or \"CustomModule1\"",
            ))
        }
    }

    /// The API name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ID of a mass change owner job: 1 to 20 ASCII digits (real ones have 18 or 19).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct JobId(String);

impl JobId {
    /// The error says why the text is not valid.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(
                "is not a job ID (1 to 20 digits)",
                "Use an ID such as 3652397000009565021, with every digit and nothing else",
            ))
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of an EventBridge Scheduler schedule: `arn:aws:scheduler:<region>:<account>:schedule/<group>/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScheduleArn {
    arn: String,
    location: Location,
    /// The name of the schedule's group.
    pub group: String,
    /// The schedule's own name.
    pub name: String,
}

impl ScheduleArn {
    /// The error says why the text is not valid.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::split(text).ok_or_else(|| {
            if text.to_ascii_lowercase().contains("aws.scheduler.") {
                // Whoever wrote this did what the other message says, or nearly.
                return Invalid::new(
                    "is a context attribute of EventBridge Scheduler that was not replaced by its value",
                    "Only Scheduler replaces it, in the Input of a schedule's own target, and only if it is spelled \
                     <aws.scheduler.schedule-arn> there: Terraform's jsonencode escapes the angle brackets, so write \
                     the Input without it, or undo the escapes with replace(). A state machine, a rule, a test event, \
                     or `aws lambda invoke` passes it on as it is: let Scheduler invoke the function directly, or pass \
                     the schedule's own ARN",
                );
            }
            Invalid::new(
                "is not the ARN of an EventBridge Scheduler schedule",
                "Use an ARN such as \"arn:aws:scheduler:eu-west-1:123456789012:schedule/default/watch-leads\"; in a \
                 schedule's input, use the context attribute \"<aws.scheduler.schedule-arn>\"",
            )
        })
    }

    /// Whether the schedule is where the function is. The function touches no other: `DeleteSchedule` takes a group
    /// and a name, and would delete the schedule of the same name here.
    pub fn check_location(&self, here: &Location) -> Result<(), Invalid> {
        here.check(&self.location).map_err(|(what, theirs, ours)| {
            Invalid::new(
                format!("is in the {what} {theirs:?}, but the function is in {ours:?}"),
                "Use the schedule that invokes this function",
            )
        })
    }

    fn split(text: &str) -> Option<Self> {
        let arn = Arn::parse(text).filter(|arn| arn.service == "scheduler")?;
        let [kind, group, name] = arn.resource.split('/').collect::<Vec<_>>().try_into().ok()?;
        let valid = kind == "schedule" && is_name(group) && is_name(name);
        let location = Location::of(&arn);
        valid.then(|| Self { arn: text.to_owned(), location, group: group.to_owned(), name: name.to_owned() })
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.arn
    }
}

/// Where the function runs, as far as it is known: from the ARN under which it was invoked, or from `AWS_REGION`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// Such as `aws`.
    pub partition: Option<String>,
    /// Such as `eu-west-1`.
    pub region: Option<String>,
    /// Twelve digits.
    pub account: Option<String>,
}

impl Location {
    /// Reads the ARN of a function. Local runtimes make such ARNs up, often without an account: nothing is taken from
    /// what is not an ARN of Lambda.
    pub fn of_function(arn: &str, default_region: Option<&str>) -> Self {
        match Arn::parse(arn).filter(|arn| arn.service == "lambda") {
            Some(arn) => Self::of(&arn),
            None => Self { region: default_region.map(str::to_owned), ..Self::default() },
        }
    }

    fn of(arn: &Arn<'_>) -> Self {
        Self {
            partition: Some(arn.partition.to_owned()),
            region: Some(arn.region.to_owned()),
            account: Some(arn.account.to_owned()),
        }
    }

    /// What of another location is known to differ, there and here.
    fn check<'a>(&'a self, other: &'a Self) -> Result<(), (&'static str, &'a str, &'a str)> {
        [
            ("partition", &other.partition, &self.partition),
            ("Region", &other.region, &self.region),
            ("account", &other.account, &self.account),
        ]
        .into_iter()
        .filter_map(|(what, theirs, ours)| Some((what, theirs.as_deref()?, ours.as_deref()?)))
        .find(|(_, theirs, ours)| theirs != ours)
        .map_or(Ok(()), Err)
    }

    /// The host of the AWS console; `None` if it is not known for the partition.
    pub fn console(&self) -> Option<String> {
        let region = self.region.as_deref()?;
        let domain = match self.partition.as_deref()? {
            "aws" => "console.aws.amazon.com",
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => return None,
        };
        Some(format!("https://{region}.{domain}"))
    }
}

/// The ARN of an execution of a state machine: `arn:aws:states:<region>:<account>:execution:<state machine>:<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionArn {
    arn: String,
    location: Location,
}

impl ExecutionArn {
    /// `None` for anything but an execution where the function is.
    pub fn parse(text: &str, here: &Location) -> Option<Self> {
        let arn = Arn::parse(text).filter(|arn| arn.service == "states" && text.len() <= 300)?;
        let [kind, machine, name] = arn.resource.split(':').collect::<Vec<_>>().try_into().ok()?;
        let is_plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '/');
        let location = Location::of(&arn);
        let valid = kind == "execution" && is_plain(machine) && is_plain(name) && here.check(&location).is_ok();
        valid.then(|| Self { arn: text.to_owned(), location })
    }

    /// The execution in the console.
    pub fn link(&self) -> Option<String> {
        let (console, region) = (self.location.console()?, self.location.region.as_deref()?);
        Some(format!("{console}/states/home?region={region}#/v2/executions/details/{}", self.arn))
    }

    /// The state machine of the execution.
    pub fn state_machine(&self) -> String {
        let machine = self.arn.rsplit_once(':').map_or("", |(machine, _name)| machine);
        machine.replacen(":execution:", ":stateMachine:", 1)
    }
}

/// Scheduler's rule for the names of schedules and groups: `[0-9a-zA-Z-_.]+`, at most 64 characters (API reference).
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests;
