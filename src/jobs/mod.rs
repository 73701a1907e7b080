//! Background work: rows of the `job` table, written in the transaction that asks for the work.
//!
//! A worker claims a row with a lease and renews it while it works. A worker that dies loses its lease,
//! and the work is done again by another: whatever a job does must be harmless to repeat.

pub mod queue;

use chrono::{DateTime, Utc};
use sea_orm::Value;
use serde::{Deserialize, Serialize};

use crate::{
    db::{self, Tx, ValuesCte},
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
    let table = ValuesCte::new("v (id, kind, payload, created_at, run_at)", rows);
    let text = format!(
        "WITH {} INSERT INTO job (id, kind, payload, status, attempts, created_at, run_at)
         SELECT id, kind, payload, 'QUEUED', 0, created_at, run_at FROM v WHERE id IS NOT NULL",
        table.text
    );
    db::execute(tx, &text, table.values).await?;
    tx.wake_worker_on_commit();
    Ok(())
}

pub(crate) fn row(
    id: JobId,
    work: &Job,
    now: DateTime<Utc>,
    run_at: DateTime<Utc>,
) -> Result<[Value; 5], Error> {
    let payload = serde_json::to_string(work).map_err(Error::internal)?;
    Ok([
        id.into(),
        work.kind().into(),
        payload.into(),
        now.into(),
        run_at.into(),
    ])
}
