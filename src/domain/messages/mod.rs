//! Messages: sending, editing, deleting, and the trees they form.

pub mod sequence;

use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, JoinType, QueryFilter, QuerySelect, Select,
    sea_query::Expr,
};

use crate::{
    domain::sessions::Viewer,
    entity::{message, participant},
};

/// The messages this viewer may see: those of conversations they take part in, from where their
/// history begins. Deleted ones are included; lists leave out what [`message::Model::is_shown`] denies.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<message::Entity> {
    let membership = message::Entity::belongs_to(participant::Entity)
        .from(message::Column::ConversationId)
        .to(participant::Column::ConversationId)
        .into();
    message::Entity::find()
        .join(JoinType::InnerJoin, membership)
        .filter(participant::Column::UserId.eq(viewer.user))
        .filter(
            Expr::col((message::Entity, message::Column::Seq)).gte(Expr::col((
                participant::Entity,
                participant::Column::VisibleFromSeq,
            ))),
        )
}
