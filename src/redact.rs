//! Text from elsewhere made safe to show: one line, of bounded length, without secrets.

use aws_smithy_types::base64;
use std::error::Error;

const MASK: &str = "[redacted]";

/// A secret that is shorter would mask ordinary words.
const SHORTEST_SECRET: usize = 4;

/// One line: control characters and runs of white space become one space; what looks like a Zoho token or client secret
/// is masked.
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    mask(&words.collect::<Vec<_>>().join(" "))
}

/// Text from elsewhere as a message may quote it: [`one_line`], at most 200 characters.
pub fn quote(text: &str) -> String {
    quote_up_to(text, 200)
}

/// Text from elsewhere as one line of at most so many characters.
pub fn quote_up_to(text: &str, limit: usize) -> String {
    let line = one_line(text);
    if line.chars().count() <= limit {
        return line;
    }
    line.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// Masks every occurrence of the known secrets in `text`, also in the encodings in which a server may echo them.
/// Secrets of fewer than four characters are left alone: they would mask ordinary words.
pub fn without(text: &str, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| secret.len() >= SHORTEST_SECRET);
    secrets.flat_map(|secret| encodings(secret)).fold(text.to_owned(), |text, secret| text.replace(&secret, MASK))
}

/// Whether `text` contains one of the known secrets, in whatever letter case and punctuation, or what looks like a Zoho
/// token or client secret. For a value that is passed on as it is, where masking is not an option.
pub fn contains_secret(text: &str, secrets: &[&str]) -> bool {
    let fold =
        |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let (folded, mut secrets) = (fold(text), secrets.iter().map(|secret| fold(secret)));
    mask(text) != text || secrets.any(|secret| secret.len() >= SHORTEST_SECRET && folded.contains(&secret))
}

/// The secret as it is written in text, in a form or a URL, in JSON, and in Base64.
fn encodings(secret: &str) -> [String; 5] {
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::Value::from(secret).to_string();
    [
        secret.to_owned(),
        form.replace('+', "%20"),
        form,
        json.trim_matches('"').to_owned(),
        base64::encode(secret).trim_end_matches('=').to_owned(),
    ]
}

/// An error and its causes on one line, each named once, without the URLs and bodies that some errors carry.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        // Some libraries put the Debug output of a structure into their Display output.
        let text = error.to_string().split(" {").next().unwrap_or_default().to_owned();
        if !text.is_empty() && !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    quote(&texts.join(": "))
}

/// Masks what looks like a Zoho token or client secret.
///
/// Access and refresh tokens have the form `1000.<32 hex>.<32 hex>`; one-time codes and client IDs begin alike. Client
/// secrets have 42 hexadecimal digits. No other length: hashes have 40 or 64, and the name of an execution can be one.
pub fn mask(text: &str) -> String {
    const SHORTEST_TOKEN: usize = "1000.".len() + 16;
    let is_between = |c: char| !c.is_ascii_alphanumeric() && c != '.';
    let is_client_secret = |part: &&str| part.len() == 42 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pieces = text.split_inclusive(is_between).map(|piece| {
        let word = piece.trim_end_matches(is_between);
        let token = word.find("1000.").and_then(|start| word.get(start..));
        let token = token.filter(|token| token.len() >= SHORTEST_TOKEN);
        let secrets = token.into_iter().chain(word.split('.').filter(is_client_secret));
        secrets.fold(piece.to_owned(), |piece, secret| piece.replace(secret, MASK))
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "1000.8cb99d1234567890abcdef1234be93.9b8123456789abcdef";

    #[test]
    fn text_from_elsewhere_becomes_one_short_line() {
        assert_eq!(one_line("  <html>\r\n\t<body>\u{0}x  "), "<html> <body> x");
        assert_eq!(quote(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(quote(&"é".repeat(201)), format!("{}…", "é".repeat(199)));
    }

    #[test]
    fn tokens_and_client_secrets_are_masked_wherever_they_stand() {
        let secret = "5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c";
        let hash = &secret[..40];
        for (text, expected) in [
            (format!("token={TOKEN}, again {TOKEN}"), "token=[redacted], again [redacted]"),
            (format!(r#"{{"a":"{}"}}"#, secret.to_uppercase()), r#"{"a":"[redacted]"}"#),
            (format!("token=1000.{secret}&{secret}"), "token=[redacted]&[redacted]"),
            (format!("x.{secret}.y{TOKEN}"), "x.[redacted].y[redacted]"),
            ("version 1000.2 of 50000".to_owned(), "version 1000.2 of 50000"),
            (hash.to_owned(), hash),
            (format!("{secret}aa"), &format!("{secret}aa")),
        ] {
            assert_eq!(one_line(&text), expected);
        }
    }

    #[test]
    fn known_secrets_are_masked_in_every_plausible_encoding() {
        const SECRET: &str = "p&ss \"w\u{f6}rd/";
        for (text, expected) in [
            ("a p&ss \"w\u{f6}rd/ b p&ss \"w\u{f6}rd/", "a [redacted] b [redacted]"),
            ("client_secret=p%26ss+%22w%C3%B6rd%2F&x", "client_secret=[redacted]&x"),
            ("p%26ss%20%22w%C3%B6rd%2F", "[redacted]"),
            (r#"{"echo":"p&ss \"wörd/"}"#, r#"{"echo":"[redacted]"}"#),
            ("Basic cCZzcyAid8O2cmQv", "Basic [redacted]"),
        ] {
            assert_eq!(without(text, &[SECRET, "", "x"]), expected, "{text}");
        }
    }

    #[test]
    fn secrets_are_found_whatever_became_of_them() {
        for (text, is_found) in [("RUNNING", false), ("HUN TER_2", true), ("1000.2", false), (TOKEN, true)] {
            assert_eq!(contains_secret(text, &["hunter2", "", "RUN"]), is_found, "{text}");
        }
    }
}
