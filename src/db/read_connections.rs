//! The connections of SQLite for reading. Each is a pool of its own, so that a statement has a deadline, and ends when
//! its result is no longer needed.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::{Database, DatabaseConnection, DbErr, RuntimeErr};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    deadline::Deadline,
    options::{Replacement, sqlite_reader},
    query_stats::with_stats,
};

/// A fixed number of connections.
#[derive(Debug)]
pub(super) struct ReadConnections {
    connections: Vec<ReadConnection>,
    /// The indexes of the connections that are not in use, the one that was used the longest ago first.
    idle: Mutex<VecDeque<usize>>,
    permits: Semaphore,
}

#[derive(Debug)]
struct ReadConnection {
    pool: DatabaseConnection,
    deadline: Deadline,
}

/// A connection in use. Dropping it interrupts a statement that still runs.
pub(super) struct BorrowedConnection<'a> {
    readers: &'a ReadConnections,
    connection: &'a ReadConnection,
    index: usize,
    _permit: SemaphorePermit<'a>,
}

impl ReadConnections {
    /// Opens this many connections to the file of a `sqlite:` URL.
    pub(super) async fn connect(
        url: &str,
        count: u32,
        replacement: &Replacement,
    ) -> Result<Self, DbErr> {
        let mut connections = vec![];
        for _ in 0..count {
            let deadline = Deadline::default();
            let options = sqlite_reader(url, replacement, &deadline);
            let pool = with_stats(Database::connect(options).await?);
            connections.push(ReadConnection { pool, deadline });
        }
        Ok(Self {
            idle: Mutex::new((0..connections.len()).collect()),
            permits: Semaphore::new(connections.len()),
            connections,
        })
    }

    /// Waits for a connection. Its statement is interrupted after `limit`, if there is one.
    pub(super) async fn borrow(
        &self,
        limit: Option<Duration>,
    ) -> Result<BorrowedConnection<'_>, DbErr> {
        let closed = |text: String| DbErr::Conn(RuntimeErr::Internal(text));
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|error| closed(error.to_string()))?;
        let index = self.idle().pop_front();
        let connection = index.and_then(|index| Some((index, self.connections.get(index)?)));
        let (index, connection) =
            connection.ok_or_else(|| closed("no connection is idle".to_owned()))?;
        connection.deadline.limit(limit);
        Ok(BorrowedConnection {
            readers: self,
            connection,
            index,
            _permit: permit,
        })
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = &DatabaseConnection> {
        self.connections.iter().map(|connection| &connection.pool)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BorrowedConnection<'_> {
    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.connection.pool
    }
}

impl Drop for BorrowedConnection<'_> {
    fn drop(&mut self) {
        // The pool hands the connection out again after this statement has ended, with a new deadline.
        self.connection.deadline.expire();
        self.readers.idle().push_back(self.index);
    }
}
