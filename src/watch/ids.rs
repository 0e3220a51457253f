//! The names that a request carries; each exists only in a valid form.

use std::fmt;

/// A module's API name, as it stands in Zoho's URLs.
///
/// Zoho's limit is not documented; 255 characters is more than any real name has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModuleName(String);

/// Zoho's standard modules: display name, API name (crm-oas, `v8.0/mass_change_owner`).
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
    /// Takes an API name as it is, and a standard module's display or API name in any letter case.
    ///
    /// The error says what was wrong with the text, to stand after the field's name in a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("custom") {
            return Err("is the placeholder \"Custom\" of Zoho's documentation; give the custom module's own API \
                        name (Zoho CRM: Setup, Developer Hub, APIs & SDKs, API Names), such as \"CustomModule1\""
                .into());
        }
        let standard = STANDARD_MODULES
            .iter()
            .find(|(display, api)| text.eq_ignore_ascii_case(display) || text.eq_ignore_ascii_case(api));
        let name = standard.map_or(text, |(_, api)| api);
        let mut bytes = name.bytes();
        let valid = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.len() <= 255;
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err("is no module API name: a letter, then letters, digits and underscores, at most 255 characters, \
                 such as \"Leads\" or \"CustomModule1\""
                .into())
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

/// The id of a mass change owner job: 1 to 20 ASCII digits (real ones have 18 or 19).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobId(String);

impl JobId {
    /// The error says what was wrong with the text, to stand after the field's name in a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        if (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("is no job id: 1 to 20 digits in quotes, such as \"3652397000009565021\"".into())
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
    group: String,
    name: String,
}

impl ScheduleArn {
    /// The error says what was wrong with the text, to stand after the field's name in a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::split(text).ok_or_else(|| {
            "is no EventBridge Scheduler schedule ARN, such as \
             \"arn:aws:scheduler:eu-west-1:123456789012:schedule/default/watch-leads\"; in a schedule's input write \
             the context attribute \"<aws.scheduler.schedule-arn>\""
                .into()
        })
    }

    fn split(text: &str) -> Option<Self> {
        let [arn, partition, service, region, account, resource] =
            text.splitn(6, ':').collect::<Vec<_>>().try_into().ok()?;
        let [kind, group, name] = resource.split('/').collect::<Vec<_>>().try_into().ok()?;
        let valid = arn == "arn"
            && (partition == "aws" || partition.starts_with("aws-"))
            && service == "scheduler"
            && !region.is_empty()
            && is_name(region)
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && kind == "schedule"
            && is_name(group)
            && is_name(name);
        valid.then(|| Self { arn: text.to_owned(), group: group.to_owned(), name: name.to_owned() })
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// The schedule group's name.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The schedule's own name.
    pub fn name(&self) -> &str {
        &self.name
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

    #[test]
    fn module_names() {
        for (text, expected) in [
            ("Leads", Some("Leads")),
            ("leads", Some("Leads")),
            ("MEETINGS", Some("Events")),
            ("Events", Some("Events")),
            ("price books", Some("Price_Books")),
            ("price_books", Some("Price_Books")),
            ("Sales Orders", Some("Sales_Orders")),
            ("Purchase orders", Some("Purchase_Orders")),
            ("CustomModule1", Some("CustomModule1")),
            ("zohosign__ZohoSign_Documents", Some("zohosign__ZohoSign_Documents")),
            ("Appointments__s", Some("Appointments__s")),
            ("Custom", None),
            ("custom", None),
            ("", None),
            ("1Leads", None),
            ("_Leads", None),
            ("Leads/../Deals", None),
            ("Leads?x", None),
            ("Léads", None),
            (" Leads", None),
            ("My Module", None),
        ] {
            let parsed = ModuleName::parse(text);
            assert_eq!(parsed.as_ref().ok().map(ModuleName::as_str), expected, "{text:?}");
        }
        assert!(ModuleName::parse(&"a".repeat(255)).is_ok());
        assert!(ModuleName::parse(&"a".repeat(256)).is_err());
        assert!(ModuleName::parse("Custom").unwrap_err().contains("own API name"));
    }

    #[test]
    fn every_standard_module_maps_from_its_display_name_in_any_case() {
        for (display, api) in STANDARD_MODULES {
            for text in [display.to_owned(), display.to_lowercase(), display.to_uppercase(), api.to_owned()] {
                assert_eq!(ModuleName::parse(&text).unwrap().as_str(), api);
            }
        }
    }

    #[test]
    fn job_ids() {
        for (text, valid) in [
            ("3652397000009565021", true),
            ("1", true),
            ("12345678901234567890", true),
            ("123456789012345678901", false),
            ("", false),
            ("12 3", false),
            ("-1", false),
            ("1e3", false),
            ("١٢٣", false),
        ] {
            assert_eq!(JobId::parse(text).is_ok(), valid, "{text:?}");
        }
    }

    #[test]
    fn schedule_arns() {
        let arn =
            ScheduleArn::parse("arn:aws:scheduler:eu-west-1:123456789012:schedule/watches/Leads-1").unwrap();
        assert_eq!((arn.group(), arn.name()), ("watches", "Leads-1"));
        assert!(
            ScheduleArn::parse("arn:aws-us-gov:scheduler:us-gov-west-1:123456789012:schedule/g/n").is_ok()
        );
        for bad in [
            "",
            "<aws.scheduler.schedule-arn>",
            "arn:aws:events:eu-west-1:123456789012:rule/x",
            "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/g",
            "arn:aws:scheduler:eu-west-1:123456789012:schedule/g",
            "arn:aws:scheduler:eu-west-1:123456789012:schedule/g/n/m",
            "arn:aws:scheduler:eu-west-1:123456789012:schedule//n",
            "arn:aws:scheduler:eu-west-1:1234:schedule/g/n",
            "arn:aws:scheduler::123456789012:schedule/g/n",
        ] {
            assert!(ScheduleArn::parse(bad).is_err(), "{bad:?}");
        }
    }
}
