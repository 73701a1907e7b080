//! Measures the real server from outside: started as a child process on fresh databases with the workload of
//! docs/performance.md, and asked over HTTP and WebSocket. In the same rounds the floors: servers that do the least
//! possible for the same answers. What counts is processor time per operation and the ratio to the floor of the same
//! run; wall times on a shared machine are shown for what they are worth.
//!
//! `just bench` runs everything, `just bench quick` a few minutes' worth, `just bench-smoke` shows in seconds that it
//! runs. Results are printed and kept in `target/bench` as JSON, from which `just bench-docs` makes the page.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on should stop where it is"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON answers are read by index; a missing key is null"
)]
#![expect(clippy::print_stdout, reason = "its results are for the terminal")]
#![expect(clippy::print_stderr, reason = "and so is its progress")]
#![expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "figures for people, far below 2^52"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a clock, an environment and tasks of its own"
)]

mod client;
mod databases;
mod docs;
mod drawing;
mod fanout;
mod floor;
mod goals;
mod growth;
mod hall;
mod machine;
mod outage;
mod past;
mod pgbench;
mod process;
mod reasons;
mod report;
mod rest;
mod resume;
mod scale;
mod server;
mod sockets;
mod walks;

use std::time::Instant;

use serde_json::Value;

use report::Report;
use scale::{FULL, QUICK, SMOKE, Scale};

/// Messages that growth is measured up to, unless a number says otherwise.
const GROWTH: usize = 1_000_000;
const USAGE: &str =
    "usage: load [quick | smoke | growth [MESSAGES] | rest [LISTENERS] | docs [RESULTS]]";

fn main() {
    // Cargo adds `--bench` when it measures. The tests of all targets only want to know that it builds.
    let (flags, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word == "--bench");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["floor-sqlite", file] => block_on(2, floor::sqlite::run(file)),
        ["floor-postgres", url] => block_on(2, floor::postgres::run(url)),
        ["floor-sockets"] => block_on(2, floor::sockets::run()),
        ["--list"] => {}
        [] if !flags.is_empty() => measure(&FULL, "load"),
        ["quick"] => measure(&QUICK, "load"),
        ["smoke"] => measure(&SMOKE, "smoke"),
        ["growth"] => grow(GROWTH),
        ["growth", messages] => match messages.parse() {
            Ok(messages) => grow(messages),
            Err(_) => eprintln!("{USAGE}"),
        },
        ["rest"] => silence(FULL.idle),
        ["rest", listeners] => match listeners.parse() {
            Ok(listeners) => silence(listeners),
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

/// Everything but growth, kept under this name.
fn measure(scale: &Scale, name: &str) {
    machine::raise_open_files();
    block_on(1, async {
        let begun = Instant::now();
        let mut report = Report::default();
        walks::measure(scale, &mut report).await;
        eprintln!("deliveries");
        fanout::measure(scale, &mut report).await;
        outage::measure(scale, &mut report).await;
        eprintln!("silence");
        rest::measure(scale, &mut report).await;
        let growth = report::read("growth");
        let results = report.results(scale.name, begun.elapsed(), &growth);
        report::print(&results);
        report::write(name, &results);
        eprintln!("{} s", begun.elapsed().as_secs());
    });
}

fn grow(messages: usize) {
    block_on(1, async {
        let begun = Instant::now();
        let mut report = Report::default();
        let steps = growth::measure(messages, &mut report).await;
        let scale = format!("growth {messages}");
        let mut results = report.results(&scale, begun.elapsed(), &Value::Null);
        results["steps"] = steps;
        results["goals"] = goals::of_growth(&results);
        report::print(&results);
        report::write("growth", &results);
    });
}

/// Only what many silent listeners cost.
fn silence(listeners: usize) {
    machine::raise_open_files();
    block_on(1, async {
        let begun = Instant::now();
        let mut report = Report::default();
        let scale = Scale {
            idle: listeners,
            ..QUICK
        };
        rest::measure(&scale, &mut report).await;
        let results = report.results("rest", begun.elapsed(), &Value::Null);
        report::print(&results);
        report::write("rest", &results);
    });
}
