//! One situation at a time.

use super::{GOOD, Process, always, pass, simulate};
use crate::world::{State, World};
use mass_change_owner_status::error::ErrorType;
use mass_change_owner_status::http::Origin;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{LEASE_LABEL, Sharing, TOKEN_LABEL};
use mass_change_owner_status::zoho::ZohoSettings;

const OTHER_ACCOUNTS: &str = "https://accounts.zoho.com";
const OTHER_API: &str = "https://sandbox.zohoapis.eu";
const REJECTED: Result<(), ErrorType> = Err(ErrorType::TokenRejected);

/// A check in a new process.
async fn check(world: &World) -> Result<(), ErrorType> {
    Process::start(world).check().await
}

/// Checks by all of them at once.
async fn check_all(processes: &[Process]) -> Vec<Result<(), ErrorType>> {
    let start = |process: &Process| {
        let process = process.clone();
        tokio::spawn(async move { process.check().await })
    };
    let mut results = Vec::new();
    for check in processes.iter().map(start).collect::<Vec<_>>() {
        results.push(check.await.unwrap());
    }
    results
}

fn start(world: &World, count: usize) -> Vec<Process> {
    (0..count).map(|_| Process::start(world)).collect()
}

/// Zoho's API rejects the token that this process has.
async fn revoke(process: &Process) {
    let token = process.token(1).await.unwrap();
    process.environment.world.state().zoho.revoke(token.token.expose());
}

/// Another user of the same secret, with another accounts server or another API host.
fn other_user(world: &World, accounts: Option<&str>, api: Option<&str>) -> Process {
    let origin = |text: &str| Origin::parse(text).unwrap();
    let (accounts_domain, api_domain) = (accounts.map(origin), api.map(origin));
    let settings = ZohoSettings { accounts_domain, api_domain, ..ZohoSettings::default() };
    Process::with(world, 0, Sharing::ReadWrite, settings)
}

#[test]
fn a_token_that_is_rejected_everywhere_is_replaced_once() {
    for seed in 0..50 {
        simulate(seed, GOOD, async |world| {
            let processes = start(&world, 25);
            check_all(&processes).await;
            revoke(&processes[0]).await;
            pass(60).await;
            assert_eq!(check_all(&processes).await, [Ok(()); 25], "seed {seed}");
            assert_eq!(world.request_count(), 2, "seed {seed}");
        });
    }
}

#[test]
fn a_token_that_is_not_known_everywhere_yet_costs_no_second_one() {
    for seed in 0..20 {
        let change = |state: &mut State| state.zoho.spreading = 2;
        simulate(seed, change, async |world| {
            assert_eq!(check_all(&start(&world, 25)).await, [Ok(()); 25], "seed {seed}");
            assert_eq!(world.request_count(), 1, "seed {seed}");
        });
    }
}

#[test]
fn if_zoho_rejects_even_a_new_token_nobody_requests_another_until_it_ends() {
    for seed in 0..10 {
        simulate(seed, always("crm", "401"), async |world| {
            let processes = start(&world, 25);
            for _ in 0..10 {
                assert_eq!(check_all(&processes).await, [REJECTED; 25], "seed {seed}");
                assert_eq!(check(&world).await, REJECTED);
                pass(60).await;
            }
            assert_eq!(world.request_count(), 2, "seed {seed}");
            // The cause is fixed: the token is as good as any.
            world.state().faults = Default::default();
            assert_eq!(check_all(&processes).await, [Ok(()); 25], "seed {seed}");
            assert_eq!(world.request_count(), 2, "seed {seed}");
        });
    }
}

#[test]
fn a_shared_token_that_is_rejected_too_is_no_reason_to_give_up() {
    simulate(1, GOOD, async |world| {
        let processes = start(&world, 2);
        check_all(&processes).await;
        for process in processes.iter().rev() {
            pass(60).await;
            revoke(&processes[1]).await;
            assert_eq!(process.check().await, Ok(()));
            revoke(&processes[1]).await;
        }
        assert_eq!([processes[0].check().await, check(&world).await], [Ok(()); 2]);
        assert!(world.request_count() <= 5, "{}", world.request_count());
    });
}

#[test]
fn another_user_of_the_secret_decides_nothing() {
    for (accounts, api, own_fault) in
        [(Some(OTHER_ACCOUNTS), None, None), (None, Some(OTHER_API), None), (Some(OTHER_ACCOUNTS), None, Some("401"))]
    {
        let change = |state: &mut State| state.zoho.foreign = vec![OTHER_ACCOUNTS, OTHER_API];
        simulate(1, change, async |world| {
            let own = if own_fault.is_some() { REJECTED } else { Ok(()) };
            own_fault.into_iter().for_each(|fault| world.state().faults.add("accounts", fault, 1.0));
            for round in 0..60 {
                assert_eq!(other_user(&world, accounts, api).check().await, REJECTED);
                // A new environment at every check, and rejected tokens now and then.
                let ours = Process::start(&world);
                assert_eq!(ours.check().await, own, "round {round}");
                if round % 20 == 0 && own.is_ok() {
                    revoke(&ours).await;
                    assert_eq!(check(&world).await, Ok(()), "round {round}");
                }
                pass(120).await;
            }
            // Failures of both last longer each time.
            assert!(world.request_count() <= 20, "{api:?} {own:?}: {}", world.request_count());
        });
    }
}

