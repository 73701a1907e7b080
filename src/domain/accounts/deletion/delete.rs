//! Deletes an account with its messages, direct conversations, notifications and edits, in one transaction. Messages of
//! other users in groups stay.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{
    affected::{AffectedConversation, lock_affected_in},
    messages::{self, SentMessages},
};
use crate::{
    core::Core,
    db::Tx,
    domain::{
        accounts::{
            identities, invitations, last_administrator::require_another_administrator_in,
            lockout::LockoutKey, password_check, second_factor::Attempt,
        },
        audit::{self, AuditAction, AuditRecord},
        conversations, participants,
        sessions::{self, SessionFilter, Viewer},
        users,
    },
    entity::{
        message_revision,
        session::SessionEndReason,
        user::{self, ServerRole},
    },
    error::{Error, Problem},
    live::log::{self, Change, Stream},
};

/// The confirmed request to delete an account.
#[derive(Clone, Debug)]
pub struct AccountDeletion {
    /// The username that the user typed to confirm.
    pub confirm_username: String,
    /// The current password. It may be missing only if the account has none.
    pub password: Option<String>,
    /// A code of the authenticator app or a recovery code. It may be missing only if the account has no second factor.
    pub code: Option<String>,
    /// How messages in groups are treated.
    pub messages: SentMessages,
}

/// Deletes the viewer's account immediately.
pub async fn delete(core: &Core, viewer: &Viewer, deletion: &AccountDeletion) -> Result<(), Error> {
    let user = users::own(core, viewer).await?;
    let mut problems = vec![];
    if users::key(deletion.confirm_username.trim()) != user.username_key {
        let message = "Type your own username to confirm.";
        problems.push(Problem::new("confirmUsername", "MISMATCH", message));
    }
    let password = deletion.password.as_deref();
    problems.extend(password_check::missing_password(
        &user, "password", password,
    ));
    let given = deletion.code.as_deref();
    let has_factor = sessions::has_second_factor(core.db.read(), user.id).await?;
    if has_factor && given.is_none() {
        let message = "Enter a code of your authenticator app, or a recovery code.";
        problems.push(Problem::new("code", "REQUIRED", message));
    }
    Error::check(problems)?;
    password_check::verify_current(core, &user, password).await?;
    let (user, messages, now) = (&user, deletion.messages, core.clock.now());
    let Some(given) = given.filter(|_| has_factor) else {
        let delete = core.db.write(|tx| async move {
            if sessions::has_second_factor(&*tx, user.id).await? {
                return Err(Error::conflict(
                    "Your account has just received a second factor. Try again.",
                ));
            }
            delete_in(&tx, user, messages, now).await
        });
        return delete.await;
    };
    let attempt = Attempt::start(core, user.id).await?;
    let confirmed = &attempt;
    let outcome = core
        .db
        .write(|tx| async move {
            confirmed.confirm_any_in(&tx, core, given).await?;
            delete_in(&tx, user, messages, now).await
        })
        .await;
    attempt.finish(core, outcome).await
}

async fn delete_in(
    tx: &Tx,
    user: &user::Model,
    sent: SentMessages,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    // A statement about all messages of a user may exceed the usual timeout.
    tx.extend_timeout().await?;
    tx.erase_on_commit();
    if user.role == ServerRole::Admin {
        require_another_administrator_in(tx, user.id).await?;
    }
    let affected = lock_affected_in(tx, user.id).await?;
    password_check::confirm_in(tx, user, &LockoutKey::Account(user.id), None).await?;
    let (deleted, kept): (Vec<_>, Vec<_>) = affected
        .into_iter()
        .partition(AffectedConversation::is_deleted);
    check_owners(&kept)?;
    for conversation in &deleted {
        conversations::delete_in(tx, conversation.id, at).await?;
    }
    for conversation in &kept {
        let id = conversation.id;
        let mut changes = messages::remove_in(tx, user.id, id, sent, at).await?;
        if conversation.is_participant() {
            changes.push(Change::ParticipantChanged {
                conversation: id,
                user: user.id,
            });
            changes.push(Change::ConversationChanged { conversation: id });
        }
        log::append(tx, Stream::Conversation(id), at, &changes).await?;
    }
    let left = kept.iter().filter(|kept| kept.is_participant());
    let left: Vec<_> = left.map(|kept| kept.id).collect();
    participants::count_in(tx, &left, -1).await?;
    if sent == SentMessages::Delete {
        // The bodies that the user's edits of other users' messages replaced.
        message_revision::Entity::delete_many()
            .filter(message_revision::Column::EditorId.eq(user.id))
            .exec(tx)
            .await?;
    }
    let reason = SessionEndReason::AccountDeleted;
    sessions::end_in(tx, user.id, SessionFilter::All, reason, at).await?;
    invitations::delete_of_in(tx, user).await?;
    identities::release_in(tx, user.id, at).await?;
    // Foreign keys delete the remaining rows of the user, or set their reference to NULL.
    user::Entity::delete_by_id(user.id).exec(tx).await?;
    let record = AuditRecord::own(AuditAction::UserDeleted, user.id);
    audit::append_in(tx, at, record).await?;
    audit::erase_in(tx, user.id).await
}

fn check_owners(kept: &[AffectedConversation]) -> Result<(), Error> {
    let owned = kept.iter().filter(|group| group.is_only_owner()).count();
    if owned == 0 {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "You are the only owner of {owned} groups. Give OWNER to another participant of each first.",
    )))
}
