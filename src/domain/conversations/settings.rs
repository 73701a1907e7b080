//! The viewer's own settings of a conversation.

use chrono::{DateTime, Datelike, Utc};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use crate::{
    core::Core,
    domain::{access, notifications::plain, sessions::Viewer},
    entity::{
        conversation::{self, ConversationKind},
        participant::{self, NotificationLevel},
    },
    error::Error,
    id::ConversationId,
    live::log::{self, Change, Stream},
};

/// After this year, the databases and many clients interpret times differently.
const YEAR_MAX: i32 = 9999;

/// New values of the settings. A missing value keeps the setting.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which messages notify the viewer.
    pub notification_level: Option<NotificationLevel>,
    /// Until when notifications are muted; none unmutes.
    pub muted_until: Option<Option<DateTime<Utc>>>,
    /// Whether it is pinned to the top of the list.
    pub is_pinned: Option<bool>,
    /// Whether it is left out of the ordinary list until the next message.
    pub is_archived: Option<bool>,
    /// Whether a direct conversation is in no list until the next message.
    pub is_hidden: Option<bool>,
}

/// Updates the viewer's settings of a conversation, and appends an event for the viewer's other devices.
pub async fn update_settings(
    core: &Core,
    viewer: &Viewer,
    id: ConversationId,
    settings: &Settings,
) -> Result<conversation::Model, Error> {
    let now = core.clock.now();
    let until = settings.muted_until.flatten();
    if until.is_some_and(|until| until.year() > YEAR_MAX) {
        let message = format!("Use a time before the year {}.", YEAR_MAX + 1);
        return Err(Error::invalid("mutedUntil", "OUT_OF_RANGE", message));
    }
    core.db
        .write(|tx| async move {
            let membership = access::conversation(&tx, viewer, id).await?;
            let (old, conversation) = (membership.participant(), membership.conversation());
            let last_seq = conversation.last_seq;
            if settings.is_hidden == Some(true) && conversation.kind != ConversationKind::Direct {
                let message = "Only direct conversations can be hidden.";
                return Err(Error::invalid("isHidden", "NOT_DIRECT", message));
            }
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
                && is_archived != participant::is_put_away(old.archived_seq, last_seq)
            {
                row.archived_seq = Set(is_archived.then_some(last_seq));
            }
            if let Some(is_hidden) = settings.is_hidden
                && is_hidden != participant::is_put_away(old.hidden_seq, last_seq)
            {
                row.hidden_seq = Set(is_hidden.then_some(last_seq));
            }
            if row.notification_level.is_set() || row.muted_until.is_set() {
                plain::close_span_in(&tx, old, last_seq).await?;
                row.settings_from_seq = Set(last_seq + 1);
            }
            if row.is_changed() {
                row.update(&*tx).await?;
                let changed = Change::ConversationChanged { conversation: id };
                log::append(&tx, Stream::User(viewer.user), now, &[changed]).await?;
            }
            Ok(conversation.clone())
        })
        .await
}
