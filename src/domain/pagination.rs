//! Which part of a list is wanted, and how rows of many lists are read by one statement.

use std::fmt::Write as _;

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QuerySelect, QueryTrait, Select,
    Statement, Value, Values, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    db::{self, PageSource, RowRef},
    error::Error,
};

/// Lists that one statement reads at most; `SQLite` allows 500 in one.
const LISTS_PER_STATEMENT: usize = 100;

/// Which end of a list a page is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first item on.
    First,
    /// Up to the last item.
    Last,
}

/// A part of a list that is ordered by a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageRequest<K> {
    /// Only items after this key.
    pub after: Option<K>,
    /// Only items before this key.
    pub before: Option<K>,
    /// Where to count from.
    pub end: Direction,
    /// How many.
    pub size: usize,
}

/// Items of a span, in list order, and whether more lie beyond the end that was not counted from.
#[derive(Clone, Debug)]
pub struct Slice<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether the list goes on beyond the span's far side.
    pub has_more: bool,
}

impl<T> Default for Slice<T> {
    fn default() -> Self {
        Self {
            items: vec![],
            has_more: false,
        }
    }
}

impl<K> PageRequest<K> {
    /// So many from an end of the list.
    #[must_use]
    pub fn end(end: Direction, size: usize) -> Self {
        Self {
            after: None,
            before: None,
            end,
            size,
        }
    }

    /// Rows to ask for: one more than the page, which tells whether more follow.
    #[must_use]
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// The rows that a statement gave, in the direction it was counted in, as the part they are.
    #[must_use]
    pub fn part<T>(&self, mut rows: Vec<T>) -> Slice<T> {
        let has_more = rows.len() > self.size;
        rows.truncate(self.size);
        if self.end == Direction::Last {
            rows.reverse();
        }
        Slice {
            items: rows,
            has_more,
        }
    }
}

impl<K: Clone + Into<Value>> PageRequest<K> {
    /// The conditions, order and limit of this span of a list that is one of many in a table, with their values:
    /// `list` is the column that tells lists apart and which one is meant, `key` the column that sorts it. They follow
    /// other conditions. `descending` is the list's own order.
    ///
    /// The list is not said to equal what is meant but to lie between it and itself, and is sorted by. PostgreSQL
    /// plans without values: where lists are short on average it would collect one, sort it and take the page from that,
    /// which is ruin for the one list that has a million. What lies between two values it takes for many.
    #[must_use]
    pub fn sql(&self, list: (&str, Value), key: &str, descending: bool) -> (String, Vec<Value>) {
        self.sql_from(list, key, descending, None)
    }

    /// The same of what other conditions leave, where no index has it in order.
    #[must_use]
    pub fn sorted(&self, key: &str, descending: bool) -> (String, Vec<Value>) {
        let (later, earlier) = if descending { ("<", ">") } else { (">", "<") };
        let mut text = String::new();
        let mut values = vec![];
        for (bound, sign) in [(&self.after, later), (&self.before, earlier)] {
            if let Some(bound) = bound {
                let _ = write!(text, " AND {key} {sign} ?");
                values.push(bound.clone().into());
            }
        }
        let direction = self.direction(descending);
        let _ = write!(text, " ORDER BY {key} {direction} LIMIT ?");
        values.push(self.limit().into());
        (text, values)
    }

    fn direction(&self, descending: bool) -> &'static str {
        let backwards = descending != (self.end == Direction::Last);
        if backwards { "DESC" } else { "ASC" }
    }

    /// [`PageRequest::sql`] of a list that begins for the viewer where the SQL in `start`, with its values, says. Other
    /// conditions leave out what lies before; that it is not even looked at is what this is for.
    #[must_use]
    pub fn sql_from(
        &self,
        list: (&str, Value),
        key: &str,
        descending: bool,
        start: Option<(&str, Vec<Value>)>,
    ) -> (String, Vec<Value>) {
        let (list, of) = list;
        let (lowest, highest) = if descending {
            (&self.before, &self.after)
        } else {
            (&self.after, &self.before)
        };
        let mut text = String::new();
        let mut values = vec![];
        for (bound, sign, start) in [(lowest, ">", start), (highest, "<", None)] {
            values.push(of.clone());
            let _ = match (bound, start) {
                (Some(bound), _) => {
                    values.push(bound.clone().into());
                    write!(text, " AND ({list}, {key}) {sign} (?, ?)")
                }
                (None, Some((start, more))) => {
                    values.extend(more);
                    // A sum has no affinity; beside a column of another table SQLite would search for the list alone.
                    write!(text, " AND ({list}, {key}) {sign}= (?, {start} + 0)")
                }
                (None, None) => write!(text, " AND {list} {sign}= ?"),
            };
        }
        let direction = self.direction(descending);
        let _ = write!(
            text,
            " ORDER BY {list} {direction}, {key} {direction} LIMIT ?"
        );
        values.push(self.limit().into());
        (text, values)
    }
}

