//! `Viewer`, `AuthResult` and the inputs and payloads of accounts.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::{
    domain::sessions::{self, SignedIn},
    graphql::{
        context::{batch, caller},
        conversations::{
            self,
            types::{ConversationConnection, ConversationFilter},
        },
        errors::Result,
        scalars::DateTime,
        threads::{self, types::ThreadConnection},
        users::{loader::UserKey, types::User},
    },
    id::ViewerId,
};

/// The signed-in person's own view: private data that no one else can reach through User.
#[derive(Clone, Debug)]
pub struct Viewer(pub sessions::Viewer);

/// The signed-in person's own view: private data that no one else can reach through User.
#[Object]
impl Viewer {
    /// Unique id, distinct from the user's.
    async fn id(&self) -> ViewerId {
        ViewerId(self.0.user.0)
    }

    /// The viewer as others see them.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        let found = batch(ctx).load_one(UserKey(self.0.user)).await?;
        Ok(found.ok_or_else(crate::error::Error::unauthenticated)?)
    }

    /// Threads the viewer follows, most recently active first.
    async fn threads(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(30)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<ThreadConnection> {
        threads::lists::followed(ctx, first, after.as_deref()).await
    }

    /// Conversations the viewer takes part in, most recently active first.
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Narrow the list.")] filter: Option<ConversationFilter>,
        #[graphql(default_with = "Some(30)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<ConversationConnection> {
        conversations::query::list(ctx, &self.0, filter, first, after.as_deref()).await
    }
}

/// A new or renewed sign-in.
#[derive(SimpleObject)]
pub struct AuthResult {
    /// Who is signed in.
    pub viewer: Viewer,
    /// Bearer token for requests.
    pub access_token: Option<String>,
    /// When the access token lapses.
    pub access_token_expires_at: DateTime,
    /// Token for refreshSession.
    pub refresh_token: Option<String>,
    /// When the refresh token lapses.
    pub refresh_token_expires_at: DateTime,
}

impl AuthResult {
    /// The answer to whoever just signed in; the rest of their request is answered as theirs.
    #[must_use]
    pub fn new(ctx: &Context<'_>, signed_in: SignedIn) -> Self {
        // Only the first sign-in of a request counts; each is alone in its operation.
        let _ = caller(ctx).signed_in.set(signed_in.viewer.clone());
        Self {
            viewer: Viewer(signed_in.viewer),
            access_token: Some(signed_in.access_token),
            access_token_expires_at: signed_in.access_token_expires_at.into(),
            refresh_token: Some(signed_in.refresh_token),
            refresh_token_expires_at: signed_in.refresh_token_expires_at.into(),
        }
    }
}

/// Details for a new account.
#[derive(InputObject)]
pub struct RegisterInput {
    /// Unique name: 2 to 32 letters, digits, dots, dashes or underscores.
    pub username: String,
    /// Name to show; defaults to the username.
    pub display_name: Option<String>,
    /// Address for sign-in and mail.
    pub email: String,
    /// At least 10 characters.
    pub password: String,
}

/// Result of register.
#[derive(SimpleObject)]
pub struct RegisterPayload {
    /// The sign-in.
    pub auth: Option<AuthResult>,
}

/// Credentials.
#[derive(InputObject)]
pub struct SignInInput {
    /// Email address or username.
    pub login: String,
    /// Password.
    pub password: String,
}

/// Result of signIn.
#[derive(SimpleObject)]
pub struct SignInPayload {
    /// The sign-in.
    pub auth: Option<AuthResult>,
}
