//! The `Notice` type: an event of a conversation that its timeline records.

use async_graphql::{Context, Enum, Object};

use crate::{
    domain::messages::notice,
    graphql::{
        context::loaders,
        errors::Result,
        users::{loader::UserKey, types::User},
    },
};

/// The kind of event that a notice records.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "notice::NoticeType")]
pub enum NoticeType {
    /// The conversation was created.
    Created,
    /// People were added.
    ParticipantsAdded,
    /// Someone was removed.
    ParticipantRemoved,
    /// Someone left.
    ParticipantLeft,
    /// A role changed.
    RoleChanged,
    /// The title changed.
    TitleChanged,
    /// The topic changed.
    TopicChanged,
}

/// An event of a conversation that its timeline records.
#[derive(Clone, Debug)]
pub struct Notice(pub notice::Notice);

/// An event of a conversation that its timeline records.
#[Object]
impl Notice {
    /// The kind of event.
    #[graphql(name = "type")]
    async fn kind(&self) -> NoticeType {
        self.0.kind.into()
    }

    /// Who did it; null if that account is deleted, or if no person did it, as when a group gets a new owner
    /// because its owner's account was deleted.
    async fn actor(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        loaders(ctx).nullable(self.0.actor.map(UserKey)).await
    }

    /// The people concerned: at most 100, without deleted accounts.
    async fn subjects(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        let keys = self.0.subjects.iter().map(|&id| UserKey(id));
        loaders(ctx).load_list(keys).await
    }

    /// The new title, topic or role, when there is one.
    async fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }
}
