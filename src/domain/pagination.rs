//! Page requests, and statements that read pages of several lists together. Cursors of the API are in `graphql`.

use std::{collections::HashMap, fmt::Write as _, hash::Hash};

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QuerySelect, QueryTrait, Select,
    Statement, Value, Values, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    db::{self, PageSource, RowRef},
    entity::partial::{self, Columns},
    error::Error,
};

/// Lists that one statement reads at most; SQLite allows 500 terms in a compound SELECT.
const LISTS_PER_STATEMENT: usize = 100;

/// The end of a list from which a page is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first item forwards.
    First,
    /// From the last item backwards.
    Last,
}

/// A request for one page of a list that is ordered by a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageRequest<K> {
    /// Only items after this key.
    pub after: Option<K>,
    /// Only items before this key.
    pub before: Option<K>,
    /// The end to count from.
    pub end: Direction,
    /// The number of items.
    pub size: usize,
}

/// The items of one page, in list order.
#[derive(Clone, Debug)]
pub struct Slice<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether more items follow in the direction of the request.
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
    /// Requests `size` items from one end of the list.
    #[must_use]
    pub fn end(end: Direction, size: usize) -> Self {
        Self {
            after: None,
            before: None,
            end,
            size,
        }
    }

    /// The request for the first item of the list, if a cursor separates this page from it.
    #[must_use]
    pub fn list_start(&self) -> Option<Self>
    where
        K: Clone,
    {
        self.after.as_ref()?;
        Some(Self {
            before: self.before.clone(),
            ..Self::end(Direction::First, 1)
        })
    }

    /// The request for the last item of the list, if a cursor separates this page from it.
    #[must_use]
    pub fn list_end(&self) -> Option<Self>
    where
        K: Clone,
    {
        self.before.as_ref()?;
        Some(Self {
            after: self.after.clone(),
            ..Self::end(Direction::Last, 1)
        })
    }

    /// The same page with its keys in another form.
    pub fn map<L>(self, convert: impl Fn(K) -> L) -> PageRequest<L> {
        PageRequest {
            after: self.after.map(&convert),
            before: self.before.map(&convert),
            end: self.end,
            size: self.size,
        }
    }

    /// The number of rows to select: one more than the page, to learn whether more follow.
    #[must_use]
    pub fn limit(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(0) + 1
    }

    /// Converts the rows of a statement, which are in the direction of the request, to a page in list order.
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

    /// Divides the rows of several lists into a page of each.
    pub fn parts<T, L: Eq + Hash>(
        &self,
        rows: Vec<T>,
        list: impl Fn(&T) -> L,
    ) -> HashMap<L, Slice<T>> {
        let mut lists: HashMap<L, Vec<T>> = HashMap::new();
        for row in rows {
            lists.entry(list(&row)).or_default().push(row);
        }
        let lists = lists.into_iter();
        lists.map(|(list, rows)| (list, self.part(rows))).collect()
    }
}

impl<K: Clone + Into<Value>> PageRequest<K> {
    /// The conditions, order and limit that select this page from a table of many lists, with their values. The text
    /// follows other conditions. `list` is the column that identifies the list, with its value; `key` is the column
    /// that orders it; `descending` is the order of the list.
    ///
    /// The list column is compared as a range (`>=` and `<=` the value) and is part of the order. PostgreSQL plans
    /// without values: given an equality, where lists are short on average, it collects the list, sorts it and takes
    /// the page from the result, which is very slow for the one list that has a million rows. It expects many rows of
    /// a range.
    #[must_use]
    pub fn sql(&self, list: (&str, Value), key: &str, descending: bool) -> (String, Vec<Value>) {
        self.sql_from(list, key, descending, None)
    }

    /// The conditions, order and limit that select this page from the rows of other conditions, where no index returns
    /// the rows in order.
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

    /// [`PageRequest::sql`] for a list whose first visible key is the SQL expression `start`, with its values. Other
    /// conditions already exclude the earlier rows; this bound keeps the database from reading them.
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
                    // A sum has no affinity. Compared with a column of another table, SQLite would use only the list
                    // column of the index.
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

/// Reads a row and a list with one statement. Returns `None` when the row does not exist. In the result, the `width`
/// columns of the list follow those of the row; `read` gets their first index.
pub async fn fetch_with_parent<E, C, T>(
    db: &C,
    parent: Select<E>,
    (list, more): (String, Vec<Value>),
    width: usize,
    read: impl Fn(&RowRef<'_>, usize) -> Result<T, DbErr>,
) -> Result<Option<(E::Model, Vec<T>)>, Error>
where
    E: EntityTrait<Model: Default>,
    C: PageSource,
{
    let backend = db.get_database_backend();
    let columns = Columns::<E::Column>::all();
    let columns_of = |select: Select<E>, column| select.expr(Expr::col((E::default(), column)));
    let parent = columns.names().fold(parent.select_only(), columns_of);
    let parent = parent.build(backend);
    let mut values = parent.values.map_or_else(Vec::new, |Values(values)| values);
    let before = u32::try_from(values.len()).map_err(Error::internal)?;
    let nulls = |count| vec!["NULL"; count].join(", ");
    let text = format!(
        "SELECT head.*, {} FROM ({}) AS head UNION ALL SELECT {}, list.* FROM ({}) AS list",
        nulls(width),
        parent.sql,
        nulls(columns.len()),
        db::number_placeholders_after(before, backend, &list)
    );
    values.extend(more);
    let statement = Statement::from_sql_and_values(backend, text, values);
    let rows = db::fetch_page(db, statement, |row| {
        Ok(match row.get::<Option<Uuid>>(0)? {
            Some(_) => (Some(Box::new(partial::read_whole(row, 0)?)), None),
            None => (None, Some(read(row, columns.len())?)),
        })
    });
    let rows = rows.await?;
    let (mut parent, mut items): (Option<Box<E::Model>>, _) =
        (None, Vec::with_capacity(rows.len()));
    for (found, item) in rows {
        parent = parent.or(found);
        items.extend(item);
    }
    Ok(parent.map(|parent| (*parent, items)))
}

/// Reads several lists with one statement: SQL, because each `SELECT` of the union has its own order and limit.
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

/// [`union_all`] for rows that the caller decodes.
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
