//! Whose turn it is to mint: leases for each place in the chain of tokens, taken with compare-and-set.
//!
//! The first to put a version under a lease's id may mint, for as long as the lease says, counted from *before* the put.
//! The others start a stopwatch when they first *see* the lease and take the next one only when it has run out. So two
//! copies never mint for one place at a time, whatever their clocks say; a dead holder costs one lease's time.

use crate::error::WatchError;
use crate::timestamp::Timestamp;
use crate::token::record::{LEASE_LABEL, LONGEST_WALK, Lease, Position, Settled};
use crate::token::store::{Put, SecretStore, StoreError, Version};
use std::time::Duration;
use tokio::time::Instant;

/// Signatures more than five minutes old are refused by AWS, so that no working copy's clock is further off.
const GREATEST_SKEW: Duration = Duration::from_secs(300);

/// How often Secrets Manager may fail to take a lease before a copy helps itself.
const FAILED_PUTS_BORNE: u32 = 2;

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
    /// A copy has asked, and Zoho's answer stands for a while.
    Settled {
        /// What it was.
        error: WatchError,
        /// Until when.
        until: Timestamp,
        /// Which lease of the place that was.
        attempt: u32,
    },
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

impl Holder {
    /// Starts the stopwatch on a lease that is there by now. What was read of it may be nothing: reads can be late.
    fn seen_now(found: Option<&Version>, now: Timestamp, usual: Duration) -> Self {
        let duration =
            found.and_then(|found| Lease::parse(&found.text)).map_or(usual, |lease| lease.duration());
        let long_dead = age(found, now) > duration.saturating_add(GREATEST_SKEW);
        Self { seen: Instant::now(), duration: if long_dead { Duration::ZERO } else { duration } }
    }
}

fn age(found: Option<&Version>, now: Timestamp) -> Duration {
    let seconds = found.map_or(0, |found| now.seconds_since(found.created));
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

impl Queue {
    /// Lines up for a place; `lease` is how long this copy would mint at most.
    pub async fn line_up(
        &mut self,
        vault: &impl SecretStore,
        place: &Position,
        now: Timestamp,
        lease: Duration,
    ) -> Turn {
        if self.place.as_ref() != Some(place) {
            *self = Self { place: Some(place.clone()), ..Self::default() };
        }
        for _ in 0..LONGEST_WALK {
            let Some(holder) = &self.holder else {
                if let Some(turn) = self.claim(vault, place, now, lease).await {
                    return turn;
                }
                continue;
            };
            let (over, attempt) = (holder.seen.elapsed() >= holder.duration, self.attempt);
            match read_settled(vault, place, attempt).await {
                Some((until, error)) if until > now => return Turn::Settled { error, until, attempt },
                None if !over => return Turn::Wait,
                _ => self.stand_at(attempt.saturating_add(1)),
            }
        }
        Turn::Wait
    }

    /// Tries to take the lease; `None` where another copy has it.
    async fn claim(
        &mut self,
        vault: &impl SecretStore,
        place: &Position,
        now: Timestamp,
        lease: Duration,
    ) -> Option<Turn> {
        let id = place.lease_id(self.attempt);
        // A look first: Secrets Manager takes 50 puts a second, and 10,000 reads.
        if let Ok(Some(found)) = vault.version(&id).await {
            self.skip_to_latest(vault, place, Some(&found), now, lease).await;
            return None;
        }
        // New for each claim: a lease that this very process abandoned is as dead to it as anybody's.
        let mine = Lease { owner: format!("{:016x}", fastrand::u64(..)), seconds: lease.as_secs() };
        let clock = LeaseClock::start(now, mine.duration());
        let put = vault.put(&id, LEASE_LABEL, &mine.to_text()).await;
        if let Err(StoreError::Denied(why)) = put {
            return Some(Turn::Alone(why));
        }
        // Read back whatever the put said: its answer may be that of a second try that found the first one's work, or
        // be lost; and should two puts ever both win, only one content is left to be read.
        let token_id = place.token_id();
        let (found, token) = tokio::join!(vault.version(&id), vault.version(&token_id));
        let (found, token) = (found.ok().flatten(), token.ok().flatten());
        let theirs = found.as_ref().and_then(|found| Lease::parse(&found.text));
        let won = theirs.as_ref().map_or(found.is_none() && put == Ok(Put::Done), |theirs| *theirs == mine);
        match put {
            // Since this copy looked, a lease has run its whole course.
            _ if won && token.is_some() => Some(Turn::Wait),
            _ if won => Some(Turn::Mint { attempt: Some(self.attempt), lease: clock }),
            Err(StoreError::Throttled(_)) if found.is_none() => Some(Turn::Wait),
            Err(error) if found.is_none() => {
                self.failed_puts = self.failed_puts.saturating_add(1);
                let helps_itself = self.failed_puts > FAILED_PUTS_BORNE;
                Some(if helps_itself { Turn::Alone(error.message().to_owned()) } else { Turn::Wait })
            }
            _ => {
                self.skip_to_latest(vault, place, found.as_ref(), now, lease).await;
                None
            }
        }
    }

    /// Lines up behind the holder that was found, or, where that one is history, behind the latest of this place.
    async fn skip_to_latest(
        &mut self,
        vault: &impl SecretStore,
        place: &Position,
        found: Option<&Version>,
        now: Timestamp,
        lease: Duration,
    ) {
        if self.attempt == 0
            && age(found, now) > lease
            && let Ok(Some(latest)) = vault.labelled(LEASE_LABEL).await
            && let Some(attempt) = place.attempt_of(&latest.id).filter(|attempt| *attempt > 0)
        {
            let found = vault.version(&place.lease_id(attempt)).await.ok().flatten();
            self.stand_at(attempt);
            self.holder = Some(Holder::seen_now(found.as_ref(), now, lease));
            return;
        }
        self.holder = Some(Holder::seen_now(found, now, lease));
    }

    fn stand_at(&mut self, attempt: u32) {
        self.attempt = attempt;
        self.holder = None;
        self.failed_puts = 0;
    }
}

async fn read_settled(
    vault: &impl SecretStore,
    place: &Position,
    attempt: u32,
) -> Option<(Timestamp, WatchError)> {
    let version = vault.version(&place.settled_id(attempt)).await.ok().flatten()?;
    let settled = Settled::parse(&version.text)?;
    Some((settled.until(version.created), settled.error))
}
