//! Where a Zoho server is: scheme, host and port, nothing else.

use crate::invalid::Invalid;
use std::fmt;
use std::net::IpAddr;

/// `https://host[:port]`; plain `http` for loopback hosts only, where tests and the local stack listen.
///
/// A path, a query, a fragment or credentials are refused: each request writes its own path, and a token must never go
/// to a host that somebody slipped in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// Parses an origin, with or without a slash at its end.
    /// The error does not repeat the text: a user name, a query, or all of it may be a secret.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let origin = parse_url(text).and_then(|url| {
            let origin = url.origin().ascii_serialization();
            let is_allowed = match url.scheme() {
                "https" => is_host(&url),
                "http" => url.host_str().is_some_and(is_loopback),
                _ => false,
            };
            (is_allowed && url.as_str() == format!("{origin}/")).then_some(Self(origin))
        });
        origin.ok_or_else(|| {
            let what = "is not the address of a host, without anything else";
            Invalid::new(what, "Set https://host[:port] (plain http for loopback hosts only)")
        })
    }

    /// A host as Zoho's documentation names it, such as `www.zohoapis.eu`, or a whole base URL.
    pub fn parse_host(text: &str) -> Result<Self, Invalid> {
        if text.contains("://") { Self::parse(text) } else { Self::parse(&format!("https://{text}")) }
    }

    /// A host that is valid as it is written, such as a constant.
    pub(crate) fn of_known_host(host: &'static str) -> Self {
        Self(format!("https://{host}"))
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        reqwest::Url::parse(&self.0).is_ok_and(|url| url.host_str().is_some_and(is_loopback))
    }

    /// Without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Parses a URL whose host is ASCII as it is written. The URL library supports no other hosts (`idna_adapter` in
/// Cargo.toml), and panics at some of them in debug builds.
pub(crate) fn parse_url(text: &str) -> Option<reqwest::Url> {
    let host_and_path = text.rsplit_once('@').map_or(text, |(_credentials, rest)| rest);
    let is_plain = text.is_ascii() && !host_and_path.contains('%');
    is_plain.then(|| reqwest::Url::parse(text).ok()).flatten()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the host is an address or a domain name. A secret in the place of a host can be neither: its last label is not a
/// top-level domain, or it begins like a Zoho token.
fn is_host(url: &reqwest::Url) -> bool {
    let is_top_level = |label: &str| {
        label.starts_with("xn--") || (label.len() <= 24 && label.bytes().all(|byte| byte.is_ascii_alphabetic()))
    };
    url.domain().is_none_or(|domain| {
        let last = domain.trim_end_matches('.').rsplit_once('.').map(|(_, label)| label);
        is_loopback(domain) || (last.is_some_and(is_top_level) && !domain.starts_with("1000."))
    })
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_loopback_and_nothing_but_the_host() {
        for (text, expected) in [
            ("https://www.zohoapis.com/", "https://www.zohoapis.com"),
            ("HTTPS://WWW.ZOHOAPIS.EU:8443", "https://www.zohoapis.eu:8443"),
            ("http://127.1.2.3", "http://127.1.2.3"),
            ("http://localhost:1", "http://localhost:1"),
            ("http://[::1]:8600", "http://[::1]:8600"),
            ("http://hunter2.example.com", ""),
            ("ftp://localhost", ""),
            ("https://hunter2@www.zohoapis.com", ""),
            ("https://www.zohoapis.com/hunter2", ""),
            ("hunter2:x", ""),
            // Secrets in the wrong place.
            ("https://hunter2", ""),
            ("https://1000.8cb99d1234567890abcdef1234be93.9b8123456789abcdef9b8123456789ab", ""),
        ] {
            match Origin::parse(text) {
                Ok(origin) => assert_eq!(origin.as_str(), expected, "{text}"),
                Err(error) => assert!(expected.is_empty() && !error.of("").contains("hunter2"), "{text}"),
            }
        }
        assert_eq!(Origin::parse_host("accounts.zoho.eu").unwrap().as_str(), "https://accounts.zoho.eu");
        assert_eq!(Origin::parse_host("http://localhost:9").unwrap().as_str(), "http://localhost:9");
    }
}
