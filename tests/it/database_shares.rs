//! What one owner of operations may occupy of the database, and how long a statement may run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use heddle::{
    db::{self, QueryStats},
    error::Error,
};
use sea_orm::DbBackend;
use tokio::{task::JoinSet, time::timeout};
use uuid::Uuid;

use crate::support::{app::TestApp, both};

both!(
    a_statement_has_a_deadline,
    statements_of_one_owner_leave_connections_to_others,
);

/// Half of the time that a statement may take. Nothing here takes as long unless it waits for a statement that never
/// ends.
const SOON: Duration = Duration::from_millis(2_500);

/// A statement that takes very long.
async fn endless(db: &db::Db) -> Result<Option<i64>, Error> {
    let text = match db.backend() {
        DbBackend::Postgres => "SELECT 1::bigint FROM pg_sleep(600)",
        _ => {
            "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        }
    };
    db::fetch_one(db.read(), text, []).await
}

async fn quick(db: &db::Db) -> Result<Option<i64>, Error> {
    db::fetch_one(db.read(), "SELECT count(*) FROM conversation", []).await
}

async fn a_statement_has_a_deadline(app: TestApp) {
    let db = &app.app.db;
    let started = Instant::now();
    let error = endless(db).await.unwrap_err();
    assert_eq!(error.code().as_str(), "TIMEOUT", "{error}");
    let taken = started.elapsed().as_secs();
    assert!((4..8).contains(&taken), "{taken}");
    // The connection is used again.
    for _ in 0..8 {
        quick(db).await.unwrap();
    }
}

async fn statements_of_one_owner_leave_connections_to_others(app: TestApp) {
    let db = &app.app.db;
    let [ada, ben] = [1, 2].map(|owner| db.share(Uuid::from_u128(owner)));
    let mut running = JoinSet::new();
    for _ in 0..40 {
        let (db, ada) = (db.clone(), Arc::clone(&ada));
        let statement = async move { endless(&db).await };
        running.spawn(Arc::new(QueryStats::within(Some(ada))).measure(statement));
    }
    // All of them have started or wait.
    tokio::task::yield_now().await;
    let of_ben = Arc::new(QueryStats::within(Some(ben))).measure(quick(db));
    timeout(SOON, of_ben).await.unwrap().unwrap();
    // So do statements of the server itself.
    timeout(SOON, quick(db)).await.unwrap().unwrap();
}

/// Only SQLite: sqlx does not cancel statements of PostgreSQL. They end after the timeout of the server.
#[tokio::test]
async fn a_statement_ends_when_nothing_waits_for_it() {
    let app = TestApp::sqlite().await;
    let db = &app.app.db;
    for _ in 0..8 {
        let mut running = JoinSet::new();
        for _ in 0..4 {
            let db = db.clone();
            running.spawn(async move { endless(&db).await });
        }
        tokio::task::yield_now().await;
        running.shutdown().await;
        // All connections are busy with statements that were given up.
        timeout(SOON, quick(db)).await.unwrap().unwrap();
    }
}
