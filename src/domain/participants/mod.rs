//! Participants: the memberships of users in conversations, and their roles.

mod add;
mod find;
mod insert;
mod order;
mod queries;
mod remove;
mod role;

pub use add::{Added, add};
pub(in crate::domain) use find::other_in;
pub use find::{ids_in, load_users};
pub use insert::{NewMembership, check_limit, insert_in};
pub(in crate::domain) use insert::{count_in, insert_rows_in};
pub(in crate::domain) use order::lock_names_in;
pub use order::{correct as correct_order, renamed_in, sort_key};
pub use queries::{ParticipantNames, names, pages, with_other_owner};
pub(in crate::domain) use remove::end_in;
pub use remove::{Removed, can_remove, remove};
pub use role::{can_change_role, change_role};
pub(in crate::domain) use role::{set_role_in, update_role};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use crate::{domain::sessions::Viewer, entity::participant};

/// Ids in one SELECT.
const IDS_PER_SELECT: usize = 5000;

/// Selects the participants of the viewer's conversations.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<participant::Entity> {
    let own = own(viewer)
        .select_only()
        .column(participant::Column::ConversationId)
        .into_query();
    participant::Entity::find().filter(participant::Column::ConversationId.in_subquery(own))
}

/// Selects the viewer's own memberships.
#[must_use]
pub fn own(viewer: &Viewer) -> Select<participant::Entity> {
    participant::Entity::find().filter(participant::Column::UserId.eq(viewer.user))
}
