//! A file outside of the database that records how far its log was read. When the database is replaced by an earlier
//! copy, the two disagree. When the file is replaced too, it is no longer the file that it names.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::Read,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use chrono::TimeDelta;

use sea_orm::{DbBackend, EntityTrait, QuerySelect, sea_query::Expr};

use super::{
    epoch::{self, LogEpoch},
    log_reader::Log,
    position::LogPosition,
};
use crate::{clock::Clock, db::Db, entity::installation, error::Error};

/// The name of the file in the data folder.
const NAME: &str = "event-log.mark";
/// The length of its content, in bytes. It is overwritten in place, which needs no space on a full disk.
const LENGTH: usize = 160;
/// How much later than its content the file may have changed. Later, another program has written it.
const WRITE_TIME: TimeDelta = TimeDelta::seconds(2);

/// The open file.
#[derive(Debug)]
pub struct LogMark {
    file: File,
    clock: Clock,
    /// What identifies this file and that of the database.
    files: String,
    is_failing: AtomicBool,
}

/// What the file contains.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    epoch: LogEpoch,
    position: u64,
    /// In milliseconds since 1970.
    written_at: i64,
    files: String,
}

impl LogMark {
    /// Opens the file in this folder, and begins a new epoch if the database is not the one that the file describes.
    pub async fn open(db: &Db, clock: &Clock, folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let existed = path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::internal)?;
        let mut text = String::new();
        // What is not text is not this file's content.
        let _ = file.read_to_string(&mut text);
        let metadata = file.metadata().map_err(Error::internal)?;
        let mark = Self {
            files: format!("{}+{}", identity(&metadata), database_identity(db).await?),
            file,
            clock: clock.clone(),
            is_failing: AtomicBool::new(false),
        };
        let (mut epoch, end) = (epoch::current(db).await?, db.end().await?);
        let found = Content::parse(&text);
        let known = found
            .as_ref()
            .map_or(LogEpoch::default(), |found| found.epoch);
        let problem = match &found {
            // The nodes of a shared database may have new folders.
            None if db.backend() == DbBackend::Postgres => None,
            None if existed => Some("the mark in the data folder is damaged"),
            None => Some("the data folder has no mark"),
            Some(found) => mark.problem(found, &metadata, epoch, &end, db.backend()),
        };
        if let Some(problem) = problem {
            epoch = epoch::begin_after(db, known).await?;
            // A new log has no readers yet.
            if end.number() > 0 {
                tracing::warn!(
                    reason = problem,
                    "the database may have been restored, copied or moved: clients load their state again"
                );
            }
        }
        mark.write(epoch, &end);
        Ok(mark)
    }

    /// Why the database is not the one that this content describes.
    fn problem(
        &self,
        found: &Content,
        metadata: &Metadata,
        epoch: LogEpoch,
        end: &LogPosition,
        backend: DbBackend,
    ) -> Option<&'static str> {
        let is_shared = backend == DbBackend::Postgres;
        if is_shared && epoch.is_later_than(found.epoch) {
            // Another node has found it.
            return None;
        }
        if epoch != found.epoch {
            Some("the epoch of the database is another one")
        } else if found.position > end.number() {
            Some("the event log is shorter than before")
        } else if is_shared {
            // The folder of one node does not describe a shared database.
            None
        } else if found.files != self.files {
            Some("the files in the data folder are copies")
        } else if changed_at(metadata) > found.written_at + WRITE_TIME.num_milliseconds() {
            Some("another program has written the files in the data folder")
        } else {
            None
        }
    }

    /// Records that the log was read up to this position. Called before anything after an earlier position is
    /// delivered.
    pub(super) fn write(&self, epoch: LogEpoch, position: &LogPosition) {
        let content = Content {
            epoch,
            position: position.number(),
            written_at: self.clock.now().timestamp_millis(),
            files: self.files.clone(),
        };
        // Without synchronisation: a process that is killed loses nothing, and after a failure of the machine the
        // database contains more than the file states, or the file is damaged, which is found.
        let written = self.file.write_all_at(content.to_text().as_bytes(), 0);
        let was_failing = self.is_failing.swap(written.is_err(), Ordering::Relaxed);
        if let Err(error) = written
            && !was_failing
        {
            tracing::warn!(%error, "the mark of the event log cannot be written");
        }
    }
}

