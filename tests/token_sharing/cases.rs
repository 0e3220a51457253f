//! One situation at a time.

use super::simulate;
use super::world::{Accounts, Environment, World};
use mass_change_owner_status::error::ErrorType;
use mass_change_owner_status::http::Origin;
use mass_change_owner_status::token::{LEASE_LABEL, Sharing, StoreError, TOKEN_LABEL};
use mass_change_owner_status::zoho::ZohoSettings;
use std::time::Duration;
use tokio::time::sleep;

const API: &str = "https://www.zohoapis.com";
const ACCOUNTS: &str = "https://accounts.zoho.com";
const OTHER_ACCOUNTS: &str = "https://accounts.zoho.eu";
const OTHER_API: &str = "https://sandbox.zohoapis.com";

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

async fn check(environment: &Environment) -> Result<(), ErrorType> {
    environment.check().await.map(|_| ()).map_err(|error| error.kind())
}

/// Checks by all of them at once.
async fn check_all(environments: &[Environment]) -> Vec<Result<(), ErrorType>> {
    let checks: Vec<_> = environments
        .iter()
        .cloned()
        .map(|environment| tokio::spawn(async move { check(&environment).await }))
        .collect();
    let mut results = Vec::new();
    for check in checks {
        results.push(check.await.unwrap());
    }
    results
}

fn start(world: &World, count: usize) -> Vec<Environment> {
    (0..count).map(|_| Environment::start(world)).collect()
}

/// Another user of the same secret, with another accounts server or another API host.
fn other_user(world: &World, accounts: Option<&str>, api: Option<&str>) -> Environment {
    let origin = |text: &str| Origin::parse(text).unwrap();
    let (accounts_domain, api_domain) = (accounts.map(origin), api.map(origin));
    let settings = ZohoSettings { accounts_domain, api_domain, ..ZohoSettings::default() };
    Environment::with(world, Sharing::ReadWrite, settings)
}

#[test]
fn a_token_that_is_rejected_everywhere_is_replaced_once() {
    for seed in 0..50 {
        simulate(seed, || async {
            let world = World::new();
            let environments = start(&world, 25);
            check_all(&environments).await;
            world.revoke(&environments[0].token(1).await.unwrap());
            pass(60).await;
            assert_eq!(check_all(&environments).await, [Ok(()); 25], "seed {seed}");
            assert_eq!(world.request_count(), 2, "seed {seed}");
        });
    }
}

#[test]
fn a_token_that_is_not_known_everywhere_yet_costs_no_second_one() {
    for seed in 0..20 {
        simulate(seed, || async {
            let world = World::with(|state| state.spreading = Duration::from_millis(1_900));
            assert_eq!(check_all(&start(&world, 25)).await, [Ok(()); 25], "seed {seed}");
            assert_eq!(world.request_count(), 1, "seed {seed}");
        });
    }
}

#[test]
fn if_zoho_rejects_even_a_new_token_nobody_requests_another_until_it_ends() {
    for seed in 0..10 {
        simulate(seed, || async {
            let world = World::with(|state| state.rejecting.push(API));
            let environments = start(&world, 25);
            for _ in 0..10 {
                let results = check_all(&environments).await;
                assert_eq!(results, [Err(ErrorType::TokenRejected); 25], "seed {seed}");
                assert_eq!(check(&Environment::start(&world)).await, Err(ErrorType::TokenRejected));
                pass(60).await;
            }
            assert_eq!(world.request_count(), 2, "seed {seed}");
            // The cause is fixed: the token is as good as any.
            world.state().rejecting.clear();
            assert_eq!(check_all(&environments).await, [Ok(()); 25], "seed {seed}");
            assert_eq!(world.request_count(), 2, "seed {seed}");
        });
    }
}

