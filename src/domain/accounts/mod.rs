//! Accounts: registration, sign-in, users of other systems, verification of the address, profile, settings, password and
//! deletion.

mod deletion;
mod email_change;
mod email_tokens;
mod first_administrator;
mod identities;
mod invitations;
mod last_administrator;
mod lockout;
mod mails;
mod password;
mod password_check;
mod password_reset;
mod profile;
mod register;
mod second_factor;
mod sign_in;
mod unverified;
mod validation;
mod verification;

pub use deletion::{AccountDeletion, DeletionPreview, SentMessages, delete, deletion_preview};
pub use email_change::change_email;
pub use first_administrator::{create_first, register_first, setup_token};
pub use identities::{authenticate, delete_released, with_identity};
pub use invitations::{
    NewInvitation, create_invitation, invitations, revoke_invitation, send_invitation,
};
pub use last_administrator::require_another_administrator_in;
pub(super) use lockout::reset_logins_in;
pub use mails::send_mail;
pub(super) use mails::{invitation_link, password_link};
pub use password::change_password;
pub use password_reset::{request_password_reset, reset_password};
pub use profile::{PreferenceChanges, ProfileChanges, update_preferences, update_profile};
pub(super) use register::create_for_operator_in;
pub use register::{NewAccount, Registration, check, check_account, create_in, register};
pub use second_factor::{
    IdentityProof, SecondFactor, SignInChallenge, TotpSetup, complete_sign_in, confirm_totp_setup,
    disable_totp, has_totp, reauthenticate, recovery_codes_left, regenerate_recovery_codes,
    start_totp_setup,
};
pub(super) use second_factor::{remove_in as remove_second_factor_in, require_recent};
pub use sign_in::{SignIn, sign_in};
pub use unverified::delete_unverified;
pub use verification::{resend_verification, verify_email};
