//! The list `Thread.replies`, in three orders.

use std::{collections::HashMap, sync::Arc};

use async_graphql::Context;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        messages::projection::{MessageProjection, WholeMessages},
        pagination::{Direction, PageRequest},
        threads::replies::{self, ReplyKey, ReplyOrder, ReplyScope},
    },
    entity::message,
    error::{Error, Problem},
    graphql::{
        context::{app, unbatched, viewer},
        errors::Result,
        list_plan::{ConnectionPlan, KnownValues, PlannedList},
        loaders::LoaderHandle,
        lookahead,
        messages::{
            loader::DescendantsOf,
            timeline::{columns, message_of},
            types::Message,
        },
        pagination::{Both, Cursor, PAGE_OF_BOTH, Page, decode, encode},
        threads::{
            loader::ThreadRepliesOf,
            types::{ThreadOrder, ThreadReplyConnection, ThreadReplyEdge},
        },
    },
    id::{MessageId, ThreadId},
};

/// The plan of the list of a thread's replies.
type RepliesPlan = ConnectionPlan<ThreadReplyEdge, Message>;

/// The arguments of the field.
#[derive(Clone, Debug)]
pub struct ThreadRepliesArguments {
    /// The page.
    pub both: Both,
    /// The order.
    pub order: ThreadOrder,
    /// Only replies below this one.
    pub under: Option<MessageId>,
    /// The number of levels to include.
    pub max_depth: Option<i32>,
}

/// Returns the cursor of a reply in TREE order.
#[must_use]
pub fn tree_cursor(row: &message::Model) -> Cursor {
    Cursor::new(TreeKey(row.path.clone()))
}

/// The position of a reply in TREE order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct TreeKey(Vec<u8>);

impl TryFrom<String> for TreeKey {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        decode(&text).map(Self).ok_or("the path is not in base64")
    }
}

impl From<TreeKey> for String {
    fn from(TreeKey(path): TreeKey) -> Self {
        encode(&path)
    }
}

/// Finds the page of replies that the query selects within the thread that is being resolved, and its plan.
pub(crate) fn selected_page(
    ctx: &Context<'_>,
    thread: ThreadId,
) -> Option<(ThreadRepliesOf<()>, Option<Arc<RepliesPlan>>)> {
    let field = lookahead::only(ctx, "replies").filter(|field| field.is_without("under"))?;
    let order = field.argument::<Option<ThreadOrder>>("order")?;
    let key = ThreadRepliesOf {
        thread,
        scope: ReplyScope {
            under: None,
            level: 0,
            max_depth: field.argument("maxDepth")?,
        },
        order: order_of(&field.page_arguments()?, order.unwrap_or(ThreadOrder::Tree)).ok()?,
        projection: (),
    };
    Some((key, field.plan()))
}

/// Returns a page of a thread's replies.
pub(crate) async fn page(
    ctx: &Context<'_>,
    thread: ThreadId,
    arguments: ThreadRepliesArguments,
) -> Result<ThreadReplyConnection> {
    let ThreadRepliesArguments {
        both,
        order,
        under,
        max_depth,
    } = arguments;
    if max_depth.is_some_and(|levels| levels < 1) {
        let message = "The depth must be at least 1.";
        let problem = Problem::argument("maxDepth", "OUT_OF_RANGE", message);
        return Err(Error::problems(vec![problem]).into());
    }
    let scope = replies::scope(app(ctx).db.read(), viewer(ctx)?, thread, under, max_depth).await?;
    let deepest = max_depth.map(|levels| scope.level.saturating_add(levels));
    let level = scope.level;
    let key = ThreadRepliesOf {
        thread,
        scope,
        order: order_of(&both, order)?,
        projection: (),
    };
    let loaders = unbatched(ctx);
    let (page_info, (edges, nodes)) = if let Some(plan) = RepliesPlan::current(ctx) {
        let page = load(ctx, key.select(columns(&plan))).await?;
        let info = page.info();
        let hidden = hidden(loaders, &page, deepest).await?;
        let mut senders = vec![];
        let items = page.items.into_iter().map(|(cursor, (key, row))| {
            message_of(row, &mut senders).map(|node| edge(cursor, &key, node, (level, &hidden)))
        });
        let items: Vec<_> = items.collect();
        let known = KnownValues::default();
        known.extend(senders);
        let lists = PlannedList::planned(items, |edge| &edge.node, &plan, known);
        (info, lists)
    } else {
        let page = load(ctx, key.select(WholeMessages)).await?;
        let info = page.info();
        let hidden = hidden(loaders, &page, deepest).await?;
        let items = page.items.into_iter();
        let items =
            items.map(|(cursor, (key, row))| edge(cursor, &key, row.into(), (level, &hidden)));
        (info, PlannedList::whole(items, |edge| &edge.node))
    };
    Ok(ThreadReplyConnection {
        edges,
        nodes,
        page_info,
    })
}

