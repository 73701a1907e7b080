//! The `User` type, and the inputs that find users.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, OneofObject};

use crate::{
    entity::{
        presence,
        user::{self, Visibility},
    },
    graphql::{
        blocks::loader::BlocksWith,
        connection::connection,
        context::{caller, loaders},
        conversations::{loader::DirectWith, types::Conversation},
        errors::{Result, nullable},
        presence::{loader::PresenceOf, types::PresenceStatus},
        scalars::DateTime,
        users::loader::IsContact,
    },
    id::UserId,
};

/// A user, with the data that other users of the server may see.
#[derive(Clone, Debug)]
pub struct User(pub Arc<user::Model>);

impl From<user::Model> for User {
    fn from(row: user::Model) -> Self {
        Self(Arc::new(row))
    }
}

impl User {
    /// Whether a part of the profile with this visibility is visible to the viewer.
    async fn shares(&self, ctx: &Context<'_>, with: Visibility) -> Result<bool> {
        let Some(viewer) = caller(ctx).viewer() else {
            return Ok(false);
        };
        if viewer.user == self.0.id {
            return Ok(true);
        }
        Ok(match with {
            Visibility::Everyone => true,
            Visibility::Nobody => false,
            Visibility::Contacts => loaders(ctx).load_or_default(IsContact(self.0.id)).await?,
        })
    }

    /// Returns a part of the profile, if it is set and visible to the viewer.
    async fn shared<'a>(
        &self,
        ctx: &Context<'_>,
        with: Visibility,
        part: Option<&'a str>,
    ) -> Result<Option<&'a str>> {
        // A part that is not set needs no statement.
        if part.is_some() && self.shares(ctx, with).await? {
            return Ok(part);
        }
        Ok(None)
    }
}

/// Whether the viewer blocked this user.
pub(crate) async fn has_blocked(ctx: &Context<'_>, user: UserId) -> Result<bool> {
    if caller(ctx).viewer().is_none() {
        return Ok(false);
    }
    let blocks = loaders(ctx).load_one(BlocksWith(user)).await?;
    Ok(blocks.is_some_and(|blocks| blocks.is_by_viewer))
}

/// A user, with the data that other users of the server may see.
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

    /// Given name; null when not set or not shared with the viewer.
    async fn first_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        nullable(async {
            let part = self.0.first_name.as_deref();
            self.shared(ctx, self.0.profile_visibility, part).await
        })
        .await
    }

    /// Family name; null when not set or not shared with the viewer.
    async fn last_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        nullable(async {
            let part = self.0.last_name.as_deref();
            self.shared(ctx, self.0.profile_visibility, part).await
        })
        .await
    }

    /// Telephone number in E.164 form; null when not set or not shared with the viewer.
    async fn phone_number(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        nullable(async {
            let part = self.0.phone_number.as_deref();
            self.shared(ctx, self.0.phone_visibility, part).await
        })
        .await
    }

    /// Short text about the user; null when not set or not shared with the viewer.
    async fn bio(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        nullable(async {
            let part = self.0.bio.as_deref();
            self.shared(ctx, self.0.profile_visibility, part).await
        })
        .await
    }

    /// Whether the address of the account was confirmed.
    async fn is_verified(&self) -> bool {
        self.0.verified_at.is_some()
    }

    /// Whether an import created this user for an author who has no account here. No one can sign in as them.
    async fn is_imported(&self) -> bool {
        self.0.import_key.is_some()
    }

    /// Their presence; OFFLINE when they do not share it.
    async fn presence(&self, ctx: &Context<'_>) -> Result<PresenceStatus> {
        let seen = loaders(ctx).load_one(PresenceOf(self.0.id)).await?;
        let status = seen.map_or(presence::PresenceStatus::Offline, |presence| {
            presence.status
        });
        Ok(status.into())
    }

    /// Free text about the presence, e.g. In a meeting.
    async fn status_text(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        nullable(async {
            let seen = loaders(ctx).load_one(PresenceOf(self.0.id)).await?;
            Ok(seen.and_then(|presence| presence.text))
        })
        .await
    }

    /// When they were last active; null when they do not share it.
    async fn last_active_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        nullable(async {
            let seen = loaders(ctx).load_one(PresenceOf(self.0.id)).await?;
            let at = seen.and_then(|presence| presence.last_active_at);
            Ok(at.map(Into::into))
        })
        .await
    }

    /// When the account was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When the public profile last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }

    /// Whether this is the viewer.
    async fn is_viewer(&self, ctx: &Context<'_>) -> bool {
        let viewer = caller(ctx).viewer();
        viewer.is_some_and(|viewer| viewer.user == self.0.id)
    }

    /// Whether the viewer blocked them. A block in the other direction is not shown.
    async fn viewer_has_blocked(&self, ctx: &Context<'_>) -> Result<bool> {
        has_blocked(ctx, self.0.id).await
    }

    /// Whether the viewer may open a direct conversation with them.
    async fn viewer_can_message(&self, ctx: &Context<'_>) -> Result<bool> {
        let viewer = caller(ctx).viewer();
        Ok(viewer.is_some_and(|viewer| viewer.user != self.0.id)
            && loaders(ctx)
                .load_one(BlocksWith(self.0.id))
                .await?
                .is_none())
    }

    /// The direct conversation between this user and the viewer, if one exists.
    async fn viewer_conversation(&self, ctx: &Context<'_>) -> Option<Result<Conversation>> {
        loaders(ctx).nullable(Some(DirectWith(self.0.id))).await
    }
}

connection!(
    UserConnection,
    UserEdge,
    User,
    "A page of users.",
    "A user in a page."
);

/// How to find one user.
#[derive(OneofObject)]
pub enum UserLookup {
    /// By id.
    Id(UserId),
    /// By username, ignoring case.
    Username(String),
}

/// Narrows the list of users. All conditions must hold.
#[derive(InputObject)]
pub struct UserFilter {
    /// Name or username contains this; at most 200 characters.
    pub text: Option<String>,
    /// Only users who are online and share their presence.
    #[graphql(default_with = "Some(false)")]
    pub online_only: Option<bool>,
}
