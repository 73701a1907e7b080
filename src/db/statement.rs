//! SQL text: portable placeholders, and functions that run a statement and decode its rows.

use sea_orm::{
    ConnectionTrait, DbBackend, FromQueryResult, QueryResult, Statement, TryGetableMany, Value,
};

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

/// Returns the values of a statement that binds one value and then a list.
pub fn bind<K: Copy + Into<Value>>(first: impl Into<Value>, list: &[K]) -> Vec<Value> {
    let mut values = vec![first.into()];
    values.extend(list.iter().map(|&item| item.into()));
    values
}

/// Runs SQL written with `?` and decodes every row as a `T`, by the names of the columns.
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

/// Runs SQL written with `?` and collects the rows, each a tuple of its columns, or its only column.
pub async fn fetch_tuples<T, R, C, I>(db: &C, text: &str, values: I) -> Result<R, Error>
where
    T: TryGetableMany,
    R: FromIterator<T>,
    C: ConnectionTrait,
    I: IntoIterator<Item = Value> + Send,
{
    let statement = sql(db.get_database_backend(), text, values);
    let rows = db.query_all_raw(statement).await?;
    let rows = rows.iter().map(QueryResult::try_get_many_by_index);
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Runs SQL written with `?` and returns the first row, if there is one: a tuple of its columns, or its only column.
pub async fn fetch_one<T, C, I>(db: &C, text: &str, values: I) -> Result<Option<T>, Error>
where
    T: TryGetableMany,
    C: ConnectionTrait,
    I: IntoIterator<Item = Value> + Send,
{
    let row = db
        .query_one_raw(sql(db.get_database_backend(), text, values))
        .await?;
    Ok(row.map(|row| row.try_get_many_by_index()).transpose()?)
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
