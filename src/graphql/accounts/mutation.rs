//! Changes of accounts and sessions.

use async_graphql::{Context, Object};

use crate::{
    domain::accounts::{self, Registration},
    graphql::{
        accounts::types::{AuthResult, RegisterInput, RegisterPayload, SignInInput, SignInPayload},
        context::{app, caller},
        errors::Result,
    },
};

/// Changes of accounts and sessions.
#[derive(Default, Debug)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Create an account and, where policy allows, sign in.
    async fn register(
        &self,
        ctx: &Context<'_>,
        input: RegisterInput,
    ) -> Result<Option<RegisterPayload>> {
        let new = Registration {
            username: input.username,
            display_name: input.display_name,
            email: input.email,
            password: input.password,
        };
        let signed_in = accounts::register(app(ctx), new, &caller(ctx).device()).await?;
        Ok(Some(RegisterPayload {
            auth: Some(AuthResult::new(ctx, signed_in)),
        }))
    }

    /// Sign in with a password.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        input: SignInInput,
    ) -> Result<Option<SignInPayload>> {
        let device = caller(ctx).device();
        let signed_in = accounts::sign_in(app(ctx), &input.login, &input.password, &device).await?;
        Ok(Some(SignInPayload {
            auth: Some(AuthResult::new(ctx, signed_in)),
        }))
    }
}
