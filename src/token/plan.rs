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
mod tests {
    use super::*;
    use crate::error::ErrorType;
    use crate::timestamp::Timestamp;
    use crate::token::cache::{Issued, TokenTimes};
    use crate::token::clock::tests::{later, some_time};
    use crate::token::record::Lease;
    use crate::token::store::Put;
    use crate::zoho::hosts;

    const CREDENTIALS: &str = r#"{"client_id": "i", "client_secret": "s", "refresh_token": "r"}"#;

    fn stored(id: &str, text: &str) -> Arc<StoredCredentials> {
        let created = Timestamp::from_epoch_seconds(0);
        let version = Version { id: id.into(), created, text: text.into() };
        Arc::new(StoredCredentials { version, secret: Secret::parse(text, None).unwrap() })
    }

    fn token(text: &str) -> Arc<CachedToken> {
        let secret = Secret::parse(CREDENTIALS, None).unwrap();
        let never = Timestamp::from_epoch_seconds(i64::MAX);
        let times = TokenTimes { unusable_at: never, refresh_at: never };
        Arc::new(CachedToken {
            token: AccessToken::parse(text).unwrap(),
            api: hosts::api(None, &secret, &hosts::accounts(None, &secret).origin, None),
            issued: Some(Issued { credentials: "ours".into(), times }),
        })
    }

    fn minted(credentials: &str, puts_left: u32) -> Option<Minted> {
        let minted = MintedToken { token: token("minted"), text: "".into(), puts_left };
        Some(Minted { slot: Slot::first(credentials), result: Ok(minted) })
    }

    fn failure(seconds: u64, now: Now) -> MintFailure {
        MintFailure::new(WatchError::new(ErrorType::TokenRejected, ""), Duration::from_secs(seconds), 0, now)
    }

    /// A lease of 12 seconds in the first term.
    fn race(is_ours: bool, now: Now) -> Option<LeaseWaiter> {
        let (lease, duration) = (Lease { owner: "ours".into(), seconds: 12 }, Duration::from_secs(12));
        let mut race = LeaseWaiter::new(Slot::first("ours"));
        if is_ours {
            let put = Ok(Put::Done { stages: Vec::new() });
            race.claimed(lease.clone(), Timer::start(now, duration), &put);
        }
        let version = Version { id: String::new(), created: now.at, text: lease.to_text() };
        race.saw(Some(&version), duration, now);
        Some(race)
    }

    #[test]
    fn a_need_accepts_any_token_but_the_one_that_it_replaces() {
        let this = AccessToken::parse("this").unwrap();
        for (need, accepts_this) in [
            (Need::Any, true),
            (Need::Replacement(this.clone()), false),
            (Need::Successor(token("this")), false),
        ] {
            let accepts = |token: &str| need.accepts(&AccessToken::parse(token).unwrap());
            assert_eq!((accepts("this"), accepts("another")), (accepts_this, true), "{need:?}");
        }
    }

    #[test]
    fn a_rejected_token_is_not_stored_any_more() {
        let rejected = |text| AccessToken::parse(text).unwrap();
        for (need, is_kept) in [
            (Need::Any, true),
            (Need::Replacement(rejected("another")), true),
            (Need::Replacement(rejected("minted")), false),
            // Still to be stored, for the others.
            (Need::Successor(token("minted")), true),
        ] {
            let mut memory = Memory { minted: minted("ours", 4), ..Memory::default() };
            memory.forget_minted(&need);
            assert_eq!(memory.minted.is_some(), is_kept, "{need:?}");
        }
    }

    fn name(next: &Next) -> String {
        match next {
            Next::Use(token) => format!("use {}", token.token.expose()),
            Next::Fail(error) => format!("fail {}", error.kind()),
            Next::Wait(error, bounds) if *bounds == ANY_PAUSE => format!("wait {}", error.kind()),
            Next::Wait(error, bounds) => {
                format!("wait {} {} to {} s", error.kind(), bounds.start().as_secs(), bounds.end().as_secs())
            }
            Next::Claim => "claim".into(),
            Next::Mint(lease) => format!("mint in {} s", lease.duration().as_secs()),
            Next::MintUnshared(_) => "mint unshared".into(),
            Next::Publish => "publish".into(),
        }
    }

