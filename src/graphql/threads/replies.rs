//! `Thread.replies`: pages of one flat list in three orders.

use async_graphql::Context;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};

use crate::{
    domain::{
        pagination::{Direction, PageRequest, Slice},
        threads::replies::{self, ReplyOrder, Scope},
    },
    entity::message,
    error::{Error, Problem},
    graphql::{
        context::{app, unbatched, viewer},
        errors::Result,
        list_plan::{self, PlannedList, Preloaded},
        lookahead,
        messages::{
            timeline::{at_hand, columns},
            types::Message,
        },
        pagination::{Both, Cursor, Page},
        threads::{
            loader::ThreadRepliesOf,
            types::{ThreadOrder, ThreadReplyConnection, ThreadReplyEdge},
        },
    },
    id::{MessageId, ThreadId},
};

/// Replies on a page when nobody says how many.
const PAGE: i32 = 50;

/// What the field was asked.
#[derive(Clone, Debug)]
pub struct ThreadRepliesArguments {
    /// Which part.
    pub both: Both,
    /// How to sort.
    pub order: ThreadOrder,
    /// Only below this reply.
    pub under: Option<MessageId>,
    /// Leave out deeper replies.
    pub max_depth: Option<i32>,
}

/// The cursor of a reply in TREE order.
#[must_use]
pub fn tree_cursor(row: &message::Model) -> Cursor {
    Cursor::new(TreeKey(row.path.clone()))
}

/// The place of a reply in TREE order.
struct TreeKey(Vec<u8>);

impl Serialize for TreeKey {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

/// The page of its replies that is asked of this thread, the field being resolved: found ahead.
pub(crate) fn ahead(ctx: &Context<'_>, thread: ThreadId) -> Option<ThreadRepliesOf> {
    let asked = lookahead::only(ctx, "replies").filter(|asked| asked.is_without("under"))?;
    let order = asked.argument::<Option<ThreadOrder>>("order")?;
    Some(ThreadRepliesOf {
        thread,
        scope: Scope {
            under: None,
            level: 0,
            max_depth: asked.argument("maxDepth")?,
        },
        listing: listing(&asked.both()?, order.unwrap_or(ThreadOrder::Tree)).ok()?,
        columns: columns(asked.required_columns::<ThreadReplyEdge, Message>(true)),
    })
}

/// A page of a thread's replies.
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
        let problem = Problem {
            path: vec!["maxDepth".to_owned()],
            code: "OUT_OF_RANGE",
            message: "Show at least one level.".to_owned(),
        };
        return Err(Error::problems(vec![problem]).into());
    }
    let scope = replies::scope(app(ctx).db.read(), viewer(ctx)?, thread, under, max_depth).await?;
    let (level, deepest) = (
        scope.level,
        max_depth.map(|levels| scope.level.saturating_add(levels)),
    );
    let listing = listing(&both, order)?;
    let required_columns = list_plan::required_columns::<ThreadReplyEdge, Message>(ctx, true);
    let is_partial = required_columns.is_some();
    let key = ThreadRepliesOf {
        thread,
        scope,
        listing: listing.clone(),
        columns: columns(required_columns),
    };
    let part = unbatched(ctx).load_one(key).await?.unwrap_or_default();
    let (rows, mut at_hand) = at_hand(part.items, is_partial);
    at_hand.ancestors_visible = true;
    let part = Slice {
        items: rows,
        has_more: part.has_more,
    };
    let page = match &listing {
        ReplyOrder::Tree(span) => Page::of(part, span, |row| TreeKey(row.path.clone())),
        ReplyOrder::OldestFirst(span) | ReplyOrder::NewestFirst(span) => {
            Page::of(part, span, |row: &message::Model| row.seq)
        }
    };
    Ok(connection(page, (level, deepest), at_hand))
}

fn connection(
    page: Page<message::Model>,
    (level, deepest): (i32, Option<i32>),
    at_hand: Preloaded,
) -> ThreadReplyConnection {
    let page_info = page.info();
    let edge = |(cursor, row): (Cursor, message::Model)| ThreadReplyEdge {
        cursor,
        depth: row.depth - level,
        hidden_reply_count: if deepest == Some(row.depth) {
            row.descendant_count
        } else {
            0
        },
        node: Message(row),
    };
    let edges = PlannedList::new(page.items.into_iter().map(edge)).with(at_hand);
    ThreadReplyConnection {
        nodes: edges.part(|edge| &edge.node),
        edges,
        page_info,
    }
}

fn listing(both: &Both, order: ThreadOrder) -> Result<ReplyOrder> {
    match order {
        ThreadOrder::OldestFirst => Ok(ReplyOrder::OldestFirst(both.read(PAGE, Direction::First)?)),
        ThreadOrder::NewestFirst => Ok(ReplyOrder::NewestFirst(both.read(PAGE, Direction::First)?)),
        ThreadOrder::Tree => {
            let span: PageRequest<String> = both.read(PAGE, Direction::First)?;
            let mut problems = vec![];
            let mut path = |argument: &str, text: Option<String>| {
                let text = text?;
                let path = URL_SAFE_NO_PAD.decode(text).ok();
                if path.is_none() {
                    problems.push(Problem {
                        path: vec![argument.to_owned()],
                        code: "NOT_A_CURSOR",
                        message: "This is not a cursor of this list.".to_owned(),
                    });
                }
                path
            };
            let (after, before) = (path("after", span.after), path("before", span.before));
            Error::check(problems)?;
            Ok(ReplyOrder::Tree(PageRequest {
                after,
                before,
                end: span.end,
                size: span.size,
            }))
        }
    }
}
