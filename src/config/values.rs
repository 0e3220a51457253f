//! The forms that the values of environment variables must have.
//!
//! Each function takes one value, without white space at its ends. No error repeats the value: somebody may have put a
//! secret there.

use crate::arn::{self, Arn};
use crate::http::origin::parse_url;
use crate::invalid::Invalid;
use crate::redact;
use crate::zoho::data_center::DataCenter;
use reqwest::{NoProxy, Proxy};
use std::ops::RangeInclusive;

/// A whole number of seconds in these bounds.
pub(super) fn seconds(text: &str, bounds: RangeInclusive<u64>) -> Result<u64, Invalid> {
    let hint = format!("Set a whole number from {} to {}", bounds.start(), bounds.end());
    let parsed = text.parse().ok().filter(|seconds| bounds.contains(seconds));
    parsed.ok_or_else(|| Invalid::new("is not a valid number of seconds", hint))
}

fn checked(is_valid: bool, text: &str, what: &'static str, hint: &'static str) -> Result<String, Invalid> {
    if is_valid { Ok(text.to_owned()) } else { Err(Invalid::new(what, hint)) }
}

/// The name or the ARN of a secret, in Secrets Manager's own characters.
pub(super) fn secret_id(text: &str) -> Result<String, Invalid> {
    let name = match text.strip_prefix("arn:") {
        None => Some(text),
        Some(_) => Arn::parse(text)
            .filter(|arn| arn.service == "secretsmanager")
            .and_then(|arn| arn.resource.strip_prefix("secret:")),
    };
    let is_name = |name: &str| {
        (1..=512).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte))
    };
    checked(
        // A bare token and a client secret consist of the same characters as a name.
        name.is_some_and(is_name) && !redact::contains_secret(text, &[]),
        text,
        "is neither the name nor the ARN of a secret (the value is not shown: it may be the secret itself)",
        "Set the name of a secret in Secrets Manager, or its ARN, not its content",
    )
}

/// The ARN of an SNS topic.
pub(super) fn topic_arn(text: &str) -> Result<String, Invalid> {
    let is_topic = |arn: Arn<'_>| {
        let name = arn.resource.strip_suffix(".fifo").unwrap_or(arn.resource);
        arn.service == "sns"
            && (1..=256).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let hint = "Set an ARN such as arn:aws:sns:eu-west-1:123456789012:zoho-status";
    checked(Arn::parse(text).is_some_and(is_topic), text, "is not the ARN of an SNS topic", hint)
}

/// A version of Zoho's API.
pub(super) fn api_version(text: &str) -> Result<String, Invalid> {
    let is_number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = |number: &str| number.split('.').count() <= 2 && number.split('.').all(is_number);
    let is_valid = text.strip_prefix('v').is_some_and(is_version);
    checked(is_valid, text, "is not a version of Zoho's API", "Set v8")
}

/// The name of a data center, in any letter case.
pub(super) fn data_center(text: &str) -> Result<DataCenter, Invalid> {
    DataCenter::named(text)
        .ok_or_else(|| Invalid::new("is not a data center", format!("Set one of {}", DataCenter::names())))
}

/// The URL of an HTTP proxy, which may hold a password, and the hosts that are reached without it. A password with a
/// reserved character cuts the URL off there: part of the password would become the proxy's host.
pub(super) fn proxy(text: &str, exceptions: Option<&str>) -> Result<Proxy, Invalid> {
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let proxy = parse_url(&url)
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.path() == "/")
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .and_then(|url| Proxy::https(url).ok())
        .ok_or_else(|| {
            Invalid::new(
                "is not the URL of an HTTP proxy",
                "Set a URL such as http://user:password@proxy.example.com:3128, with no path, and with the user and the password percent-encoded",
            )
        })?;
    Ok(proxy.no_proxy(exceptions.and_then(NoProxy::from_string)))
}

/// The name of an AWS Region.
pub(super) fn region(text: &str) -> Result<String, Invalid> {
    checked(arn::is_region(text), text, "is not an AWS Region", "Set a name such as eu-west-1")
}

/// The URL of an AWS service.
pub(super) fn endpoint_url(text: &str) -> Result<String, Invalid> {
    let is_http = parse_url(text).is_some_and(|url| matches!(url.scheme(), "http" | "https"));
    // The SDK parses it by the rules of another library.
    let is_valid = is_http && text.parse::<http::Uri>().is_ok() && !text.contains(['@', '?', '#']);
    checked(is_valid, text, "is not a URL", "Set https://host[:port][/path], or remove the variable")
}

/// `true` or `false`, in any letter case.
pub(super) fn switch(text: &str) -> Result<bool, Invalid> {
    let parsed = text.to_ascii_lowercase().parse::<bool>();
    parsed.map_err(|_| Invalid::new("is not a switch", "Set true or false"))
}

/// Part of AWS credentials: it becomes part of an HTTP header.
pub(super) fn credential(text: &str) -> Result<String, Invalid> {
    let is_valid = text.bytes().all(|byte| byte.is_ascii_graphic());
    checked(is_valid, text, "is not part of AWS credentials", "Remove it: Lambda sets it")
}
