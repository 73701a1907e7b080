//! Background work: rows of the `job` table, written in the transaction that asks for the work.
//!
//! A worker claims a row with a lease and renews it while it works. A worker that dies loses its lease,
//! and the work is done again by another: whatever a job does must be harmless to repeat.

pub mod queue;

use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, Set};
use serde::{Deserialize, Serialize};

use crate::{
    db::Tx,
    entity::job::{self, JobStatus},
    error::Error,
    id::{ConversationId, JobId, MessageId},
};

/// Something to do later. Ids only, never words that a deletion would have to find again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Job {
    /// Tell the people of a large conversation about a message.
    NotifyOfMessage {
        /// Which.
        message: MessageId,
    },
    /// Erase the rest of a conversation that was deleted.
    EraseConversation {
        /// Which.
        conversation: ConversationId,
    },
    /// Throw away what nobody needs any more; comes back every day.
    #[serde(alias = "KeepHouse")]
    Cleanup,
}

impl Job {
    /// The name under which the table keeps this kind of work.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotifyOfMessage { .. } => "NotifyOfMessage",
            Self::EraseConversation { .. } => "EraseConversation",
            Self::Cleanup => "Cleanup",
        }
    }
}

/// Asks for work, to be done soon, if and only if the transaction commits.
pub async fn enqueue_in(tx: &Tx, work: &Job, now: DateTime<Utc>) -> Result<(), Error> {
    enqueue_all_in(tx, std::slice::from_ref(work), now).await
}

/// The same for several at once.
pub async fn enqueue_all_in(tx: &Tx, works: &[Job], now: DateTime<Utc>) -> Result<(), Error> {
    if works.is_empty() {
        return Ok(());
    }
    let row = |work| row(JobId::mint(), work, now, now);
    let rows = works.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    job::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    tx.wake_worker_on_commit();
    Ok(())
}

pub(crate) fn row(
    id: JobId,
    work: &Job,
    now: DateTime<Utc>,
    run_at: DateTime<Utc>,
) -> Result<job::ActiveModel, Error> {
    let payload = serde_json::to_string(work).map_err(Error::internal)?;
    Ok(job::ActiveModel {
        id: Set(id),
        kind: Set(work.kind().to_owned()),
        payload: Set(payload),
        status: Set(JobStatus::Queued),
        attempts: Set(0),
        last_error: Set(None),
        created_at: Set(now),
        run_at: Set(run_at),
        leased_until: Set(None),
    })
}
