//! One situation at a time.

use super::simulate;
use super::world::{Accounts, Instance, World};
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::token::{CachedToken, StoreError, TOKEN_LABEL};
use std::sync::Arc;
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

fn reads(world: &World) -> usize {
    world.state().read_count
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("HTTP 500".into())
}

fn throttled() -> StoreError {
    StoreError::Throttled("HTTP 400 ThrottlingException".into())
}

/// The token that an environment gets within 30 seconds.
async fn token(instance: &Instance) -> Arc<CachedToken> {
    instance.tokens.token(seconds(30)).await.unwrap()
}

/// The error that an environment gets within 30 seconds.
async fn error(instance: &Instance) -> WatchError {
    instance.tokens.token(seconds(30)).await.unwrap_err()
}

async fn check(instance: &Instance) -> Result<(), ErrorType> {
    instance.check(seconds(30)).await.map(|_| ()).map_err(|error| error.kind())
}

#[test]
fn a_late_rejection_does_not_evict_a_newer_token() {
    simulate(1, || async {
        let world = World::new();
        let instance = Instance::start(&world, 0);
        let old = token(&instance).await;
        world.revoke(&old);
        let new = instance.tokens.replace_rejected(&old, seconds(30)).await.unwrap().unwrap();
        let before = reads(&world);
        let again = instance.tokens.replace_rejected(&old, seconds(30)).await.unwrap().unwrap();
        assert_eq!(new.token, again.token);
        assert_eq!(mints(&world), 2);
        assert_eq!(reads(&world), before, "it is still in memory");
    });
}

#[test]
fn environments_whose_token_is_rejected_at_once_request_one_more_between_them() {
    for seed in 0..50 {
        simulate(seed, || async {
            let world = World::new();
            let instances: Vec<_> = (0..20).map(|_| Instance::start(&world, 0)).collect();
            for instance in &instances {
                token(instance).await;
            }
            world.revoke(&token(&instances[0]).await);
            let checks: Vec<_> = instances
                .iter()
                .cloned()
                .map(|instance| tokio::spawn(async move { check(&instance).await }))
                .collect();
            for check in checks {
                assert_eq!(check.await.unwrap(), Ok(()), "seed {seed}");
            }
            assert_eq!(mints(&world), 2, "seed {seed}");
        });
    }
}

#[test]
fn if_zoho_rejects_even_the_new_token_nobody_requests_another() {
    simulate(1, || async {
        let world = World::new();
        let instances: Vec<_> = (0..20).map(|_| Instance::start(&world, 0)).collect();
        check(&instances[0]).await.unwrap();
        world.state().rejects_all = true;
        for instance in &instances {
            assert_eq!(check(instance).await, Err(ErrorType::TokenRejected));
        }
        assert_eq!(mints(&world), 2);
        // The cause is fixed: the token is as good as any.
        world.state().rejects_all = false;
        for instance in &instances {
            check(instance).await.unwrap();
        }
        assert_eq!(mints(&world), 2);
    });
}

#[test]
fn a_report_of_a_rejected_token_takes_a_lease() {
    simulate(1, || async {
        let world = World::new();
        let (reporter, other) = (Instance::start(&world, 0), Instance::start(&world, 0));
        let rejected = token(&reporter).await;
        world.revoke(&rejected);
        // Another environment is requesting the successor: there is nothing to report.
        world.state().mint_takes = 3_000..3_001;
        let replacing = rejected.clone();
        let replaced =
            tokio::spawn(async move { other.tokens.replace_rejected(&replacing, seconds(30)).await });
        pass(1).await;
        let verdict = WatchError::new(ErrorType::TokenRejected, "rejected");
        reporter.tokens.report_rejected(&rejected, &verdict, seconds(30)).await;
        let replacement = replaced.await.unwrap().unwrap().unwrap();
        assert_eq!(token(&Instance::start(&world, 0)).await.token, replacement.token);
    });
}

