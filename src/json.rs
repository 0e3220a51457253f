//! JSON from elsewhere, in bounded memory: known fields are kept as slices of the text, and the rest is skipped.
//!
//! As a tree, `[1,1,1,…]` takes many times its size. And a tree cannot be built from text that contains a lone surrogate
//! or `1e400`, or that is nested deeply, even in a field that nobody reads.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Any JSON value. `None` if the text is not JSON.
pub(crate) fn parse(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// A whole number in any spelling: `50`, `50.0`, `5e1`, or `"50"`. `None` for anything else, and for negative numbers.
pub(crate) fn whole_number(json: &RawValue) -> Option<u64> {
    let text: Cow<'_, str> =
        if Kind::of(json) == Kind::String { serde_json::from_str(json.get()).ok()? } else { json.get().into() };
    text.trim().parse().ok().or_else(|| {
        let number = text.trim().parse::<f64>().ok()?;
        // Beyond 2^53, a floating-point number has lost digits.
        let is_whole = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in range")]
        is_whole.then_some(number as u64)
    })
}

/// The known fields of an object.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    known: Vec<(&'static str, &'a RawValue)>,
    /// Whether a field occurs twice, with different values.
    pub is_contradictory: bool,
}

impl<'a> Fields<'a> {
    /// `None` if this is not an object. If a field occurs twice, its last value counts.
    pub(crate) fn of(json: &'a RawValue, known: &'static [&'static str]) -> Option<Self> {
        serde_json::Deserializer::from_str(json.get()).deserialize_map(KnownFields(known)).ok()
    }

    /// The field, unless it is missing or null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.get_nullable(name).filter(|value| Kind::of(value) != Kind::Null)
    }

    /// The field, unless it is missing.
    pub(crate) fn get_nullable(&self, name: &str) -> Option<&'a RawValue> {
        self.known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The value of the field, if it has this type.
    pub(crate) fn parse<T: Deserialize<'a>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }
}

/// The type of a JSON value, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
pub(crate) enum Kind {
    #[strum(serialize = "null")]
    Null,
    #[strum(serialize = "a boolean")]
    Boolean,
    #[strum(serialize = "a number")]
    Number,
    #[strum(serialize = "text")]
    String,
    #[strum(serialize = "an array")]
    Array,
    #[strum(serialize = "an object")]
    Object,
}

impl Kind {
    /// Judges by the first character, because the text is known to be valid JSON.
    pub(crate) fn of(json: &RawValue) -> Self {
        match json.get().as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number,
        }
    }
}

struct KnownFields(&'static [&'static str]);

/// Read as bytes, because a key with a lone surrogate is not a `str`.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, [u8]>);

impl<'a> Visitor<'a> for KnownFields {
    type Value = Fields<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Fields<'a>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(key)) = map.next_key()? {
            let Some(name) = self.0.iter().find(|known| known.as_bytes() == &*key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value: &RawValue = map.next_value()?;
            fields.is_contradictory |= fields.get_nullable(name).is_some_and(|earlier| earlier.get() != value.get());
            fields.known.retain(|(earlier, _)| earlier != name);
            fields.known.push((name, value));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_is_not_read_is_skipped() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for ignored in [r#""\ud800""#, "1e400", &deep, r#"{"code": "x"}"#, r#""code""#] {
            let text = format!(r#"{{"x": {ignored}, "\ud800": 1, "co\u0064e": "y", "z": {ignored}}}"#);
            let fields = Fields::of(parse(&text).unwrap(), &["code"]).unwrap();
            assert_eq!(fields.parse::<String>("code").as_deref(), Some("y"), "{ignored:.40}");
        }
        for text in ["", "<html>", "{", "{} {}", "nul", "\u{feff}{}"] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn fields_can_occur_twice_and_have_any_type() {
        let fields = |text| Fields::of(parse(text).unwrap(), &["a", "n", "l"]).unwrap();
        let twice = fields(r#"{"a": 1, "a": "b", "n": null, "l": [1]}"#);
        assert_eq!((twice.parse("a"), twice.parse::<u64>("a")), (Some("b"), None));
        assert!(twice.get("n").is_none() && twice.get_nullable("n").is_some() && twice.get("missing").is_none());
        assert!(twice.is_contradictory);
        assert!(!fields(r#"{"a": 1, "a": 1, "x": 1, "x": 2}"#).is_contradictory);
    }

    #[test]
    fn numbers_and_kinds() {
        for (text, number, kind) in [
            ("50.0", Some(50), "a number"),
            (r#"" 50 ""#, Some(50), "text"),
            ("18446744073709551615", Some(u64::MAX), "a number"),
            ("18446744073709551616", None, "a number"),
            ("50.5", None, "a number"),
            ("-1", None, "a number"),
            ("null", None, "null"),
            ("true", None, "a boolean"),
            (r#""inf""#, None, "text"),
            ("[50]", None, "an array"),
            (" {}", None, "an object"),
        ] {
            let json = parse(text).unwrap();
            assert_eq!((whole_number(json), Kind::of(json).to_string().as_str()), (number, kind), "{text}");
        }
    }
}
