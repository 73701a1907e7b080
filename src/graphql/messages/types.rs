//! The `Message` and `MessageRevision` types.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};

use crate::{
    domain::{
        messages::{notice, permissions},
        text,
    },
    entity::{message, message_revision, participant::ParticipantRole},
    graphql::{
        connection::connection,
        context::{app, caller, loaders, viewer},
        conversations::{loader::ConversationKey, types::Conversation},
        errors::{Result, nullable},
        list_plan::PlannedObject,
        messages::{
            loader::{
                DescendantsOf, MentionsOf, MentionsViewer, MessageKey, PairIn, RepliesOf,
                RevisionsOf,
            },
            notice::Notice,
        },
        pagination::{Page, forward},
        participants::loader::MembershipOf,
        reads::loader::IsUnread,
        response_size::sized,
        scalars::{DateTime, Html},
        threads::{loader::ThreadKey, types::Thread},
        users::{
            loader::UserKey,
            types::{User, has_blocked},
        },
    },
    id::{MessageId, RevisionId, ThreadId},
};

/// Who wrote a message.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "message::MessageKind")]
pub enum MessageKind {
    /// A person or bot.
    User,
    /// The server, to record an event such as someone joining.
    Notice,
}

/// How strongly a sender flagged a message.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "message::MessagePriority")]
pub enum MessagePriority {
    /// Ordinary.
    Normal,
    /// Highlighted.
    Important,
    /// Highlighted, and it notifies people who limited notifications to mentions.
    Urgent,
}

/// One message. After deletion it stays as an empty marker for as long as it has replies.
#[derive(Clone, Debug)]
pub struct Message(pub Arc<message::Model>);

impl From<message::Model> for Message {
    fn from(row: message::Model) -> Self {
        Self(Arc::new(row))
    }
}

/// One message. After deletion it stays as an empty marker for as long as it has replies.
#[Object]
impl Message {
    /// Unique id.
    pub async fn id(&self) -> MessageId {
        self.0.id
    }

    /// The conversation it was sent to.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Conversation> {
        let key = ConversationKey(self.0.conversation_id);
        loaders(ctx).load_existing(key, "conversation").await
    }

    /// Who sent it; null for notices and for erased accounts.
    async fn sender(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        loaders(ctx).nullable(self.0.sender_id.map(UserKey)).await
    }

    /// The other person in a direct conversation of two; null elsewhere.
    async fn receiver(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        nullable(async {
            let Some(sender) = self.0.sender_id else {
                return Ok(None);
            };
            let pair = PairIn(self.0.conversation_id);
            let mut pair = loaders(ctx).load_or_default(pair).await?.into_iter();
            let other = pair.find(|&user| user != sender);
            loaders(ctx).load_if(other.map(UserKey)).await
        })
        .await
    }

    /// Whether a person or the server wrote it.
    async fn kind(&self) -> MessageKind {
        self.0.kind.into()
    }

    /// How strongly the sender flagged it.
    async fn priority(&self) -> MessagePriority {
        self.0.priority.into()
    }

    /// Markdown source; null once deleted, and for notices.
    async fn body(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        self.0.body.as_deref().map(|body| sized(ctx, body))
    }

    /// The body rendered and sanitised; null whenever body is. Mentions are names that it shows outside of code and links.
    async fn body_html(&self, ctx: &Context<'_>) -> Option<Result<Html>> {
        let body = self.0.body.as_deref()?;
        let html = text::html(body).await;
        Some(sized(ctx, html).map(|html| Html(html.to_string())))
    }

    /// The recorded event, when kind is NOTICE; null otherwise.
    async fn notice(&self) -> Option<Notice> {
        notice::Notice::of(&self.0).map(Notice)
    }

    /// People mentioned.
    async fn mentions(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        let ids = loaders(ctx).load_or_default(MentionsOf(self.0.id)).await?;
        loaders(ctx).load_list(ids.into_iter().map(UserKey)).await
    }

    /// Whether it came from an import. Its sender is who the source named, which this server has not verified.
    async fn is_imported(&self) -> bool {
        self.0.import_key.is_some()
    }

    /// The key that the sender's client chose; null for everyone but the sender.
    async fn client_message_id(&self, ctx: &Context<'_>) -> Option<&str> {
        let viewer = caller(ctx).viewer()?;
        self.0
            .client_message_id
            .as_deref()
            .filter(|_| self.0.sender_id == Some(viewer.user))
    }

    /// Position in the conversation. It grows with every message and may have gaps.
    async fn sequence(&self) -> i32 {
        self.0.seq
    }

    /// When the server accepted it.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it was last edited; null if never.
    async fn edited_at(&self) -> Option<DateTime> {
        self.0.edited_at.map(DateTime)
    }

    /// When it was deleted; null if it is not.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted_at.map(DateTime)
    }

    /// Earlier texts, newest first.
    async fn revisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(20)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<MessageRevisionConnection> {
        let span = forward(first, 20, after)?;
        let load = |span| {
            loaders(ctx).load_or_default(RevisionsOf {
                message: self.0.id,
                span,
            })
        };
        let key = |row: &message_revision::Model| row.number;
        let page = Page::read(ctx, &span, key, load).await?;
        Ok(page.map(MessageRevision).into())
    }

    /// The message that this one replies to; null for a root message.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        loaders(ctx)
            .nullable(self.0.parent_id.map(MessageKey))
            .await
    }

    /// The thread it started or belongs to; null while there is no reply.
    async fn thread(&self, ctx: &Context<'_>) -> Option<Result<Thread>> {
        let key = ThreadKey(ThreadId::from(self.0.thread_root()));
        loaders(ctx).nullable(Some(key)).await
    }

    /// Levels below the thread's root; 0 for a root message.
    async fn depth(&self) -> i32 {
        self.0.depth
    }

    /// Direct replies that still exist.
    async fn reply_count(&self) -> i32 {
        self.0.reply_count
    }

    /// Replies at any level below this message that still exist.
    async fn descendant_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let message = &self.0;
        let (of, stored) = (message.conversation_id, message.descendant_count);
        match DescendantsOf::of(message.id, of, message.branch_seq, stored) {
            Some(key) => loaders(ctx).load_or_default(key).await,
            None => Ok(stored),
        }
    }

    /// Direct replies, oldest first. To show a whole thread use thread.replies, which is one flat list.
    async fn replies(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(20)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<MessageConnection> {
        let span = forward(first, 20, after)?;
        // A message without replies needs no statement.
        let has_replies = self.0.descendant_count > 0;
        let load = |span| {
            let parent = self.0.id;
            let key = has_replies.then_some(RepliesOf { parent, span });
            async move { Ok(loaders(ctx).load_if(key).await?.unwrap_or_default()) }
        };
        let page = Page::read(ctx, &span, |row: &message::Model| row.seq, load).await?;
        Ok(page.map(Message::from).into())
    }

    /// Whether the viewer has read it.
    async fn viewer_has_read(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(loaders(ctx).load_one(IsUnread(self.0.id)).await?.is_none())
    }

    /// Whether it mentions the viewer.
    async fn mentions_viewer(&self, ctx: &Context<'_>) -> Result<bool> {
        loaders(ctx)
            .load_or_default(MentionsViewer(self.0.id))
            .await
    }

    /// Whether the viewer blocked the sender. Clients should collapse such a message.
    async fn viewer_has_blocked_sender(&self, ctx: &Context<'_>) -> Result<bool> {
        match self.0.sender_id {
            Some(sender) => has_blocked(ctx, sender).await,
            None => Ok(false),
        }
    }

    /// Whether the viewer may edit it now.
    async fn viewer_can_edit(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.role_if(ctx, permissions::edit).await?.is_some())
    }

    /// Until when the viewer may edit it; null when editing is not allowed or has no limit; see
    /// viewerCanEdit.
    async fn editable_until(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        nullable(async {
            let role = self.role_if(ctx, permissions::edit).await?;
            let closes = permissions::closes(&self.0, app(ctx).config.edit_window);
            Ok(closes.filter(|_| role.is_some()).map(DateTime))
        })
        .await
    }

    /// Whether the viewer may delete it now.
    async fn viewer_can_delete(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.role_if(ctx, permissions::delete).await?.is_some())
    }

    /// Until when the viewer may delete it; null when deleting is not allowed or has no limit; see
    /// viewerCanDelete.
    async fn deletable_until(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        nullable(async {
            let role = self.role_if(ctx, permissions::delete).await?;
            // Moderators may delete at any time.
            let is_limited = role.is_some_and(|role| role < ParticipantRole::Moderator);
            let closes = permissions::closes(&self.0, app(ctx).config.delete_window);
            Ok(closes.filter(|_| is_limited).map(DateTime))
        })
        .await
    }

    /// Whether the viewer may reply to it.
    async fn viewer_can_reply(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(permissions::reply(&self.0, self.role(ctx).await?).is_ok())
    }
}

