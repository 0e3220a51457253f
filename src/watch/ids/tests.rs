use super::*;
use crate::tests::{FUNCTION, SCHEDULE};

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
