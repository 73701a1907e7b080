//! Removes participants from groups, and ends memberships.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, QueryFilter};

use crate::{
    core::Core,
    db::Tx,
    domain::{
        access,
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        messages::notice::{self, Notice, NoticeType},
        notifications, participants,
        sessions::Viewer,
    },
    entity::{
        conversation,
        participant::{self, ParticipantRole},
        read_exception, read_mark, thread_follow,
    },
    error::Error,
    id::{ConversationId, ParticipantId, UserId},
    live::log::{self, Change, Stream},
};

/// The result of [`remove`].
#[derive(Clone, Debug)]
pub struct Removed {
    /// The group.
    pub conversation: conversation::Model,
    /// The id of the ended membership.
    pub participant: ParticipantId,
}

/// Removes a participant from a group. Moderators can remove all participants except owners.
pub async fn remove(
    core: &Core,
    viewer: &Viewer,
    id: ConversationId,
    user: UserId,
) -> Result<Removed, Error> {
    core.db
        .write(|tx| async move {
            let membership = access::conversation(&tx, viewer, id).await?;
            membership.group()?;
            membership.at_least(ParticipantRole::Moderator)?;
            let own = membership.participant();
            let target = if user == viewer.user {
                own.clone()
            } else {
                participants::other_in(&tx, &membership, user).await?
            };
            check(own, &target)?;
            let notice = Notice::by(viewer.user, NoticeType::ParticipantRemoved);
            let participant = target.id;
            let at = core.clock.now();
            end_in(&tx, target, &notice.about([user]), at).await?;
            let conversation = access::reload(&tx, id).await?;
            let record = AuditRecord::new(AuditAction::ParticipantRemoved, Some(viewer.user))
                .on(AuditTarget::User(user))
                .change("conversationId", Some(&id.to_string()), None);
            audit::append_in(&tx, at, record).await?;
            Ok(Removed {
                conversation,
                participant,
            })
        })
        .await
}

/// Whether a participant of a group may remove another one.
#[must_use]
pub fn can_remove(own: &participant::Model, target: &participant::Model) -> bool {
    check(own, target).is_ok()
}

fn check(own: &participant::Model, target: &participant::Model) -> Result<(), Error> {
    access::require_role(own, ParticipantRole::Moderator)?;
    if target.user_id == own.user_id {
        return Err(Error::invalid(
            "userId",
            "NOT_ALLOWED",
            "You cannot remove yourself. Use leaveConversation to leave the group.",
        ));
    }
    if target.role == ParticipantRole::Owner {
        return Err(Error::forbidden(
            "Owners cannot be removed. An owner can leave, or transfer OWNER first.",
        ));
    }
    Ok(())
}

/// Ends a membership and deletes the state that depends on it. Appends the notice and the events.
pub(in crate::domain) async fn end_in(
    tx: &Tx,
    target: participant::Model,
    notice: &Notice,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let (id, user) = (target.conversation_id, target.user_id);
    target.delete(tx).await?;
    participants::count_in(tx, &[id], -1).await?;
    // The read state and the follows end with the membership. Mentions stay, because they are part of the messages.
    read_mark::Entity::delete_many()
        .filter(read_mark::Column::ConversationId.eq(id))
        .filter(read_mark::Column::UserId.eq(user))
        .exec(tx)
        .await?;
    read_exception::Entity::delete_many()
        .filter(read_exception::Column::ConversationId.eq(id))
        .filter(read_exception::Column::UserId.eq(user))
        .exec(tx)
        .await?;
    thread_follow::Entity::delete_many()
        .filter(thread_follow::Column::ConversationId.eq(id))
        .filter(thread_follow::Column::UserId.eq(user))
        .exec(tx)
        .await?;
    let changed = Change::ParticipantChanged {
        conversation: id,
        user,
    };
    notice::write_in(tx, id, notice, at, &[changed]).await?;
    notifications::forget_conversation_in(tx, id, &[user], at).await?;
    let left = Change::ConversationLeft { conversation: id };
    log::append(tx, Stream::User(user), at, &[left]).await
}
