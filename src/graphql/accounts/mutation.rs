//! The account mutations.

use async_graphql::{Context, Object};

use crate::{
    domain::accounts::{self, SignIn},
    graphql::{
        accounts::{
            deletion::{DeleteAccountInput, DeleteAccountPayload},
            inputs::{
                ChangeEmailInput, ChangeEmailPayload, ChangePasswordInput, ChangePasswordPayload,
                RegisterInput, RegisterPayload, SignInInput, SignInPayload, UpdatePreferencesInput,
                UpdatePreferencesPayload, UpdateProfileInput, UpdateProfilePayload,
            },
            second_factor::SignInChallenge,
            types::{AuthResult, Viewer},
        },
        context::{app, caller, viewer},
        errors::{Result, nullable},
    },
};

/// The account mutations.
#[derive(Default, Debug)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Create an account and sign in, unless the address must be verified first. DISABLED when registration is closed.
    async fn register(
        &self,
        ctx: &Context<'_>,
        input: RegisterInput,
    ) -> Option<Result<RegisterPayload>> {
        nullable(async {
            let device = caller(ctx).device();
            let (token, with_demo) = (input.setup_token.clone(), input.with_demo);
            let signed_in = match token {
                Some(token) => {
                    accounts::register_first(app(ctx), &token, input.into(), with_demo, &device)
                        .await
                        .map(Some)?
                }
                None => accounts::register(app(ctx), input.into(), &device).await?,
            };
            Ok(Some(RegisterPayload {
                needs_email_verification: signed_in.is_none(),
                auth: signed_in.map(|signed_in| AuthResult::new(ctx, signed_in)),
            }))
        })
        .await
    }

    /// Sign in with a password. Returns a second-factor challenge instead of a session when the account has one.
    /// EMAIL_NOT_VERIFIED when the password is right but the address must be verified first.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        input: SignInInput,
    ) -> Option<Result<SignInPayload>> {
        nullable(async {
            let device = caller(ctx).device();
            let signed_in =
                accounts::sign_in(app(ctx), &input.login, &input.password, &device).await?;
            let (auth, challenge) = match signed_in {
                SignIn::Done(signed_in) => (Some(AuthResult::new(ctx, *signed_in)), None),
                SignIn::Challenged(challenge) => (None, Some(SignInChallenge(challenge))),
            };
            Ok(Some(SignInPayload { auth, challenge }))
        })
        .await
    }

    /// Change the password; ends every other session.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        input: ChangePasswordInput,
    ) -> Option<Result<ChangePasswordPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let (current, new) = (input.current_password.as_deref(), &input.new_password);
            accounts::change_password(app(ctx), viewer, current, new).await?;
            Ok(Some(ChangePasswordPayload {
                viewer: Some(Viewer(viewer.clone())),
            }))
        })
        .await
    }

    /// Change the email address. The new one takes effect when it is verified; both addresses receive a mail, at most three
    /// times per hour. The present address cancels the change. DISABLED when the server sends no mail.
    async fn change_email(
        &self,
        ctx: &Context<'_>,
        input: ChangeEmailInput,
    ) -> Option<Result<ChangeEmailPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let (new, password) = (&input.new_email, input.password.as_deref());
            accounts::change_email(app(ctx), viewer, new, password).await?;
            Ok(Some(ChangeEmailPayload {
                viewer: Some(Viewer(viewer.clone())),
            }))
        })
        .await
    }

    /// Change the viewer's public profile. Omitted fields keep their values; null clears.
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        input: UpdateProfileInput,
    ) -> Option<Result<UpdateProfilePayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            accounts::update_profile(app(ctx), viewer, input.into()).await?;
            Ok(Some(UpdateProfilePayload {
                viewer: Some(Viewer(viewer.clone())),
            }))
        })
        .await
    }

    /// Change the viewer's settings. Omitted fields keep their values.
    async fn update_preferences(
        &self,
        ctx: &Context<'_>,
        input: UpdatePreferencesInput,
    ) -> Option<Result<UpdatePreferencesPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            accounts::update_preferences(app(ctx), viewer, input.into()).await?;
            Ok(Some(UpdatePreferencesPayload {
                viewer: Some(Viewer(viewer.clone())),
            }))
        })
        .await
    }

    /// Delete the viewer's account and data immediately.
    async fn delete_account(
        &self,
        ctx: &Context<'_>,
        input: DeleteAccountInput,
    ) -> Option<Result<DeleteAccountPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            accounts::delete(app(ctx), viewer, &input.into()).await?;
            Ok(Some(DeleteAccountPayload {
                deleted_user_id: Some(viewer.user),
            }))
        })
        .await
    }
}
