//! Zoho's errors, whatever their shape.
//!
//! Known shapes: `{code, details, message, status}` in any order, the same in `data[0]` with a 2xx, `{code, message}`
//! alone, `code: null`, OAuth's `{error, error_description}`, and the gateway's `{error: {title, details}}`. Sources:
//! docs/zoho-api.md, "Errors".

use crate::json::{Fields, Kind};
use serde_json::value::RawValue;

/// An error in a response. The default is a response without one.
#[derive(Debug, Default)]
pub(super) struct ErrorEnvelope<'a> {
    /// In upper case, with `_` in place of whatever is neither a letter nor a digit. Empty if there is no code.
    pub code: String,
    /// As it was written.
    pub written_code: String,
    pub message: String,
    /// Whether the error has the keys of Zoho's: its code is text under `code`, or null.
    pub is_zohos: bool,
    details: Fields<'a>,
}

impl<'a> ErrorEnvelope<'a> {
    /// What the body says, or its `error`, or the first element of its `data`.
    pub(super) fn find(json: &'a RawValue) -> Self {
        let nested = || {
            let fields = Fields::of(json, &["error", "data"])?;
            let in_data = || Self::read(fields.parse::<Vec<&RawValue>>("data")?.first()?, "code");
            fields.get("error").and_then(|error| Self::read(error, "title")).or_else(in_data)
        };
        Self::read(json, "code").or_else(nested).unwrap_or_default()
    }

    /// `None` if this object has no code.
    fn read(json: &'a RawValue, key: &str) -> Option<Self> {
        const KEYS: &[&str] = &["code", "title", "error", "message", "error_description", "details"];
        const DETAILS: &[&str] = &["param_name", "param", "api_name", "permissions", "retry_after", "message"];
        let fields = Fields::of(json, KEYS)?;
        let is = |name, kind| fields.get_nullable(name).is_some_and(|value| Kind::of(value) == kind);
        let written_code = [key, "code", "error"].into_iter().find_map(|name| word(fields.get(name)?));
        if written_code.is_none() && !is("code", Kind::Null) {
            return None;
        }
        let details = fields.get("details").and_then(|json| Fields::of(json, DETAILS)).unwrap_or_default();
        let text = |name| fields.parse::<String>(name);
        let message = text("message").or_else(|| text("error_description"));
        let written_code = written_code.unwrap_or_default();
        Some(Self {
            code: folded(&written_code),
            is_zohos: key == "code" && (is("code", Kind::String) || is("code", Kind::Null)),
            written_code,
            message: message.or_else(|| details.parse("message")).unwrap_or_default(),
            details,
        })
    }

    /// Whether this is a throttle, under whatever name: Zoho's products and its gateway have many.
    pub(super) fn is_throttle(&self) -> bool {
        let code = self.code.replace('_', "");
        ["LIMIT", "TOOMANY", "THROTTL"].iter().any(|word| code.contains(word))
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
}

/// A code: text, or a number as some of Zoho's products have it.
fn word(json: &RawValue) -> Option<String> {
    match Kind::of(json) {
        Kind::String => serde_json::from_str(json.get()).ok(),
        Kind::Number => Some(json.get().to_owned()),
        _ => None,
    }
}

fn folded(code: &str) -> String {
    let words = code.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn where_errors_stand() {
        for (json, code, message, is_zohos) in [
            (r#"{"code": "NO_PERMISSION", "message": "m", "status": "error"}"#, "NO_PERMISSION", "m", true),
            (r#"{"message": "m", "code": "too many requests"}"#, "TOO_MANY_REQUESTS", "m", true),
            (r#"{"data": [{"code": "NO_PERMISSION", "message": "m"}]}"#, "NO_PERMISSION", "m", true),
            (r#"{"code": null, "message": "m"}"#, "", "m", true),
            (r#"{"code": 7, "message": "m"}"#, "7", "m", false),
            (r#"{"error": "Access Denied", "error_description": "d"}"#, "ACCESS_DENIED", "d", false),
            (r#"{"error": {"title": "URL_LIMIT", "details": {"message": "d"}}}"#, "URL_LIMIT", "d", false),
            (r#"{"error": {"code": "x-y", "message": "m"}}"#, "X_Y", "m", false),
            (r#"{"data": [{"Status": "RUNNING", "message": "half-way"}]}"#, "", "", false),
            (r#"{"data": []}"#, "", "", false),
            (r#"{"message": "m"}"#, "", "", false),
            (r#"{"error": {}}"#, "", "", false),
            (r#"["code"]"#, "", "", false),
        ] {
            let found = ErrorEnvelope::find(parse(json).unwrap());
            assert_eq!((&*found.code, &*found.message, found.is_zohos), (code, message, is_zohos), "{json}");
        }
    }
}
