use super::*;

const OWN: &str = "ZOHO_SECRET_ID STATUS_TOPIC_ARN ZOHO_DATA_CENTER ZOHO_API_DOMAIN ZOHO_ACCOUNTS_DOMAIN ZOHO_API_VERSION \
                   REQUEST_TIMEOUT_SECONDS CHECK_INTERVAL_MIN_SECONDS CHECK_INTERVAL_MAX_SECONDS WATCH_LIMIT_SECONDS \
                   STILL_RUNNING_NOTICE_SECONDS NO_PROGRESS_NOTICE_SECONDS CHAT_NOTIFICATIONS HTTPS_PROXY";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn config(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    Config::new(&environment(&[&[("ZOHO_SECRET_ID", "zoho")], variables].concat()))
}

/// Whether a variable accepts a value; no part of a rejected value must be shown.
fn accepts(name: &str, value: &str) -> bool {
    let Err(problems) = Config::new(&environment(&[("ZOHO_SECRET_ID", "zoho"), (name, value)])) else {
        return true;
    };
    let message = invalid(&problems).to_string();
    assert!(message.contains(&format!("{name} ")), "{name}={value:?}: {message}");
    for part in value.split(['"', '@', '/', '#']).filter(|part| part.len() >= 9) {
        assert!(!message.contains(part), "{name}={value:?}: {message}");
    }
    false
}

#[test]
fn defaults() {
    let config = config(&[]).unwrap();
    assert_eq!((config.secret_id.as_str(), config.zoho.api_version.as_str()), ("zoho", "v8"));
    assert_eq!(config.zoho.request_timeout, Duration::from_secs(10));
    assert_eq!(config.limits, crate::tests::LIMITS, "no notices");
    assert_eq!((config.topic_arn, config.zoho.api_domain, config.zoho.accounts_domain), (None, None, None));
    assert!(!config.chat_notifications, "off by default");
    assert!(config.zoho.data_center.is_none() && config.cert_file.is_none() && config.proxy.is_none());
}

#[test]
fn an_empty_variable_counts_as_unset() {
    for value in ["", " ", "\t\n"] {
        let aws = ["AWS_ENDPOINT_URL", "AWS_REGION", "SSL_CERT_FILE", "ALL_PROXY"];
        let all = OWN.split_whitespace().skip(1).chain(aws);
        let config = config(&all.map(|name| (name, value)).collect::<Vec<_>>()).unwrap();
        let zoho = config.zoho;
        assert_eq!((config.topic_arn, zoho.api_version.as_str(), config.cert_file), (None, "v8", None));
    }
}

#[test]
fn every_variable_at_fault_is_named_at_once() {
    let value = |name| if name == "ZOHO_SECRET_ID" { "" } else { "\u{1}" };
    let variables: Vec<_> = OWN.split_whitespace().map(|name| (name, value(name))).collect();
    let problems = Config::new(&environment(&variables)).unwrap_err();
    assert_eq!(problems.len(), variables.len());
    let error = invalid(&problems);
    assert_eq!(error.kind(), ErrorType::InvalidConfiguration);
    assert!(OWN.split_whitespace().all(|name| error.message().contains(name)), "{error}");
}

#[test]
fn bounds_must_be_in_order() {
    let bounds = |variables: &[(&str, &str)]| {
        let Bounds { min_seconds, max_seconds } = config(variables).unwrap().limits.bounds;
        (min_seconds, max_seconds)
    };
    assert_eq!(bounds(&[("CHECK_INTERVAL_MAX_SECONDS", "5")]), (5, 5));
    assert_eq!(bounds(&[("CHECK_INTERVAL_MIN_SECONDS", "1000")]), (1_000, 1_000));
    assert_eq!(bounds(&[("CHECK_INTERVAL_MIN_SECONDS", "60")]), (60, 900));
    let problems = config(&[("CHECK_INTERVAL_MIN_SECONDS", "60"), ("CHECK_INTERVAL_MAX_SECONDS", "30")]).unwrap_err();
    assert!(problems.concat().contains("is greater than CHECK_INTERVAL_MAX_SECONDS"), "{problems:?}");
}

