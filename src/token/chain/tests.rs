//! The decision as a table: what was read, when it was first seen, and what follows.

use super::*;
use crate::token::cache::tests::{later, some_time};
use crate::token::{cache::Issued, record::Content};
use crate::zoho::{credentials::AccessToken, hosts::ZohoServer};

fn token(name: &str, now: Now, age: i64, is_own: bool) -> Arc<CachedToken> {
    let began = now.at.plus_seconds(age.saturating_neg());
    Arc::new(CachedToken {
        token: AccessToken::parse(name).unwrap(),
        api: crate::tests::host(ZohoServer::Api, "US", "ZOHO_API_DOMAIN"),
        issued: Some(Issued::new(is_own, began, began.plus_seconds(3_600), now.at, 600)),
    })
}

fn content(kind: RecordKind, failures: u32) -> Option<Content> {
    Some(Content { kind, failures, ..Content::default() })
}

fn claim(owner: &str) -> Option<Content> {
    content(RecordKind::Claim { owner: owner.to_owned() }, 2)
}

fn failure(seconds: u64) -> Option<Content> {
    let error = WatchError::new(ErrorType::TokenRejected, "rejected");
    content(RecordKind::failure(&error, Duration::from_secs(seconds)), 3)
}

fn stored_token() -> Option<Content> {
    content(RecordKind::Token { access_token: String::new(), api_domain: None, expires_at: String::new() }, 0)
}

/// With this newest record, which is number 7 and so old.
fn view(now: Now, age: i64, token: Option<Arc<CachedToken>>, newest: Option<Content>) -> View {
    let created = now.at.plus_seconds(age.saturating_neg());
    let record = |content| (7, Record { number: 7, created, content });
    View { records: newest.map(record).into_iter().collect(), token }
}

/// What an environment decides that first saw this at `now`.
fn decided(need: &Need, view: &View, mut memory: Memory, now: Now, then: Now) -> String {
    memory.owner = "ours".into();
    memory.note(view, now);
    match decide(need, view, &memory, then) {
        Next::Use(token) => format!("use {}", token.token.expose()),
        Next::Fail(error) => format!("fail {}", error.kind),
        Next::Wait(error, left) => format!("wait {} {}", left.as_secs(), error.kind),
        Next::Claim(number, failures) => format!("claim {number} after {failures}"),
        Next::Request(failures, _) => format!("request after {failures}"),
    }
}

/// The newest record is so old by Secrets Manager's clock, and was first seen so many seconds ago.
#[test]
fn the_newest_record_decides_what_a_check_without_a_token_does() {
    let now = some_time();
    let claimed =
        |number| Memory { claim: Some((number, Timer { started: now, duration: CLAIM })), ..Memory::default() };
    let failed = || {
        let until = Timer { started: now, duration: Duration::from_secs(60) };
        Memory { failure: Some((WatchError::new(ErrorType::ZohoUnavailable, "failed"), until)), ..Memory::default() }
    };
    for (memory, newest, age, seen, expected) in [
        (Memory::default(), None, 0, 0, "claim 1 after 0"),
        (Memory::default(), stored_token(), 4_000, 0, "claim 8 after 0"),
        // A failure lasts until either clock says that it is over.
        (Memory::default(), failure(60), 57, 0, "fail TokenRejected"),
        (Memory::default(), failure(60), 58, 0, "wait 2 TokenRejected"),
        (Memory::default(), failure(60), -90_000, 60, "claim 8 after 3"),
        // So does one of this environment that is not stored.
        (failed(), None, 0, 57, "fail ZohoUnavailable"),
        (failed(), None, 0, 60, "claim 1 after 1"),
        // A claim lasts for 12 seconds from when it was first seen, however old it seems to be: clocks differ.
        (Memory::default(), claim("theirs"), 200, 4, "wait 8 TokenRateLimited"),
        (Memory::default(), claim("theirs"), 0, 12, "claim 8 after 2"),
        // Dead for so long that no difference of clocks explains it.
        (Memory::default(), claim("theirs"), 313, 0, "claim 8 after 2"),
        (claimed(7), claim("ours"), 0, 9, "request after 2"),
        // Too little time is left. It counts as any other claim from then on.
        (claimed(7), claim("ours"), 0, 10, "wait 2 TokenRateLimited"),
        // Two puts succeeded, or it is from before.
        (claimed(7), claim("theirs"), 0, 0, "wait 12 TokenRateLimited"),
        (claimed(6), claim("ours"), 0, 0, "wait 12 TokenRateLimited"),
    ] {
        let view = view(now, age, None, newest);
        let next = decided(&Need::Any, &view, memory, now, later(now, 0, seen));
        assert_eq!(next, expected, "{age} {seen}");
    }
}

/// The labeled token by its age in seconds, next to the claim of another environment.
#[test]
fn a_token_is_used_if_it_fits_the_need() {
    let now = some_time();
    let successor = |age| Need::Successor(token("present", now, age, true));
    for (need, shared, expected) in [
        (Need::Any, Some(3_569), "use shared"),
        (Need::Any, Some(3_570), "wait 12 TokenRateLimited"),
        // A refresh takes the next token if it is there. It waits for nothing.
        (successor(2_999), Some(0), "use present"),
        (successor(3_000), Some(0), "use shared"),
        (successor(3_000), Some(3_000), "use present"),
    ] {
        let shared_token = shared.map(|age| token("shared", now, age, false));
        let view = view(now, 0, shared_token, claim("theirs"));
        assert_eq!(decided(&need, &view, Memory::default(), now, now), expected, "{shared:?}");
    }
}

/// Zoho rejected the newest token. Whoever requested it finds out whether it stays rejected.
#[test]
fn a_new_token_that_is_rejected_is_left_to_whoever_requested_it_for_a_moment() {
    let now = some_time();
    for (is_own, age, seen, expected) in [
        (false, 9, 0, "wait 12 TokenRateLimited"),
        (false, 10, 0, "claim 8 after 0"),
        // A clock is wrong.
        (false, -3_000, 12, "claim 8 after 0"),
        (true, 0, 0, "claim 8 after 0"),
    ] {
        let rejected = token("rejected", now, age, is_own);
        let view = view(now, age, Some(rejected.clone()), stored_token());
        let need = Need::Replacement(vec![rejected]);
        let next = decided(&need, &view, Memory::default(), now, later(now, 0, seen));
        assert_eq!(next, expected, "{is_own} {age} {seen}");
    }
}

#[test]
fn failures_last_longer_each_time() {
    use ErrorType::{TokenRateLimited, TokenRejected, ZohoUnavailable};
    for (kind, is_claimed, seconds) in [
        (ZohoUnavailable, true, [2, 8, 32, 2_048, 2_700]),
        (TokenRejected, true, [60, 240, 960, 2_700, 2_700]),
        (TokenRateLimited, true, [600, 2_400, 2_700, 2_700, 2_700]),
        (ZohoUnavailable, false, [2, 1_200, 1_200, 2_048, 2_700]),
    ] {
        let lasts = [0, 1, 2, 5, u32::MAX].map(|failures| lasts(kind, failures, is_claimed).as_secs());
        assert_eq!(lasts, seconds, "{kind} {is_claimed}");
    }
}
