//! The second factor: an authenticator app (RFC 6238), and recovery codes in case it is lost. With it, a sign-in
//! needs a code after the password, and so do important changes.

mod attempt;
mod authenticator;
mod challenge;
mod reauthentication;
mod recovery_codes;
mod setup;

pub(super) use attempt::Attempt;
pub use authenticator::has_totp;
pub(super) use challenge::challenge;
pub use challenge::{SignInChallenge, complete_sign_in};
pub(in crate::domain) use reauthentication::require_recent;
pub use reauthentication::{IdentityProof, reauthenticate};
pub use recovery_codes::recovery_codes_left;
pub(in crate::domain) use setup::remove_in;
pub use setup::{
    TotpSetup, confirm_totp_setup, disable_totp, regenerate_recovery_codes, start_totp_setup,
};

/// A kind of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// A code of the authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
}
