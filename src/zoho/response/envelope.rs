//! Zoho's error envelopes, whatever their shape.

use crate::json::{self, Fields};
use crate::watch::job::Status;
use serde_json::value::RawValue;
use std::time::Duration;

/// An error in a response.
#[derive(Debug, Default)]
pub(super) struct ErrorEnvelope<'a> {
    /// In uppercase, spaces and hyphens folded to `_`. Empty if Zoho names no code.
    pub code: String,
    /// As it was written.
    pub written_code: String,
    pub message: String,
    details: Fields<'a>,
}

impl<'a> ErrorEnvelope<'a> {
    /// The envelope is the body, or the first element of `data`.
    pub(super) fn find(json: &'a RawValue) -> Option<Self> {
        Self::read(json).or_else(|| {
            let data = Fields::of(json, &["data"])?.get("data")?;
            Self::read(json::first(data)?)
        })
    }

    fn read(json: &'a RawValue) -> Option<Self> {
        const KEYS: &[&str] = &["code", "error", "status", "message", "error_description", "details"];
        const DETAILS: &[&str] = &["param_name", "param", "api_name", "permissions", "retry_after"];
        let fields = Fields::of(json, KEYS)?;
        let text = |name| fields.parse::<String>(name);
        let is_error = fields.get("code").is_some() || text("status").is_some_and(|status| status == "error");
        let written_code = match text("code").or_else(|| text("error")) {
            Some(code) => code,
            // Nothing, null, or a number.
            None if is_error => String::new(),
            None => return None,
        };
        Some(Self {
            code: Status::normalize(&written_code).map_or_else(String::new, |code| code.as_str().to_owned()),
            written_code,
            message: text("message").or_else(|| text("error_description")).unwrap_or_default(),
            details: fields.get("details").and_then(|json| Fields::of(json, DETAILS)).unwrap_or_default(),
        })
    }

    /// A field of `details`.
    pub(super) fn detail(&self, name: &str) -> Option<&'a RawValue> {
        self.details.get(name)
    }

    /// Whether the error is about the only parameter that the request has: no other one is named.
    pub(super) fn is_about_job_id(&self) -> bool {
        let mut names = ["param_name", "param", "api_name"].into_iter();
        let named = names.find_map(|name| self.details.parse::<String>(name));
        named.is_none_or(|name| name == "job_id")
    }

    /// The seconds that `details` asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let number = self.details.parse::<f64>("retry_after");
        let seconds = number.or_else(|| self.details.parse::<String>("retry_after")?.trim().parse().ok())?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_error() {
        for (json, message) in [
            (r#"{"code": "NO_PERMISSION", "message": "m"}"#, Some("m")),
            (r#"{"code": 7, "message": "m"}"#, Some("m")),
            (r#"{"code": null, "message": "m"}"#, None),
            (r#"{"status": "error", "message": "m"}"#, Some("m")),
            (r#"{"status": "success", "message": "m"}"#, None),
            (r#"{"error": "invalid_code", "error_description": "d"}"#, Some("d")),
            (r#"{"data": [{"code": "NO_PERMISSION", "message": "m"}]}"#, Some("m")),
            (r#"{"data": [{"Status": "RUNNING"}]}"#, None),
            (r#"{"message": "m"}"#, None),
        ] {
            let envelope = ErrorEnvelope::find(serde_json::from_str(json).unwrap());
            assert_eq!(envelope.map(|envelope| envelope.message).as_deref(), message, "{json}");
        }
    }
}
