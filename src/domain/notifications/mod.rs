//! Notifications: events that need a user's attention, the reason, and whether the user has read them.

mod create;
mod retention;
mod update;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Iterable, JoinType, QueryFilter, QueryOrder, QuerySelect,
    Select,
    sea_query::{Expr, Func},
};

pub use create::{
    added_in, message_edited_in, messages_sent_in, messages_sent_to_large_in, notify_of_message,
    role_changed_in,
};
pub use retention::delete_old;
pub use update::{
    Selection, dismiss, forget_conversation_in, forget_deleted_in, forget_message_in,
    forget_sender_in, mark_read, read_in,
};

use crate::{
    domain::sessions::Viewer,
    entity::{message, notification},
    id::NotificationId,
};

/// The viewer's notifications. The actor of a notification of a message is the sender of the message.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<notification::Entity> {
    use notification::Column;
    let actor = Expr::col((notification::Entity, Column::ActorId));
    let sender = Expr::col((message::Entity, message::Column::SenderId));
    let message = notification::Entity::belongs_to(message::Entity)
        .from(Column::MessageId)
        .to(message::Column::Id)
        .into();
    notification::Entity::find()
        .select_only()
        .columns(Column::iter().filter(|column| !matches!(column, Column::ActorId)))
        .expr_as(Func::coalesce([actor, sender]), "actor_id")
        .join(JoinType::LeftJoin, message)
        .filter(Column::UserId.eq(viewer.user))
}

/// The viewer's notifications after this position, newest first.
#[must_use]
pub fn list(
    viewer: &Viewer,
    unread_only: bool,
    after: Option<(DateTime<Utc>, NotificationId)>,
) -> Select<notification::Entity> {
    use notification::Column;
    let mut found = visible(viewer)
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id);
    if unread_only {
        found = found.filter(Column::ReadAt.is_null());
    }
    let Some((at, id)) = after else {
        return found;
    };
    let same_time = Condition::all()
        .add(Column::CreatedAt.eq(at))
        .add(Column::Id.lt(id));
    found.filter(
        Condition::any()
            .add(Column::CreatedAt.lt(at))
            .add(same_time),
    )
}
