//! Step Functions, as far as the state machines of this project use it: an interpreter of the definition that ships.

use serde_json::{Map, Value, json};
use std::future::Future;
use std::sync::Arc;

/// What a state machine is connected to.
pub(crate) trait Integrations {
    /// Runs a task: the resource without its partition, and the arguments.
    fn call(&self, resource: &str, arguments: Value) -> impl Future<Output = Result<Value, Failed>> + Send;
    /// Waits.
    fn wait(&self, seconds: f64) -> impl Future<Output = ()> + Send;
    /// A number from 0 to 1.
    fn random(&self) -> f64;
}

/// An error of a task or of an execution.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub error: String,
    pub cause: String,
}

/// An execution of a state machine.
pub(crate) struct Execution<'a, I> {
    definition: &'a Value,
    integrations: &'a I,
    context: Value,
    /// Events in its history so far.
    events: u32,
}

/// Events that the history of an execution can hold.
const MAX_EVENTS: u32 = 25_000;

/// The state machine that ships.
pub(crate) fn definition() -> Arc<Value> {
    Arc::new(serde_json::from_str(include_str!("../../statemachine/watch.asl.json")).unwrap())
}

impl<'a, I: Integrations> Execution<'a, I> {
    pub(crate) fn new(definition: &'a Value, integrations: &'a I, name: &str, input: &Value) -> Self {
        let context = json!({
            "Execution": {"Name": name, "Id": format!("arn:aws:states:eu-west-1:123456789012:execution:watch:{name}"), "Input": input},
            "StateMachine": {"Id": "arn:aws:states:eu-west-1:123456789012:stateMachine:watch"},
            "State": {},
        });
        Self { definition, integrations, context, events: 1 }
    }

    /// Runs it to its end. A mistake in the definition is a panic.
    pub(crate) async fn run(mut self) -> Result<Value, Failed> {
        let mut name = self.definition["StartAt"].as_str().unwrap().to_owned();
        let mut data = self.context["Execution"]["Input"].clone();
        loop {
            let state = self.definition["States"].get(&name).unwrap_or_else(|| panic!("no state {name}"));
            self.events += 2;
            assert!(self.events < MAX_EVENTS, "the history of an execution is full");
            let next = match state["Type"].as_str().unwrap() {
                "Pass" => {
                    let input = self.select(state.get("InputPath"), &data);
                    let result = match (state.get("Parameters"), state.get("Result")) {
                        (Some(parameters), _) => self.template(parameters, &input),
                        (None, Some(result)) => result.clone(),
                        (None, None) => input,
                    };
                    data = place(state.get("ResultPath"), data, result);
                    &state["Next"]
                }
                "Wait" => {
                    let seconds = match state.get("SecondsPath") {
                        Some(path) => self.path(path.as_str().unwrap(), &data),
                        None => Some(state["Seconds"].clone()),
                    };
                    self.integrations.wait(seconds.unwrap().as_f64().unwrap()).await;
                    &state["Next"]
                }
                "Choice" => {
                    let choices = state["Choices"].as_array().unwrap();
                    let choice = choices.iter().find(|choice| self.holds(choice, &data));
                    choice.map_or(&state["Default"], |choice| &choice["Next"])
                }
                "Task" => match self.task(state, &data).await {
                    Ok(result) => {
                        data = place(state.get("ResultPath"), data, result);
                        &state["Next"]
                    }
                    Err(failed) => {
                        let catchers =
                            state.get("Catch").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                        let Some(catcher) = catchers.iter().find(|catcher| matches(catcher, &failed.error))
                        else {
                            return Err(failed);
                        };
                        let caught = json!({"Error": failed.error, "Cause": failed.cause});
                        data = place(catcher.get("ResultPath"), data, caught);
                        name = catcher["Next"].as_str().unwrap().to_owned();
                        continue;
                    }
                },
                "Succeed" => return Ok(self.select(state.get("OutputPath"), &data)),
                "Fail" => {
                    return Err(Failed {
                        error: self.text(state, "Error", &data),
                        cause: self.text(state, "Cause", &data),
                    });
                }
                other => panic!("the interpreter knows no {other} state"),
            };
            data = self.select(state.get("OutputPath"), &data);
            match next {
                Value::String(next) => name.clone_from(next),
                _ if state["End"] == true => return Ok(data),
                _ => panic!("{name} leads nowhere with {data}"),
            }
        }
    }

