//! Updates the title, topic and history visibility of groups.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use crate::{
    core::Core,
    db::Tx,
    domain::{
        access::{self, InConversation},
        conversations::validation,
        messages::{
            notice::{self, Notice, NoticeType},
            sequence,
        },
        sessions::Viewer,
        users,
    },
    entity::{
        conversation::{self, HistoryVisibility},
        participant::ParticipantRole,
    },
    error::Error,
    id::ConversationId,
    live::log::{self, Change, Stream},
};

/// New values of the fields of a group. A missing value keeps the field.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    /// The title, or none.
    pub title: Option<Option<String>>,
    /// The topic, or none.
    pub topic: Option<Option<String>>,
    /// Which earlier messages participants see who join from now on.
    pub history_visibility: Option<HistoryVisibility>,
}

/// Updates a group. Values that are equal to the current ones cause no event.
pub async fn update(
    core: &Core,
    viewer: &Viewer,
    id: ConversationId,
    edits: Edits,
) -> Result<conversation::Model, Error> {
    let mut problems = vec![];
    let edits = &Edits {
        title: edits
            .title
            .map(|title| title.map(|title| validation::title(&title, &mut problems))),
        topic: edits
            .topic
            .map(|topic| topic.and_then(|topic| validation::topic(&topic, &mut problems))),
        ..edits
    };
    Error::check(problems)?;
    core.db
        .write(|tx| async move {
            let membership = access::conversation(&tx, viewer, id).await?;
            membership.group()?;
            membership.at_least(ParticipantRole::Moderator)?;
            update_in(&tx, viewer, &membership, edits, core.clock.now()).await?;
            access::reload(&tx, id).await
        })
        .await
}

async fn update_in(
    tx: &Tx,
    viewer: &Viewer,
    membership: &InConversation,
    edits: &Edits,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let old = membership.conversation();
    let mut row = old.clone().into_active_model();
    let mut notices = vec![];
    if let Some(title) = edits.title.as_ref().filter(|title| **title != old.title) {
        row.title = Set(title.clone());
        row.title_key = Set(title.as_deref().map(users::key));
        let notice = Notice::by(viewer.user, NoticeType::TitleChanged);
        notices.push(notice.with(title.clone()));
    }
    if let Some(topic) = edits.topic.as_ref().filter(|topic| **topic != old.topic) {
        row.topic = Set(topic.clone());
        let notice = Notice::by(viewer.user, NoticeType::TopicChanged);
        notices.push(notice.with(topic.clone()));
    }
    if let Some(history) = edits.history_visibility {
        row.history_visibility.set_ne(history);
    }
    if !row.is_changed() {
        return Ok(());
    }
    row.last_activity_at = Set(sequence::next_time(old.last_activity_at, at));
    row.update(tx).await?;
    let changed = [Change::ConversationChanged {
        conversation: old.id,
    }];
    let Some((last, before)) = notices.split_last() else {
        return log::append(tx, Stream::Conversation(old.id), at, &changed).await;
    };
    for notice in before {
        notice::write_in(tx, old.id, notice, at, &[]).await?;
    }
    notice::write_in(tx, old.id, last, at, &changed).await
}
