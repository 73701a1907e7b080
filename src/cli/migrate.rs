//! `heddle migrate`: applies and reverts database migrations.

use std::io;

use clap::Subcommand;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

use super::{
    data_dir,
    error::{CliError, Exit},
    output,
};
use crate::{
    config::{Config, Mode},
    db::{self, Db, MigrationLock},
};

/// What an operator types to revert migrations in production.
const CONFIRMATION: &str = "revert";

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Apply all pending migrations (`serve` does this too)
    Up,
    /// Revert migrations; this drops their tables with all data. Stop all servers first. In production, type `revert`
    /// to confirm
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
        let work = async |connection: &DatabaseConnection| Migrator::up(connection, None).await;
        under_lock(db, config, Servers::MayRun, work).await?;
    }
    Ok(missing)
}

/// Reverts migrations while no server runs, and reports what that changed.
async fn down(db: &Db, config: &Config, steps: u32) -> Result<(), CliError> {
    let applied = applied(db).await?;
    let most = usize::try_from(steps).unwrap_or(usize::MAX);
    let reverted: Vec<_> = applied.iter().rev().take(most).collect();
    if reverted.is_empty() {
        output::line("0 migrations reverted: none is applied");
        return Ok(());
    }
    let before = tables(db).await?;
    if config.mode == Mode::Production {
        confirm(&db::place(&config.database_url), &reverted, &before)?;
    }
    let work = async |connection: &DatabaseConnection| {
        let steps = u32::try_from(reverted.len()).ok();
        Migrator::down(connection, steps).await
    };
    under_lock(db, config, Servers::MustNotRun, work).await?;
    let after = tables(db).await?;
    for name in &reverted {
        output::line(format!("reverted  {name}"));
    }
    for (table, rows) in &before {
        match after.iter().find(|(name, _)| name == table) {
            None => output::line(format!("dropped   table {table} with {rows} rows")),
            Some((_, left)) if left != rows => {
                output::line(format!(
                    "changed   table {table} from {rows} to {left} rows"
                ));
            }
            Some(_) => {}
        }
    }
    let left = applied.len() - reverted.len();
    output::line(format!(
        "{} migrations reverted, {left} remain",
        reverted.len()
    ));
    Ok(())
}

/// Waits for the operator to type a word.
fn confirm(place: &str, reverted: &[&String], tables: &[(String, i64)]) -> Result<(), CliError> {
    let rows: i64 = tables.iter().map(|(_, rows)| rows).sum();
    output::line(format!(
        "This reverts {} migrations of {place}, which has {rows} rows in {} tables:",
        reverted.len(),
        tables.len()
    ));
    for name in reverted {
        output::line(format!("  {name}"));
    }
    output::line(format!(
        "The data of these migrations is lost. Type {CONFIRMATION} to continue:"
    ));
    let mut typed = String::new();
    io::stdin().read_line(&mut typed)?;
    if typed.trim() == CONFIRMATION {
        return Ok(());
    }
    let message = format!("nothing was reverted: the word {CONFIRMATION} was not typed");
    Err(CliError::because(message))
}

/// The tables of the server, with their numbers of rows.
async fn tables(db: &Db) -> Result<Vec<(String, i64)>, CliError> {
    let names = match db.backend() {
        DbBackend::Postgres => {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    };
    // Not from a reader: its time per statement is limited, and counting reads whole tables.
    let names: Vec<String> = db::fetch_tuples(db.migrate(), names, []).await?;
    let mut tables = vec![];
    let history = Migrator::migration_table_name().to_string();
    for name in names.into_iter().filter(|name| *name != history) {
        let count = format!(r#"SELECT count(*) FROM "{name}""#);
        let rows: Option<i64> = db::fetch_one(db.migrate(), &count, []).await?;
        tables.push((name, rows.unwrap_or_default()));
    }
    tables.sort();
    Ok(tables)
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

/// The names of the applied migrations, oldest first.
async fn applied(db: &Db) -> Result<Vec<String>, CliError> {
    let pending = pending(db).await?;
    let known = Migrator::migrations().into_iter();
    let known = known.map(|step| step.name().to_owned());
    Ok(known.filter(|name| !pending.contains(name)).collect())
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
        .query_one_raw(db::sql(db.backend(), &tables, []))
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

/// Whether servers may use the database meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Servers {
    MayRun,
    MustNotRun,
}

/// Runs migrations under a lock, because several processes may start at the same time.
async fn under_lock(
    db: &Db,
    config: &Config,
    servers: Servers,
    work: impl AsyncFnOnce(&DatabaseConnection) -> Result<(), sea_orm::DbErr>,
) -> Result<(), CliError> {
    let excludes_servers = servers == Servers::MustNotRun;
    if db.backend() == DbBackend::Postgres {
        let lock = MigrationLock::acquire(&config.database_url).await?;
        if excludes_servers && !lock.excludes_servers().await? {
            let message = "a heddle serve uses this database; stop it on every node first";
            return Err(CliError::because(message));
        }
        let outcome = work(lock.connection()).await;
        lock.release().await?;
        return Ok(outcome?);
    }
    let _serving = excludes_servers
        .then(|| data_dir::lock(config))
        .transpose()?;
    let path = config.data_dir.join("migrate.lock");
    let file = data_dir::open_lock(&path)?;
    let file = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    let file = file.await.map_err(io::Error::from)??;
    let outcome = work(db.migrate()).await;
    drop(file);
    Ok(outcome?)
}