/// A lease lasts for 12 seconds. The holder wakes up when too little of it is left for a request, or when another
/// environment has taken over and its request is under way.
#[test]
fn a_holder_that_was_frozen_sends_nothing_under_its_old_lease() {
    for frozen in [11, 16] {
        simulate(1, || async {
            let world = World::new();
            world.state().mint_takes = 9_000..9_001;
            let (holder, other) = (Instance::start(&world, 0), Instance::start(&world, 0));
            let holding = holder.clone();
            let held = tokio::spawn(async move { token(&holding).await });
            while world.state().puts.is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
            holder.freeze(Duration::from_secs(frozen));
            let shared = token(&other).await;
            assert_eq!(held.await.unwrap().token, shared.token, "frozen for {frozen} s");
            assert_eq!(mints(&world), 1, "frozen for {frozen} s");
        });
    }
}

#[test]
fn a_token_that_arrives_after_the_deadline_is_not_lost() {
    simulate(1, || async {
        let world = World::new();
        world.state().mint_takes = 5_000..5_001;
        let instance = Instance::start(&world, 0);
        let error = instance.tokens.token(seconds(2)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorType::ZohoUnavailable);
        for part in ["https://accounts.zoho", "outbound network path", "check "] {
            assert!(error.message().contains(part), "{part:?} is not in {error}");
        }
        pass(60).await;
        let token = instance.tokens.token(seconds(2)).await.unwrap();
        assert!(world.accepts(token.token.expose()));
        assert_eq!(mints(&world), 1);
    });
}

#[test]
fn an_environment_that_waits_too_long_names_the_reason_and_requests_nothing() {
    simulate(1, || async {
        let world = World::new();
        world.state().mint_takes = 8_000..8_001;
        let (holder, other) = (Instance::start(&world, 0), Instance::start(&world, 0));
        let minting = tokio::spawn(async move { token(&holder).await });
        pass(1).await;
        let error = other.tokens.token(seconds(3)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorType::TokenRateLimited);
        assert!(error.message().contains("another execution environment"), "{error}");
        minting.await.unwrap();
        assert_eq!(mints(&world), 1);
    });
}

#[test]
fn after_zohos_throttle_response_nobody_asks_again_while_a_shared_token_still_serves() {
    simulate(1, || async {
        let world = World::new();
        world.state().accounts = Accounts::Throttles;
        for _ in 0..20 {
            assert_eq!(error(&Instance::start(&world, 0)).await.kind(), ErrorType::TokenRateLimited);
            pass(25).await;
        }
        assert_eq!(mints(&world), 1);
        // A token from elsewhere serves at once.
        let by_hand = r#"{"access_token": "by-hand", "expires_at": "2027-01-01T00:00:00Z"}"#;
        world.store("by-hand", TOKEN_LABEL, by_hand);
        assert_eq!(token(&Instance::start(&world, 0)).await.token.expose(), "by-hand");
        assert_eq!(mints(&world), 1);
    });
}

#[test]
fn a_transient_failure_of_the_accounts_server_is_waited_out() {
    simulate(1, || async {
        let world = World::new();
        world.state().accounts = Accounts::Fails;
        let repair = world.clone();
        tokio::spawn(async move {
            pass(2).await;
            repair.state().accounts = Accounts::Good;
        });
        token(&Instance::start(&world, 0)).await;
        assert!(mints(&world) <= 3);
    });
}

