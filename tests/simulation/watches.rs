//! Who watches jobs: schedules, state machines, and programs.

use crate::lambda::Lambda;
use crate::ledger::{Publication, Watch};
use crate::scheduler::{self, Schedule};
use crate::world::{World, log_uniform};
use mass_change_owner_status::error::ErrorType;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Starts a watch of this job in some way, and follows it to its end.
pub(crate) async fn watch(lambda: Arc<Lambda>, job: usize, starts_in: u64) {
    let world = lambda.world.clone();
    sleep(Duration::from_secs(starts_in)).await;
    let (number, request) = add_watch(&world, job);
    match world.draw(0..10) {
        0..5 => scheduled(lambda, number, request).await,
        5..9 => executed(lambda, number, request).await,
        _ => looped(lambda, number, request).await,
    }
}

/// A new watch of this job; its number and its request.
fn add_watch(world: &World, job: usize) -> (usize, Value) {
    let state = &mut *world.state();
    state.ledger.watches.push(Watch { job, started: world.elapsed(), ..Watch::default() });
    let job = &state.zoho.jobs[job];
    (state.ledger.watches.len() - 1, json!({"module": job.module, "job_id": job.id, "label": "l"}))
}

/// The state machine. Whatever comes back, it tries again until a report has an outcome, or its timeout is over.
async fn executed(lambda: Arc<Lambda>, watch: usize, mut request: Value) {
    let world = lambda.world.clone();
    // Ten days, or less.
    let short = log_uniform(&mut world.state().rng, 60.0, 86_400.0);
    let gives_up_at = world.elapsed() + if world.chance(0.05) { short } else { 864_000 };
    let (name, mut delay) = (format!("execution-{watch}"), 2_000);
    loop {
        let mut payload = json!({"request": request, "announcement": true, "notify": false, "watch": name});
        if world.elapsed() >= gives_up_at {
            payload["failure"] = json!({"Error": "States.Timeout", "Cause": ""});
            world.state().ledger.watches[watch].is_given_up = true;
        }
        let Ok(report) = lambda.invoke(watch, &payload).await else {
            world.pause(0..delay).await;
            delay = (2 * delay).min(900_000);
            continue;
        };
        delay = 2_000;
        for kind in ["announcement", "notice"].into_iter().filter(|kind| report[kind].is_object()) {
            publish(&world, watch, &report[kind], request["status"].is_string()).await;
        }
        let Some(wait) = report["next_check_seconds"].as_u64() else { break };
        world.sleep_until(gives_up_at.min(world.elapsed() + wait)).await;
        request = report;
    }
    world.state().ledger.watches[watch].is_over = true;
}

/// Publishes until SNS accepts the message.
async fn publish(world: &World, watch: usize, message: &Value, has_worked: bool) {
    let attribute = |name: &str| message["attributes"][name]["StringValue"].as_str().unwrap_or_default();
    let (event_id, outcome) = (attribute("event_id").to_owned(), attribute("outcome").to_owned());
    let (at, body) = (world.elapsed(), message["message"].as_str().unwrap().to_owned());
    while world.fault("sns").is_some() {
        world.pause(0..900_000).await;
    }
    world.publish(&Publication { watch, at, has_worked, event_id, outcome, body });
}

/// A program that passes each report back, has the end published, and gives up on errors that are permanent.
async fn looped(lambda: Arc<Lambda>, watch: usize, mut request: Value) {
    let world = lambda.world.clone();
    let last = world.elapsed() + world.limit;
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
    world.state().ledger.watches[watch].is_over = true;
}

/// How long the name of a schedule that was deleted is not used again, in seconds.
const NAME_IS_FREE_AFTER: u64 = 200;

/// A schedule: most of them adapt, and people change some by hand.
async fn scheduled(lambda: Arc<Lambda>, watch: usize, mut input: Value) {
    let world = lambda.world.clone();
    let limit = world.limit;
    let (created_at, adapts) = (world.elapsed(), world.chance(0.7));
    (input["note"], input["adapt"]) = (json!("kept"), json!(adapts));
    let mut name = format!("watch-{watch}");
    if world.chance(0.7) {
        // Whoever creates it reads the clock first.
        input["first_checked_at"] = json!(World::at(created_at.saturating_sub(world.draw(0..3))));
        let names = &mut world.state().ledger.names_used;
        let free = names.iter().find(|(_, ended_at)| *ended_at + NAME_IS_FREE_AFTER < created_at);
        if let Some(free) = free.map(|(name, _)| name.clone()) {
            names.remove(&free);
            name = free;
        }
    }
    // Some end too early to tell anything.
    let is_short = world.chance(0.1);
    let lasts = match is_short {
        true => world.draw(60..limit),
        false => limit + 3_600 + world.state().faults.outage_seconds() + 7_200,
    };
    world.state().ledger.watches[watch].may_be_lost = is_short;
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
    world.state().schedules.insert(name.clone(), schedule);
    world.trace(|| format!("schedule {name} is created for watch {watch}"));
    if world.chance(0.1) {
        tokio::spawn(edit_by_hand(world.clone(), name.clone(), created_at));
    }
    scheduler::run(lambda, name).await;
}

/// Somebody changes the schedule at some time.
async fn edit_by_hand(world: World, name: String, created_at: u64) {
    let after = log_uniform(&mut world.state().rng, 60.0, 20_000.0).min(world.limit);
    sleep(Duration::from_secs(after)).await;
    let edit = world.draw(0..5);
    let schedule = world.state().schedules.get(&name).cloned();
    let Some(mut schedule) = schedule.filter(|schedule| schedule.created_at == created_at) else { return };
    world.state().schedules.remove(&name);
    world.trace(|| format!("schedule {name} is changed by hand: {edit}"));
    schedule.edited_at = world.elapsed();
    schedule.changed.notify_waiters();
    world.state().ledger.watches[schedule.watch].may_be_lost |= edit > 1;
    match edit {
        0 | 1 => schedule.input["adapt"] = json!(edit == 1),
        2 => schedule.is_enabled = false,
        3 => {
            let job = {
                let state = &mut *world.state();
                state.zoho.start_job(&mut state.rng, world.elapsed())
            };
            (schedule.watch, schedule.input) = add_watch(&world, job);
            (schedule.input["adapt"], schedule.input["first_checked_at"]) = (json!(true), json!(world.now()));
            let added = &mut world.state().ledger.watches[schedule.watch];
            (added.may_be_lost, added.is_over) = (true, true);
        }
        // It is deleted.
        _ => return,
    }
    world.state().schedules.insert(name, schedule);
}
