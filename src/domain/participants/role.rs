//! Changing roles.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use crate::{
    core::Core,
    db::Tx,
    domain::{
        access::{self, InConversation},
        messages::notice::{self, Notice, NoticeType},
        notifications, participants,
        sessions::Viewer,
    },
    entity::participant::{self, ParticipantRole},
    error::Error,
    id::{ConversationId, UserId},
    live::log::Change,
};

/// Changes what someone may do in a group. Giving OWNER hands it over: the viewer becomes MODERATOR.
pub async fn change_role(
    core: &Core,
    viewer: &Viewer,
    id: ConversationId,
    user: UserId,
    role: ParticipantRole,
) -> Result<participant::Model, Error> {
    core.db
        .write(|tx| async move {
            let place = access::conversation(&tx, viewer, id).await?;
            place.group()?;
            let target = if user == viewer.user {
                place.participant().clone()
            } else {
                participants::other_in(&tx, &place, user).await?
            };
            check(&place, &target, role)?;
            if target.role == role {
                return Ok(target);
            }
            let at = core.clock.now();
            let changed = set_role_in(&tx, Some(viewer.user), target, role, at).await?;
            notifications::role_changed_in(&tx, core, viewer.user, id, user).await?;
            if role == ParticipantRole::Owner {
                let own = place.participant().clone();
                set_role_in(&tx, Some(viewer.user), own, ParticipantRole::Moderator, at).await?;
            }
            Ok(changed)
        })
        .await
}

/// Owners give any role to others. Moderators give MEMBER and OBSERVER to those who are one of the two,
/// and may step down themselves.
fn check(
    place: &InConversation,
    target: &participant::Model,
    role: ParticipantRole,
) -> Result<(), Error> {
    let own = place.role();
    if target.user_id == place.participant().user_id {
        return if role > own {
            Err(Error::forbidden("You cannot raise your own role."))
        } else if own == ParticipantRole::Owner && role < own {
            Err(Error::forbidden(
                "Each group has an owner: give OWNER to somebody else instead.",
            ))
        } else {
            Ok(())
        };
    }
    place.at_least(ParticipantRole::Moderator)?;
    if own == ParticipantRole::Owner || (target.role < own && role < own) {
        return Ok(());
    }
    Err(Error::forbidden(
        "You can only change roles below your own, to roles below your own.",
    ))
}

/// Writes a role and tells the conversation.
pub(in crate::domain) async fn set_role_in(
    tx: &Tx,
    actor: Option<UserId>,
    target: participant::Model,
    role: ParticipantRole,
    at: DateTime<Utc>,
) -> Result<participant::Model, Error> {
    let (conversation, user) = (target.conversation_id, target.user_id);
    let mut row = target.into_active_model();
    row.role = Set(role);
    let changed = row.update(tx).await?;
    let notice = Notice {
        kind: NoticeType::RoleChanged,
        actor,
        subjects: vec![user],
        value: Some(sea_orm::ActiveEnum::to_value(&role)),
    };
    let change = Change::ParticipantChanged { conversation, user };
    notice::write_in(tx, conversation, &notice, at, &[change]).await?;
    Ok(changed)
}
