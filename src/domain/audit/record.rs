//! Appends entries, and erases the details about a user.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Set,
};

use super::{
    chain,
    details::{AuditChange, AuditDetails},
};
use crate::{
    core::Core,
    db::Tx,
    entity::{
        audit_entry::{self, AuditOutcome},
        audit_head, user,
    },
    error::Error,
    id::{AuditEntryId, ConversationId, InvitationId, SessionId, UserId},
    request_scope,
};

/// A kind of recorded action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// An account was created.
    UserCreated,
    /// The address of an account was verified or replaced.
    UserEmailVerified,
    /// A user entered a new address.
    UserEmailChangeRequested,
    /// A password was changed.
    UserPasswordChanged,
    /// A password was set with a link or by an operator.
    UserPasswordReset,
    /// A password was verified again, before a change of the account.
    UserPasswordVerified,
    /// A user set up an authenticator app.
    UserSecondFactorEnabled,
    /// The authenticator app of an account was removed.
    UserSecondFactorDisabled,
    /// A code of a second factor was verified.
    UserSecondFactorVerified,
    /// A user generated new recovery codes.
    UserRecoveryCodesRegenerated,
    /// An account was suspended.
    UserSuspended,
    /// The suspension of an account was lifted.
    UserReinstated,
    /// The role of an account on the server was changed.
    UserRoleChanged,
    /// An administrator ended the sessions of an account.
    UserAccessRevoked,
    /// An administrator sent a link for a new password.
    UserPasswordResetSent,
    /// An account was deleted.
    UserDeleted,
    /// A user signed in, or failed to.
    SessionStarted,
    /// Sessions were ended.
    SessionEnded,
    /// An old refresh token was used again, which ended the session.
    SessionTokenReused,
    /// A participant was given another role.
    ParticipantRoleChanged,
    /// A participant was removed by another one.
    ParticipantRemoved,
    /// A conversation was deleted.
    ConversationDeleted,
    /// A person was invited to register.
    InvitationCreated,
    /// An invitation was revoked.
    InvitationRevoked,
}

impl AuditAction {
    /// The name in the log: the object, a dot, and what happened to it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserCreated => "user.created",
            Self::UserEmailVerified => "user.email_verified",
            Self::UserEmailChangeRequested => "user.email_change_requested",
            Self::UserPasswordChanged => "user.password_changed",
            Self::UserPasswordReset => "user.password_reset",
            Self::UserPasswordVerified => "user.password_verified",
            Self::UserSecondFactorEnabled => "user.second_factor_enabled",
            Self::UserSecondFactorDisabled => "user.second_factor_disabled",
            Self::UserSecondFactorVerified => "user.second_factor_verified",
            Self::UserRecoveryCodesRegenerated => "user.recovery_codes_regenerated",
            Self::UserSuspended => "user.suspended",
            Self::UserReinstated => "user.reinstated",
            Self::UserRoleChanged => "user.role_changed",
            Self::UserAccessRevoked => "user.access_revoked",
            Self::UserPasswordResetSent => "user.password_reset_sent",
            Self::UserDeleted => "user.deleted",
            Self::SessionStarted => "session.started",
            Self::SessionEnded => "session.ended",
            Self::SessionTokenReused => "session.token_reused",
            Self::ParticipantRoleChanged => "participant.role_changed",
            Self::ParticipantRemoved => "participant.removed",
            Self::ConversationDeleted => "conversation.deleted",
            Self::InvitationCreated => "invitation.created",
            Self::InvitationRevoked => "invitation.revoked",
        }
    }
}

/// The object of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditTarget {
    /// A user.
    User(UserId),
    /// A session.
    Session(SessionId),
    /// A conversation.
    Conversation(ConversationId),
    /// An invitation.
    Invitation(InvitationId),
}

/// An action to record.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    action: AuditAction,
    outcome: AuditOutcome,
    actor: Option<UserId>,
    target: Option<AuditTarget>,
    changes: Vec<AuditChange>,
}

impl AuditRecord {
    /// An action that is carried out by this user; by the server itself without one.
    #[must_use]
    pub const fn new(action: AuditAction, actor: Option<UserId>) -> Self {
        Self {
            action,
            outcome: AuditOutcome::Succeeded,
            actor,
            target: None,
            changes: vec![],
        }
    }

