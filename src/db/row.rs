//! A row of a page, independent of the driver that read it.

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use sea_orm::{
    DbErr, QueryResult, TryGetable, Value,
    sea_query::{ArrayType, ValueType},
};
use uuid::Uuid;

/// A row of one of the two drivers.
#[derive(Debug)]
pub enum RowRef<'a> {
    /// A row of sqlx.
    Sqlx(&'a QueryResult),
    /// A row of rusqlite, read on the calling thread.
    Rusqlite(&'a rusqlite::Row<'a>),
}

impl RowRef<'_> {
    /// Returns the value of a column. Fails if it has another type.
    pub fn get<T: TryGetable + ValueType>(&self, index: usize) -> Result<T, DbErr> {
        match self {
            Self::Sqlx(row) => Ok(row.try_get_by_index(index)?),
            Self::Rusqlite(_) => {
                let value = self.value(T::array_type(), index)?;
                T::try_from(value).ok().ok_or_else(|| other_type(index))
            }
        }
    }

    /// Returns the value of a column as this type, or its null. Fails if it has another type.
    pub fn value(&self, kind: ArrayType, index: usize) -> Result<Value, DbErr> {
        match self {
            Self::Sqlx(row) => Ok(match kind {
                ArrayType::Bool => row.try_get_by_index::<Option<bool>>(index)?.into(),
                ArrayType::Int => row.try_get_by_index::<Option<i32>>(index)?.into(),
                ArrayType::BigInt => row.try_get_by_index::<Option<i64>>(index)?.into(),
                ArrayType::String => row.try_get_by_index::<Option<String>>(index)?.into(),
                ArrayType::Bytes => row.try_get_by_index::<Option<Vec<u8>>>(index)?.into(),
                ArrayType::Uuid => row.try_get_by_index::<Option<Uuid>>(index)?.into(),
                ArrayType::ChronoDateTimeUtc => {
                    row.try_get_by_index::<Option<DateTime<Utc>>>(index)?.into()
                }
                _ => return Err(other_type(index)),
            }),
            Self::Rusqlite(row) => {
                let stored = row.get_ref(index).ok();
                stored
                    .and_then(|stored| value(kind, stored))
                    .ok_or_else(|| other_type(index))
            }
        }
    }
}

fn other_type(index: usize) -> DbErr {
    DbErr::Type(format!("column {index} has another type"))
}

/// Converts a value of SQLite as sqlx does.
fn value(kind: ArrayType, stored: ValueRef<'_>) -> Option<Value> {
    Some(match (kind, stored) {
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
