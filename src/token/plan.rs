//! The decision: from what is needed, what was read, and what is remembered to the next step. Pure.
//!
//! The table of rules is in the documentation of [the module above](super); the table of cases is in the tests below.

use crate::error::{ErrorType, WatchError};
use crate::token::cache::CachedToken;
use crate::token::clock::{Now, Timer};
use crate::token::lease::{Acquired, LeaseWaiter};
use crate::token::record::{MintFailure, Slot};
use crate::token::store::{StoreError, Version};
use crate::zoho::credentials::{AccessToken, Secret, TokenGrant};
use secrecy::SecretString;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// What kind of token an acquisition is for.
#[derive(Debug, Clone)]
pub(super) enum Need {
    /// Any that can be used.
    Any,
    /// Any but this one, which Zoho rejected.
    Replacement(AccessToken),
    /// The next one after this one, which can still be used: nobody waits for it.
    Successor(Arc<CachedToken>),
}

impl Need {
    /// Whether this token is of use.
    pub(super) fn accepts(&self, token: &AccessToken) -> bool {
        match self {
            Self::Any => true,
            Self::Replacement(rejected) => rejected != token,
            Self::Successor(current) => current.token != *token,
        }
    }
}

/// The operator's secret.
#[derive(Debug)]
pub(super) struct StoredCredentials {
    pub version: Version,
    pub secret: Secret,
}

/// What one look at the secret showed. What it showed about leases and failures is in [`Memory`], with the times at
/// which each was first seen.
#[derive(Debug)]
pub(super) struct Observed {
    pub credentials: Arc<StoredCredentials>,
    /// The operator's own token, or a shared one that is usable and accepted.
    pub token: Option<Arc<CachedToken>>,
}

/// What one acquisition leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// As last read: what is left to work with while Secrets Manager is down.
    pub credentials: Option<Arc<StoredCredentials>>,
    /// As long as this runs, they need not be read again.
    pub fresh: Option<Timer>,
    /// Where this environment stands in the race for the next token.
    pub race: Option<LeaseWaiter>,
    /// The last failure that is known, and the slot that it is about.
    pub failure: Option<(Slot, MintFailure)>,
    /// What this environment got from Zoho and has not stored yet.
    pub minted: Option<Minted>,
    /// Why tokens cannot be shared in this acquisition.
    pub unshared: Option<String>,
    /// Why this process no longer shares tokens.
    pub stopped: Option<String>,
    /// Failures in a row of requests without a lease.
    pub unshared_failures: u32,
    /// Reads in a row that failed.
    pub failed_reads: u32,
    /// Puts in a row that may or may not have been done.
    pub failed_puts: u32,
    /// The error of the last put, until this environment has paused.
    pub put_error: Option<StoreError>,
    /// A version that was already warned about.
    pub warned_version: Option<String>,
}

/// The result of a request for a token.
#[derive(Debug)]
pub(super) struct Minted {
    pub slot: Slot,
    pub result: Result<MintedToken, MintFailure>,
}

/// A new token.
#[derive(Debug)]
pub(super) struct MintedToken {
    pub token: Arc<CachedToken>,
    /// The content of its version.
    pub text: SecretString,
    /// 0 once it is stored.
    pub puts_left: u32,
}

/// The next step.
#[derive(Debug)]
pub(super) enum Next {
    /// Done: use this token.
    Use(Arc<CachedToken>),
    /// Done: there is no token.
    Fail(WatchError),
    /// Look again after a pause within these bounds. If the time of an invocation runs out meanwhile, this is its error.
    Wait(WatchError, RangeInclusive<Duration>),
    /// Put the lease of the current term.
    Claim,
    /// Request a token, and be done before the timer ends.
    Mint(Timer),
    /// Request a token without a lease and keep it, for this reason.
    MintUnshared(String),
    /// Store what came of the request.
    Publish,
}

/// Puts of leases that may or may not have been done. Then this environment requests a token without a lease.
const MAX_FAILED_PUTS: u32 = 2;

/// Reads that may fail in a row. The SDK has repeated each of them already. A throttle is over soon; and of many
/// environments that are throttled, none may help itself.
fn max_failed_reads(error: &StoreError) -> u32 {
    match error {
        StoreError::Denied(_) => 0,
        StoreError::Unavailable(_) => 2,
        StoreError::Throttled(_) => 6,
    }
}

/// A cooldown that ends so soon is waited for. After a failure of the accounts server, the first two are so short: an
/// invocation sends three requests in total.
const PATIENCE: Duration = Duration::from_secs(2);

const ANY_PAUSE: RangeInclusive<Duration> = Duration::ZERO..=Duration::MAX;

/// Decides on the next step.
pub(super) fn plan(need: &Need, read: Result<&Observed, &StoreError>, memory: &Memory, now: Now) -> Next {
    let next = match (read, need) {
        (Err(_), Need::Successor(current)) => return Next::Use(current.clone()),
        (Err(error), _) => without_secret(error, memory, now),
        (Ok(observed), _) => with_secret(observed, memory, now),
    };
    match (next, need) {
        (Next::Wait(..), Need::Successor(current)) => Next::Use(current.clone()),
        (next, _) => next,
    }
}