/// Loads a page of replies, each with its place.
async fn load<P: MessageProjection>(
    ctx: &Context<'_>,
    key: ThreadRepliesOf<P>,
) -> Result<Page<(ReplyKey, P::Row)>> {
    let loaders = unbatched(ctx);
    let load = |order| {
        let key = ThreadRepliesOf {
            order,
            ..key.clone()
        };
        loaders.load_or_default(key)
    };
    let seq = |(key, _): &(ReplyKey, P::Row)| key.seq;
    match &key.order {
        ReplyOrder::Tree(span) => {
            let path = |(key, _): &(ReplyKey, P::Row)| TreeKey(key.path.clone());
            Page::read(ctx, span, path, |span| load(ReplyOrder::Tree(span))).await
        }
        ReplyOrder::OldestFirst(span) => {
            Page::read(ctx, span, seq, |span| load(ReplyOrder::OldestFirst(span))).await
        }
        ReplyOrder::NewestFirst(span) => {
            Page::read(ctx, span, seq, |span| load(ReplyOrder::NewestFirst(span))).await
        }
    }
}

/// The number of replies below each reply at the deepest level of a page, by sequence number.
async fn hidden<T>(
    loaders: LoaderHandle<'_>,
    page: &Page<(ReplyKey, T)>,
    deepest: Option<i32>,
) -> Result<HashMap<i32, i32>> {
    let keys = page.items.iter().map(|(_, (key, _))| key);
    let at_deepest: Vec<&ReplyKey> = keys.filter(|key| Some(key.depth) == deepest).collect();
    let of = |key: &ReplyKey| {
        DescendantsOf::of(
            key.id,
            key.conversation_id,
            key.branch_seq,
            key.descendant_count,
        )
    };
    let deep = loaders.load_many(at_deepest.iter().filter_map(|key| of(key)));
    let deep = deep.await?;
    let count = |key: &&ReplyKey| match of(key) {
        Some(deep_key) => deep.get(&deep_key).copied().unwrap_or_default(),
        None => key.descendant_count,
    };
    Ok(at_deepest.iter().map(|key| (key.seq, count(key))).collect())
}

fn edge(
    cursor: Cursor,
    key: &ReplyKey,
    node: Message,
    (level, hidden): (i32, &HashMap<i32, i32>),
) -> ThreadReplyEdge {
    ThreadReplyEdge {
        cursor,
        depth: key.depth - level,
        hidden_reply_count: hidden.get(&key.seq).copied().unwrap_or_default(),
        node,
    }
}

fn order_of(both: &Both, order: ThreadOrder) -> Result<ReplyOrder> {
    match order {
        ThreadOrder::OldestFirst => Ok(ReplyOrder::OldestFirst(
            both.read(PAGE_OF_BOTH, Direction::First)?,
        )),
        ThreadOrder::NewestFirst => Ok(ReplyOrder::NewestFirst(
            both.read(PAGE_OF_BOTH, Direction::First)?,
        )),
        ThreadOrder::Tree => {
            let span: PageRequest<TreeKey> = both.read(PAGE_OF_BOTH, Direction::First)?;
            Ok(ReplyOrder::Tree(span.map(|TreeKey(path)| path)))
        }
    }
}
