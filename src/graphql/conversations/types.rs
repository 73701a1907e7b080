//! The `Conversation` type, its enums, and the filter of its list.

use async_graphql::{Context, Enum, InputObject, Object};

use crate::{
    domain::participants::ParticipantNames,
    entity::{conversation, participant},
    graphql::{
        connection::connection,
        context::loaders,
        errors::{Result, nullable},
        messages::{
            loader::TimelineOf,
            timeline::{self, TimelineAnchor},
            types::{Message, MessageConnection},
        },
        pagination::{Both, Cursor, Instant, Page, forward},
        participants::{
            loader::{MembershipOf, NamesOf, ParticipantsOf},
            types::{Membership, Participant, ParticipantConnection, ParticipantRole},
        },
        presence::loader::TypingIn,
        scalars::DateTime,
        threads::{self, types::ThreadConnection},
        users::{loader::UserKey, types::User},
    },
    id::ConversationId,
};

/// The form of a conversation.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "conversation::ConversationKind")]
pub enum ConversationKind {
    /// Fixed participants, no title; at most one exists per set of people.
    Direct,
    /// Named or unnamed, with roles and changing participants.
    Group,
}

/// The history that is visible to people who join later.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "conversation::HistoryVisibility")]
pub enum HistoryVisibility {
    /// They see all messages.
    FromStart,
    /// They see the messages that are sent after they join.
    FromJoining,
}

/// Messages among a fixed set of participants.
#[derive(Clone, Debug)]
pub struct Conversation(pub conversation::Model);

/// The position of a conversation in the viewer's list.
pub type ConversationPosition = (Instant, ConversationId);

/// The display title of an untitled conversation.
pub(super) fn joined_names(names: &ParticipantNames) -> String {
    let (names, more) = (names.first.join(", "), names.more);
    match more {
        0 => names,
        _ => format!("{names} and {more} more"),
    }
}

/// Messages among a fixed set of participants.
#[Object]
impl Conversation {
    /// Unique id.
    pub(crate) async fn id(&self) -> ConversationId {
        self.0.id
    }

    /// Whether it is a direct conversation or a group.
    async fn kind(&self) -> ConversationKind {
        self.0.kind.into()
    }

    /// Name of a group; null when unnamed. Use displayTitle to show a conversation.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// The title, or the other participants' names as the viewer should see them.
    async fn display_title(&self, ctx: &Context<'_>) -> Result<String> {
        if let Some(title) = &self.0.title {
            return Ok(title.clone());
        }
        let names = loaders(ctx).load_or_default(NamesOf(self.0.id)).await?;
        Ok(joined_names(&names))
    }

    /// What the group is about.
    async fn topic(&self) -> Option<&str> {
        self.0.topic.as_deref()
    }

    /// The history that is visible to people who join later.
    async fn history_visibility(&self) -> HistoryVisibility {
        self.0.history_visibility.into()
    }

    /// Who created it; null if that account is gone.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        loaders(ctx).nullable(self.0.created_by.map(UserKey)).await
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it last changed or got a message.
    async fn last_activity_at(&self) -> DateTime {
        self.0.last_activity_at.into()
    }

    /// Number of participants.
    async fn participant_count(&self) -> i32 {
        self.0.participant_count
    }

    /// Participants, owners first and then by name.
    async fn participants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only this role.")] role: Option<ParticipantRole>,
        #[graphql(default_with = "Some(50)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<ParticipantConnection> {
        let span = forward(first, 50, after)?;
        let load = |span| {
            loaders(ctx).load_or_default(ParticipantsOf {
                conversation: self.0.id,
                role: role.map(Into::into),
                span,
            })
        };
        let key = |row: &participant::Model| row.sort_key.clone();
        let page = Page::read(ctx, &span, key, load).await?;
        Ok(page.map(Participant).into())
    }

    /// The timeline, always oldest to newest within a page. Open it with `last`, scroll up with `last`
    /// and `before`, catch up with `first` and `after`. With `around`, `last` counts the messages
    /// before the anchor and `first` those from the anchor on, and both may be given.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Open the timeline at an anchor instead of at an end.")] around: Option<
            TimelineAnchor,
        >,
        #[graphql(
            desc = "Include replies in the timeline as well as root messages.",
            default = false
        )]
        include_replies: bool,
    ) -> Result<MessageConnection> {
        let both = Both {
            first,
            after,
            last,
            before,
        };
        timeline::page(ctx, self.0.id, both, around, include_replies).await
    }

    /// Newest message in the timeline.
    async fn last_message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        nullable(async {
            let newest = loaders(ctx).load_or_default(TimelineOf::newest(self.0.id));
            let row = newest.await?.items.into_iter().next();
            Ok(row.map(|(_, row)| Message::from(row)))
        })
        .await
    }

    /// Threads, most recently active first.
    async fn threads(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(30)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<ThreadConnection> {
        threads::lists::of_conversation(ctx, self.0.id, first, after).await
    }

    /// The users who are typing now, outside threads and without the viewer.
    async fn typing(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        let typing = loaders(ctx).load_or_default(TypingIn(self.0.id)).await?;
        loaders(ctx)
            .load_list(typing.into_iter().map(UserKey))
            .await
    }

    /// The viewer's membership; null for an administrator who is not a participant.
    async fn viewer_membership(&self, ctx: &Context<'_>) -> Option<Result<Membership>> {
        nullable(async {
            let found = loaders(ctx).load_one(MembershipOf(self.0.id)).await?;
            Ok(found.map(|participant| Membership {
                participant,
                conversation: self.0.clone(),
            }))
        })
        .await
    }
}

connection!(
    ConversationConnection,
    ConversationEdge,
    Conversation,
    "A page of conversations.",
    "A conversation in a page."
);

impl From<Conversation> for ConversationEdge {
    fn from(node: Conversation) -> Self {
        let cursor = Cursor::new((Instant(node.0.last_activity_at), node.0.id));
        Self { node, cursor }
    }
}

/// Narrows the viewer's conversation list. All conditions must hold.
#[derive(InputObject)]
pub struct ConversationFilter {
    /// Only this kind.
    pub kind: Option<ConversationKind>,
    /// Only those with unread messages.
    #[graphql(default_with = "Some(false)")]
    pub unread_only: Option<bool>,
    /// Only archived ones (true), only others (false), or both (null).
    #[graphql(default_with = "Some(false)")]
    pub is_archived: Option<bool>,
    /// Title or participant name contains this; at most 200 characters.
    pub text: Option<String>,
}

impl Default for ConversationFilter {
    fn default() -> Self {
        Self {
            kind: None,
            unread_only: Some(false),
            is_archived: Some(false),
            text: None,
        }
    }
}
