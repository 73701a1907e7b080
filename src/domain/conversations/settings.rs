//! How one conversation behaves for one person.

use chrono::{DateTime, Datelike, Utc};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use crate::{
    core::Core,
    domain::{access, sessions::Viewer},
    entity::{conversation, participant::NotificationLevel},
    error::Error,
    id::ConversationId,
    live::log::{self, Change, Stream},
};

/// After this year both databases and many clients stop to agree on times.
const LAST_YEAR: i32 = 9999;

/// New settings. What is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What to be notified about.
    pub notification_level: Option<NotificationLevel>,
    /// Until when to be silent, or not at all.
    pub muted_until: Option<Option<DateTime<Utc>>>,
    /// Whether it is kept at the top of the list.
    pub is_pinned: Option<bool>,
    /// Whether it is out of the list until there is news.
    pub is_archived: Option<bool>,
}

/// Changes the viewer's own settings for a conversation; the viewer's other devices hear of it.
pub async fn update_settings(
    core: &Core,
    viewer: &Viewer,
    id: ConversationId,
    settings: &Settings,
) -> Result<conversation::Model, Error> {
    let now = core.clock.now();
    let until = settings.muted_until.flatten();
    if until.is_some_and(|until| until.year() > LAST_YEAR) {
        let message = format!("Name a time before the year {}.", LAST_YEAR + 1);
        return Err(Error::invalid("mutedUntil", "OUT_OF_RANGE", message));
    }
    core.db
        .write(|tx| async move {
            let place = access::conversation(&tx, viewer, id).await?;
            let (old, last_seq) = (place.participant(), place.conversation().last_seq);
            let mut row = old.clone().into_active_model();
            if let Some(level) = settings.notification_level {
                row.notification_level.set_ne(level);
            }
            if settings.muted_until.is_some() {
                let until = until.filter(|until| *until > now);
                row.muted_until.set_ne(until);
            }
            if let Some(is_pinned) = settings.is_pinned {
                row.is_pinned.set_ne(is_pinned);
            }
            if let Some(is_archived) = settings.is_archived
                && is_archived != old.is_archived(last_seq)
            {
                row.archived_seq = Set(is_archived.then_some(last_seq));
            }
            if row.is_changed() {
                row.update(&*tx).await?;
                let changed = Change::ConversationChanged { conversation: id };
                log::append(&tx, Stream::User(viewer.user), now, &[changed]).await?;
            }
            Ok(place.conversation().clone())
        })
        .await
}
