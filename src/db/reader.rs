//! What reads, beside whatever writes. No rules.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use super::{Cells, Tx, in_place::InPlace};
use crate::error::Error;

/// What reads, beside whatever writes.
#[derive(Clone, Debug)]
pub struct Reader {
    inner: DatabaseConnection,
    in_place: Option<InPlace>,
}

impl Reader {
    pub(super) fn new(inner: DatabaseConnection) -> Self {
        Self {
            inner,
            in_place: None,
        }
    }

    /// The same, for the database at this address, reading pages on the thread that asks when this is SQLite.
    pub(super) fn in_place(self, url: &str) -> Self {
        let in_place = match self.get_database_backend() {
            DbBackend::Sqlite => InPlace::of(url),
            _ => None,
        };
        Self { in_place, ..self }
    }

    /// The connections that everything else is read on.
    #[must_use]
    pub fn ordinary(&self) -> &DatabaseConnection {
        &self.inner
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        if let Some(in_place) = self.in_place {
            in_place.close();
        }
        self.inner.close().await
    }
}

/// Whatever pages of lists are read from.
pub trait Pages: ConnectionTrait {
    /// Where they are read on the thread that asks, if they are.
    fn in_place(&self) -> Option<&InPlace> {
        None
    }
}

/// Reads every row of a page.
pub async fn page<T, C: Pages>(
    db: &C,
    statement: Statement,
    read: impl Fn(&Cells<'_>) -> Result<T, DbErr>,
) -> Result<Vec<T>, Error> {
    let in_place = db.in_place();
    if let Some(rows) = in_place.and_then(|in_place| in_place.read(&statement, &read)) {
        return Ok(rows);
    }
    let rows = db.query_all_raw(statement).await?;
    let read = |row| read(&Cells::Ordinary(row));
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

asks_inner!(Reader);

impl Pages for Tx {}

impl Pages for DatabaseConnection {}

impl Pages for Reader {
    fn in_place(&self) -> Option<&InPlace> {
        self.in_place.as_ref()
    }
}
