//! Cheap at rest: what thousands of silent listeners hold.

use std::time::Duration;

use crate::{
    Scale,
    hall::Hall,
    report::Report,
    server::{Home, Server},
    sockets::Ears,
    walks::BODY,
};

/// A server that took no processor time for so long does nothing.
const QUIET: Duration = Duration::from_millis(500);

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    let count = scale.idle;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::on_sqlite(folder.path(), "SQLite");
    Hall::seed(&home, count);
    let server = home.start();
    let mut hall = Hall::open(&server, count).await;
    quiet(&server).await;
    let before = server.resident();
    let mut ears = Ears::new();
    for number in 0..count {
        ears.add(hall.socket(&server.address, number).await.unwrap());
    }
    quiet(&server).await;
    let each = |now: u64| now.saturating_sub(before) as f64 / count as f64;
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
