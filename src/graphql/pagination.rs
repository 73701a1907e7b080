//! Pagination: page sizes, opaque cursors and page information. Resolvers never use offsets.

use std::{borrow::Cow, fmt, sync::Arc};

use async_graphql::{
    Context, ContextSelectionSet, OutputType, Positioned, ServerResult, SimpleObject, Value,
    parser::types::Field, registry::Registry,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Datelike;
use futures_util::future::OptionFuture;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    domain::pagination::{Direction, PageRequest, Slice},
    error::{Error, Problem},
    graphql::errors::{FieldError, Result},
};

/// The largest page.
pub const MAX_PAGE: i32 = 100;

/// The position of a page in its list. Use `first` with `after` to page forwards and `last` with `before` to
/// page backwards. Sizes are from 1 to 100, and an omitted size means the field's default. Cursors are
/// opaque and stay valid while the list's other arguments are unchanged.
#[derive(SimpleObject, Clone, Debug)]
pub struct PageInfo {
    /// Whether items follow the last edge.
    pub has_next_page: bool,
    /// Whether items precede the first edge.
    pub has_previous_page: bool,
    /// Cursor of the first edge; null on an empty page.
    pub start_cursor: Option<String>,
    /// Cursor of the last edge; null on an empty page.
    pub end_cursor: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items with their cursors, in list order.
    pub items: Vec<(Cursor, T)>,
    /// Whether items follow.
    pub has_next: bool,
    /// Whether items precede.
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// Reads the page of the field that is being resolved. `load` reads a slice of its list.
    ///
    /// Beyond a cursor of the request there may be no item left: the item of the cursor and all others may have been
    /// deleted. If the client selects it, the item at that end of the list is read too.
    pub async fn read<S, K, F>(
        ctx: &Context<'_>,
        request: &PageRequest<S>,
        key: impl Fn(&T) -> K,
        load: impl Fn(PageRequest<S>) -> F,
    ) -> Result<Self>
    where
        S: Clone,
        K: Key + PartialEq,
        F: Future<Output = Result<Slice<T>>>,
    {
        let selected = ctx.look_ahead().field("pageInfo");
        let is_selected = |name| selected.field(name).exists();
        let start = request
            .list_start()
            .filter(|_| is_selected("hasPreviousPage"));
        let end = request.list_end().filter(|_| is_selected("hasNextPage"));
        let end_of_list = |request: Option<PageRequest<S>>| OptionFuture::from(request.map(&load));
        let (slice, start, end) =
            tokio::join!(load(request.clone()), end_of_list(start), end_of_list(end));
        let slice = slice?;
        // The item at an end of the list belongs to this page, or there are items between the two.
        let is_beyond = |found: Option<Result<Slice<T>>>, own: Option<&T>| {
            let found = found
                .transpose()?
                .and_then(|slice| slice.items.into_iter().next());
            Ok::<_, FieldError>(found.is_some_and(|found| Some(key(&found)) != own.map(&key)))
        };
        let precedes = is_beyond(start, slice.items.first())?;
        let follows = is_beyond(end, slice.items.last())?;
        let has_more = |end| slice.has_more && request.end == end;
        Ok(Self {
            has_next: follows || has_more(Direction::First),
            has_previous: precedes || has_more(Direction::Last),
            items: slice
                .items
                .into_iter()
                .map(|item| (Cursor::new(key(&item)), item))
                .collect(),
        })
    }

    /// Converts each item.
    pub fn map<U>(self, mut convert: impl FnMut(T) -> U) -> Page<U> {
        self.filter_map(|item| Some(convert(item)))
    }

    /// Converts each item; fails if one cannot be converted.
    pub fn try_map<U>(self, convert: impl Fn(T) -> Result<U>) -> Result<Page<U>> {
        let items = self.items.into_iter();
        let items = items.map(|(cursor, item)| Ok((cursor, convert(item)?)));
        Ok(Page {
            items: items.collect::<Result<_>>()?,
            has_next: self.has_next,
            has_previous: self.has_previous,
        })
    }

    /// Converts each item, and leaves out those that have no counterpart.
    pub fn filter_map<U>(self, mut convert: impl FnMut(T) -> Option<U>) -> Page<U> {
        let items = self.items.into_iter();
        let items = items.filter_map(|(cursor, item)| Some((cursor, convert(item)?)));
        Page {
            items: items.collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }

    /// The position of the page in the list.
    #[must_use]
    pub fn info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: self.items.first().map(|(cursor, _)| cursor.to_string()),
            end_cursor: self.items.last().map(|(cursor, _)| cursor.to_string()),
        }
    }
}