/// Whatever an invocation waits for, it looks less and less often.
#[test]
fn an_invocation_that_waits_for_half_a_minute_reads_little() {
    simulate(1, || async {
        let world = World::new();
        world.state().accounts = Accounts::Silent;
        let deadline = || Deadline::after(Duration::from_secs(29));
        let instance = Instance::start(&world, 0);
        let error = instance.tokens.token(deadline()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorType::ZohoUnavailable);
        println!("silent accounts server: {} reads, {} requests", reads(&world), mints(&world));
        assert!(reads(&world) <= 40, "{}", reads(&world));

        // The holder of the lease dies again and again, and others wait for it.
        let world = World::new();
        world.state().deadly_mints = 3;
        for _ in 0..3 {
            let dies = Instance::start(&world, 0);
            tokio::spawn(async move { dies.tokens.token(seconds(60)).await });
        }
        pass(1).await;
        let (before, waiter) = (reads(&world), Instance::start(&world, 0));
        let _either = waiter.tokens.token(deadline()).await;
        let of_three = reads(&world) - before;
        println!("waiting for dead environments: {of_three} reads by three environments at most");
        assert!(of_three <= 3 * 45, "{of_three}");
    });
}

#[test]
fn replaced_credentials_are_noticed_within_minutes_while_the_token_can_still_be_used() {
    simulate(1, || async {
        let world = World::new();
        let instance = Instance::start(&world, 0);
        check(&instance).await.unwrap();
        let old = token(&instance).await;
        world.replace_credentials("second");
        let mut checks = 0;
        while token(&instance).await.token == old.token {
            checks += 1;
            assert!(checks <= 11, "after five minutes");
            pass(30).await;
            check(&instance).await.unwrap();
        }
        assert!(checks > 2, "a warm check reads nothing");
        assert!(token(&instance).await.token.expose().starts_with("second"));
        // And back again, as in a rollback: their last token is still good.
        world.replace_credentials("first");
        pass(301).await;
        check(&instance).await.unwrap();
        assert_eq!(token(&instance).await.token, old.token);
        assert_eq!(mints(&world), 2);
    });
}

#[test]
fn credentials_that_are_replaced_by_bad_ones_are_an_error_within_minutes() {
    simulate(1, || async {
        let world = World::new();
        let instance = Instance::start(&world, 0);
        check(&instance).await.unwrap();
        world.replace_credentials("second");
        world.state().accounts = Accounts::Rejects;
        pass(301).await;
        let _notices_beside_the_check = check(&instance).await;
        assert_eq!(check(&instance).await, Err(ErrorType::TokenRejected));
    });
}

#[test]
fn a_rejection_of_credentials_that_were_replaced_meanwhile_is_nobodys_error() {
    simulate(1, || async {
        let world = World::new();
        world.state().accounts = Accounts::Rejects;
        world.state().mint_takes = 1_000..1_001;
        let operator = world.clone();
        tokio::spawn(async move {
            while mints(&operator) == 0 {
                sleep(Duration::from_millis(10)).await;
            }
            operator.replace_credentials("second");
            pass(1).await;
            operator.state().accounts = Accounts::Good;
        });
        assert!(token(&Instance::start(&world, 0)).await.token.expose().starts_with("second"));
    });
}

#[test]
fn garbage_under_the_label_is_followed_by_a_token() {
    for garbage in ["", "garbage", "{}", r#"{"access_token": 1, "expires_at": 1}"#] {
        simulate(1, || async {
            let world = World::new();
            world.store("by-hand", TOKEN_LABEL, garbage);
            let token = token(&Instance::start(&world, 0)).await;
            assert_eq!(world.shared_token().as_deref(), Some(token.token.expose()));
            assert_eq!(mints(&world), 1);
        });
    }
}

#[test]
fn a_label_that_was_removed_by_hand_costs_no_token() {
    simulate(1, || async {
        let world = World::new();
        let first = token(&Instance::start(&world, 0)).await;
        world.remove_label(TOKEN_LABEL);
        assert_eq!(token(&Instance::start(&world, 0)).await.token, first.token);
        assert_eq!(mints(&world), 1);
        // The next token brings the label back.
        pass(3_600).await;
        let next = token(&Instance::start(&world, 0)).await;
        assert_eq!(world.shared_token().as_deref(), Some(next.token.expose()));
        assert_eq!(mints(&world), 2);
    });
}

