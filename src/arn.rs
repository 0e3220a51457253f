//! Amazon Resource Names, `arn:partition:service:region:account:resource`, and what the function names by them.

use crate::invalid::Invalid;

/// The parts of an ARN that names one resource in one Region and account. The resource has the form of its service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Parses an ARN that has all its parts. `None` for any other text.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let [arn, partition, service, region, account, resource] =
            text.splitn(6, ':').collect::<Vec<_>>().try_into().ok()?;
        let valid = arn == "arn"
            && (partition == "aws" || partition.strip_prefix("aws-").is_some_and(is_word))
            && is_word(service)
            && is_region(region)
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !resource.is_empty();
        valid.then_some(Self { partition, service, region, account, resource })
    }
}

/// Whether this is the name of a Region: `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
pub(crate) fn is_region(text: &str) -> bool {
    text.len() <= 32
        && is_word(text)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('-').count() >= 3
        && text.split('-').all(|part| !part.is_empty())
        && text.rsplit('-').next().is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
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
mod tests {
    use super::*;
    use crate::tests::{FUNCTION, SCHEDULE};

    #[test]
    fn parts() {
        let alias = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f:live";
        let parts = Arn::parse(alias).map(|arn| (arn.partition, arn.service, arn.region, arn.resource));
        assert_eq!(parts, Some(("aws-us-gov", "lambda", "us-gov-west-1", "function:f:live")));
        for text in [
            "arn:aws:sns:eu-west-1:123456789012:",
            "arn:aws:sns:eu-west-1:1234:topic",
            "arn:aws:sns:eu-west-1:12345678901x:topic",
            "arn:amazon:sns:eu-west-1:123456789012:topic",
            "arn:aws-:sns:eu-west-1:123456789012:topic",
            "arn:aws::eu-west-1:123456789012:topic",
        ] {
            assert_eq!(Arn::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn regions() {
        assert!(is_region("us-gov-west-1") && is_region("eusc-de-east-1"));
        let long = "5f3a9c1d5f3a9c1d-5f3a9c1d5f3a9c1d-1";
        for text in ["", "us-east", "us-east-1a", "us--1", "US-EAST-1", "us_east_1", "1-east-1", long] {
            assert!(!is_region(text), "{text:?}");
        }
    }

    #[test]
    fn schedules() {
        let here = Location::of_function(&format!("{FUNCTION}:live"), Some("eu-west-1"));
        let local = Location::of_function("function-arn", Some("eu-west-1"));
        let arn = ScheduleArn::parse(SCHEDULE, &here).unwrap();
        assert_eq!((arn.group.as_str(), arn.name.as_str(), arn.as_str()), ("group", "watch", SCHEDULE));
        for (part, another, expected, is_invalid_locally) in [
            ("scheduler", "events", "not the ARN", true),
            ("schedule/", "schedule-group/", "not the ARN", true),
            ("/watch", "", "not the ARN", true),
            ("/watch", "/watch/m", "not the ARN", true),
            ("eu-west-1", "eu-west-2", "Region", true),
            ("123456789012", "210987654321", "account", false),
            ("aws", "aws-cn", "partition", false),
        ] {
            let arn = SCHEDULE.replace(part, another);
            assert!(ScheduleArn::parse(&arn, &here).unwrap_err().of("it").contains(expected), "{arn}");
            assert_eq!(ScheduleArn::parse(&arn, &local).is_err(), is_invalid_locally, "{arn}");
        }
    }

    #[test]
    fn executions() {
        const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:watch:Leads-1";
        let here = Location::of_function(FUNCTION, None);
        assert!(Execution::parse(EXECUTION, &here).is_some());
        for (part, another) in [("eu-west-1", "eu-west-2"), ("execution:", "map:"), ("-1", " 1 https://evil.example")] {
            assert_eq!(Execution::parse(&EXECUTION.replace(part, another), &here), None, "{another}");
        }
    }
}
