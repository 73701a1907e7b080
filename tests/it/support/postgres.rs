//! Empty, migrated PostgreSQL databases, one per caller. This module does not depend on what the tests do with them.
//!
//! `tests/run` starts one server for the whole run and names it in `HEDDLE_TEST_POSTGRES`. Without it, each test
//! process starts its own from the installed programs (`tests/postgres`), which ends with the process. Without
//! PostgreSQL these tests fail: skipping them would leave half of the product untested.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use migration::{Migrator, MigratorTrait};
use sea_orm::Database;
use sqlx::{Connection, Executor, PgConnection};

/// The template database: migrated once per server, and copied for every caller.
const TEMPLATE: &str = "heddle_template";
/// The lock for building the template, so that only one of several test processes builds it.
const TEMPLATE_LOCK: i64 = 7_236_012_001;

/// Returns the URL of a new database for this caller, with all tables and no rows.
pub(crate) async fn fresh_database() -> String {
    let server = server();
    let mut admin = PgConnection::connect(server).await.unwrap();
    ensure_template(&mut admin, server).await;
    // A process id is not unique: the system reuses it, and a server may serve several runs.
    let name = format!("test_{:032x}", rand::random::<u128>());
    run(
        &mut admin,
        format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"),
    )
    .await;
    admin.close().await.unwrap();
    named(server, &name)
}

/// Returns the URL of a copy of this database, which is not in use.
pub(crate) async fn copy_of(url: &str) -> String {
    let server = server();
    let original = url::Url::parse(url).unwrap();
    let original = original.path().trim_start_matches('/');
    let mut admin = PgConnection::connect(server).await.unwrap();
    let name = format!("test_{:032x}", rand::random::<u128>());
    let copy = format!("CREATE DATABASE {name} TEMPLATE {original}");
    run(&mut admin, copy).await;
    admin.close().await.unwrap();
    named(server, &name)
}

async fn ensure_template(admin: &mut PgConnection, server: &str) {
    run(admin, format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(TEMPLATE)
        .fetch_optional(&mut *admin)
        .await
        .unwrap();
    if found.is_none() {
        // The template is built under another name, so that an existing one is complete.
        let unfinished = format!("{TEMPLATE}_unfinished");
        run(admin, format!("DROP DATABASE IF EXISTS {unfinished}")).await;
        run(admin, format!("CREATE DATABASE {unfinished}")).await;
        let db = Database::connect(named(server, &unfinished)).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        db.close().await.unwrap();
        run(
            admin,
            format!("ALTER DATABASE {unfinished} RENAME TO {TEMPLATE}"),
        )
        .await;
    }
    run(admin, format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
}

async fn run(admin: &mut PgConnection, statement: String) {
    admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
}

/// Returns the URL of another database on the server.
fn named(server: &str, database: &str) -> String {
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(database);
    url.into()
}

/// Returns the URL of the run's server. The first call starts one, unless the environment names it.
fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<ChildStdin>)> = OnceLock::new();
    let (address, _) = SERVER.get_or_init(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "the address is given to tests, not to the server"
        )]
        let given = std::env::var("HEDDLE_TEST_POSTGRES");
        given.map_or_else(
            |_| {
                let (address, stdin) = start();
                (address, Some(stdin))
            },
            |address| (address, None),
        )
    });
    address
}

/// The server runs until its standard input closes, which is when this process ends.
#[expect(clippy::zombie_processes, reason = "it ends with this process")]
fn start() -> (String, ChildStdin) {
    let mut child = Command::new("sh")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut address)
        .unwrap();
    assert!(
        !address.is_empty(),
        "PostgreSQL did not start; its own words are above"
    );
    (address.trim_end().to_owned(), child.stdin.take().unwrap())
}

#[tokio::test]
async fn each_caller_gets_a_migrated_database_of_their_own() {
    let (one, other) = (fresh_database().await, fresh_database().await);
    assert_ne!(one, other);
    for address in [one, other] {
        let mut db = PgConnection::connect(&address).await.unwrap();
        db.execute(r#"CREATE TABLE mark ()"#).await.unwrap();
        db.execute(r#"SELECT id FROM "user""#).await.unwrap();
        db.close().await.unwrap();
    }
}
