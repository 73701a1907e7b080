//! `heddle doctor`: checks the installation and reports each problem with its solution.

use std::{io, time::Instant};

use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryOrder, QuerySelect};
use serde::Serialize;

use super::{
    data_dir,
    error::{CliError, Exit},
    migrate, output, token,
};
use crate::{
    auth::token::Keys,
    clock::Clock,
    config::Config,
    db::{self, Db},
    domain::integrity,
    entity::job,
    error::Error,
    jobs::queue,
    live::{bus, installation},
};

/// With a larger difference, tokens expire early and messages have a time in the future.
const MAX_SKEW_SECONDS: f64 = 5.0;
/// The oldest PostgreSQL that is tested.
const OLDEST_POSTGRES: i32 = 15;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Compare reply counts and message paths with the threads themselves
    #[arg(long)]
    recount: bool,
    /// Correct wrong counts
    #[arg(long, requires = "recount")]
    repair: bool,
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Finding {
    about: &'static str,
    is_good: bool,
    #[serde(rename = "message")]
    message: String,
    #[serde(skip)]
    exit: Exit,
}

impl Finding {
    fn good(about: &'static str, message: impl Into<String>) -> Self {
        Self {
            about,
            is_good: true,
            message: message.into(),
            exit: Exit::Failure,
        }
    }

    fn bad(about: &'static str, exit: Exit, message: impl Into<String>) -> Self {
        Self {
            about,
            is_good: false,
            message: message.into(),
            exit,
        }
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    let mut findings = vec![data_folder(config)];
    if let Some(missing) = missing_database(config) {
        findings.push(missing);
    } else {
        match Db::connect(&config.database_url).await {
            Ok(db) => {
                let outcome = database(&db, config, args, &mut findings).await;
                db.close().await?;
                if let Err(error) = outcome {
                    let error = error.about(&config.database_url);
                    findings.push(Finding::bad("database", error.exit, error.to_string()));
                }
            }
            Err(error) => {
                let message = format!("{}; check database_url", CliError::from(error));
                findings.push(Finding::bad("database", Exit::Database, message));
            }
        }
    }
    findings.extend(issuers(config).await);
    if let Some(url) = &config.redis_url {
        findings.push(redis(url).await);
    }
    if args.json {
        let text = serde_json::to_string_pretty(&findings).map_err(Error::internal)?;
        output::line(text);
    } else {
        for Finding {
            about,
            is_good,
            message,
            ..
        } in &findings
        {
            output::line(format!(
                "{} {about}: {message}",
                if *is_good { "ok   " } else { "WRONG" }
            ));
        }
    }
    let wrong: Vec<&Finding> = findings.iter().filter(|finding| !finding.is_good).collect();
    match wrong.first() {
        None => Ok(()),
        Some(first) => {
            let exit = first.exit;
            Err(CliError::new(
                exit,
                format!("{} of {} checks failed", wrong.len(), findings.len()),
            ))
        }
    }
}

fn data_folder(config: &Config) -> Finding {
    const ABOUT: &str = "data folder";
    let bad = |message: String| Finding::bad(ABOUT, Exit::Configuration, message);
    let path = config.data_dir.display();
    match data_dir::is_open_to_others(&config.data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::good(ABOUT, format!("{path} will be created by the first start"));
        }
        Err(error) => return bad(format!("{path}: {error}")),
        Ok(true) => {
            return bad(format!(
                "other users have access to {path}; run chmod 700 {path}"
            ));
        }
        Ok(false) => {}
    }
    if config.secret_key.is_some() {
        return Finding::good(ABOUT, format!("{path}, accessible only to its owner"));
    }
    let key = data_dir::key_path(config);
    match data_dir::is_open_to_others(&key) {
        Ok(true) => bad(format!(
            "other users may read {0}; run chmod 600 {0}",
            key.display()
        )),
        Ok(false) => Finding::good(ABOUT, format!("{path}, accessible only to its owner")),
        Err(_) => Finding::good(
            ABOUT,
            format!("{path}; the first start will generate the key"),
        ),
    }
}

