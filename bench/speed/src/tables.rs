//! The measurements as Markdown.

use crate::http::Counts;
use crate::measure::{Distances, Fared, Lives, LongLife, Watches};
use crate::money::ways;
use crate::quota::SHARE;
use crate::stats::{Times, mebibytes, megabytes, milliseconds, spread};
use crate::subject::{FLOOR, OURS};
use crate::watch::{Done, Step, StepTimes};
use crate::world::FAR;
use std::fmt::Write;
use std::time::Duration;

/// One program with everything that was found out about it.
pub struct Row {
    pub name: &'static str,
    pub lives: Lives,
    pub long_life: LongLife,
    pub binary: Option<u64>,
    pub zip: Option<u64>,
}

/// Cold, warm, memory, size.
pub fn comparison(rows: &[Row], stand_in: &Times) -> String {
    let cold = |name| {
        rows.iter().find(|row| row.name == name).map(|row| row.lives.cold.median()).unwrap_or_default()
    };
    let (floor, ours) = (cold(FLOOR), cold(OURS));
    let mut text = String::from(
        "| | cold start, ms | × floor | × this function | warm check, ms | processor: cold, each further check, ms | memory after 1, 50, all¹ checks | binary | zip |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for Row { name, lives, long_life, binary, zip } in rows {
        let resident = [lives.resident[0], lives.resident[1], long_life.resident].map(mebibytes).join(", ");
        let size = |bytes: &Option<u64>| bytes.map_or("–".to_owned(), megabytes);
        line(
            &mut text,
            &[
                emphasized(name),
                spread(&lives.cold),
                format!("{:.1}", ratio(lives.cold.median(), floor)),
                format!("{:.1}", ratio(lives.cold.median(), ours)),
                spread(&lives.warm),
                format!(
                    "{}, {}",
                    milliseconds(lives.cold_processor.median()),
                    milliseconds(long_life.processor_per_check)
                ),
                resident,
                size(binary),
                size(zip),
            ],
        );
    }
    let _infallible = writeln!(
        text,
        "\nMedians (10th to 90th percentile). Zoho's stand-in takes {} ms to answer the plainest client on an open \
         connection. ¹ As many as in the next table.",
        spread(stand_in),
    );
    text
}

/// Throughput and tail.
pub fn long_lives(rows: &[Row]) -> String {
    let mut text = String::from(
        "| one environment | checks | a second | median, ms | 99 % | 99.9 % | longest |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for Row { name, long_life, .. } in rows {
        let quantile = |share| milliseconds(long_life.times.quantile(share));
        line(
            &mut text,
            &[
                emphasized(name),
                thousands(long_life.checks),
                format!("{:.0}", f64::from(long_life.checks) / long_life.took.as_secs_f64()),
                quantile(0.5),
                quantile(0.99),
                quantile(0.999),
                quantile(1.0),
            ],
        );
    }
    text
}

/// Requests and connections.
pub fn traffic(steps: &[Done]) -> String {
    let mut text = String::from(
        "| requests (new connections) | Secrets Manager | Zoho | SNS | Scheduler |\n|---|--:|--:|--:|--:|\n",
    );
    for Done { step, traffic, .. } in steps {
        let cell = |counts: Counts| match counts {
            Counts { requests: 0, connections: 0, .. } => "–".to_owned(),
            Counts { requests, connections, resumed: 0 } => format!("{requests} ({connections})"),
            Counts { requests, connections, resumed } => {
                format!("{requests} ({connections}, {resumed} resumed)")
            }
        };
        let cells = [traffic.secrets_manager, traffic.zoho, traffic.sns, traffic.scheduler].map(cell);
        line(&mut text, &[&[step.name().to_owned()][..], &cells].concat());
    }
    text
}

/// The steps of a watch: near, far, in round trips, and with a fraction of a processor.
pub fn watches(watches: &Watches) -> String {
    let mut text = format!(
        "| | near, ms | {} ms away, ms | in round trips | near, {:.0} % of a processor after INIT, ms |\n|---|--:|--:|--:|--:|\n",
        FAR.as_millis(),
        SHARE * 100.0,
    );
    let (near, far) = (rows(&watches.near), rows(&watches.far));
    let throttled = watches.throttled.as_ref().map(rows);
    for (place, (name, near)) in near.iter().enumerate() {
        let far = &far[place].1;
        line(
            &mut text,
            &[
                (*name).to_owned(),
                spread(near),
                spread(far),
                format!("{:.1}", ratio(far.median().saturating_sub(near.median()), FAR)),
                throttled
                    .as_ref()
                    .map_or("not measured: needs root".to_owned(), |rows| spread(&rows[place].1)),
            ],
        );
    }
    text
}

/// The steps that people wait for. A cold start is INIT and the first check.
fn rows(times: &StepTimes) -> Vec<(&'static str, Times)> {
    let of = |step: Step| times[step as usize].clone();
    vec![
        ("cold start", of(Step::Init).plus(&of(Step::First))),
        (Step::Further.name(), of(Step::Further)),
        (Step::Sparse.name(), of(Step::Sparse)),
        (Step::End.name(), of(Step::End)),
    ]
}

/// Near and far, in round trips.
pub fn distances(all: &[Distances], fared: &[Fared]) -> String {
    let mut text = String::from(
        "| | cold start, ms | in round trips | warm check, ms | in round trips |\n|---|--:|--:|--:|--:|\n",
    );
    for (Distances { name, .. }, Fared { near, far }) in all.iter().zip(fared) {
        let round_trips = |far: &Times, near: &Times| {
            format!("{:.1}", ratio(far.median().saturating_sub(near.median()), FAR))
        };
        line(
            &mut text,
            &[
                emphasized(name),
                spread(&far.cold),
                round_trips(&far.cold, &near.cold),
                spread(&far.warm),
                round_trips(&far.warm, &near.warm),
            ],
        );
    }
    text
}

/// The model of costs.
pub fn money() -> String {
    let mut text = String::from(
        "| jobs of 10 minutes a month | Zoho credits a job | 1 | 1,000 | 100,000 |\n|---|--:|--:|--:|--:|\n",
    );
    for way in ways() {
        let mut cells = vec![way.name.to_owned(), way.checks.to_string()];
        cells.extend([1.0, 1e3, 1e5].map(|jobs| format!("${:.2}", way.monthly(jobs))));
        line(&mut text, &cells);
    }
    text
}

fn line(text: &mut String, cells: &[String]) {
    let _infallible = writeln!(text, "| {} |", cells.join(" | "));
}

fn emphasized(name: &str) -> String {
    if name.starts_with(OURS) { format!("**{name}**") } else { name.to_owned() }
}

fn ratio(time: Duration, unit: Duration) -> f64 {
    time.as_secs_f64() / unit.as_secs_f64()
}

fn thousands(count: u32) -> String {
    if count < 1_000 { count.to_string() } else { format!("{},{:03}", count / 1_000, count % 1_000) }
}