    async fn task(&mut self, state: &Value, data: &Value) -> Result<Value, Failed> {
        let input = self.select(state.get("InputPath"), data);
        let arguments =
            state.get("Parameters").map_or(input.clone(), |parameters| self.template(parameters, &input));
        let resource = state["Resource"].as_str().unwrap().rsplit(":::").next().unwrap();
        let retriers = state.get("Retry").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut retries = vec![0_u64; retriers.len()];
        loop {
            self.events += 3;
            let failed = match self.integrations.call(resource, arguments.clone()).await {
                Ok(result) => {
                    return Ok(state
                        .get("ResultSelector")
                        .map_or(result.clone(), |selector| self.template(selector, &result)));
                }
                Err(failed) => failed,
            };
            let Some(at) = retriers.iter().position(|retrier| matches(retrier, &failed.error)) else {
                return Err(failed);
            };
            let (retrier, count) = (&retriers[at], &mut retries[at]);
            let number =
                |key: &str, default: f64| retrier.get(key).map_or(default, |value| value.as_f64().unwrap());
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let done = *count as f64;
            if done >= number("MaxAttempts", 3.0) {
                return Err(failed);
            }
            *count += 1;
            let interval = number("IntervalSeconds", 1.0) * number("BackoffRate", 2.0).powf(done);
            let interval = interval.min(number("MaxDelaySeconds", f64::MAX));
            let is_jittered = retrier.get("JitterStrategy").is_some_and(|strategy| strategy == "FULL");
            let jitter = if is_jittered { self.integrations.random() } else { 1.0 };
            self.integrations.wait(interval * jitter).await;
        }
    }

    /// `Error` or `Cause` of a Fail state.
    fn text(&self, state: &Value, key: &str, data: &Value) -> String {
        let text = match state.get(format!("{key}Path")) {
            Some(path) => self.evaluate(path.as_str().unwrap(), data),
            None => state[key].clone(),
        };
        text.as_str().unwrap_or_else(|| panic!("{key} is not text: {text}")).to_owned()
    }

    /// `InputPath` or `OutputPath`.
    fn select(&self, path: Option<&Value>, data: &Value) -> Value {
        path.map_or_else(|| data.clone(), |path| self.evaluate(path.as_str().unwrap(), data))
    }

    /// `Parameters` or `ResultSelector`.
    fn template(&self, template: &Value, data: &Value) -> Value {
        match template {
            Value::Object(fields) => {
                let field = |(key, value): (&String, &Value)| match key.strip_suffix(".$") {
                    Some(key) => (key.to_owned(), self.evaluate(value.as_str().unwrap(), data)),
                    None => (key.clone(), self.template(value, data)),
                };
                Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
            }
            Value::Array(items) => items.iter().map(|item| self.template(item, data)).collect(),
            other => other.clone(),
        }
    }

    /// A path or an intrinsic function. A path to nothing fails an execution for good.
    fn evaluate(&self, expression: &str, data: &Value) -> Value {
        if expression.starts_with('$') {
            return self
                .path(expression, data)
                .unwrap_or_else(|| panic!("{expression} leads to nothing in {data}"));
        }
        let (function, rest) = expression.split_once('(').unwrap();
        let arguments = split_arguments(rest.strip_suffix(')').unwrap());
        let arguments: Vec<Value> = arguments.iter().map(|argument| self.argument(argument, data)).collect();
        intrinsic(function, &arguments)
    }

    fn argument(&self, argument: &str, data: &Value) -> Value {
        match argument.strip_prefix('\'') {
            Some(quoted) => Value::from(quoted.strip_suffix('\'').unwrap()),
            None if argument.starts_with(['$', 'S']) => self.evaluate(argument, data),
            None => serde_json::from_str(argument).unwrap(),
        }
    }

    fn path(&self, path: &str, data: &Value) -> Option<Value> {
        let (root, path) = match path.strip_prefix("$$") {
            Some(path) => (&self.context, path),
            None => (data, path.strip_prefix('$').unwrap()),
        };
        path.split('.').skip(1).try_fold(root, |value, key| value.get(key)).cloned()
    }

