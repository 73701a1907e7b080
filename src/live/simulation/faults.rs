//! Injects faults (killed nodes, unavailable databases, lost connections to Redis) and switches between the phases of a
//! history.

use std::{sync::Arc, time::Duration};

use tokio::time::{advance, sleep};

use super::{
    database::Kind,
    harness::{Harness, Phase},
    network::kill,
    workload::write_final_messages,
};

/// Steps from one check to the next.
const STEPS_PER_CHECK: usize = 2500;
/// Time in which every disconnected or slow client catches up.
const SETTLE_TIME: Duration = Duration::from_secs(15);
/// Time in which every client receives an event without a wake-up: a sweep and some statements.
const DELIVERY_TIME: Duration = Duration::from_secs(2);

/// Injects faults in the active phase.
pub(super) async fn inject(harness: Arc<Harness>) {
    loop {
        harness.pause(100..2500).await;
        if harness.phase() != Phase::Active {
            continue;
        }
        let (number, _) = harness.some_node();
        let until =
            harness.now() + Duration::from_millis(harness.number(200..4000).try_into().unwrap());
        match harness.number(0..10) {
            0..3 => {
                kill(&harness, number);
                if harness.once_in(2) {
                    harness.state().nodes[number].fails_until = until;
                }
            }
            3..6 => {
                harness.step(
                    "a fault",
                    format_args!("disconnects node {number} from the database"),
                );
                harness.state().nodes[number].fails_until = until;
            }
            6 => {
                harness.step("a fault", format_args!("stops the database"));
                for node in &mut harness.state().nodes {
                    node.fails_until = until;
                }
            }
            _ => {
                harness.step(
                    "a fault",
                    format_args!("disconnects node {number} from Redis"),
                );
                harness.state().nodes[number].unlinked_until = until;
            }
        }
    }
}

/// Runs the phases until there were so many steps, and checks all clients in each quiet phase.
pub(super) async fn run_phases(harness: &Arc<Harness>, steps: usize) -> Result<(), String> {
    let mut next = STEPS_PER_CHECK;
    loop {
        while harness.state().steps < next {
            sleep(Duration::from_millis(50)).await;
            check_failure(harness)?;
        }
        check_quiet(harness).await?;
        if harness.state().steps >= steps {
            return Ok(());
        }
        next = harness.state().steps + STEPS_PER_CHECK;
        if harness.once_in(2) {
            stay_idle(harness).await;
        }
        check_failure(harness)?;
        harness.state().phase = Phase::Active;
    }
}

fn check_failure(harness: &Harness) -> Result<(), String> {
    harness.failure().map_or(Ok(()), Err)
}

/// When all writes and faults have ended, every client has received everything.
async fn check_quiet(harness: &Arc<Harness>) -> Result<(), String> {
    harness.step("the phase", format_args!("becomes quiet"));
    harness.state().phase = Phase::Quiet;
    while !harness.state().database.is_quiet() {
        sleep(Duration::from_millis(50)).await;
        check_failure(harness)?;
    }
    for node in &mut harness.state().nodes {
        node.fails_until = Duration::ZERO;
        node.unlinked_until = Duration::ZERO;
    }
    sleep(SETTLE_TIME).await;
    write_final_messages(harness).await;
    sleep(DELIVERY_TIME).await;
    check_failure(harness)?;
    let outcome = harness.state().check_clients();
    if let Err((client, problem)) = outcome {
        harness.fail(&client, &problem);
    }
    check_failure(harness)
}

/// Clients disconnect, and hours pass.
async fn stay_idle(harness: &Arc<Harness>) {
    harness.step("the phase", format_args!("becomes idle"));
    harness.state().phase = Phase::Idle;
    sleep(Duration::from_secs(8)).await;
    let minutes = u64::try_from(harness.number(15..200)).unwrap();
    advance(Duration::from_mins(minutes)).await;
    sleep(Duration::from_secs(2)).await;
}

/// The number of nodes. Only one process can use a SQLite database.
pub(super) fn nodes(kind: Kind) -> usize {
    match kind {
        Kind::Sqlite => 1,
        Kind::Postgres => 3,
    }
}
