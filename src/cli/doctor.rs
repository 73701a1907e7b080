//! `heddle doctor`: is everything as it should be, and if not, what to do.

use std::{io, time::Instant};

use sea_orm::{ConnectionTrait, DbBackend};
use serde::Serialize;

use super::{
    data_dir,
    error::{CliError, Exit},
    migrate, output,
};
use crate::{
    auth::token::Keys,
    clock::Clock,
    config::Config,
    db::{self, Db},
    domain::integrity,
    error::Error,
    live::{bus, installation},
};

/// Clocks further apart make tokens lapse early and messages come from the future.
const MAX_SKEW_SECONDS: f64 = 5.0;
/// The oldest PostgreSQL that is tested.
const OLDEST_POSTGRES: i32 = 15;

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Prove the counts of replies and the places of messages against the trees themselves
    #[arg(long)]
    recount: bool,
    /// Set wrong counts right
    #[arg(long, requires = "recount")]
    repair: bool,
}

/// What was found about one thing.
#[derive(Debug, Serialize)]
struct Finding {
    about: &'static str,
    is_good: bool,
    told: String,
    #[serde(skip)]
    exit: Exit,
}

impl Finding {
    fn good(about: &'static str, told: impl Into<String>) -> Self {
        Self {
            about,
            is_good: true,
            told: told.into(),
            exit: Exit::CliError,
        }
    }

    fn bad(about: &'static str, exit: Exit, told: impl Into<String>) -> Self {
        Self {
            about,
            is_good: false,
            told: told.into(),
            exit,
        }
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    let mut findings = vec![data_folder(config)];
    match Db::connect(&config.database_url).await {
        Ok(db) => {
            let outcome = database(&db, config, args, &mut findings).await;
            db.close().await?;
            outcome?;
        }
        Err(error) => {
            let told = format!("{}; is the address right?", CliError::from(error));
            findings.push(Finding::bad("database", Exit::Database, told));
        }
    }
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
            told,
            ..
        } in &findings
        {
            output::line(format!(
                "{} {about}: {told}",
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
                format!("{} of {} things are wrong", wrong.len(), findings.len()),
            ))
        }
    }
}

fn data_folder(config: &Config) -> Finding {
    const ABOUT: &str = "data folder";
    let bad = |told: String| Finding::bad(ABOUT, Exit::Configuration, told);
    let path = &config.data_dir;
    let shown = path.display();
    match data_dir::is_open_to_others(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::good(ABOUT, format!("{shown} is made by the first start"));
        }
        Err(error) => return bad(format!("{shown}: {error}")),
        Ok(true) => return bad(format!("{shown} is open to others; run chmod 700 {shown}")),
        Ok(false) => {}
    }
    if config.secret_key.is_some() {
        return Finding::good(ABOUT, format!("{shown}, for its owner alone"));
    }
    let key = data_dir::key_path(config);
    match data_dir::is_open_to_others(&key) {
        Ok(true) => bad(format!(
            "{0} may be read by others; run chmod 600 {0}",
            key.display()
        )),
        Ok(false) => Finding::good(ABOUT, format!("{shown}, for its owner alone")),
        Err(_) => Finding::good(
            ABOUT,
            format!("{shown}; the key is made by the first start"),
        ),
    }
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
    }
    findings.push(clock(db).await?);
    let pending = migrate::pending(db).await?;
    if !pending.is_empty() {
        let told = format!("{} are missing; run heddle migrate up", pending.join(", "));
        findings.push(Finding::bad("tables", Exit::MigrationNeeded, told));
        return Ok(());
    }
    findings.push(Finding::good("tables", "up to date"));
    findings.extend(keys(db, config).await?);
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
    let told = format!(
        "{:?} {version}, answers in {:.1?}",
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
            format!("{told}; {OLDEST_POSTGRES} is the oldest supported"),
        )
    } else {
        Finding::good(ABOUT, told)
    })
}

/// What keeps acknowledged messages safe, as the connections really have it.
async fn pragmas(db: &Db) -> Result<Finding, CliError> {
    let mut wrong = Vec::new();
    for (name, wanted) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
    ] {
        let row = db
            .migrate()
            .query_one_raw(db::sql(db.backend(), &format!("PRAGMA {name}"), []));
        let row = row
            .await?
            .ok_or_else(|| CliError::because("a pragma without a value"))?;
        let found = row.try_get_by_index::<String>(0).or_else(|_| {
            row.try_get_by_index::<i64>(0)
                .map(|number| number.to_string())
        })?;
        if found != wanted {
            wrong.push(format!("{name} is {found} instead of {wanted}"));
        }
    }
    Ok(if wrong.is_empty() {
        Finding::good("durability", "write-ahead log, synced at each commit")
    } else {
        Finding::bad("durability", Exit::Database, wrong.join(", "))
    })
}

async fn clock(db: &Db) -> Result<Finding, CliError> {
    let query = match db.backend() {
        DbBackend::Postgres => "SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8",
        _ => "SELECT unixepoch('subsec') + 0.0",
    };
    let theirs: f64 = value(db, query).await?;
    let ours = Clock::default().now().timestamp();
    let skew = (theirs - i32::try_from(ours).map_or(theirs, f64::from)).abs();
    Ok(if skew > MAX_SKEW_SECONDS {
        let told =
            format!("{skew:.0} seconds apart from the database's; synchronise both machines");
        Finding::bad("clock", Exit::CliError, told)
    } else {
        Finding::good("clock", "agrees with the database's")
    })
}

/// Whether the other nodes of this database take this one's tokens; nothing when there are no keys yet.
async fn keys(db: &Db, config: &Config) -> Result<Option<Finding>, CliError> {
    const ABOUT: &str = "keys";
    if config.secret_key.is_none() && !data_dir::key_path(config).exists() {
        return Ok(None);
    }
    let keys = Keys::new(&data_dir::secret(config)?)?;
    Ok(Some(
        if installation::has_other_keys(db, keys.id()).await? {
            let told = "another node has sealed this database's tokens with another key; give every \
                        node the same secret_key, or copy token.key";
            Finding::bad(ABOUT, Exit::Configuration, told)
        } else {
            Finding::good(ABOUT, "those of this database")
        },
    ))
}

async fn redis(url: &str) -> Finding {
    const ABOUT: &str = "redis";
    let start = Instant::now();
    match bus::probe(url).await {
        Ok(found) => Finding::good(
            ABOUT,
            format!("{found}, answers in {:.1?}", start.elapsed()),
        ),
        Err(error) => {
            let told = format!("{}; is redis_url right?", CliError::from(error));
            Finding::bad(ABOUT, Exit::CliError, told)
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
    } = wrong;
    if wrong == integrity::Wrong::default() {
        return Ok(Finding::good("counts", "every one is what its tree says"));
    }
    let told = format!(
        "{counts} messages, {threads} threads and {roots} root messages are counted wrong (repair with --recount \
         --repair); \
         {places} messages are in a wrong place and {conversations} conversations misnumbered (restore \
         a backup)"
    );
    Ok(Finding::bad("counts", Exit::CliError, told))
}

async fn value<T: sea_orm::TryGetable>(db: &Db, query: &str) -> Result<T, CliError> {
    let row = db
        .read()
        .query_one_raw(db::sql(db.backend(), query, []))
        .await?;
    let row = row.ok_or_else(|| CliError::because("a question without an answer"))?;
    Ok(row.try_get_by_index(0)?)
}
