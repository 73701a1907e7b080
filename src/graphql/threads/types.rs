//! The `Thread` type and the connection of its replies.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};

use crate::{
    domain::threads::followers::Writer,
    entity::{message, thread},
    graphql::{
        connection::connection,
        context::loaders,
        conversations::{loader::ConversationKey, types::Conversation},
        errors::{Result, nullable},
        list_plan::PlannedList,
        messages::{loader::MessageKey, types::Message},
        pagination::{Both, Cursor, Page, PageInfo, forward},
        participants::loader::MembershipOf,
        reads::{
            loader::{PositionOf, UnreadOf},
            types::int,
        },
        scalars::DateTime,
        threads::{
            loader::{IsFollowing, LastReplyOf, WritersOf},
            replies::{self, ThreadRepliesArguments},
        },
        users::{loader::UserKey, types::UserConnection},
    },
    id::{MessageId, ThreadId},
};

/// A root message and all replies below it.
#[derive(Clone, Debug)]
pub struct Thread(pub thread::Model);

/// A root message and all replies below it.
#[Object]
impl Thread {
    /// Unique id.
    pub async fn id(&self) -> ThreadId {
        self.0.id
    }

    /// The conversation it is in.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Conversation> {
        let key = ConversationKey(self.0.conversation_id);
        loaders(ctx).load_existing(key, "conversation").await
    }

    /// The message it started from.
    async fn root(&self, ctx: &Context<'_>) -> Result<Message> {
        let key = MessageKey(self.0.id.into());
        loaders(ctx).load_existing(key, "message").await
    }

    /// Replies at any level that still exist.
    async fn reply_count(&self) -> i32 {
        self.0.reply_count
    }

    /// When it last got a reply.
    async fn last_activity_at(&self) -> DateTime {
        self.0.last_activity_at.into()
    }

    /// Newest reply; null when all were deleted.
    async fn last_reply(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        loaders(ctx).nullable(Some(LastReplyOf(self.0.id))).await
    }

    /// People who wrote in it, most recent first.
    async fn participants(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(10)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<UserConnection> {
        let span = forward(first, 10, after)?;
        let load = |span| {
            loaders(ctx).load_or_default(WritersOf {
                thread: self.0.id,
                span,
            })
        };
        let page = Page::read(ctx, &span, |writer: &Writer| writer.last_seq, load).await?;
        let ids = page.items.iter();
        let ids = ids.map(|(_, writer)| UserKey(writer.user_id));
        let mut users = loaders(ctx).load_many(ids).await?;
        let page = page.filter_map(|writer| users.remove(&UserKey(writer.user_id)));
        Ok(page.into())
    }

    /// Replies as one flat list with a depth on every edge, so a page can end anywhere in the tree. Below the
    /// level `threadDepth` of `ServerLimits`, TREE order continues by time.
    /// Deleted replies that still have replies below them are included as markers.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn replies(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "How to sort.", default_with = "ThreadOrder::Tree")] order: ThreadOrder,
        #[graphql(desc = "Only replies below this one; its own level counts as 0.")] under: Option<
            MessageId,
        >,
        #[graphql(
            desc = "Leave out replies deeper than this; the edge above them counts those left out."
        )]
        max_depth: Option<i32>,
    ) -> Result<ThreadReplyConnection> {
        let both = Both {
            first,
            after,
            last,
            before,
        };
        let arguments = ThreadRepliesArguments {
            both,
            order,
            under,
            max_depth,
        };
        replies::page(ctx, self.0.id, arguments).await
    }

    /// Replies the viewer has not read.
    async fn viewer_unread_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int(loaders(ctx)
            .load_or_default(UnreadOf(self.0.id))
            .await?))
    }

    /// Last reply the viewer has read.
    async fn viewer_last_read_message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        nullable(async {
            let position = loaders(ctx).load_or_default(PositionOf(self.0.id)).await?;
            loaders(ctx)
                .load_if(position.last_read.map(MessageKey))
                .await
        })
        .await
    }

    /// First reply the viewer has not read.
    async fn viewer_first_unread_message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        nullable(async {
            let position = loaders(ctx).load_or_default(PositionOf(self.0.id)).await?;
            loaders(ctx)
                .load_if(position.first_unread.map(MessageKey))
                .await
        })
        .await
    }

    /// Whether new replies notify the viewer.
    async fn viewer_is_following(&self, ctx: &Context<'_>) -> Result<bool> {
        loaders(ctx).load_or_default(IsFollowing(self.0.id)).await
    }

    /// Whether the viewer may reply in it.
    async fn viewer_can_reply(&self, ctx: &Context<'_>) -> Result<bool> {
        let key = MembershipOf(self.0.conversation_id);
        let membership = loaders(ctx).load_one(key).await?;
        Ok(membership.is_some_and(|own| own.role.may_send()))
    }
}

/// Orders for the replies of a thread.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadOrder {
    /// Each reply straight after its parent, siblings oldest first.
    Tree,
    /// By time, oldest first.
    OldestFirst,
    /// By time, newest first.
    NewestFirst,
}

/// A page of a thread's replies.
#[derive(SimpleObject)]
pub struct ThreadReplyConnection {
    /// The items with their cursors and positions in the tree.
    pub edges: PlannedList<ThreadReplyEdge>,
    /// The items alone.
    pub nodes: PlannedList<ThreadReplyEdge, Message>,
    /// The position of the page in the list.
    pub page_info: PageInfo,
}

/// A reply in a page, with its position in the tree.
#[derive(SimpleObject)]
pub struct ThreadReplyEdge {
    /// The reply.
    pub node: Message,
    /// Its cursor.
    pub cursor: Cursor,
    /// Levels below the thread's root, or below `under` when that was given.
    pub depth: i32,
    /// Replies below this one that `maxDepth` left out; fetch them with `under`.
    pub hidden_reply_count: i32,
}

impl ThreadReplyEdge {
    /// The edge of a reply in the whole thread's tree.
    #[must_use]
    pub fn in_tree(row: message::Model) -> Self {
        Self {
            cursor: replies::tree_cursor(&row),
            depth: row.depth,
            hidden_reply_count: 0,
            node: row.into(),
        }
    }
}

connection!(
    ThreadConnection,
    ThreadEdge,
    Thread,
    "A page of threads.",
    "A thread in a page."
);

/// The thread to follow.
#[derive(InputObject)]
pub struct FollowThreadInput {
    /// The thread.
    pub thread_id: ThreadId,
}

/// Result of followThread.
#[derive(SimpleObject)]
pub struct FollowThreadPayload {
    /// The thread.
    pub thread: Option<Thread>,
}

/// The thread to stop following.
#[derive(InputObject)]
pub struct UnfollowThreadInput {
    /// The thread.
    pub thread_id: ThreadId,
}

/// Result of unfollowThread.
#[derive(SimpleObject)]
pub struct UnfollowThreadPayload {
    /// The thread.
    pub thread: Option<Thread>,
}
