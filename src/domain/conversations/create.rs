//! Creates groups.

use sea_orm::{ActiveModelTrait, IntoActiveModel};

use crate::{
    auth::action_limits::Action,
    core::Core,
    db::Tx,
    domain::{
        access, blocks,
        conversations::validation,
        messages::notice::{self, Notice, NoticeType},
        notifications,
        participants::{self, NewMembership},
        sessions::Viewer,
        users,
    },
    entity::{
        conversation::{self, ConversationKind, HistoryVisibility},
        participant::ParticipantRole,
        user,
    },
    error::Error,
    id::{ConversationId, UserId},
    live::log::{self, Change},
};

/// The fields of a new group.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// The title, if it has one.
    pub title: Option<String>,
    /// The topic, if it has one.
    pub topic: Option<String>,
    /// Which earlier messages a new participant sees.
    pub history_visibility: HistoryVisibility,
    /// The other participants.
    pub participants: Vec<UserId>,
}

/// Creates a group. The viewer becomes its owner.
pub async fn create(
    core: &Core,
    viewer: &Viewer,
    new: &NewGroup,
) -> Result<conversation::Model, Error> {
    let mut problems = vec![];
    let title = new.title.as_deref();
    let title = title.map(|title| validation::title(title, &mut problems));
    let topic = new.topic.as_deref();
    let topic = topic.and_then(|topic| validation::topic(topic, &mut problems));
    let users = participants::load_users(core, viewer, "participantIds", &new.participants).await;
    let users = match users {
        Ok(users) => users,
        Err(error) if error.field_problems().is_empty() => return Err(error),
        Err(error) => {
            problems.extend_from_slice(error.field_problems());
            vec![]
        }
    };
    Error::check(problems)?;
    participants::check_limit(core, users.len())?;
    blocks::require_none(core.db.read(), viewer, &new.participants).await?;
    core.action_limits
        .consume(viewer.user.0, Action::CreateGroup)
        .await?;
    core.action_limits
        .consume_many(viewer.user.0, Action::AddParticipant, users.len())
        .await?;
    let group = conversation::Model {
        kind: ConversationKind::Group,
        title_key: title.as_deref().map(users::key),
        title,
        topic,
        history_visibility: new.history_visibility,
        created_by: Some(viewer.user),
        ..Default::default()
    };
    let (group, users) = (&group, &users);
    core.db
        .write(|tx| async move { create_in(&tx, core, viewer, group.clone(), users).await })
        .await
}

async fn create_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    mut group: conversation::Model,
    users: &[user::Model],
) -> Result<conversation::Model, Error> {
    let at = core.clock.now();
    let id = ConversationId::mint();
    group.id = id;
    group.created_at = at;
    group.last_activity_at = at;
    let title = group.into_active_model().insert(tx).await?.title;
    let membership = |user: &user::Model| {
        if user.id == viewer.user {
            NewMembership::at_creation(ParticipantRole::Owner, None, at)
        } else {
            NewMembership::at_creation(ParticipantRole::Member, Some(viewer.user), at)
        }
    };
    participants::insert_in(tx, id, users, membership).await?;
    let others = users.iter().map(|user| user.id);
    let notice = Notice::by(viewer.user, NoticeType::Created)
        .about(others.filter(|&user| user != viewer.user))
        .with(title);
    notice::write_in(tx, id, &notice, at, &[]).await?;
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    let joined = Change::ConversationJoined { conversation: id };
    log::append_to_users(tx, &ids, at, &joined).await?;
    notifications::added_in(tx, core, viewer.user, id, &ids).await?;
    access::reload(tx, id).await
}
