//! Removes what consoles, shells, and templates put around a secret, where that is unambiguous: quotes, byte order marks,
//! escapes, encodings, and separators that neither a JSON object nor a token can begin or end with. Pure.

use aws_smithy_types::base64;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// More layers than any combination of tools adds.
pub(super) const MAX_LAYERS: usize = 6;

/// The text without its wrapping: a JSON object, or a single value such as a token.
pub(super) fn unwrap(text: &str) -> String {
    // NUL bytes between the characters are what is left of UTF-16.
    let mut text = text.replace('\0', "");
    for _ in 0..MAX_LAYERS {
        let inner = unwrap_layer(&text);
        if inner == text {
            break;
        }
        text = inner;
    }
    text
}

fn unwrap_layer(text: &str) -> String {
    let text = text.trim_matches(is_invisible).trim_end_matches([',', ';']).trim_matches(is_invisible);
    serde_json::from_str::<String>(text)
        .ok()
        .or_else(|| without_quotes(text))
        .or_else(|| without_escapes(text))
        .or_else(|| percent_decoded(text))
        .or_else(|| base64_decoded(text))
        .or_else(|| without_scheme(text))
        .unwrap_or_else(|| text.to_owned())
}

/// White space, control characters, byte order marks (`ï»¿` and `ÿþ` as well, which they become if they are read as
/// Latin-1), and other characters of no width.
fn is_invisible(c: char) -> bool {
    let has_no_width = matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}');
    c.is_whitespace() || c.is_control() || has_no_width || "\u{ef}\u{bb}\u{bf}\u{ff}\u{fe}".contains(c)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}')
}

/// Also a quote without its counterpart, and the shell's `$'…'`. Members of an object without braces are left alone.
fn without_quotes(text: &str) -> Option<String> {
    if text.starts_with('"') && parse_object(&format!("{{{text}}}")).is_some() {
        return Some(format!("{{{text}}}"));
    }
    let bare = text.strip_prefix('$').filter(|rest| rest.starts_with(is_quote)).unwrap_or(text);
    let bare = bare.trim_matches(is_quote);
    (bare != text).then(|| bare.to_owned())
}

/// `{\"access_token\": …}`
fn without_escapes(text: &str) -> Option<String> {
    let is_escaped = text.strip_prefix('{')?.trim_start().starts_with('\\');
    is_escaped
        .then(|| serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.replace("\\\"", "\"")))
}

/// `%7B%22access_token%22…`
fn percent_decoded(text: &str) -> Option<String> {
    let is_encoded =
        ["%7b", "%22", "%ef%bb%bf"].iter().any(|start| text.to_ascii_lowercase().starts_with(start));
    if !is_encoded || text.contains('&') {
        return None;
    }
    let form = format!("x={text}");
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, decoded)| decoded.into_owned())
}

/// Only an object, because a token can look like Base64.
fn base64_decoded(text: &str) -> Option<String> {
    let mut compact: String = text.split_whitespace().collect::<String>().replace('-', "+").replace('_', "/");
    compact.truncate(compact.trim_end_matches('=').len());
    while !compact.len().is_multiple_of(4) {
        compact.push('=');
    }
    let decoded = String::from_utf8(base64::decode(compact).ok()?).ok()?;
    decoded.trim_start_matches(is_invisible).starts_with('{').then_some(decoded)
}

/// `Authorization: Zoho-oauthtoken 1000.…`
fn without_scheme(text: &str) -> Option<String> {
    let schemes = ["authorization:", "bearer ", "zoho-oauthtoken "];
    let scheme = schemes
        .iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    Some(text.get(scheme.len()..)?.to_owned())
}

/// The fields of a JSON object, each as its JSON text.
pub(super) type Object = BTreeMap<String, Box<RawValue>>;

fn parse_object(text: &str) -> Option<Object> {
    serde_json::from_str(text).ok()
}

/// A JSON object, also one that was written by hand: with typographic or single quotes, commas after the last field, or
/// line breaks within its strings. The error is that of the text as it stands.
pub(super) fn object(text: &str) -> Result<Object, serde_json::Error> {
    let parsed = serde_json::from_str(text);
    if parsed.is_ok() {
        return parsed;
    }
    let mut repaired = text.replace(['\u{201c}', '\u{201d}', '\u{201e}', '\u{201f}'], "\"");
    if !repaired.contains('"') {
        repaired = repaired.replace(['\'', '\u{2018}', '\u{2019}'], "\"");
    }
    repaired = repaired.replace('\u{a0}', " ");
    repaired.retain(|c| !c.is_control());
    parse_object(&repaired).or_else(|| parse_object(&without_last_commas(&repaired))).map_or(parsed, Ok)
}

/// Drops each comma that stands before a closing brace. No value of a secret ends with a comma and a brace.
fn without_last_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for part in text.split_inclusive('}') {
        match part.strip_suffix('}').map(str::trim_end) {
            Some(fields) => {
                kept.push_str(fields.strip_suffix(',').unwrap_or(fields));
                kept.push('}');
            }
            None => kept.push_str(part),
        }
    }
    kept
}

/// Lines such as `client_id=1000.…` or `export client_id: 1000.…`, or the same as a form. Other lines are comments, or
/// about something else. `None` if there is no such line.
pub(super) fn assignments(text: &str, is_known: impl Fn(&str) -> bool) -> Option<Object> {
    let assignment = |line: &str| {
        let line = line.trim();
        let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once(['=', ':'])?;
        let value = serde_json::value::to_raw_value(value).ok()?;
        // What begins like JSON is not a name.
        (is_known(key.trim()) && !key.contains(['{', '['])).then(|| (key.trim().to_owned(), value))
    };
    let object: Object = text.split(['\n', '\r', '&']).filter_map(assignment).collect();
    (!object.is_empty()).then_some(object)
}

/// An object whose quotes a shell has removed: `{client_id:1000.…,client_secret:…}`.
pub(super) fn without_any_quotes(text: &str, is_known: impl Fn(&str) -> bool) -> Option<Object> {
    let fields = text.strip_prefix('{')?.strip_suffix('}')?;
    // Of two objects, neither is meant.
    (!fields.contains(['{', '}'])).then(|| assignments(&fields.replace(',', "\n"), is_known)).flatten()
}
