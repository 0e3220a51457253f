//! Numbers, times, and foreign text as people read them.

use crate::timestamp::Timestamp;
use time::UtcDateTime;

/// Text that others wrote, in which no program sees an address: `https[:]//example[.]com`, `user[at]example[.]com`.
pub fn defanged(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = characters.next() {
        let next = characters.peek().copied().unwrap_or(' ');
        match c {
            '.' if before.is_alphanumeric() && next.is_alphabetic() => written.push_str("[.]"),
            ':' if next == '/' || before.is_alphabetic() && next.is_alphanumeric() => written.push_str("[:]"),
            '@' => written.push_str("[at]"),
            '<' | '>' => written.push(' '),
            _ => written.push(c),
        }
        before = c;
    }
    written
}

/// `23 Nov 2026, 10:00 UTC`.
pub fn for_people(at: Timestamp) -> String {
    let Ok(at) = UtcDateTime::from_unix_timestamp(at.epoch_seconds()) else { return at.to_string() };
    let month: String = at.month().to_string().chars().take(3).collect();
    format!("{} {month} {}, {:02}:{:02} UTC", at.day(), at.year(), at.hour(), at.minute())
}

/// `49,500`.
pub fn with_thousands_separators(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// The two largest units: `2 h 5 min`, `12 min 30 s`, `45 s`.
pub fn duration(seconds: u64) -> String {
    let [minutes, hours, days] = [seconds / 60, seconds / 3_600, seconds / 86_400];
    let units = [(days, "d"), (hours % 24, "h"), (minutes % 60, "min"), (seconds % 60, "s")];
    let largest = units.into_iter().skip_while(|(count, _)| *count == 0).take(2);
    let written = largest.filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}"));
    let written = written.collect::<Vec<_>>().join(" ");
    if written.is_empty() { "0 s".to_owned() } else { written }
}
