//! Who watches jobs: schedules, state machines, and programs.

use crate::lambda::Lambda;
use crate::ledger::Watch;
use crate::scheduler::{self, Schedule};
use crate::world::{World, chance, log_uniform, pause};
use mass_change_owner_status::error::ErrorType;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Starts a watch of this job in some way, and follows it to its end.
pub(crate) async fn watch(lambda: Arc<Lambda>, job: usize, starts_in: u64) {
    sleep(Duration::from_secs(starts_in)).await;
    let (number, request) = add_watch(&lambda.world, job);
    match fastrand::u32(0..10) {
        0..7 => return scheduled(lambda, number, request).await,
        7..9 => executed(&lambda, number, request).await,
        _ => looped(&lambda, number, request).await,
    }
    lambda.world.state().ledger.watches[number].is_over = true;
}

fn add_watch(world: &World, job: usize) -> (usize, Value) {
    let state = &mut *world.state();
    state.ledger.watches.push(Watch { job, started: world.elapsed(), ..Watch::default() });
    let mut request = state.zoho.jobs[job].request();
    request["label"] = json!("l");
    (state.ledger.watches.len() - 1, request)
}

/// The state machine. Whatever comes back, it tries again until a report has an outcome, or its timeout is over.
async fn executed(lambda: &Lambda, watch: usize, mut request: Value) {
    let world = &lambda.world;
    // Ten days, or less.
    let gives_up_at = world.elapsed() + if chance(0.05) { log_uniform(60, 86_400) } else { 864_000 };
    let (name, mut delay) = (format!("execution-{watch}"), 2_000);
    loop {
        let mut payload = json!({"request": request, "announcement": true, "notify": false, "watch": name});
        if world.elapsed() >= gives_up_at {
            payload["failure"] = json!({"Error": "States.Timeout", "Cause": ""});
            world.state().ledger.watches[watch].is_given_up = true;
        }
        let Ok(report) = lambda.invoke(watch, &payload).await else {
            pause(0..delay).await;
            delay = (2 * delay).min(900_000);
            continue;
        };
        delay = 2_000;
        let composed_at = world.elapsed();
        for message in ["announcement", "notice"].map(|kind| &report[kind]).into_iter().filter(|it| it.is_object()) {
            while world.fault("sns").is_some() {
                pause(0..900_000).await;
            }
            world.publish(watch, composed_at, request["status"].is_string(), message);
        }
        let Some(wait) = report["next_check_seconds"].as_u64() else { break };
        world.sleep_until(gives_up_at.min(world.elapsed() + wait)).await;
        request = report;
    }
}

/// A program that passes each report back, has the end published, and gives up on errors that are permanent.
async fn looped(lambda: &Lambda, watch: usize, mut request: Value) {
    let world = &lambda.world;
    let last = world.elapsed() + world.limits.watch_limit_seconds;
    loop {
        request["notify"] = json!(true);
        let seconds = match lambda.invoke(watch, &request).await {
            Ok(report) => {
                request = report;
                request["next_check_seconds"].as_u64()
            }
            Err(error) => {
                let is_permanent = ErrorType::from_name(&error).is_some_and(|kind| !kind.is_retryable());
                let gives_up = is_permanent || world.elapsed() > last;
                // Whoever runs the program sees the error.
                world.state().ledger.watches[watch].is_given_up = gives_up;
                (!gives_up).then_some(60)
            }
        };
        let Some(seconds) = seconds else { break };
        sleep(Duration::from_secs(seconds)).await;
    }
}

/// How long the name of a schedule that was deleted is not used again, in seconds.
const NAME_IS_FREE_AFTER: u64 = 200;

/// A schedule: most of them adapt, and people change some by hand.
async fn scheduled(lambda: Arc<Lambda>, watch: usize, mut input: Value) {
    let world = lambda.world.clone();
    let (limit, created_at, adapts) = (world.limits.watch_limit_seconds, world.elapsed(), chance(0.72));
    (input["note"], input["adapt"]) = (json!("kept"), json!(adapts));
    let mut name = format!("watch-{watch}");
    // Some end too early to tell anything.
    let is_short = chance(0.1);
    let lasts = match is_short {
        true => fastrand::u64(60..limit),
        false => limit + 3_600 + world.state().faults.outage_seconds() + 7_200,
    };
    {
        let state = &mut *world.state();
        let names = &mut state.ledger.names_used;
        if chance(0.7) {
            // Whoever creates it reads the clock first.
            input["first_checked_at"] = json!(World::at(created_at.saturating_sub(fastrand::u64(0..3))));
            name = names
                .extract_if(.., |_, ended| *ended + NAME_IS_FREE_AFTER < created_at)
                .next()
                .map_or(name, |it| it.0);
        }
        state.ledger.watches[watch].may_be_lost = is_short;
        let schedule = Schedule {
            watch,
            created_at,
            edited_at: created_at,
            is_enabled: true,
            input,
            start: created_at,
            every: if adapts { 300 } else { (limit / 40).clamp(60, 900) / 60 * 60 },
            end: created_at + lasts,
            changed: Arc::default(),
        };
        state.schedules.insert(name.clone(), schedule);
    }
    if chance(0.1) {
        tokio::spawn(edit_by_hand(world, name.clone(), created_at));
    }
    scheduler::run(lambda, name).await;
}

async fn edit_by_hand(world: World, name: String, created_at: u64) {
    sleep(Duration::from_secs(log_uniform(60, 20_000).min(world.limits.watch_limit_seconds))).await;
    let found = world.state().schedules.get(&name).filter(|found| found.created_at == created_at).cloned();
    let (Some(mut schedule), edit) = (found, fastrand::u32(0..5)) else { return };
    world.trace(|| format!("schedule {name} is changed by hand: {edit}"));
    schedule.edited_at = world.elapsed();
    schedule.changed.notify_waiters();
    world.state().ledger.watches[schedule.watch].may_be_lost |= edit > 1;
    match edit {
        0 | 1 => schedule.input["adapt"] = json!(edit == 1),
        2 => schedule.is_enabled = false,
        3 => {
            let job = world.state().zoho.start_job(world.elapsed());
            (schedule.watch, schedule.input) = add_watch(&world, job);
            (schedule.input["adapt"], schedule.input["first_checked_at"]) = (json!(true), json!(world.now()));
            let added = &mut world.state().ledger.watches[schedule.watch];
            (added.may_be_lost, added.is_over) = (true, true);
        }
        _ => {
            world.state().schedules.remove(&name);
            return;
        }
    }
    world.state().schedules.insert(name, schedule);
}