    #[test]
    fn the_decision_if_the_secret_can_be_read() {
        let now = some_time();
        let observed = |token| Observed { credentials: stored("ours", CREDENTIALS), token };
        // What is remembered.
        type Remember<'a> = &'a dyn Fn(&mut Memory);
        let none: Remember = &|_| {};
        let own_lease: Remember = &|memory| memory.race = race(true, now);
        let held: Remember = &|memory| memory.race = race(false, now);
        let failed = |credentials, seconds| {
            move |memory: &mut Memory| {
                memory.failure = Some((Slot::first(credentials), failure(seconds, now)))
            }
        };
        let minted = |credentials, puts_left| {
            move |memory: &mut Memory| memory.minted = minted(credentials, puts_left)
        };
        let to_publish: Remember = &|memory| {
            memory.minted = Some(Minted { slot: Slot::first("ours"), result: Err(failure(60, now)) });
        };
        let throttled: Remember = &|memory| memory.put_error = Some(StoreError::Throttled(String::new()));
        let unavailable = |puts| {
            move |memory: &mut Memory| {
                memory.put_error = Some(StoreError::Unavailable(String::new()));
                memory.failed_puts = puts;
            }
        };
        let unshared: Remember = &|memory| memory.unshared = Some("may not write".to_owned());
        let rows: [(&[Remember], &str, &str); 21] = [
            // Remembered, next step for a token or a replacement, next step for a successor.
            (&[none], "claim", "claim"),
            (&[held], "wait TokenRateLimited 0 to 12 s", "use current"),
            (&[own_lease], "mint in 12 s", "mint in 12 s"),
            (&[&failed("ours", 60)], "fail TokenRejected", "fail TokenRejected"),
            (&[&failed("ours", 2)], "wait TokenRejected 2 to 2 s", "use current"),
            (&[&failed("ours", 0)], "claim", "claim"),
            (&[&failed("theirs", 60)], "claim", "claim"),
            (&[own_lease, &failed("ours", 60)], "fail TokenRejected", "fail TokenRejected"),
            (&[&minted("ours", 4)], "publish", "publish"),
            (&[&minted("ours", 0)], "use minted", "use minted"),
            (&[&minted("ours", 0), &unavailable(1)], "use minted", "use minted"),
            (&[&minted("ours", 3), throttled], "wait SecretUnavailable", "use current"),
            (&[&minted("theirs", 4)], "claim", "claim"),
            (&[to_publish], "publish", "publish"),
            (&[throttled], "wait SecretUnavailable", "use current"),
            (&[&unavailable(2)], "wait SecretUnavailable", "use current"),
            (&[&unavailable(3)], "mint unshared", "mint unshared"),
            (&[unshared, held], "mint unshared", "mint unshared"),
            (&[unshared, &minted("ours", 4)], "use minted", "use minted"),
            (&[unshared, to_publish], "publish", "publish"),
            (&[unshared, &failed("ours", 60)], "fail TokenRejected", "fail TokenRejected"),
        ];
        let current = Need::Successor(token("current"));
        let rejected = Need::Replacement(AccessToken::parse("rejected").unwrap());
        for (row, (remembered, expected, for_successor)) in rows.into_iter().enumerate() {
            let mut memory = Memory::default();
            remembered.iter().for_each(|remember| remember(&mut memory));
            let next = |need, token| name(&plan(need, Ok(&observed(token)), &memory, now));
            assert_eq!(next(&Need::Any, None), expected, "row {row}");
            assert_eq!(next(&rejected, None), expected, "row {row}");
            assert_eq!(next(&current, None), for_successor, "row {row}");
            // Whatever else there is, a token that can be used ends the acquisition.
            for need in [&Need::Any, &rejected, &current] {
                assert_eq!(next(need, Some(token("shared"))), "use shared", "row {row}");
            }
        }
    }

    #[test]
    fn the_decision_if_the_secret_cannot_be_read() {
        let now = some_time();
        let memory = |failed_reads, credentials: Option<&str>| Memory {
            credentials: credentials.map(|text| stored("ours", text)),
            failed_reads,
            ..Memory::default()
        };
        let denied = StoreError::Denied(String::new());
        let throttled = StoreError::Throttled(String::new());
        let unavailable = StoreError::Unavailable(String::new());
        let own = Some(CREDENTIALS);
        for (error, memory, expected) in [
            (&denied, memory(1, own), "fail SecretInvalid"),
            (&throttled, memory(6, own), "wait SecretUnavailable"),
            (&throttled, memory(7, own), "fail SecretUnavailable"),
            (&unavailable, memory(2, own), "wait SecretUnavailable"),
            (&unavailable, memory(3, own), "mint unshared"),
            (&unavailable, memory(3, None), "fail SecretUnavailable"),
            (&unavailable, memory(3, Some("static-token")), "fail SecretUnavailable"),
            (&unavailable, Memory { minted: minted("ours", 4), ..memory(3, own) }, "use minted"),
            (
                &unavailable,
                Memory { failure: Some((Slot::first("ours"), failure(60, now))), ..memory(3, own) },
                "fail TokenRejected",
            ),
        ] {
            let next = |need| name(&plan(need, Err(error), &memory, now));
            assert_eq!(next(&Need::Any), expected, "{error:?}, {} failed reads", memory.failed_reads);
            assert_eq!(next(&Need::Successor(token("current"))), "use current", "{error:?}");
        }
    }

    #[test]
    fn a_failure_that_is_stored_again_does_not_last_longer() {
        let now = some_time();
        let (slot, mut memory) = (Slot::first("ours"), Memory::default());
        assert!(memory.note_failure(&slot, failure(60, now), now));
        let later = later(now, 50, 50);
        assert!(memory.note_failure(&slot, failure(60, later), later));
        let left = |memory: &Memory| memory.failure.as_ref().unwrap().1.until.left(later).as_secs();
        assert_eq!(left(&memory), 10);
        memory.note_failure(&Slot::first("theirs"), failure(60, later), later);
        assert_eq!(left(&memory), 60, "another one counts");
    }
}
