//! One situation at a time.

use super::{GOOD, check, check_within, fail, pass, simulate, start};
use crate::lambda::Instance;
use crate::world::World;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::token::{CachedToken, LEASE_LABEL, Sharing, TOKEN_LABEL};
use mass_change_owner_status::{deadline::Deadline, http::Origin, timestamp::Timestamp, zoho::ZohoSettings};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const REJECTED: Result<(), ErrorType> = Err(ErrorType::TokenRejected);

/// A check in a new environment.
async fn check_anew(world: &World) -> Result<(), ErrorType> {
    check(&start(world)).await
}

/// Checks by all of them at once.
async fn check_all(processes: &[Arc<Instance>; 25]) -> Vec<Result<(), ErrorType>> {
    let checks = processes.iter().cloned().map(|process| async move { check(&process).await });
    checks.collect::<JoinSet<_>>().join_all().await
}

/// The token that this process has, or gets within so many seconds.
async fn token(process: &Instance, seconds: u64) -> Result<Arc<CachedToken>, WatchError> {
    process.tokens.token(Deadline::after(Duration::from_secs(seconds))).await
}

/// Zoho's API rejects the token that this process has.
async fn revoke(process: &Instance) {
    let token = token(process, 1).await.unwrap();
    process.environment.world.state().zoho.revoke(token.token.expose());
}

#[test]
fn a_rejected_token_is_replaced_once_and_one_that_replaced_it_never() {
    for seed in 0..20 {
        simulate(seed, GOOD, async |world| {
            let processes = [(); 25].map(|()| start(&world));
            check_all(&processes).await;
            revoke(&processes[0]).await;
            pass(60).await;
            assert_eq!(check_all(&processes).await, [Ok(()); 25], "seed {seed}");
            assert_eq!(world.counts().0, 2, "seed {seed}");
            fail("crm", "401", 1.0)(&mut world.state());
            for _ in 0..10 {
                assert_eq!(check_all(&processes).await, [REJECTED; 25], "seed {seed}");
                assert_eq!(check_anew(&world).await, REJECTED);
                pass(60).await;
            }
            // The cause is fixed: the last token is as good as any.
            world.state().faults = Default::default();
            assert_eq!(check_all(&processes).await, [Ok(()); 25], "seed {seed}");
            assert_eq!(world.counts().0, 3, "seed {seed}");
        });
    }
}

#[test]
fn a_shared_token_that_is_rejected_too_is_no_reason_to_give_up() {
    simulate(1, GOOD, async |world| {
        let processes = [(); 2].map(|()| start(&world));
        for process in processes.iter().rev() {
            assert_eq!(check(process).await, Ok(()));
            pass(60).await;
            revoke(&processes[1]).await;
            assert_eq!(check(process).await, Ok(()));
            revoke(&processes[1]).await;
        }
        assert_eq!([check(&processes[0]).await, check_anew(&world).await], [Ok(()); 2]);
        assert!(world.counts().0 <= 5, "{}", world.counts().0);
    });
}

/// It has another accounts server or another API host, and its tokens are rejected.
#[test]
fn another_user_of_the_secret_decides_nothing() {
    let host = |name| Some(Origin::parse_host(name).unwrap());
    for (accounts_domain, api_domain, own) in [
        (host("accounts.zoho.com"), None, Ok(())),
        (None, host("sandbox.zohoapis.eu"), Ok(())),
        (host("accounts.zoho.com"), None, REJECTED),
    ] {
        let settings = ZohoSettings { accounts_domain, api_domain, ..ZohoSettings::default() };
        simulate(
            1,
            |state| state.zoho.has_foreign_hosts = true,
            async |world| {
                fail("accounts", "401", if own.is_ok() { 0.0 } else { 1.0 })(&mut world.state());
                for round in 0..60 {
                    let other = Instance::start(&world, Sharing::ReadWrite, settings.clone());
                    assert_eq!(check(&other).await, REJECTED);
                    // A new environment at every check, and rejected tokens now and then.
                    let ours = start(&world);
                    assert_eq!(check(&ours).await, own, "round {round}");
                    if round % 20 == 0 && own.is_ok() {
                        revoke(&ours).await;
                        assert_eq!(check_anew(&world).await, Ok(()), "round {round}");
                    }
                    pass(120).await;
                }
                // Failures of both last longer each time.
                assert!(world.counts().0 <= 20, "{settings:?} {own:?}: {}", world.counts().0);
            },
        );
    }
}

