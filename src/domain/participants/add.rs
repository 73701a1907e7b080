//! Adds users to groups.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    auth::action_limits::Action,
    core::Core,
    db::Tx,
    domain::{
        access::{self, InConversation},
        blocks,
        messages::notice::{self, Notice, NoticeType},
        notifications,
        participants::{self, NewMembership},
        sessions::Viewer,
    },
    entity::{
        conversation::{self, HistoryVisibility},
        participant::{self, ParticipantRole},
        user,
    },
    error::Error,
    id::{ConversationId, UserId},
    live::log::{self, Change},
};

/// The result of [`add`].
#[derive(Clone, Debug)]
pub struct Added {
    /// The group.
    pub conversation: conversation::Model,
    /// The new participants.
    pub participants: Vec<participant::Model>,
}

/// Adds users to a group. Skips those who already take part.
pub async fn add(
    core: &Core,
    viewer: &Viewer,
    id: ConversationId,
    ids: &[UserId],
    role: ParticipantRole,
) -> Result<Added, Error> {
    core.action_limits
        .consume_many(viewer.user.0, Action::AddParticipant, ids.len())
        .await?;
    let users = &participants::load_users(core, viewer, "userIds", ids).await?;
    blocks::require_none(core.db.read(), viewer, ids).await?;
    core.db
        .write(|tx| async move {
            let membership = access::conversation(&tx, viewer, id).await?;
            membership.group()?;
            membership.at_least(ParticipantRole::Moderator)?;
            check_role(&membership, role)?;
            let present: HashSet<_> = participants::ids_in(&tx, id).await?.into_iter().collect();
            let new = users.iter().filter(|user| !present.contains(&user.id));
            let new: Vec<_> = new.cloned().collect();
            participants::check_limit(core, present.len() + new.len())?;
            let new_membership = new_membership(&membership, role, viewer, core.clock.now());
            let participants = join_in(&tx, core, &membership, &new, &new_membership).await?;
            Ok(Added {
                conversation: access::reload(&tx, id).await?,
                participants,
            })
        })
        .await
}

/// New participants get a role below that of the user who adds them. OWNER is transferred, not added.
fn check_role(membership: &InConversation, role: ParticipantRole) -> Result<(), Error> {
    if role == ParticipantRole::Owner {
        return Err(Error::invalid(
            "role",
            "NOT_ALLOWED",
            "Add them with another role, then transfer OWNER with changeParticipantRole.",
        ));
    }
    if role < membership.role() {
        return Ok(());
    }
    Err(Error::forbidden(
        "You can only add participants with roles below your own.",
    ))
}

fn new_membership(
    membership: &InConversation,
    role: ParticipantRole,
    viewer: &Viewer,
    at: DateTime<Utc>,
) -> NewMembership {
    let conversation = membership.conversation();
    NewMembership {
        role,
        added_by: Some(viewer.user),
        at,
        visible_from_seq: match conversation.history_visibility {
            HistoryVisibility::FromStart => 0,
            HistoryVisibility::FromJoining => conversation.last_seq + 1,
        },
        // Earlier messages do not count as unread.
        read_floor_seq: conversation.last_seq,
    }
}

async fn join_in(
    tx: &Tx,
    core: &Core,
    membership: &InConversation,
    users: &[user::Model],
    new: &NewMembership,
) -> Result<Vec<participant::Model>, Error> {
    let (id, at) = (membership.conversation().id, new.at);
    if users.is_empty() {
        return Ok(vec![]);
    }
    participants::insert_in(tx, id, users, |_| *new).await?;
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    let notice = Notice::by(
        membership.participant().user_id,
        NoticeType::ParticipantsAdded,
    );
    let changed = ids.iter().map(|&user| Change::ParticipantChanged {
        conversation: id,
        user,
    });
    let changed: Vec<_> = changed.collect();
    notice::write_in(tx, id, &notice.about(ids.iter().copied()), at, &changed).await?;
    let joined = Change::ConversationJoined { conversation: id };
    log::append_to_users(tx, &ids, at, &joined).await?;
    notifications::added_in(tx, core, membership.participant().user_id, id, &ids).await?;
    let mut added = Vec::with_capacity(ids.len());
    for some in ids.chunks(participants::IDS_PER_SELECT) {
        let rows = participant::Entity::find()
            .filter(participant::Column::ConversationId.eq(id))
            .filter(participant::Column::UserId.is_in(some.iter().copied()));
        added.extend(rows.all(tx).await?);
    }
    Ok(added)
}
