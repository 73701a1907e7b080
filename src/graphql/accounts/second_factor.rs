//! The second factor: its mutations, with their inputs and payloads.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};

use crate::{
    domain::accounts,
    graphql::{
        accounts::types::{AuthResult, Viewer},
        context::{app, caller, viewer},
        errors::{Result, nullable},
        scalars::DateTime,
    },
};

/// A second factor.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "accounts::SecondFactor")]
pub enum SecondFactor {
    /// A code from an authenticator app.
    Totp,
    /// A single-use recovery code.
    RecoveryCode,
}

/// A second step that the sign-in needs.
#[derive(Clone, Debug)]
pub struct SignInChallenge(pub accounts::SignInChallenge);

/// A second step that the sign-in needs.
#[Object]
impl SignInChallenge {
    /// Send this to completeSignIn.
    async fn token(&self) -> &str {
        &self.0.token
    }

    /// Factors that complete it.
    async fn methods(&self) -> Vec<SecondFactor> {
        vec![SecondFactor::Totp, SecondFactor::RecoveryCode]
    }

    /// When it expires.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at.into()
    }
}

/// Response to a second-factor challenge.
#[derive(InputObject)]
pub struct CompleteSignInInput {
    /// Token of the challenge.
    challenge_token: String,
    /// The factor that is used.
    method: SecondFactor,
    /// The code.
    code: String,
}

/// Result of completeSignIn.
#[derive(SimpleObject)]
pub struct CompleteSignInPayload {
    /// The sign-in.
    auth: Option<AuthResult>,
}

/// Result of startTotpSetup.
#[derive(SimpleObject)]
pub struct StartTotpSetupPayload {
    /// Secret to type into the app.
    secret: Option<String>,
    /// The same secret as an otpauth address, for a QR code.
    uri: Option<String>,
}

/// Proof that the authenticator app works.
#[derive(InputObject)]
pub struct ConfirmTotpSetupInput {
    /// A current code.
    code: String,
}

/// Result of confirmTotpSetup.
#[derive(SimpleObject)]
pub struct ConfirmTotpSetupPayload {
    /// Ten recovery codes to keep in a safe place; shown only now.
    recovery_codes: Option<Vec<String>>,
    /// The viewer.
    viewer: Option<Viewer>,
}

/// Proof that it is the viewer.
#[derive(InputObject)]
pub struct DisableTotpInput {
    /// A current code or a recovery code.
    code: String,
}

/// Result of disableTotp.
#[derive(SimpleObject)]
pub struct DisableTotpPayload {
    /// The viewer.
    viewer: Option<Viewer>,
}

/// Proof that it is the viewer.
#[derive(InputObject)]
pub struct RegenerateRecoveryCodesInput {
    /// A current code.
    code: String,
}

/// Result of regenerateRecoveryCodes.
#[derive(SimpleObject)]
pub struct RegenerateRecoveryCodesPayload {
    /// The new codes; shown only now.
    recovery_codes: Option<Vec<String>>,
}

/// The mutations of the second factor.
#[derive(Default, Debug)]
pub struct SecondFactorMutation;

#[Object]
impl SecondFactorMutation {
    /// Complete a sign-in with a code of the second factor. WRONG_CREDENTIALS when the code is wrong or was used before, EXPIRED when the
    /// challenge has expired, after 5 minutes.
    async fn complete_sign_in(
        &self,
        ctx: &Context<'_>,
        input: CompleteSignInInput,
    ) -> Option<Result<CompleteSignInPayload>> {
        nullable(async {
            let device = caller(ctx).device();
            let (token, factor) = (&input.challenge_token, input.method.into());
            let signed_in =
                accounts::complete_sign_in(app(ctx), token, factor, &input.code, &device).await?;
            Ok(Some(CompleteSignInPayload {
                auth: Some(AuthResult::new(ctx, signed_in)),
            }))
        })
        .await
    }

    /// Start setting up an authenticator app, in place of the present one if there is one.
    /// REAUTHENTICATION_REQUIRED without a recent `reauthenticate`.
    async fn start_totp_setup(&self, ctx: &Context<'_>) -> Option<Result<StartTotpSetupPayload>> {
        nullable(async {
            let setup = accounts::start_totp_setup(app(ctx), viewer(ctx)?).await?;
            Ok(Some(StartTotpSetupPayload {
                secret: Some(setup.secret),
                uri: Some(setup.uri),
            }))
        })
        .await
    }

    /// Finish setting up an authenticator app; returns recovery codes once, and ends every other session. EXPIRED later
    /// than 15 minutes after startTotpSetup.
    async fn confirm_totp_setup(
        &self,
        ctx: &Context<'_>,
        input: ConfirmTotpSetupInput,
    ) -> Option<Result<ConfirmTotpSetupPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let codes = accounts::confirm_totp_setup(app(ctx), viewer, &input.code).await?;
            let mut viewer = viewer.clone();
            viewer.lacks_second_factor = false;
            Ok(Some(ConfirmTotpSetupPayload {
                recovery_codes: Some(codes),
                viewer: Some(Viewer(viewer)),
            }))
        })
        .await
    }

    /// Remove the authenticator app and the recovery codes; ends every other session. FORBIDDEN when the server requires a
    /// second factor.
    async fn disable_totp(
        &self,
        ctx: &Context<'_>,
        input: DisableTotpInput,
    ) -> Option<Result<DisableTotpPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            accounts::disable_totp(app(ctx), viewer, &input.code).await?;
            Ok(Some(DisableTotpPayload {
                viewer: Some(Viewer(viewer.clone())),
            }))
        })
        .await
    }

    /// Replace the recovery codes; the old ones stop working.
    async fn regenerate_recovery_codes(
        &self,
        ctx: &Context<'_>,
        input: RegenerateRecoveryCodesInput,
    ) -> Option<Result<RegenerateRecoveryCodesPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let codes = accounts::regenerate_recovery_codes(app(ctx), viewer, &input.code).await?;
            Ok(Some(RegenerateRecoveryCodesPayload {
                recovery_codes: Some(codes),
            }))
        })
        .await
    }
}
