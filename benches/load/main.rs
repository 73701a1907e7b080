//! Measures the real server from outside: it runs as a child process on new databases with the workload of
//! docs/performance/results.md, and receives requests over HTTP and WebSocket. The same rounds measure the floors:
//! servers that do the least possible work for the same data. The figures that count are processor time per operation
//! and the ratio to the floor of the same run; wall times on a shared machine are less reliable.
//!
//! `just bench` measures everything, `just bench quick` takes a few minutes, and `just bench-smoke` shows in seconds that
//! the measurement runs. Results are printed and stored as JSON in `target/bench`; `just bench-docs` writes the page from
//! them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step ends the measurement"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON is read by index; a missing key is null"
)]
#![expect(clippy::print_stdout, reason = "results are printed to the terminal")]
#![expect(clippy::print_stderr, reason = "progress is printed to the terminal")]
#![expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "figures for display, far below 2^52"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "it uses its own clock, environment and tasks"
)]

mod chart;
mod client;
mod databases;
mod docs;
mod fanout;
mod fanout_group;
mod fixtures;
mod floor;
mod format;
mod gaps;
mod goals;
mod growth;
mod idle;
mod machine;
mod mixed;
mod operations;
mod outage;
mod pgbench;
mod process;
mod report;
mod scale;
mod scenarios;
mod server;
mod sockets;

use std::time::Instant;

use serde_json::Value;

use report::Report;
use scale::{FULL, QUICK, SMOKE, Scale};

/// The default number of messages for `growth`.
const GROWTH: usize = 1_000_000;
const USAGE: &str =
    "usage: load [quick | smoke | mixed | growth [MESSAGES] | idle [LISTENERS] | docs [RESULTS]]";

fn main() {
    // Cargo adds `--bench` when it measures. A test run of all targets only verifies that this program builds.
    let (flags, arguments): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument == "--bench");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["floor-sqlite", file] => block_on(2, floor::sqlite::run(file)),
        ["floor-postgres", url] => block_on(2, floor::postgres::run(url)),
        ["floor-sockets"] => block_on(2, floor::sockets::run()),
        ["--list"] => {}
        [] if !flags.is_empty() => measure(&FULL, "load"),
        ["quick"] => measure(&QUICK, "load"),
        ["smoke"] => measure(&SMOKE, "smoke"),
        ["mixed"] => measure_mixed(&QUICK),
        ["growth"] => grow(GROWTH),
        ["growth", messages] => match messages.parse() {
            Ok(messages) => grow(messages),
            Err(_) => eprintln!("{USAGE}"),
        },
        ["idle"] => measure_idle(FULL.idle),
        ["idle", listeners] => match listeners.parse() {
            Ok(listeners) => measure_idle(listeners),
            Err(_) => eprintln!("{USAGE}"),
        },
        ["docs"] => docs::write("load"),
        ["docs", results] => docs::write(results),
        _ => eprintln!("{USAGE}"),
    }
}

fn block_on(threads: usize, work: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(threads).enable_all().build();
    runtime.unwrap().block_on(work);
}

/// Measures everything except growth, and stores the results under this name.
fn measure(scale: &Scale, name: &str) {
    machine::raise_open_files();
    block_on(1, async {
        let started = Instant::now();
        let mut report = Report::default();
        mixed::measure(scale, &mut report).await;
        scenarios::measure(scale, &mut report).await;
        eprintln!("fan-out");
        fanout::measure(scale, &mut report).await;
        outage::measure(scale, &mut report).await;
        eprintln!("idle listeners");
        idle::measure(scale, &mut report).await;
        let growth = report::read("growth");
        let results = report.results(scale.name, started.elapsed(), &growth);
        report::print(&results);
        report::write(name, &results);
        eprintln!("{} s", started.elapsed().as_secs());
    });
}

fn grow(messages: usize) {
    block_on(1, async {
        let started = Instant::now();
        let mut report = Report::default();
        let steps = growth::measure(messages, &mut report).await;
        let scale = format!("growth {messages}");
        let mut results = report.results(&scale, started.elapsed(), &Value::Null);
        results["steps"] = steps;
        results["goals"] = goals::of_growth(&results);
        report::print(&results);
        report::write("growth", &results);
    });
}

/// Measures only the workload of ordinary sizes.
fn measure_mixed(scale: &Scale) {
    block_on(1, async {
        let started = Instant::now();
        let mut report = Report::default();
        mixed::measure(scale, &mut report).await;
        let results = report.results("mixed", started.elapsed(), &Value::Null);
        report::print(&results);
        report::write("mixed", &results);
    });
}

/// Measures only the idle listeners.
fn measure_idle(listeners: usize) {
    machine::raise_open_files();
    block_on(1, async {
        let started = Instant::now();
        let mut report = Report::default();
        let scale = Scale {
            idle: listeners,
            ..QUICK
        };
        idle::measure(&scale, &mut report).await;
        let results = report.results("idle", started.elapsed(), &Value::Null);
        report::print(&results);
        report::write("idle", &results);
    });
}
