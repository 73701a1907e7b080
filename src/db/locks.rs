//! Locks of a PostgreSQL database, which a process holds as long as a connection of its own is open: statements on it
//! have no time limit. On SQLite, files in the data folder are the locks.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// The lock of the process that migrates. The others wait for it and then have nothing left to apply.
const MIGRATION: i64 = 7_236_012_000;
/// The lock that all running servers share.
const SERVING: i64 = 7_236_012_001;
/// How often a server verifies that it still holds its lock.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The right to migrate.
#[derive(Debug)]
pub struct MigrationLock(DatabaseConnection);

impl MigrationLock {
    /// Waits until no other process migrates this database.
    pub async fn acquire(url: &str) -> Result<Self, Error> {
        let connection = Database::connect(options(url)).await?;
        let lock = format!("SELECT pg_advisory_lock({MIGRATION})");
        connection.execute_unprepared(&lock).await?;
        Ok(Self(connection))
    }

    /// The connection on which migrations run.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        &self.0
    }

    /// Excludes servers too, unless one is running. Servers that start wait.
    pub async fn excludes_servers(&self) -> Result<bool, Error> {
        let backend = self.0.get_database_backend();
        let lock = format!("SELECT pg_try_advisory_lock({SERVING})");
        let row = self
            .0
            .query_one_raw(Statement::from_string(backend, lock))
            .await?;
        let row = row.ok_or_else(|| Error::internal("PostgreSQL returned no row"))?;
        Ok(row.try_get_by_index(0)?)
    }

    /// Releases the locks.
    pub async fn release(self) -> Result<(), Error> {
        Ok(self.0.close().await?)
    }
}

/// What a running server holds.
#[derive(Debug)]
pub struct ServingLock(DatabaseConnection);

impl ServingLock {
    /// Waits until no process reverts migrations.
    pub async fn acquire(url: &str) -> Result<Self, Error> {
        let mut options = options(url);
        options.map_sqlx_postgres_pool_opts(|pool| {
            // The lock would be free while a connection is replaced because of its age.
            let pool = pool.max_lifetime(None).idle_timeout(None);
            pool.after_connect(|connection, _| {
                Box::pin(async move {
                    let lock = sqlx::query("SELECT pg_advisory_lock_shared($1)").bind(SERVING);
                    lock.execute(connection).await.map(|_| ())
                })
            })
        });
        Ok(Self(Database::connect(options).await?))
    }

    /// Keeps the lock until the server stops: a lost connection is replaced, and then has the lock again.
    pub async fn keep(self, shutdown: CancellationToken) {
        let mut checks = interval(CHECK_INTERVAL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = checks.tick() => {
                    if let Err(error) = self.0.ping().await {
                        tracing::debug!(%error, "the lock of this server is lost; trying again");
                    }
                }
            }
        }
        let closed = self.0.close().await;
        closed.unwrap_or_else(|error| tracing::debug!(%error, "a connection was not closed"));
    }
}

fn options(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .min_connections(1)
        .sqlx_logging(false);
    options
}
