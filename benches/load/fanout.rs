//! One conversation with many listeners: what a delivery costs and how long it takes, on one node and from one to another.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Scale,
    client::Client,
    databases::{Postgres, Redis},
    hall::Hall,
    report::{Report, median, share_of},
    server::{Home, Server, spent},
    sockets::{Ears, open},
    walks::BODY,
};

/// How far messages at a gentle rate are apart.
const APART: Duration = Duration::from_millis(100);
/// Messages that may be under way: fewer than anybody's queue is long.
const AHEAD: usize = 50;

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    measure_floor(scale, report).await;
    let home = Home::on_sqlite(folder.path(), "SQLite");
    measure_heddle(scale, &home, 1, report).await;
    let postgres = Postgres::start();
    let home = Home::on_postgres(folder.path(), "PostgreSQL", &postgres);
    measure_heddle(scale, &home, 1, report).await;
    drop(postgres);
    match Redis::start() {
        None => report.remark("redis-server is not installed: two nodes were not measured"),
        Some(redis) => two_nodes(scale, folder.path(), &redis, report).await,
    }
}

async fn two_nodes(scale: &Scale, folder: &Path, redis: &Redis, report: &mut Report) {
    let postgres = Postgres::start();
    let home = Home::on_postgres(folder, "two nodes, PostgreSQL", &postgres);
    measure_heddle(scale, &home.with_redis(&redis.url()), 2, report).await;
}

async fn measure_floor(scale: &Scale, report: &mut Report) {
    let nodes = [Server::floor("floor".to_owned(), &["floor-sockets"], None)];
    let mut client = Client::connect(&nodes[0].address, None).await;
    let frame = json!({ "id": "1", "type": "next", "payload": { "data": { "messageSent": { "id": "x".repeat(30),
        "body": BODY, "createdAt": "2026-01-01T00:00:00.000Z", "sender": { "id": "x".repeat(30),
        "displayName": "Somebody" } } } } });
    let frame = bytes::Bytes::from(frame.to_string());
    let mut send = async || {
        client.post("/send", frame.clone()).await;
    };
    let mut ears = Ears::new();
    for &count in scale.subscribers {
        while ears.count() < count {
            ears.add(open(&nodes[0].address, "/socket").await.unwrap());
        }
        ears.all_listen(&mut send).await;
        deliver("floor", scale, &nodes, &mut send, &mut ears, report).await;
    }
}

/// Whoever speaks is at the first node, and those who listen are at the last.
async fn measure_heddle(scale: &Scale, home: &Home, count: usize, report: &mut Report) {
    let most = scale.subscribers.iter().copied().max().unwrap_or_default();
    Hall::seed(home, most);
    let nodes: Vec<Server> = (0..count).map(|_| home.start()).collect();
    let mut hall = Hall::open(&nodes[0], most).await;
    let mut ears = Ears::new();
    for &count in scale.subscribers {
        hall.fill(&mut ears, nodes.last().unwrap(), count).await;
        let mut send = async || hall.says(BODY).await;
        deliver(&nodes[0].name, scale, &nodes, &mut send, &mut ears, report).await;
    }
}

/// A gentle rate for the time a delivery takes, then a burst for what it costs.
async fn deliver(
    name: &str,
    scale: &Scale,
    nodes: &[Server],
    send: &mut impl AsyncFnMut(),
    ears: &mut Ears,
    report: &mut Report,
) {
    let count = ears.count();
    ears.forget();
    let mut times = vec![];
    for _ in 0..scale.gentle {
        let begun = Instant::now();
        send().await;
        for _ in 0..count {
            times.push((ears.hear().await.at - begun).as_secs_f64() * 1000.0);
        }
        tokio::time::sleep(APART.saturating_sub(begun.elapsed())).await;
    }
    times.sort_unstable_by(f64::total_cmp);
    let mut note = |what: String, value, unit| report.note(format!("{name}: {what}"), value, unit);
    note(
        format!("delivery to {count}, p99"),
        share_of(&times, 99),
        "ms",
    );
    note(format!("delivery to {count}, p50"), median(times), "ms");
    let (before, begun) = (spent(nodes), Instant::now());
    let received = AtomicUsize::new(0);
    let sending = async {
        for number in 0..scale.burst {
            while number.saturating_sub(received.load(Ordering::Relaxed) / count) > AHEAD {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            send().await;
        }
    };
    let receiving = async {
        for _ in 0..count * scale.burst {
            ears.hear().await;
            received.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::join!(sending, receiving);
    let took = begun.elapsed().as_secs_f64();
    let deliveries = (count * scale.burst) as f64;
    let cpu = spent(nodes).since(before).all().as_secs_f64() * 1e6;
    note(
        format!("one of {count} deliveries"),
        cpu / deliveries,
        "CPU µs",
    );
    note(format!("deliveries to {count}"), deliveries / took, "/s");
}
