//! Measures the real server from outside: started as a child process on fresh databases with the workload of
//! docs/performance.md, and asked over HTTP and WebSocket. In the same rounds the floors: servers that do the least
//! possible for the same answers. What counts is processor time per operation and the ratio to the floor of the same
//! run; wall times on a shared machine are shown for what they are worth.
//!
//! `just bench` runs everything, `just bench quick` a few minutes' worth. Results are printed and written to
//! `target/bench/` as JSON.
#![expect(
    clippy::unwrap_used,
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
mod fanout;
mod floor;
mod process;
mod report;
mod server;
mod walks;

use std::time::Duration;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
struct Scale {
    users: usize,
    conversations: usize,
    messages: usize,
    rounds: usize,
    /// How long each operation runs in a round.
    slot: Duration,
    subscribers: &'static [usize],
    idle: usize,
}

const QUICK: Scale = Scale {
    users: 300,
    conversations: 60,
    messages: 30_000,
    rounds: 3,
    slot: Duration::from_millis(1500),
    subscribers: &[1, 100, 1000],
    idle: 1000,
};

const FULL: Scale = Scale {
    users: 1000,
    conversations: 200,
    messages: 200_000,
    rounds: 7,
    slot: Duration::from_secs(5),
    subscribers: &[1, 100, 1000],
    idle: 5000,
};

fn main() {
    // Cargo adds `--bench`; Clippy and the tests of all targets only want to know that it builds.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = |threads: usize| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder
            .worker_threads(threads)
            .enable_all()
            .build()
            .unwrap()
    };
    match words.as_slice() {
        ["floor-sqlite", file] => runtime(2).block_on(floor::on_sqlite(file)),
        ["floor-postgres", url] => runtime(2).block_on(floor::on_postgres(url)),
        ["floor-sockets"] => runtime(2).block_on(floor::sockets()),
        ["--list"] => {}
        [] => runtime(1).block_on(run(FULL)),
        ["quick"] => runtime(1).block_on(run(QUICK)),
        _ => eprintln!("usage: load [quick]"),
    }
}

async fn run(scale: Scale) {
    let mut report = report::Report::default();
    walks::measure(scale, &mut report).await;
    fanout::measure(scale, &mut report).await;
    report.print();
    report.write();
}
