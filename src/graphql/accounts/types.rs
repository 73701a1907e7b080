//! The `Viewer` and `AuthResult` types.

use async_graphql::{Context, Enum, Object, SimpleObject};

use crate::{
    domain::{
        accounts,
        sessions::{self, SignedIn},
    },
    entity::user,
    error::Error,
    graphql::{
        accounts::{
            deletion::AccountDeletionPreview, loader::HasIdentity, preferences::Preferences,
        },
        blocks,
        context::{app, caller, loaders},
        conversations::{
            self,
            types::{ConversationConnection, ConversationFilter},
        },
        errors::{Result, nullable},
        messages::{
            self,
            across::{MessageFilter, MessageOrder},
            types::MessageConnection,
        },
        notifications::{self, types::NotificationConnection},
        pagination::{Both, forward},
        reads::{
            self,
            types::{UnreadMessageConnection, UnreadTotals},
        },
        scalars::DateTime,
        sessions::types::{self as session_types, SessionConnection},
        threads::{self, types::ThreadConnection},
        users::{
            loader::UserKey,
            types::{User, UserConnection},
        },
    },
    id::{ConversationId, ViewerId},
};

/// The signed-in user's private data, which no one else can reach through User.
#[derive(Clone, Debug)]
pub struct Viewer(pub sessions::Viewer);

impl Viewer {
    /// The viewer, unless they have to set up a second factor before they see any content.
    fn unrestricted(&self) -> Result<&sessions::Viewer> {
        if self.0.lacks_second_factor {
            return Err(Error::lacks_second_factor().into());
        }
        Ok(&self.0)
    }
}

/// The signed-in user's private data, which no one else can reach through User.
#[Object]
impl Viewer {
    /// Unique id, distinct from the user's.
    pub async fn id(&self) -> ViewerId {
        ViewerId(self.0.user.0)
    }

