//! The list `Viewer.messages`.

use async_graphql::{Context, Enum, InputObject};

use crate::{
    domain::{
        messages::{
            across::{self, MessageTimeKey, TimePosition},
            projection::{MessageProjection, WholeMessages},
        },
        pagination::{Direction, PageRequest},
        sessions,
    },
    entity::message,
    error::{Error, Problem},
    graphql::{
        context::app,
        errors::Result,
        messages::{
            timeline::{TimelinePlan, columns, planned},
            types::{Message, MessageConnection},
        },
        pagination::{Both, Instant, PAGE_OF_BOTH, Page},
        scalars::DateTime,
    },
    id::{ConversationId, UserId},
};

/// The maximum number of conversations in the filter.
const CONVERSATIONS_MAX: usize = 100;
/// The maximum number of senders in the filter. Each is looked up in each conversation.
const SENDERS_MAX: usize = 20;

/// Narrows a message list. All conditions must hold.
#[derive(InputObject, Default)]
pub struct MessageFilter {
    /// Only in these conversations, at most 100; null means all conversations.
    pub conversation_ids: Option<Vec<ConversationId>>,
    /// Only from these people, at most 20; null means everyone.
    pub sender_ids: Option<Vec<UserId>>,
    /// Sent at or after this time.
    pub since: Option<DateTime>,
    /// Sent before this time.
    pub until: Option<DateTime>,
    /// Only messages that the viewer has not read.
    #[graphql(default_with = "Some(false)")]
    pub unread_only: Option<bool>,
}

/// Orders for messages of several conversations.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageOrder {
    /// By time, newest first.
    NewestFirst,
    /// By time, oldest first.
    OldestFirst,
}

/// The sort key of a list of messages of several conversations.
pub type PositionKey = (Instant, ConversationId, i32);

impl From<PositionKey> for TimePosition {
    fn from((Instant(at), conversation, seq): PositionKey) -> Self {
        Self(at, conversation, seq)
    }
}

/// Returns the key of a message.
#[must_use]
pub fn key_of(row: &message::Model) -> PositionKey {
    (Instant(row.created_at), row.conversation_id, row.seq)
}

/// Returns a page of the messages that the viewer sees.
pub(crate) async fn page(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    filter: MessageFilter,
    order: MessageOrder,
    both: Both,
) -> Result<MessageConnection> {
    let span: PageRequest<PositionKey> = both.read(PAGE_OF_BOTH, Direction::First)?;
    let (unread_only, newest_first) = (
        filter.unread_only == Some(true),
        order == MessageOrder::NewestFirst,
    );
    let narrowing = conditions(filter)?;
    if unread_only {
        let (db, narrowing) = (app(ctx).db.read(), &narrowing);
        let load = |span: PageRequest<PositionKey>| async move {
            let span = span.map(Into::into);
            Ok(across::unread(db, viewer, narrowing, None, &span, newest_first).await?)
        };
        let page = Page::read(ctx, &span, key_of, load).await?;
        return Ok(page.map(Message::from).into());
    }
    let list = (viewer, &narrowing, newest_first);
    Ok(if let Some(plan) = TimelinePlan::current(ctx) {
        let page = load(ctx, list, &span, &columns(&plan)).await?;
        planned(page, &plan)
    } else {
        let page = load(ctx, list, &span, &WholeMessages).await?;
        page.map(Message::from).into()
    })
}

async fn load<P: MessageProjection>(
    ctx: &Context<'_>,
    (viewer, narrowing, newest_first): (&sessions::Viewer, &across::MessageFilter, bool),
    span: &PageRequest<PositionKey>,
    projection: &P,
) -> Result<Page<P::Row>> {
    let db = app(ctx).db.read();
    let load = |span: PageRequest<PositionKey>| async move {
        let span = span.map(Into::into);
        Ok(across::page(db, viewer, narrowing, &span, newest_first, projection).await?)
    };
    let key = |(key, _): &(MessageTimeKey, P::Row)| {
        (Instant(key.created_at), key.conversation_id, key.seq)
    };
    let page = Page::read(ctx, span, key, load).await?;
    Ok(page.map(|(_, row)| row))
}

/// Checks the filter.
fn conditions(filter: MessageFilter) -> Result<across::MessageFilter> {
    let MessageFilter {
        conversation_ids,
        sender_ids,
        since,
        until,
        ..
    } = filter;
    let mut problems = vec![];
    let conversations = distinct(
        "conversationIds",
        conversation_ids,
        CONVERSATIONS_MAX,
        &mut problems,
    );
    let senders = distinct("senderIds", sender_ids, SENDERS_MAX, &mut problems);
    Error::check(problems)?;
    Ok(across::MessageFilter {
        conversations,
        senders,
        since: since.map(|time| time.0),
        until: until.map(|time| time.0),
    })
}

/// Removes duplicate ids. Adds a problem with the field of the filter if there are too many.
fn distinct<I: Ord>(
    field: &str,
    ids: Option<Vec<I>>,
    max: usize,
    problems: &mut Vec<Problem>,
) -> Option<Vec<I>> {
    let mut ids = ids?;
    if ids.len() > max {
        problems.push(Problem {
            path: ["filter", field].map(str::to_owned).to_vec(),
            code: "TOO_MANY",
            message: format!("Use at most {max} ids."),
        });
    }
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}
