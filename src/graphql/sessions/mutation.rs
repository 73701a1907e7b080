//! The session mutations.

use async_graphql::{Context, Object};

use crate::{
    domain::{accounts, sessions},
    graphql::{
        accounts::types::AuthResult,
        context::{app, caller, viewer},
        errors::{Result, nullable},
        sessions::types::{
            ReauthenticateInput, ReauthenticatePayload, RefreshSessionInput, RefreshSessionPayload,
            RevokeOtherSessionsPayload, RevokeSessionsInput, RevokeSessionsPayload, Session,
            SignOutPayload,
        },
    },
};

/// The session mutations.
#[derive(Default, Debug)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Exchange a refresh token for new tokens. The old one becomes invalid.
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        input: RefreshSessionInput,
    ) -> Option<Result<RefreshSessionPayload>> {
        nullable(async {
            let device = caller(ctx).device();
            let renewed = sessions::refresh(app(ctx), &input.refresh_token, &device).await?;
            Ok(Some(RefreshSessionPayload {
                auth: Some(AuthResult::new(ctx, renewed)),
            }))
        })
        .await
    }

    /// Confirm the viewer's identity in this session, so that sensitive operations are allowed for the next 15 minutes.
    /// They are refused with REAUTHENTICATION_REQUIRED otherwise. An account with a second factor needs a code.
    async fn reauthenticate(
        &self,
        ctx: &Context<'_>,
        input: ReauthenticateInput,
    ) -> Option<Result<ReauthenticatePayload>> {
        nullable(async {
            let (viewer, proof) = (viewer(ctx)?, input.into());
            let session = accounts::reauthenticate(app(ctx), viewer, &proof).await?;
            Ok(Some(ReauthenticatePayload {
                session: Some(Session(session)),
            }))
        })
        .await
    }

    /// End the current session.
    async fn sign_out(&self, ctx: &Context<'_>) -> Option<Result<SignOutPayload>> {
        nullable(async {
            let ended = sessions::sign_out(app(ctx), viewer(ctx)?).await?;
            Ok(Some(SignOutPayload {
                ended_session_id: Some(ended),
            }))
        })
        .await
    }

    /// End some of the viewer's sessions.
    async fn revoke_sessions(
        &self,
        ctx: &Context<'_>,
        input: RevokeSessionsInput,
    ) -> Option<Result<RevokeSessionsPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let revoked_session_ids =
                sessions::revoke(app(ctx), viewer, &input.session_ids).await?;
            Ok(Some(RevokeSessionsPayload {
                revoked_session_ids,
            }))
        })
        .await
    }

    /// End every session of the viewer except this one.
    async fn revoke_other_sessions(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<RevokeOtherSessionsPayload>> {
        nullable(async {
            let revoked_session_ids = sessions::revoke_others(app(ctx), viewer(ctx)?).await?;
            Ok(Some(RevokeOtherSessionsPayload {
                revoked_session_ids,
            }))
        })
        .await
    }
}
