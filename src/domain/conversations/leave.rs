//! Leaving groups, and what becomes of a group whose last participant or owner is gone.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{
    core::Core,
    db::Tx,
    domain::{
        access::{self, InConversation},
        conversations::delete_in,
        messages::notice::{Notice, NoticeType},
        participants,
        sessions::Viewer,
    },
    entity::participant::{self, ParticipantRole},
    error::Error,
    id::ConversationId,
};

/// Ends the viewer's membership of a group. The group is deleted with its last participant. The only owner of a group with
/// other participants has to transfer OWNER first.
pub async fn leave(core: &Core, viewer: &Viewer, id: ConversationId) -> Result<(), Error> {
    core.db
        .write(|tx| async move {
            let membership = access::conversation(&tx, viewer, id).await?;
            membership.group()?;
            let at = core.clock.now();
            if may_leave_in(&tx, viewer, &membership).await? {
                let own = membership.participant().clone();
                let notice = Notice::by(viewer.user, NoticeType::ParticipantLeft);
                return participants::end_in(&tx, own, &notice.about([viewer.user]), at).await;
            }
            delete_in(&tx, id, at).await
        })
        .await
}

/// Whether the group remains without the viewer.
async fn may_leave_in(
    tx: &Tx,
    viewer: &Viewer,
    membership: &InConversation,
) -> Result<bool, Error> {
    let conversation = membership.conversation();
    let has_others = conversation.participant_count > 1;
    if has_others && membership.role() == ParticipantRole::Owner {
        let id = [conversation.id];
        let owned = participants::with_other_owner(tx, viewer, &id).await?;
        if owned.is_empty() {
            return Err(Error::forbidden(
                "You are the only owner. Give OWNER to another participant, or delete the group.",
            ));
        }
    }
    Ok(has_others)
}

/// Gives OWNER of a locked group without an owner to the participant with the most rights who joined first. Deletes the
/// group if it has no participants.
pub async fn promote_successor_in(
    tx: &Tx,
    id: ConversationId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let rows = participant::Entity::find()
        .filter(participant::Column::ConversationId.eq(id))
        .order_by_asc(participant::Column::JoinedAt)
        .order_by_asc(participant::Column::Id)
        .all(tx)
        .await?;
    let highest = rows.iter().map(|row| row.role).max();
    match highest {
        None => delete_in(tx, id, at).await,
        Some(ParticipantRole::Owner) => Ok(()),
        Some(role) => match rows.into_iter().find(|row| row.role == role) {
            Some(successor) => {
                participants::set_role_in(tx, None, successor, ParticipantRole::Owner, at).await?;
                Ok(())
            }
            None => Ok(()),
        },
    }
}
