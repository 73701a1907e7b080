//! `heddle migrate`: the tables, up to date or back.

use clap::Subcommand;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};

use super::{
    data_dir,
    error::{CliError, Exit},
    output,
};
use crate::{config::Config, db::Db};

/// Held by the one node that migrates a PostgreSQL database; the others wait and find it done.
const LOCK: &str = "7236012000";

/// Which way.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// Apply every step that is missing (`serve` does so too)
    Up,
    /// Take steps back; their tables and all that is in them are dropped
    Down {
        /// How many steps
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// List the steps; exit code 5 if any is missing
    Status,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    let db = open(config).await?;
    let outcome = match args.what {
        What::Up => up(&db, config)
            .await
            .map(|count| output::line(format!("{count} steps applied"))),
        What::Down { steps } => down(&db, config, steps).await,
        What::Status => status(&db).await,
    };
    db.close().await?;
    outcome
}

/// Connects; the folder of the embedded database is made first.
pub(super) async fn open(config: &Config) -> Result<Db, CliError> {
    if config.database_url.starts_with("sqlite:") {
        data_dir::prepare(config)?;
    }
    Ok(Db::connect(&config.database_url).await?)
}

/// Connects, and brings the tables up to date: for commands that may come before the first start.
pub(super) async fn ready(config: &Config) -> Result<Db, CliError> {
    let db = open(config).await?;
    up(&db, config).await?;
    Ok(db)
}

/// Applies every missing step and tells how many there were.
pub(super) async fn up(db: &Db, config: &Config) -> Result<usize, CliError> {
    let missing = pending(db).await?.len();
    if missing > 0 {
        alone(db, config, async |connection| {
            Migrator::up(connection, None).await
        })
        .await?;
    }
    Ok(missing)
}

async fn down(db: &Db, config: &Config, steps: u32) -> Result<(), CliError> {
    alone(db, config, async |connection| {
        Migrator::down(connection, Some(steps)).await
    })
    .await?;
    output::line(format!("{steps} steps taken back"));
    Ok(())
}

async fn status(db: &Db) -> Result<(), CliError> {
    let pending = pending(db).await?;
    for step in Migrator::migrations() {
        let name = step.name();
        let word = if pending.iter().any(|missing| missing == name) {
            "missing"
        } else {
            "applied"
        };
        output::line(format!("{word}  {name}"));
    }
    match pending.len() {
        0 => Ok(()),
        count => {
            let message = format!("{count} steps are missing; run heddle migrate up");
            Err(CliError::new(Exit::MigrationNeeded, message))
        }
    }
}

/// The steps that are missing, oldest first. Changes nothing.
pub(super) async fn pending(db: &Db) -> Result<Vec<String>, CliError> {
    let known = Migrator::migrations()
        .into_iter()
        .map(|step| step.name().to_owned());
    let table = Migrator::migration_table_name().to_string();
    let exists = match db.backend() {
        DbBackend::Postgres => format!("SELECT to_regclass('{table}') IS NOT NULL"),
        _ => format!("SELECT count(*) > 0 FROM sqlite_master WHERE name = '{table}'"),
    };
    let row = db
        .read()
        .query_one_raw(crate::db::sql(db.backend(), &exists, []))
        .await?;
    let exists = row
        .map(|row| row.try_get_by_index::<bool>(0))
        .transpose()?
        .unwrap_or(false);
    if !exists {
        return Ok(known.collect());
    }
    let applied = Migrator::get_applied_migrations(db.read()).await?;
    let is_applied = |name: &String| applied.iter().any(|step| step.name() == name);
    Ok(known.filter(|name| !is_applied(name)).collect())
}

/// Runs a migration on a connection of its own: PostgreSQL stops the statements of ordinary ones after
/// seconds, and several nodes may start at once.
async fn alone(
    db: &Db,
    config: &Config,
    work: impl AsyncFnOnce(&DatabaseConnection) -> Result<(), sea_orm::DbErr>,
) -> Result<(), CliError> {
    if db.backend() != DbBackend::Postgres {
        return Ok(work(db.migrate()).await?);
    }
    let mut options = ConnectOptions::new(&config.database_url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    connection
        .execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})"))
        .await?;
    let outcome = work(&connection).await;
    // Closing the connection gives the lock back.
    connection.close().await?;
    Ok(outcome?)
}
