//! The custom scalars of the schema.

use std::ops::RangeInclusive;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike, SecondsFormat, SubsecRound, TimeDelta, Timelike, Utc};

/// The first and the last year that RFC 3339 can write.
const YEARS: RangeInclusive<i32> = 0..=9999;

/// An instant in UTC with at most millisecond precision, e.g. 2026-11-20T19:52:00.123Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// An instant in UTC with at most millisecond precision, e.g. 2026-11-20T19:52:00.123Z.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else {
            return Err(InputValueError::expected_type(value));
        };
        instant(&text).map(Self).ok_or_else(|| {
            InputValueError::custom("Expected an instant such as 2026-11-20T19:52:00.123Z.")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// Parses an instant of RFC 3339, whose year in UTC has four digits.
fn instant(text: &str) -> Option<chrono::DateTime<Utc>> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    let time = without_leap_second(time.with_timezone(&Utc).trunc_subsecs(3))?;
    YEARS.contains(&time.year()).then_some(time)
}

/// Returns the instant in POSIX time, in which a leap second does not exist: it becomes the first second of the next
/// day, as in PostgreSQL. `None` if it cannot be a leap second, which RFC 3339 (5.7) allows at the end of a month.
fn without_leap_second(time: chrono::DateTime<Utc>) -> Option<chrono::DateTime<Utc>> {
    let Some(nanos) = time.nanosecond().checked_sub(1_000_000_000) else {
        return Some(time);
    };
    let next = time.with_nanosecond(0)? + TimeDelta::seconds(1);
    let ends_month = next.day() == 1 && next.num_seconds_from_midnight() == 0;
    ends_month.then_some(next)?.with_nanosecond(nanos)
}

impl From<chrono::DateTime<Utc>> for DateTime {
    fn from(time: chrono::DateTime<Utc>) -> Self {
        Self(time)
    }
}

/// A sanitised HTML fragment that is safe to insert into a page as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Html(pub String);

/// A sanitised HTML fragment that is safe to insert into a page as it is.
#[Scalar(name = "HTML", specified_by_url = "https://html.spec.whatwg.org/")]
impl ScalarType for Html {
    fn parse(value: Value) -> InputValueResult<Self> {
        Err(InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_four_digits_of_year_and_a_leap_second_only_at_the_end_of_a_month() {
        for (text, expected) in [
            ("2026-11-20T19:52:00.1239Z", "2026-11-20T19:52:00.123Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500Z"),
            ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        ] {
            let time = DateTime::parse(Value::from(text)).unwrap();
            assert_eq!(time.to_value(), Value::from(expected), "{text}");
        }
        for text in [
            "2016-12-31T12:34:60Z",
            "2016-12-30T23:59:60Z",
            "2016-12-31T23:59:61Z",
            "9999-12-31T23:59:60Z",
            "9999-12-31T23:59:59-00:01",
            "0000-01-01T00:00:00+00:01",
            "10000-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
        ] {
            assert!(DateTime::parse(Value::from(text)).is_err(), "{text}");
        }
    }
}
