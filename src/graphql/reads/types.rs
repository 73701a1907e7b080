//! `UnreadTotals`, the unread list, and the inputs and payloads of marking read.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};

use crate::{
    app::App,
    domain::{
        reads::unread::{self, Scope, Totals},
        sessions,
    },
    graphql::{
        context::{app, viewer},
        conversations::types::Conversation,
        errors::{Result, nullable},
        list_plan::PlannedList,
        messages::types::{Message, MessageEdge},
        pagination::PageInfo,
        threads::types::Thread,
    },
    id::{ConversationId, MessageId, ThreadId, UnreadTotalsId, UserId},
};

/// A count as GraphQL has numbers.
#[must_use]
pub fn int(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Totals for badges. Muted conversations do not count.
#[derive(Clone, Copy, Debug)]
pub struct UnreadTotals {
    whose: UserId,
    totals: Totals,
}

impl UnreadTotals {
    /// A person's totals now.
    pub async fn load(ctx: &Context<'_>, viewer: &sessions::Viewer) -> Result<Self> {
        Self::of(app(ctx), viewer).await
    }

    /// The viewer's totals after a change; an error stays in its field.
    pub async fn afterwards(ctx: &Context<'_>) -> Option<Result<Self>> {
        nullable(async { Ok(Some(Self::load(ctx, viewer(ctx)?).await?)) }).await
    }

    /// The same outside a request.
    pub async fn of(app: &App, viewer: &sessions::Viewer) -> Result<Self> {
        let totals = unread::totals(app.db.read(), viewer, app.clock.now()).await?;
        Ok(Self {
            whose: viewer.user,
            totals,
        })
    }
}

/// Totals for badges. Muted conversations do not count.
#[Object]
impl UnreadTotals {
    /// Unique id, so that a cache updates every badge at once.
    pub async fn id(&self) -> UnreadTotalsId {
        UnreadTotalsId(self.whose.0)
    }

    /// Unread messages.
    async fn messages(&self) -> i32 {
        int(self.totals.messages)
    }

    /// Unread messages that mention the viewer.
    async fn mentions(&self) -> i32 {
        int(self.totals.mentions)
    }

    /// Conversations with unread messages.
    async fn conversations(&self) -> i32 {
        int(self.totals.conversations)
    }

    /// Followed threads with unread replies.
    async fn threads(&self) -> i32 {
        int(self.totals.threads)
    }

    /// Unread notifications.
    async fn notifications(&self) -> i32 {
        int(self.totals.notifications)
    }
}

/// A page of unread messages.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct UnreadMessageConnection {
    /// The items with their cursors.
    pub edges: PlannedList<MessageEdge>,
    /// The items alone.
    pub nodes: PlannedList<MessageEdge, Message>,
    /// Where the page sits.
    pub page_info: PageInfo,
    /// Where the messages were looked for.
    #[graphql(skip)]
    pub scope: Scope,
}

#[ComplexObject]
impl UnreadMessageConnection {
    /// How many there are in all.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = unread::count(app(ctx).db.read(), viewer(ctx)?, self.scope).await?;
        Ok(int(count))
    }
}

/// How far one conversation is read.
#[derive(InputObject)]
pub struct ConversationReadInput {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Last message read; omit to mark everything read.
    pub up_to_message_id: Option<MessageId>,
}

/// Which conversations to mark read.
#[derive(InputObject)]
pub struct MarkConversationsReadInput {
    /// At most 100.
    pub conversations: Vec<ConversationReadInput>,
}

/// Result of markConversationsRead. A position never moves backwards.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct MarkConversationsReadPayload {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// Messages that became read.
    pub marked_count: i32,
}

#[ComplexObject]
impl MarkConversationsReadPayload {
    /// Totals afterwards.
    async fn unread(&self, ctx: &Context<'_>) -> Option<Result<UnreadTotals>> {
        UnreadTotals::afterwards(ctx).await
    }
}

/// How far a thread is read.
#[derive(InputObject)]
pub struct MarkThreadReadInput {
    /// The thread.
    pub thread_id: ThreadId,
    /// Last reply read; omit to mark everything read.
    pub up_to_message_id: Option<MessageId>,
}

/// Result of markThreadRead.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct MarkThreadReadPayload {
    /// The thread.
    pub thread: Option<Thread>,
    /// Replies that became read.
    pub marked_count: i32,
}

#[ComplexObject]
impl MarkThreadReadPayload {
    /// Totals afterwards.
    async fn unread(&self, ctx: &Context<'_>) -> Option<Result<UnreadTotals>> {
        UnreadTotals::afterwards(ctx).await
    }
}

/// Which messages to mark read.
#[derive(InputObject)]
pub struct MarkMessagesReadInput {
    /// At most 200; ids the viewer cannot see are passed over.
    pub message_ids: Vec<MessageId>,
}

/// Result of markMessagesRead.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct MarkMessagesReadPayload {
    /// The messages.
    pub messages: Vec<Message>,
    /// Messages that became read.
    pub marked_count: i32,
}

#[ComplexObject]
impl MarkMessagesReadPayload {
    /// Totals afterwards.
    async fn unread(&self, ctx: &Context<'_>) -> Option<Result<UnreadTotals>> {
        UnreadTotals::afterwards(ctx).await
    }
}

/// Where unread should begin.
#[derive(InputObject)]
pub struct MarkUnreadFromInput {
    /// The message; a reply moves the position in its thread.
    pub message_id: MessageId,
}

/// Result of markUnreadFrom.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct MarkUnreadFromPayload {
    /// The message.
    pub message: Option<Message>,
}

#[ComplexObject]
impl MarkUnreadFromPayload {
    /// Totals afterwards.
    async fn unread(&self, ctx: &Context<'_>) -> Option<Result<UnreadTotals>> {
        UnreadTotals::afterwards(ctx).await
    }
}
