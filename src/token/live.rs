//! A token in this process's hands: until when it may be used, and when to see to the next one.

use crate::timestamp::Timestamp;
use crate::zoho::credentials::AccessToken;
use crate::zoho::hosts::ApiHost;

/// A token that may be used now, and where.
#[derive(Debug, Clone)]
pub struct Live {
    /// The token.
    pub token: AccessToken,
    /// The API host that goes with it.
    pub api: ApiHost,
    /// Absent for a token that something else keeps fresh.
    pub(super) life: Option<Life>,
}

/// The times of a minted token's life.
#[derive(Debug, Clone)]
pub(super) struct Life {
    /// The version id of the credentials that it was minted with.
    pub credentials: String,
    /// From here on it is not used any more: Zoho's end, less a margin for clocks and the call itself.
    pub unusable_at: Timestamp,
    /// From here on this copy sees to the next one.
    pub refresh_at: Timestamp,
    /// The copy that minted it is the only one that refreshes it until then, without a lease.
    pub mine_until: Option<Timestamp>,
    /// The version that it is shared as.
    pub version: Option<String>,
}

impl Life {
    /// For Zoho's hour: not used in its last 30 s; the copy that minted it refreshes it 15 to 10 minutes before the
    /// end, and the others, should that one be gone, 4 to 2 minutes before, each at a moment of its own.
    pub fn new(
        credentials: String,
        begins: Timestamp,
        ends: Timestamp,
        version: Option<String>,
        mine: bool,
    ) -> Self {
        let length = ends.seconds_since(begins).clamp(0, 3_600);
        let part = |of_120: i64| length.saturating_mul(of_120).checked_div(120).unwrap_or(0);
        let spread = |from: i64, to: i64| {
            let (from, to) = (part(from), part(to));
            to.saturating_add(fastrand::i64(0..=from.saturating_sub(to).max(0)))
        };
        let before = |seconds: i64| ends.plus_seconds(seconds.saturating_neg());
        Self {
            credentials,
            unusable_at: before(part(1).max(1)),
            refresh_at: before(if mine { spread(30, 20) } else { spread(8, 4) }),
            mine_until: mine.then(|| before(part(10))),
            version,
        }
    }
}

impl Live {
    /// Whether it may be used at this time.
    pub(super) fn usable(&self, now: Timestamp) -> bool {
        self.life.as_ref().is_none_or(|life| now < life.unusable_at)
    }

    /// Whether its successor is due by now, from this copy's point of view.
    pub(super) fn refresh_due(&self, now: Timestamp) -> bool {
        self.life.as_ref().is_some_and(|life| life.refresh_at <= now)
    }

    /// Whether it was minted with other credentials than these.
    pub(super) fn outdated(&self, credentials: &str) -> bool {
        self.life.as_ref().is_none_or(|life| life.credentials != credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_that_minted_it_is_first_to_think_of_the_next_one() {
        let at = Timestamp::from_epoch_seconds;
        for _ in 0..1_000 {
            let life = |mine| Life::new("c".into(), at(0), at(3_600), None, mine);
            assert!((2_700..=3_000).contains(&life(true).refresh_at.epoch_seconds()));
            assert!((3_360..=3_480).contains(&life(false).refresh_at.epoch_seconds()));
            // A minute lies between its last chance and the others' first, for clocks that differ.
            assert_eq!(life(true).mine_until, Some(at(3_300)));
            assert_eq!((life(false).mine_until, life(false).unusable_at), (None, at(3_570)));
        }
        let short = Life::new("c".into(), at(0), at(60), None, true);
        assert!(short.refresh_at < short.unusable_at && short.unusable_at < at(60), "{short:?}");
        let over = Life::new("c".into(), at(60), at(0), None, true);
        assert!(over.unusable_at <= at(0) && over.refresh_at <= at(0), "{over:?}");
    }
}
