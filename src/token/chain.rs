//! The decision: what an environment does next, after it has read the chain. Pure.
//!
//! No times are compared between machines. The holder of a claim starts its timer *before* the put; the others when they
//! first *see* it (the rule of the DynamoDB Lock Client). So the holder's ends first, whatever the clocks say.

use crate::error::{ErrorType, WatchError};
use crate::token::cache::{CachedToken, Need, Now, Timer};
use crate::token::record::{Identity, Record, RecordKind};
use crate::zoho::credentials::{Secret, TokenGrant};
use crate::zoho::hosts::ZohoHost;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long the holder of a claim has for its request, and with it what its death costs the others.
pub(super) const CLAIM: Duration = Duration::from_secs(12);

/// How much of a claim must be left for a request to be worth sending: a token that comes too late is lost.
const SHORTEST_REQUEST: Duration = Duration::from_secs(3);

/// AWS rejects signatures that are five minutes off: the clock of a working environment is no further off.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// A failure that ends so soon is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A claim is allowed if this record before it is older than a day: a token and a failure that can follow it make 80.
pub(super) const CLAIMED_AFTER: u64 = 78;

/// A day, whatever the clocks say.
pub(super) const DAY: Duration = Duration::from_secs(86_400 + 300);

/// Requests an hour by an environment that cannot put a claim.
pub(super) const ALONE_AN_HOUR: usize = 4;

/// How long a failure lasts if Zoho's API rejects a new token: until shortly before that one ends.
pub(super) const REJECTED: Duration = Duration::from_secs(3_540);

/// How long any other failure lasts at most.
const LONGEST_FAILURE: Duration = Duration::from_secs(2_700);

/// How long such a failure lasts, after so many before it.
pub(super) fn lasts(kind: ErrorType, failures: u32, is_claimed: bool) -> Duration {
    let first = match kind {
        ErrorType::TokenRejected => 60,
        // Zoho issues 10 tokens in 10 minutes, then none for the rest of them.
        ErrorType::TokenRateLimited => 600,
        _ => 2,
    };
    // Without a claim, four requests must be enough for an hour.
    let shortest = if is_claimed || failures == 0 { 0 } else { 1_200 };
    let lasts = Duration::from_secs(first).saturating_mul(4_u32.saturating_pow(failures));
    lasts.clamp(Duration::from_secs(shortest), LONGEST_FAILURE)
}

/// The chain as it was read just now, by its numbers.
#[derive(Default)]
pub(super) struct View {
    pub records: BTreeMap<u64, Record>,
    /// The newest token that counts here.
    pub token: Option<Arc<CachedToken>>,
}

impl View {
    /// The highest number that is known to be taken.
    pub(super) fn head(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// Those that count here, the newest first.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Record> {
        self.records.values().rev().filter(|record| !record.is_foreign())
    }
}

/// The operator's credentials, and what follows from them.
pub(super) struct Stored {
    pub secret: Secret,
    pub accounts: ZohoHost,
    /// As far as it is known without a token.
    pub api: ZohoHost,
    pub identity: Identity,
}

impl Stored {
    /// Whether a token can be requested.
    pub(super) fn has_credentials(&self) -> bool {
        matches!(self.secret.grant, TokenGrant::Credentials(_))
    }
}

/// What one process remembers. Kept from one acquisition to the next, so that timers go on.
#[derive(Default)]
pub(super) struct Memory {
    pub stored: Option<Arc<Stored>>,
    /// A random name for this environment.
    pub owner: String,
    /// The last claim that it put, and its timer; `None` if what came of it could not be stored.
    pub claim: Option<(u64, Timer)>,
    /// The newest record of one's own identity, and when it was first seen.
    pub seen: Option<(u64, Now)>,
    /// A number that was taken when it was last tried.
    pub taken: u64,
    /// Why this environment's last request led to no token, and for how long it makes no other one.
    pub failure: Option<(WatchError, Timer)>,
    /// Requests without a claim: a timer of an hour for each.
    pub alone: Vec<Timer>,
}

