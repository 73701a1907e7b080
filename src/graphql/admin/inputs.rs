//! Inputs and payloads of the mutations of the administration area.

use async_graphql::{InputObject, SimpleObject};

use crate::{
    graphql::{
        accounts::types::ServerRole,
        admin::{accounts::Account, invitations::Invitation},
    },
    id::{InvitationId, UserId},
};

/// A new account.
#[derive(InputObject)]
pub struct AdminCreateUserInput {
    /// Unique name.
    pub username: String,
    /// Name to show, at most 80 characters; the username by default.
    pub display_name: Option<String>,
    /// Email address, which counts as verified; the setup link is sent to it when mail works.
    pub email: String,
    /// Role on the server.
    #[graphql(default_with = "ServerRole::Member")]
    pub role: ServerRole,
}

/// Result of adminCreateUser.
#[derive(SimpleObject)]
pub struct AdminCreateUserPayload {
    /// The account.
    pub account: Option<Account>,
    /// Link to set a password, to hand over when mail is off; shown only now, and valid for 7 days. Null when it was
    /// mailed.
    pub setup_url: Option<String>,
}

/// New values for an account.
#[derive(InputObject)]
pub struct AdminUpdateUserInput {
    /// The account.
    pub user_id: UserId,
    /// Role on the server. FORBIDDEN when the last administrator would be demoted.
    pub role: ServerRole,
    /// Kept in the audit log.
    pub reason: String,
}

/// The account to suspend, and why.
#[derive(InputObject)]
pub struct AdminSuspendUserInput {
    /// The account.
    pub user_id: UserId,
    /// Kept in the audit log and shown to the person.
    pub reason: String,
}

/// The account to reinstate.
#[derive(InputObject)]
pub struct AdminReinstateUserInput {
    /// The account.
    pub user_id: UserId,
    /// Kept in the audit log; null when there is none.
    pub reason: Option<String>,
}

/// Whose password to reset, and why.
#[derive(InputObject)]
pub struct AdminSendPasswordResetInput {
    /// The account.
    pub user_id: UserId,
    /// Kept in the audit log.
    pub reason: String,
}

/// Whose second factor to remove, and why.
#[derive(InputObject)]
pub struct AdminResetSecondFactorInput {
    /// The account.
    pub user_id: UserId,
    /// Kept in the audit log.
    pub reason: String,
}

/// The account whose sessions to end, and why.
#[derive(InputObject)]
pub struct AdminRevokeAccessInput {
    /// The account.
    pub user_id: UserId,
    /// Kept in the audit log.
    pub reason: String,
}

/// A new invitation.
#[derive(InputObject)]
pub struct AdminCreateInvitationInput {
    /// Address that it is for, where it is mailed when mail works; omit for a link that anyone may use once.
    pub email: Option<String>,
    /// Server role of the account that it creates.
    #[graphql(default_with = "ServerRole::Member")]
    pub role: ServerRole,
    /// Hours until it expires, 1 to 720.
    #[graphql(default = 168)]
    pub expires_in_hours: i32,
}

/// The invitation to revoke.
#[derive(InputObject)]
pub struct AdminRevokeInvitationInput {
    /// The invitation.
    pub invitation_id: InvitationId,
}

/// Result of adminCreateInvitation.
#[derive(SimpleObject)]
pub struct AdminCreateInvitationPayload {
    /// The invitation.
    pub invitation: Option<Invitation>,
    /// Link to register with, to hand over; shown only now. Null when it was mailed.
    pub invitation_url: Option<String>,
}

/// Result of adminRevokeInvitation.
#[derive(SimpleObject)]
pub struct AdminRevokeInvitationPayload {
    /// The invitation.
    pub invitation: Option<Invitation>,
}

/// Result of adminUpdateUser.
#[derive(SimpleObject)]
pub struct AdminUpdateUserPayload {
    /// The account.
    pub account: Option<Account>,
}

/// Result of adminSuspendUser.
#[derive(SimpleObject)]
pub struct AdminSuspendUserPayload {
    /// The account.
    pub account: Option<Account>,
}

/// Result of adminReinstateUser.
#[derive(SimpleObject)]
pub struct AdminReinstateUserPayload {
    /// The account.
    pub account: Option<Account>,
}

/// Result of adminResetSecondFactor.
#[derive(SimpleObject)]
pub struct AdminResetSecondFactorPayload {
    /// The account.
    pub account: Option<Account>,
}

/// Result of adminSendPasswordReset.
#[derive(SimpleObject)]
pub struct AdminSendPasswordResetPayload {
    /// The account.
    pub account: Option<Account>,
    /// Link to set a password, to hand over when mail is off; shown only now, and valid for 15 minutes. Null when it was
    /// mailed.
    pub reset_url: Option<String>,
}

/// Result of adminRevokeAccess.
#[derive(SimpleObject)]
pub struct AdminRevokeAccessPayload {
    /// Sessions that ended.
    pub revoked_count: i32,
}
