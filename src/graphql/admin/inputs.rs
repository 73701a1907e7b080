//! Inputs and payloads of the mutations of the administration area.

use async_graphql::{InputObject, SimpleObject};

use crate::{
    graphql::{accounts::types::ServerRole, admin::accounts::Account},
    id::UserId,
};

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
