//! Pages: sizes, opaque cursors and the connection types. Resolvers never see an offset.

use std::{borrow::Cow, fmt, sync::Arc};

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, SimpleObject, Value,
    parser::types::Field, registry::Registry,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Datelike;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    domain::pagination::{Direction, PageRequest, Slice},
    error::{Error, Problem},
    graphql::errors::Result,
};

/// Longest page.
pub const MAX_PAGE: i32 = 100;

/// Where a page sits in its list. Take `first` with `after` to go forwards and `last` with `before` to
/// go backwards; sizes run from 1 to 100, and an omitted size means the field's default. Cursors are
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

/// A page of anything: the items with their cursors.
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
    /// A forward page from up to `size + 1` rows: the extra one says that more follow.
    pub fn forward<K: Key>(mut rows: Vec<T>, request: &Forward<K>, key: impl Fn(&T) -> K) -> Self {
        let has_next = rows.len() > request.size;
        rows.truncate(request.size);
        let items = rows
            .into_iter()
            .map(|row| (Cursor::new(key(&row)), row))
            .collect();
        Self {
            items,
            has_next,
            has_previous: request.after.is_some(),
        }
    }

    /// The page that a part of a list makes.
    pub fn of<K: Key, S>(part: Slice<T>, span: &PageRequest<S>, key: impl Fn(&T) -> K) -> Self {
        let (has_next, has_previous) = match span.end {
            Direction::First => (part.has_more, span.after.is_some()),
            Direction::Last => (span.before.is_some(), part.has_more),
        };
        let items = part
            .items
            .into_iter()
            .map(|item| (Cursor::new(key(&item)), item))
            .collect();
        Self {
            items,
            has_next,
            has_previous,
        }
    }

    /// The same page of something made from each item.
    pub fn map<U>(self, make: impl Fn(T) -> U) -> Page<U> {
        Page {
            items: self
                .items
                .into_iter()
                .map(|(cursor, item)| (cursor, make(item)))
                .collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }

    /// Where the page sits.
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

/// What `first` and `after` ask for.
#[derive(Clone, Debug)]
pub struct Forward<K> {
    /// How many.
    pub size: usize,
    /// The key of the item before the page.
    pub after: Option<K>,
}

impl<K: DeserializeOwned> Forward<K> {
    /// Reads `first` and `after`; all that is wrong is told at once.
    pub fn read(first: Option<i32>, default: i32, after: Option<&str>) -> Result<Self> {
        let mut problems = vec![];
        let size = size("first", first.unwrap_or(default), &mut problems);
        let after = after.and_then(|text| key("after", text, &mut problems));
        Error::check(problems)?;
        Ok(Self { size, after })
    }

    /// The same as a span of the list.
    #[must_use]
    pub fn span(self) -> PageRequest<K> {
        PageRequest {
            after: self.after,
            before: None,
            end: Direction::First,
            size: self.size,
        }
    }

    /// Rows to ask the database for: one more than the page, to know whether more follow.
    #[must_use]
    pub fn limit(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(0) + 1
    }
}

/// What `first`, `after`, `last` and `before` ask for.
#[derive(Clone, Debug, Default)]
pub struct Both {
    /// Items from the start on.
    pub first: Option<i32>,
    /// The cursor before the page.
    pub after: Option<String>,
    /// Items up to the end.
    pub last: Option<i32>,
    /// The cursor behind the page.
    pub before: Option<String>,
}

impl Both {
    /// Reads the four arguments; all that is wrong is told at once.
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
                problems.push(Problem {
                    path: vec!["last".to_owned()],
                    code: "EXCLUSIVE",
                    message: "Ask for first or for last, not for both.".to_owned(),
                });
                (default_end, 1)
            }
        };
        let after = self
            .after
            .as_deref()
            .and_then(|text| key("after", text, &mut problems));
        let before = self
            .before
            .as_deref()
            .and_then(|text| key("before", text, &mut problems));
        Error::check(problems)?;
        Ok(PageRequest {
            after,
            before,
            end,
            size,
        })
    }
}

/// A page size from 1 to 100; otherwise a problem with the argument.
pub fn size(argument: &str, asked: i32, problems: &mut Vec<Problem>) -> usize {
    match usize::try_from(asked) {
        Ok(size) if (1..=MAX_PAGE).contains(&asked) => size,
        _ => {
            let message = format!("Ask for 1 to {MAX_PAGE} items.");
            problems.push(Problem {
                path: vec![argument.to_owned()],
                code: "OUT_OF_RANGE",
                message,
            });
            1
        }
    }
}