impl Content {
    fn to_text(&self) -> String {
        let text = format!(
            "{} {} {} {}",
            self.epoch.0, self.position, self.written_at, self.files
        );
        format!("{text:<width$}\n", width = LENGTH - 1)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_ascii_whitespace();
        let content = Self {
            epoch: LogEpoch(fields.next()?.parse().ok()?),
            position: fields.next()?.parse().ok()?,
            written_at: fields.next()?.parse().ok()?,
            files: fields.next()?.to_owned(),
        };
        (fields.next().is_none() && text.len() == LENGTH).then_some(content)
    }
}

/// Identifies a file: a copy has another number or another time of creation. File systems use a number again, and some
/// store no time of creation.
fn identity(metadata: &Metadata) -> String {
    let created = metadata.created().ok();
    let created = created.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let created: Duration = created.unwrap_or_default();
    format!("{}.{}", metadata.ino(), created.as_nanos())
}

/// Identifies the file of an SQLite database.
async fn database_identity(db: &Db) -> Result<String, Error> {
    if db.backend() == DbBackend::Postgres {
        return Ok("postgres".to_owned());
    }
    let file = "(SELECT file FROM pragma_database_list WHERE name = 'main')";
    let path: Option<Option<String>> = installation::Entity::find()
        .select_only()
        .expr_as(Expr::cust(file), "file")
        .into_tuple()
        .one(db.read())
        .await?;
    let path = path.flatten().filter(|path| !path.is_empty());
    Ok(match path.map(|path| PathBuf::from(path).metadata()) {
        None => "memory".to_owned(),
        Some(metadata) => identity(&metadata.map_err(Error::internal)?),
    })
}

/// When the content or the attributes of a file last changed, in milliseconds since 1970. No program can set it.
fn changed_at(metadata: &Metadata) -> i64 {
    metadata.ctime() * 1000 + metadata.ctime_nsec() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(folder: &Path) -> (LogMark, Metadata) {
        let file = File::create(folder.join(NAME)).unwrap();
        let metadata = file.metadata().unwrap();
        let mark = LogMark {
            file,
            clock: Clock::default(),
            files: "1.2+3.4".to_owned(),
            is_failing: AtomicBool::new(false),
        };
        (mark, metadata)
    }

    #[test]
    fn what_does_not_fit_is_a_problem() {
        const SQLITE: DbBackend = DbBackend::Sqlite;
        const POSTGRES: DbBackend = DbBackend::Postgres;
        let folder = tempfile::tempdir().unwrap();
        let (mark, metadata) = mark(folder.path());
        let (epoch, later) = (LogEpoch(5 << 32), LogEpoch(6 << 32));
        let content = |change: fn(&mut Content)| {
            let mut content = Content {
                epoch,
                position: 10,
                written_at: changed_at(&metadata),
                files: mark.files.clone(),
            };
            change(&mut content);
            content
        };
        let cases = [
            (content(|_| {}), epoch, false, false),
            (content(|content| content.position = 9), epoch, false, false),
            (content(|content| content.position = 11), epoch, true, true),
            // Another node has begun it; SQLite has no other nodes.
            (content(|content| content.position = 11), later, true, false),
            (
                content(|content| content.epoch = LogEpoch(7 << 32)),
                epoch,
                true,
                true,
            ),
            (
                content(|content| content.epoch = LogEpoch(5 << 32 | 1)),
                epoch,
                true,
                true,
            ),
            (
                content(|content| content.files = "1.2+3.5".to_owned()),
                epoch,
                true,
                false,
            ),
            // Another program has written the file in place.
            (
                content(|content| content.written_at -= 2001),
                epoch,
                true,
                false,
            ),
            (
                content(|content| content.written_at -= 1999),
                epoch,
                false,
                false,
            ),
        ];
        for (found, epoch, on_sqlite, on_postgres) in cases {
            let end = LogPosition::Position(10);
            for (backend, expected) in [(SQLITE, on_sqlite), (POSTGRES, on_postgres)] {
                let problem = mark.problem(&found, &metadata, epoch, &end, backend);
                assert_eq!(
                    problem.is_some(),
                    expected,
                    "{found:?} {epoch:?} {backend:?}"
                );
            }
        }
    }

    #[test]
    fn content_survives_its_text_form() {
        let content = Content {
            epoch: LogEpoch(i64::MAX),
            position: u64::MAX,
            written_at: i64::MAX,
            files: format!("{0}.{0}+{0}.{0}", u64::MAX),
        };
        let text = content.to_text();
        assert_eq!(text.len(), LENGTH);
        assert_eq!(Content::parse(&text), Some(content));
        for damaged in ["", "1 2 3", &text[..LENGTH / 2], &"\0".repeat(LENGTH)] {
            assert_eq!(Content::parse(damaged), None, "{damaged}");
        }
    }
}
