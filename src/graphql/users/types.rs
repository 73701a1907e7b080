//! `User`.

use async_graphql::{Context, Object};

use crate::{
    entity::user,
    graphql::{
        context::{batch, caller},
        conversations::{loader::DirectWith, types::Conversation},
        errors::Result,
        page::connection,
        scalars::DateTime,
    },
    id::UserId,
};

/// A person, with only what anyone who shares a server with them may see.
#[derive(Clone, Debug)]
pub struct User(pub user::Model);

/// A person, with only what anyone who shares a server with them may see.
#[Object]
impl User {
    /// Unique id.
    pub(crate) async fn id(&self) -> UserId {
        self.0.id
    }

    /// Unique name for mentions and sign-in.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// Name to show.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// When the account was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Whether this is the viewer.
    async fn is_viewer(&self, ctx: &Context<'_>) -> bool {
        caller(ctx)
            .viewer
            .as_ref()
            .is_some_and(|viewer| viewer.user == self.0.id)
    }

    /// Whether the viewer may open a direct conversation with them.
    async fn viewer_can_message(&self, ctx: &Context<'_>) -> bool {
        let viewer = caller(ctx).viewer();
        viewer.is_some_and(|viewer| viewer.user != self.0.id)
    }

    /// The direct conversation between the two, if one exists.
    async fn viewer_conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        batch(ctx).load_one(DirectWith(self.0.id)).await
    }
}

connection!(
    UserConnection,
    UserEdge,
    User,
    "A page of users.",
    "A user in a page."
);
