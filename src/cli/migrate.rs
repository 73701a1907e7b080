//! `heddle migrate`: applies and reverts database migrations.

use clap::Subcommand;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};

use super::{
    data_dir,
    error::{CliError, Exit},
    output,
};
use crate::{config::Config, db::Db};

/// The advisory lock of the node that migrates a PostgreSQL database. The other nodes wait for it and then have nothing
/// left to apply.
const LOCK: &str = "7236012000";

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Apply all pending migrations (`serve` does this too)
    Up,
    /// Revert migrations; this drops their tables with all data
    Down {
        /// Number of migrations to revert
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// List the migrations; exit code 5 if any is missing
    Status,
}

pub(super) async fn run(config: &Config, command: MigrateCommand) -> Result<(), CliError> {
    let db = open(config).await?;
    let outcome = match command {
        MigrateCommand::Up => up(&db, config)
            .await
            .map(|count| output::line(format!("{count} migrations applied"))),
        MigrateCommand::Down { steps } => down(&db, config, steps).await,
        MigrateCommand::Status => status(&db).await,
    };
    db.close().await?;
    outcome
}

/// Connects. Creates the folder of a SQLite database first.
pub(super) async fn open(config: &Config) -> Result<Db, CliError> {
    if config.database_url.starts_with("sqlite:") {
        data_dir::prepare(config)?;
    }
    Ok(Db::connect(&config.database_url).await?)
}

/// Connects and applies pending migrations, for commands that may run before the first start.
pub(super) async fn ready(config: &Config) -> Result<Db, CliError> {
    let db = open(config).await?;
    up(&db, config).await?;
    Ok(db)
}

/// Applies all pending migrations and returns their number.
pub(super) async fn up(db: &Db, config: &Config) -> Result<usize, CliError> {
    let missing = pending(db).await?.len();
    if missing > 0 {
        with_lock(db, config, async |connection| {
            Migrator::up(connection, None).await
        })
        .await?;
    }
    Ok(missing)
}

async fn down(db: &Db, config: &Config, steps: u32) -> Result<(), CliError> {
    with_lock(db, config, async |connection| {
        Migrator::down(connection, Some(steps)).await
    })
    .await?;
    output::line(format!("{steps} migrations reverted"));
    Ok(())
}

async fn status(db: &Db) -> Result<(), CliError> {
    let pending = pending(db).await?;
    for step in Migrator::migrations() {
        let name = step.name();
        let state = if pending.iter().any(|missing| missing == name) {
            "missing"
        } else {
            "applied"
        };
        output::line(format!("{state}  {name}"));
    }
    match pending.len() {
        0 => Ok(()),
        count => {
            let message = format!("{count} migrations are missing; run heddle migrate up");
            Err(CliError::new(Exit::MigrationNeeded, message))
        }
    }
}

/// Returns the names of pending migrations, oldest first. Changes nothing. Fails if the database belongs to another
/// application, or to a later version, whose migrations are unknown.
pub(super) async fn pending(db: &Db) -> Result<Vec<String>, CliError> {
    let known = Migrator::migrations()
        .into_iter()
        .map(|step| step.name().to_owned());
    let table = Migrator::migration_table_name().to_string();
    let tables = match db.backend() {
        DbBackend::Postgres => format!(
            "SELECT to_regclass('{table}') IS NOT NULL,
                EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema())"
        ),
        _ => format!(
            "SELECT count(*) FILTER (WHERE name = '{table}') > 0, count(*) > 0 FROM sqlite_master"
        ),
    };
    let row = db
        .read()
        .query_one_raw(crate::db::sql(db.backend(), &tables, []))
        .await?;
    let (is_ours, has_tables) = match row {
        Some(row) => (row.try_get_by_index(0)?, row.try_get_by_index(1)?),
        None => (false, false),
    };
    if !is_ours && has_tables {
        let message =
            "the database contains tables of another application: choose an empty database";
        return Err(CliError::new(Exit::Database, message.to_owned()));
    }
    if !is_ours {
        return Ok(known.collect());
    }
    // Not from a reader: it prepares `CREATE TABLE IF NOT EXISTS` from its cached schema, which may be older.
    let applied = Migrator::get_applied_migrations(db.migrate()).await?;
    let is_applied = |name: &String| applied.iter().any(|step| step.name() == name);
    Ok(known.filter(|name| !is_applied(name)).collect())
}

/// Runs migrations under a lock, because several processes may start at the same time. On PostgreSQL they run on a
/// separate connection: the others have a short statement timeout.
async fn with_lock(
    db: &Db,
    config: &Config,
    work: impl AsyncFnOnce(&DatabaseConnection) -> Result<(), sea_orm::DbErr>,
) -> Result<(), CliError> {
    if db.backend() != DbBackend::Postgres {
        let path = config.data_dir.join("migrate.lock");
        let file = data_dir::open_lock(&path)?;
        let file = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
        let file = file.await.map_err(std::io::Error::from)??;
        let outcome = work(db.migrate()).await;
        drop(file);
        return Ok(outcome?);
    }
    let mut options = ConnectOptions::new(&config.database_url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    connection
        .execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})"))
        .await?;
    let outcome = work(&connection).await;
    // Closing the connection releases the lock.
    connection.close().await?;
    Ok(outcome?)
}
