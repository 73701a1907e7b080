//! SQL text: portable placeholders, and functions that run a statement and decode its rows.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use crate::error::Error;

/// Builds a statement from SQL that uses `?` as its placeholder on both databases.
#[must_use]
pub fn sql<I>(backend: DbBackend, text: &str, values: I) -> Statement
where
    I: IntoIterator<Item = Value>,
{
    Statement::from_sql_and_values(backend, number_placeholders(backend, text), values)
}

/// Replaces every `?` with `$1`, `$2`, … on PostgreSQL; SQLite keeps `?`.
#[must_use]
pub fn number_placeholders(backend: DbBackend, text: &str) -> String {
    number_placeholders_after(0, backend, text)
}

/// Numbers the placeholders of a fragment that follows `before` placeholders.
#[must_use]
pub fn number_placeholders_after(before: u32, backend: DbBackend, text: &str) -> String {
    if backend != DbBackend::Postgres {
        return text.to_owned();
    }
    let mut pieces = text.split('?');
    let mut numbered = String::with_capacity(text.len() + 64);
    numbered.push_str(pieces.next().unwrap_or_default());
    for (number, piece) in (before + 1..).zip(pieces) {
        numbered.push('$');
        numbered.push_str(&number.to_string());
        numbered.push_str(piece);
    }
    numbered
}

/// Returns `?, ?, ?` for a list of `count` values.
#[must_use]
pub fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// Runs SQL written with `?` and decodes every row as a `T`.
pub async fn fetch_all<T, C, I>(db: &C, text: &str, values: I) -> Result<Vec<T>, Error>
where
    T: FromQueryResult,
    C: ConnectionTrait,
    I: IntoIterator<Item = Value> + Send,
{
    let statement = sql(db.get_database_backend(), text, values);
    let rows = db.query_all_raw(statement).await?;
    Ok(rows
        .iter()
        .map(|row| T::from_query_result(row, ""))
        .collect::<Result<_, _>>()?)
}

/// Runs SQL written with `?` and decodes the first row, if there is one.
pub async fn fetch_one<T, C, I>(db: &C, text: &str, values: I) -> Result<Option<T>, Error>
where
    T: FromQueryResult,
    C: ConnectionTrait,
    I: IntoIterator<Item = Value> + Send,
{
    let row = db
        .query_one_raw(sql(db.get_database_backend(), text, values))
        .await?;
    Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
}

/// Runs SQL written with `?` and returns the number of affected rows.
pub async fn execute<C, I>(db: &C, text: &str, values: I) -> Result<u64, Error>
where
    C: ConnectionTrait,
    I: IntoIterator<Item = Value> + Send,
{
    Ok(db
        .execute_raw(sql(db.get_database_backend(), text, values))
        .await?
        .rows_affected())
}
