//! Administration: what operators do on the command line, without a viewer, and what moderators and administrators do
//! in the API.

mod account;
mod changes;
mod creation;
mod invitations;
mod operator;
mod rights;
mod suspension;

pub use account::{AccountFilter, AccountStatus, account, readable, status};
pub use changes::{change_role, reset_user_second_factor, revoke_access, send_password_reset};
pub use creation::create_user;
pub use invitations::{has_status, invitation, invite, revoke_invitation, visible_invitations};
pub use operator::{create, list, reset_password, reset_second_factor};
pub use suspension::{reinstate, suspend};
