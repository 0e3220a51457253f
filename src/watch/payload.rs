//! The known fields of a payload, in bounded memory.
//!
//! A payload can have 6 MB, and `[1,1,1,…]` takes a hundred times its size as a tree. So only the known fields are
//! kept, as slices of the text, and everything else is skipped without looking at what it means: lone surrogates,
//! `1e400`, and deep nesting are nobody's error there.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The known fields of one JSON object, each as its JSON text.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<(&'static str, &'a RawValue)>);

/// What a value is, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl<'a> Fields<'a> {
    /// Reads the fields of an object. A field that is there twice counts as its last value.
    ///
    /// # Errors
    ///
    /// What the JSON is instead of an object.
    pub(super) fn read(json: &'a RawValue) -> Result<Self, Kind> {
        match kind(json) {
            Kind::Object => Ok(serde_json::from_str(json.get()).unwrap_or_default()),
            other => Err(other),
        }
    }

    /// The field, unless it is absent or null.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.any(name).filter(|value| kind(value) != Kind::Null)
    }

    /// The field, even if it is null.
    pub(super) fn any(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The field's value, if it has this type.
    pub(super) fn parse<T: Deserialize<'a>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }
}

/// Judges by the first character: the text is valid JSON.
pub(super) fn kind(json: &RawValue) -> Kind {
    match json.get().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "text",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// Every field that the function reads, in a request, a report, or an envelope.
const KNOWN: [&str; 17] = [
    "module",
    "job_id",
    "schedule_arn",
    "notify",
    "announcement",
    "failure",
    "watch",
    "request",
    "source",
    "detail-type",
    "detail",
    "resources",
    "checks",
    "first_checked_at",
    "checked_at",
    "updated_count",
    "failed_count",
];

impl<'a> Deserialize<'a> for Fields<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'a> Visitor<'a> for FieldsVisitor {
    type Value = Fields<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Fields<'a>, A::Error> {
        let mut fields = Vec::new();
        while let Some(Key(known)) = map.next_key()? {
            match known {
                Some(name) => {
                    fields.retain(|(earlier, _)| *earlier != name);
                    fields.push((name, map.next_value()?));
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Fields(fields))
    }
}

/// A key, if it is a known one. Read as bytes, because a key with a lone surrogate is no `str`.
struct Key(Option<&'static str>);

impl<'a> Deserialize<'a> for Key {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key, E> {
                self.visit_bytes(key.as_bytes())
            }

            fn visit_bytes<E: serde::de::Error>(self, key: &[u8]) -> Result<Key, E> {
                Ok(Key(KNOWN.into_iter().find(|known| known.as_bytes() == key)))
            }
        }
        deserializer.deserialize_bytes(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_skipped_whatever_they_hold() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for ignored in [r#""\ud800""#, "1e400", "-1e-400", &deep, r#"{"module": "Deals"}"#, r#""module""#] {
            let json = format!(r#"{{"x": {ignored}, "\ud800": 1, "module": "Leads", "y": {ignored}}}"#);
            let json: &RawValue = serde_json::from_str(&json).unwrap();
            let fields = Fields::read(json).unwrap();
            assert_eq!(fields.parse::<String>("module").as_deref(), Some("Leads"), "{ignored:.40}");
        }
    }

    #[test]
    fn a_known_field_can_have_any_type_and_be_there_twice() {
        let json = r#"{"module": 1, "module": "Leads", "checks": "three", "notify": null}"#;
        let fields: Fields<'_> = serde_json::from_str(json).unwrap();
        assert_eq!(fields.parse::<String>("module").as_deref(), Some("Leads"));
        assert_eq!(fields.parse::<u64>("checks"), None);
        assert!(fields.get("notify").is_none() && fields.any("notify").is_some());
        assert!(fields.any("job_id").is_none());
    }
}
