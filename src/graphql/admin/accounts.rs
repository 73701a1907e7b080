//! The `Account` type and its list.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    domain::{admin, pagination::PageRequest, sessions::Viewer},
    entity::user,
    error::Error,
    graphql::{
        accounts::types::{ServerRole, SignInMethod},
        admin::loader::HasSecondFactor,
        connection::connection,
        context::{app, loaders},
        errors::Result,
        list_plan::PlannedObject,
        pagination::Page,
        scalars::DateTime,
        text_filter,
        users::types::User,
    },
    id::{AccountId, UserId},
};

/// An account as administrators see it.
#[derive(Clone, Debug)]
pub struct Account(Arc<user::Model>);

impl From<user::Model> for Account {
    fn from(row: user::Model) -> Self {
        Self(Arc::new(row))
    }
}

/// An account as administrators see it.
#[Object]
impl Account {
    /// Unique id, distinct from the user's.
    pub async fn id(&self) -> AccountId {
        AccountId(self.0.id.0)
    }

    /// Its public profile.
    async fn user(&self) -> User {
        User(Arc::clone(&self.0))
    }

    /// Sign-in address; null when the account has none, because its first address waits for verification.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Whether the email address is verified.
    async fn is_email_verified(&self) -> bool {
        self.0.verified_at.is_some()
    }

    /// Role on the server.
    async fn role(&self) -> ServerRole {
        self.0.role.into()
    }

    /// State of the account.
    async fn status(&self) -> AccountStatus {
        admin::status(&self.0).into()
    }

    /// When it was suspended; null when it is not.
    async fn suspended_at(&self) -> Option<DateTime> {
        self.0.suspended_at.map(Into::into)
    }

    /// Why it is suspended; null when it is not.
    async fn suspension_reason(&self) -> Option<&str> {
        self.0.suspension_reason.as_deref()
    }

    /// How it can sign in.
    async fn sign_in_methods(&self, ctx: &Context<'_>) -> Result<Vec<SignInMethod>> {
        SignInMethod::of(ctx, &self.0).await
    }

    /// Whether an authenticator app is set up.
    async fn has_second_factor(&self, ctx: &Context<'_>) -> Result<bool> {
        loaders(ctx)
            .load_or_default(HasSecondFactor(self.0.id))
            .await
    }

    /// When it was last active; null if never.
    async fn last_active_at(&self) -> Option<DateTime> {
        self.0.last_active_at.map(Into::into)
    }

    /// When the account was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When the account or its profile last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}

impl PlannedObject for Account {}

connection!(
    AccountConnection,
    AccountEdge,
    Account,
    "A page of accounts.",
    "An account in a page."
);

/// State of an account.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "admin::AccountStatus")]
pub enum AccountStatus {
    /// Can sign in.
    Active,
    /// Created, but the email address is not verified yet.
    Pending,
    /// Suspended by an administrator or moderator.
    Suspended,
}

/// Narrows the account list. All conditions must hold.
#[derive(InputObject, Clone, Debug, Default)]
pub struct AccountFilter {
    /// Name, username or email address contains this, at most 200 characters.
    text: Option<String>,
    /// Only this state.
    status: Option<AccountStatus>,
    /// Only this role.
    role: Option<ServerRole>,
}

/// Returns a page of the accounts, newest first.
pub(super) async fn page(
    ctx: &Context<'_>,
    viewer: &Viewer,
    filter: AccountFilter,
    request: PageRequest<UserId>,
) -> Result<AccountConnection> {
    let app = app(ctx);
    let filter = admin::AccountFilter {
        text: text_filter::read(app, viewer, filter.text).await?,
        status: filter.status.map(Into::into),
        role: filter.role.map(Into::into),
    };
    let accounts = admin::readable(viewer).ok_or_else(Error::unauthenticated)?;
    let matching = accounts.filter(filter.condition());
    let load = |request: PageRequest<UserId>| {
        let older = request.after.map(|after| user::Column::Id.lt(after));
        let rows = matching
            .clone()
            .filter(Condition::all().add_option(older))
            .order_by_desc(user::Column::Id)
            .limit(request.limit());
        async move { Ok(request.part(rows.all(app.db.read()).await?)) }
    };
    let page = Page::read(ctx, &request, |row: &user::Model| row.id, load).await?;
    Ok(page.map(Account::from).into())
}

/// Finds the account of a user; none for viewers without a role on the server.
pub(in crate::graphql) async fn account(
    ctx: &Context<'_>,
    viewer: &Viewer,
    user: UserId,
) -> Result<Option<Account>> {
    let found = admin::account(&app(ctx).db, viewer, user).await?;
    Ok(found.map(Account::from))
}
