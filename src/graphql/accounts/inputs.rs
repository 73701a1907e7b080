//! Inputs and payloads of the account mutations.

use async_graphql::{InputObject, MaybeUndefined, SimpleObject};

use crate::{
    domain::accounts::{NewAccount, PreferenceChanges, ProfileChanges, Registration},
    graphql::{
        accounts::{
            preferences::Visibility,
            second_factor::SignInChallenge,
            types::{AuthResult, Viewer},
        },
        participants::types::NotificationLevel,
    },
};

/// Details for a new account.
#[derive(InputObject)]
pub struct RegisterInput {
    /// Unique name: 2 to 32 letters, digits, dots, dashes or underscores.
    username: String,
    /// Name to show; defaults to the username.
    display_name: Option<String>,
    /// Address for sign-in and mail.
    email: String,
    /// At least 10 characters.
    password: String,
    /// The token of an invitation; required when the sign-up policy is INVITE_ONLY.
    invitation_token: Option<String>,
    /// The token of the link that the server prints while it has no administrator: the account becomes the first one,
    /// also where registration is closed. Valid once, for an hour.
    pub setup_token: Option<String>,
    /// With a setup token, in development mode: also create the demo's users and conversations, and join them.
    #[graphql(default)]
    pub with_demo: bool,
}

impl From<RegisterInput> for Registration {
    fn from(input: RegisterInput) -> Self {
        Self {
            account: NewAccount {
                username: input.username,
                display_name: input.display_name,
                email: input.email,
            },
            password: input.password,
            invitation_token: input.invitation_token,
        }
    }
}

/// Result of register.
#[derive(SimpleObject)]
pub struct RegisterPayload {
    /// The sign-in; null when the address must be verified first.
    pub auth: Option<AuthResult>,
    /// Whether the address must be verified first; a mail is sent. The result is then the same for an address that
    /// already has an account.
    pub needs_email_verification: bool,
}

/// Credentials.
#[derive(InputObject)]
pub struct SignInInput {
    /// Email address or username.
    pub login: String,
    /// Password.
    pub password: String,
}

/// Result of signIn: exactly one of auth and challenge is set.
#[derive(SimpleObject)]
pub struct SignInPayload {
    /// The sign-in; null when a second step is needed.
    pub auth: Option<AuthResult>,
    /// The second step that is needed; null when none is.
    pub challenge: Option<SignInChallenge>,
}

/// The current and the new password.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The current password; omit it when none is set.
    pub current_password: Option<String>,
    /// At least 10 characters.
    pub new_password: String,
}

/// Result of changePassword.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// The viewer.
    pub viewer: Option<Viewer>,
}

/// A new address.
#[derive(InputObject)]
pub struct ChangeEmailInput {
    /// The new address.
    pub new_email: String,
    /// The current password; omit it when none is set.
    pub password: Option<String>,
}

/// Result of changeEmail.
#[derive(SimpleObject)]
pub struct ChangeEmailPayload {
    /// The viewer, with the old address and `pendingEmail`.
    pub viewer: Option<Viewer>,
}

/// A token from a mail.
#[derive(InputObject)]
pub struct VerifyEmailInput {
    /// The token from the mail.
    pub token: String,
}

/// Result of verifyEmail.
#[derive(SimpleObject)]
pub struct VerifyEmailPayload {
    /// The viewer, if signed in as the owner of the address; null otherwise.
    pub viewer: Option<Viewer>,
}

/// Whose verification to mail again.
#[derive(InputObject)]
pub struct ResendEmailVerificationInput {
    /// Address to verify; omit it when signed in.
    pub email: Option<String>,
}

/// Result of resendEmailVerification.
#[derive(SimpleObject)]
pub struct ResendEmailVerificationPayload {
    /// Whether a mail is sent; false for a viewer whose address is verified. Always true when signed out, so that it does
    /// not reveal which addresses exist.
    pub was_sent: bool,
}

/// Whose password to reset.
#[derive(InputObject)]
pub struct RequestPasswordResetInput {
    /// Address of the account.
    pub email: String,
}

/// Result of requestPasswordReset.
#[derive(SimpleObject)]
pub struct RequestPasswordResetPayload {
    /// Always true, so that it does not reveal which addresses exist.
    pub was_accepted: bool,
}

/// A new password.
#[derive(InputObject)]
pub struct ResetPasswordInput {
    /// The token from the mail.
    pub token: String,
    /// At least 10 characters.
    pub new_password: String,
}

/// Result of resetPassword.
#[derive(SimpleObject)]
pub struct ResetPasswordPayload {
    /// Username of the account, to sign in with next.
    pub username: String,
}

/// New public details. Omitted fields keep their values; null clears.
#[derive(InputObject)]
pub struct UpdateProfileInput {
    /// Unique name.
    username: MaybeUndefined<String>,
    /// Name to show.
    display_name: MaybeUndefined<String>,
    /// Given name.
    first_name: MaybeUndefined<String>,
    /// Family name.
    last_name: MaybeUndefined<String>,
    /// Telephone number in E.164 form.
    phone_number: MaybeUndefined<String>,
    /// Short text.
    bio: MaybeUndefined<String>,
}

impl From<UpdateProfileInput> for ProfileChanges {
    fn from(input: UpdateProfileInput) -> Self {
        Self {
            username: input.username.into(),
            display_name: input.display_name.into(),
            first_name: input.first_name.into(),
            last_name: input.last_name.into(),
            phone_number: input.phone_number.into(),
            bio: input.bio.into(),
        }
    }
}

/// Result of updateProfile.
#[derive(SimpleObject)]
pub struct UpdateProfilePayload {
    /// The viewer.
    pub viewer: Option<Viewer>,
}

/// New settings. Omitted fields keep their values.
#[derive(InputObject)]
pub struct UpdatePreferencesInput {
    /// BCP 47 tag.
    locale: Option<String>,
    /// IANA time zone name.
    time_zone: Option<String>,
    /// Default level for new conversations.
    notification_level: Option<NotificationLevel>,
    /// Whether others see when the viewer read their messages.
    shares_read_receipts: Option<bool>,
    /// Whether others see the viewer's presence.
    shares_presence: Option<bool>,
    /// Whether the user search finds the viewer.
    is_searchable: Option<bool>,
    /// Who sees first and last name and bio.
    profile_visibility: Option<Visibility>,
    /// Who sees the telephone number.
    phone_visibility: Option<Visibility>,
}

impl From<UpdatePreferencesInput> for PreferenceChanges {
    fn from(input: UpdatePreferencesInput) -> Self {
        Self {
            locale: input.locale,
            time_zone: input.time_zone,
            notification_level: input.notification_level.map(Into::into),
            shares_read_receipts: input.shares_read_receipts,
            shares_presence: input.shares_presence,
            is_searchable: input.is_searchable,
            profile_visibility: input.profile_visibility.map(Into::into),
            phone_visibility: input.phone_visibility.map(Into::into),
        }
    }
}

/// Result of updatePreferences.
#[derive(SimpleObject)]
pub struct UpdatePreferencesPayload {
    /// The viewer.
    pub viewer: Option<Viewer>,
}