#[test]
fn while_secrets_manager_is_down_a_warm_environment_goes_on_and_a_cold_one_names_the_reason() {
    simulate(1, || async {
        let world = World::new();
        let warm = Instance::start(&world, 0);
        check(&warm).await.unwrap();
        world.state().reads = Some(unavailable());
        world.state().writes = Some(unavailable());
        for _ in 0..30 {
            pass(240).await;
            check(&warm).await.unwrap();
        }
        assert_eq!(mints(&world), 3, "in two hours");
        assert_eq!(error(&Instance::start(&world, 0)).await.kind(), ErrorType::SecretUnavailable);
    });
}

/// Nobody requests a token without a lease because Secrets Manager is slow, and nobody blames Zoho for it.
#[test]
fn a_throttled_or_stalled_secret_is_an_error_of_the_secret() {
    type Change = fn(&World);
    let changes: [(&str, Change); 3] = [
        ("throttled reads", |world| world.state().reads = Some(throttled())),
        ("throttled writes", |world| world.state().writes = Some(throttled())),
        ("stalled writes", |world| world.state().stalled_writes = true),
    ];
    for (name, change) in changes {
        simulate(1, || async {
            let world = World::new();
            change(&world);
            for _ in 0..3 {
                let error = Instance::start(&world, 0).tokens.token(seconds(3)).await.unwrap_err();
                assert_eq!(error.kind(), ErrorType::SecretUnavailable, "{name}: {error}");
                let is_unanswered = name == "stalled writes";
                assert_eq!(
                    error.message().contains("a VPC endpoint for secretsmanager"),
                    is_unanswered,
                    "{error}"
                );
            }
            // What cannot be written at all for a long time is another matter: the check goes on without sharing.
            assert!(mints(&world) == 0 || name == "stalled writes", "{name}");
        });
    }
}

#[test]
fn a_lost_response_to_a_write_leaves_time_for_the_check_even_in_a_short_invocation() {
    simulate(1, || async {
        let world = World::new();
        world.state().lost_writes = 1;
        world.state().mint_takes = 200..300;
        let instance = Instance::start(&world, 0);
        instance.check(seconds(3)).await.unwrap();
        assert_eq!(mints(&world), 1);
    });
}

#[test]
fn a_secret_that_is_throttled_for_a_moment_makes_an_acquisition_wait() {
    simulate(1, || async {
        let world = World::new();
        let instance = Instance::start(&world, 0);
        let acquisition = tokio::spawn(async move { token(&instance).await });
        while reads(&world) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        world.state().reads = Some(throttled());
        pass(2).await;
        assert_eq!(mints(&world), 0);
        world.state().reads = None;
        let token = acquisition.await.unwrap();
        assert_eq!(world.shared_token().as_deref(), Some(token.token.expose()));
    });
}

#[test]
fn a_refresh_that_fails_leaves_the_token_in_use_and_asks_less_and_less_often() {
    simulate(1, || async {
        let world = World::new();
        let instance = Instance::start(&world, 0);
        check(&instance).await.unwrap();
        world.state().accounts = Accounts::Fails;
        for _ in 0..340 {
            pass(10).await;
            check(&instance).await.unwrap();
        }
        assert!((3..=12).contains(&mints(&world)), "{}", mints(&world));
        world.state().accounts = Accounts::Good;
        for _ in 0..100 {
            pass(20).await;
            let _during_the_cooldown = check(&instance).await;
        }
        check(&instance).await.unwrap();
    });
}

#[test]
fn a_static_token_is_read_again_only_when_it_is_rejected() {
    simulate(1, || async {
        let world = World::new();
        world.store("static", "AWSCURRENT", "1000.static.token");
        let instance = Instance::start(&world, 0);
        let token = token(&instance).await;
        pass(100_000).await;
        instance.tokens.refresh_if_due(seconds(30)).await;
        // The label is read at the same time, before it is known that nobody needs it.
        assert_eq!(reads(&world), 2);
        assert!(instance.tokens.replace_rejected(&token, seconds(30)).await.unwrap().is_none());
        assert_eq!(reads(&world), 3);
        assert_eq!(mints(&world), 0);
    });
}

