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

/// Takes the viewer out of a group. The last one takes the group along; the only owner of a group
/// with others in it hands it over first.
pub async fn leave(core: &Core, viewer: &Viewer, id: ConversationId) -> Result<(), Error> {
    core.db
        .write(|tx| async move {
            let place = access::conversation(&tx, viewer, id).await?;
            place.group()?;
            let at = core.clock.now();
            if may_leave_in(&tx, viewer, &place).await? {
                let own = place.participant().clone();
                let notice = Notice::by(viewer.user, NoticeType::ParticipantLeft);
                return participants::end_in(&tx, own, &notice.about([viewer.user]), at).await;
            }
            delete_in(&tx, id, at).await
        })
        .await
}

/// Whether the group goes on without the viewer.
async fn may_leave_in(tx: &Tx, viewer: &Viewer, place: &InConversation) -> Result<bool, Error> {
    let id = place.conversation().id;
    let heads = participants::counts(tx, viewer, &[id]).await?;
    let heads = heads.get(&id).copied().unwrap_or_default();
    if heads.people > 1 && heads.owners == 1 && place.role() == ParticipantRole::Owner {
        return Err(Error::forbidden(
            "You are the only owner: give OWNER to somebody else, or delete the group.",
        ));
    }
    Ok(heads.people > 1)
}

/// Repairs a locked group whose owner is gone with their account: the strongest and longest-standing
/// person owns it from now on. A group without anybody is deleted.
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
    let strongest = rows.iter().map(|row| row.role).max();
    match strongest {
        None => delete_in(tx, id, at).await,
        Some(ParticipantRole::Owner) => Ok(()),
        Some(role) => match rows.into_iter().find(|row| row.role == role) {
            Some(heir) => {
                participants::set_role_in(tx, None, heir, ParticipantRole::Owner, at).await?;
                Ok(())
            }
            None => Ok(()),
        },
    }
}
