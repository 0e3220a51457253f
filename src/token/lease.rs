//! Whose turn it is to request a token: one lease after another for each slot, taken with compare-and-set. Pure.
//!
//! The first environment to put a version under a lease's ID holds the lease, for as long as the lease says. Expiry
//! follows the rule of the DynamoDB Lock Client: no times are compared between machines. The holder starts its timer
//! *before* the put; the others start theirs when they first *see* the lease, and compete for the next term only when it
//! has run out. The timer of the holder therefore always ends first, no matter what the clocks say.

use crate::token::clock::{Now, Timer};
use crate::token::record::{Lease, Slot};
use crate::token::store::{Put, StoreError, Version};
use std::time::{Duration, Instant};

/// AWS rejects signatures that are five minutes off, so that the clock of a working environment is no further off.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// What one environment knows about the leases of one slot. Kept from one acquisition to the next, so that timers go on.
#[derive(Debug)]
pub(super) struct LeaseWaiter {
    slot: Slot,
    term: u32,
    lease: ObservedLease,
}

/// The lease of the current term.
#[derive(Debug)]
enum ObservedLease {
    /// Not read yet, or not there.
    Unknown,
    /// This environment put it; the next read shows who won.
    Claimed { claim: Lease, timer: Timer, is_done: Option<bool> },
    /// This environment holds it.
    Own(Timer),
    /// Another environment holds it for this duration, counted from when this one first saw it. Only the monotonic clock
    /// counts: it can be late (after a freeze), but never early.
    Held { seen: Instant, duration: Duration },
}

/// What this environment may do now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Acquired {
    /// Nobody has put this lease yet.
    Free,
    /// Another environment requests a token, for so much longer at most.
    Held(Duration),
    /// This environment may request a token, until the timer ends.
    Own(Timer),
}

impl LeaseWaiter {
    /// Begins with the first term of a slot.
    pub(super) fn new(slot: Slot) -> Self {
        Self { slot, term: 0, lease: ObservedLease::Unknown }
    }

    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(super) fn term(&self) -> u32 {
        self.term
    }

    /// Whether the lease has to be read. Once it is known, it cannot change.
    pub(super) fn must_read(&self) -> bool {
        matches!(self.lease, ObservedLease::Unknown | ObservedLease::Claimed { .. })
    }

    /// Goes on to a later term.
    pub(super) fn advance_to(&mut self, term: u32) {
        (self.term, self.lease) = (term, ObservedLease::Unknown);
    }

    /// Records what became of this environment's put; `timer` was started before it.
    pub(super) fn claimed(&mut self, claim: Lease, timer: Timer, put: &Result<Put, StoreError>) {
        let is_done = match put {
            Ok(Put::Done { .. }) => Some(true),
            Ok(Put::Taken) => Some(false),
            Err(StoreError::Unavailable(_)) => None,
            Err(StoreError::Denied(_) | StoreError::Throttled(_)) => return,
        };
        self.lease = ObservedLease::Claimed { claim, timer, is_done };
    }

    /// Records what a read of the lease found. `usual` is the duration of a lease that cannot be read yet.
    ///
    /// A claim counts only once it is read back: the put's response can be that of a repeated request, or get lost, and
    /// should two puts ever both succeed, only one content is left to be read.
    pub(super) fn saw(&mut self, found: Option<&Version>, usual: Duration, now: Now) {
        let lease = found.and_then(|found| Lease::parse(&found.text));
        self.lease = match (&self.lease, found) {
            (ObservedLease::Claimed { claim, timer, .. }, Some(_)) if lease.as_ref() == Some(claim) => {
                ObservedLease::Own(*timer)
            }
            // A read can lag behind a write.
            (ObservedLease::Claimed { timer, is_done: Some(true), .. }, None) => ObservedLease::Own(*timer),
            (ObservedLease::Claimed { is_done: Some(false), .. }, None) => {
                ObservedLease::Held { seen: now.instant, duration: usual }
            }
            (_, None) => ObservedLease::Unknown,
            (_, Some(found)) => {
                let duration = lease.map_or(usual, |lease| lease.duration());
                let is_long_dead = age(found, now) > duration.saturating_add(MAX_SKEW);
                ObservedLease::Held {
                    seen: now.instant,
                    duration: if is_long_dead { Duration::ZERO } else { duration },
                }
            }
        };
    }

