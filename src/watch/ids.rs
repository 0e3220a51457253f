//! The names that a request carries. Each type exists only in a valid form.

use crate::{arn::Arn, invalid::Invalid, redact};

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

/// The ARN of an EventBridge Scheduler schedule: `arn:aws:scheduler:<region>:<account>:schedule/<group>/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScheduleArn {
    arn: String,
    /// The name of the schedule's group.
    pub group: String,
    /// The schedule's own name.
    pub name: String,
}

impl ScheduleArn {
    /// Accepts a schedule where the function is, as far as that is known. The function touches no other: `DeleteSchedule`
    /// takes a group and a name, and would delete the schedule of the same name here.
    pub fn parse(text: &str, here: &Location) -> Result<Self, Invalid> {
        let arn = Arn::parse(text).filter(|arn| arn.service == "scheduler");
        let parts = arn.and_then(|arn| Some((arn, arn.resource.strip_prefix("schedule/")?.split_once('/')?)));
        let Some((arn, (group, name))) = parts.filter(|(_, (group, name))| is_name(group) && is_name(name)) else {
            return Err(Invalid::new(
                "is not the ARN of an EventBridge Scheduler schedule",
                "Use an ARN such as \"arn:aws:scheduler:eu-west-1:123456789012:schedule/default/watch-leads\". In the \
                 Input of a schedule's own target, and only there, Scheduler replaces the context attribute \
                 \"<aws.scheduler.schedule-arn>\" if it is spelled exactly so (Terraform's jsonencode escapes the angle \
                 brackets)",
            ));
        };
        here.check(&arn)?;
        Ok(Self { arn: text.to_owned(), group: group.to_owned(), name: name.to_owned() })
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.arn
    }
}

/// Where the function runs, as far as it is known: from the ARN under which it was invoked, or from `AWS_REGION`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// Such as `aws`.
    pub partition: Option<String>,
    /// Such as `eu-west-1`.
    pub region: Option<String>,
    /// Twelve digits.
    pub account: Option<String>,
}

impl Location {
    /// Reads the ARN of a function. Local runtimes make such ARNs up: nothing is taken from what is not one of Lambda.
    pub fn of_function(arn: &str, default_region: Option<&str>) -> Self {
        match Arn::parse(arn).filter(|arn| arn.service == "lambda") {
            Some(Arn { partition, region, account, .. }) => {
                let [partition, region, account] = [partition, region, account].map(|part| Some(part.to_owned()));
                Self { partition, region, account }
            }
            None => Self { region: default_region.map(str::to_owned), ..Self::default() },
        }
    }

    /// The error says what is known to be elsewhere.
    fn check(&self, arn: &Arn<'_>) -> Result<(), Invalid> {
        for (what, theirs, ours) in [
            ("partition", arn.partition, &self.partition),
            ("Region", arn.region, &self.region),
            ("account", arn.account, &self.account),
        ] {
            if let Some(ours) = ours.as_deref().filter(|ours| *ours != theirs) {
                let what = format!("is in the {what} {theirs:?}, but the function is in {ours:?}");
                return Err(Invalid::new(what, "Use the schedule that invokes this function"));
            }
        }
        Ok(())
    }

    /// The page of a service in the AWS console; `None` if the console is not known for the partition.
    pub fn console(&self, service: &str) -> Option<String> {
        let region = self.region.as_deref()?;
        let domain = match self.partition.as_deref()? {
            "aws" => "console.aws.amazon.com",
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => return None,
        };
        Some(format!("https://{region}.{domain}/{service}/home?region={region}"))
    }
}

/// An execution of a state machine, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The execution in the AWS console; `None` if the console is not known for the partition.
    pub link: Option<String>,
    /// The ARN of its state machine.
    pub state_machine: String,
}

impl Execution {
    /// Reads `arn:aws:states:<region>:<account>:execution:<state machine>:<name>`; `None` unless it is where the function is.
    pub fn parse(text: &str, here: &Location) -> Option<Self> {
        let arn = Arn::parse(text).filter(|arn| arn.service == "states" && text.len() <= 300)?;
        let (machine, name) = arn.resource.strip_prefix("execution:")?.split_once(':')?;
        let is_plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "/:".contains(c));
        let Arn { partition, region, account, .. } = arn;
        (is_plain(machine) && is_plain(name) && here.check(&arn).is_ok()).then(|| Self {
            link: here.console("states").map(|console| format!("{console}#/v2/executions/details/{text}")),
            state_machine: format!("arn:{partition}:states:{region}:{account}:stateMachine:{machine}"),
        })
    }
}

/// Scheduler's rule for the names of schedules and groups: `[0-9a-zA-Z-_.]+`, at most 64 characters (API reference).
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests;
