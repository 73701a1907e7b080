//! The `Invitation` type and its list.

use async_graphql::{Context, Enum, Object};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    domain::{admin, pagination::PageRequest, sessions::Viewer},
    entity::invitation::{self, InvitationStatus as Status},
    error::Error,
    graphql::{
        accounts::types::ServerRole,
        connection::connection,
        context::{app, loaders, viewer},
        errors::Result,
        list_plan::PlannedObject,
        pagination::Page,
        scalars::DateTime,
        users::{loader::UserKey, types::User},
    },
    id::InvitationId,
};

/// An invitation to register.
#[derive(Clone, Debug)]
pub struct Invitation(invitation::Model);

impl From<invitation::Model> for Invitation {
    fn from(row: invitation::Model) -> Self {
        Self(row)
    }
}

/// An invitation to register.
#[Object]
impl Invitation {
    /// Unique id.
    pub async fn id(&self) -> InvitationId {
        self.0.id
    }

    /// Address that it is for; null when anyone who has the link may use it.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Server role of the account that it creates.
    async fn role(&self) -> ServerRole {
        self.0.role.into()
    }

    /// How far it is.
    async fn status(&self, ctx: &Context<'_>) -> InvitationStatus {
        self.0.status(app(ctx).clock.now()).into()
    }

    /// Who created it; null when the command line did, and when that account is gone.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let creator = self.0.created_by.map(UserKey);
        loaders(ctx).nullable(creator).await
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it expires.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at.into()
    }

    /// The user who registered with it; null while it is unused.
    async fn accepted_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let user = self.0.accepted_by.map(UserKey);
        loaders(ctx).nullable(user).await
    }

    /// When it was used; null while it is unused.
    async fn accepted_at(&self) -> Option<DateTime> {
        self.0.accepted_at.map(Into::into)
    }
}

impl PlannedObject for Invitation {}

connection!(
    InvitationConnection,
    InvitationEdge,
    Invitation,
    "A page of invitations.",
    "An invitation in a page."
);

/// How far an invitation is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Status")]
pub enum InvitationStatus {
    /// Can be used.
    Pending,
    /// Was used.
    Accepted,
    /// Was revoked.
    Revoked,
    /// Expired without being used.
    Expired,
}

/// Returns a page of the invitations, newest first.
pub(super) async fn page(
    ctx: &Context<'_>,
    viewer: &Viewer,
    status: Option<InvitationStatus>,
    request: PageRequest<InvitationId>,
) -> Result<InvitationConnection> {
    let app = app(ctx);
    let invitations = admin::visible_invitations(viewer).ok_or_else(Error::unauthenticated)?;
    let status = status.map(|status| admin::has_status(status.into(), app.clock.now()));
    let matching = invitations.filter(Condition::all().add_option(status));
    let load = |request: PageRequest<InvitationId>| {
        let older = request.after.map(|after| invitation::Column::Id.lt(after));
        let rows = matching
            .clone()
            .filter(Condition::all().add_option(older))
            .order_by_desc(invitation::Column::Id)
            .limit(request.limit());
        async move { Ok(request.part(rows.all(app.db.read()).await?)) }
    };
    let page = Page::read(ctx, &request, |row: &invitation::Model| row.id, load).await?;
    Ok(page.map(Invitation::from).into())
}

/// Finds an invitation; none for viewers without a role on the server.
pub(in crate::graphql) async fn find(
    ctx: &Context<'_>,
    id: InvitationId,
) -> Result<Option<Invitation>> {
    let found = admin::invitation(app(ctx), viewer(ctx)?, id).await?;
    Ok(found.map(Invitation::from))
}
