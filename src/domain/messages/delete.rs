//! Deleting messages: the text and its revisions are erased immediately; a marker stays while it has replies.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set,
};

use crate::{
    auth::action_limits::Action,
    core::Core,
    db::Tx,
    domain::{
        access,
        messages::{self, deep_replies, mentions, path, permissions, reply_counts, thread_state},
        notifications,
        sessions::Viewer,
    },
    entity::{message, message_revision},
    error::Error,
    id::{MessageId, ThreadId},
    live::log::{self, Change, Stream},
};

/// The result of deleting a message.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The id of the message.
    pub id: MessageId,
    /// The empty marker, while it has replies.
    pub marker: Option<message::Model>,
}

/// Deletes a message.
pub async fn delete(core: &Core, viewer: &Viewer, id: MessageId) -> Result<Deleted, Error> {
    core.action_limits
        .consume(viewer.user.0, Action::ChangeMessage)
        .await?;
    core.db
        .write(|tx| async move { delete_in(&tx, core, viewer, id).await })
        .await
}

async fn delete_in(tx: &Tx, core: &Core, viewer: &Viewer, id: MessageId) -> Result<Deleted, Error> {
    let conversation = messages::find(tx, viewer, id).await?.conversation_id;
    let membership = access::conversation(tx, viewer, conversation).await?;
    // Read again under the conversation's lock: another transaction may have deleted it before.
    let message = messages::find(tx, viewer, id).await?;
    let now = core.clock.now();
    permissions::delete(&core.config, viewer, membership.role(), &message, now)?;
    let marker = erase_in(tx, core, message, now).await?;
    Ok(Deleted {
        id,
        marker: Some(marker).filter(message::Model::is_shown),
    })
}

/// Erases a message, whose conversation the caller has locked: its text, revisions, mentions and notifications, and its
/// part in the counts of its ancestors.
pub async fn erase_in(
    tx: &Tx,
    core: &Core,
    message: message::Model,
    at: DateTime<Utc>,
) -> Result<message::Model, Error> {
    tx.erase_on_commit();
    message_revision::Entity::delete_many()
        .filter(message_revision::Column::MessageId.eq(message.id))
        .exec(tx)
        .await?;
    mentions::clear_in(tx, &message).await?;
    notifications::forget_message_in(tx, message.id, at).await?;
    let conversation = message.conversation_id;
    let messages = vec![message.id];
    let mut changes = vec![
        Change::MessageDeleted {
            message: message.id,
            conversation,
        },
        Change::PlainNotificationsRemoved { messages },
    ];
    let mut parent = None;
    if let Some(id) = message.parent_id {
        let found = message::Entity::find_by_id(id).one(tx).await?;
        let found = found.ok_or_else(|| Error::internal("a reply whose parent is gone"))?;
        reply_counts::add_in(tx, [&found], -1).await?;
        thread_state::reply_deleted_in(tx, &message).await?;
        parent = Some(found);
    }
    // The hash of what was sent recognises a repeated request. Without the key, it would confirm a guessed text.
    let hash = message.content_hash.as_deref();
    let hash = hash.map(|hash| core.keys.blind_digest(hash));
    let mut erased = message.into_active_model();
    erased.body = Set(None);
    erased.content_hash = Set(hash);
    erased.deleted_at = Set(Some(at));
    let erased = erased.update(tx).await?;
    if let Some(parent) = parent {
        let vanished = vanished_in(tx, &parent, &erased).await?.into_iter();
        changes.extend(vanished.map(|message| Change::MessageDeleted {
            message,
            conversation,
        }));
        changes.push(Change::ThreadChanged {
            thread: ThreadId::from(erased.thread_root()),
        });
    }
    log::append(tx, Stream::Conversation(conversation), at, &changes).await?;
    Ok(erased)
}

/// The markers that have lost their last reply with this one, the deepest first: lists do not show them any more.
async fn vanished_in(
    tx: &Tx,
    parent: &message::Model,
    erased: &message::Model,
) -> Result<Vec<MessageId>, Error> {
    let branch = deep_replies::branch(erased).into_iter().collect();
    let mut vanished = deep_replies::recount_in(tx, &branch).await?;
    if parent.deleted_at.is_none() {
        return Ok(vanished);
    }
    let counted = path::counted(&parent.path, parent.branch_seq);
    let above: Vec<MessageId> = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(message::Column::ConversationId.eq(parent.conversation_id))
        .filter(message::Column::Seq.is_in(counted))
        .filter(message::Column::DeletedAt.is_not_null())
        .filter(message::Column::DescendantCount.eq(0))
        .order_by_desc(message::Column::Depth)
        .into_tuple()
        .all(tx)
        .await?;
    vanished.extend(above);
    Ok(vanished)
}
