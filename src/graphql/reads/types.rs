//! The `UnreadTotals` type, the connection of unread messages, and the inputs and payloads of marking read.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};

use crate::{
    app::App,
    domain::{
        reads::unread::{self, Totals, UnreadScope},
        sessions,
    },
    graphql::{
        context::{app, viewer},
        conversations::types::Conversation,
        errors::Result,
        list_plan::PlannedList,
        messages::types::{Message, MessageEdge},
        pagination::PageInfo,
        threads::types::Thread,
    },
    id::{ConversationId, MessageId, ThreadId, UnreadTotalsId, UserId},
};

/// Converts a count to GraphQL's 32-bit integer.
#[must_use]
pub fn int(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Totals for badges. They leave out muted conversations.
#[derive(Clone, Copy, Debug)]
pub struct UnreadTotals {
    user: UserId,
    totals: Totals,
}

impl UnreadTotals {
    /// Loads the viewer's totals after a change. An error stays in its field.
    pub async fn afterwards(ctx: &Context<'_>) -> Option<Result<Self>> {
        Some(async { Self::of(app(ctx), viewer(ctx)?).await }.await)
    }

    /// Loads the current totals of this user.
    pub async fn of(app: &App, viewer: &sessions::Viewer) -> Result<Self> {
        let totals = unread::totals(app.db.read(), viewer, app.clock.now()).await?;
        Ok(Self {
            user: viewer.user,
            totals,
        })
    }
}

/// Totals for badges. They leave out muted conversations.
#[Object]
impl UnreadTotals {
    /// Unique id, so that a client cache updates every badge together.
    pub async fn id(&self) -> UnreadTotalsId {
        UnreadTotalsId(self.user.0)
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
    /// The position of the page in the list.
    pub page_info: PageInfo,
    /// The scope of the list.
    #[graphql(skip)]
    pub scope: UnreadScope,
}

#[ComplexObject]
impl UnreadMessageConnection {
    /// Total number of unread messages in the list.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = unread::count(app(ctx).db.read(), viewer(ctx)?, self.scope).await?;
        Ok(int(count))
    }
}

/// The read position in one conversation.
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

/// The read position in a thread.
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

/// Which messages to mark read.
#[derive(InputObject)]
pub struct MarkMessagesReadInput {
    /// At most 200; ids the viewer cannot see are ignored.
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

/// The message from which everything becomes unread.
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

/// Adds the field `unread`, the totals after the change, to payloads.
macro_rules! unread_totals {
    ($($payload:ident),+ $(,)?) => {$(
        #[async_graphql::ComplexObject]
        impl $payload {
            /// Totals after the change.
            async fn unread(
                &self,
                ctx: &async_graphql::Context<'_>,
            ) -> Option<$crate::graphql::errors::Result<$crate::graphql::reads::types::UnreadTotals>>
            {
                $crate::graphql::reads::types::UnreadTotals::afterwards(ctx).await
            }
        }
    )+};
}
pub(crate) use unread_totals;

unread_totals!(
    MarkConversationsReadPayload,
    MarkThreadReadPayload,
    MarkMessagesReadPayload,
    MarkUnreadFromPayload,
);
