//! What a server asks to wait: seconds, or an HTTP date (RFC 9110, section 10.2.3).

use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How long the server asks to wait, counted from `now` (seconds since the epoch). `None` if the text is neither form. A
/// date in the past is a wait of zero.
pub(crate) fn parse(text: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        // What does not fit is longer than any invocation.
        return Duration::try_from_secs_f64(seconds).ok().or((seconds > 0.0).then_some(Duration::MAX));
    }
    let until = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?.unix_timestamp();
    Some(Duration::from_secs(u64::try_from(until.saturating_sub(now)).unwrap_or(0)))
}
