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
        let wrong = |what| Err(Invalid::new(what, "Set https://host[:port] (plain http for loopback hosts only)"));
        let Some(url) = parse_url(text) else { return wrong("is not a URL") };
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return wrong("has no valid host");
        };
        if !url.username().is_empty() || url.password().is_some() {
            wrong("has credentials in it")
        } else if url.query().is_some() || url.fragment().is_some() {
            wrong("has a query or a fragment")
        } else if url.path() != "/" {
            wrong("has a path")
        } else if url.scheme() != "https" && url.scheme() != "http" {
            wrong("has another scheme than https")
        } else if url.scheme() == "http" && !is_loopback(host) {
            wrong("is plain http to a host that is not loopback")
        } else if !is_host_name(host) {
            wrong("has a host that is neither a domain name nor an address")
        } else {
            Ok(Self(url.origin().ascii_serialization()))
        }
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

/// Whether this is an address or a domain name. A secret in the place of a host can be neither: its last label is not a
/// top-level domain, or it begins like a Zoho token.
fn is_host_name(host: &str) -> bool {
    let top_level = host.trim_end_matches('.').rsplit_once('.').map(|(_, label)| label);
    let is_domain = top_level.is_some_and(|label| {
        label.starts_with("xn--")
            || (label.len() <= 24 && label.bytes().all(|byte| byte.is_ascii_alphabetic()) && !label.is_empty())
    });
    is_loopback(host) || is_address(host) || (is_domain && !host.starts_with("1000."))
}

fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an origin becomes, or what the error says. No error repeats the text.
    #[test]
    fn only_https_or_loopback_and_nothing_but_the_host() {
        for (text, expected) in [
            ("https://www.zohoapis.com/", Ok("https://www.zohoapis.com")),
            ("HTTPS://WWW.ZOHOAPIS.EU:8443", Ok("https://www.zohoapis.eu:8443")),
            ("http://127.1.2.3", Ok("http://127.1.2.3")),
            ("http://localhost:1", Ok("http://localhost:1")),
            ("http://[::1]:8600", Ok("http://[::1]:8600")),
            ("https://10.0.0.1", Ok("https://10.0.0.1")),
            ("https://zoho.internal", Ok("https://zoho.internal")),
            ("http://hunter2.example.com", Err("plain http")),
            ("http://10.0.0.1", Err("plain http")),
            ("http://localhost.example.com", Err("plain http")),
            ("https://hunter2@www.zohoapis.com", Err("credentials")),
            ("https://user:hunter2@www.zohoapis.com", Err("credentials")),
            ("https://www.zohoapis.com/hunter2", Err("a path")),
            ("https://www.zohoapis.com?token=hunter2", Err("a query or a fragment")),
            ("https://www.zohoapis.com/#hunter2", Err("a query or a fragment")),
            ("ftp://hunter2.example.com", Err("another scheme")),
            ("www.zohoapis.com", Err("not a URL")),
            ("hunter2:x", Err("no valid host")),
            ("https://", Err("not a URL")),
            // Secrets in the wrong place.
            ("https://hunter2", Err("neither a domain name nor an address")),
            ("https://5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c", Err("neither")),
            ("https://1000.abc.def", Err("neither")),
        ] {
            match (Origin::parse(text).map_err(|error| error.to_string()), expected) {
                (Ok(origin), Ok(expected)) => assert_eq!(origin.as_str(), expected),
                (Err(error), Err(part)) => {
                    assert!(error.contains(part) && !error.contains("hunter2"), "{text}: {error}");
                }
                (origin, _) => panic!("{text}: {origin:?}"),
            }
        }
        assert_eq!(Origin::parse_host("accounts.zoho.eu").unwrap().as_str(), "https://accounts.zoho.eu");
        assert_eq!(Origin::parse_host("http://localhost:9").unwrap().as_str(), "http://localhost:9");
        assert!(Origin::parse_host("http://accounts.zoho.eu").is_err());
    }
}