#[test]
fn new_credentials_end_every_failure_and_are_noticed_within_minutes() {
    simulate(1, fail("accounts", "401", 1.0), async |world| {
        let process = start(&world);
        assert_eq!(check(&process).await, REJECTED);
        world.state().faults = Default::default();
        assert_eq!(check(&process).await, REJECTED, "the failure is not over");
        world.operator_puts("second");
        assert_eq!(check(&process).await, Ok(()));
        let second = token(&process, 1).await.unwrap().token.clone();
        world.operator_puts("third");
        let mut checks = 0;
        while token(&process, 1).await.unwrap().token == second {
            checks += 1;
            assert!(checks <= 11, "after five minutes");
            pass(30).await;
            check(&process).await.unwrap();
        }
        assert!(checks > 2, "a warm check reads nothing");
        // As in a rollback: the last token of these credentials is still good.
        world.operator_puts("second");
        assert!(token(&start(&world), 10).await.unwrap().token == second);
        assert_eq!(world.counts().0, 3);
    });
}

#[test]
fn an_invocation_whose_time_runs_out_names_the_reason_and_loses_no_token() {
    simulate(1, fail("accounts", "late", 1.0), async |world| {
        let [holder, other] = [(); 2].map(|()| start(&world));
        let holding = tokio::spawn(async move { token(&holder, 3).await });
        pass(1).await;
        let waiting = token(&other, 3).await.unwrap_err();
        assert!(waiting.kind == ErrorType::TokenRateLimited, "{waiting}");
        assert!(waiting.message.contains("another execution environment"), "{waiting}");
        let error = holding.await.unwrap().unwrap_err();
        assert!(error.kind == ErrorType::ZohoUnavailable && error.message.contains("accounts.zoho.eu"), "{error}");
        // The claim is over after 12 seconds, whatever became of its holder.
        world.state().faults = Default::default();
        assert_eq!(check_within(20, &other).await, Ok(()));
    });
}

#[test]
fn without_secrets_manager_a_warm_environment_goes_on_and_a_cold_one_names_the_reason() {
    simulate(1, GOOD, async |world| {
        let warm = start(&world);
        for _ in 0..31 {
            assert_eq!(check(&warm).await, Ok(()));
            pass(240).await;
            fail("secret", "503", 1.0)(&mut world.state());
        }
        assert_eq!(world.counts().0, 3, "in two hours");
        assert_eq!(check_anew(&world).await, Err(ErrorType::SecretUnavailable));
    });
    // Throttled puts cost no token.
    simulate(1, fail("put", "429", 1.0), async |world| {
        assert_eq!((check_anew(&world).await, world.counts().0), (Err(ErrorType::SecretUnavailable), 0));
    });
}

#[test]
fn a_program_that_only_reads_stores_neither_a_token_nor_a_failure() {
    simulate(1, GOOD, async |world| {
        let program = || Instance::start(&world, Sharing::ReadOnly, ZohoSettings::default());
        let first = program();
        assert_eq!([check(&first).await, check(&first).await], [Ok(()); 2]);
        assert_eq!(world.counts(), (1, 0));
        assert_eq!([check_anew(&world).await, check(&program()).await], [Ok(()); 2]);
        assert_eq!(world.counts(), (2, 2), "it uses the shared token");
        for service in ["crm", "accounts"] {
            fail(service, "401", 1.0)(&mut world.state());
            assert_eq!(check(&program()).await, REJECTED);
        }
        assert_eq!(world.counts().1, 2);
    });
}

#[test]
fn labels_that_were_moved_by_hand_cost_no_token() {
    simulate(1, GOOD, async |world| {
        check_anew(&world).await.unwrap();
        let by_hand = r#"{"access_token":"by-hand","expires_at":"2030-01-01T00:00:00Z"}"#;
        for (label, text, requests) in [(TOKEN_LABEL, by_hand, 1), (LEASE_LABEL, "garbage", 2)] {
            world.state().secrets.store("by-hand", label, text, Timestamp::from_epoch_seconds(0));
            assert_eq!(check_anew(&world).await, Ok(()));
            pass(3_600).await;
            assert_eq!((check_anew(&world).await, world.counts().0), (Ok(()), requests + 1));
        }
    });
}
