//! Draws the cost of each operation as a multiple of its floor: a bar per operation and database, a line for the floor
//! and a mark for the goal. Readable on light and dark pages.

use std::fmt::Write;

use serde_json::Value;

use crate::goals::{counts, cpu_goal, operation, title};

const WIDTH: f64 = 760.0;
/// The left edge of the bars, and the greatest width of a bar.
const LEFT: f64 = 250.0;
const LONGEST: f64 = 430.0;
const TOP: f64 = 56.0;
const STEP: f64 = 24.0;
const BAR: f64 = 14.0;
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}.head{font-weight:600;font-size:14px}\
    .grid{stroke:#8c959f;stroke-opacity:.35}.floor{stroke:#57606a;stroke-width:1.5}.PostgreSQL{fill:#3b6ea5}\
    .SQLite{fill:#6a9f58}.goal{stroke:#c4432b;stroke-width:2.5}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.floor{stroke:#b1bac4}.PostgreSQL{fill:#6aa5e0}\
    .SQLite{fill:#8cc979}.goal{stroke:#ff7b62}}";

/// One bar. Both figures are multiples of the floor.
struct Bar {
    name: String,
    database: &'static str,
    ratio: f64,
    goal: f64,
}

/// Renders the chart as SVG.
pub(crate) fn render(results: &Value) -> String {
    let bars = bars(results);
    let most = bars
        .iter()
        .map(|bar| bar.ratio.max(bar.goal))
        .fold(2.0, f64::max);
    let height = TOP + STEP * bars.len() as f64 + 34.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Processor time of each operation as a multiple of its floor\">\n<style>{STYLE}</style>\n\
         <text class=\"head\" x=\"8\" y=\"20\">Processor time of an operation, including the database, as a multiple of its floor</text>\n\
         <text x=\"8\" y=\"38\">The line at 1 × is the floor, red marks are goals; shorter is better. The scale is \
         logarithmic.</text>\n"
    );
    // The left edge is half of the floor, so that operations below their floor are visible.
    let position =
        |ratio: f64| LEFT + LONGEST * (ratio.max(0.5) * 2.0).log2() / (most * 2.0).log2();
    let bottom = height - 26.0;
    let mut tick = 0.5;
    while tick <= most {
        let class = if (tick - 1.0_f64).abs() < 0.01 {
            "floor"
        } else {
            "grid"
        };
        let x = position(tick);
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick} ×</text>",
            bottom + 16.0
        );
        tick *= 2.0;
    }
    for (number, bar) in bars.iter().enumerate() {
        let y = TOP + STEP * number as f64 + (STEP - BAR) / 2.0;
        let (end, goal) = (position(bar.ratio), position(bar.goal));
        let middle = y + BAR - 3.0;
        let _ = writeln!(
            svg,
            "<text x=\"8\" y=\"{middle:.1}\">{}</text><text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>\
             <line class=\"goal\" x1=\"{goal:.1}\" y1=\"{:.1}\" x2=\"{goal:.1}\" y2=\"{:.1}\"/>\
             <text x=\"{:.1}\" y=\"{middle:.1}\">{:.1} ×</text>",
            bar.name,
            LEFT - 8.0,
            bar.database,
            bar.database,
            end - LEFT,
            y - 3.0,
            y + BAR + 3.0,
            end.max(goal) + 6.0,
            bar.ratio,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn bars(results: &Value) -> Vec<Bar> {
    let mut names = vec!["timeline".to_owned(), "thread".to_owned()];
    names.extend(counts(results));
    names.extend(["send".to_owned(), "noop".to_owned()]);
    let mut bars = vec![];
    for name in names {
        for database in ["PostgreSQL", "SQLite"] {
            let cpu = |server: &str| {
                let line = operation(results, &name, 8, &format!("{server} on {database}"))?;
                line["cpu_us"].as_f64().filter(|cpu| *cpu > 0.0)
            };
            let (Some(heddle), Some(floor)) = (cpu("Heddle"), cpu("floor")) else {
                continue;
            };
            let full = title(&name);
            bars.push(Bar {
                name: full.replace("50 conversations, ", ""),
                database,
                ratio: heddle / floor,
                goal: cpu_goal(&name, database, floor) / floor,
            });
        }
    }
    bars
}