#[test]
fn a_role_that_may_only_read_the_credentials_is_enough() {
    simulate(1, || async {
        let world = World::new();
        world.state().label_reads = Some(StoreError::Denied("AccessDeniedException".into()));
        for _ in 0..3 {
            check(&Instance::start(&world, 0)).await.unwrap();
        }
        assert_eq!((mints(&world), world.state().puts.len()), (3, 0));
    });
}

#[test]
fn a_short_lifetime_does_not_make_every_invocation_request_a_token() {
    simulate(1, || async {
        let world = World::new();
        world.state().expires_in = 1;
        let instance = Instance::start(&world, 0);
        for _ in 0..60 {
            check(&instance).await.unwrap();
            check(&Instance::start(&world, 0)).await.unwrap();
            pass(10).await;
        }
        assert!(mints(&world) <= 12, "{} in ten minutes", mints(&world));
    });
}

#[test]
fn a_failure_does_not_outlast_its_cooldown_because_a_clock_was_wrong() {
    for skew in [86_400, -86_400] {
        simulate(1, || async {
            let world = World::new();
            world.state().accounts = Accounts::Rejects;
            let (ours, theirs) = (Instance::start(&world, skew), Instance::start(&world, skew));
            assert_eq!(error(&ours).await.kind(), ErrorType::TokenRejected);
            assert_eq!(error(&theirs).await.kind(), ErrorType::TokenRejected);
            for instance in [&ours, &theirs] {
                instance.set_skew(0);
            }
            world.state().accounts = Accounts::Good;
            pass(125).await;
            token(&ours).await;
            token(&theirs).await;
        });
    }
}

#[test]
fn a_planted_token_is_sent_to_zoho_only_and_not_for_longer_than_a_day() {
    for host in ["https://169.254.169.254", "https://evil.example", "http://127.0.0.1:8600"] {
        simulate(1, || async {
            let world = World::new();
            let planted = format!(
                r#"{{"access_token": "planted", "api_domain": "{host}", "expires_at": "9999-12-31T23:59:59Z"}}"#
            );
            world.store("planted", TOKEN_LABEL, &planted);
            let instance = Instance::start(&world, 0);
            assert_eq!(token(&instance).await.token.expose(), "planted");
            pass(86_000).await;
            assert_eq!(token(&Instance::start(&world, 0)).await.token.expose(), "planted");
            // Zoho rejects it.
            check(&instance).await.unwrap();
            assert!(world.state().hosts.iter().all(|host| host == "https://www.zohoapis.com"), "{host}");
            world.store("planted", TOKEN_LABEL, &planted);
            pass(90_000).await;
            assert_ne!(token(&Instance::start(&world, 0)).await.token.expose(), "planted");
        });
    }
}

/// Recordings of Secrets Manager show that this does not happen. If it did, nobody should have to guess.
#[test]
fn if_a_put_moved_the_label_of_the_credentials_sharing_would_stop() {
    simulate(1, || async {
        let world = World::new();
        world.state().moves_current = true;
        let instance = Instance::start(&world, 0);
        check(&instance).await.unwrap();
        let puts = world.state().puts.len();
        assert_eq!(puts, 1, "the first put shows it");
        let error = error(&Instance::start(&world, 0)).await;
        assert_eq!(error.kind(), ErrorType::SecretInvalid);
        assert!(error.message().contains("update-secret-version-stage"), "{error}");
        // The operator moves it back. Whatever moved it is still there.
        world.replace_credentials("first");
        for _ in 0..10 {
            pass(600).await;
            check(&instance).await.unwrap();
        }
        assert_eq!(world.state().puts.len(), puts);
    });
}
