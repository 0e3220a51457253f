//! Whose turn it is to mint: a lease for each place in the chain of tokens, taken with compare-and-set.
//!
//! The first to put a version under a lease's id may mint, for as long as the lease says, counted from *before* the put.
//! The others start a stopwatch when they first *see* the lease and take the next one only when it has run out. So two
//! copies never mint for one place at a time, whatever their clocks say; a dead holder costs one lease's time.

use crate::clock::Timestamp;
use crate::error::WatchError;
use crate::token::record::{LEASE_LABEL, Lease, Position, Settled};
use crate::token::vault::{Put, Vault, VaultError};
use std::time::Duration;
use tokio::time::Instant;

/// Signatures more than five minutes old are refused by AWS, so that no working copy's clock is further off.
const GREATEST_SKEW: Duration = Duration::from_secs(300);

/// How many dead leases of one place are stepped over in one go.
const LONGEST_WALK: u32 = 200;

/// What a copy may do now.
#[derive(Debug)]
pub enum Turn {
    /// Mint, and be done before the lease is over.
    Mint {
        /// Which lease of the place this is; `None` where none was needed.
        attempt: Option<u32>,
        /// When it is over.
        lease: LeaseClock,
    },
    /// Another copy mints, or will be known to have died: look again in a moment.
    Wait,
    /// Another copy has asked, and Zoho's answer stands for a while.
    Settled(WatchError),
    /// The secret cannot be written: there is no turn to be had.
    Alone(String),
}

/// A lease's end on two clocks, whichever comes first: the monotonic one stands still while an environment is frozen,
/// the wall clock may be set back.
#[derive(Debug, Clone, Copy)]
pub struct LeaseClock {
    started: Instant,
    started_at: Timestamp,
    duration: Duration,
}

impl LeaseClock {
    /// Starts now.
    pub fn start(now: Timestamp, duration: Duration) -> Self {
        Self { started: Instant::now(), started_at: now, duration }
    }

    /// What is left of it.
    pub fn left(&self, now: Timestamp) -> Duration {
        let wall = Duration::from_secs(u64::try_from(now.seconds_since(self.started_at)).unwrap_or(0));
        self.duration.saturating_sub(self.started.elapsed().max(wall))
    }
}

/// Where this copy stands in the line for one place. Kept from call to call, so that stopwatches go on.
#[derive(Debug, Default)]
pub struct Queue {
    place: Option<Position>,
    attempt: u32,
    holder: Option<Holder>,
    failed_puts: u32,
}

/// Another copy's lease, and since when this copy knows of it.
#[derive(Debug)]
struct Holder {
    seen: Instant,
    duration: Duration,
}

impl Queue {
    /// Lines up for a place; `lease` is how long this copy would mint at most.
    pub async fn line_up(
        &mut self,
        vault: &impl Vault,
        place: &Position,
        now: Timestamp,
        lease: Duration,
    ) -> Turn {
        if self.place.as_ref() != Some(place) {
            *self = Self { place: Some(place.clone()), ..Self::default() };
        }
        for _ in 0..LONGEST_WALK {
            if let Some(holder) = &self.holder {
                match read_settled(vault, place, self.attempt).await {
                    Some(settled) if settled.until > now => return Turn::Settled(settled.error),
                    Some(_) => self.next(),
                    None if holder.seen.elapsed() < holder.duration => return Turn::Wait,
                    None => self.next(),
                }
            } else if let Some(turn) = self.claim(vault, place, now, lease).await {
                return turn;
            }
        }
        Turn::Wait
    }

    /// Tries to take the lease; `None` where another copy has it.
    async fn claim(
        &mut self,
        vault: &impl Vault,
        place: &Position,
        now: Timestamp,
        lease: Duration,
    ) -> Option<Turn> {
        let id = place.lease_id(self.attempt);
        // New for each claim: a lease that this very process abandoned is as dead to it as anybody's.
        let mine = Lease { owner: format!("{:016x}", fastrand::u64(..)), seconds: lease.as_secs() };
        let clock = LeaseClock::start(now, mine.duration());
        match vault.put(&id, LEASE_LABEL, &mine.to_text()).await {
            Ok(put) => {
                // Read back even after a put that went through: a put that was retried may find its own first try
                // under the id, and should two puts ever both win, only one content is left to be read.
                self.failed_puts = 0;
                let seen = Instant::now();
                let found = vault.version(&id).await.ok().flatten();
                let theirs = found.as_ref().and_then(|version| Lease::parse(&version.text));
                if theirs.as_ref().map_or(put == Put::Done, |theirs| *theirs == mine) {
                    return Some(Turn::Mint { attempt: Some(self.attempt), lease: clock });
                }
                let duration = theirs.as_ref().map_or(lease, Lease::duration);
                let age = found.map_or(0, |version| now.seconds_since(version.created));
                let long_dead = Duration::from_secs(u64::try_from(age).unwrap_or(0))
                    > duration.saturating_add(GREATEST_SKEW);
                self.holder =
                    Some(Holder { seen, duration: if long_dead { Duration::ZERO } else { duration } });
                None
            }
            Err(VaultError::Refused(why)) => Some(Turn::Alone(why)),
            Err(VaultError::Throttled(_)) => Some(Turn::Wait),
            Err(VaultError::Unavailable(why)) => {
                self.failed_puts = self.failed_puts.saturating_add(1);
                Some(if self.failed_puts >= 3 { Turn::Alone(why) } else { Turn::Wait })
            }
        }
    }

    fn next(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        self.holder = None;
    }
}

async fn read_settled(vault: &impl Vault, place: &Position, attempt: u32) -> Option<Settled> {
    let version = vault.version(&place.settled_id(attempt)).await.ok().flatten()?;
    Settled::parse(&version.text)
}
