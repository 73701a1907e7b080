//! The mutations with a token from a mail: verification of the address, and a new password.

use async_graphql::{Context, Object};

use crate::{
    domain::accounts,
    graphql::{
        accounts::{
            inputs::{
                RequestPasswordResetInput, RequestPasswordResetPayload,
                ResendEmailVerificationInput, ResendEmailVerificationPayload, ResetPasswordInput,
                ResetPasswordPayload, VerifyEmailInput, VerifyEmailPayload,
            },
            types::Viewer,
        },
        context::{app, caller},
        errors::{Result, nullable},
    },
};

/// The mutations with a token from a mail.
#[derive(Default, Debug)]
pub struct RecoveryMutation;

#[Object]
impl RecoveryMutation {
    /// Verify an address with the token that was mailed to it. WRONG_CREDENTIALS when the token is not valid, EXPIRED
    /// when it has expired, after 24 hours.
    async fn verify_email(
        &self,
        ctx: &Context<'_>,
        input: VerifyEmailInput,
    ) -> Option<Result<VerifyEmailPayload>> {
        nullable(async {
            let user = accounts::verify_email(app(ctx), &input.token).await?;
            let viewer = caller(ctx).viewer().filter(|viewer| viewer.user == user);
            Ok(Some(VerifyEmailPayload {
                viewer: viewer.cloned().map(Viewer),
            }))
        })
        .await
    }

    /// Mail the verification token again: at most three times per hour. When signed out, the result is the same whether or
    /// not the address is known or verified. DISABLED when the server sends no mail.
    async fn resend_email_verification(
        &self,
        ctx: &Context<'_>,
        input: ResendEmailVerificationInput,
    ) -> Option<Result<ResendEmailVerificationPayload>> {
        nullable(async {
            let caller = caller(ctx);
            let (viewer, client) = (caller.viewer(), caller.device().ip_address);
            let email = input.email.as_deref();
            let was_sent = accounts::resend_verification(app(ctx), viewer, email, client).await?;
            Ok(Some(ResendEmailVerificationPayload { was_sent }))
        })
        .await
    }

    /// Mail a token for a new password: at most three times per hour. The result is the same whether or not the address is
    /// known. DISABLED when the server sends no mail.
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        input: RequestPasswordResetInput,
    ) -> Option<Result<RequestPasswordResetPayload>> {
        nullable(async {
            let client = caller(ctx).device().ip_address;
            accounts::request_password_reset(app(ctx), &input.email, client).await?;
            Ok(Some(RequestPasswordResetPayload { was_accepted: true }))
        })
        .await
    }

    /// Set a new password with a mailed token; ends every session. WRONG_CREDENTIALS when the token is not valid, EXPIRED
    /// when it has expired, after 15 minutes.
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        input: ResetPasswordInput,
    ) -> Option<Result<ResetPasswordPayload>> {
        nullable(async {
            let client = caller(ctx).device().ip_address;
            let (token, new) = (&input.token, &input.new_password);
            let username = accounts::reset_password(app(ctx), token, new, client).await?;
            Ok(Some(ResetPasswordPayload { username }))
        })
        .await
    }
}
