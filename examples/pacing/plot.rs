//! The plot: checks, on a logarithmic axis, against lateness, one dot a policy.

use crate::Row;
use crate::policies::SHIPPED;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = HEIGHT - 58.0;
/// What the axes show.
const CHECKS: (f64, f64) = (1_000.0, 150_000.0);
const WORST: f64 = 0.48;
/// What is to be reached.
const TARGET: (f64, f64) = (4_000.0, 0.1);
/// Greys and blue that can be read on white and on black: the background is the page's.
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #757d87 }
.grid { stroke: #757d87; stroke-opacity: .25 }
.target { fill: #3b82f6; fill-opacity: .14 }
circle { fill: #757d87 }
circle.shipped { fill: #3b82f6 }
text.shipped { fill: #3b82f6; font-weight: 600 }
";

pub(crate) fn svg(rows: &[Row]) -> String {
    let mut body = Vec::new();
    let (target_x, target_y) = (x(TARGET.0), y(TARGET.1));
    body.push(format!(
        r#"<rect class="target" x="{LEFT}" y="{target_y:.1}" width="{:.1}" height="{:.1}"/>"#,
        target_x - LEFT,
        BOTTOM - target_y
    ));
    body.push(text(LEFT + 6.0, target_y + 16.0, "start", "", "to reach"));

    for percent in [0, 10, 20, 30, 40] {
        let y = y(f64::from(percent) / 100.0);
        body.push(format!(r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/>"#));
        body.push(text(LEFT - 8.0, y + 4.0, "end", "", &format!("{percent} %")));
    }
    for (checks, label) in
        [(1_000.0, "1,000"), (4_000.0, "4,000"), (10_000.0, "10,000"), (100_000.0, "100,000")]
    {
        let x = x(checks);
        body.push(format!(r#"<path class="grid" d="M{x:.1} {TOP}V{BOTTOM}"/>"#));
        body.push(text(x, BOTTOM + 20.0, "middle", "", label));
    }
    body.push(text((LEFT + RIGHT) / 2.0, HEIGHT - 14.0, "middle", "", "checks for 90 jobs"));
    let middle = (TOP + BOTTOM) / 2.0;
    body.push(format!(
        r#"<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">worst lateness, % of a job’s length</text>"#
    ));

    for row in rows {
        let (x, y) = (x(f64::from(row.counted.checks)), y(row.counted.worst));
        let (class, label_y) = if row.name == SHIPPED.name { ("shipped", y + 7.0) } else { ("", y - 5.0) };
        body.push(format!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="5"/>"#));
        // Above the lines of the grid, but for the one that has a neighbour there; left of the dot near the edge.
        let (label_x, anchor) = if x > RIGHT - 80.0 { (x - 9.0, "end") } else { (x + 9.0, "start") };
        body.push(text(label_x, label_y, anchor, class, row.name));
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">
<title>Checks against lateness, by policy</title>
<style>{STYLE}</style>
{}
</svg>
"#,
        body.join("\n")
    )
}

fn text(x: f64, y: f64, anchor: &str, class: &str, text: &str) -> String {
    format!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#)
}

fn x(checks: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * (checks / CHECKS.0).ln() / (CHECKS.1 / CHECKS.0).ln()
}

fn y(worst: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * worst / WORST
}
