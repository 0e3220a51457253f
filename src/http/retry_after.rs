//! The `Retry-After` header: whole seconds, or an HTTP date (RFC 9110, section 10.2.3).

use ::http::{HeaderMap, header::RETRY_AFTER};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How long the server asks to wait, counted from `now` (seconds since the epoch). `None` if it does not say, or if what
/// it says is neither form. A date in the past is a wait of zero.
pub(crate) fn parse(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number is longer than any invocation.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = OffsetDateTime::parse(text, &Rfc2822).ok()?.unix_timestamp();
    Some(Duration::from_secs(u64::try_from(until.saturating_sub(now)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    #[test]
    fn seconds_and_dates() {
        // Mon, 23 Nov 2026 10:00:00 GMT
        let now = 1_795_428_000;
        for (text, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Mon, 23 Nov 2026 10:02:00 GMT", Some(120)),
            ("Mon, 23 Nov 2026 09:00:00 GMT", Some(0)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(parse(&headers, now), expected.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(parse(&HeaderMap::new(), now), None);
    }
}
