//! Adding people to groups.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    core::Core,
    db::Tx,
    domain::{
        access::{self, InConversation},
        messages::notice::{self, Notice, NoticeType},
        notifications,
        participants::{self, Joining},
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

/// People who were added.
#[derive(Clone, Debug)]
pub struct Added {
    /// The group.
    pub conversation: conversation::Model,
    /// The new memberships.
    pub participants: Vec<participant::Model>,
}

/// Adds people to a group. Those who already take part are left as they are.
pub async fn add(
    core: &Core,
    viewer: &Viewer,
    id: ConversationId,
    users: &[UserId],
    role: ParticipantRole,
) -> Result<Added, Error> {
    let people = &participants::people(&core.db, viewer, "userIds", users).await?;
    core.db
        .write(|tx| async move {
            let place = access::conversation(&tx, viewer, id).await?;
            place.group()?;
            place.at_least(ParticipantRole::Moderator)?;
            check_role(&place, role)?;
            let present: HashSet<_> = participants::ids_in(&tx, id).await?.into_iter().collect();
            let new = people.iter().filter(|user| !present.contains(&user.id));
            let new: Vec<_> = new.cloned().collect();
            participants::check_room(core, present.len() + new.len())?;
            let joining = joining(&place, role, viewer, core.clock.now());
            let participants = join_in(&tx, core, &place, &new, &joining).await?;
            Ok(Added {
                conversation: access::reload(&tx, id).await?,
                participants,
            })
        })
        .await
}

/// People join below whoever adds them; ownership is handed over, not added.
fn check_role(place: &InConversation, role: ParticipantRole) -> Result<(), Error> {
    if role == ParticipantRole::Owner {
        return Err(Error::invalid(
            "role",
            "NOT_ALLOWED",
            "Add them with another role, then hand the group over with changeParticipantRole.",
        ));
    }
    if role < place.role() {
        return Ok(());
    }
    Err(Error::forbidden("You can only give roles below your own."))
}

fn joining(
    place: &InConversation,
    role: ParticipantRole,
    viewer: &Viewer,
    at: DateTime<Utc>,
) -> Joining {
    let conversation = place.conversation();
    Joining {
        role,
        added_by: Some(viewer.user),
        at,
        visible_from_seq: match conversation.history_visibility {
            HistoryVisibility::FromStart => 0,
            HistoryVisibility::FromJoining => conversation.last_seq + 1,
        },
        // What was said before is not news to them.
        read_floor_seq: conversation.last_seq,
    }
}

async fn join_in(
    tx: &Tx,
    core: &Core,
    place: &InConversation,
    people: &[user::Model],
    joining: &Joining,
) -> Result<Vec<participant::Model>, Error> {
    let (id, at) = (place.conversation().id, joining.at);
    if people.is_empty() {
        return Ok(vec![]);
    }
    participants::insert_in(tx, id, people, joining).await?;
    let ids: Vec<_> = people.iter().map(|user| user.id).collect();
    let notice = Notice::by(place.participant().user_id, NoticeType::ParticipantsAdded);
    let changed = ids.iter().map(|&user| Change::ParticipantChanged {
        conversation: id,
        user,
    });
    let changed: Vec<_> = changed.collect();
    notice::write_in(tx, id, &notice.about(ids.iter().copied()), at, &changed).await?;
    let joined = Change::ConversationJoined { conversation: id };
    log::append_to_users(tx, &ids, at, &joined).await?;
    notifications::added_in(tx, core, place.participant().user_id, id, &ids).await?;
    let mut added = Vec::with_capacity(ids.len());
    for some in ids.chunks(participants::IDS_PER_SELECT) {
        let rows = participant::Entity::find()
            .filter(participant::Column::ConversationId.eq(id))
            .filter(participant::Column::UserId.is_in(some.iter().copied()));
        added.extend(rows.all(tx).await?);
    }
    Ok(added)
}
