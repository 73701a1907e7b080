//! What breaks: nodes are killed, databases and Redis go away. And the days: storm, calm, night.

use std::{sync::Arc, time::Duration};

use tokio::time::{advance, sleep};

use super::{
    database::Kind,
    harness::{Harness, Phase},
    network::kill,
    workload::says_last_words,
};

/// Steps from one calm to the next.
const STORM: usize = 2500;
/// Whoever is away or slow is back by then.
const REST: Duration = Duration::from_secs(15);
/// Without any bell everybody has heard everything within this time: a sweep, and some statements.
const PATIENCE: Duration = Duration::from_secs(2);

/// Breaks things as long as it storms.
pub(super) async fn breaks(harness: Arc<Harness>) {
    loop {
        harness.pause(100..2500).await;
        if harness.phase() != Phase::Storm {
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
                    format_args!("cuts node {number} from the database"),
                );
                harness.state().nodes[number].fails_until = until;
            }
            6 => {
                harness.step("a fault", format_args!("takes the database away"));
                for node in &mut harness.state().nodes {
                    node.fails_until = until;
                }
            }
            _ => {
                harness.step("a fault", format_args!("cuts node {number} from Redis"));
                harness.state().nodes[number].cut_until = until;
            }
        }
    }
}

/// Lets the days pass until there were so many steps, and looks at everybody whenever all is calm.
pub(super) async fn passes(harness: &Arc<Harness>, steps: usize) -> Result<(), String> {
    let mut next = STORM;
    loop {
        while harness.state().steps < next {
            sleep(Duration::from_millis(50)).await;
            fair(harness)?;
        }
        is_calm(harness).await?;
        if harness.state().steps >= steps {
            return Ok(());
        }
        next = harness.state().steps + STORM;
        if harness.once_in(2) {
            night_falls(harness).await;
        }
        fair(harness)?;
        harness.state().phase = Phase::Storm;
    }
}

fn fair(harness: &Harness) -> Result<(), String> {
    harness.failure().map_or(Ok(()), Err)
}

/// When nothing happens any more, nobody lacks anything.
async fn is_calm(harness: &Arc<Harness>) -> Result<(), String> {
    harness.step("the weather", format_args!("is calm"));
    harness.state().phase = Phase::Calm;
    while !harness.state().database.is_quiet() {
        sleep(Duration::from_millis(50)).await;
        fair(harness)?;
    }
    for node in &mut harness.state().nodes {
        node.fails_until = Duration::ZERO;
        node.cut_until = Duration::ZERO;
    }
    sleep(REST).await;
    says_last_words(harness).await;
    sleep(PATIENCE).await;
    fair(harness)?;
    let outcome = harness.state().is_kept();
    if let Err((who, what)) = outcome {
        harness.fails(&who, &what);
    }
    fair(harness)
}

/// Some go away, and much time passes at once.
async fn night_falls(harness: &Arc<Harness>) {
    harness.step("the weather", format_args!("is night"));
    harness.state().phase = Phase::Night;
    sleep(Duration::from_secs(8)).await;
    let minutes = u64::try_from(harness.number(15..200)).unwrap();
    advance(Duration::from_mins(minutes)).await;
    sleep(Duration::from_secs(2)).await;
}

/// SQLite belongs to one process.
pub(super) fn nodes(kind: Kind) -> usize {
    match kind {
        Kind::Sqlite => 1,
        Kind::Postgres => 3,
    }
}
