//! Deletes conversations. A deleted conversation is hidden immediately, and its messages are erased in batches of bounded
//! size, so that a long conversation does not block other writers.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, sea_query::Expr,
};

use crate::{
    core::Core,
    db::Tx,
    domain::{
        access,
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        notifications, participants,
        sessions::Viewer,
    },
    entity::{
        conversation, message,
        participant::{self, ParticipantRole},
    },
    error::Error,
    id::ConversationId,
    jobs::{self, Job},
    live::log::{self, Change},
};

/// Messages that one transaction erases.
const BATCH_SIZE: u64 = 1000;

/// Deletes a group with all its messages, for all participants.
pub async fn delete(core: &Core, viewer: &Viewer, id: ConversationId) -> Result<(), Error> {
    core.db
        .write(|tx| async move {
            let membership = access::conversation(&tx, viewer, id).await?;
            membership.group()?;
            membership.at_least(ParticipantRole::Owner)?;
            let at = core.clock.now();
            delete_in(&tx, id, at).await?;
            let record = AuditRecord::new(AuditAction::ConversationDeleted, Some(viewer.user))
                .on(AuditTarget::Conversation(id));
            audit::append_in(&tx, at, record).await
        })
        .await
}

/// Deletes a conversation that the caller has locked, and appends the events. Without participants it is hidden from all
/// users; a job erases the rest of a long one.
pub async fn delete_in(tx: &Tx, id: ConversationId, at: DateTime<Utc>) -> Result<(), Error> {
    let users = participants::ids_in(tx, id).await?;
    notifications::forget_conversation_in(tx, id, &users, at).await?;
    participant::Entity::delete_many()
        .filter(participant::Column::ConversationId.eq(id))
        .exec(tx)
        .await?;
    conversation::Entity::update_many()
        .col_expr(conversation::Column::ParticipantCount, Expr::val(0))
        .filter(conversation::Column::Id.eq(id))
        .exec(tx)
        .await?;
    if !erase_some_in(tx, id).await? {
        jobs::enqueue_in(tx, &Job::EraseConversation { conversation: id }, at).await?;
    }
    let left = Change::ConversationLeft { conversation: id };
    log::append_to_users(tx, &users, at, &left).await
}

/// Erases the rest of a deleted conversation.
pub async fn erase(core: &Core, id: ConversationId) -> Result<(), Error> {
    let erase_some = || {
        core.db
            .write(|tx| async move { erase_some_in(&tx, id).await })
    };
    while !erase_some().await? {}
    Ok(())
}

/// Erases the newest messages, so that replies are erased before their parents, and finally the conversation. Returns
/// whether nothing is left.
async fn erase_some_in(tx: &Tx, id: ConversationId) -> Result<bool, Error> {
    tx.erase_on_commit();
    let newest = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(message::Column::ConversationId.eq(id))
        .order_by_desc(message::Column::Seq)
        .limit(BATCH_SIZE);
    let deleted = message::Entity::delete_many()
        .filter(message::Column::Id.in_subquery(newest.into_query()))
        .exec(tx)
        .await?;
    if deleted.rows_affected == BATCH_SIZE {
        return Ok(false);
    }
    notifications::forget_deleted_in(tx, id).await?;
    conversation::Entity::delete_by_id(id).exec(tx).await?;
    Ok(true)
}
