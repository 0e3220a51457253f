//! The schedule of a watch: whether it is the one that an invocation is about, and how it follows the job's pace.

use crate::json::{self, Fields};
use crate::timestamp::Timestamp;
use crate::watch::ids::Location;
use crate::watch::report::{Report, seconds_between};
use crate::watch::request::{Ask, Request};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// What EventBridge Scheduler says about a schedule, as far as it decides something here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// `CreationDate`.
    pub created_at: Option<Timestamp>,
    /// Whether `State` is `ENABLED`.
    pub is_enabled: bool,
    /// `ScheduleExpression`.
    pub expression: String,
    /// `Target.Arn`.
    pub target: String,
    /// `Target.Input`.
    pub input: String,
    /// `EndDate`.
    pub end: Option<Timestamp>,
}

/// What an update of a schedule replaces, besides `FlexibleTimeWindow`, which becomes `OFF`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleUpdate {
    /// `StartDate`: when the next check is.
    pub start: Timestamp,
    /// `ScheduleExpression`: the rate at which the schedule recurs if no further update arrives.
    pub expression: String,
    /// `Input`, with the report of this check in it.
    pub input: String,
}

/// The shortest wait of a schedule, in seconds.
const SHORTEST_WAIT: u64 = 60;
/// How far a schedule's next check may lie past the watch's limit, in seconds.
const PAST_LIMIT: i64 = 60;
/// A schedule fires for at least so long before its `EndDate`, in seconds.
const BEFORE_END: i64 = 1_800;

impl Schedule {
    /// Whether this is the schedule of the watch that the request is about: its input names the same job and, where both
    /// have one, the same start. A schedule's name can be used again.
    pub fn is_of(&self, delivered: &Request, now: Timestamp, here: &Location) -> bool {
        let input = if self.input.is_empty() { "{}" } else { &self.input };
        let own = Request::parse(input, now, here);
        let began = own.history.began.zip(delivered.history.began);
        own.job() == delivered.job() && began.is_none_or(|(ours, theirs)| ours == theirs)
    }

    /// How the schedule follows the pace of the job after a check that found it unfinished. `delivered` is the request
    /// as it came, `function_arn` the name under which the function was invoked.
    /// The error is why the schedule is left alone.
    pub fn update(
        &self,
        delivered: &Request,
        report: &Report,
        now: Timestamp,
        function_arn: &str,
        watch_limit_seconds: u64,
    ) -> Result<ScheduleUpdate, &'static str> {
        if !self.is_enabled {
            return Err("it is disabled");
        }
        if !self.expression.trim_start().starts_with("rate(") {
            return Err("its expression is not a rate");
        }
        if unqualified(&self.target) != unqualified(function_arn) {
            return Err("its target is not this function");
        }
        let fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&self.input).map_err(|_| "its Input is not a JSON object")?;
        let own = Request::parse(&self.input, now, &Location::default());
        if fields.get("adapt").is_none_or(|adapt| adapt.get() != "true") {
            return Err("its Input does not have \"adapt\": true");
        }
        let is_same = own.job() == delivered.job() && matches!(delivered.ask, Ask::Check(_));
        if !is_same || own.history.began != delivered.history.began {
            return Err("its Input names another watch");
        }
        if own.history.checks > delivered.history.checks {
            return Err("a newer invocation has updated it");
        }
        // The start stays the same if this clock is behind, and is the creation if that could not be read before the check.
        let unnamed = self.created_at.unwrap_or(report.began);
        let began = delivered.history.began.map_or(unnamed, |began| began.max(report.began));
        let report = &Report { began, ..report.clone() };
        let wait = report.next_check_seconds().ok_or("the watch is over")?.max(SHORTEST_WAIT);
        let limit = i64::try_from(watch_limit_seconds).unwrap_or(i64::MAX);
        let latest = report.began.plus_seconds(limit.saturating_add(PAST_LIMIT));
        let start = now.plus_seconds(i64::try_from(wait).unwrap_or(i64::MAX)).min(latest);
        if self.end.is_some_and(|end| start > end.plus_seconds(BEFORE_END.saturating_neg())) {
            return Err("its EndDate is too near");
        }
        let minutes = seconds_between(now, start).div_ceil(60).clamp(5, 15);
        let input = with_report(fields, report).ok_or("its Input cannot be written")?;
        Ok(ScheduleUpdate { start, expression: format!("rate({minutes} minutes)"), input })
    }
}

