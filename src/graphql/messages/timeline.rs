//! The timeline of a conversation, paged in both directions and opened at an end or around an anchor.

use async_graphql::{Context, Enum, OneofObject};

use crate::{
    domain::{
        conversations::timeline::{self, Anchor},
        messages::projection::{MessageColumns, MessageRow},
        pagination::{Direction, PageRequest, Slice},
    },
    entity::{message, partial::Partial, user},
    error::{Error, Problem},
    graphql::{
        context::{app, unbatched, viewer},
        errors::Result,
        list_plan::{ConnectionPlan, PreloadedValues},
        lookahead,
        messages::{
            loader::TimelineOf,
            types::{Message, MessageConnection, MessageEdge},
        },
        pagination::{Both, Cursor, Page, size},
        scalars::DateTime,
        users::{loader::UserKey, types::User},
    },
    id::{ConversationId, MessageId},
};

/// The default page size.
const PAGE: i32 = 50;
/// The default number of messages on each side of an anchor.
const AROUND: i32 = 25;

/// A position in a timeline.
#[derive(OneofObject, Clone, Copy, Debug)]
pub enum TimelineAnchor {
    /// At this message; for a reply, at its thread's root.
    MessageId(MessageId),
    /// At a position that needs no id.
    Place(TimelinePlace),
    /// At the first message sent at or after this time.
    Time(DateTime),
}

/// Positions in a timeline that need no id.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelinePlace {
    /// The first message the viewer has not read, or the newest when all is read.
    FirstUnread,
    /// The oldest message.
    Start,
}

impl From<TimelineAnchor> for Anchor {
    fn from(anchor: TimelineAnchor) -> Self {
        match anchor {
            TimelineAnchor::MessageId(id) => Self::Message(id),
            TimelineAnchor::Place(TimelinePlace::FirstUnread) => Self::FirstUnread,
            TimelineAnchor::Place(TimelinePlace::Start) => Self::Start,
            TimelineAnchor::Time(time) => Self::Time(time.0),
        }
    }
}

/// The plan of a list of messages.
type TimelinePlan = ConnectionPlan<MessageEdge, Message>;

/// Finds the timeline page that the query selects within the conversation that is being resolved.
pub(crate) fn selected_page(ctx: &Context<'_>, conversation: ConversationId) -> Option<TimelineOf> {
    let field = lookahead::only(ctx, "messages").filter(|field| field.is_without("around"))?;
    Some(TimelineOf {
        conversation,
        span: field.page_arguments()?.read(PAGE, Direction::Last).ok()?,
        include_replies: field
            .argument::<Option<bool>>("includeReplies")?
            .unwrap_or_default(),
        columns: columns(field.plan::<MessageEdge, Message>().as_deref()),
    })
}

/// The columns to read: all where the lists need the executor.
pub(crate) fn columns<E>(plan: Option<&ConnectionPlan<E, Message>>) -> MessageColumns {
    let Some(plan) = plan else {
        return MessageColumns::all();
    };
    let message = plan.columns::<message::Column>();
    let has_sender = message
        .iter()
        .any(|column| matches!(column, message::Column::SenderId));
    let sender = plan.columns::<user::Column>().iter().copied();
    MessageColumns::new(message.iter().copied(), sender.filter(|_| has_sender))
}

/// Returns a page of a conversation's timeline.
pub(crate) async fn page(
    ctx: &Context<'_>,
    conversation: ConversationId,
    both: Both,
    around: Option<TimelineAnchor>,
    include_replies: bool,
) -> Result<MessageConnection> {
    if let Some(anchor) = around {
        return self::around(ctx, conversation, both, anchor.into(), include_replies).await;
    }
    let span: PageRequest<i32> = both.read(PAGE, Direction::Last)?;
    let plan = TimelinePlan::current(ctx);
    let key = TimelineOf {
        conversation,
        span: span.clone(),
        include_replies,
        columns: columns(plan.as_deref()),
    };
    let slice = unbatched(ctx).load_one(key).await?.unwrap_or_default();
    let page = Page::of(slice, &span, |row: &MessageRow| row.message.loaded().seq);
    Ok(connection(page, plan.as_deref()))
}

fn connection(page: Page<MessageRow>, plan: Option<&TimelinePlan>) -> MessageConnection {
    match plan {
        Some(plan) => {
            let mut preloaded = PreloadedValues::default();
            let page = page.map(|row| message_of(row, &mut preloaded));
            MessageConnection::planned(page, plan, preloaded)
        }
        // Without a plan, all columns were read.
        None => page.map(|row| Message(row.message.into_inner())).into(),
    }
}

/// The message of a row. Adds the sender to the preloaded values.
pub(crate) fn message_of(row: MessageRow, preloaded: &mut PreloadedValues) -> Partial<Message> {
    if let Some(sender) = row.sender {
        preloaded.insert(UserKey(sender.loaded().id), sender.map(User));
    }
    row.message.map(Message)
}

async fn around(
    ctx: &Context<'_>,
    conversation: ConversationId,
    both: Both,
    anchor: Anchor,
    include_replies: bool,
) -> Result<MessageConnection> {
    let (before, from) = sizes(&both)?;
    let (db, viewer) = (app(ctx).db.read(), viewer(ctx)?);
    let anchor = timeline::place(db, viewer, conversation, anchor, include_replies).await?;
    // Without a message since the given time, the page ends at the newest message.
    let anchor = anchor.unwrap_or(i32::MAX);
    let plan = TimelinePlan::current(ctx);
    let columns = columns(plan.as_deref());
    let load = async |span: PageRequest<i32>| {
        let key = TimelineOf {
            conversation,
            span,
            include_replies,
            columns: columns.clone(),
        };
        unbatched(ctx)
            .load_one(key)
            .await
            .map(Option::unwrap_or_default)
    };
    let span = |end, after, before, size| PageRequest {
        after,
        before,
        end,
        size,
    };
    let earlier = match before {
        0 => Slice::default(),
        size => load(span(Direction::Last, None, Some(anchor), size)).await?,
    };
    let later = match from {
        0 => Slice::default(),
        size => {
            load(span(
                Direction::First,
                Some(anchor.saturating_sub(1)),
                None,
                size,
            ))
            .await?
        }
    };
    let page = Page {
        has_next: later.has_more,
        has_previous: earlier.has_more,
        items: earlier
            .items
            .into_iter()
            .chain(later.items)
            .map(|row| (Cursor::new(row.message.loaded().seq), row))
            .collect(),
    };
    Ok(connection(page, plan.as_deref()))
}

/// The number of messages before the anchor, and from the anchor on.
fn sizes(both: &Both) -> Result<(usize, usize)> {
    let mut problems = vec![];
    for (argument, cursor) in [("after", &both.after), ("before", &both.before)] {
        if cursor.is_some() {
            problems.push(Problem {
                path: vec![argument.to_owned()],
                code: "EXCLUSIVE",
                message: "Use either a cursor or around, not both.".to_owned(),
            });
        }
    }
    let sides = match (both.last, both.first) {
        (None, None) => (Some(AROUND), Some(AROUND)),
        sides => sides,
    };
    let mut side = |argument, requested: Option<i32>| match requested {
        Some(requested) => size(argument, requested, &mut problems),
        None => 0,
    };
    let sides = (side("last", sides.0), side("first", sides.1));
    Error::check(problems)?;
    Ok(sides)
}
