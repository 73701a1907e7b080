//! The timeline of a conversation: bidirectional, and opened at an end or around a place.

use async_graphql::{Context, Enum, OneofObject};

use crate::{
    domain::{
        conversations::timeline::{self, Anchor},
        messages::projection::{Columns, Row},
        pagination::{Direction, PageRequest, Slice},
    },
    entity::message,
    error::{Error, Problem},
    graphql::{
        context::{app, unbatched, viewer},
        errors::Result,
        list_plan::{self, Preloaded, RequiredColumns},
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

/// Messages on a page when nobody says how many.
const PAGE: i32 = 50;
/// Messages on each side of an anchor when nobody says how many.
const AROUND: i32 = 25;

/// A place in a timeline.
#[derive(OneofObject, Clone, Copy, Debug)]
pub enum TimelineAnchor {
    /// At this message; for a reply, at its thread's root.
    MessageId(MessageId),
    /// At a place that needs no id.
    Place(TimelinePlace),
    /// At the first message sent at or after this time.
    Time(DateTime),
}

/// Places in a timeline that need no id.
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

/// The page of its timeline that is asked of this conversation, the field being resolved: found ahead.
pub(crate) fn ahead(ctx: &Context<'_>, conversation: ConversationId) -> Option<TimelineOf> {
    let asked = lookahead::only(ctx, "messages").filter(|asked| asked.is_without("around"))?;
    Some(TimelineOf {
        conversation,
        span: asked.both()?.read(PAGE, Direction::Last).ok()?,
        include_replies: asked
            .argument::<Option<bool>>("includeReplies")?
            .unwrap_or_default(),
        columns: columns(asked.required_columns::<MessageEdge, Message>(false)),
    })
}

/// What is read of messages, when this is what telling them takes: all, where they are not told at once.
pub(crate) fn columns(required_columns: Option<RequiredColumns>) -> Columns {
    required_columns.map_or_else(Columns::all, RequiredColumns::messages)
}

/// A page of a conversation's timeline.
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
    let required_columns = list_plan::required_columns::<MessageEdge, Message>(ctx, false);
    let is_partial = required_columns.is_some();
    let key = TimelineOf {
        conversation,
        span: span.clone(),
        include_replies,
        columns: columns(required_columns),
    };
    let part = unbatched(ctx).load_one(key).await?.unwrap_or_default();
    let (rows, at_hand) = at_hand(part.items, is_partial);
    let part = Slice {
        items: rows,
        has_more: part.has_more,
    };
    let page = Page::of(part, &span, |row: &message::Model| row.seq);
    Ok(MessageConnection::from(page.map(Message)).with(at_hand))
}

/// The messages of these rows, and who sent them.
pub(crate) fn at_hand(rows: Vec<Row>, is_partial: bool) -> (Vec<message::Model>, Preloaded) {
    let mut at_hand = Preloaded {
        is_partial,
        ..Preloaded::default()
    };
    let messages = rows.into_iter().map(|row| {
        if let Some(sender) = row.sender {
            at_hand.people.insert(UserKey(sender.id), User(sender));
        }
        row.message
    });
    (messages.collect(), at_hand)
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
    let place = timeline::place(db, viewer, conversation, anchor, include_replies).await?;
    // Nothing was sent since the asked time: the place is behind the newest message.
    let place = place.unwrap_or(i32::MAX);
    let required_columns = list_plan::required_columns::<MessageEdge, Message>(ctx, false);
    let is_partial = required_columns.is_some();
    let columns = columns(required_columns);
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
        size => load(span(Direction::Last, None, Some(place), size)).await?,
    };
    let later = match from {
        0 => Slice::default(),
        size => {
            load(span(
                Direction::First,
                Some(place.saturating_sub(1)),
                None,
                size,
            ))
            .await?
        }
    };
    let (has_previous, has_next) = (earlier.has_more, later.has_more);
    let rows = earlier.items.into_iter().chain(later.items).collect();
    let (rows, at_hand) = at_hand(rows, is_partial);
    let items = rows.into_iter();
    let page = Page {
        items: items
            .map(|row| (Cursor::new(row.seq), Message(row)))
            .collect(),
        has_next,
        has_previous,
    };
    Ok(MessageConnection::from(page).with(at_hand))
}

/// How many messages to show before the anchor and from it on.
fn sizes(both: &Both) -> Result<(usize, usize)> {
    let mut problems = vec![];
    for (argument, cursor) in [("after", &both.after), ("before", &both.before)] {
        if cursor.is_some() {
            problems.push(Problem {
                path: vec![argument.to_owned()],
                code: "EXCLUSIVE",
                message: "Give a cursor or a place to open around, not both.".to_owned(),
            });
        }
    }
    let sides = match (both.last, both.first) {
        (None, None) => (Some(AROUND), Some(AROUND)),
        sides => sides,
    };
    let mut side = |argument, asked: Option<i32>| match asked {
        Some(asked) => size(argument, asked, &mut problems),
        None => 0,
    };
    let sides = (side("last", sides.0), side("first", sides.1));
    Error::check(problems)?;
    Ok(sides)
}