/// The input with what the next check needs to know. All other fields stay as they are.
fn with_report(mut fields: BTreeMap<String, Box<RawValue>>, report: &Report) -> Option<String> {
    const KEYS: [&str; 9] = [
        "status", "total_count", "updated_count", "not_updated_count", "failed_count", "checks", "first_checked_at",
        "checked_at", "last_progress_at",
    ];
    let text = serde_json::to_string(report).ok()?;
    let known = Fields::of(json::parse(&text)?, &KEYS)?;
    for key in KEYS {
        match known.get_nullable(key) {
            Some(value) => fields.insert(key.to_owned(), to_raw_value(value).ok()?),
            None => fields.remove(key),
        };
    }
    serde_json::to_string(&fields).ok()
}

/// The ARN of a function without a version or an alias.
fn unqualified(arn: &str) -> &str {
    match arn.match_indices(':').nth(6) {
        Some((end, _)) => arn.get(..end).unwrap_or(arn),
        None => arn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{FUNCTION, LIMITS, at, job, of, request, with};
    use serde_json::{Value, json};

    fn input(extra: &Value) -> Value {
        let input = json!({"module": "leads", "adapt": true, "schedule_arn": "<aws.scheduler.schedule-arn>",
            "first_checked_at": "2026-11-23T10:00:00Z", "checks": 3, "note": 7});
        with(&of(&input), extra)
    }

    fn schedule(input: &Value) -> Schedule {
        Schedule {
            created_at: Some(at("09:59:00")),
            is_enabled: true,
            expression: "rate(5 minutes)".into(),
            target: FUNCTION.into(),
            input: input.to_string(),
            end: Some(at("+12:00:00")),
        }
    }

    /// The update after a check at this time, which is the time of the request, too.
    fn update(schedule: &Schedule, delivered: &Value, now: &str) -> Result<ScheduleUpdate, &'static str> {
        // Scheduler replaces the context attribute.
        let delivered = with(delivered, &json!({"schedule_arn": null})).to_string();
        let request = Request::parse(&delivered, at(now), &Location::default());
        let job = job("RUNNING", [Some(1_000), Some(100), None, None]);
        let report = Report::of_check(&request, &job, at(now), &LIMITS);
        schedule.update(&request, &report, at(now), &format!("{FUNCTION}:live"), LIMITS.watch_limit_seconds)
    }

    #[test]
    fn a_schedule_is_left_alone_unless_it_is_the_one_that_adapts() {
        let good = || schedule(&input(&json!({})));
        let of = |extra| schedule(&input(&extra));
        let text = json!(input(&json!({})).to_string()).to_string();
        for (case, schedule, is_updated) in [
            ("as it is", good(), true),
            ("an older count", of(json!({"checks": 2})), true),
            ("no end", Schedule { end: None, ..good() }, true),
            ("a version as the target", Schedule { target: format!("{FUNCTION}:7"), ..good() }, true),
            ("disabled", Schedule { is_enabled: false, ..good() }, false),
            ("a time", Schedule { expression: "at(2026-11-23T12:00:00)".into(), ..good() }, false),
            ("another function", Schedule { target: format!("{FUNCTION}-2"), ..good() }, false),
            ("no object", Schedule { input: "[]".into(), ..good() }, false),
            ("text", Schedule { input: text, ..good() }, false),
            ("no input", Schedule { input: String::new(), ..good() }, false),
            ("adapts no more", of(json!({"adapt": false})), false),
            ("another module", of(json!({"module": "Deals"})), false),
            ("another job", of(json!({"job_id": "2"})), false),
            ("another start", of(json!({"first_checked_at": "2026-11-23T10:00:01Z"})), false),
            ("no start", of(json!({"first_checked_at": null})), false),
            ("a newer invocation", of(json!({"checks": 4})), false),
            ("an end that is near", Schedule { end: Some(at("11:30:00")), ..good() }, false),
        ] {
            let updated = update(&schedule, &input(&json!({})), "11:00:00");
            assert_eq!(updated.is_ok(), is_updated, "{case}: {updated:?}");
        }
    }

    #[test]
    fn the_next_check_is_when_the_report_says() {
        for (began, now, start, rate) in [
            // 10 s are too short for a schedule.
            ("11:00:00", "11:00:00", "11:01:00", 5),
            // A tenth of an hour and 10 minutes.
            ("09:50:00", "11:00:00", "11:07:00", 7),
            ("01:00:00", "11:00:00", "11:15:00", 15),
            // A minute past the limit at most.
            ("11:00:00", "+10:59:00", "+11:01:00", 5),
        ] {
            let input = input(&json!({"first_checked_at": at(began)}));
            let updated = update(&schedule(&input), &input, now).unwrap();
            let expected = (at(start), format!("rate({rate} minutes)"));
            assert_eq!((updated.start, updated.expression), expected, "{began} {now}");
        }
    }

    #[test]
    fn the_input_carries_the_report() {
        let unread = json!({"note": ["odd", 7], "last_progress_at": "x"});
        let new = json!({"checks": 4, "checked_at": "2026-11-23T11:00:00Z", "status": "RUNNING",
            "total_count": 1000, "updated_count": 100, "not_updated_count": null, "failed_count": null});
        // Without a start, it is the creation, although nobody could read it before the check. A start that is later by
        // another clock stays.
        for (start, expected) in [
            (json!("2026-11-23T10:00:00Z"), "2026-11-23T10:00:00Z"),
            (json!(null), "2026-11-23T09:59:00Z"),
            (json!("2026-11-23T11:00:05Z"), "2026-11-23T11:00:05Z"),
        ] {
            let input = with(&input(&unread), &json!({"first_checked_at": start}));
            let mut expected = with(&with(&input, &new), &json!({"first_checked_at": expected}));
            expected.as_object_mut().unwrap().remove("last_progress_at");
            let updated = update(&schedule(&input), &input, "11:00:00").unwrap();
            assert_eq!(serde_json::from_str::<Value>(&updated.input).unwrap(), expected);
        }
        // What nobody reads stays as it was written.
        let odd = input(&json!({})).to_string().replace("\"note\":7", r#""note":[1e400,"\ud800"]"#);
        let odd = Schedule { input: odd, ..schedule(&json!({})) };
        let updated = update(&odd, &input(&json!({})), "11:00:00").unwrap();
        assert!(updated.input.contains(r#"[1e400,"\ud800"]"#), "{}", updated.input);
    }

    #[test]
    fn a_schedule_is_known_by_its_watch_and_not_by_its_name() {
        let delivered = |extra: Value| with(&input(&json!({"schedule_arn": null})), &extra);
        let invalid = |job_id| json!({"module": "a b", "job_id": job_id});
        for (case, input, delivered, expected) in [
            ("the same", input(&json!({})), delivered(json!({})), true),
            ("as text", json!(input(&json!({})).to_string()), delivered(json!({})), true),
            ("no start here", input(&json!({"first_checked_at": null})), delivered(json!({})), true),
            ("no start there", input(&json!({})), delivered(json!({"first_checked_at": null})), true),
            ("another start", input(&json!({"first_checked_at": at("09:00:00")})), delivered(json!({})), false),
            ("another job", input(&json!({"job_id": "2"})), delivered(json!({})), false),
            ("another module", input(&json!({"module": "Deals"})), delivered(json!({})), false),
            ("both invalid", invalid("x"), invalid("x"), true),
            ("otherwise invalid", invalid("x"), invalid("y"), false),
            ("both missing", json!({}), json!({"adapt": true}), true),
            ("no object", json!(7), json!({}), true),
        ] {
            let is_of = schedule(&input).is_of(&request(&delivered), at("11:00:00"), &Location::default());
            assert_eq!(is_of, expected, "{case}");
        }
        let empty = Schedule { input: String::new(), ..Schedule::default() };
        assert!(empty.is_of(&request(&json!({})), at("11:00:00"), &Location::default()));
    }
}
