//! The kinds of jobs, and how a transaction enqueues them.

use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, Set};
use serde::{Deserialize, Serialize};

use crate::{
    db::Tx,
    entity::job::{self, JobStatus},
    error::Error,
    id::{ConversationId, InvitationId, JobId, UserId},
    mail::Mailer,
};

/// A job. It contains only ids, so that a deletion does not have to remove content from the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Job {
    /// Erases the rest of a deleted conversation.
    EraseConversation {
        /// The conversation.
        conversation: ConversationId,
    },
    /// Corrects the place of a renamed user in the lists of participants.
    SortParticipant {
        /// The user.
        user: UserId,
    },
    /// Sends a mail to the user; none to the nil user, so that a request costs the same if no one has the address.
    SendMail {
        /// The kind of mail.
        mail: AccountMail,
        /// The user.
        user: UserId,
    },
    /// Mails the link of an invitation.
    SendInvitation {
        /// The invitation.
        invitation: InvitationId,
    },
    /// Deletes the rows of a table that are no longer needed; runs again every hour.
    #[serde(alias = "KeepHouse")]
    Cleanup {
        /// The table.
        #[serde(default)]
        table: CleanupTable,
    },
}

/// A mail about an account. A token is created when the mail is sent, so that the queue contains no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountMail {
    /// A link that verifies the address.
    VerifyEmail,
    /// A link that sets a new password.
    ResetPassword,
    /// A link that sets the first password of an account that an administrator has created.
    SetUpAccount,
    /// The password was set with a link.
    PasswordWasReset,
    /// The user has entered a new address. Sent to the old one.
    EmailChangeRequested,
    /// An old refresh token was used again, which ended the session.
    SessionTokenReused,
    /// An authenticator app was set up.
    SecondFactorEnabled,
    /// The authenticator app was removed.
    SecondFactorDisabled,
    /// A recovery code was used.
    RecoveryCodeUsed,
}

/// A table whose rows are deleted after a time. The event log has its own cleanup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CleanupTable {
    /// The sessions of users.
    #[default]
    Sessions,
    /// The notifications of users.
    Notifications,
    /// Failed sign-ins.
    SignInAttempts,
    /// Finished and failed jobs.
    Jobs,
    /// Tokens in mails.
    EmailTokens,
    /// The audit log.
    AuditEntries,
    /// Registrations whose address was never verified.
    UnverifiedUsers,
    /// Identities whose account was deleted.
    Identities,
    /// Invitations.
    Invitations,
}

impl Job {
    /// Returns the kind of the job, as the table stores it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::EraseConversation { .. } => "EraseConversation",
            Self::SortParticipant { .. } => "SortParticipant",
            Self::SendMail { .. } => "SendMail",
            Self::SendInvitation { .. } => "SendInvitation",
            Self::Cleanup { .. } => "Cleanup",
        }
    }
}

/// Enqueues a job that runs as soon as the transaction is committed.
pub async fn enqueue_in(tx: &Tx, job: &Job, now: DateTime<Utc>) -> Result<(), Error> {
    let row = row(JobId::mint(), job, now, now)?;
    job::Entity::insert(row).exec_without_returning(tx).await?;
    tx.wake_worker_on_commit();
    Ok(())
}

/// Enqueues a mail, if the server sends mail.
pub async fn enqueue_mail_in(
    tx: &Tx,
    mailer: &Mailer,
    mail: AccountMail,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if !mailer.is_enabled() {
        return Ok(());
    }
    enqueue_in(tx, &Job::SendMail { mail, user }, now).await
}

/// Returns the row of a queued job.
pub(crate) fn row(
    id: JobId,
    job: &Job,
    now: DateTime<Utc>,
    run_at: DateTime<Utc>,
) -> Result<job::ActiveModel, Error> {
    let payload = serde_json::to_string(job).map_err(Error::internal)?;
    Ok(job::ActiveModel {
        id: Set(id),
        kind: Set(job.kind().to_owned()),
        payload: Set(payload),
        status: Set(JobStatus::Queued),
        attempts: Set(0),
        last_error: Set(None),
        created_at: Set(now),
        run_at: Set(run_at),
        leased_until: Set(None),
    })
}
