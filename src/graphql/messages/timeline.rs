//! The timeline of a conversation, paged in both directions and opened at an end or around an anchor.

use std::sync::Arc;

use async_graphql::{Context, Enum, OneofObject};

use crate::{
    domain::{
        conversations::timeline::{self, Anchor, TimelineKey},
        messages::projection::{MessageColumns, MessageProjection, MessageRow, WholeMessages},
        pagination::{Direction, PageRequest},
    },
    entity::{message, partial::Partial},
    error::{Error, Problem},
    graphql::{
        context::{app, unbatched, viewer},
        errors::Result,
        list_plan::{ConnectionPlan, KnownValues},
        lookahead,
        messages::{
            loader::TimelineOf,
            types::{Message, MessageConnection, MessageEdge},
        },
        pagination::{Both, Cursor, PAGE_OF_BOTH, Page, size},
        scalars::DateTime,
        users::{loader::UserKey, types::User},
    },
    id::{ConversationId, MessageId},
};

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
pub(crate) type TimelinePlan = ConnectionPlan<MessageEdge, Message>;

/// Finds the timeline page that the query selects within the conversation that is being resolved, and its plan.
pub(crate) fn selected_page(
    ctx: &Context<'_>,
    conversation: ConversationId,
) -> Option<(TimelineOf<()>, Option<Arc<TimelinePlan>>)> {
    let field = lookahead::only(ctx, "messages").filter(|field| field.is_without("around"))?;
    let key = TimelineOf {
        conversation,
        span: field
            .page_arguments()?
            .read(PAGE_OF_BOTH, Direction::Last)
            .ok()?,
        include_replies: field
            .argument::<Option<bool>>("includeReplies")?
            .unwrap_or_default(),
        projection: (),
    };
    Some((key, field.plan()))
}

/// The columns that the lists of a plan read.
pub(crate) fn columns<E>(plan: &ConnectionPlan<E, Message>) -> MessageColumns {
    let (message, sender) = (&plan.required.message, &plan.required.user);
    let is_sender = |column: &message::Column| matches!(column, message::Column::SenderId);
    let has_sender = message.iter().any(is_sender);
    let sender = sender.iter().copied().filter(|_| has_sender);
    MessageColumns::new(message.iter().copied(), sender)
}

/// Returns a page of a conversation's timeline.
pub(crate) async fn page(
    ctx: &Context<'_>,
    conversation: ConversationId,
    both: Both,
    around: Option<TimelineAnchor>,
    include_replies: bool,
) -> Result<MessageConnection> {
    let key = |span| TimelineOf {
        conversation,
        span,
        include_replies,
        projection: (),
    };
    let (key, sizes) = match around {
        None => (key(both.read(PAGE_OF_BOTH, Direction::Last)?), None),
        Some(anchor) => {
            let sizes = sizes(&both)?;
            let (db, viewer, anchor) = (app(ctx).db.read(), viewer(ctx)?, anchor.into());
            let place = timeline::place(db, viewer, conversation, anchor, include_replies);
            // Without a message since the given time, the page ends at the newest message.
            let place = place.await?.unwrap_or(i32::MAX);
            let span = PageRequest {
                before: Some(place),
                ..PageRequest::end(Direction::Last, 0)
            };
            (key(span), Some(sizes))
        }
    };
    Ok(if let Some(plan) = TimelinePlan::current(ctx) {
        let page = load(ctx, key.select(columns(&plan)), sizes).await?;
        planned(page, &plan)
    } else {
        let page = load(ctx, key.select(WholeMessages), sizes).await?;
        page.map(Message::from).into()
    })
}

/// Loads a page, or as many messages before its end and from it on.
async fn load<P: MessageProjection>(
    ctx: &Context<'_>,
    key: TimelineOf<P>,
    sizes: Option<(usize, usize)>,
) -> Result<Page<P::Row>> {
    let loaders = unbatched(ctx);
    let load = |span| {
        let key = TimelineOf {
            span,
            ..key.clone()
        };
        loaders.load_or_default(key)
    };
    let Some((before, from)) = sizes else {
        let seq = |(key, _): &(TimelineKey, P::Row)| key.seq;
        let page = Page::read(ctx, &key.span, seq, load).await?;
        return Ok(page.map(|(_, row)| row));
    };
    let earlier = PageRequest {
        size: before,
        ..key.span.clone()
    };
    let later = PageRequest {
        after: key.span.before.map(|place| place.saturating_sub(1)),
        ..PageRequest::end(Direction::First, from)
    };
    // Of a side without messages, only whether it has any.
    let (earlier, later) = (load(earlier).await?, load(later).await?);
    let items = earlier.items.into_iter().chain(later.items);
    let items = items.map(|(key, row)| (Cursor::new(key.seq), row));
    Ok(Page {
        has_next: later.has_more,
        has_previous: earlier.has_more,
        items: items.collect(),
    })
}

/// A page of rows, whose senders are known.
pub(crate) fn planned(page: Page<MessageRow>, plan: &TimelinePlan) -> MessageConnection {
    let mut senders = vec![];
    let page = page.map(|row| message_of(row, &mut senders));
    let known = KnownValues::default();
    known.extend(senders);
    MessageConnection::planned(page, plan, known)
}

/// The message of a row. Adds the sender to the others.
pub(crate) fn message_of(
    (message, sender): MessageRow,
    senders: &mut Vec<(UserKey, Partial<User>)>,
) -> Partial<Message> {
    senders.extend(sender.map(|(id, sender)| (UserKey(id), sender.map(User))));
    message.map(Message)
}

/// The number of messages before the anchor, and from the anchor on.
fn sizes(both: &Both) -> Result<(usize, usize)> {
    let mut problems = vec![];
    for (argument, cursor) in [("after", &both.after), ("before", &both.before)] {
        if cursor.is_some() {
            let message = "Use either a cursor or around, not both.";
            problems.push(Problem::argument(argument, "EXCLUSIVE", message));
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
