//! The fields of the secret, under the names and in the spellings that people use.

use super::{FORMS, wrapping};
use crate::invalid::Invalid;
use serde_json::value::RawValue;
use wrapping::Object;

/// Every field that the function reads.
const KNOWN: [&str; 9] = [
    "access_token",
    "client_id",
    "client_secret",
    "refresh_token",
    "soid",
    "scope",
    "data_center",
    "accounts_domain",
    "api_domain",
];

/// The secret as an object.
#[derive(Debug, Default)]
pub(super) struct Fields(Object);

impl Fields {
    /// `None` if the text, which is already unwrapped, is not meant as an object.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Invalid> {
        if !text.starts_with('{') {
            return Ok(wrapping::assignments(text, is_known).map(Self));
        }
        if is_placeholder(text) {
            return Err(Invalid::new("is a template reference that was not resolved", FORMS));
        }
        let mut object = wrapping::object(text).or_else(|error| {
            wrapping::without_any_quotes(text, is_known).ok_or_else(|| {
                let what = format!("is not a JSON object (line {}, column {})", error.line(), error.column());
                Invalid::new(what, FORMS)
            })
        })?;
        // A console's key/value editor makes `{"my-secret": "{…}"}` of an object that is pasted as a value.
        for _ in 0..wrapping::MAX_LAYERS {
            match only_value(&object) {
                Some(inner) if !object.keys().any(|key| is_known(key)) => object = inner,
                _ => break,
            }
        }
        Ok(Some(Self(object)))
    }

    /// The value, without its wrapping. A missing field, null, and the empty string are the same.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Invalid> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let invalid =
            |what: &str, hint: &'static str| Err(Invalid::new(format!("has a `{name}` {what}"), hint));
        let Ok(value) = serde_json::from_str::<String>(value.get()) else {
            return invalid("that is not a string", "Put the value in quotes");
        };
        let value = wrapping::unwrap(&value);
        if is_placeholder(&value) {
            return invalid("that is a placeholder", "Replace it with the value");
        }
        // Several scopes may be separated by spaces.
        if !value.bytes().all(|byte| byte.is_ascii_graphic() || (byte == b' ' && name == "scope")) {
            return invalid("with white space or characters other than ASCII", "Copy the value again");
        }
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    pub(super) fn required(&self, name: &str) -> Result<String, Invalid> {
        self.text(name)?.ok_or_else(|| Invalid::new(format!("has no `{name}`"), FORMS))
    }

    /// Whether the field has any value, also a malformed one.
    pub(super) fn has(&self, name: &str) -> bool {
        !matches!(self.text(name), Ok(None))
    }

    /// The field of this name, or the one whose name differs in letter case and separators only.
    fn get(&self, name: &str) -> Option<&RawValue> {
        let alike =
            || self.0.iter().find(|(key, _)| normalized(key) == normalized(name)).map(|(_, value)| value);
        self.0.get(name).or_else(alike).map(|value| &**value).filter(|value| value.get() != "null")
    }
}

fn is_known(key: &str) -> bool {
    KNOWN.iter().any(|known| normalized(known) == normalized(key))
}

/// `clientId`, `client-id`, and `CLIENT_ID` are one name.
fn normalized(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What people and templates leave where a value belongs: `${VALUE}`, `{{resolve:…}}`, `<your client ID>`.
fn is_placeholder(text: &str) -> bool {
    ["${", "$(", "{{", "<"].iter().any(|start| text.starts_with(start))
}

/// The object that is the only value of this one, possibly as a string.
fn only_value(object: &Object) -> Option<Object> {
    let mut values = object.values();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = wrapping::unwrap(value.get());
    text.starts_with('{').then(|| wrapping::object(&text).ok()).flatten()
}
