//! The schedule of a watch: whether it is the one that an invocation is about, and how it follows the job's pace.

use crate::watch::{report::Report, request::Request};
use crate::{arn::Location, timestamp::Timestamp};
use serde_json::value::RawValue;
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

/// An object, whose values stay as they are written.
type JsonFields = BTreeMap<String, Box<RawValue>>;

impl Schedule {
    /// What its input asks for.
    pub fn request(&self, now: Timestamp) -> Request {
        Request::parse(&self.input, now, &Location::default())
    }

    /// Whether its input names the request's job and, where both have one, the same start: a name can be used again.
    pub fn is_of(&self, delivered: &Request, now: Timestamp) -> bool {
        let own = self.request(now);
        let began = own.history.began.zip(delivered.history.began);
        own.job() == delivered.job() && began.is_none_or(|(ours, theirs)| ours == theirs)
    }

    /// How the schedule follows the pace of an unfinished job, or why it is left alone. `delivered` is the request as it
    /// came, `function_arn` the name under which the function was invoked.
    pub fn update(
        &self,
        delivered: &Request,
        report: &Report,
        now: Timestamp,
        function_arn: &str,
        watch_limit_seconds: u64,
    ) -> Result<ScheduleUpdate, &'static str> {
        let fields: JsonFields = serde_json::from_str(&self.input).map_err(|_| "its Input is not a JSON object")?;
        let own = self.request(now);
        let is_same = own.job() == delivered.job() && own.history.began == delivered.history.began;
        // Without a version or an alias.
        let is_target = self.target.split(':').take(7).eq(function_arn.split(':').take(7));
        let is_adapting = fields.get("adapt").is_some_and(|adapt| adapt.get() == "true");
        let conditions = [
            (self.is_enabled, "it is disabled"),
            (self.expression.trim_start().starts_with("rate("), "its expression is not a rate"),
            (is_target, "its target is not this function"),
            (is_adapting, "its Input does not have \"adapt\": true"),
            (is_same, "its Input names another watch"),
            (own.history.checks <= delivered.history.checks, "a newer invocation has updated it"),
        ];
        if let Some((_, reason)) = conditions.into_iter().find(|(holds, _)| !holds) {
            return Err(reason);
        }
        // The start stays the same if this clock is behind, and is the creation if that could not be read before the check.
        let unnamed = self.created_at.unwrap_or(report.began);
        let began = delivered.history.began.map_or(unnamed, |began| began.max(report.began));
        let report = &Report { began, ..report.clone() };
        let seconds = |number| i64::try_from(number).unwrap_or(i64::MAX);
        let wait = report.next_check_seconds().ok_or("the watch is over")?.max(60);
        // A minute past the limit at most.
        let latest = began.plus_seconds(seconds(watch_limit_seconds).saturating_add(60));
        let start = now.plus_seconds(seconds(wait)).min(latest);
        // The half hour before its end is for what is late.
        if self.end.is_some_and(|end| start > end.plus_seconds(-1_800)) {
            return Err("its EndDate is too near");
        }
        let minutes = start.elapsed_since(now).div_ceil(60).clamp(5, 15);
        let input = with_report(fields, report).map_err(|_| "its Input cannot be written")?;
        Ok(ScheduleUpdate { start, expression: format!("rate({minutes} minutes)"), input })
    }
}

/// The input with what the next check needs to know. All other fields stay as they are.
fn with_report(mut fields: JsonFields, report: &Report) -> serde_json::Result<String> {
    let mut known: JsonFields = serde_json::from_str(&serde_json::to_string(report)?)?;
    for key in [
        "status", "total_count", "updated_count", "not_updated_count", "failed_count", "checks", "first_checked_at",
        "checked_at", "last_progress_at",
    ] {
        match known.remove(key) {
            Some(value) => fields.insert(key.to_owned(), value),
            None => fields.remove(key),
        };
    }
    serde_json::to_string(&fields)
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
        let at_a_time = Schedule { expression: "at(2026-11-23T12:00:00)".into(), ..good() };
        for (schedule, expected) in [
            (Schedule { end: None, ..good() }, ""),
            (Schedule { target: format!("{FUNCTION}:7"), ..good() }, ""),
            (Schedule { is_enabled: false, ..good() }, "it is disabled"),
            (at_a_time, "its expression is not a rate"),
            (Schedule { target: format!("{FUNCTION}-2"), ..good() }, "its target is not this function"),
            (Schedule { input: "[]".into(), ..good() }, "its Input is not a JSON object"),
            (of(json!({"adapt": false})), "its Input does not have \"adapt\": true"),
            (of(json!({"job_id": "2"})), "its Input names another watch"),
            (of(json!({"first_checked_at": at("10:00:01")})), "its Input names another watch"),
            (of(json!({"checks": 4})), "a newer invocation has updated it"),
            (Schedule { end: Some(at("11:30:00")), ..good() }, "its EndDate is too near"),
        ] {
            let updated = update(&schedule, &input(&json!({})), "11:00:00");
            assert_eq!(updated.err().unwrap_or_default(), expected, "{schedule:?}");
        }
    }

    #[test]
    fn the_next_check_is_when_the_report_says_and_gets_it() {
        let new = json!({"checks": 4, "checked_at": at("11:00:00"), "status": "RUNNING",
            "total_count": 1000, "updated_count": 100, "not_updated_count": null, "failed_count": null});
        // Without a start, it is the creation. A start that is later by another clock stays.
        for (began, expected, next, rate) in [
            (json!(at("10:00:00")), "10:00:00", "11:06:00", "rate(6 minutes)"),
            (json!(at("01:00:00")), "01:00:00", "11:15:00", "rate(15 minutes)"),
            // 10 s are too short for a schedule.
            (json!(null), "09:59:00", "11:01:00", "rate(5 minutes)"),
            (json!(at("11:00:05")), "11:00:05", "11:01:00", "rate(5 minutes)"),
        ] {
            let input = input(&json!({"first_checked_at": began}));
            let expected = with(&with(&input, &new), &json!({"first_checked_at": at(expected)}));
            // What is out of date goes, and what nobody reads stays as it was written.
            let odd = input.to_string().replace("\"note\":7", r#""note":[1e400,"\ud800"],"last_progress_at":"x""#);
            let odd = Schedule { input: odd, ..schedule(&json!({})) };
            let updated = update(&odd, &input, "11:00:00").unwrap();
            assert_eq!((updated.start, updated.expression.as_str()), (at(next), rate), "{began}");
            let updated = updated.input.replace(r#"[1e400,"\ud800"]"#, "7");
            assert_eq!(serde_json::from_str::<Value>(&updated).unwrap(), expected);
        }
    }

    #[test]
    fn a_schedule_is_known_by_its_watch_and_not_by_its_name() {
        let same = input(&json!({}));
        let but = |extra: Value| with(&same, &extra);
        for (input, delivered, expected) in [
            (json!(same.to_string()), same.clone(), true),
            (but(json!({"first_checked_at": null})), same.clone(), true),
            (same.clone(), but(json!({"first_checked_at": null})), true),
            (same.clone(), but(json!({"first_checked_at": at("09:00:00")})), false),
            (same.clone(), but(json!({"job_id": "2"})), false),
            (but(json!({"job_id": "x"})), but(json!({"job_id": "x"})), true),
            (json!(7), json!({"adapt": true}), true),
        ] {
            let is_of = schedule(&input).is_of(&request(&delivered), at("11:00:00"));
            assert_eq!(is_of, expected, "{input} {delivered}");
        }
        assert!(Schedule::default().is_of(&request(&json!({})), at("11:00:00")));
    }
}
