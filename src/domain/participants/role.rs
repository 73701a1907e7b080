//! Changes the roles of participants.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveEnum, ColumnTrait, EntityTrait, Iterable, QueryFilter, UpdateMany, sea_query::Expr,
};

use super::order;
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
    entity::participant::{self, ParticipantRole},
    error::Error,
    id::{ConversationId, UserId},
    live::log::Change,
};

/// Changes the role of a participant. Giving OWNER transfers it: the viewer becomes MODERATOR.
pub async fn change_role(
    core: &Core,
    viewer: &Viewer,
    id: ConversationId,
    user: UserId,
    role: ParticipantRole,
) -> Result<participant::Model, Error> {
    core.db
        .write(|tx| async move {
            let membership = access::conversation(&tx, viewer, id).await?;
            membership.group()?;
            let target = if user == viewer.user {
                membership.participant().clone()
            } else {
                participants::other_in(&tx, &membership, user).await?
            };
            check(membership.participant(), &target, role)?;
            if target.role == role {
                return Ok(target);
            }
            let (at, before) = (core.clock.now(), target.role);
            let changed = set_role_in(&tx, Some(viewer.user), target, role, at).await?;
            notifications::role_changed_in(&tx, core, viewer.user, id, user).await?;
            if role == ParticipantRole::Owner {
                let own = membership.participant().clone();
                set_role_in(&tx, Some(viewer.user), own, ParticipantRole::Moderator, at).await?;
            }
            let record = AuditRecord::new(AuditAction::ParticipantRoleChanged, Some(viewer.user))
                .on(AuditTarget::User(user))
                .change("conversationId", None, Some(&id.to_string()))
                .change("role", Some(&before.to_value()), Some(&role.to_value()));
            audit::append_in(&tx, at, record).await?;
            Ok(changed)
        })
        .await
}

/// Whether a participant of a group may give some other role to a participant.
#[must_use]
pub fn can_change_role(own: &participant::Model, target: &participant::Model) -> bool {
    let mut others = ParticipantRole::iter().filter(|role| *role != target.role);
    others.any(|role| check(own, target, role).is_ok())
}

/// Owners may give any role to other participants. Moderators may change the roles of members and observers to MEMBER or
/// OBSERVER, and may lower their own.
fn check(
    own: &participant::Model,
    target: &participant::Model,
    role: ParticipantRole,
) -> Result<(), Error> {
    if target.user_id == own.user_id {
        return if role > own.role {
            Err(Error::forbidden(
                "You cannot raise your own role. Only an owner of the group can raise it.",
            ))
        } else if own.role == ParticipantRole::Owner && role < own.role {
            Err(Error::forbidden(
                "A group needs an owner. Give OWNER to another participant instead.",
            ))
        } else {
            Ok(())
        };
    }
    access::require_role(own, ParticipantRole::Moderator)?;
    if own.role == ParticipantRole::Owner || (target.role < own.role && role < own.role) {
        return Ok(());
    }
    Err(Error::forbidden(
        "You can only change roles below your own, and only to roles below your own.",
    ))
}

/// The statement that gives this role, and the place in the list that belongs to it, to the participants that the caller
/// selects. It appends no notice and no event.
pub(in crate::domain) fn update_role(role: ParticipantRole) -> UpdateMany<participant::Entity> {
    participant::Entity::update_many()
        .col_expr(participant::Column::Role, Expr::val(role))
        .col_expr(participant::Column::SortKey, order::with_rank(role))
}

/// Updates a role. Appends the notice and the event.
pub(in crate::domain) async fn set_role_in(
    tx: &Tx,
    actor: Option<UserId>,
    target: participant::Model,
    role: ParticipantRole,
    at: DateTime<Utc>,
) -> Result<participant::Model, Error> {
    let (conversation, user) = (target.conversation_id, target.user_id);
    let changed = update_role(role)
        .filter(participant::Column::Id.eq(target.id))
        .exec_with_returning(tx)
        .await?;
    let changed = changed.into_iter().next();
    let changed = changed.ok_or_else(|| Error::not_found("participant"))?;
    let notice = Notice {
        kind: NoticeType::RoleChanged,
        actor,
        subjects: vec![user],
        value: Some(role.to_value()),
    };
    let change = Change::ParticipantChanged { conversation, user };
    notice::write_in(tx, conversation, &notice, at, &[change]).await?;
    Ok(changed)
}