#[test]
fn a_shared_token_that_is_rejected_too_is_no_reason_to_give_up() {
    simulate(1, || async {
        let world = World::new();
        let environments = start(&world, 2);
        check_all(&environments).await;
        for environment in environments.iter().rev() {
            pass(60).await;
            let mut token = environments[1].token(1).await.unwrap();
            world.revoke(&token);
            assert_eq!(check(environment).await, Ok(()));
            token = environments[1].token(1).await.unwrap();
            world.revoke(&token);
        }
        assert_eq!(check(&environments[0]).await, Ok(()));
        assert_eq!(check(&Environment::start(&world)).await, Ok(()));
        assert!(world.request_count() <= 5, "{}", world.request_count());
    });
}

#[test]
fn another_user_of_the_secret_decides_nothing() {
    for (accounts, api, rejecting) in
        [(Some(OTHER_ACCOUNTS), None, OTHER_ACCOUNTS), (None, Some(OTHER_API), OTHER_API)]
    {
        simulate(1, || async {
            let world = World::with(|state| state.rejecting.push(rejecting));
            for round in 0..60 {
                assert_eq!(check(&other_user(&world, accounts, api)).await, Err(ErrorType::TokenRejected));
                // A new environment at every check, and rejected tokens now and then.
                let ours = Environment::start(&world);
                assert_eq!(check(&ours).await, Ok(()), "round {round}");
                if round % 20 == 0 {
                    world.revoke(&ours.token(1).await.unwrap());
                    assert_eq!(check(&Environment::start(&world)).await, Ok(()), "round {round}");
                }
                pass(120).await;
            }
            println!("{rejecting}: {} requests, {} versions", world.request_count(), world.worst_day());
            assert!(world.request_count() <= 20, "{rejecting}: {}", world.request_count());
        });
    }
}

#[test]
fn two_users_that_both_fail_are_bounded_each_by_its_own_failures() {
    simulate(1, || async {
        let world = World::with(|state| state.rejecting = vec![OTHER_ACCOUNTS, ACCOUNTS]);
        for _ in 0..60 {
            let other = other_user(&world, Some(OTHER_ACCOUNTS), None);
            assert_eq!(check(&other).await, Err(ErrorType::TokenRejected));
            assert_eq!(check(&Environment::start(&world)).await, Err(ErrorType::TokenRejected));
            pass(60).await;
        }
        assert!(world.request_count() <= 8, "{}", world.request_count());
    });
}

#[test]
fn new_credentials_end_every_failure_and_are_noticed_within_minutes() {
    simulate(1, || async {
        let world = World::with(|state| state.accounts = Accounts::Rejects);
        let environment = Environment::start(&world);
        assert_eq!(check(&environment).await, Err(ErrorType::TokenRejected));
        world.state().accounts = Accounts::Good;
        assert_eq!(check(&environment).await, Err(ErrorType::TokenRejected), "the failure is not over");
        world.operator_puts("second").unwrap();
        assert_eq!(check(&environment).await, Ok(()));
        world.operator_puts("third").unwrap();
        let mut checks = 0;
        while !environment.token(1).await.unwrap().token.expose().starts_with("third") {
            checks += 1;
            assert!(checks <= 11, "after five minutes");
            pass(30).await;
            check(&environment).await.unwrap();
        }
        assert!(checks > 2, "a warm check reads nothing");
        // As in a rollback: the last token of these credentials is still good.
        world.operator_puts("second").unwrap();
        assert!(Environment::start(&world).token(10).await.unwrap().token.expose().starts_with("second"));
        assert_eq!(world.request_count(), 3);
    });
}

#[test]
fn a_rejection_of_credentials_that_were_replaced_meanwhile_is_nobodys_error() {
    simulate(1, || async {
        let world = World::with(|state| state.rejecting.push("first"));
        let operator = world.clone();
        tokio::spawn(async move {
            while operator.request_count() == 0 {
                sleep(Duration::from_millis(10)).await;
            }
            operator.operator_puts("second").unwrap();
        });
        let token = Environment::start(&world).token(10).await.unwrap();
        assert!(token.token.expose().starts_with("second"));
    });
}

#[test]
fn a_failure_of_the_accounts_server_for_a_moment_is_waited_out() {
    simulate(1, || async {
        let world = World::with(|state| state.accounts = Accounts::Fails);
        let repair = world.clone();
        tokio::spawn(async move {
            pass(2).await;
            repair.state().accounts = Accounts::Good;
        });
        assert!(Environment::start(&world).token(10).await.is_ok());
        assert_eq!(world.request_count(), 2);
    });
}

