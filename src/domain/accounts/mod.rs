//! Accounts: registration, sign-in, profile, settings, password and deletion.

mod deletion;
mod first_administrator;
mod lockout;
mod password;
mod profile;
mod register;
mod sign_in;
mod validation;

pub use deletion::{AccountDeletion, DeletionPreview, SentMessages, delete, deletion_preview};
pub use first_administrator::{create_first, register_first, setup_token};
pub(super) use lockout::reset_logins_in;
pub use password::change_password;
pub use profile::{PreferenceChanges, ProfileChanges, update_preferences, update_profile};
pub use register::{Registration, check, create_in, register};
pub use sign_in::sign_in;
