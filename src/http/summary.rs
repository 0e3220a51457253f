//! The one format in which messages quote an HTTP error: `HTTP 403 CODE "text"`.

use crate::redact;
use ::http::StatusCode;
use std::fmt::Write as _;

/// What a server returned: the status, and the code and text where there are any. Both are shortened and put on one
/// line here; secrets that the caller knows must be masked before.
///
/// ```
/// use http::StatusCode;
/// use mass_change_owner_status::http::summary;
///
/// let status = StatusCode::FORBIDDEN;
/// assert_eq!(summary(status, "NO_PERMISSION", "permission denied"), r#"HTTP 403 NO_PERMISSION "permission denied""#);
/// assert_eq!(summary(status, "", ""), "HTTP 403");
/// ```
pub fn summary(status: StatusCode, code: &str, text: &str) -> String {
    let mut summary = format!("HTTP {}", status.as_u16());
    let (code, text) = (redact::quote(code), redact::quote(text));
    if !code.is_empty() {
        let _infallible = write!(summary, " {code}");
    }
    if !text.is_empty() {
        let _infallible = write!(summary, " {text:?}");
    }
    summary
}
