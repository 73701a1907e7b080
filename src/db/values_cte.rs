//! Values as a table, so that one statement does for many what it would do for one. No rules.

use sea_orm::Value;

use super::statement::placeholders;

/// A table of values that a statement begins with.
#[derive(Clone, Debug)]
pub struct ValuesCte {
    /// `name (…) AS (VALUES …)`, to follow WITH.
    pub text: String,
    /// What it binds. Whatever else the statement binds comes after them.
    pub values: Vec<Value>,
}

impl ValuesCte {
    /// A table with this name and these columns, `name (a, b)`, and these rows, of which there is at least one.
    ///
    /// It is filled up with rows of NULL to a power of two: each length is a statement of its own, which the
    /// database has to prepare and the connection has to keep. Whoever reads the table leaves those rows out.
    pub fn new<const COLUMNS: usize>(
        head: &str,
        rows: impl IntoIterator<Item = [Value; COLUMNS]>,
    ) -> Self {
        let mut values: Vec<Value> = rows.into_iter().flatten().collect();
        let length = values.len() / COLUMNS;
        // NULL of the same types: PostgreSQL is told the types of parameters, not their values.
        let nothing: Vec<Value> = values.iter().take(COLUMNS).map(Value::as_null).collect();
        let missing = length.next_power_of_two() - length;
        values.extend(std::iter::repeat_n(nothing, missing).flatten());
        let row = format!("({})", placeholders(COLUMNS));
        let rows = vec![row; length + missing].join(", ");
        Self {
            text: format!("{head} AS (VALUES {rows})"),
            values,
        }
    }

    /// Both tables, one after the other.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.text.push_str(", ");
        self.text.push_str(&other.text);
        self.values.extend(other.values);
        self
    }

    /// What the whole statement binds, with these values after those of the table.
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
    fn a_table_is_as_long_as_one_of_few_lengths() {
        let row = |number: i32| [Value::from(number), Value::from("word")];
        let one = ValuesCte::new("v (a, b)", [row(1)]);
        assert_eq!(one.text, "v (a, b) AS (VALUES (?, ?))");
        let three = ValuesCte::new("v (a, b)", [row(1), row(2), row(3)]);
        assert_eq!(three.text.matches("(?, ?)").count(), 4);
        assert_eq!(three.values.len(), 8);
        assert_eq!(three.values[6..], [Value::Int(None), Value::String(None)]);
    }
}
