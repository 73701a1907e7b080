//! Invitations: links with which people register where registration is not open. Each can be used once.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use super::{mails, validation};
use crate::{
    auth::secret_token::{SecretToken, hash},
    core::Core,
    db::{Db, Tx},
    domain::{
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        text,
    },
    entity::{
        invitation::{self, InvitationStatus},
        user::{self, ServerRole},
    },
    error::{Code, Error, Problem},
    id::{InvitationId, UserId},
    jobs::{self, Job},
};

/// The prefix of a token.
const PREFIX: &str = "hit_";

/// A person to invite.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// The address of the person. Without one, anyone who has the link may use it.
    pub email: Option<String>,
    /// The role of the account.
    pub role: ServerRole,
    /// How long the link is valid.
    pub lifetime: TimeDelta,
    /// The administrator who invites them; none for the command line.
    pub created_by: Option<UserId>,
    /// Whether to mail the link to the address. The mail has a token of its own.
    pub is_mailed: bool,
}

/// Creates an invitation. Returns it with the token of its link, which is not stored, and not valid if it is mailed.
pub async fn create_invitation(
    core: &Core,
    new: &NewInvitation,
) -> Result<(invitation::Model, String), Error> {
    let mut problems = vec![];
    let email = new.email.as_deref();
    let email = email.map(|email| validation::email("email", email, &mut problems));
    Error::check(problems)?;
    let token = SecretToken::generate(PREFIX);
    let now = core.clock.now();
    let row = invitation::ActiveModel {
        id: Set(InvitationId::mint()),
        token_hash: Set(token.hash),
        email_key: Set(email.as_deref().map(text::email_key)),
        email: Set(email),
        role: Set(new.role),
        created_at: Set(now),
        expires_at: Set(now + new.lifetime),
        revoked_at: Set(None),
        accepted_at: Set(None),
        accepted_by: Set(None),
        created_by: Set(new.created_by),
    };
    let row = &row;
    let created = core
        .db
        .write(|tx| async move {
            let created = row.clone().insert(&*tx).await?;
            let invitation = created.id;
            if new.is_mailed {
                jobs::enqueue_in(&tx, &Job::SendInvitation { invitation }, now).await?;
            }
            let (action, by) = (AuditAction::InvitationCreated, new.created_by);
            record_in(&tx, action, by, invitation, now).await?;
            Ok(created)
        })
        .await?;
    Ok((created, token.text))
}

/// Lists the invitations, newest first.
pub async fn invitations(db: &Db) -> Result<Vec<invitation::Model>, Error> {
    let listed = invitation::Entity::find().order_by_desc(invitation::Column::Id);
    Ok(listed.all(db.read()).await?)
}

/// Mails the link of an invitation that can be used, with a new token: only its hash is stored.
pub async fn send_invitation(core: &Core, id: InvitationId) -> Result<(), Error> {
    let found = invitation::Entity::find_by_id(id)
        .one(core.db.read())
        .await?;
    let pending = found.filter(|row| row.status(core.clock.now()) == InvitationStatus::Pending);
    let Some((invitation, address)) = pending
        .as_ref()
        .and_then(|row| Some((row, row.email.as_deref()?)))
    else {
        return Ok(());
    };
    let creator = user::Entity::find().filter(user::Column::Id.is_in(invitation.created_by));
    let creator = creator.one(core.db.read()).await?;
    let token = SecretToken::generate(PREFIX);
    let row = invitation::ActiveModel {
        token_hash: Set(token.hash.clone()),
        ..Default::default()
    };
    let set_token = &invitation::Entity::update_many()
        .set(row)
        .filter(invitation::Column::Id.eq(id));
    core.db
        .write(|tx| async move { Ok(set_token.clone().exec(&*tx).await?) })
        .await?;
    let locale = creator.map_or_else(String::new, |creator| creator.locale);
    mails::send_invitation(core, address, &locale, &token.text).await
}

