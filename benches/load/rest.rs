//! Cheap at rest: what thousands of silent listeners hold, and what happens when all of them lose their connection and
//! come back at once.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all};
use rand::Rng;

use crate::{
    Scale,
    client::Client,
    hall::Hall,
    machine,
    report::{Report, median, share_of},
    server::{Home, Server},
    sockets::{Ears, Socket},
    walks::{BODY, D, sending},
};

/// Files that are open besides sockets.
const OTHER_FILES: u64 = 500;
/// Listeners who are not counted: what the server makes once, for whoever is the first, is no part of a listener.
const FIRST: usize = 10;
/// How far messages are apart while everybody comes back.
const APART: Duration = Duration::from_millis(50);
/// Between two tries, longer each time up to the last and never exactly as long as others wait.
const WAITS: [u64; 5] = [50, 100, 200, 400, 800];
/// A server that took no processor time for so long does nothing.
const QUIET: Duration = Duration::from_millis(500);

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    let (files, _) = machine::open_files();
    let room = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    let count = scale.idle.min(room);
    if count < scale.idle {
        report.remark(&format!(
            "the system allows {files} open files: {count} silent listeners instead of {}",
            scale.idle
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    let home = Home::on_sqlite(folder.path(), "SQLite");
    Hall::seed(&home, count);
    // Signing in takes memory by the dozen of MiB, in whose remains thousands of sockets would find room: those who
    // listen do so at a server that never saw a password.
    let mut hall = Hall::open(&home.start(), count).await;
    let server = home.start();
    hall.moves(&server).await;
    let mut ears = Ears::new();
    let first = count.min(FIRST);
    hall.fill(&mut ears, &server, first).await;
    quiet(&server).await;
    let before = server.resident();
    for number in first..count {
        ears.add(hall.socket(&server.address, number).await.unwrap());
    }
    quiet(&server).await;
    let each = |now: u64| (now as f64 - before as f64) / (count - first).max(1) as f64;
    report.note("silent listeners".to_owned(), count as f64, "of them");
    report.note("idle listener".to_owned(), each(server.resident()), "KiB");
    ears.all_listen(&mut async || hall.says(BODY).await).await;
    quiet(&server).await;
    let after = "idle listener that heard one message";
    report.note(after.to_owned(), each(server.resident()), "KiB");
    let spent = server.spent();
    tokio::time::sleep(scale.silence).await;
    let busy = server.spent().since(spent).server.as_secs_f64();
    let share = busy / scale.silence.as_secs_f64() * 100.0;
    report.note(
        "processor while they are silent".to_owned(),
        share,
        "% of one core",
    );
    come_back(&server, &hall, ears, report).await;
}

/// Waits until the server does nothing.
async fn quiet(server: &Server) {
    let mut before = server.spent().server;
    loop {
        tokio::time::sleep(QUIET).await;
        let now = server.spent().server;
        // A tick is for what it does now and then by itself.
        if now.saturating_sub(before) <= Duration::from_millis(10) {
            return;
        }
        before = now;
    }
}

/// All leave and come back at once while somebody goes on speaking; they are back when they hear again.
async fn come_back(server: &Server, hall: &Hall, ears: Ears, report: &mut Report) {
    let count = ears.count();
    drop(ears);
    let begun = Instant::now();
    let (retries, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let speaking = speak(server, hall, &is_over);
    let returning = async {
        join_all((0..count).map(|number| again(server, hall, number, &retries))).await;
        is_over.store(true, Ordering::Relaxed);
        begun.elapsed()
    };
    let (mut times, took) = tokio::join!(speaking, returning);
    times.sort_unstable_by(f64::total_cmp);
    report.note("all of them back after".to_owned(), took.as_secs_f64(), "s");
    let retries = retries.into_inner() as f64;
    report.note("tries refused meanwhile".to_owned(), retries, "times");
    report.note(
        "sending meanwhile, p99".to_owned(),
        share_of(&times, 99),
        "ms",
    );
    report.note("sending meanwhile, p50".to_owned(), median(times), "ms");
}

/// Sends until it is over, and tells how long each took, in milliseconds.
async fn speak(server: &Server, hall: &Hall, is_over: &AtomicBool) -> Vec<f64> {
    let mut client = Client::connect(&server.address, Some(&hall.speaker_token)).await;
    let mut times = vec![];
    while times.is_empty() || !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        client.asks(D, sending(&hall.group, BODY)).await;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(APART.saturating_sub(begun.elapsed())).await;
    }
    times
}

/// Tries until something is heard. The socket is closed at the end, when everybody has one.
async fn again(server: &Server, hall: &Hall, number: usize, retries: &AtomicUsize) -> Socket {
    let mut waits = WAITS.into_iter();
    let mut wait = WAITS[0];
    loop {
        if let Some(mut socket) = hall.socket(&server.address, number).await
            && hears(&mut socket).await
        {
            return socket;
        }
        retries.fetch_add(1, Ordering::Relaxed);
        wait = waits.next().unwrap_or(wait);
        let wait = rand::rng().random_range(wait / 2..=wait);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// Whether a message comes before the server closes it.
async fn hears(socket: &mut Socket) -> bool {
    while let Some(Ok(frame)) = socket.next().await {
        if frame.to_text().is_ok_and(|text| text.contains("\"next\"")) {
            return true;
        }
    }
    false
}