/// The key inside a cursor; otherwise a problem with the argument.
pub fn key<K: DeserializeOwned>(
    argument: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<K> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let key = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if key.is_none() {
        problems.push(Problem {
            path: vec![argument.to_owned()],
            code: "NOT_A_CURSOR",
            message: "This is not a cursor of this list.".to_owned(),
        });
    }
    key
}

/// What sorts a list.
pub trait Key: Serialize + Send + Sync + 'static {}

impl<K: Serialize + Send + Sync + 'static> Key for K {}

/// The opaque form of a key, made when it is asked for: hardly ever is it for more than the ends of a page.
#[derive(Clone)]
pub struct Cursor(Arc<dyn Fn() -> Vec<u8> + Send + Sync>);

impl Cursor {
    /// The cursor of the item with this key.
    pub fn new<K: Key>(key: K) -> Self {
        Self(Arc::new(move || {
            serde_json::to_vec(&key).unwrap_or_default()
        }))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode((self.0)()))
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

/// An instant as a part of a cursor. It is in the range that both databases keep, whatever a client
/// made of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Instant(pub chrono::DateTime<chrono::Utc>);

impl TryFrom<i64> for Instant {
    type Error = &'static str;

    fn try_from(millis: i64) -> std::result::Result<Self, Self::Error> {
        chrono::DateTime::from_timestamp_millis(millis)
            .filter(|time| (1970..10_000).contains(&time.year()))
            .map(Self)
            .ok_or("not an instant of ours")
    }
}

impl From<Instant> for i64 {
    fn from(Instant(time): Instant) -> Self {
        time.timestamp_millis()
    }
}

/// Defines `…Connection` and `…Edge` for an object type, with a `From<Page<_>>`.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $page_doc:literal, $edge_doc:literal) => {
        #[doc = $page_doc]
        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            /// The items with their cursors.
            pub edges: $crate::graphql::list_plan::PlannedList<$edge>,
            /// The items alone.
            pub nodes: $crate::graphql::list_plan::PlannedList<$edge, $node>,
            /// Where the page sits.
            pub page_info: $crate::graphql::pagination::PageInfo,
        }

        impl $connection {
            /// The same, with what came with its items.
            #[must_use]
            pub fn with(self, at_hand: $crate::graphql::list_plan::Preloaded) -> Self {
                let edges = self.edges.with(at_hand);
                Self {
                    nodes: edges.part(|edge| &edge.node),
                    edges,
                    page_info: self.page_info,
                }
            }
        }

        #[doc = $edge_doc]
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// The item.
            pub node: $node,
            /// Its cursor.
            pub cursor: $crate::graphql::pagination::Cursor,
        }

        impl From<$crate::graphql::pagination::Page<$node>> for $connection {
            fn from(page: $crate::graphql::pagination::Page<$node>) -> Self {
                let page_info = page.info();
                let edge = |(cursor, node)| $edge { node, cursor };
                let edges =
                    $crate::graphql::list_plan::PlannedList::new(page.items.into_iter().map(edge));
                Self {
                    nodes: edges.part(|edge| &edge.node),
                    edges,
                    page_info,
                }
            }
        }

        impl $crate::graphql::list_plan::PlannedObject for $edge {
            fn leaf(name: &str) -> Option<fn(&Self) -> async_graphql::Value> {
                (name == "cursor").then_some(|of| of.cursor.to_string().into())
            }

            fn inside(
                name: &str,
                set: $crate::graphql::list_plan::Selection<'_>,
            ) -> Option<Box<dyn $crate::graphql::list_plan::NestedField<Self>>> {
                if name != "node" {
                    return None;
                }
                Some(Box::new($crate::graphql::list_plan::ChildObject::new(
                    |of: &Self| &of.node,
                    set,
                )?))
            }

            fn answer<'a>(
                &'a self,
                wanted: &mut $crate::graphql::list_plan::PendingKeys,
                found: &mut $crate::graphql::list_plan::LoadedValues<'a>,
            ) {
                self.node.answer(wanted, found);
            }
        }
    };
}
pub(crate) use connection;
