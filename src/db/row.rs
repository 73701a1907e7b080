//! The cells of a row, whoever read it. No rules.

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use sea_orm::{
    DbErr, QueryResult, TryGetable, Value,
    sea_query::{ArrayType, ValueType},
};
use uuid::Uuid;

/// A row that is being read.
#[derive(Debug)]
pub enum RowRef<'a> {
    /// In the ordinary way.
    Ordinary(&'a QueryResult),
    /// On the thread that asks.
    SqliteReads(&'a rusqlite::Row<'a>),
}

impl RowRef<'_> {
    /// What stands in a column. Fails when that is something else.
    pub fn get<T: TryGetable + ValueType>(&self, index: usize) -> Result<T, DbErr> {
        match self {
            Self::Ordinary(row) => Ok(row.try_get_by_index(index)?),
            Self::SqliteReads(row) => {
                let found = row.get_ref(index).ok();
                let value = found.and_then(|found| value(T::array_type(), found));
                value
                    .and_then(|value| T::try_from(value).ok())
                    .ok_or_else(|| DbErr::Type(format!("column {index} holds something else")))
            }
        }
    }
}

/// What SQLite holds, as the ordinary driver would have stored it.
fn value(kind: ArrayType, found: ValueRef<'_>) -> Option<Value> {
    Some(match (kind, found) {
        (ArrayType::Bool, ValueRef::Integer(number)) => Value::Bool(Some(number != 0)),
        (ArrayType::Int, ValueRef::Integer(number)) => Value::Int(Some(number.try_into().ok()?)),
        (ArrayType::BigInt, ValueRef::Integer(number)) => Value::BigInt(Some(number)),
        (ArrayType::String, ValueRef::Text(text)) => {
            Value::String(Some(str::from_utf8(text).ok()?.to_owned()))
        }
        (ArrayType::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(Some(bytes.to_owned())),
        (ArrayType::Uuid, ValueRef::Blob(bytes)) => {
            Value::Uuid(Some(Uuid::from_slice(bytes).ok()?))
        }
        (ArrayType::ChronoDateTimeUtc, ValueRef::Text(text)) => {
            let time = DateTime::parse_from_rfc3339(str::from_utf8(text).ok()?).ok()?;
            Value::ChronoDateTimeUtc(Some(time.with_timezone(&Utc)))
        }
        (kind, ValueRef::Null) => match kind {
            ArrayType::Bool => Value::Bool(None),
            ArrayType::Int => Value::Int(None),
            ArrayType::BigInt => Value::BigInt(None),
            ArrayType::String => Value::String(None),
            ArrayType::Bytes => Value::Bytes(None),
            ArrayType::Uuid => Value::Uuid(None),
            ArrayType::ChronoDateTimeUtc => Value::ChronoDateTimeUtc(None),
            _ => return None,
        },
        _ => return None,
    })
}
