//! Counts the work that the database does: the steps of SQLite's virtual machine, or the rows that PostgreSQL reads.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use heddle::{config::Config, db::Db};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// Disables inline reads, because the work is counted on the connections of the pool. The statements are the same.
pub(crate) fn on_connections(config: &mut Config) {
    config.sqlite_inline_reads = false;
}

/// Counts the work since the start.
pub(crate) struct QueryCost {
    db: Db,
    /// PostgreSQL counts the rows of this table; none for those of all tables.
    table: Option<&'static str>,
    steps: Arc<AtomicI64>,
}

impl QueryCost {
    /// Starts to count the cost of reading messages.
    pub(crate) async fn watch(db: &Db) -> Self {
        Self::watch_reads(db, "message").await
    }

    /// Counts reads of another table.
    pub(crate) async fn watch_reads(db: &Db, table: &'static str) -> Self {
        Self::on(db, &db.read().pools(), Some(table)).await
    }

    /// Counts reads of all tables.
    pub(crate) async fn watch_all(db: &Db) -> Self {
        Self::on(db, &db.read().pools(), None).await
    }

    /// Starts to count the cost of writes; on PostgreSQL, the rows of this table that they read.
    pub(crate) async fn watch_writes(db: &Db, table: &'static str) -> Self {
        Self::on(db, &[db.migrate()], Some(table)).await
    }

    async fn on(db: &Db, connections: &[&DatabaseConnection], table: Option<&'static str>) -> Self {
        let steps = Arc::new(AtomicI64::new(0));
        if db.backend() == DbBackend::Sqlite {
            for connections in connections {
                let pool = connections.get_sqlite_connection_pool();
                assert_eq!(pool.options().get_max_connections(), 1);
                let mut connection = pool.acquire().await.unwrap();
                let steps = Arc::clone(&steps);
                let count = move || steps.fetch_add(1, Ordering::Relaxed) >= 0;
                let mut handle = connection.lock_handle().await.unwrap();
                handle.set_progress_handler(1, count);
            }
        } else {
            // Plans depend on statistics, which the server collects in the background.
            execute(db, "ANALYZE").await;
        }
        Self {
            db: db.clone(),
            table,
            steps,
        }
    }

    /// How much the cost of equal work may differ. PostgreSQL also counts rows of its own caches.
    pub(crate) fn spread_percent(&self) -> i64 {
        match self.db.backend() {
            DbBackend::Sqlite => 15,
            _ => 100,
        }
    }

    /// Returns the cost of this function, the least of three runs, because background work also counts.
    pub(crate) async fn least(&self, act: impl AsyncFn()) -> i64 {
        let mut least = i64::MAX;
        for _ in 0..3 {
            let before = self.so_far().await;
            act().await;
            least = least.min(self.so_far().await - before);
        }
        least
    }

    /// Returns the cost since the start, in the unit of the database.
    pub(crate) async fn so_far(&self) -> i64 {
        if self.db.backend() == DbBackend::Sqlite {
            return self.steps.load(Ordering::Relaxed);
        }
        let pool = self.db.read().pools()[0].get_postgres_connection_pool();
        let mut taken = vec![];
        for _ in 0..pool.options().get_max_connections() {
            let mut connection = pool.acquire().await.unwrap();
            // Each connection publishes its statistics on request.
            let flush = sqlx::query("SELECT pg_stat_force_next_flush()");
            flush.execute(&mut *connection).await.unwrap();
            taken.push(connection);
        }
        drop(taken);
        let of_table = self.table.map(|table| format!("WHERE relname = '{table}'"));
        let of_table = of_table.unwrap_or_default();
        let rows = format!(
            "SELECT SUM(COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0))::bigint
             FROM pg_stat_user_tables {of_table}"
        );
        let statement = Statement::from_string(self.db.backend(), rows);
        let row = self.db.read().query_one_raw(statement).await.unwrap();
        row.unwrap().try_get_by_index(0).unwrap()
    }
}

async fn execute(db: &Db, text: &str) {
    db.migrate().execute_unprepared(text).await.unwrap();
}
