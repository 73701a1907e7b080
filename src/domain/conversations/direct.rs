//! Opens direct conversations: finds the one of these users, or creates it.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, TryInsertResult};

use crate::{
    auth::action_limits::Action,
    core::Core,
    db::Tx,
    domain::{
        blocks,
        participants::{self, NewMembership},
        sessions::Viewer,
    },
    entity::{
        conversation::{self, ConversationKind, HistoryVisibility},
        participant::ParticipantRole,
        user,
    },
    error::Error,
    id::{ConversationId, UserId},
    live::{
        log::{self, Change},
        memberships,
    },
};

/// The maximum number of participants in addition to the viewer.
const OTHERS_MAX: usize = 8;

/// The result of [`open_direct`].
#[derive(Clone, Debug)]
pub struct Opened {
    /// The conversation.
    pub conversation: conversation::Model,
    /// Whether it was created now.
    pub was_created: bool,
}

/// Returns the key of the direct conversation of exactly these users. It is unique, so that two users who open it
/// concurrently create one conversation.
#[must_use]
pub fn direct_key(users: &[UserId]) -> String {
    let mut users = users.to_vec();
    users.sort_unstable();
    users.dedup();
    let names: Vec<_> = users.iter().map(|id| id.0.simple().to_string()).collect();
    names.join("+")
}

/// Finds or creates the direct conversation of the viewer and these users. Duplicate ids and the viewer's own id are
/// ignored.
pub async fn open_direct(core: &Core, viewer: &Viewer, others: &[UserId]) -> Result<Opened, Error> {
    let distinct: BTreeSet<_> = others.iter().filter(|&&id| id != viewer.user).collect();
    if !(1..=OTHERS_MAX).contains(&distinct.len()) {
        let problem = if distinct.is_empty() {
            "TOO_FEW"
        } else {
            "TOO_MANY"
        };
        let message = format!("Use 1 to {OTHERS_MAX} other users.");
        return Err(Error::invalid("userIds", problem, message));
    }
    let users = participants::load_users(core, viewer, "userIds", others).await?;
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    let key = &direct_key(&ids);
    if let Some(conversation) = find_by_key(core.db.read(), key).await? {
        return Ok(Opened {
            conversation,
            was_created: false,
        });
    }
    blocks::require_none(core.db.read(), viewer, &ids).await?;
    let contacts = memberships::contacts_among(core.db.read(), viewer.user, &ids).await?;
    let strangers = distinct.iter().filter(|id| !contacts.contains(id)).count();
    core.action_limits
        .consume_many(viewer.user.0, Action::MessageStranger, strangers)
        .await?;
    let users = &users;
    core.db
        .write(|tx| async move { open_in(&tx, core, viewer, key, users).await })
        .await
}

async fn open_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    key: &str,
    users: &[user::Model],
) -> Result<Opened, Error> {
    let at = core.clock.now();
    let id = ConversationId::mint();
    let row = conversation::Model {
        id,
        kind: ConversationKind::Direct,
        direct_key: Some(key.to_owned()),
        history_visibility: HistoryVisibility::FromStart,
        created_by: Some(viewer.user),
        created_at: at,
        last_activity_at: at,
        ..Default::default()
    };
    // Waits for a concurrent transaction that inserts the same key, and then inserts nothing.
    let inserted = conversation::Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([conversation::Column::DirectKey])
        .exec_without_returning(tx)
        .await?;
    let was_created = matches!(inserted, TryInsertResult::Inserted(1));
    if was_created {
        let membership = NewMembership::at_creation(ParticipantRole::Member, None, at);
        participants::insert_in(tx, id, users, |_| membership).await?;
        let ids: Vec<_> = users.iter().map(|user| user.id).collect();
        log::append_to_users(
            tx,
            &ids,
            at,
            &Change::ConversationJoined { conversation: id },
        )
        .await?;
    }
    let conversation = find_by_key(tx, key).await?;
    Ok(Opened {
        conversation: conversation.ok_or_else(|| Error::not_found("conversation"))?,
        was_created,
    })
}

async fn find_by_key<C: sea_orm::ConnectionTrait>(
    db: &C,
    key: &str,
) -> Result<Option<conversation::Model>, Error> {
    let found = conversation::Entity::find()
        .filter(conversation::Column::DirectKey.eq(key))
        .one(db)
        .await?;
    Ok(found)
}
