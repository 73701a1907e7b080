//! The `Session` type, the list of sessions, and the inputs and payloads of their mutations.

use async_graphql::{Context, InputObject, Object, OneofObject, SimpleObject};
use sea_orm::{
    ColumnTrait, Condition, Order, QueryFilter, QueryOrder, QuerySelect, sea_query::ExprTrait,
};

use crate::{
    domain::{
        accounts::IdentityProof,
        pagination::PageRequest,
        sessions::{self, Viewer},
    },
    entity::session,
    graphql::{
        accounts::types::AuthResult,
        connection::connection,
        context::{app, caller},
        errors::Result,
        list_plan::PlannedObject,
        pagination::Page,
        scalars::DateTime,
    },
    id::SessionId,
};

/// A signed-in device or browser.
#[derive(Clone, Debug)]
pub struct Session(pub session::Model);

/// A signed-in device or browser.
#[Object]
impl Session {
    /// Unique id.
    pub async fn id(&self) -> SessionId {
        self.0.id
    }

    /// Whether this request uses it.
    async fn is_current(&self, ctx: &Context<'_>) -> bool {
        let viewer = caller(ctx).viewer();
        viewer.is_some_and(|viewer| viewer.session == self.0.id)
    }

    /// Short description derived from the client, e.g. Firefox on Linux.
    async fn label(&self) -> &str {
        &self.0.label
    }

    /// Last network address seen.
    async fn ip_address(&self) -> Option<&str> {
        self.0.ip_address.as_deref()
    }

    /// When it began.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it was last used.
    async fn last_used_at(&self) -> DateTime {
        self.0.last_used_at.into()
    }

    /// When it ends unless it is used.
    async fn expires_at(&self) -> DateTime {
        sessions::expires_at(&self.0).into()
    }

    /// Until when sensitive operations need no `reauthenticate`; null when they need it.
    async fn reauthenticated_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        sessions::reauthenticated_until(&self.0, app(ctx).clock.now()).map(Into::into)
    }
}

impl PlannedObject for Session {}

connection!(
    SessionConnection,
    SessionEdge,
    Session,
    "A page of sessions.",
    "A session in a page."
);

/// Returns a page of the viewer's sessions: the current one, then the newest first.
pub(in crate::graphql) async fn page(
    ctx: &Context<'_>,
    viewer: &Viewer,
    request: PageRequest<SessionId>,
) -> Result<SessionConnection> {
    let (db, now) = (app(ctx).db.read(), app(ctx).clock.now());
    let load = |request: PageRequest<SessionId>| async move {
        let is_other = session::Column::Id.ne(viewer.session);
        let after = request.after.map(|after| {
            let older = (after != viewer.session).then(|| session::Column::Id.lt(after));
            Condition::all().add(is_other).add_option(older)
        });
        let is_current = session::Column::Id.into_expr().eq(viewer.session);
        let rows = sessions::active(viewer.user, now)
            .filter(Condition::all().add_option(after))
            .order_by(is_current, Order::Desc)
            .order_by_desc(session::Column::Id)
            .limit(request.limit());
        Ok(request.part(rows.all(db).await?))
    };
    let page = Page::read(ctx, &request, |row: &session::Model| row.id, load).await?;
    Ok(page.map(Session).into())
}

/// Proof that it is the viewer, by one of these.
#[derive(OneofObject)]
pub enum ReauthenticateInput {
    /// The password. Not enough for an account with a second factor.
    Password(String),
    /// A current code of the authenticator app.
    TotpCode(String),
    /// An unused recovery code.
    RecoveryCode(String),
}

impl From<ReauthenticateInput> for IdentityProof {
    fn from(input: ReauthenticateInput) -> Self {
        match input {
            ReauthenticateInput::Password(password) => Self::Password(password),
            ReauthenticateInput::TotpCode(code) => Self::TotpCode(code),
            ReauthenticateInput::RecoveryCode(code) => Self::RecoveryCode(code),
        }
    }
}

/// Result of reauthenticate.
#[derive(SimpleObject)]
pub struct ReauthenticatePayload {
    /// The current session, with `reauthenticatedUntil`.
    pub session: Option<Session>,
}

/// A session to renew.
#[derive(InputObject)]
pub struct RefreshSessionInput {
    /// The refresh token.
    pub refresh_token: String,
}

/// Result of refreshSession.
#[derive(SimpleObject)]
pub struct RefreshSessionPayload {
    /// The renewed sign-in.
    pub auth: Option<AuthResult>,
}

/// Result of signOut.
#[derive(SimpleObject)]
pub struct SignOutPayload {
    /// Id of the session that ended.
    pub ended_session_id: Option<SessionId>,
}

/// Which sessions to end.
#[derive(InputObject)]
pub struct RevokeSessionsInput {
    /// The sessions.
    pub session_ids: Vec<SessionId>,
}

/// Result of revokeSessions.
#[derive(SimpleObject)]
pub struct RevokeSessionsPayload {
    /// Ids of the sessions that ended.
    pub revoked_session_ids: Vec<SessionId>,
}

/// Result of revokeOtherSessions.
#[derive(SimpleObject)]
pub struct RevokeOtherSessionsPayload {
    /// Ids of the sessions that ended.
    pub revoked_session_ids: Vec<SessionId>,
}
