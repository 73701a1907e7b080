//! The doorbell: says that the log has something new, never what. Losing a ring loses nothing, because
//! the hub also looks by itself.

use tokio::sync::watch;

use crate::db::Db;

/// Hears the doorbell of this process. Between nodes it will be carried by a broker.
#[derive(Clone, Debug)]
pub struct Bus {
    local: watch::Receiver<u64>,
}

impl Bus {
    /// A listener to what this process commits from now on.
    #[must_use]
    pub fn new(db: &Db) -> Self {
        Self {
            local: db.doorbell(),
        }
    }

    /// Ends at the next ring, or at once when it rang since the last call. Rings in between are one.
    pub async fn rung(&mut self) {
        if self.local.changed().await.is_err() {
            // The database is closed: nobody rings any more.
            std::future::pending::<()>().await;
        }
    }
}