impl Memory {
    /// Starts a timer for a record that was not the newest one before.
    pub(super) fn note(&mut self, view: &View, now: Now) {
        let number = view.ours().next().map(|newest| newest.number);
        self.seen = number.map(|number| self.seen.filter(|seen| seen.0 == number).unwrap_or((number, now)));
    }
}

/// The next step.
pub(super) enum Next {
    /// Done: use this token.
    Use(Arc<CachedToken>),
    /// Done: there is no token.
    Fail(WatchError),
    /// Look again, after so long at the latest. If the time of the invocation runs out meanwhile, this is its error.
    Wait(WatchError, Duration),
    /// Put a claim under this number, after so many failures in a row.
    Claim(u64, u32),
    /// Request a token under one's own claim, after so many failures in a row, and be done before the timer ends.
    Request(u32, Timer),
}

impl Need {
    /// Rule 1: the token to use.
    pub(super) fn choose(&self, view: &View, now: Now) -> Option<Arc<CachedToken>> {
        match self {
            Self::Successor(present) if !present.is_refresh_due(now.at) => Some(present.clone()),
            // One that something else keeps up to date is the only one there is.
            _ => view.token.clone().filter(|token| token.issued.is_none() || self.accepts(token, now)),
        }
    }
}

/// Decides on the next step by the rules in docs/token-sharing.md.
pub(super) fn decide(need: &Need, view: &View, memory: &Memory, now: Now) -> Next {
    if let Some(token) = need.choose(view, now) {
        return Next::Use(token);
    }
    let (newest, own) = (view.ours().next(), memory.failure.as_ref());
    let failures = newest.map_or(u32::from(own.is_some()), |newest| newest.content.failures);
    let own = own.and_then(|(error, until)| failed(error.clone(), until.left(now)));
    let stored = || obstacle(need, newest?, memory, now);
    match (need, own.or_else(stored)) {
        // Nobody waits for a successor.
        (Need::Successor(present), Some(Next::Wait(..))) => Next::Use(present.clone()),
        (_, next) => next.unwrap_or(Next::Claim(view.head().saturating_add(1), failures)),
    }
}

/// What to do instead of putting the record that follows this one.
fn obstacle(need: &Need, record: &Record, memory: &Memory, now: Now) -> Option<Next> {
    let age = now.since(record.created);
    let seen = memory.seen.map_or(now, |(_, seen)| seen);
    // The monotonic clock can be late (after a freeze), but never early.
    let seen_for = now.instant.saturating_duration_since(seen.instant);
    let own = memory.claim.filter(|(number, timer)| *number == record.number && timer.left(now) >= SHORTEST_REQUEST);
    let is_pending = match (&record.content.kind, own) {
        (RecordKind::Claim { owner }, Some((_, timer))) if *owner == memory.owner => {
            return Some(Next::Request(record.content.failures, timer));
        }
        // Dead for so long that no difference of clocks explains it.
        (RecordKind::Claim { .. }, _) => age <= CLAIM.saturating_add(MAX_SKEW),
        (RecordKind::Failure { .. }, _) => {
            let (error, lasts) = record.content.error()?;
            let left = Timer { started: seen, duration: lasts }.left(now);
            return failed(error, left.min(lasts.saturating_sub(age)));
        }
        // Rejected here a moment after its issue: whoever requested it finds out whether it stays rejected.
        (RecordKind::Token { .. }, _) => matches!(need, Need::Replacement(rejected)
            if rejected.iter().any(|token| token.is_shared() && token.is_fresh(now.at))),
        (RecordKind::Foreign, _) => false,
    };
    let message = "timed out waiting for another execution environment to obtain an access token (it has claimed the \
                   request, and has stored neither a token nor an error). Try again later";
    let error = WatchError::new(ErrorType::TokenRateLimited, message);
    (is_pending && seen_for < CLAIM).then(|| Next::Wait(error, CLAIM.saturating_sub(seen_for)))
}

/// The error of a failure, unless it is over soon.
fn failed(error: WatchError, left: Duration) -> Option<Next> {
    let next = if left > PATIENCE { Next::Fail(error) } else { Next::Wait(error, left) };
    (!left.is_zero()).then_some(next)
}

#[cfg(test)]
mod tests;
