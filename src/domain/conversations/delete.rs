//! Deleting groups: out of everybody's sight at once, and erased a bounded number of messages at a time, so that
//! no group is too long to be deleted and nobody waits for one that is.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use crate::{
    core::Core,
    db::Tx,
    domain::{access, notifications, participants, sessions::Viewer},
    entity::{
        conversation, message,
        participant::{self, ParticipantRole},
    },
    error::Error,
    id::ConversationId,
    jobs::{self, Job},
    live::log::{self, Change},
};

/// Messages erased in one transaction.
const MESSAGES: u64 = 1000;

/// Deletes a group for everyone, with all that was said in it.
pub async fn delete(core: &Core, viewer: &Viewer, id: ConversationId) -> Result<(), Error> {
    core.db
        .write(|tx| async move {
            let place = access::conversation(&tx, viewer, id).await?;
            place.group()?;
            place.at_least(ParticipantRole::Owner)?;
            delete_in(&tx, id, core.clock.now()).await
        })
        .await
}

/// Deletes a conversation that the caller has locked, and tells everybody in it. Without participants it is hidden
/// from all; what is left of a long one is erased by background work.
pub async fn delete_in(tx: &Tx, id: ConversationId, at: DateTime<Utc>) -> Result<(), Error> {
    let people = participants::ids_in(tx, id).await?;
    notifications::forget_conversation_in(tx, id, &people, at).await?;
    participant::Entity::delete_many()
        .filter(participant::Column::ConversationId.eq(id))
        .exec(tx)
        .await?;
    if !erase_some_in(tx, id).await? {
        jobs::enqueue_in(tx, &Job::EraseConversation { conversation: id }, at).await?;
    }
    let left = Change::ConversationLeft { conversation: id };
    log::append_to_users(tx, &people, at, &left).await
}

/// Erases what is left of a deleted conversation.
pub async fn erase(core: &Core, id: ConversationId) -> Result<(), Error> {
    let erase_some = || {
        core.db
            .write(|tx| async move { erase_some_in(&tx, id).await })
    };
    while !erase_some().await? {}
    Ok(())
}

/// Erases the newest messages, so that none goes before the replies below it, and at last the conversation itself;
/// tells whether nothing is left.
async fn erase_some_in(tx: &Tx, id: ConversationId) -> Result<bool, Error> {
    let newest = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(message::Column::ConversationId.eq(id))
        .order_by_desc(message::Column::Seq)
        .limit(MESSAGES);
    let deleted = message::Entity::delete_many()
        .filter(message::Column::Id.in_subquery(newest.into_query()))
        .exec(tx)
        .await?;
    if deleted.rows_affected == MESSAGES {
        return Ok(false);
    }
    notifications::forget_deleted_in(tx, id).await?;
    conversation::Entity::delete_by_id(id).exec(tx).await?;
    Ok(true)
}
