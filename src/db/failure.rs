//! Why a database cannot be used, in the words of its operator: the place and the actual cause. The pool of sqlx repeats
//! a refused connection until its timeout, and then reports only that.

use std::{
    fs::OpenOptions,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection as Sqlite, OpenFlags};
use sea_orm::{DbErr, RuntimeErr};
use sqlx::{
    ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};
use tokio::time::timeout;

use crate::error::Error;

/// How long a database may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The reason why a database cannot be used. It contains the place, and no password.
#[derive(Debug)]
pub struct DatabaseFailure {
    place: String,
    cause: String,
}

impl std::fmt::Display for DatabaseFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.cause)
    }
}

impl std::error::Error for DatabaseFailure {}

/// Verifies that the database accepts connections and can be written. Fails within a few seconds.
pub(super) async fn check(url: &str) -> Result<(), Error> {
    let result = if url.starts_with("sqlite:") {
        let Some(path) = sqlite_file(url) else {
            return Ok(());
        };
        let check = move || check_sqlite(&path);
        tokio::task::spawn_blocking(check)
            .await
            .map_err(Error::internal)?
    } else if url.starts_with("postgres") {
        check_postgres(url).await
    } else {
        return Ok(());
    };
    let place = place(url);
    result.map_err(|cause| Error::internal(DatabaseFailure { place, cause }))
}

/// The file, or the server with the user and the name of the database.
#[must_use]
pub fn place(url: &str) -> String {
    if url.starts_with("sqlite:") {
        let path = sqlite_file(url);
        return path.map_or_else(|| url.to_owned(), |path| path.display().to_string());
    }
    let Ok(options) = url.parse::<PgConnectOptions>() else {
        return "the database URL".to_owned();
    };
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    if let Some(socket) = options.get_socket() {
        return format!("postgres://{user}@{}/{database}", socket.display());
    }
    let (host, port) = (options.get_host(), options.get_port());
    format!("postgres://{user}@{host}:{port}/{database}")
}

/// The file of a SQLite database; none in memory and for other databases.
#[must_use]
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") {
        return None;
    }
    let options: SqliteConnectOptions = url.parse().ok()?;
    Some(options.get_filename().to_owned())
}

fn check_sqlite(path: &Path) -> Result<(), String> {
    if path.is_dir() {
        return Err("this is a folder, not a database".to_owned());
    }
    let is_new = !path.exists();
    let folder = path.parent();
    let folder = folder.filter(|folder| is_new && !folder.as_os_str().is_empty());
    if let Some(missing) = folder.filter(|folder| !folder.is_dir()) {
        return Err(format!("the folder {} does not exist", missing.display()));
    }
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(is_new).open(path);
    opened.map_err(|error| file_cause(&error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let schema = Sqlite::open_with_flags(path, flags).and_then(|sqlite| {
        sqlite.busy_timeout(CONNECT_TIMEOUT)?;
        sqlite.query_row("SELECT count(*) FROM sqlite_master", [], |row| {
            row.get::<_, i64>(0)
        })
    });
    match schema {
        Ok(_) => Ok(()),
        Err(rusqlite::Error::SqliteFailure(error, message)) => {
            let fallback = message.unwrap_or_else(|| error.to_string());
            Err(sqlite_cause(error.extended_code).map_or(fallback, ToOwned::to_owned))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn file_cause(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        ErrorKind::PermissionDenied => "this user may not write the file".to_owned(),
        _ => error.to_string(),
    }
}

/// The cause of a result code of SQLite, whose lowest byte is the primary code.
fn sqlite_cause(code: i32) -> Option<&'static str> {
    Some(match code & 0xff {
        8 => "the database is read-only",
        11 => "the database is damaged; restore a backup",
        13 => "the disk is full",
        14 => "the database cannot be opened; its folder must be writable too",
        26 => "the file is not a SQLite database",
        _ => return None,
    })
}

async fn check_postgres(url: &str) -> Result<(), String> {
    let options: PgConnectOptions = url
        .parse()
        .map_err(|error: sqlx::Error| format!("the URL is invalid: {error}"))?;
    let attempt = async {
        let mut connection = options.connect().await?;
        let is_read_only = is_read_only(&mut connection).await?;
        connection.close().await?;
        Ok(is_read_only)
    };
    match timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(Ok(false)) => Ok(()),
        Ok(Ok(true)) => Err("the database is read-only, like a standby".to_owned()),
        Ok(Err(error)) => Err(postgres_cause(&error, &options)),
        Err(_elapsed) => Err(format!(
            "the server does not respond within {} s",
            CONNECT_TIMEOUT.as_secs()
        )),
    }
}

async fn is_read_only(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT current_setting('transaction_read_only') = 'on'");
    row.fetch_one(connection).await?.try_get(0)
}

fn postgres_cause(error: &sqlx::Error, options: &PgConnectOptions) -> String {
    match error {
        sqlx::Error::Io(error) => io_cause(error),
        sqlx::Error::Database(error) => {
            let user = options.get_username();
            match error.code().as_deref() {
                Some("28P01") => format!("the password of the user {user} is wrong"),
                Some("28000") => format!("the user {user} may not connect ({})", error.message()),
                Some("3D000") => {
                    let database = options.get_database().unwrap_or(user);
                    format!("the server has no database {database}")
                }
                _ => error.message().to_owned(),
            }
        }
        other => other.to_string(),
    }
}

/// The cause of a connection that failed. The resolver of the standard library has no kind for unknown hosts.
fn io_cause(error: &io::Error) -> String {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::ConnectionRefused => "no server listens there (connection refused)".to_owned(),
        ErrorKind::NotFound => "there is no such socket".to_owned(),
        _ if text.contains("lookup address") => format!("there is no such host ({text})"),
        _ => text,
    }
}

/// The cause of an error of a statement, as far as it concerns the whole database.
#[must_use]
pub fn cause(error: &DbErr) -> Option<&'static str> {
    let (DbErr::Conn(source) | DbErr::Exec(source) | DbErr::Query(source)) = error else {
        return None;
    };
    let RuntimeErr::SqlxError(source) = source else {
        return None;
    };
    let sqlx::Error::Database(error) = source.as_ref() else {
        return None;
    };
    let code = error.code()?;
    match &*code {
        "25006" => Some("the database is read-only, like a standby"),
        "53100" => Some("the disk of the database is full"),
        "XX001" | "XX002" => Some("the database is damaged; restore a backup"),
        // The codes of SQLite are shorter than those of PostgreSQL.
        code if code.len() < 5 => sqlite_cause(code.parse().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_password() {
        for (url, place_of) in [
            ("sqlite:data/heddle.sqlite", "data/heddle.sqlite"),
            ("sqlite:/srv/a b.sqlite?mode=rwc", "/srv/a b.sqlite"),
            (
                "postgres://heddle:secret@db:5433/loom?sslmode=disable",
                "postgres://heddle@db:5433/loom",
            ),
            ("postgresql://weaver@db", "postgres://weaver@db:5432/weaver"),
        ] {
            assert_eq!(place(url), place_of);
        }
    }
}
