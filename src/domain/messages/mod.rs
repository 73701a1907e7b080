//! Messages: sending, editing, deleting, and the trees they form.

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
pub mod timeline;

use std::collections::HashSet;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, Select,
    sea_query::{Expr, Query, SubQueryStatement},
};

pub use delete::{Deleted, delete, erase_in};
pub use edit::{Edit, edit};
pub use send::{NewMessage, SendQueue, Sent, send};

use crate::{
    db,
    domain::sessions::Viewer,
    entity::{message, participant},
    error::Error,
    id::{MessageId, UserId},
};

/// The messages this viewer may see: those of conversations they take part in, from where their
/// history begins. Deleted ones are included; lists leave out what [`message::Model::is_shown`] denies.
///
/// The messages are looked for first and the right to see them then, one by one: a value looked up for each of them is
/// nothing that a database could begin with. Left to themselves, `SQLite` takes a list of a hundred ids for more work
/// than all that a person can see, and PostgreSQL, which plans without values, takes a thread for a few replies, begins
/// with all that the person takes part in, and sorts what an index would give in order.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<message::Entity> {
    message::Entity::find().filter(is_visible(viewer))
}

/// The condition of [`visible`].
#[must_use]
pub fn is_visible(viewer: &Viewer) -> Expr {
    let message = |column| Expr::col((message::Entity, column));
    let place = |column| Expr::col((participant::Entity, column));
    let start = Query::select()
        .expr(place(participant::Column::VisibleFromSeq))
        .from(participant::Entity)
        .and_where(
            place(participant::Column::ConversationId).eq(message(message::Column::ConversationId)),
        )
        .and_where(place(participant::Column::UserId).eq(viewer.user))
        .to_owned();
    message(message::Column::Seq).gte(Expr::from(SubQueryStatement::from(start)))
}

/// [`visible`] for statements written as SQL, over `message m`; takes the viewer's user id, and stands for the WHERE:
/// further conditions follow with AND. The place is a sum so that no index is searched for it.
pub const VISIBLE: &str = "WHERE m.seq + 0 >= (SELECT p.visible_from_seq FROM participant p
    WHERE p.conversation_id = m.conversation_id AND p.user_id = ?)";

/// From where on the viewer sees a conversation, which it takes before their user id; NULL when they take no part in it.
pub const VISIBLE_FROM: &str = "(SELECT p.visible_from_seq FROM participant p
    WHERE p.conversation_id = ? AND p.user_id = ?)";

/// [`message::Model::is_shown`] for statements written as SQL, over `message m`.
pub const SHOWN: &str = "(m.deleted_at IS NULL OR m.descendant_count > 0)";

/// Whether there is such a message, deleted or not, and the viewer may not see it.
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

/// Everybody who may see this message, as [`visible`] has it.
pub async fn audience(db: &db::Reader, id: MessageId) -> Result<HashSet<UserId>, Error> {
    let text = "SELECT p.user_id FROM message m JOIN participant p
        ON p.conversation_id = m.conversation_id AND m.seq >= p.visible_from_seq WHERE m.id = ?";
    let statement = db::sql(db.get_database_backend(), text, [id.into()]);
    let rows = db.query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get_by_index(0).map(UserId));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// One message that the viewer may see and that is shown.
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