/// Revokes an invitation that is not used yet. Revoking it again changes nothing.
pub async fn revoke_invitation(
    core: &Core,
    by: Option<UserId>,
    id: InvitationId,
) -> Result<invitation::Model, Error> {
    let now = core.clock.now();
    core.db
        .write(|tx| async move {
            let found = invitation::Entity::find_by_id(id).one(&*tx).await?;
            let found = found.ok_or_else(|| Error::not_found("invitation"))?;
            if found.accepted_at.is_some() {
                let message = "This invitation was used. Its account remains.";
                return Err(Error::new(Code::Conflict, message));
            }
            let row = invitation::ActiveModel {
                revoked_at: Set(Some(now)),
                ..Default::default()
            };
            let revoked = invitation::Entity::update_many()
                .set(row)
                .filter(invitation::Column::Id.eq(id))
                .filter(invitation::Column::RevokedAt.is_null())
                .exec(&*tx)
                .await?;
            if revoked.rows_affected > 0 {
                record_in(&tx, AuditAction::InvitationRevoked, by, id, now).await?;
            }
            let revoked_at = found.revoked_at.or(Some(now));
            Ok(invitation::Model {
                revoked_at,
                ..found
            })
        })
        .await
}

/// Finds the invitation of a token, which must be valid.
pub(super) async fn find(core: &Core, token: &str) -> Result<invitation::Model, Error> {
    let found = invitation::Entity::find()
        .filter(invitation::Column::TokenHash.eq(hash(token)))
        .one(core.db.read())
        .await?;
    let status = found.as_ref().map(|found| found.status(core.clock.now()));
    match (found, status) {
        (Some(found), Some(InvitationStatus::Pending)) => Ok(found),
        (_, Some(InvitationStatus::Expired)) => {
            let message = "This invitation has expired. Request another one from an administrator.";
            Err(Error::new(Code::Expired, message))
        }
        _ => Err(invalid()),
    }
}

/// Returns a problem if the invitation is for another address.
pub(super) fn email_problem(invitation: &invitation::Model, email: &str) -> Option<Problem> {
    let expected = invitation.email_key.as_ref()?;
    let is_other = *expected != text::email_key(email);
    is_other.then(|| {
        let message = "This invitation is for another address. Enter the address that was invited.";
        Problem::new("email", "MISMATCH", message)
    })
}

/// Uses an invitation for a new account. Fails if another request was faster.
pub(super) async fn accept_in(
    tx: &Tx,
    invitation: &invitation::Model,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let row = invitation::ActiveModel {
        accepted_at: Set(Some(now)),
        accepted_by: Set(Some(user)),
        ..Default::default()
    };
    let accepted = invitation::Entity::update_many()
        .set(row)
        .filter(invitation::Column::Id.eq(invitation.id))
        .filter(invitation::Column::AcceptedAt.is_null())
        .filter(invitation::Column::RevokedAt.is_null())
        .exec(tx)
        .await?;
    if accepted.rows_affected == 0 {
        return Err(invalid());
    }
    Ok(())
}

/// Deletes the invitations that a deleted account has used, or that contain its address.
pub(super) async fn delete_of_in(tx: &Tx, user: &user::Model) -> Result<(), Error> {
    // Anyone can enter the address of another person, whose invitation must remain.
    let address = user
        .email_key
        .as_ref()
        .filter(|_| user.verified_at.is_some());
    let has_address = address.map(|address| invitation::Column::EmailKey.eq(address));
    let was_used = invitation::Column::AcceptedBy.eq(user.id);
    for is_theirs in [Some(was_used), has_address].into_iter().flatten() {
        invitation::Entity::delete_many()
            .filter(is_theirs)
            .exec(tx)
            .await?;
    }
    Ok(())
}

async fn record_in(
    tx: &Tx,
    action: AuditAction,
    by: Option<UserId>,
    id: InvitationId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let record = AuditRecord::new(action, by).on(AuditTarget::Invitation(id));
    audit::append_in(tx, now, record).await
}

fn invalid() -> Error {
    let message = "This invitation is not valid: it was used or revoked. Request another one from an administrator.";
    Error::new(Code::WrongCredentials, message)
}
