//! The `Participant` and `Membership` types and their enums.

use async_graphql::{Context, Enum, Object};

use crate::{
    domain::{participants, reads::position::Position},
    entity::{
        conversation::{self, ConversationKind},
        participant,
    },
    graphql::{
        connection::connection,
        context::{app, loaders},
        conversations::{loader::ConversationKey, types::Conversation},
        errors::{Result, nullable},
        list_plan::PlannedObject,
        messages::{loader::MessageKey, types::Message},
        participants::loader::{HasOtherOwner, MembershipOf},
        reads::{
            loader::{LastReadBy, MentionsIn, PositionIn, UnreadIn},
            types::int,
        },
        scalars::DateTime,
        users::{loader::UserKey, types::User},
    },
    id::{MembershipId, ParticipantId},
};

/// A role within one conversation, weakest first.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "participant::ParticipantRole")]
pub enum ParticipantRole {
    /// May only read.
    Observer,
    /// May read and send.
    Member,
    /// May also manage people below OWNER and delete messages.
    Moderator,
    /// May do everything here; each group has at least one.
    Owner,
}

/// The messages that a participant is notified about.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "participant::NotificationLevel")]
pub enum NotificationLevel {
    /// Every message.
    All,
    /// Mentions, and replies in threads the viewer follows.
    Mentions,
    /// Nothing.
    None,
}

/// Someone's membership of a conversation.
#[derive(Clone, Debug)]
pub struct Participant(pub participant::Model);

/// Someone's membership of a conversation.
#[Object]
impl Participant {
    /// Unique id.
    pub(crate) async fn id(&self) -> ParticipantId {
        self.0.id
    }

    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        let key = UserKey(self.0.user_id);
        loaders(ctx).load_existing(key, "person").await
    }

    /// The conversation.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Conversation> {
        let key = ConversationKey(self.0.conversation_id);
        loaders(ctx).load_existing(key, "conversation").await
    }

    /// Their role.
    async fn role(&self) -> ParticipantRole {
        self.0.role.into()
    }

    /// When they joined.
    async fn joined_at(&self) -> DateTime {
        self.0.joined_at.into()
    }

    /// Who added them; null if they created it or that account is gone.
    async fn added_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        loaders(ctx).nullable(self.0.added_by.map(UserKey)).await
    }

    /// Last root message they have read; null when they do not share it, and in a conversation of more than 100
    /// people.
    async fn last_read_message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        nullable(async {
            let id = loaders(ctx).load_one(LastReadBy(self.0.id)).await?;
            loaders(ctx).load_if(id.map(MessageKey)).await
        })
        .await
    }

    /// Whether the viewer may remove them from the conversation.
    async fn viewer_can_remove(&self, ctx: &Context<'_>) -> Result<bool> {
        let own = self.viewer_in_group(ctx).await?;
        Ok(own.is_some_and(|own| participants::can_remove(&own, &self.0)))
    }

    /// Whether the viewer may change their role.
    async fn viewer_can_change_role(&self, ctx: &Context<'_>) -> Result<bool> {
        let own = self.viewer_in_group(ctx).await?;
        Ok(own.is_some_and(|own| participants::can_change_role(&own, &self.0)))
    }
}

impl Participant {
    /// The viewer's row, if this is a group in which the viewer participates.
    async fn viewer_in_group(&self, ctx: &Context<'_>) -> Result<Option<participant::Model>> {
        let id = self.0.conversation_id;
        let conversation = loaders(ctx).load_one(ConversationKey(id)).await?;
        if conversation.is_none_or(|found| found.0.kind != ConversationKind::Group) {
            return Ok(None);
        }
        loaders(ctx).load_one(MembershipOf(id)).await
    }
}

impl PlannedObject for Participant {}

connection!(
    ParticipantConnection,
    ParticipantEdge,
    Participant,
    "A page of participants.",
    "A participant in a page."
);

/// The viewer's settings, read state and permissions in a conversation. No one else can see them.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The viewer's row.
    pub participant: participant::Model,
    /// The conversation that it belongs to.
    pub conversation: conversation::Model,
}

impl Membership {
    async fn position(&self, ctx: &Context<'_>) -> Result<Position> {
        let key = PositionIn(self.conversation.id);
        loaders(ctx).load_or_default(key).await
    }

