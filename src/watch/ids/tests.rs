use super::*;

#[test]
fn module_names() {
    for (text, expected) in [
        ("price books", Some("Price_Books")),
        ("CustomModule1", Some("CustomModule1")),
        ("zohosign__ZohoSign_Documents", Some("zohosign__ZohoSign_Documents")),
        ("custom", None),
        ("", None),
        ("1Leads", None),
        ("_Leads", None),
        ("Leads/../Deals", None),
        ("Leads?x", None),
        ("Léads", None),
        (" Leads", None),
        // A client secret.
        ("a5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9", None),
    ] {
        let parsed = ModuleName::parse(text);
        assert_eq!(parsed.as_ref().ok().map(ModuleName::as_str), expected, "{text:?}");
    }
    assert!(ModuleName::parse(&"a".repeat(255)).is_ok() && ModuleName::parse(&"a".repeat(256)).is_err());
    for (display, api) in STANDARD_MODULES {
        for text in [display.to_owned(), display.to_lowercase(), display.to_uppercase(), api.to_owned()] {
            assert_eq!(ModuleName::parse(&text).unwrap().as_str(), api);
        }
    }
}

#[test]
fn job_ids() {
    for (text, valid) in [
        ("1", true),
        ("12345678901234567890", true),
        ("123456789012345678901", false),
        ("", false),
        ("12 3", false),
        ("-1", false),
        ("3.652397e18", false),
        ("١٢٣", false),
    ] {
        assert_eq!(JobId::parse(text).is_ok(), valid, "{text:?}");
    }
}

#[test]
fn schedule_arns() {
    let arn = ScheduleArn::parse("arn:aws:scheduler:eu-west-1:123456789012:schedule/watches/Leads-1").unwrap();
    assert_eq!((arn.group.as_str(), arn.name.as_str()), ("watches", "Leads-1"));
    for bad in [
        "arn:aws:events:eu-west-1:123456789012:rule/x",
        "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/g",
        "arn:aws:scheduler:eu-west-1:123456789012:schedule/g",
        "arn:aws:scheduler:eu-west-1:123456789012:schedule/g/n/m",
        "arn:aws:scheduler:eu-west-1:123456789012:schedule//n",
        "arn:aws:scheduler:eu-west-1:1234:schedule/g/n",
    ] {
        assert!(ScheduleArn::parse(bad).unwrap_err().to_string().contains("not the ARN"), "{bad:?}");
    }
    // Advice that was already followed would not help.
    for unresolved in ["<aws.scheduler.schedule-arn>", " <aws.scheduler.execution-id>"] {
        let error = ScheduleArn::parse(unresolved).unwrap_err().to_string();
        assert!(error.contains("not replaced"), "{unresolved:?}: {error}");
    }
}

#[test]
fn schedules_elsewhere() {
    let here = Location::of_function("arn:aws:lambda:eu-west-1:123456789012:function:watch:live", Some("eu-west-1"));
    let local = Location::of_function("function-arn", Some("eu-west-1"));
    for (arn, part, part_locally) in [
        ("arn:aws:scheduler:eu-west-1:123456789012:schedule/g/n", None, None),
        ("arn:aws:scheduler:eu-west-2:123456789012:schedule/g/n", Some("Region"), Some("Region")),
        ("arn:aws:scheduler:eu-west-1:210987654321:schedule/g/n", Some("account"), None),
        ("arn:aws-cn:scheduler:eu-west-1:123456789012:schedule/g/n", Some("partition"), None),
    ] {
        let schedule = ScheduleArn::parse(arn).unwrap();
        for (location, expected) in [(&here, part), (&local, part_locally), (&Location::default(), None)] {
            let found = schedule.check_location(location).err().map(|problem| problem.to_string());
            assert_eq!(found.is_some(), expected.is_some(), "{arn} from {location:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{arn}");
        }
    }
}