    /// The viewer as others see them.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        let found = loaders(ctx).load_one(UserKey(self.0.user)).await?;
        Ok(found.ok_or_else(Error::unauthenticated)?)
    }

    /// Totals for badges.
    async fn unread(&self, ctx: &Context<'_>) -> Result<UnreadTotals> {
        UnreadTotals::of(app(ctx), self.unrestricted()?).await
    }

    /// Every message that the viewer may see, across conversations; tombstones are left out. Without first and last
    /// the page has 50 messages.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Narrow the list.")] filter: Option<MessageFilter>,
        #[graphql(desc = "How to sort.", default_with = "MessageOrder::NewestFirst")]
        order: MessageOrder,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<MessageConnection> {
        let both = Both {
            first,
            after,
            last,
            before,
        };
        messages::across::page(
            ctx,
            self.unrestricted()?,
            filter.unwrap_or_default(),
            order,
            both,
        )
        .await
    }

    /// Every unread message, oldest first: exactly the messages that the counts in UnreadTotals,
    /// Membership and Thread include, so that a client can show what a badge counts. Without first and last the page
    /// has 50 messages.
    async fn unread_messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only in this conversation.")] conversation_id: Option<ConversationId>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<UnreadMessageConnection> {
        let both = Both {
            first,
            after,
            last,
            before,
        };
        reads::unread_messages(ctx, self.unrestricted()?, conversation_id, both).await
    }

    /// Notifications, newest first.
    async fn notifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only unread ones.", default = false)] unread_only: bool,
        #[graphql(default_with = "Some(30)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<NotificationConnection> {
        notifications::notifications(ctx, self.unrestricted()?, unread_only, first, after).await
    }

    /// Threads the viewer follows, most recently active first.
    async fn threads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those with unread replies.", default = false)] unread_only: bool,
        #[graphql(default_with = "Some(30)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<ThreadConnection> {
        self.unrestricted()?;
        threads::lists::followed(ctx, unread_only, first, after).await
    }

    /// Sign-in address; null when the account has none, because its first address waits for verification.
    async fn email(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        nullable(async { Ok(self.user(ctx).await?.0.email.clone()) }).await
    }

    /// Whether the email address is verified.
    async fn is_email_verified(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.user(ctx).await?.0.verified_at.is_some())
    }

    /// New address that waits for verification; null when none does.
    async fn pending_email(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        nullable(async { Ok(self.user(ctx).await?.0.pending_email.clone()) }).await
    }

    /// What the viewer may do on the whole server.
    async fn role(&self) -> ServerRole {
        self.0.role.into()
    }

    /// The viewer's settings.
    pub async fn preferences(&self, ctx: &Context<'_>) -> Result<Preferences> {
        Ok(Preferences(self.user(ctx).await?.0))
    }

    /// How the viewer can sign in.
    async fn sign_in_methods(&self, ctx: &Context<'_>) -> Result<Vec<SignInMethod>> {
        SignInMethod::of(ctx, &self.user(ctx).await?.0).await
    }

    /// Whether a password is set; false for accounts that only use external providers.
    async fn has_password(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.user(ctx).await?.0.password_hash.is_some())
    }

    /// Whether an authenticator app is set up.
    async fn has_totp(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(accounts::has_totp(app(ctx), &self.0).await?)
    }

    /// Number of unused recovery codes.
    async fn recovery_codes_left(&self, ctx: &Context<'_>) -> Result<i32> {
        let left = accounts::recovery_codes_left(app(ctx), &self.0).await?;
        Ok(i32::try_from(left).unwrap_or(i32::MAX))
    }

    /// The viewer's sessions: the current one first, then the newest.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(20)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<SessionConnection> {
        session_types::page(ctx, &self.0, forward(first, 20, after)?).await
    }

    /// Users whom the viewer blocked, newest block first.
    async fn blocked_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(30)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<UserConnection> {
        blocks::query::list(ctx, self.unrestricted()?, first, after).await
    }

    /// What deleting the account would remove, counted now.
    async fn deletion_preview(&self, ctx: &Context<'_>) -> Result<AccountDeletionPreview> {
        Ok(accounts::deletion_preview(app(ctx), self.unrestricted()?)
            .await?
            .into())
    }

    /// Conversations the viewer takes part in, most recently active first.
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Narrow the list.")] filter: Option<ConversationFilter>,
        #[graphql(default_with = "Some(30)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<ConversationConnection> {
        conversations::query::list(ctx, self.unrestricted()?, filter, first, after).await
    }
}

/// A role on the whole server.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "user::ServerRole")]
pub enum ServerRole {
    /// An ordinary account.
    Member,
    /// May read the list of accounts, and suspend members.
    Moderator,
    /// May read the list of accounts and the audit log.
    Auditor,
    /// May read the list of accounts and the audit log, and manage accounts.
    Admin,
}

/// A way to sign in.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInMethod {
    /// A password.
    Password,
    /// Access tokens of a trusted issuer, for products that embed this server.
    TrustedIssuer,
}

impl SignInMethod {
    /// The ways in which this user can sign in.
    pub(in crate::graphql) async fn of(ctx: &Context<'_>, user: &user::Model) -> Result<Vec<Self>> {
        let has_identity = loaders(ctx).load_or_default(HasIdentity(user.id)).await?;
        let methods = [
            (user.password_hash.is_some(), Self::Password),
            (has_identity, Self::TrustedIssuer),
        ];
        let methods = methods.into_iter().filter(|(can, _)| *can);
        Ok(methods.map(|(_, method)| method).collect())
    }
}

/// A new or renewed sign-in.
#[derive(SimpleObject)]
pub struct AuthResult {
    /// The signed-in user.
    pub viewer: Viewer,
    /// Bearer token for requests.
    pub access_token: Option<String>,
    /// When the access token expires.
    pub access_token_expires_at: DateTime,
    /// Token for refreshSession.
    pub refresh_token: Option<String>,
    /// When the refresh token expires.
    pub refresh_token_expires_at: DateTime,
}

impl AuthResult {
    /// Describes a new sign-in, and resolves the rest of the request for the user who signed in.
    #[must_use]
    pub fn new(ctx: &Context<'_>, signed_in: SignedIn) -> Self {
        // Only the first sign-in of a request counts. The guard rejects operations with several.
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
