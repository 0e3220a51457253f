//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
