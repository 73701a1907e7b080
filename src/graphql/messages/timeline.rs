//! The timeline of a conversation: bidirectional, and opened at an end or around a place.

use async_graphql::{Context, Enum, OneofObject};

use crate::{
    domain::{
        messages::timeline::{self, Anchor},
        page::{End, Part, Span},
    },
    error::{Error, Problem},
    graphql::{
        context::{app, once, viewer},
        errors::Result,
        messages::{
            loader::TimelineOf,
            types::{Message, MessageConnection},
        },
        page::{Both, Page, cursor, size},
        scalars::DateTime,
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
    let span: Span<i32> = both.read(PAGE, End::Last)?;
    let key = TimelineOf {
        conversation,
        span: span.clone(),
        include_replies,
    };
    let part = once(ctx).load_one(key).await?.unwrap_or_default();
    Ok(Page::of(part, &span, |row| row.seq).map(Message).into())
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
    let load = async |span: Span<i32>| {
        let key = TimelineOf {
            conversation,
            span,
            include_replies,
        };
        once(ctx).load_one(key).await.map(Option::unwrap_or_default)
    };
    let span = |end, after, before, size| Span {
        after,
        before,
        end,
        size,
    };
    let earlier = match before {
        0 => Part::default(),
        size => load(span(End::Last, None, Some(place), size)).await?,
    };
    let later = match from {
        0 => Part::default(),
        size => load(span(End::First, Some(place.saturating_sub(1)), None, size)).await?,
    };
    let (has_previous, has_next) = (earlier.has_more, later.has_more);
    let rows = earlier.items.into_iter().chain(later.items);
    let items = rows.map(|row| (cursor(&row.seq), Message(row))).collect();
    Ok(Page {
        items,
        has_next,
        has_previous,
    }
    .into())
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