/// Parses the arguments `first` and `after`; the error contains all problems.
pub fn forward<K: DeserializeOwned>(
    first: Option<i32>,
    default: i32,
    after: Option<String>,
) -> Result<PageRequest<K>> {
    let both = Both {
        first,
        after,
        ..Both::default()
    };
    both.read(default, Direction::First)
}

/// The page size of the lists that page in both directions, without `first` and `last`. Their arguments have no default in
/// the schema, so the cost of a field uses it too.
pub const PAGE_OF_BOTH: i32 = 50;

/// The arguments `first`, `after`, `last` and `before`.
#[derive(Clone, Debug, Default)]
pub struct Both {
    /// The number of items from the start.
    pub first: Option<i32>,
    /// The cursor before the page.
    pub after: Option<String>,
    /// The number of items up to the end.
    pub last: Option<i32>,
    /// The cursor after the page.
    pub before: Option<String>,
}

impl Both {
    /// Parses the four arguments; the error contains all problems.
    pub fn read<K: DeserializeOwned>(
        &self,
        default: i32,
        default_end: Direction,
    ) -> Result<PageRequest<K>> {
        let mut problems = vec![];
        let (end, size) = match (self.first, self.last) {
            (Some(first), None) => (Direction::First, size("first", first, &mut problems)),
            (None, Some(last)) => (Direction::Last, size("last", last, &mut problems)),
            (None, None) => (default_end, size("first", default, &mut problems)),
            (Some(_), Some(_)) => {
                let message = "Use either first or last, not both.";
                problems.push(Problem::argument("last", "EXCLUSIVE", message));
                (default_end, 1)
            }
        };
        let mut key = |argument, text: Option<&str>| {
            // PostgreSQL takes no text with NUL, and no item has such a key.
            let json = decode(text?).filter(|json| !escapes_nul(json));
            let key = json.and_then(|json| serde_json::from_slice(&json).ok());
            if key.is_none() {
                let message = "This is not a cursor of this list.";
                problems.push(Problem::argument(argument, "NOT_A_CURSOR", message));
            }
            key
        };
        let after = key("after", self.after.as_deref());
        let before = key("before", self.before.as_deref());
        Error::check(problems)?;
        Ok(PageRequest {
            after,
            before,
            end,
            size,
        })
    }
}

/// Checks a page size from 1 to 100; adds a problem with the argument otherwise.
pub fn size(argument: &str, requested: i32, problems: &mut Vec<Problem>) -> usize {
    match usize::try_from(requested) {
        Ok(size) if (1..=MAX_PAGE).contains(&requested) => size,
        _ => {
            let message = format!("The page size must be from 1 to {MAX_PAGE}.");
            problems.push(Problem::argument(argument, "OUT_OF_RANGE", message));
            1
        }
    }
}

/// Encodes bytes as the text of a cursor.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the text of a cursor.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Whether a string in this JSON text contains NUL, which JSON only allows as an escape.
fn escapes_nul(json: &[u8]) -> bool {
    let mut rest = json;
    loop {
        rest = match rest {
            [b'\\', b'u', b'0', b'0', b'0', b'0', ..] => return true,
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
            [] => return false,
        };
    }
}

/// A sort key of a list.
pub trait Key: Serialize + Send + Sync + 'static {}

impl<K: Serialize + Send + Sync + 'static> Key for K {}

/// The opaque form of a key. It is encoded when it is used: most queries use only those at the ends of a page.
#[derive(Clone)]
pub struct Cursor(Arc<dyn Fn() -> Vec<u8> + Send + Sync>);

impl Cursor {
    /// Creates the cursor of the item with this key.
    pub fn new<K: Key>(key: K) -> Self {
        Self(Arc::new(move || {
            serde_json::to_vec(&key).unwrap_or_default()
        }))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&(self.0)()))
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({self})")
    }
}

impl OutputType for Cursor {
    fn type_name() -> Cow<'static, str> {
        <String as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <String as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::String(self.to_string()))
    }
}

/// An instant as a part of a cursor. It is in the range that both databases can store, even if a client
/// changes the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Instant(pub chrono::DateTime<chrono::Utc>);

impl TryFrom<i64> for Instant {
    type Error = &'static str;

    fn try_from(millis: i64) -> std::result::Result<Self, Self::Error> {
        chrono::DateTime::from_timestamp_millis(millis)
            .filter(|time| (1970..10_000).contains(&time.year()))
            .map(Self)
            .ok_or("the instant is out of range")
    }
}

impl From<Instant> for i64 {
    fn from(Instant(time): Instant) -> Self {
        time.timestamp_millis()
    }
}