#[test]
fn new_credentials_end_every_failure_and_are_noticed_within_minutes() {
    simulate(1, always("accounts", "401"), async |world| {
        let process = Process::start(&world);
        assert_eq!(process.check().await, REJECTED);
        world.state().faults = Default::default();
        assert_eq!(process.check().await, REJECTED, "the failure is not over");
        world.operator_puts("second");
        assert_eq!(process.check().await, Ok(()));
        let second = process.token(1).await.unwrap();
        world.operator_puts("third");
        let mut checks = 0;
        while process.token(1).await.unwrap().token == second.token {
            checks += 1;
            assert!(checks <= 11, "after five minutes");
            pass(30).await;
            process.check().await.unwrap();
        }
        assert!(checks > 2, "a warm check reads nothing");
        // As in a rollback: the last token of these credentials is still good.
        world.operator_puts("second");
        assert_eq!(Process::start(&world).token(10).await.unwrap().token, second.token);
        assert_eq!(world.request_count(), 3);
    });
}

#[test]
fn what_is_repaired_meanwhile_is_nobodys_error() {
    for fault in ["401", "503"] {
        simulate(1, always("accounts", fault), async |world| {
            let operator = world.clone();
            tokio::spawn(async move {
                while operator.request_count() == 0 {
                    operator.pause(5..10).await;
                }
                if fault == "401" {
                    operator.operator_puts("second");
                }
                operator.state().faults = Default::default();
            });
            assert!(Process::start(&world).token(10).await.is_ok(), "{fault}");
            assert_eq!(world.request_count(), 2, "{fault}");
        });
    }
}

#[test]
fn an_invocation_whose_time_runs_out_names_the_reason_and_loses_no_token() {
    simulate(1, always("accounts", "late"), async |world| {
        let processes = start(&world, 2);
        let holder = processes[0].clone();
        let holding = tokio::spawn(async move { holder.token(3).await });
        pass(1).await;
        let waiting = processes[1].token(3).await.unwrap_err();
        assert_eq!(waiting.kind(), ErrorType::TokenRateLimited);
        assert!(waiting.message().contains("another execution environment"), "{waiting}");
        let error = holding.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorType::ZohoUnavailable);
        assert!(error.message().contains("accounts.zoho.eu"), "{error}");
        // The claim is over after 12 seconds, whatever became of its holder.
        world.state().faults = Default::default();
        assert!(processes[1].token(20).await.is_ok());
    });
}

#[test]
fn while_secrets_manager_is_down_a_warm_environment_goes_on_and_a_cold_one_names_the_reason() {
    simulate(1, GOOD, async |world| {
        let warm = Process::start(&world);
        warm.check().await.unwrap();
        world.state().faults.add("secret", "503", 1.0);
        for _ in 0..30 {
            pass(240).await;
            assert_eq!(warm.check().await, Ok(()));
        }
        assert_eq!(world.request_count(), 3, "in two hours");
        assert_eq!(check(&world).await, Err(ErrorType::SecretUnavailable));
    });
}

#[test]
fn a_throttled_secret_is_an_error_of_the_secret_and_costs_no_token() {
    for service in ["read", "put"] {
        simulate(1, always(service, "429"), async |world| {
            assert_eq!(check_all(&start(&world, 3)).await, [Err(ErrorType::SecretUnavailable); 3]);
            assert_eq!(world.request_count(), 0);
            world.state().faults = Default::default();
            assert_eq!(check(&world).await, Ok(()));
        });
    }
}

#[test]
fn a_program_that_only_reads_stores_neither_a_token_nor_a_failure() {
    simulate(1, GOOD, async |world| {
        let program = || Process::with(&world, 0, Sharing::ReadOnly, ZohoSettings::default());
        let first = program();
        for _ in 0..2 {
            assert_eq!(first.check().await, Ok(()));
            assert_eq!((world.request_count(), world.written()), (1, 0));
        }
        assert_eq!([check(&world).await, program().check().await], [Ok(()); 2]);
        assert_eq!((world.request_count(), world.written()), (2, 2), "it uses the shared token");
        world.state().faults.add("crm", "401", 1.0);
        assert_eq!(program().check().await, REJECTED);
        world.state().faults.add("accounts", "401", 1.0);
        assert_eq!(program().check().await, REJECTED);
        assert_eq!(world.written(), 2);
    });
}

#[test]
fn labels_that_were_moved_by_hand_cost_no_token() {
    simulate(1, GOOD, async |world| {
        check(&world).await.unwrap();
        let by_hand = r#"{"access_token":"by-hand","expires_at":"2030-01-01T00:00:00Z"}"#;
        for (label, text, requests) in [(TOKEN_LABEL, by_hand, 1), (LEASE_LABEL, "garbage", 2)] {
            let created = Timestamp::from_epoch_seconds(0);
            world.state().secrets.store("by-hand", label, text, created);
            assert_eq!(check(&world).await, Ok(()));
            pass(3_600).await;
            assert_eq!((check(&world).await, world.request_count()), (Ok(()), requests + 1));
        }
    });
}