    /// What this environment may do.
    pub(super) fn acquired(&self, now: Now) -> Acquired {
        match &self.lease {
            ObservedLease::Unknown | ObservedLease::Claimed { .. } => Acquired::Free,
            ObservedLease::Own(timer) => Acquired::Own(*timer),
            ObservedLease::Held { seen, duration } => {
                Acquired::Held(duration.saturating_sub(now.instant.saturating_duration_since(*seen)))
            }
        }
    }
}

/// How old a version is. A guess: it compares Secrets Manager's clock with this environment's.
pub(super) fn age(version: &Version, now: Now) -> Duration {
    Duration::from_secs(u64::try_from(now.at.seconds_since(version.created)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::clock::tests::{later, some_time};

    const LEASE: Duration = Duration::from_secs(12);

    fn waiter() -> LeaseWaiter {
        LeaseWaiter::new(Slot::first("c"))
    }

    fn stored(owner: &str, seconds: u64, now: Now, age: i64) -> Version {
        let text = Lease { owner: owner.into(), seconds }.to_text();
        Version { id: String::new(), created: now.at.plus_seconds(age.saturating_neg()), text }
    }

    fn held(waiter: &LeaseWaiter, now: Now) -> Option<u64> {
        match waiter.acquired(now) {
            Acquired::Held(left) => Some(left.as_secs()),
            Acquired::Free | Acquired::Own(_) => None,
        }
    }

    #[test]
    fn a_claim_is_decided_by_what_is_read_back() {
        let done = || Ok(Put::Done { stages: Vec::new() });
        let unavailable = || Err(StoreError::Unavailable(String::new()));
        let now = some_time();
        for (put, read_back, expected) in [
            (done(), Some("mine"), "own"),
            (done(), None, "own"),
            (done(), Some("theirs"), "held"),
            // The response to the first of two requests got lost.
            (Ok(Put::Taken), Some("mine"), "own"),
            (Ok(Put::Taken), Some("theirs"), "held"),
            (Ok(Put::Taken), None, "held"),
            (unavailable(), Some("mine"), "own"),
            (unavailable(), Some("theirs"), "held"),
            (unavailable(), None, "free"),
            (Err(StoreError::Throttled(String::new())), None, "free"),
            (Err(StoreError::Denied(String::new())), None, "free"),
        ] {
            let mut waiter = waiter();
            let case = format!("{put:?}, {read_back:?}");
            waiter.claimed(Lease { owner: "mine".into(), seconds: 12 }, Timer::start(now, LEASE), &put);
            assert!(waiter.must_read(), "{case}");
            waiter.saw(read_back.map(|owner| stored(owner, 12, now, 0)).as_ref(), LEASE, now);
            let acquired = match waiter.acquired(now) {
                Acquired::Free => "free",
                Acquired::Held(_) => "held",
                Acquired::Own(_) => "own",
            };
            assert_eq!(acquired, expected, "{case}");
            assert_eq!(waiter.must_read(), expected == "free", "{case}");
        }
    }

    #[test]
    fn a_waiter_counts_from_when_it_first_saw_the_lease() {
        let now = some_time();
        for (seconds, age, left) in [
            (12, 0, 12),
            // However old the lease seems to be: clocks differ, and the holder may be about to send its request.
            (12, 200, 12),
            (12, -86_400, 12),
            (60_000, 0, 60),
            // Dead for so long that no difference of clocks explains it.
            (12, 313, 0),
        ] {
            let mut waiter = waiter();
            waiter.saw(Some(&stored("theirs", seconds, now, age)), LEASE, now);
            assert_eq!(held(&waiter, now), Some(left), "{seconds} {age}");
        }
        let mut waiter = waiter();
        waiter.saw(Some(&stored("theirs", 12, now, 0)), LEASE, now);
        for (wall, monotonic, left) in [(5, 5, 7), (0, 12, 0), (86_400, 5, 7), (86_400, 13, 0)] {
            let later = later(now, wall, monotonic);
            assert_eq!(
                held(&waiter, later),
                Some(left),
                "only the monotonic clock counts: {wall} {monotonic}"
            );
        }
        // Garbage where the lease should be: somebody put it, so it counts as a lease of the usual duration.
        let garbage = Version { text: "garbage".into(), ..stored("", 0, now, 0) };
        waiter.advance_to(1);
        waiter.saw(Some(&garbage), LEASE, now);
        assert_eq!(held(&waiter, now), Some(12));
    }
}
