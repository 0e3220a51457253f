//! Logs to standard output, under Lambda's own log controls.

use crate::environment::Environment;
use crate::timestamp::Timestamp;
use std::fmt;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as output};

/// `LOG_LEVEL`, or `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT`, as Lambda sets them.
///
/// Lambda drops lines above its own level, the metrics among them: the template leaves that open and sets `LOG_LEVEL`.
///
/// The level is for this function's own lines. Libraries stay at INFO and above, whatever it says: at DEBUG and TRACE
/// HTTP clients and SDKs print headers and bodies, and with them tokens.
pub fn init(environment: &Environment) {
    let level = ["LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL"].into_iter().find_map(|name| environment.get(name));
    let level = level.map_or(LevelFilter::INFO, parse_level);
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        // They warn of variables that they cannot use, and quote the values: a secret may be there by mistake.
        .with_target("aws_config", level.min(LevelFilter::ERROR))
        .with_target("aws_runtime", level.min(LevelFilter::ERROR))
        .with_target(env!("CARGO_CRATE_NAME"), level);
    let json = environment.get("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let layer = if json {
        let timer = timestamp as fn(&mut Writer<'_>) -> fmt::Result;
        output::layer().json().flatten_event(true).with_span_list(false).with_target(false).with_timer(timer).boxed()
    } else {
        // CloudWatch stamps each line itself.
        output::layer().with_target(false).with_ansi(false).without_time().boxed()
    };
    // A second call in one process (tests) changes nothing.
    let _already_set = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

/// Lambda's names: those of `tracing`, and FATAL.
fn parse_level(text: &str) -> LevelFilter {
    let fatal = text.eq_ignore_ascii_case("fatal").then_some(LevelFilter::ERROR);
    fatal.or(text.parse().ok()).unwrap_or(LevelFilter::INFO)
}

/// Lambda filters JSON lines by a `timestamp` in RFC 3339.
fn timestamp(writer: &mut Writer<'_>) -> fmt::Result {
    write!(writer, "{}", Timestamp::now())
}
