//! Points in time: whole seconds since the Unix epoch, written as RFC 3339 UTC.

use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use time::{OffsetDateTime, UtcDateTime, format_description::well_known::Rfc3339};

/// Whole seconds since the Unix epoch, within the years that RFC 3339 can write (0 to 9999).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schemas", schemars(description = "", extend("format" = "date-time")))]
pub struct Timestamp(#[cfg_attr(feature = "schemas", schemars(with = "String"))] i64);

/// A source of the current time: [`Timestamp::now`], or a simulated clock in tests.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl Timestamp {
    /// 9999-12-31T23:59:59Z.
    const LAST: i64 = 253_402_300_799;

    /// The system clock's time, seconds only.
    pub fn now() -> Self {
        Self::from_epoch_seconds(UtcDateTime::now().unix_timestamp())
    }

    /// Seconds since the epoch, clamped to the years 1970 to 9999.
    pub fn from_epoch_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(0, Self::LAST))
    }

    /// Parses RFC 3339 in any offset; fractions of a second are cut off. `None` if it is not a valid time.
    pub fn parse(text: &str) -> Option<Self> {
        let seconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp();
        (0..=Self::LAST).contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds since the epoch.
    pub fn epoch_seconds(self) -> i64 {
        self.0
    }

    /// This time and so much more (or, negative, less), clamped.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_epoch_seconds(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this time; 0 where `earlier` is later.
    pub fn elapsed_since(self, earlier: Self) -> u64 {
        u64::try_from(self.seconds_since(earlier)).unwrap_or(0)
    }

    /// Seconds from `earlier` to this time; negative where `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = UtcDateTime::from_unix_timestamp(self.0).map_err(|_| fmt::Error)?;
        f.write_str(&at.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A duration as whole milliseconds, for logs.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_offset_is_read_and_whole_seconds_in_utc_are_written() {
        for (text, expected) in [
            ("2026-11-23T10:00:00Z", Some("2026-11-23T10:00:00Z")),
            ("2026-11-23T15:30:00.999+05:30", Some("2026-11-23T10:00:00Z")),
            ("1969-12-31T23:59:59Z", None),
            ("2026-11-23", None),
            ("", None),
        ] {
            let parsed = Timestamp::parse(text);
            assert_eq!(parsed.map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
        assert_eq!(Timestamp::from_epoch_seconds(i64::MIN).to_string(), "1970-01-01T00:00:00Z");
        let last = Timestamp::from_epoch_seconds(5).plus_seconds(i64::MAX);
        assert_eq!((last.to_string().as_str(), last.epoch_seconds()), ("9999-12-31T23:59:59Z", Timestamp::LAST));
    }
}
