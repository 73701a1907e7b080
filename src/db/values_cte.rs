//! Values as a common table expression, so that one statement processes several rows.

use sea_orm::Value;

use super::statement::placeholders;

/// A common table expression of values.
#[derive(Clone, Debug)]
pub struct ValuesCte {
    /// The text `name (…) AS (VALUES …)`, which follows WITH.
    pub text: String,
    /// The values that it binds. They precede all other values of the statement.
    pub values: Vec<Value>,
}

impl ValuesCte {
    /// Creates a table with a head, `name (a, b)`, and at least one row.
    ///
    /// Rows of NULL are added up to a power of two, because each length is a separate prepared statement. Statements
    /// must skip these rows.
    pub fn new<R: IntoIterator<Item = Value>>(
        head: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        let (mut length, mut values) = (0_usize, vec![]);
        for row in rows {
            length += 1;
            values.extend(row);
        }
        let columns = values.len() / length.max(1);
        // NULL of the same types, because PostgreSQL prepares a statement with the types of its parameters.
        let nulls: Vec<Value> = values.iter().take(columns).map(Value::as_null).collect();
        let missing = length.next_power_of_two() - length;
        values.extend(std::iter::repeat_n(nulls, missing).flatten());
        let row = format!("({})", placeholders(columns));
        let rows = vec![row; length + missing].join(", ");
        Self {
            text: format!("{head} AS (VALUES {rows})"),
            values,
        }
    }

    /// Appends another table.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.text.push_str(", ");
        self.text.push_str(&other.text);
        self.values.extend(other.values);
        self
    }

    /// Returns all values of the statement: those of the table, then `more`.
    #[must_use]
    pub fn and(self, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let mut values = self.values;
        values.extend(more);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_table_is_a_power_of_two() {
        let row = |number: i32| [Value::from(number), Value::from("word")];
        let one = ValuesCte::new("v (a, b)", [row(1)]);
        assert_eq!(one.text, "v (a, b) AS (VALUES (?, ?))");
        let three = ValuesCte::new("v (a, b)", [row(1), row(2), row(3)]);
        assert_eq!(three.text.matches("(?, ?)").count(), 4);
        assert_eq!(three.values.len(), 8);
        assert_eq!(three.values[6..], [Value::Int(None), Value::String(None)]);
    }
}
