//! Text from elsewhere made safe to show: one line, of bounded length, without secrets.

use std::borrow::Cow;
use std::error::Error;

/// How much of a foreign body a message may quote, in characters.
pub const QUOTE_LIMIT: usize = 200;

const MASK: &str = "[redacted]";

/// One line: control characters and runs of white space become one space; what looks like a Zoho token is masked.
pub fn one_line(text: &str) -> String {
    mask_zoho_tokens(
        &text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).fold(
            String::with_capacity(text.len()),
            |mut line, word| {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
                line
            },
        ),
    )
    .into_owned()
}

/// Foreign text as a message may quote it: [`one_line`], at most [`QUOTE_LIMIT`] characters.
pub fn quote(text: &str) -> String {
    quote_up_to(text, QUOTE_LIMIT)
}

/// Foreign text as one line of at most so many characters.
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

/// Takes every occurrence of the known secrets out of `text`. Secrets of under four characters are left alone: they
/// would mask ordinary words.
pub fn without<'a>(text: &'a str, secrets: &[&str]) -> Cow<'a, str> {
    secrets.iter().filter(|secret| secret.len() >= 4).fold(Cow::Borrowed(text), |text, secret| {
        if text.contains(secret) { Cow::Owned(text.replace(secret, MASK)) } else { text }
    })
}

/// An error and its causes on one line, each said once, without URLs' and bodies' worth of text.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        // Some libraries put a structure's Debug into their Display; nobody wants to read that, or what is in it.
        let text = error.to_string().split(" {").next().unwrap_or_default().to_owned();
        if !text.is_empty() && !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    quote(&said.join(": "))
}

/// Zoho's access and refresh tokens read `1000.<32 hex>.<32 hex>`; grant tokens and client ids begin alike.
fn mask_zoho_tokens(text: &str) -> Cow<'_, str> {
    const PREFIX: &str = "1000.";
    const SHORTEST: usize = 16;
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(PREFIX) {
        let length = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(after.len());
        masked.push_str(before);
        if length >= SHORTEST {
            masked.push_str(MASK);
            rest = after.get(length..).unwrap_or_default();
        } else {
            masked.push_str(PREFIX);
            rest = after;
        }
    }
    if masked.is_empty() {
        return Cow::Borrowed(text);
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_becomes_one_short_line() {
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
    fn known_secrets_are_masked_whatever_they_look_like() {
        assert_eq!(without("a hunter2 b hunter2", &["hunter2", "", "x"]), "a [redacted] b [redacted]");
        assert!(matches!(without("nothing here", &["hunter2"]), Cow::Borrowed(_)));
    }
}
