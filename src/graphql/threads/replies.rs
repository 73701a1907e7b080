//! The list `Thread.replies`, in three orders.

use async_graphql::Context;
use serde::{Serialize, Serializer};

use crate::{
    domain::{
        messages::projection::MessageRow,
        pagination::{Direction, PageRequest},
        threads::replies::{self, ReplyOrder, ReplyScope},
    },
    entity::{message, partial::Partial},
    error::{Error, Problem},
    graphql::{
        context::{app, unbatched, viewer},
        errors::Result,
        list_plan::{ConnectionPlan, PlannedList, PreloadedValues},
        lookahead,
        messages::{
            timeline::{columns, message_of},
            types::Message,
        },
        pagination::{Both, Cursor, Page, decode, encode},
        threads::{
            loader::ThreadRepliesOf,
            types::{ThreadOrder, ThreadReplyConnection, ThreadReplyEdge},
        },
    },
    id::{MessageId, ThreadId},
};

/// The plan of the list of a thread's replies.
type RepliesPlan = ConnectionPlan<ThreadReplyEdge, Message>;

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
        to.serialize_str(&encode(&self.0))
    }
}

/// Finds the page of replies that the query selects within the thread that is being resolved.
pub(crate) fn selected_page(ctx: &Context<'_>, thread: ThreadId) -> Option<ThreadRepliesOf> {
    let field = lookahead::only(ctx, "replies").filter(|field| field.is_without("under"))?;
    let order = field.argument::<Option<ThreadOrder>>("order")?;
    Some(ThreadRepliesOf {
        thread,
        scope: ReplyScope {
            under: None,
            level: 0,
            max_depth: field.argument("maxDepth")?,
        },
        order: order_of(&field.page_arguments()?, order.unwrap_or(ThreadOrder::Tree)).ok()?,
        columns: columns(field.plan::<ThreadReplyEdge, Message>().as_deref()),
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
    let plan = RepliesPlan::current(ctx);
    let key = ThreadRepliesOf {
        thread,
        scope,
        order: order.clone(),
        columns: columns(plan.as_deref()),
    };
    let slice = unbatched(ctx).load_one(key).await?.unwrap_or_default();
    let page = match &order {
        ReplyOrder::Tree(span) => Page::of(slice, span, |row| {
            TreeKey(row.message.loaded().path.clone())
        }),
        ReplyOrder::OldestFirst(span) | ReplyOrder::NewestFirst(span) => {
            Page::of(slice, span, |row: &MessageRow| row.message.loaded().seq)
        }
    };
    Ok(connection(page, (level, deepest), plan.as_deref()))
}

fn connection(
    page: Page<MessageRow>,
    (level, deepest): (i32, Option<i32>),
    plan: Option<&RepliesPlan>,
) -> ThreadReplyConnection {
    let page_info = page.info();
    let edge = |cursor: Cursor, node: Message| ThreadReplyEdge {
        cursor,
        depth: node.0.depth - level,
        hidden_reply_count: if deepest == Some(node.0.depth) {
            node.0.descendant_count
        } else {
            0
        },
        node,
    };
    let mut preloaded = PreloadedValues::default();
    let rows = page.items.into_iter();
    let items: Vec<Partial<ThreadReplyEdge>> = rows
        .map(|(cursor, row)| message_of(row, &mut preloaded).map(|node| edge(cursor, node)))
        .collect();
    let (edges, nodes) = if let Some(plan) = plan {
        PlannedList::planned(items, |edge| &edge.node, plan, preloaded)
    } else {
        // Without a plan, all columns were read.
        let items = items.into_iter().map(Partial::into_inner);
        PlannedList::whole(items, |edge: &ThreadReplyEdge| &edge.node)
    };
    ThreadReplyConnection {
        edges,
        nodes,
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
                let path = decode(&text);
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
