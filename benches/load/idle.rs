//! Idle subscribers: the memory and processor time that thousands of them take, and what happens when all of them
//! lose their connection and reconnect together.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all};
use rand::Rng;

use crate::{
    client::Client,
    fanout_group::FanoutGroup,
    format::{median, percentile},
    machine,
    operations::{BODY, SEND, send_variables},
    report::Report,
    scale::Scale,
    server::{Installation, Server},
    sockets::{Listeners, Socket},
};

/// Files that are open in addition to sockets.
const OTHER_FILES: u64 = 500;
/// Listeners that are connected before memory is measured, so that one-time allocations are not counted.
const WARM_UP: usize = 10;
/// Interval between messages while the listeners reconnect.
const SEND_INTERVAL: Duration = Duration::from_millis(50);
/// Delays before a retry in milliseconds, each one randomised; the last one repeats.
const RETRY_DELAYS: [u64; 5] = [50, 100, 200, 400, 800];
/// A server that takes no processor time for this long is idle.
const IDLE_TIME: Duration = Duration::from_millis(500);

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    let (files, _) = machine::open_files();
    let limit = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    let count = scale.idle.min(limit);
    if count < scale.idle {
        report.remark(&format!(
            "the system allows {files} open files: {count} idle listeners instead of {}",
            scale.idle
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    let installation = Installation::on_sqlite(folder.path(), "SQLite");
    FanoutGroup::seed(&installation, count);
    // Signing in takes dozens of MiB, and thousands of sockets would fit into the memory that it leaves behind. So the
    // listeners connect to a server that has never hashed a password.
    let mut group = FanoutGroup::create(&installation.start(), count).await;
    let server = installation.start();
    group.reconnect(&server).await;
    let mut listeners = Listeners::new();
    let warm_up = count.min(WARM_UP);
    group.add_listeners(&mut listeners, &server, warm_up).await;
    wait_until_idle(&server).await;
    let before = server.resident();
    for number in warm_up..count {
        listeners.add(group.socket(&server.address, number).await.unwrap());
    }
    wait_until_idle(&server).await;
    let per_listener = |now: u64| (now as f64 - before as f64) / (count - warm_up).max(1) as f64;
    let mut figure = |name: &str, value, unit| report.figure(name.to_owned(), value, unit);
    figure("idle listeners", count as f64, "in total");
    figure("idle listener", per_listener(server.resident()), "KiB");
    let mut send = async || group.send(BODY).await;
    listeners.wait_until_subscribed(&mut send).await;
    wait_until_idle(&server).await;
    let resident = per_listener(server.resident());
    figure("idle listener that received one message", resident, "KiB");
    let before = server.cpu_time();
    tokio::time::sleep(scale.silence).await;
    let busy = server.cpu_time().since(before).server.as_secs_f64();
    let share = busy / scale.silence.as_secs_f64() * 100.0;
    figure("processor time while all are idle", share, "% of one core");
    reconnect_all(&server, &group, listeners, report).await;
}

async fn wait_until_idle(server: &Server) {
    let mut before = server.cpu_time().server;
    loop {
        tokio::time::sleep(IDLE_TIME).await;
        let now = server.cpu_time().server;
        // One tick may be periodic work.
        if now.saturating_sub(before) <= Duration::from_millis(10) {
            return;
        }
        before = now;
    }
}

/// Disconnects all listeners and reconnects them together while messages are sent. A listener is back when it
/// receives a message.
async fn reconnect_all(
    server: &Server,
    group: &FanoutGroup,
    listeners: Listeners,
    report: &mut Report,
) {
    let count = listeners.count();
    drop(listeners);
    let started = Instant::now();
    let (retries, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let sending = send_until(server, group, &is_over);
    let reconnecting = async {
        join_all((0..count).map(|number| reconnect(server, group, number, &retries))).await;
        is_over.store(true, Ordering::Relaxed);
        started.elapsed()
    };
    let (mut times, took) = tokio::join!(sending, reconnecting);
    times.sort_unstable_by(f64::total_cmp);
    let mut figure = |name: &str, value, unit| report.figure(name.to_owned(), value, unit);
    figure("all reconnected after", took.as_secs_f64(), "s");
    figure(
        "refused connections",
        retries.into_inner() as f64,
        "in total",
    );
    figure("send while reconnecting, p99", percentile(&times, 99), "ms");
    figure("send while reconnecting, p50", median(times), "ms");
}

/// Sends until `is_over`, and returns the time of each request in milliseconds.
async fn send_until(server: &Server, group: &FanoutGroup, is_over: &AtomicBool) -> Vec<f64> {
    let mut client = Client::connect(&server.address, Some(&group.sender_token)).await;
    let mut times = vec![];
    while times.is_empty() || !is_over.load(Ordering::Relaxed) {
        let started = Instant::now();
        client.query(SEND, send_variables(&group.id, BODY)).await;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(SEND_INTERVAL.saturating_sub(started.elapsed())).await;
    }
    times
}

/// Connects until a message arrives. Returns the socket, so that it stays open until all are back.
async fn reconnect(
    server: &Server,
    group: &FanoutGroup,
    number: usize,
    retries: &AtomicUsize,
) -> Socket {
    let mut delays = RETRY_DELAYS.into_iter();
    let mut delay = RETRY_DELAYS[0];
    loop {
        if let Some(mut socket) = group.socket(&server.address, number).await
            && receives_message(&mut socket).await
        {
            return socket;
        }
        retries.fetch_add(1, Ordering::Relaxed);
        delay = delays.next().unwrap_or(delay);
        let jittered = rand::rng().random_range(delay / 2..=delay);
        tokio::time::sleep(Duration::from_millis(jittered)).await;
    }
}

/// Whether a message arrives before the server closes the socket.
async fn receives_message(socket: &mut Socket) -> bool {
    while let Some(Ok(frame)) = socket.next().await {
        if frame.to_text().is_ok_and(|text| text.contains("\"next\"")) {
            return true;
        }
    }
    false
}