fn with_secret(observed: &Observed, memory: &Memory, now: Now) -> Next {
    let credentials = &observed.credentials.version.id;
    if let Some(token) = &observed.token {
        return Next::Use(token.clone());
    }
    if let Some(why) = &memory.unshared {
        return unshared(credentials, memory, why, now);
    }
    let pause = memory.put_error.clone().map(|error| Next::Wait(error.into_error(), ANY_PAUSE));
    match memory.minted_for(credentials) {
        Some(Ok(minted)) if minted.puts_left == 0 => return Next::Use(minted.token.clone()),
        Some(Ok(_)) => return pause.unwrap_or(Next::Publish),
        Some(Err(_)) => return Next::Publish,
        None => {}
    }
    if let Some(next) = cooldown(credentials, memory, now) {
        return next;
    }
    match memory.race.as_ref().map_or(Acquired::Free, |race| race.acquired(now)) {
        Acquired::Own(lease) => Next::Mint(lease),
        Acquired::Held(left) => {
            let timeout = "timed out waiting for another execution environment to obtain an access token (it holds the \
                           lease, and has stored neither a token nor an error). Try again later";
            Next::Wait(WatchError::new(ErrorType::TokenRateLimited, timeout), Duration::ZERO..=left)
        }
        Acquired::Free => match &memory.put_error {
            Some(StoreError::Unavailable(why)) if memory.failed_puts > MAX_FAILED_PUTS => {
                unshared(credentials, memory, why, now)
            }
            _ => pause.unwrap_or(Next::Claim),
        },
    }
}

/// Secrets Manager is down: what can be done with the credentials in memory.
fn without_secret(error: &StoreError, memory: &Memory, now: Now) -> Next {
    if memory.failed_reads <= max_failed_reads(error) {
        return Next::Wait(error.clone().into_error(), ANY_PAUSE);
    }
    match (error, &memory.credentials) {
        (StoreError::Unavailable(why), Some(stored))
            if matches!(stored.secret.grant, TokenGrant::Credentials(_)) =>
        {
            unshared(&stored.version.id, memory, why, now)
        }
        _ => Next::Fail(error.clone().into_error()),
    }
}

/// There is no compare-and-set to take a lease with.
fn unshared(credentials: &str, memory: &Memory, why: &str, now: Now) -> Next {
    match memory.minted_for(credentials) {
        Some(Ok(minted)) => Next::Use(minted.token.clone()),
        Some(Err(_)) => Next::Publish,
        None => cooldown(credentials, memory, now).unwrap_or_else(|| Next::MintUnshared(why.to_owned())),
    }
}

fn cooldown(credentials: &str, memory: &Memory, now: Now) -> Option<Next> {
    let (slot, failure) = memory.failure.as_ref()?;
    let left = failure.until.left(now);
    if slot.credentials != credentials || left.is_zero() {
        return None;
    }
    let error = failure.error.clone();
    // Nothing changes before its end.
    Some(if left <= PATIENCE { Next::Wait(error, left..=left) } else { Next::Fail(error) })
}

impl Memory {
    /// Whether the credentials need not be read again.
    pub(super) fn is_fresh(&self, now: Now) -> bool {
        self.fresh.is_some_and(|fresh| !fresh.is_over(now))
    }

    /// Whether the secret contained an access token when it was last read.
    pub(super) fn is_static(&self) -> bool {
        let grant = self.credentials.as_ref().map(|stored| &stored.secret.grant);
        matches!(grant, Some(TokenGrant::Static(_)))
    }

    /// Forgets a token that Zoho rejected before it was stored: it replaces nothing, and nobody else needs it.
    pub(super) fn forget_minted(&mut self, need: &Need) {
        if matches!(need, Need::Replacement(rejected) if self.minted_token().is_some_and(|ours| ours.token == *rejected))
        {
            self.minted = None;
        }
    }

    /// What this environment got from Zoho with these credentials and has not stored yet.
    fn minted_for(&self, credentials: &str) -> Option<Result<&MintedToken, &MintFailure>> {
        let minted = self.minted.as_ref().filter(|minted| minted.slot.credentials == credentials)?;
        Some(minted.result.as_ref())
    }

    /// The token that this environment has not stored yet, as far as it knows.
    pub(super) fn minted_token(&self) -> Option<&Arc<CachedToken>> {
        self.minted.as_ref()?.result.as_ref().ok().map(|minted| &minted.token)
    }

    /// Remembers a failure, and returns whether it is still in effect. One that is known already keeps its timer: nobody
    /// can extend it by storing it again.
    pub(super) fn note_failure(&mut self, slot: &Slot, failure: MintFailure, now: Now) -> bool {
        let known = self.failure.take().filter(|(known, last)| known == slot && last.term == failure.term);
        let (_, failure) = self.failure.insert(known.unwrap_or_else(|| (slot.clone(), failure)));
        !failure.until.is_over(now)
    }
}

#[cfg(test)]
mod tests;
