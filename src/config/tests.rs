use super::*;

const OWN: &str = "ZOHO_SECRET_ID STATUS_TOPIC_ARN ZOHO_DATA_CENTER ZOHO_API_DOMAIN ZOHO_ACCOUNTS_DOMAIN ZOHO_API_VERSION \
                   REQUEST_TIMEOUT_SECONDS CHECK_INTERVAL_MIN_SECONDS CHECK_INTERVAL_MAX_SECONDS WATCH_LIMIT_SECONDS \
                   STILL_RUNNING_NOTICE_SECONDS NO_PROGRESS_NOTICE_SECONDS CHAT_NOTIFICATIONS HTTPS_PROXY SSL_CERT_FILE";

/// The configuration with these variables, or the problems as one text.
fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = [("ZOHO_SECRET_ID", "zoho")].iter().chain(variables).copied();
    Config::new(&variables.collect()).map_err(|problems| invalid(&problems).to_string())
}

#[test]
fn defaults() {
    let config = config(&[]).ok().unwrap();
    assert_eq!((config.secret_id.as_str(), config.zoho.api_version.as_str()), ("zoho", "v8"));
    assert_eq!(config.zoho.request_timeout, Duration::from_secs(10));
    assert_eq!(config.limits, crate::tests::LIMITS, "no notices");
    assert_eq!((config.topic_arn, config.zoho.api_domain, config.zoho.accounts_domain), (None, None, None));
    assert!(config.zoho.data_center.is_none() && !config.chat_notifications);
}

#[test]
fn every_variable_at_fault_is_named_at_once() {
    assert_eq!(Config::new(&Environment::default()).err().unwrap(), ["ZOHO_SECRET_ID is not set"]);
    let variables: Vec<_> = OWN.split_whitespace().map(|name| (name, "\u{1}")).collect();
    let error = config(&variables).err().unwrap();
    assert!(error.starts_with("InvalidConfiguration: "), "{error}");
    assert!(OWN.split_whitespace().all(|name| error.contains(name)), "{error}");
}

#[test]
fn bounds_must_be_in_order() {
    let bounds = |min, max| {
        let config = config(&[("CHECK_INTERVAL_MIN_SECONDS", min), ("CHECK_INTERVAL_MAX_SECONDS", max)]);
        config.map(|config| (config.limits.bounds.min_seconds, config.limits.bounds.max_seconds))
    };
    assert_eq!(bounds("", "5"), Ok((5, 5)));
    assert_eq!(bounds("1000", ""), Ok((1_000, 1_000)));
    assert_eq!(bounds(" 60\n", " "), Ok((60, 900)));
    assert!(bounds("60", "30").unwrap_err().contains("is greater than CHECK_INTERVAL_MAX_SECONDS"));
}

/// No part of a rejected value is shown.
#[test]
fn forms_of_values() {
    let long_name = "n".repeat(513);
    let client_secret = "5f3a9c1d5f3a9c1d5f3a9c1d5f3a9c1d5f3a9c1d5f";
    let token = "1000.8cb99d1234567890abcdef1234be93.9b8123456789abcdef9b8123456789ab";
    let url = format!("https://{client_secret}@www.zohoapis.com/?{token}");
    for (name, value, is_valid) in [
        ("ZOHO_SECRET_ID", "prod/zoho_crm+a=b.c@d-e", true),
        ("ZOHO_SECRET_ID", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/zoho-AbCdEf", true),
        ("ZOHO_SECRET_ID", "arn:aws:ssm:eu-west-1:123456789012:parameter/zoho", false),
        ("ZOHO_SECRET_ID", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:", false),
        ("ZOHO_SECRET_ID", &long_name, false),
        // Secrets in the wrong place.
        ("ZOHO_SECRET_ID", client_secret, false),
        ("ZOHO_SECRET_ID", token, false),
        ("AWS_ENDPOINT_URL", &url, false),
        ("STATUS_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:topic.fifo", true),
        ("STATUS_TOPIC_ARN", "arn:aws:sqs:eu-west-1:123456789012:topic", false),
        ("STATUS_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:topic:subscription", false),
        ("ZOHO_DATA_CENTER", "eu", true),
        ("ZOHO_API_VERSION", "v2.1", true),
        ("ZOHO_API_VERSION", "v8/x", false),
        ("REQUEST_TIMEOUT_SECONDS", "901", false),
        ("WATCH_LIMIT_SECONDS", "0", false),
        ("STILL_RUNNING_NOTICE_SECONDS", "0", true),
        ("all_proxy", "http://proxy.internal:3128/", true),
        ("ALL_PROXY", "http://proxy.internal:3128?x", false),
        ("HTTPS_PROXY", "socks5://proxy.internal", false),
        // Passwords that are not percent-encoded.
        ("HTTPS_PROXY", "http://svc:p@ss.invalid/w0rd#1@127.0.0.1:3128", false),
        ("HTTPS_PROXY", "svc:12/word@127.0.0.1:3128", false),
        ("HTTPS_PROXY", "http://svc:p@ssword@127.0.0.1:3128", true),
        ("AWS_REGION", "eusc-de-east-1", true),
        ("AWS_REGION", "eu_west_1", false),
        ("AWS_ENDPOINT_URL", "http://localhost:4566/path", true),
        ("AWS_ENDPOINT_URL_SNS", "localhost:4566", false),
        // The SDK panics.
        ("AWS_SESSION_TOKEN", "two\nlines", false),
    ] {
        let problems = config(&[(name, value)]).err();
        assert_eq!(problems.is_none(), is_valid, "{name}={value:?}: {problems:?}");
        let shown = problems.unwrap_or_else(|| name.to_owned());
        let mut parts = value.split(['"', '@', '/', '#']).filter(|part| part.len() >= 9);
        assert!(shown.contains(name) && !parts.any(|part| shown.contains(part)), "{name}={value:?}: {shown}");
    }
}
