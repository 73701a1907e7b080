//! Messages: sending, editing, deleting, and the trees they form.

pub mod across;
pub mod deep_replies;
mod delete;
mod edit;
mod mentions;
pub mod notice;
pub mod path;
pub mod permissions;
pub mod projection;
mod reply_counts;
pub mod revisions;
mod send;
pub mod sequence;
mod thread_state;

use std::collections::HashSet;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select};

pub use delete::{Deleted, delete, erase_in};
pub use edit::{MessageEdit, edit};
pub use send::{NewMessage, SendQueue, Sent, send};

use crate::{
    db,
    domain::{predicates, sessions::Viewer},
    entity::message,
    error::Error,
    id::{MessageId, UserId},
};

/// The messages that this viewer sees: those of their conversations, from the beginning of their history. Deleted
/// messages are included; lists exclude those that are not [shown](message::Model::is_shown).
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<message::Entity> {
    message::Entity::find().filter(predicates::is_visible(viewer.user))
}

/// Whether the message exists, deleted or not, and is hidden from the viewer.
pub async fn is_hidden<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    id: MessageId,
) -> Result<bool, Error> {
    let found = visible(viewer).filter(message::Column::Id.eq(id)).one(db);
    if found.await?.is_some() {
        return Ok(false);
    }
    Ok(message::Entity::find_by_id(id).one(db).await?.is_some())
}

/// The users who see this message.
pub async fn audience(db: &db::Reader, id: MessageId) -> Result<HashSet<UserId>, Error> {
    let text = format!(
        "SELECT p.user_id FROM message m JOIN participant p
         ON p.conversation_id = m.conversation_id AND {} WHERE m.id = ?",
        predicates::visible_to("m", "p")
    );
    db::fetch_tuples(db, &text, [id.into()]).await
}

/// Finds one message that is visible to the viewer and shown.
pub async fn find<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    id: MessageId,
) -> Result<message::Model, Error> {
    let found = visible(viewer)
        .filter(message::Column::Id.eq(id))
        .one(db)
        .await?;
    found
        .filter(message::Model::is_shown)
        .ok_or_else(|| Error::not_found("message"))
}