    /// An action of a user on their own account.
    #[must_use]
    pub const fn own(action: AuditAction, user: UserId) -> Self {
        Self::new(action, Some(user)).on(AuditTarget::User(user))
    }

    /// Sets the object.
    #[must_use]
    pub const fn on(mut self, target: AuditTarget) -> Self {
        self.target = Some(target);
        self
    }

    /// Sets that the action was refused.
    #[must_use]
    pub const fn refused(mut self) -> Self {
        self.outcome = AuditOutcome::Refused;
        self
    }

    /// Adds a changed value.
    #[must_use]
    pub fn change(mut self, field: &str, before: Option<&str>, after: Option<&str>) -> Self {
        self.changes.push(AuditChange {
            field: field.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        });
        self
    }
}

/// Appends an entry in a transaction of its own.
pub async fn append(core: &Core, record: AuditRecord) -> Result<(), Error> {
    let (record, now) = (&record, core.clock.now());
    core.db
        .write(|tx| async move { append_in(&tx, now, record.clone()).await })
        .await
}

/// Appends an entry in the transaction of the action. Call it last: the lock of the head orders all entries, and no other
/// lock may be taken after it.
pub async fn append_in(tx: &Tx, now: DateTime<Utc>, record: AuditRecord) -> Result<(), Error> {
    let (details, target_id) = describe_in(tx, &record).await?;
    let details = details.text()?;
    let head = audit_head::Entity::find_by_id(1).lock_exclusive().one(tx);
    let head = head
        .await?
        .ok_or_else(|| Error::internal("the audit log has no head"))?;
    let mut entry = audit_entry::Model {
        sequence: head.last_sequence + 1,
        id: AuditEntryId::mint(),
        occurred_at: now.trunc_subsecs(3),
        action: record.action.name().to_owned(),
        outcome: record.outcome,
        actor_id: record.actor,
        target_id,
        request_id: Some(request_scope::request_id()).filter(|id| !id.is_empty()),
        details_hash: chain::hash_text(&details),
        details: Some(details),
        hash: vec![],
    };
    entry.hash = chain::hash(&head.last_hash, &entry)?;
    let head = audit_head::ActiveModel {
        last_sequence: Set(entry.sequence),
        last_hash: Set(entry.hash.clone()),
        ..Default::default()
    };
    audit_head::Entity::update_many()
        .set(head)
        .filter(audit_head::Column::One.eq(1))
        .exec(tx)
        .await?;
    audit_entry::Entity::insert(entry.into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The details of a record and the id of its target. Costs the same statements whether the users exist or not.
async fn describe_in(
    tx: &Tx,
    record: &AuditRecord,
) -> Result<(AuditDetails, Option<String>), Error> {
    let target = match record.target {
        Some(AuditTarget::User(user)) => Some(user),
        _ => None,
    };
    let users: Vec<(UserId, String)> = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::Username])
        .filter(user::Column::Id.is_in([record.actor, target].map(Option::unwrap_or_default)))
        .into_tuple()
        .all(tx)
        .await?;
    let names: HashMap<_, _> = users.into_iter().collect();
    let name = |user: Option<UserId>| user.and_then(|user| names.get(&user).cloned());
    let client = request_scope::client_address().map(|address| address.to_string());
    let details = AuditDetails::new(
        name(record.actor),
        name(target),
        client,
        record.changes.clone(),
    );
    let target_id = record.target.map(|target| match target {
        AuditTarget::User(id) => id.to_string(),
        AuditTarget::Session(id) => id.to_string(),
        AuditTarget::Conversation(id) => id.to_string(),
        AuditTarget::Invitation(id) => id.to_string(),
    });
    Ok((details, target_id))
}

/// Erases the details of the entries by a user and about them. The entries stay, with their ids.
pub async fn erase_in(tx: &Tx, user: UserId) -> Result<(), Error> {
    audit_entry::Entity::update_many()
        .set(audit_entry::ActiveModel {
            details: Set(None),
            ..Default::default()
        })
        .filter(
            Condition::any()
                .add(audit_entry::Column::ActorId.eq(user))
                .add(audit_entry::Column::TargetId.eq(user.to_string())),
        )
        .filter(audit_entry::Column::Details.is_not_null())
        .exec(tx)
        .await?;
    Ok(())
}