#[test]
fn forms_of_values() {
    let long_name = "n".repeat(513);
    let client_secret = "5f3a9c1d5f3a9c1d5f3a9c1d5f3a9c1d5f3a9c1d5f";
    let token = "1000.8cb99d1234567890abcdef1234be93.9b8123456789abcdef9b8123456789ab";
    let url = format!("https://{client_secret}@www.zohoapis.com/?{token}");
    for (name, value, expected) in [
        ("ZOHO_SECRET_ID", "prod/zoho_crm+a=b.c@d-e", true),
        ("ZOHO_SECRET_ID", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/zoho-AbCdEf", true),
        ("ZOHO_SECRET_ID", "arn:aws:ssm:eu-west-1:123456789012:parameter/zoho", false),
        ("ZOHO_SECRET_ID", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:", false),
        ("ZOHO_SECRET_ID", "my secret", false),
        ("ZOHO_SECRET_ID", "{{resolve:secretsmanager:zoho}}", false),
        ("ZOHO_SECRET_ID", &long_name, false),
        // Secrets in the wrong place.
        ("ZOHO_SECRET_ID", client_secret, false),
        ("ZOHO_SECRET_ID", token, false),
        ("ZOHO_API_DOMAIN", token, false),
        ("AWS_ENDPOINT_URL", &url, false),
        ("STATUS_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:topic", true),
        ("STATUS_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:topic.fifo", true),
        ("STATUS_TOPIC_ARN", "arn:aws:sqs:eu-west-1:123456789012:topic", false),
        ("STATUS_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:topic:subscription", false),
        ("STATUS_TOPIC_ARN", "topic-without-arn", false),
        ("ZOHO_DATA_CENTER", "eu", true),
        ("ZOHO_DATA_CENTER", "Europe", false),
        ("ZOHO_API_DOMAIN", "https://www.zohoapis.eu", true),
        ("ZOHO_API_DOMAIN", "www.zohoapis.eu", false),
        ("ZOHO_API_VERSION", "v2.1", true),
        ("ZOHO_API_VERSION", "v8/x", false),
        ("REQUEST_TIMEOUT_SECONDS", "901", false),
        ("WATCH_LIMIT_SECONDS", "1.5", false),
        ("WATCH_LIMIT_SECONDS", "0", false),
        ("STILL_RUNNING_NOTICE_SECONDS", "0", true),
        ("NO_PROGRESS_NOTICE_SECONDS", "-1", false),
        ("HTTPS_PROXY", "http://user:password@proxy.internal:3128", true),
        ("https_proxy", "proxy.internal:3128", true),
        ("all_proxy", "http://proxy.internal:3128/", true),
        ("ALL_PROXY", "http://proxy.internal:3128?x", false),
        ("HTTPS_PROXY", "socks5://proxy.internal", false),
        // Passwords that are not percent-encoded.
        ("HTTPS_PROXY", "http://svc:p@ss.invalid/w0rd#1@127.0.0.1:3128", false),
        ("HTTPS_PROXY", "http://svc:pass?word@127.0.0.1:3128", false),
        ("HTTPS_PROXY", "svc:12/word@127.0.0.1:3128", false),
        ("HTTPS_PROXY", "http://svc:p@ssword@127.0.0.1:3128", true),
        ("HTTPS_PROXY", "http://svc:EXAMPLE%2F@127.0.0.1:3128", true),
        ("AWS_REGION", "eusc-de-east-1", true),
        ("AWS_REGION", "eu_west_1", false),
        ("AWS_ENDPOINT_URL", "http://localhost:4566/path", true),
        ("AWS_ENDPOINT_URL", "localhost:4566", false),
        ("AWS_ENDPOINT_URL_SNS", "/sns", false),
        // The SDK panics.
        ("AWS_SESSION_TOKEN", "two\nlines", false),
    ] {
        assert_eq!(accepts(name, value), expected, "{name}={value:?}");
    }
}
