//! What breaks: nodes are killed, databases and Redis go away. And the days: storm, calm, night.

use std::{sync::Arc, time::Duration};

use tokio::time::{advance, sleep};

use super::{
    database::Kind,
    network::kill,
    world::{Phase, World},
    writers::says_last_words,
};

/// Steps from one calm to the next.
const STORM: usize = 2500;
/// Whoever is away or slow is back by then.
const REST: Duration = Duration::from_secs(15);
/// Without any bell everybody has heard everything within this time: a sweep, and some statements.
const PATIENCE: Duration = Duration::from_secs(2);

/// Breaks things as long as it storms.
pub(super) async fn breaks(world: Arc<World>) {
    loop {
        world.pause(100..2500).await;
        if world.phase() != Phase::Storm {
            continue;
        }
        let (number, _) = world.some_node();
        let until =
            world.now() + Duration::from_millis(world.number(200..4000).try_into().unwrap());
        match world.number(0..10) {
            0..3 => {
                kill(&world, number);
                if world.once_in(2) {
                    world.state().nodes[number].fails_until = until;
                }
            }
            3..6 => {
                world.step(
                    "a fault",
                    format_args!("cuts node {number} from the database"),
                );
                world.state().nodes[number].fails_until = until;
            }
            6 => {
                world.step("a fault", format_args!("takes the database away"));
                for node in &mut world.state().nodes {
                    node.fails_until = until;
                }
            }
            _ => {
                world.step("a fault", format_args!("cuts node {number} from Redis"));
                world.state().nodes[number].cut_until = until;
            }
        }
    }
}

/// Lets the days pass until there were so many steps, and looks at everybody whenever all is calm.
pub(super) async fn passes(world: &Arc<World>, steps: usize) -> Result<(), String> {
    let mut next = STORM;
    loop {
        while world.state().steps < next {
            sleep(Duration::from_millis(50)).await;
            fair(world)?;
        }
        is_calm(world).await?;
        if world.state().steps >= steps {
            return Ok(());
        }
        next = world.state().steps + STORM;
        if world.once_in(2) {
            night_falls(world).await;
        }
        fair(world)?;
        world.state().phase = Phase::Storm;
    }
}

fn fair(world: &World) -> Result<(), String> {
    world.failure().map_or(Ok(()), Err)
}

/// When nothing happens any more, nobody lacks anything.
async fn is_calm(world: &Arc<World>) -> Result<(), String> {
    world.step("the weather", format_args!("is calm"));
    world.state().phase = Phase::Calm;
    while !world.state().database.is_quiet() {
        sleep(Duration::from_millis(50)).await;
        fair(world)?;
    }
    for node in &mut world.state().nodes {
        node.fails_until = Duration::ZERO;
        node.cut_until = Duration::ZERO;
    }
    sleep(REST).await;
    says_last_words(world).await;
    sleep(PATIENCE).await;
    fair(world)?;
    let outcome = world.state().is_kept();
    if let Err((who, what)) = outcome {
        world.fails(&who, &what);
    }
    fair(world)
}

/// Some go away, and much time passes at once.
async fn night_falls(world: &Arc<World>) {
    world.step("the weather", format_args!("is night"));
    world.state().phase = Phase::Night;
    sleep(Duration::from_secs(8)).await;
    let minutes = u64::try_from(world.number(15..200)).unwrap();
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