/// Reads these columns of a row, `id` first, and a list, by one statement; none when there is no such row. The list's
/// rows have `width` columns of their own, behind those.
pub async fn fetch_with_parent<E, C, H, T>(
    db: &C,
    (head, columns): (Select<E>, &[&'static str]),
    (list, more): (String, Vec<Value>),
    width: usize,
    (read_head, read): (
        impl Fn(&RowRef<'_>) -> Result<H, DbErr>,
        impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
    ),
) -> Result<Option<(H, Vec<T>)>, Error>
where
    E: EntityTrait,
    C: PageSource,
{
    enum Row<H, T> {
        Head(H),
        Item(T),
    }
    let backend = db.get_database_backend();
    let columns_of = |select: Select<E>, &column| select.expr(Expr::col((E::default(), column)));
    let head = columns.iter().fold(head.select_only(), columns_of);
    let head = head.build(backend);
    let mut values = head.values.map_or_else(Vec::new, |Values(values)| values);
    let before = u32::try_from(values.len()).map_err(Error::internal)?;
    let nulls = |count| vec!["NULL"; count].join(", ");
    let text = format!(
        "SELECT head.*, {} FROM ({}) AS head UNION ALL SELECT {}, list.* FROM ({}) AS list",
        nulls(width),
        head.sql,
        nulls(columns.len()),
        db::number_placeholders_after(before, backend, &list)
    );
    values.extend(more);
    let statement = Statement::from_sql_and_values(backend, text, values);
    let rows = db::fetch_page(db, statement, |row| {
        Ok(match row.get::<Option<Uuid>>(0)? {
            Some(_) => Row::Head(read_head(row)?),
            None => Row::Item(read(row)?),
        })
    });
    let (mut head, mut items) = (None, vec![]);
    for row in rows.await? {
        match row {
            Row::Head(found) => head = Some(found),
            Row::Item(item) => items.push(item),
        }
    }
    Ok(head.map(|head| (head, items)))
}

/// Reads several lists by one statement: each `SELECT` with its own order and limit.
pub async fn union_all<T, C>(db: &C, selects: Vec<(String, Vec<Value>)>) -> Result<Vec<T>, Error>
where
    T: FromQueryResult,
    C: ConnectionTrait,
{
    let mut rows = vec![];
    for chunk in selects.chunks(LISTS_PER_STATEMENT) {
        let (text, values) = union_all_sql(chunk);
        rows.extend(db::fetch_all(db, &text, values).await?);
    }
    Ok(rows)
}

/// The same of rows that only the caller can read.
pub async fn union_all_with<T, C: PageSource>(
    db: &C,
    selects: Vec<(String, Vec<Value>)>,
    read: impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
) -> Result<Vec<T>, Error> {
    let mut rows = vec![];
    for chunk in selects.chunks(LISTS_PER_STATEMENT) {
        let (text, values) = union_all_sql(chunk);
        let statement = db::sql(db.get_database_backend(), &text, values);
        rows.extend(db::fetch_page(db, statement, &read).await?);
    }
    Ok(rows)
}

fn union_all_sql(selects: &[(String, Vec<Value>)]) -> (String, Vec<Value>) {
    let list = |(text, _): &(String, _)| format!("SELECT * FROM ({text}) AS list");
    let texts: Vec<_> = selects.iter().map(list).collect();
    let values = selects.iter().flat_map(|(_, values)| values.clone());
    (texts.join(" UNION ALL "), values.collect())
}