impl Message {
    /// The viewer's role in the conversation of the message.
    async fn role(&self, ctx: &Context<'_>) -> Result<ParticipantRole> {
        let key = MembershipOf(self.0.conversation_id);
        let membership = loaders(ctx).load_one(key).await?;
        Ok(membership.map_or(ParticipantRole::Observer, |row| row.role))
    }

    /// The viewer's role, if this check permits a change of the message now.
    async fn role_if(
        &self,
        ctx: &Context<'_>,
        check: permissions::Check,
    ) -> Result<Option<ParticipantRole>> {
        let (app, viewer, role) = (app(ctx), viewer(ctx)?, self.role(ctx).await?);
        let checked = check(&app.config, viewer, role, &self.0, app.clock.now());
        Ok(checked.is_ok().then_some(role))
    }
}

/// A text that an edit replaced.
#[derive(Clone, Debug)]
pub struct MessageRevision(pub message_revision::Model);

/// A text that an edit replaced.
#[Object]
impl MessageRevision {
    /// Unique id.
    pub async fn id(&self) -> RevisionId {
        self.0.id
    }

    /// The text before the edit.
    #[expect(clippy::unused_async, reason = "every resolver is async")]
    async fn body(&self, ctx: &Context<'_>) -> Result<&str> {
        sized(ctx, &self.0.body)
    }

    /// That text rendered and sanitised.
    async fn body_html(&self, ctx: &Context<'_>) -> Result<Html> {
        let html = text::html(&self.0.body).await;
        sized(ctx, html).map(|html| Html(html.to_string()))
    }

    /// When it was replaced.
    async fn replaced_at(&self) -> DateTime {
        self.0.replaced_at.into()
    }

    /// Who replaced it; null if that account is deleted.
    async fn editor(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        loaders(ctx).nullable(self.0.editor_id.map(UserKey)).await
    }

    /// The reason that the editor gave; null when none was given.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }
}

impl PlannedObject for MessageRevision {}

connection!(
    MessageConnection,
    MessageEdge,
    Message,
    "A page of messages.",
    "A message in a page."
);
connection!(
    MessageRevisionConnection,
    MessageRevisionEdge,
    MessageRevision,
    "A page of earlier texts.",
    "An earlier text in a page."
);
