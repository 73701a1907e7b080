//! The mutations of the administration area.

use async_graphql::{Context, Object};

use crate::{
    domain::{accounts::NewAccount, admin},
    graphql::{
        admin::inputs::{
            AdminCreateInvitationInput, AdminCreateInvitationPayload, AdminCreateUserInput,
            AdminCreateUserPayload, AdminReinstateUserInput, AdminReinstateUserPayload,
            AdminResetSecondFactorInput, AdminResetSecondFactorPayload, AdminRevokeAccessInput,
            AdminRevokeAccessPayload, AdminRevokeInvitationInput, AdminRevokeInvitationPayload,
            AdminSendPasswordResetInput, AdminSendPasswordResetPayload, AdminSuspendUserInput,
            AdminSuspendUserPayload, AdminUpdateUserInput, AdminUpdateUserPayload,
        },
        context::{app, viewer},
        errors::{Result, nullable},
    },
};

/// The mutations of the administration area.
#[derive(Default, Debug)]
pub struct AdminMutation;

#[Object]
impl AdminMutation {
    /// Create an account for someone, who sets the password with a link. Needs ADMIN, and a recent `reauthenticate` for a
    /// role above MEMBER.
    async fn admin_create_user(
        &self,
        ctx: &Context<'_>,
        input: AdminCreateUserInput,
    ) -> Option<Result<AdminCreateUserPayload>> {
        nullable(async {
            let new = NewAccount {
                username: input.username,
                display_name: input.display_name,
                email: input.email,
            };
            let created = admin::create_user(app(ctx), viewer(ctx)?, new, input.role.into());
            let (account, setup_url) = created.await?;
            Ok(Some(AdminCreateUserPayload {
                account: Some(account.into()),
                setup_url,
            }))
        })
        .await
    }

    /// Change an account's server role. Needs ADMIN and a recent `reauthenticate`. FORBIDDEN for the last administrator.
    async fn admin_update_user(
        &self,
        ctx: &Context<'_>,
        input: AdminUpdateUserInput,
    ) -> Option<Result<AdminUpdateUserPayload>> {
        nullable(async {
            let (viewer, role) = (viewer(ctx)?, input.role.into());
            let (user, reason) = (input.user_id, &input.reason);
            let changed = admin::change_role(app(ctx), viewer, user, role, reason).await?;
            Ok(Some(AdminUpdateUserPayload {
                account: Some(changed.into()),
            }))
        })
        .await
    }

    /// Suspend an account: its sessions end, and signing in is refused. Needs MODERATOR or ADMIN; only an ADMIN suspends
    /// an account with a server role. FORBIDDEN for the last administrator and for the viewer's own account.
    async fn admin_suspend_user(
        &self,
        ctx: &Context<'_>,
        input: AdminSuspendUserInput,
    ) -> Option<Result<AdminSuspendUserPayload>> {
        nullable(async {
            let (user, reason) = (input.user_id, &input.reason);
            let suspended = admin::suspend(app(ctx), viewer(ctx)?, user, reason).await?;
            Ok(Some(AdminSuspendUserPayload {
                account: Some(suspended.into()),
            }))
        })
        .await
    }

    /// Lift a suspension. Needs MODERATOR or ADMIN; only an ADMIN reinstates an account with a server role.
    async fn admin_reinstate_user(
        &self,
        ctx: &Context<'_>,
        input: AdminReinstateUserInput,
    ) -> Option<Result<AdminReinstateUserPayload>> {
        nullable(async {
            let (user, reason) = (input.user_id, input.reason.as_deref());
            let reinstated = admin::reinstate(app(ctx), viewer(ctx)?, user, reason).await?;
            Ok(Some(AdminReinstateUserPayload {
                account: Some(reinstated.into()),
            }))
        })
        .await
    }

    /// Send someone a link to set a new password. Their present password keeps working until they use it. Needs ADMIN.
    async fn admin_send_password_reset(
        &self,
        ctx: &Context<'_>,
        input: AdminSendPasswordResetInput,
    ) -> Option<Result<AdminSendPasswordResetPayload>> {
        nullable(async {
            let (viewer, user) = (viewer(ctx)?, input.user_id);
            let sent = admin::send_password_reset(app(ctx), viewer, user, &input.reason);
            let (account, reset_url) = sent.await?;
            Ok(Some(AdminSendPasswordResetPayload {
                account: Some(account.into()),
                reset_url,
            }))
        })
        .await
    }

    /// Remove the authenticator app and the recovery codes of an account whose owner has lost them, and end its sessions.
    /// The person receives a mail. Needs ADMIN.
    async fn admin_reset_second_factor(
        &self,
        ctx: &Context<'_>,
        input: AdminResetSecondFactorInput,
    ) -> Option<Result<AdminResetSecondFactorPayload>> {
        nullable(async {
            let (viewer, user) = (viewer(ctx)?, input.user_id);
            let reset = admin::reset_user_second_factor(app(ctx), viewer, user, &input.reason);
            Ok(Some(AdminResetSecondFactorPayload {
                account: Some(reset.await?.into()),
            }))
        })
        .await
    }

    /// Create an invitation for someone to register. Needs ADMIN, and a recent `reauthenticate` for a role above MEMBER.
    async fn admin_create_invitation(
        &self,
        ctx: &Context<'_>,
        input: AdminCreateInvitationInput,
    ) -> Option<Result<AdminCreateInvitationPayload>> {
        nullable(async {
            let (viewer, role) = (viewer(ctx)?, input.role.into());
            let (email, hours) = (input.email, input.expires_in_hours);
            let invited = admin::invite(app(ctx), viewer, email, role, hours);
            let (invitation, invitation_url) = invited.await?;
            Ok(Some(AdminCreateInvitationPayload {
                invitation: Some(invitation.into()),
                invitation_url,
            }))
        })
        .await
    }

    /// Revoke an invitation that was not used yet. CONFLICT once it is used. Needs ADMIN.
    async fn admin_revoke_invitation(
        &self,
        ctx: &Context<'_>,
        input: AdminRevokeInvitationInput,
    ) -> Option<Result<AdminRevokeInvitationPayload>> {
        nullable(async {
            let (viewer, id) = (viewer(ctx)?, input.invitation_id);
            let revoked = admin::revoke_invitation(app(ctx), viewer, id).await?;
            Ok(Some(AdminRevokeInvitationPayload {
                invitation: Some(revoked.into()),
            }))
        })
        .await
    }

    /// End every session of an account. Needs ADMIN.
    async fn admin_revoke_access(
        &self,
        ctx: &Context<'_>,
        input: AdminRevokeAccessInput,
    ) -> Option<Result<AdminRevokeAccessPayload>> {
        nullable(async {
            let (viewer, user) = (viewer(ctx)?, input.user_id);
            let ended = admin::revoke_access(app(ctx), viewer, user, &input.reason).await?;
            Ok(Some(AdminRevokeAccessPayload {
                revoked_count: i32::try_from(ended).unwrap_or(i32::MAX),
            }))
        })
        .await
    }
}
