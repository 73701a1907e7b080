//! The `Preferences` type: the viewer's settings.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};

use crate::{
    entity::user,
    graphql::{
        context::loaders, errors::Result, participants::types::NotificationLevel,
        presence::loader::PresenceOf,
    },
    id::PreferencesId,
};

/// The viewer's settings.
#[derive(Clone, Debug)]
pub struct Preferences(pub Arc<user::Model>);

/// The viewer's settings.
#[Object]
impl Preferences {
    /// Unique id.
    pub async fn id(&self) -> PreferencesId {
        PreferencesId(self.0.id.0)
    }

    /// Interface language as a BCP 47 tag.
    async fn locale(&self) -> &str {
        &self.0.locale
    }

    /// IANA time zone name.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// Default level for new conversations.
    async fn notification_level(&self) -> NotificationLevel {
        self.0.notification_level.into()
    }

    /// Whether others see when the viewer read their messages.
    async fn shares_read_receipts(&self) -> bool {
        self.0.shares_read_receipts
    }

    /// Whether others see the viewer's presence.
    async fn shares_presence(&self, ctx: &Context<'_>) -> Result<bool> {
        let seen = loaders(ctx).load_one(PresenceOf(self.0.id)).await?;
        Ok(seen.is_none_or(|presence| presence.is_shared))
    }

    /// Whether the user search finds the viewer.
    async fn is_searchable(&self) -> bool {
        self.0.is_searchable
    }

    /// Who sees first and last name and bio.
    async fn profile_visibility(&self) -> Visibility {
        self.0.profile_visibility.into()
    }

    /// Who sees the telephone number.
    async fn phone_visibility(&self) -> Visibility {
        self.0.phone_visibility.into()
    }
}

/// Who sees a part of a profile.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "user::Visibility")]
pub enum Visibility {
    /// Everyone signed in to this server.
    Everyone,
    /// People who share a conversation with the owner.
    Contacts,
    /// No one else.
    Nobody,
}
