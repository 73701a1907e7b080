//! Removes deleted texts from the write-ahead log of SQLite, which keeps earlier versions of pages until it is reused.

use std::time::Duration;

use crate::app::App;

/// The time after an erasure, in which more erasures are awaited, and between two attempts.
const DELAY: Duration = Duration::from_secs(5);

/// Empties the log after the start and after erasures, until the server stops. Closing the database then empties it.
pub(super) async fn run(app: &App) {
    // A server that was killed may have left deleted texts behind.
    loop {
        loop {
            tokio::select! {
                () = app.shutdown.cancelled() => return,
                () = tokio::time::sleep(DELAY) => {}
            }
            match app.db.truncate_log().await {
                Ok(true) => break,
                Ok(false) => tracing::debug!("a reader still uses the write-ahead log"),
                Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied"),
            }
        }
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = app.db.erasure_wakeup().notified() => {}
        }
    }
}
