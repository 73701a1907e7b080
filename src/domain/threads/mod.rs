//! Threads: a root message with its replies, and its followers.

mod follow;
pub mod followers;
pub mod lists;
pub mod replies;

pub use follow::follow;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::{
    domain::{predicates, sessions::Viewer},
    entity::{message, thread},
    error::Error,
    id::ThreadId,
};

/// The threads that are visible to this viewer: those whose root message is visible and shown.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<thread::Entity> {
    let roots = Query::select()
        .column((message::Entity, message::Column::Id))
        .from(message::Entity)
        .and_where(
            Expr::col((message::Entity, message::Column::Id))
                .equals((thread::Entity, thread::Column::Id)),
        )
        .and_where(predicates::is_visible(viewer.user))
        .and_where(predicates::is_shown())
        .to_owned();
    thread::Entity::find().filter(Expr::exists(roots))
}

/// Finds one thread that is visible to the viewer.
pub async fn find<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    id: ThreadId,
) -> Result<thread::Model, Error> {
    let found = visible(viewer)
        .filter(thread::Column::Id.eq(id))
        .one(db)
        .await?;
    found.ok_or_else(|| Error::not_found("thread"))
}
