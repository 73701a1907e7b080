//! The list `Thread.replies`, in three orders.

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
            timeline::{columns, split_rows},
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

/// The default page size.
const PAGE: i32 = 50;

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
struct TreeKey(Vec<u8>);

impl Serialize for TreeKey {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

/// Finds the page of replies that the query selects within the thread that is being resolved.
pub(crate) fn selected_page(ctx: &Context<'_>, thread: ThreadId) -> Option<ThreadRepliesOf> {
    let field = lookahead::only(ctx, "replies").filter(|field| field.is_without("under"))?;
    let order = field.argument::<Option<ThreadOrder>>("order")?;
    Some(ThreadRepliesOf {
        thread,
        scope: Scope {
            under: None,
            level: 0,
            max_depth: field.argument("maxDepth")?,
        },
        order: order_of(&field.page_arguments()?, order.unwrap_or(ThreadOrder::Tree)).ok()?,
        columns: columns(field.required_columns::<ThreadReplyEdge, Message>(true)),
    })
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
        let problem = Problem {
            path: vec!["maxDepth".to_owned()],
            code: "OUT_OF_RANGE",
            message: "The depth must be at least 1.".to_owned(),
        };
        return Err(Error::problems(vec![problem]).into());
    }
    let scope = replies::scope(app(ctx).db.read(), viewer(ctx)?, thread, under, max_depth).await?;
    let (level, deepest) = (
        scope.level,
        max_depth.map(|levels| scope.level.saturating_add(levels)),
    );
    let order = order_of(&both, order)?;
    let required_columns = list_plan::required_columns::<ThreadReplyEdge, Message>(ctx, true);
    let is_partial = required_columns.is_some();
    let key = ThreadRepliesOf {
        thread,
        scope,
        order: order.clone(),
        columns: columns(required_columns),
    };
    let part = unbatched(ctx).load_one(key).await?.unwrap_or_default();
    let (rows, mut preloaded) = split_rows(part.items, is_partial);
    preloaded.ancestors_visible = true;
    let part = Slice {
        items: rows,
        has_more: part.has_more,
    };
    let page = match &order {
        ReplyOrder::Tree(span) => Page::of(part, span, |row| TreeKey(row.path.clone())),
        ReplyOrder::OldestFirst(span) | ReplyOrder::NewestFirst(span) => {
            Page::of(part, span, |row: &message::Model| row.seq)
        }
    };
    Ok(connection(page, (level, deepest), preloaded))
}

fn connection(
    page: Page<message::Model>,
    (level, deepest): (i32, Option<i32>),
    preloaded: Preloaded,
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
    let edges = PlannedList::new(page.items.into_iter().map(edge)).with(preloaded);
    ThreadReplyConnection {
        nodes: edges.part(|edge| &edge.node),
        edges,
        page_info,
    }
}

fn order_of(both: &Both, order: ThreadOrder) -> Result<ReplyOrder> {
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
