//! The list of a user's notifications, stored and [plain].

use std::{cmp::Reverse, collections::HashSet};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, Iterable, JoinType,
    QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, Func},
};

use super::{
    plain,
    position::{ListedNotification, NotificationPlace, NotificationPosition},
};
use crate::{
    domain::sessions::Viewer,
    entity::{
        message,
        notification::{self, Column},
    },
    error::Error,
    id::NotificationId,
};

/// The viewer's stored notifications. The actor of a notification of a message is the sender of the message.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<notification::Entity> {
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

/// The viewer's notifications with these ids.
pub async fn by_ids<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    ids: &[NotificationId],
) -> Result<Vec<notification::Model>, Error> {
    let mut found = visible(viewer)
        .filter(Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    let stored: HashSet<_> = found.iter().map(|row| row.id).collect();
    let others = ids.iter().filter(|id| !stored.contains(id)).copied();
    found.extend(plain::by_ids(db, viewer, others).await?);
    Ok(found)
}

/// The viewer's notifications after this position, newest first.
pub async fn list<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    unread_only: bool,
    after: Option<NotificationPosition>,
    limit: u64,
) -> Result<Vec<ListedNotification>, Error> {
    let stored = stored(viewer, unread_only, after)
        .limit(limit)
        .all(db)
        .await?;
    let page = plain::PlainPage {
        unread_only,
        includes_stored: true,
        after,
        limit,
    };
    let mut found = plain::list(db, viewer, &page).await?;
    found.extend(stored.into_iter().map(ListedNotification::stored));
    found.sort_unstable_by_key(|listed| Reverse(listed.position));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

fn stored(
    viewer: &Viewer,
    unread_only: bool,
    after: Option<NotificationPosition>,
) -> Select<notification::Entity> {
    let mut found = visible(viewer)
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id);
    if unread_only {
        found = found.filter(Column::ReadAt.is_null());
    }
    let Some(NotificationPosition(at, place)) = after else {
        return found;
    };
    let earlier = Condition::any().add(Column::CreatedAt.lt(at));
    found.filter(match place {
        NotificationPlace::Plain(..) => earlier,
        NotificationPlace::Stored(id) => {
            let same_time = ExprTrait::and(Column::CreatedAt.eq(at), Column::Id.lt(id));
            earlier.add(same_time)
        }
    })
}