/// Reports that the file of a SQLite database does not exist. `None` if it exists.
fn missing_database(config: &Config) -> Option<Finding> {
    const ABOUT: &str = "database";
    let file = db::sqlite_file(&config.database_url).filter(|file| !file.exists())?;
    let file = file.display();
    let key = data_dir::key_path(config);
    Some(if key.exists() {
        let message = format!(
            "{file} does not exist, although a server has run here ({} exists); restore a backup",
            key.display()
        );
        Finding::bad(ABOUT, Exit::Database, message)
    } else {
        let message = format!("there is nothing here yet: heddle serve will create {file}");
        Finding::good(ABOUT, message)
    })
}

async fn database(
    db: &Db,
    config: &Config,
    args: &Args,
    findings: &mut Vec<Finding>,
) -> Result<(), CliError> {
    findings.push(version(db).await?);
    if db.backend() == DbBackend::Sqlite {
        findings.push(pragmas(db).await?);
        findings.push(file(db).await?);
    }
    findings.push(clock(db).await?);
    let pending = migrate::pending(db).await?;
    if !pending.is_empty() {
        let message = format!("{} are missing; run heddle migrate up", pending.join(", "));
        findings.push(Finding::bad("tables", Exit::MigrationNeeded, message));
        return Ok(());
    }
    findings.push(Finding::good("tables", "up to date"));
    findings.extend(keys(db, config).await?);
    findings.push(jobs(db).await?);
    if args.repair {
        integrity::repair(db).await?;
    }
    if args.recount {
        findings.push(counts(db).await?);
    }
    Ok(())
}

async fn version(db: &Db) -> Result<Finding, CliError> {
    const ABOUT: &str = "database";
    let start = Instant::now();
    let query = match db.backend() {
        DbBackend::Postgres => "SELECT current_setting('server_version')",
        _ => "SELECT sqlite_version()",
    };
    let version: String = value(db, query).await?;
    let message = format!(
        "{:?} {version}, responds in {:.1?}",
        db.backend(),
        start.elapsed()
    );
    let major = version
        .split(['.', ' '])
        .next()
        .and_then(|major| major.parse::<i32>().ok());
    let is_old =
        db.backend() == DbBackend::Postgres && major.is_some_and(|major| major < OLDEST_POSTGRES);
    Ok(if is_old {
        Finding::bad(
            ABOUT,
            Exit::Database,
            format!("{message}; upgrade to PostgreSQL {OLDEST_POSTGRES} or later"),
        )
    } else {
        Finding::good(ABOUT, message)
    })
}

/// Checks the pragmas that keep acknowledged messages durable, as the connections use them.
async fn pragmas(db: &Db) -> Result<Finding, CliError> {
    let mut wrong = Vec::new();
    for (name, expected) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
    ] {
        let row = db
            .migrate()
            .query_one_raw(db::sql(db.backend(), &format!("PRAGMA {name}"), []));
        let row = row
            .await?
            .ok_or_else(|| CliError::because("SQLite returned no value for a pragma"))?;
        let found = row.try_get_by_index::<String>(0).or_else(|_| {
            row.try_get_by_index::<i64>(0)
                .map(|number| number.to_string())
        })?;
        if found != expected {
            wrong.push(format!("{name} is {found} instead of {expected}"));
        }
    }
    Ok(if wrong.is_empty() {
        Finding::good("durability", "write-ahead log, synced at every commit")
    } else {
        Finding::bad("durability", Exit::Database, wrong.join(", "))
    })
}

/// Looks for damaged pages in the file. PostgreSQL reports them itself.
async fn file(db: &Db) -> Result<Finding, CliError> {
    const ABOUT: &str = "file";
    let found: String = value(db, "PRAGMA quick_check(1)").await?;
    Ok(if found == "ok" {
        Finding::good(ABOUT, "its pages are not damaged")
    } else {
        let message = format!("the database is damaged; restore a backup ({found})");
        Finding::bad(ABOUT, Exit::Database, message)
    })
}

