//! Invitations that administrators create, and how moderators, auditors and administrators see them.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, Select};

use super::rights::require_admin;
use crate::{
    auth::action_limits::Action,
    core::Core,
    domain::{
        accounts::{self, NewInvitation},
        sessions::Viewer,
    },
    entity::{
        invitation::{self, Column, InvitationStatus},
        user::ServerRole,
    },
    error::Error,
    id::InvitationId,
};

/// The longest time for which an invitation is valid, in hours.
const MAX_HOURS: i32 = 720;

/// Invites a person. Mails the link to the address; without an address, and where the server sends no mail, returns it.
/// An invitation for a role above MEMBER needs a recent confirmation of the viewer's identity.
pub async fn invite(
    core: &Core,
    viewer: &Viewer,
    email: Option<String>,
    role: ServerRole,
    hours: i32,
) -> Result<(invitation::Model, Option<String>), Error> {
    require_admin(viewer)?;
    if !(1..=MAX_HOURS).contains(&hours) {
        let message = format!("Enter 1 to {MAX_HOURS} hours.");
        return Err(Error::invalid("expiresInHours", "OUT_OF_RANGE", message));
    }
    if role != ServerRole::Member {
        accounts::require_recent(core, viewer).await?;
    }
    core.action_limits
        .consume(viewer.user.0, Action::Invite)
        .await?;
    let new = NewInvitation {
        is_mailed: email.is_some() && core.mailer.is_enabled(),
        email,
        role,
        lifetime: TimeDelta::hours(hours.into()),
        created_by: Some(viewer.user),
    };
    let (created, token) = accounts::create_invitation(core, &new).await?;
    let link = (!new.is_mailed).then(|| accounts::invitation_link(core, &token));
    Ok((created, link))
}

/// Revokes an invitation that is not used yet.
pub async fn revoke_invitation(
    core: &Core,
    viewer: &Viewer,
    id: InvitationId,
) -> Result<invitation::Model, Error> {
    require_admin(viewer)?;
    accounts::revoke_invitation(core, Some(viewer.user), id).await
}

/// Selects the invitations, for viewers with a role on the server.
#[must_use]
pub fn visible_invitations(viewer: &Viewer) -> Option<Select<invitation::Entity>> {
    (viewer.role > ServerRole::Member).then(invitation::Entity::find)
}

/// Returns the condition that an invitation has a state at this time.
#[must_use]
pub fn has_status(status: InvitationStatus, now: DateTime<Utc>) -> Condition {
    let unused = Condition::all().add(Column::AcceptedAt.is_null());
    let usable = unused.clone().add(Column::RevokedAt.is_null());
    match status {
        InvitationStatus::Accepted => Condition::all().add(Column::AcceptedAt.is_not_null()),
        InvitationStatus::Revoked => unused.add(Column::RevokedAt.is_not_null()),
        InvitationStatus::Expired => usable.add(Column::ExpiresAt.lt(now)),
        InvitationStatus::Pending => usable.add(Column::ExpiresAt.gte(now)),
    }
}

/// Finds an invitation. For viewers without a role on the server, it does not exist.
pub async fn invitation(
    core: &Core,
    viewer: &Viewer,
    id: InvitationId,
) -> Result<Option<invitation::Model>, Error> {
    let Some(invitations) = visible_invitations(viewer) else {
        return Ok(None);
    };
    let found = invitations.filter(Column::Id.eq(id));
    Ok(found.one(core.db.read()).await?)
}
