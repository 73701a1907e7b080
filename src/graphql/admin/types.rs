//! The `Admin` type.

use async_graphql::{Context, Object};
use uuid::Uuid;

use crate::{
    domain::sessions::Viewer,
    entity::user::ServerRole,
    graphql::{
        admin::{
            accounts::{self, Account, AccountConnection, AccountFilter},
            audit_log::{self, AuditEntryConnection, AuditFilter},
            invitations::{self, InvitationConnection, InvitationStatus},
        },
        errors::{Result, nullable},
        pagination::forward,
    },
    id::{AdminId, UserId},
};

/// The default size of a page.
const PAGE: i32 = 50;

/// Everything that the administration console reads. MODERATOR, AUDITOR and ADMIN may read it.
#[derive(Clone, Debug)]
pub struct Admin(Viewer);

impl Admin {
    /// The administration area, for viewers with a server role above MEMBER.
    #[must_use]
    pub fn of(viewer: &Viewer) -> Option<Self> {
        (viewer.role > ServerRole::Member).then(|| Self(viewer.clone()))
    }
}

/// Everything that the administration console reads. MODERATOR, AUDITOR and ADMIN may read it.
#[Object]
impl Admin {
    /// Unique id.
    pub async fn id(&self) -> AdminId {
        AdminId(Uuid::nil())
    }

    /// Accounts, newest first.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Narrow the list.")] filter: Option<AccountFilter>,
        #[graphql(default_with = "Some(PAGE)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<AccountConnection> {
        let request = forward(first, PAGE, after)?;
        accounts::page(ctx, &self.0, filter.unwrap_or_default(), request).await
    }

    /// The account of one user; null when there is none.
    async fn account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] user_id: UserId,
    ) -> Option<Result<Account>> {
        nullable(accounts::account(ctx, &self.0, user_id)).await
    }

    /// Invitations, newest first.
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only in this state; null means all states.")] status: Option<
            InvitationStatus,
        >,
        #[graphql(default_with = "Some(PAGE)")] first: Option<i32>,
        after: Option<String>,
    ) -> Result<InvitationConnection> {
        invitations::page(ctx, &self.0, status, forward(first, PAGE, after)?).await
    }

    /// The audit log, newest first. Needs AUDITOR or ADMIN; FORBIDDEN otherwise.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Narrow the list.")] filter: Option<AuditFilter>,
        #[graphql(default_with = "Some(PAGE)")] first: Option<i32>,
        after: Option<String>,
    ) -> Option<Result<AuditEntryConnection>> {
        nullable(async {
            let request = forward(first, PAGE, after)?;
            let page = audit_log::page(ctx, &self.0, filter.unwrap_or_default(), request);
            page.await.map(Some)
        })
        .await
    }
}