async fn clock(db: &Db) -> Result<Finding, CliError> {
    let query = match db.backend() {
        DbBackend::Postgres => "SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8",
        _ => "SELECT unixepoch('subsec') + 0.0",
    };
    let database_time: f64 = value(db, query).await?;
    let local_time = Clock::default().now().timestamp();
    let skew = (database_time - i32::try_from(local_time).map_or(database_time, f64::from)).abs();
    Ok(if skew > MAX_SKEW_SECONDS {
        let message =
            format!("differs from the database's by {skew:.0} seconds; synchronise both machines");
        Finding::bad("clock", Exit::Failure, message)
    } else {
        Finding::good("clock", "agrees with the database's")
    })
}

/// Checks that the other nodes of this database accept the tokens of this one. Returns `None` if there are no keys yet.
async fn keys(db: &Db, config: &Config) -> Result<Option<Finding>, CliError> {
    const ABOUT: &str = "keys";
    if config.secret_key.is_none() && !data_dir::key_path(config).exists() {
        return Ok(None);
    }
    let key_id = Keys::id_of(&data_dir::secret(config)?)?;
    Ok(Some(if installation::has_other_keys(db, &key_id).await? {
        let message = "another node signs the tokens of this database with another key; set the same \
                           secret_key on every node, or copy token.key";
        Finding::bad(ABOUT, Exit::Configuration, message)
    } else {
        Finding::good(ABOUT, "match those of this database")
    }))
}

/// Reports the jobs that failed at their last attempt, by kind.
async fn jobs(db: &Db) -> Result<Finding, CliError> {
    const ABOUT: &str = "jobs";
    let failed: Vec<(String, i64)> = queue::failed()
        .select_only()
        .column(job::Column::Kind)
        .column_as(job::Column::Id.count(), "count")
        .group_by(job::Column::Kind)
        .order_by_asc(job::Column::Kind)
        .into_tuple()
        .all(db.read())
        .await?;
    if failed.is_empty() {
        return Ok(Finding::good(ABOUT, "none has failed"));
    }
    let kinds = failed.iter().map(|(kind, count)| format!("{count} {kind}"));
    let message = format!(
        "failed: {}; heddle admin jobs lists them, heddle admin retry-jobs repeats them",
        kinds.collect::<Vec<_>>().join(", ")
    );
    Ok(Finding::bad(ABOUT, Exit::Failure, message))
}

/// Loads the keys of each trusted issuer.
async fn issuers(config: &Config) -> Vec<Finding> {
    const ABOUT: &str = "issuer";
    let checked = token::trusted_issuers(config).check_keys().await;
    let findings = checked.into_iter().map(|(issuer, result)| match result {
        Ok(()) => Finding::good(ABOUT, format!("the keys of {issuer} can be loaded")),
        Err(reason) => {
            let message = format!("the keys of {issuer} cannot be loaded: {reason}");
            Finding::bad(ABOUT, Exit::Failure, message)
        }
    });
    findings.collect()
}

async fn redis(url: &str) -> Finding {
    const ABOUT: &str = "redis";
    let start = Instant::now();
    match bus::probe(url).await {
        Ok(found) => Finding::good(
            ABOUT,
            format!("{found}, responds in {:.1?}", start.elapsed()),
        ),
        Err(error) => {
            let message = format!("{}; check redis_url", CliError::from(error));
            Finding::bad(ABOUT, Exit::Failure, message)
        }
    }
}

async fn counts(db: &Db) -> Result<Finding, CliError> {
    let wrong = integrity::prove(db).await?;
    let integrity::Wrong {
        counts,
        roots,
        places,
        threads,
        conversations,
        participants,
    } = wrong;
    if wrong == integrity::Wrong::default() {
        return Ok(Finding::good("counts", "all counts match the rows"));
    }
    let message = format!(
        "{counts} messages, {threads} threads, {roots} root messages and {participants} participants are counted or \
         sorted wrong (repair with --recount --repair); \
         {places} messages have a wrong path and {conversations} conversations wrong sequence numbers \
         (restore a backup)"
    );
    Ok(Finding::bad("counts", Exit::Failure, message))
}

async fn value<T: sea_orm::TryGetable>(db: &Db, query: &str) -> Result<T, CliError> {
    let found = db::fetch_one(&db.read().without_limit(), query, []).await?;
    found.ok_or_else(|| CliError::because("the database returned no row"))
}
