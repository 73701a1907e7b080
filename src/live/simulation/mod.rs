//! A simulation of the live stream: the hub, its reader, cursors and replays as they are, over a database, a
//! network and a clock that are made up. One seed decides everything that happens, so what went wrong once goes
//! wrong again.
//!
//! Simulated are PostgreSQL with its snapshots, transactions that take positions early, last long, or are rolled
//! back, and SQLite with its one writer; doorbells that are lost, doubled, late and out of order; nodes that
//! are killed; statements that fail; clients that fall behind, go away and come back elsewhere. [`promise`] says
//! what each of them must hear.

mod database;
mod faults;
mod harness;
mod listener;
mod network;
mod oracle;
mod workload;

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

use self::{
    database::Kind,
    harness::{Harness, Phase},
    listener::{Device, Listener},
    network::Node,
};
use crate::live::resume::Since;

/// Steps of one history.
const STEPS: usize = 20_000;
/// Histories that are told each time, beside one that nobody knows.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// Names the history to repeat.
const VARIABLE: &str = "HEDDLE_TEST_SEED";
/// People who write at once.
const WRITERS: usize = 4;

#[test]
fn the_stream_keeps_its_promise_on_sqlite() {
    keeps_its_promise(Kind::Sqlite, &[]);
}

#[test]
fn the_stream_keeps_its_promise_on_postgres() {
    let also = [
        "wake-ups lost",
        "nodes killed between commit and wake-up",
        "streams resumed inside a batch",
    ];
    keeps_its_promise(Kind::Postgres, &also);
}

#[test]
fn a_seed_repeats_every_step() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let (first, _) = simulate(kind, 7, STEPS);
        let (second, _) = simulate(kind, 7, STEPS);
        let (other, _) = simulate(kind, 8, STEPS);
        assert_eq!(first, second, "the same seed is the same history");
        assert_ne!(first, other, "another seed is another history");
    }
}

/// What other nodes tell of who types may ring nowhere, and be forgotten soon.
#[test]
fn the_sweep_comes_while_the_log_rings_all_the_time() {
    runtime().block_on(async {
        let harness = Harness::new(Kind::Postgres, 1);
        let node = Node::starts(&harness, 0);
        harness.state().nodes.push(node.clone());
        harness.state().is_busy = true;
        let (_, ann) = harness.people[0];
        harness.state().phase = Phase::Calm;
        let hears = node.hub.follow(ann, Since::Now, None).await.unwrap();
        sleep(Duration::from_secs(10)).await;
        drop(hears);
        let looks = harness.state().tally["ephemeral checks"];
        assert!(looks > 5, "looked {looks} times in ten seconds");
        harness.state().nodes.clear();
    });
}

fn keeps_its_promise(kind: Kind, also: &[&str]) {
    if let Some(seed) = given() {
        simulate(kind, seed, STEPS);
        return;
    }
    let mut tally = BTreeMap::new();
    for seed in SEEDS.into_iter().chain([rand::random()]) {
        for (what, count) in simulate(kind, seed, STEPS).1 {
            *tally.entry(what).or_insert(0) += count;
        }
    }
    let always = [
        "events forgotten",
        "events heard",
        "listeners fell behind",
        "nodes killed",
        "replays failed",
        "statements failed",
        "streams reset",
        "streams resumed",
        "streams started",
        "transactions rolled back",
    ];
    for what in always.iter().chain(also) {
        assert!(tally.contains_key(what), "no {what}: {tally:?}");
    }
    println!("{kind:?}: {tally:?}");
}

/// Lives through one history. Returns what stands for all of its steps, and what happened how often.
fn simulate(kind: Kind, seed: u64, steps: usize) -> (u64, BTreeMap<&'static str, u64>) {
    let runtime = runtime();
    let harness = runtime.block_on(async {
        let harness = Harness::new(kind, seed);
        let nodes: Vec<_> = (0..faults::nodes(kind))
            .map(|number| Node::starts(&harness, number))
            .collect();
        harness.state().nodes = nodes;
        for (number, (name, user)) in
            (0..).zip([&harness.people[..], &harness.people[..2]].concat())
        {
            let device = number / harness.people.len() + 1;
            let listener = Listener::new(name, device, user);
            harness.state().listeners.push(listener);
            harness.tasks.spawn(Device::new(&harness, number).listens());
        }
        for number in 0..WRITERS {
            harness
                .tasks
                .spawn(workload::writes(harness.clone(), number));
        }
        harness.tasks.spawn(faults::breaks(harness.clone()));
        if let Err(failure) = faults::passes(&harness, steps).await {
            panic!("{failure}\n{kind:?}; repeat it with {VARIABLE}={seed}");
        }
        harness
    });
    drop(runtime);
    let tally = std::mem::take(&mut harness.state().tally);
    let trace = harness.trace();
    // They hold the world, and it holds them.
    harness.state().nodes.clear();
    (trace, tally)
}

/// One thread, and time that passes only when nobody can act: what comes first is never left to the machine.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// The seed to repeat, if one is given.
fn given() -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "given to tests, not to the server"
    )]
    let given = std::env::var(VARIABLE).ok()?;
    Some(given.parse().unwrap())
}
