//! The simulated histories.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

use super::{
    client::{Client, ClientState},
    database::Kind,
    faults,
    harness::{Harness, Phase},
    network::Node,
    workload,
};
use crate::live::resume::Since;

/// Steps of one history.
const STEPS: usize = 20_000;
/// Seeds of the histories that every run repeats, besides a random one.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// The environment variable with the seed of the only history to run.
const VARIABLE: &str = "HEDDLE_TEST_SEED";
/// Concurrent writers.
const WRITERS: usize = 4;

#[test]
fn every_event_is_delivered_once_on_sqlite() {
    check_histories(Kind::Sqlite, &[]);
}

#[test]
fn every_event_is_delivered_once_on_postgres() {
    let also = [
        "wake-ups lost",
        "nodes killed between commit and wake-up",
        "streams resumed inside a batch",
    ];
    check_histories(Kind::Postgres, &also);
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

/// The wake-up for a typing event of another node may be lost, and the event is soon deleted.
#[test]
fn ephemeral_events_are_checked_while_the_log_is_busy() {
    runtime().block_on(async {
        let harness = Harness::new(Kind::Postgres, 1);
        let node = Node::start(&harness, 0);
        harness.state().nodes.push(node.clone());
        harness.state().is_busy = true;
        let (_, ann) = harness.users[0];
        harness.state().phase = Phase::Quiet;
        let stream = node.hub.follow(ann, Since::Now, None).await.unwrap();
        sleep(Duration::from_secs(10)).await;
        drop(stream);
        let checks = harness.state().counts["ephemeral checks"];
        assert!(checks > 5, "checked {checks} times in ten seconds");
        harness.state().nodes.clear();
    });
}

fn check_histories(kind: Kind, also: &[&str]) {
    if let Some(seed) = given_seed() {
        simulate(kind, seed, STEPS);
        return;
    }
    let mut counts = BTreeMap::new();
    for seed in SEEDS.into_iter().chain([rand::random()]) {
        for (name, count) in simulate(kind, seed, STEPS).1 {
            *counts.entry(name).or_insert(0) += count;
        }
    }
    let always = [
        "clients fell behind",
        "events deleted",
        "events received",
        "lookups failed",
        "lookups never returned",
        "nodes killed",
        "replays failed",
        "statements failed",
        "streams reset",
        "streams reset by a lookup",
        "streams reset by deleted events",
        "streams resumed",
        "streams started",
        "streams trimmed",
        "transactions rolled back",
    ];
    for name in always.iter().chain(also) {
        assert!(counts.contains_key(name), "no {name}: {counts:?}");
    }
    println!("{kind:?}: {counts:?}");
}

/// Runs one history. Returns a hash of all its steps, and how often each kind of event happened.
fn simulate(kind: Kind, seed: u64, steps: usize) -> (u64, BTreeMap<&'static str, u64>) {
    let runtime = runtime();
    let harness = runtime.block_on(async {
        let harness = Harness::new(kind, seed);
        let nodes: Vec<_> = (0..faults::nodes(kind))
            .map(|number| Node::start(&harness, number))
            .collect();
        harness.state().nodes = nodes;
        for (number, (name, user)) in (0..).zip([&harness.users[..], &harness.users[..2]].concat())
        {
            let device = number / harness.users.len() + 1;
            let client = ClientState::new(name, device, user);
            harness.state().clients.push(client);
            harness.tasks.spawn(Client::new(&harness, number).run());
        }
        for number in 0..WRITERS {
            harness
                .tasks
                .spawn(workload::run_writer(harness.clone(), number));
        }
        harness.tasks.spawn(faults::inject(harness.clone()));
        if let Err(failure) = faults::run_phases(&harness, steps).await {
            panic!("{failure}\n{kind:?}; repeat it with {VARIABLE}={seed}");
        }
        harness
    });
    drop(runtime);
    let counts = std::mem::take(&mut harness.state().counts);
    let trace = harness.trace();
    // Breaks the reference cycle between the nodes and the harness.
    harness.state().nodes.clear();
    (trace, counts)
}

/// One thread whose time advances only when no task can run, so that the order of tasks does not depend on the machine.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// The seed to repeat, if one is given.
fn given_seed() -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "given to tests, not to the server"
    )]
    let seed = std::env::var(VARIABLE).ok()?;
    Some(seed.parse().unwrap())
}
