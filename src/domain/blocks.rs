//! Users who block other users. A block prevents direct conversations, additions to groups, mentions, notifications and
//! presence, in both directions, from the time of the block on. The blocked user is not notified of it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, TryInsertResult, sea_query::ExprTrait,
};

use crate::{
    auth::action_limits::Action,
    core::Core,
    db::Tx,
    domain::{
        pagination::{PageRequest, Slice},
        sessions::Viewer,
        users,
    },
    entity::{
        block::{self, Column},
        user,
    },
    error::{Code, Error},
    id::UserId,
    live::log::{self, Change, Stream},
};

/// The maximum number of users whom a user blocks.
const MAX_BLOCKS: u64 = 1000;

/// Users in one statement.
const IDS_PER_SELECT: usize = 5000;

/// The blocks between the viewer and another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockState {
    /// Whether the viewer blocked the user. A block in the other direction is not shown.
    pub is_by_viewer: bool,
}

/// Blocks a user. Blocking them again changes nothing.
pub async fn block(core: &Core, viewer: &Viewer, id: UserId) -> Result<(), Error> {
    if id == viewer.user {
        let message = "You cannot block yourself.";
        return Err(Error::invalid("userId", "NOT_ALLOWED", message));
    }
    consume(core, viewer).await?;
    core.db
        .write(|tx| async move { block_in(&tx, viewer, id, core.clock.now()).await })
        .await
}

async fn block_in(tx: &Tx, viewer: &Viewer, id: UserId, at: DateTime<Utc>) -> Result<(), Error> {
    let found = users::visible(viewer).filter(user::Column::Id.eq(id));
    if found.one(tx).await?.is_none() {
        return Err(Error::invalid(
            "userId",
            "NOT_FOUND",
            "No user has this id.",
        ));
    }
    let own = block::Entity::find().filter(Column::BlockerId.eq(viewer.user));
    if own.count(tx).await? >= MAX_BLOCKS {
        let message = format!("You can block at most {MAX_BLOCKS} users.");
        return Err(Error::new(Code::LimitReached, message));
    }
    let row = block::Model {
        blocker_id: viewer.user,
        blocked_id: id,
        created_at: at,
    };
    let inserted = block::Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::BlockerId, Column::BlockedId])
        .exec_without_returning(tx)
        .await?;
    if !matches!(inserted, TryInsertResult::Inserted(1)) {
        return Ok(());
    }
    log::append(tx, Stream::User(viewer.user), at, &[Change::ViewerChanged]).await
}

/// Removes a block, if there is one.
pub async fn unblock(core: &Core, viewer: &Viewer, id: UserId) -> Result<(), Error> {
    consume(core, viewer).await?;
    core.db
        .write(|tx| async move {
            let deleted = block::Entity::delete_by_id((viewer.user, id))
                .exec(&*tx)
                .await?;
            if deleted.rows_affected == 0 {
                return Ok(());
            }
            let (stream, at) = (Stream::User(viewer.user), core.clock.now());
            log::append(&tx, stream, at, &[Change::ViewerChanged]).await
        })
        .await
}

async fn consume(core: &Core, viewer: &Viewer) -> Result<(), Error> {
    core.action_limits
        .consume(viewer.user.0, Action::Block)
        .await
}

/// A page of the users whom the viewer blocked, newest block first, with their blocks.
pub async fn list(
    core: &Core,
    viewer: &Viewer,
    request: PageRequest<(DateTime<Utc>, UserId)>,
) -> Result<Slice<(block::Model, user::Model)>, Error> {
    let after = request.after.map(|(at, id)| {
        let same_time = Column::CreatedAt.eq(at).and(Column::BlockedId.lt(id));
        Condition::any()
            .add(Column::CreatedAt.lt(at))
            .add(same_time)
    });
    let db = core.db.read();
    let blocks = block::Entity::find()
        .filter(Column::BlockerId.eq(viewer.user))
        .filter(Condition::all().add_option(after))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::BlockedId)
        .limit(request.limit())
        .all(db)
        .await?;
    let ids = blocks.iter().map(|block| block.blocked_id);
    let users = user::Entity::find().filter(user::Column::Id.is_in(ids));
    let users = users.all(db).await?.into_iter();
    let mut users: HashMap<_, _> = users.map(|user| (user.id, user)).collect();
    let with_user = |block: block::Model| {
        let user = users.remove(&block.blocked_id)?;
        Some((block, user))
    };
    Ok(request.part(blocks.into_iter().filter_map(with_user).collect()))
}

/// Returns the users with whom the viewer has a block in any direction, among these.
pub async fn states<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    users: &[UserId],
) -> Result<HashMap<UserId, BlockState>, Error> {
    let mut states = HashMap::new();
    for row in between(db, viewer.user, users).await? {
        let is_by_viewer = row.blocker_id == viewer.user;
        let other = if is_by_viewer {
            row.blocked_id
        } else {
            row.blocker_id
        };
        let state = states.entry(other).or_insert(BlockState { is_by_viewer });
        state.is_by_viewer |= is_by_viewer;
    }
    Ok(states)
}

/// Whether there is a block between two users, in any direction.
pub(super) async fn exists_in(tx: &Tx, one: UserId, other: UserId) -> Result<bool, Error> {
    Ok(!between(tx, one, &[other]).await?.is_empty())
}

/// Passes when there is no block between the viewer and any of these users, whom they want to write to or to add.
pub async fn require_none<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    users: &[UserId],
) -> Result<(), Error> {
    for some in users.chunks(IDS_PER_SELECT) {
        if !between(db, viewer.user, some).await?.is_empty() {
            return Err(Error::forbidden(
                "You cannot write to one of these users or add them.",
            ));
        }
    }
    Ok(())
}

/// The blocks between a user and others, in both directions. Two statements, because PostgreSQL reads the whole table for
/// an OR.
async fn between<C: ConnectionTrait>(
    db: &C,
    user: UserId,
    others: &[UserId],
) -> Result<Vec<block::Model>, Error> {
    let directions = [
        (Column::BlockerId, Column::BlockedId),
        (Column::BlockedId, Column::BlockerId),
    ];
    let mut found = vec![];
    for (own, other) in directions {
        let blocks = block::Entity::find()
            .filter(own.eq(user))
            .filter(other.is_in(others.iter().copied()));
        found.extend(blocks.all(db).await?);
    }
    Ok(found)
}