    /// Whether a choice's rule holds.
    fn holds(&self, rule: &Value, data: &Value) -> bool {
        let all = |key: &str| {
            rule.get(key).map(|rules| rules.as_array().unwrap().iter().map(|rule| self.holds(rule, data)))
        };
        if let Some(mut rules) = all("And") {
            return rules.all(|holds| holds);
        }
        if let Some(mut rules) = all("Or") {
            return rules.any(|holds| holds);
        }
        if let Some(rule) = rule.get("Not") {
            return !self.holds(rule, data);
        }
        let variable = rule["Variable"].as_str().unwrap();
        let value = self.path(variable, data);
        let (operator, wanted) = rule
            .as_object()
            .unwrap()
            .iter()
            .find(|(key, _)| !matches!(key.as_str(), "Variable" | "Next" | "Comment"))
            .unwrap();
        if operator == "IsPresent" {
            return value.is_some() == wanted.as_bool().unwrap();
        }
        let value = value.unwrap_or_else(|| panic!("{variable} leads to nothing in {data}"));
        let is = |holds: bool| holds == wanted.as_bool().unwrap();
        let numbers = |wanted: &Value| value.as_f64().zip(wanted.as_f64());
        match operator.as_str() {
            "IsNull" => is(value.is_null()),
            "IsString" => is(value.is_string()),
            "IsBoolean" => is(value.is_boolean()),
            "IsNumeric" => is(value.is_number()),
            "StringEquals" | "BooleanEquals" => value == *wanted,
            "StringMatches" => value.as_str().is_some_and(|text| fits(text, wanted.as_str().unwrap())),
            "NumericGreaterThan" => numbers(wanted).is_some_and(|(value, wanted)| value > wanted),
            "NumericGreaterThanEquals" => numbers(wanted).is_some_and(|(value, wanted)| value >= wanted),
            "NumericLessThanEqualsPath" => {
                let wanted = self.evaluate(wanted.as_str().unwrap(), data);
                numbers(&wanted).is_some_and(|(value, wanted)| value <= wanted)
            }
            other => panic!("the interpreter knows no {other}"),
        }
    }
}

/// Whether a retrier or catcher is meant for this error.
fn matches(rule: &Value, error: &str) -> bool {
    let names = rule["ErrorEquals"].as_array().unwrap();
    names.iter().any(|name| name == error || (name == "States.ALL" && error != "States.Runtime"))
}

/// `ResultPath`.
fn place(path: Option<&Value>, mut data: Value, result: Value) -> Value {
    match path {
        None => result,
        Some(Value::Null) => data,
        Some(path) => {
            let keys = path.as_str().unwrap().split('.').skip(1);
            let target = keys.fold(&mut data, |value, key| {
                if !value.is_object() {
                    *value = json!({});
                }
                value.as_object_mut().unwrap().entry(key).or_insert(Value::Null)
            });
            *target = result;
            data
        }
    }
}

/// The arguments of an intrinsic function, at its commas outside of quotes and parentheses.
fn split_arguments(text: &str) -> Vec<String> {
    let (mut arguments, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for c in text.chars() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(c);
    }
    arguments.iter().map(|argument| argument.trim().to_owned()).collect()
}

fn intrinsic(function: &str, arguments: &[Value]) -> Value {
    let text = |at: usize| arguments[at].as_str().unwrap_or_else(|| panic!("{function} of {arguments:?}"));
    match function {
        "States.Format" => {
            let written = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut values = arguments[1..].iter().map(written);
            let parts: Vec<String> = text(0).split("{}").map(str::to_owned).collect();
            let (last, parts) = parts.split_last().unwrap();
            let filled: String =
                parts.iter().map(|part| format!("{part}{}", values.next().unwrap())).collect();
            Value::from(filled + last)
        }
        "States.StringToJson" => serde_json::from_str(text(0)).unwrap(),
        "States.JsonToString" => Value::from(arguments[0].to_string()),
        "States.MathAdd" => json!(arguments[0].as_i64().unwrap() + arguments[1].as_i64().unwrap()),
        "States.Hash" => Value::from(format!(
            "{:016x}",
            text(0)
                .bytes()
                .fold(7_u64, |hash, byte| { hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte) })
        )),
        "States.ArrayGetItem" => {
            arguments[0][usize::try_from(arguments[1].as_u64().unwrap()).unwrap()].clone()
        }
        "States.StringSplit" => {
            text(0).split(|c| text(1).contains(c)).filter(|part| !part.is_empty()).collect()
        }
        "States.JsonMerge" => {
            let mut merged = arguments[0].as_object().unwrap().clone();
            merged.extend(arguments[1].as_object().unwrap().clone());
            Value::Object(merged)
        }
        other => panic!("the interpreter knows no {other}"),
    }
}

/// `StringMatches`, with `*` for anything.
fn fits(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| fits(&text[at..], rest))
        }),
    }
}
