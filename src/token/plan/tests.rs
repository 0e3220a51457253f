use super::*;
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
        api: hosts::api(None, &secret, &hosts::accounts(None, &secret), None),
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
    for (need, accepts_this) in
        [(Need::Any, true), (Need::Replacement(this.clone()), false), (Need::Successor(token("this")), false)]
    {
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
        move |memory: &mut Memory| memory.failure = Some((Slot::first(credentials), failure(seconds, now)))
    };
    let minted =
        |credentials, puts_left| move |memory: &mut Memory| memory.minted = minted(credentials, puts_left);
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
        (&unavailable, memory(3, Some("1000.static.token")), "fail SecretUnavailable"),
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
