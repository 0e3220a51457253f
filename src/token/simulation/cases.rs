//! One situation at a time.

use super::simulate;
use super::world::{Copy, World, Zoho};
use crate::deadline::Deadline;
use crate::error::ErrorType;
use crate::token::lease::{Queue, Turn};
use crate::token::record::Position;
use crate::token::{StoreError, TOKEN_LABEL};
use std::time::Duration;
use tokio::time::sleep;

fn seconds(seconds: u64) -> Deadline {
    Deadline::after(Duration::from_secs(seconds))
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

fn mints(world: &World) -> usize {
    world.state().mint_requests.len()
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("HTTP 500".into())
}

fn throttled() -> StoreError {
    StoreError::Throttled("HTTP 400 ThrottlingException".into())
}

#[test]
fn a_late_refusal_does_not_evict_a_newer_token() {
    simulate(1, || async {
        let world = World::new();
        let copy = Copy::start(&world, 0);
        let old = copy.tokens.token(seconds(30)).await.unwrap();
        world.revoke(&old);
        let new = copy.tokens.replace(&old, seconds(30)).await.unwrap().unwrap();
        let reads = world.state().read_count;
        let again = copy.tokens.replace(&old, seconds(30)).await.unwrap().unwrap();
        assert_eq!(new.token, again.token);
        assert_eq!(mints(&world), 2);
        assert_eq!(world.state().read_count, reads, "it is still in memory");
    });
}

#[test]
fn copies_whose_token_is_refused_at_once_mint_one_more_between_them() {
    for seed in 0..50 {
        simulate(seed, || async {
            let world = World::new();
            let copies: Vec<_> = (0..20).map(|_| Copy::start(&world, 0)).collect();
            for copy in &copies {
                copy.tokens.token(seconds(30)).await.unwrap();
            }
            world.revoke(&copies[0].tokens.token(seconds(30)).await.unwrap());
            let checks: Vec<_> = copies
                .iter()
                .cloned()
                .map(|copy| tokio::spawn(async move { copy.check(seconds(30)).await }))
                .collect();
            for check in checks {
                assert!(world.accepts(&check.await.unwrap().unwrap()), "seed {seed}");
            }
            assert_eq!(mints(&world), 2, "seed {seed}");
        });
    }
}

#[test]
fn where_even_the_new_token_is_refused_nobody_mints_another() {
    simulate(1, || async {
        let world = World::new();
        let copies: Vec<_> = (0..20).map(|_| Copy::start(&world, 0)).collect();
        copies[0].check(seconds(30)).await.unwrap();
        world.state().refuses_all = true;
        for copy in &copies {
            assert_eq!(copy.check(seconds(30)).await.unwrap_err().kind(), ErrorType::TokenRejected);
        }
        assert_eq!(mints(&world), 2);
        // What was amiss is mended: the token is as good as any.
        world.state().refuses_all = false;
        for copy in &copies {
            copy.check(seconds(30)).await.unwrap();
        }
        assert_eq!(mints(&world), 2);
    });
}

#[test]
fn a_token_that_comes_after_the_calls_deadline_is_not_lost() {
    simulate(1, || async {
        let world = World::new();
        world.state().mint_takes = 5_000..5_001;
        let copy = Copy::start(&world, 0);
        let error = copy.tokens.token(seconds(2)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorType::ZohoUnavailable);
        pass(60).await;
        assert!(world.accepts(&copy.tokens.token(seconds(2)).await.unwrap()));
        assert_eq!(mints(&world), 1);
    });
}

#[test]
fn a_copy_that_waits_in_vain_says_so_and_does_not_mint() {
    simulate(1, || async {
        let world = World::new();
        world.state().mint_takes = 8_000..8_001;
        let (holder, other) = (Copy::start(&world, 0), Copy::start(&world, 0));
        let minting = tokio::spawn(async move { holder.tokens.token(seconds(30)).await });
        pass(1).await;
        let error = other.tokens.token(seconds(3)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorType::TokenRateLimited);
        minting.await.unwrap().unwrap();
        assert_eq!(mints(&world), 1);
    });
}

#[test]
fn zohos_throttle_answer_quiets_every_copy_while_a_shared_token_serves() {
    simulate(1, || async {
        let world = World::new();
        world.state().zoho = Zoho::Throttles;
        for _ in 0..20 {
            let error = Copy::start(&world, 0).tokens.token(seconds(30)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorType::TokenRateLimited);
            pass(25).await;
        }
        assert_eq!(mints(&world), 1);
        // A token from elsewhere serves at once.
        world.store(
            "by-hand",
            TOKEN_LABEL,
            r#"{"access_token": "by-hand", "expires_at": "2027-01-01T00:00:00Z"}"#,
        );
        let live = Copy::start(&world, 0).tokens.token(seconds(30)).await.unwrap();
        assert_eq!(live.token.expose(), "by-hand");
        assert_eq!(mints(&world), 1);
    });
}

#[test]
fn a_passing_fault_of_the_accounts_server_is_sat_out() {
    simulate(1, || async {
        let world = World::new();
        world.state().zoho = Zoho::Fails;
        let mending = world.clone();
        tokio::spawn(async move {
            pass(2).await;
            mending.state().zoho = Zoho::Good;
        });
        Copy::start(&world, 0).tokens.token(seconds(30)).await.unwrap();
        assert!(mints(&world) <= 3);
    });
}

#[test]
fn replaced_credentials_are_noticed_within_minutes_by_a_copy_whose_token_lives() {
    simulate(1, || async {
        let world = World::new();
        let copy = Copy::start(&world, 0);
        let old = copy.check(seconds(30)).await.unwrap();
        world.replace_credentials("second");
        let mut checks = 0;
        while copy.check(seconds(30)).await.unwrap().token == old.token {
            checks += 1;
            assert!(checks <= 11, "after five minutes");
            pass(30).await;
        }
        assert!(checks > 2, "a warm check reads nothing");
        // And back again, as in a rollback.
        world.replace_credentials("first");
        pass(301).await;
        copy.check(seconds(30)).await.unwrap();
        let back = copy.check(seconds(30)).await.unwrap();
        assert!(back.token.expose().starts_with("first") && back.token != old.token, "{back:?}");
    });
}

#[test]
fn credentials_that_are_replaced_by_bad_ones_are_an_error_within_minutes() {
    simulate(1, || async {
        let world = World::new();
        let copy = Copy::start(&world, 0);
        copy.check(seconds(30)).await.unwrap();
        world.replace_credentials("second");
        world.state().zoho = Zoho::Rejects;
        pass(301).await;
        let _beside_the_check = copy.check(seconds(30)).await;
        assert_eq!(copy.check(seconds(30)).await.unwrap_err().kind(), ErrorType::TokenRejected);
    });
}

#[test]
fn a_refusal_of_credentials_that_were_replaced_meanwhile_is_nobodys_error() {
    simulate(1, || async {
        let world = World::new();
        world.state().zoho = Zoho::Rejects;
        world.state().mint_takes = 1_000..1_001;
        let mending = world.clone();
        tokio::spawn(async move {
            while mints(&mending) == 0 {
                sleep(Duration::from_millis(10)).await;
            }
            mending.replace_credentials("second");
            pass(1).await;
            mending.state().zoho = Zoho::Good;
        });
        let live = Copy::start(&world, 0).tokens.token(seconds(30)).await.unwrap();
        assert!(live.token.expose().starts_with("second"));
    });
}

#[test]
fn garbage_under_the_label_is_followed_by_a_token() {
    for garbage in ["", "garbage", "{}", r#"{"access_token": 1, "expires_at": 1}"#] {
        simulate(1, || async {
            let world = World::new();
            world.store("by-hand", TOKEN_LABEL, garbage);
            let live = Copy::start(&world, 0).tokens.token(seconds(30)).await.unwrap();
            assert_eq!(world.shared_token().as_deref(), Some(live.token.expose()));
            assert_eq!(mints(&world), 1);
        });
    }
}

#[test]
fn a_label_that_was_removed_by_hand_costs_no_token() {
    simulate(1, || async {
        let world = World::new();
        let live = Copy::start(&world, 0).tokens.token(seconds(30)).await.unwrap();
        world.remove_label(TOKEN_LABEL);
        assert_eq!(Copy::start(&world, 0).tokens.token(seconds(30)).await.unwrap().token, live.token);
        assert_eq!(mints(&world), 1);
        // The next one brings the label back.
        pass(3_600).await;
        let next = Copy::start(&world, 0).tokens.token(seconds(30)).await.unwrap();
        assert_eq!(world.shared_token().as_deref(), Some(next.token.expose()));
        assert_eq!(mints(&world), 2);
    });
}

#[test]
fn while_secrets_manager_is_down_a_warm_copy_goes_on_and_a_cold_one_says_so() {
    simulate(1, || async {
        let world = World::new();
        let warm = Copy::start(&world, 0);
        warm.check(seconds(30)).await.unwrap();
        world.state().reads = Some(unavailable());
        world.state().writes = Some(unavailable());
        for _ in 0..30 {
            pass(240).await;
            warm.check(seconds(30)).await.unwrap();
        }
        assert_eq!(mints(&world), 3, "two hours");
        let cold = Copy::start(&world, 0).tokens.token(seconds(30)).await;
        assert_eq!(cold.unwrap_err().kind(), ErrorType::SecretUnavailable);
    });
}

#[test]
fn a_throttled_secret_makes_nobody_mint() {
    simulate(1, || async {
        let world = World::new();
        let warm = Copy::start(&world, 0);
        warm.check(seconds(30)).await.unwrap();
        pass(3_600).await;
        world.state().reads = Some(throttled());
        for copy in [warm.clone(), Copy::start(&world, 0)] {
            let error = copy.tokens.token(seconds(30)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorType::SecretUnavailable);
        }
        world.state().reads = None;
        world.state().writes = Some(throttled());
        let error = warm.tokens.token(seconds(30)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorType::TokenRateLimited);
        assert_eq!(mints(&world), 1);
    });
}

#[test]
fn a_secret_that_is_throttled_during_a_search_makes_it_wait() {
    simulate(1, || async {
        let world = World::new();
        let copy = Copy::start(&world, 0);
        let search = tokio::spawn(async move { copy.tokens.token(seconds(30)).await });
        while world.state().read_count == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        world.state().reads = Some(throttled());
        pass(5).await;
        assert_eq!(mints(&world), 0);
        world.state().reads = None;
        let live = search.await.unwrap().unwrap();
        assert_eq!(world.shared_token().as_deref(), Some(live.token.expose()));
    });
}

#[test]
fn a_lease_is_no_good_for_a_place_that_has_its_token() {
    simulate(1, || async {
        let world = World::new();
        let wire = Copy::start(&world, 0).wire;
        let place = Position { credentials: "c".into(), follows: String::new() };
        world.store(&place.token_id(), TOKEN_LABEL, "a token that was put since this copy looked");
        let turn = Queue::default().line_up(&wire, &place, world.now(), Duration::from_secs(12)).await;
        assert!(matches!(turn, Turn::Wait), "{turn:?}");
    });
}

#[test]
fn a_lease_whose_put_was_done_but_not_answered_is_held() {
    simulate(1, || async {
        let world = World::new();
        world.state().lost_answers = 1.0;
        let wire = Copy::start(&world, 0).wire;
        let place = Position { credentials: "c".into(), follows: String::new() };
        let turn = Queue::default().line_up(&wire, &place, world.now(), Duration::from_secs(12)).await;
        assert!(matches!(turn, Turn::Mint { attempt: Some(0), .. }), "{turn:?}");
    });
}

#[test]
fn a_refresh_that_fails_leaves_the_token_in_use_and_asks_less_and_less_often() {
    simulate(1, || async {
        let world = World::new();
        let copy = Copy::start(&world, 0);
        copy.check(seconds(30)).await.unwrap();
        world.state().zoho = Zoho::Fails;
        for _ in 0..340 {
            pass(10).await;
            copy.check(seconds(30)).await.unwrap();
        }
        assert!((3..=12).contains(&mints(&world)), "{}", mints(&world));
        world.state().zoho = Zoho::Good;
        for _ in 0..60 {
            pass(20).await;
            let _during_the_quiet = copy.check(seconds(30)).await;
        }
        copy.check(seconds(30)).await.unwrap();
    });
}

#[test]
fn a_static_token_is_read_once_and_again_when_it_is_refused() {
    simulate(1, || async {
        let world = World::new();
        world.store("static", "AWSCURRENT", "static-token");
        let copy = Copy::start(&world, 0);
        let live = copy.tokens.token(seconds(30)).await.unwrap();
        pass(100_000).await;
        copy.tokens.refresh(seconds(30)).await;
        assert_eq!(world.state().read_count, 1);
        assert!(copy.tokens.replace(&live, seconds(30)).await.unwrap().is_none());
        assert_eq!(world.state().read_count, 2);
        assert_eq!(mints(&world), 0);
    });
}
