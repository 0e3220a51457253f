//! Text from elsewhere made safe to show: one line, of bounded length, without secrets.

use aws_smithy_types::base64;
use std::error::Error;

/// How much text from elsewhere a message may quote, in characters.
pub const QUOTE_LIMIT: usize = 200;

const MASK: &str = "[redacted]";

/// A secret that is shorter would mask ordinary words.
const SHORTEST_SECRET: usize = 4;

/// One line: control characters and runs of white space become one space; what looks like a Zoho token or client secret
/// is masked.
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    mask(&words.collect::<Vec<_>>().join(" "))
}

/// Text from elsewhere as a message may quote it: [`one_line`], at most [`QUOTE_LIMIT`] characters.
pub fn quote(text: &str) -> String {
    quote_up_to(text, QUOTE_LIMIT)
}

/// Text from elsewhere as one line of at most so many characters.
pub fn quote_up_to(text: &str, limit: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(limit) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(limit.saturating_sub(1)).collect();
            format!("{kept}…")
        }
    }
}

/// Masks every occurrence of the known secrets in `text`, also in the encodings in which a server may echo them.
/// Secrets of fewer than four characters are left alone: they would mask ordinary words.
pub fn without(text: &str, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| secret.len() >= SHORTEST_SECRET);
    secrets
        .flat_map(|secret| encodings(secret))
        .fold(text.to_owned(), |text, secret| if text.contains(&secret) { text.replace(&secret, MASK) } else { text })
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
    const PREFIX: &str = "1000.";
    const SHORTEST: usize = 16;
    const CLIENT_SECRET: usize = 42;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let mut masked = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| !is_part(c)) {
        let word = piece.trim_end_matches(|c| !is_part(c));
        let (before, rest) = match word.split_once(PREFIX) {
            Some((before, after)) if after.len() >= SHORTEST => (before, Some(MASK)),
            _ => (word, None),
        };
        for (index, part) in before.split('.').enumerate() {
            let is_secret = part.len() == CLIENT_SECRET && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            masked.push_str(if index == 0 { "" } else { "." });
            masked.push_str(if is_secret { MASK } else { part });
        }
        masked.push_str(rest.unwrap_or_default());
        masked.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_becomes_one_short_line() {
        assert_eq!(one_line("  <html>\r\n\t<body>\u{0}x  "), "<html> <body> x");
        assert_eq!(quote(&"é".repeat(200)).chars().count(), 200);
        let long = quote(&"é".repeat(500));
        assert_eq!(long.chars().count(), QUOTE_LIMIT);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn tokens_are_masked_wherever_they_stand() {
        let token = "1000.8cb99d1234567890abcdef1234be93.9b8123456789abcdef";
        assert_eq!(one_line(&format!("token={token}, again {token}")), "token=[redacted], again [redacted]");
        assert_eq!(one_line(token), "[redacted]");
        assert_eq!(one_line("version 1000.2 of 50000"), "version 1000.2 of 50000");
    }

    #[test]
    fn client_secrets_are_masked_wherever_they_stand() {
        let secret = "5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c";
        for (text, expected) in [
            (secret.to_owned(), "[redacted]"),
            (secret.to_uppercase(), "[redacted]"),
            (format!(r#"{{"client_secret":"{secret}"}}"#), r#"{"client_secret":"[redacted]"}"#),
            (format!("token=1000.{secret}&{secret}"), "token=[redacted]&[redacted]"),
        ] {
            assert_eq!(one_line(&text), expected);
        }
        for hash in [&secret[..40], &format!("{secret}{}", &secret[..22]), &format!("{}xy", &secret[..40])] {
            assert_eq!(one_line(hash), hash);
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
        for (text, is_found) in [
            ("RUNNING", false),
            ("hunter2", true),
            ("XHUNTER2X", true),
            ("HUN TER_2", true),
            ("1000.2", false),
            ("1000.8cb99d1234567890abcdef1234be93.9b8123456789abcdef", true),
        ] {
            assert_eq!(contains_secret(text, &["hunter2", "", "RUN"]), is_found, "{text}");
        }
    }
}
