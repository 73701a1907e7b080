//! One conversation with many listeners: the cost and the latency of a delivery, on one node and between two nodes.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    client::Client,
    databases::{Postgres, Redis},
    fanout_group::FanoutGroup,
    format::{median, percentile},
    operations::BODY,
    report::Report,
    scale::Scale,
    server::{Installation, Server, cpu_time},
    sockets::{Listeners, open},
};

/// Interval between messages while latency is measured.
const SEND_INTERVAL: Duration = Duration::from_millis(100);
/// Most messages in flight, fewer than the length of a subscriber's queue.
const MAX_IN_FLIGHT: usize = 50;

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    measure_floor(scale, report).await;
    let installation = Installation::on_sqlite(folder.path(), "SQLite");
    measure_heddle(scale, &installation, 1, report).await;
    let postgres = Postgres::start();
    let installation = Installation::on_postgres(folder.path(), "PostgreSQL", &postgres);
    measure_heddle(scale, &installation, 1, report).await;
    drop(postgres);
    match Redis::start() {
        None => report.remark("redis-server is not installed: two nodes were not measured"),
        Some(redis) => measure_two_nodes(scale, folder.path(), &redis, report).await,
    }
}

async fn measure_two_nodes(scale: &Scale, folder: &Path, redis: &Redis, report: &mut Report) {
    let postgres = Postgres::start();
    let installation = Installation::on_postgres(folder, "two nodes, PostgreSQL", &postgres);
    measure_heddle(scale, &installation.with_redis(&redis.url()), 2, report).await;
}

async fn measure_floor(scale: &Scale, report: &mut Report) {
    let nodes = [Server::floor("floor".to_owned(), &["floor-sockets"], None)];
    let mut client = Client::connect(&nodes[0].address, None).await;
    let frame = json!({ "id": "1", "type": "next", "payload": { "data": { "messageSent": { "id": "x".repeat(30),
        "body": BODY, "createdAt": "2026-01-01T00:00:00.000Z", "sender": { "id": "x".repeat(30),
        "displayName": "A sender" } } } } });
    let frame = bytes::Bytes::from(frame.to_string());
    let mut send = async || {
        client.post("/send", frame.clone()).await;
    };
    let mut listeners = Listeners::new();
    for &count in scale.subscribers {
        while listeners.count() < count {
            listeners.add(open(&nodes[0].address, "/socket").await.unwrap());
        }
        listeners.wait_until_subscribed(&mut send).await;
        deliver("floor", scale, &nodes, &mut send, &mut listeners, report).await;
    }
}

/// The sender is connected to the first node, the listeners to the last one.
async fn measure_heddle(
    scale: &Scale,
    installation: &Installation,
    nodes: usize,
    report: &mut Report,
) {
    let most = scale.subscribers.iter().copied().max().unwrap_or_default();
    FanoutGroup::seed(installation, most);
    let nodes: Vec<Server> = (0..nodes).map(|_| installation.start()).collect();
    let mut group = FanoutGroup::create(&nodes[0], most).await;
    let mut listeners = Listeners::new();
    for &count in scale.subscribers {
        let last = nodes.last().unwrap();
        group.add_listeners(&mut listeners, last, count).await;
        let mut send = async || group.send(BODY).await;
        let name = &nodes[0].name;
        deliver(name, scale, &nodes, &mut send, &mut listeners, report).await;
    }
}

/// Measures latency at a low rate, then the cost per delivery in a burst.
async fn deliver(
    name: &str,
    scale: &Scale,
    nodes: &[Server],
    send: &mut impl AsyncFnMut(),
    listeners: &mut Listeners,
    report: &mut Report,
) {
    let count = listeners.count();
    listeners.discard();
    let mut times = vec![];
    for _ in 0..scale.low_rate {
        let started = Instant::now();
        send().await;
        for _ in 0..count {
            times.push((listeners.next().await.at - started).as_secs_f64() * 1000.0);
        }
        tokio::time::sleep(SEND_INTERVAL.saturating_sub(started.elapsed())).await;
    }
    times.sort_unstable_by(f64::total_cmp);
    let mut figure =
        |what: String, value, unit| report.figure(format!("{name}: {what}"), value, unit);
    figure(
        format!("delivery to {count}, p99"),
        percentile(&times, 99),
        "ms",
    );
    figure(format!("delivery to {count}, p50"), median(times), "ms");
    let (before, started) = (cpu_time(nodes), Instant::now());
    let received = AtomicUsize::new(0);
    let sending = async {
        for number in 0..scale.burst {
            while number.saturating_sub(received.load(Ordering::Relaxed) / count) > MAX_IN_FLIGHT {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            send().await;
        }
    };
    let receiving = async {
        for _ in 0..count * scale.burst {
            listeners.next().await;
            received.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::join!(sending, receiving);
    let took = started.elapsed().as_secs_f64();
    let deliveries = (count * scale.burst) as f64;
    let cpu = cpu_time(nodes).since(before).total().as_secs_f64() * 1e6;
    figure(
        format!("one of {count} deliveries"),
        cpu / deliveries,
        "CPU µs",
    );
    figure(format!("deliveries to {count}"), deliveries / took, "/s");
}