    fn in_group_at_least(&self, role: participant::ParticipantRole) -> bool {
        in_group_at_least(self.conversation.kind, self.participant.role, role)
    }
}

/// Whether this is a group in which the viewer has at least this role.
pub(super) fn in_group_at_least(
    kind: ConversationKind,
    role: participant::ParticipantRole,
    least: participant::ParticipantRole,
) -> bool {
    kind == ConversationKind::Group && role >= least
}

/// The viewer's settings, read state and permissions in a conversation. No one else can see them.
#[Object]
impl Membership {
    /// Unique id.
    pub(crate) async fn id(&self) -> MembershipId {
        MembershipId(self.participant.id.0)
    }

    /// The membership as other participants see it.
    async fn participant(&self) -> Participant {
        Participant(self.participant.clone())
    }

    /// Unread root messages.
    async fn unread_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let key = UnreadIn(self.conversation.id);
        Ok(int(loaders(ctx).load_or_default(key).await?))
    }

    /// Unread messages, replies included, that mention the viewer.
    async fn mention_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let key = MentionsIn(self.conversation.id);
        Ok(int(loaders(ctx).load_or_default(key).await?))
    }

    /// Last root message the viewer has read.
    async fn last_read_message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        nullable(async {
            let position = self.position(ctx).await?;
            loaders(ctx)
                .load_if(position.last_read.map(MessageKey))
                .await
        })
        .await
    }

    /// First root message the viewer has not read; anchor for opening the timeline.
    async fn first_unread_message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        nullable(async {
            let position = self.position(ctx).await?;
            loaders(ctx)
                .load_if(position.first_unread.map(MessageKey))
                .await
        })
        .await
    }

    /// The messages that the viewer is notified about.
    async fn notification_level(&self) -> NotificationLevel {
        self.participant.notification_level.into()
    }

    /// Muted until this time; null when not muted.
    async fn muted_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let until = self.participant.muted_until?;
        (until > app(ctx).clock.now()).then(|| until.into())
    }

    /// Whether it is kept at the top of the viewer's list.
    async fn is_pinned(&self) -> bool {
        self.participant.is_pinned
    }

    /// Whether it is moved out of the viewer's list until there is a new message.
    async fn is_archived(&self) -> bool {
        participant::is_put_away(self.participant.archived_seq, self.conversation.last_seq)
    }

    /// Whether it is hidden from the viewer's lists until someone writes in it again. Only direct conversations can be
    /// hidden.
    async fn is_hidden(&self) -> bool {
        participant::is_put_away(self.participant.hidden_seq, self.conversation.last_seq)
    }

    /// Whether the viewer's role allows them to send messages. In a direct conversation a block can prevent it; see
    /// User.viewerCanMessage.
    async fn can_send(&self) -> bool {
        self.participant.role.may_send()
    }

    /// Whether the viewer may change title or topic.
    async fn can_update(&self) -> bool {
        self.in_group_at_least(participant::ParticipantRole::Moderator)
    }

    /// Whether the viewer may add people.
    async fn can_add_participants(&self) -> bool {
        self.in_group_at_least(participant::ParticipantRole::Moderator)
    }

    /// Whether the viewer may remove people.
    async fn can_remove_participants(&self) -> bool {
        self.in_group_at_least(participant::ParticipantRole::Moderator)
    }

    /// Whether the viewer may change roles.
    async fn can_change_roles(&self) -> bool {
        self.in_group_at_least(participant::ParticipantRole::Moderator)
    }

    /// Whether the viewer may delete other people's messages.
    async fn can_moderate(&self) -> bool {
        self.in_group_at_least(participant::ParticipantRole::Moderator)
    }

    /// Whether the viewer may delete the conversation for everyone.
    async fn can_delete(&self) -> bool {
        self.in_group_at_least(participant::ParticipantRole::Owner)
    }

    /// Whether the viewer may leave.
    async fn can_leave(&self, ctx: &Context<'_>) -> Result<bool> {
        if !self.in_group_at_least(participant::ParticipantRole::Owner) {
            return Ok(self.conversation.kind == ConversationKind::Group);
        }
        if self.conversation.participant_count <= 1 {
            return Ok(true);
        }
        let key = HasOtherOwner(self.conversation.id);
        loaders(ctx).load_or_default(key).await
    }
}