#[test]
fn an_invocation_whose_time_runs_out_names_the_reason_and_loses_no_token() {
    simulate(1, || async {
        let world = World::with(|state| state.accounts = Accounts::Silent);
        let environments = start(&world, 2);
        let holder = environments[0].clone();
        let holding = tokio::spawn(async move { holder.token(3).await });
        pass(1).await;
        let waiting = environments[1].token(3).await.unwrap_err();
        assert_eq!(waiting.kind(), ErrorType::TokenRateLimited);
        assert!(waiting.message().contains("another execution environment"), "{waiting}");
        let error = holding.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorType::ZohoUnavailable);
        assert!(error.message().contains("accounts.zoho.com"), "{error}");
        // The claim is over after 12 seconds, whatever became of its holder.
        world.state().accounts = Accounts::Good;
        assert!(environments[1].token(20).await.is_ok());
    });
}

#[test]
fn while_secrets_manager_is_down_a_warm_environment_goes_on_and_a_cold_one_names_the_reason() {
    simulate(1, || async {
        let world = World::new();
        let warm = Environment::start(&world);
        check(&warm).await.unwrap();
        let down = StoreError::Unavailable("HTTP 500".into());
        (world.state().reads, world.state().puts) = (Some(down.clone()), Some(down));
        for _ in 0..30 {
            pass(240).await;
            assert_eq!(check(&warm).await, Ok(()));
        }
        assert_eq!(world.request_count(), 3, "in two hours");
        assert_eq!(check(&Environment::start(&world)).await, Err(ErrorType::SecretUnavailable));
    });
}

#[test]
fn a_throttled_secret_is_an_error_of_the_secret_and_costs_no_token() {
    for reads in [true, false] {
        simulate(1, || async {
            let throttled = Some(StoreError::Throttled("HTTP 400 ThrottlingException".into()));
            let world = World::with(|state| {
                if reads {
                    state.reads = throttled;
                } else {
                    state.puts = throttled;
                }
            });
            assert_eq!(check_all(&start(&world, 3)).await, [Err(ErrorType::SecretUnavailable); 3]);
            assert_eq!(world.request_count(), 0);
            (world.state().reads, world.state().puts) = (None, None);
            assert_eq!(check(&Environment::start(&world)).await, Ok(()));
        });
    }
}

#[test]
fn a_program_that_only_reads_stores_neither_a_token_nor_a_failure() {
    simulate(1, || async {
        let world = World::new();
        let program = || Environment::with(&world, Sharing::ReadOnly, ZohoSettings::default());
        let first = program();
        for _ in 0..2 {
            assert_eq!(check(&first).await, Ok(()));
            assert_eq!((world.request_count(), world.written()), (1, 0));
        }
        assert_eq!(check(&Environment::start(&world)).await, Ok(()));
        assert_eq!(check(&program()).await, Ok(()));
        assert_eq!((world.request_count(), world.written()), (2, 2), "it uses the shared token");
        // Neither a token nor a failure.
        for rejecting in [API, ACCOUNTS] {
            world.state().rejecting.push(rejecting);
            assert_eq!(check(&program()).await, Err(ErrorType::TokenRejected));
        }
        assert_eq!(world.written(), 2);
    });
}

#[test]
fn labels_that_were_moved_by_hand_cost_no_token() {
    simulate(1, || async {
        let world = World::new();
        check(&Environment::start(&world)).await.unwrap();
        world.store(
            "by-hand",
            TOKEN_LABEL,
            r#"{"access_token":"by-hand","expires_at":"2030-01-01T00:00:00Z"}"#,
        );
        assert_eq!(check(&Environment::start(&world)).await, Ok(()));
        assert_eq!(world.request_count(), 1);
        world.store("by-hand", LEASE_LABEL, "garbage");
        pass(3_600).await;
        assert_eq!(check(&Environment::start(&world)).await, Ok(()));
        assert_eq!(world.request_count(), 2);
    });
}
