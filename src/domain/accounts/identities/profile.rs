//! Applies what a token states about its user to the account. A value that an account cannot have is replaced or left out:
//! the user cannot correct the token.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, IntoActiveModel};

use crate::{
    auth::trusted_issuers::IssuedToken,
    core::Core,
    db::Tx,
    domain::{
        accounts::{profile, register::taken_error, validation},
        audit::{self, AuditAction, AuditRecord},
        text,
        users::{self, NewUser},
    },
    entity::user,
    error::Error,
    id::UserId,
};

/// The username of an account whose token proposes none.
const DEFAULT_USERNAME: &str = "user";
/// The last number that is appended to a username that is taken. After it follow random digits.
const LAST_NUMBER: u32 = 9;

/// Creates the account of a token's user. The issuer decides who has an account, so the policy for registrations does not
/// apply.
pub(super) async fn create_in(tx: &Tx, core: &Core, token: &IssuedToken) -> Result<UserId, Error> {
    let now = core.clock.now();
    let proposed = token.username.as_deref().unwrap_or_default();
    let username = free_username(tx, &username(proposed)).await?;
    let name = token.display_name.as_deref().and_then(display_name);
    let email = free_email(tx, token, None).await?;
    let new = NewUser {
        id: UserId::mint(),
        display_name: name.unwrap_or_else(|| username.clone()),
        username,
        email,
        password_hash: None,
        at: now,
    };
    let mut row = new.row().into_active_model();
    row.last_active_at = Set(Some(now));
    if new.email.is_some() {
        row.verified_at = Set(Some(now));
    }
    row.insert(tx).await.map_err(taken_error)?;
    let record = AuditRecord::own(AuditAction::UserCreated, new.id);
    let record = record.change("issuer", None, Some(&token.issuer));
    audit::append_in(tx, now, record).await?;
    Ok(new.id)
}

/// Applies changed values. A value that the token does not state stays.
pub(super) async fn update_in(
    tx: &Tx,
    core: &Core,
    user: &user::Model,
    token: &IssuedToken,
) -> Result<(), Error> {
    let mut row = <user::ActiveModel as Default>::default();
    if let Some(proposed) = &token.username {
        let name = username(proposed);
        if users::key(&name) == user.username_key || is_free(tx, &name).await? {
            row.username_key = Set(users::key(&name));
            row.username = Set(name);
        }
    }
    if let Some(name) = token.display_name.as_deref().and_then(display_name) {
        row.display_name_key = Set(users::key(&name));
        row.display_name = Set(name);
    }
    if let Some(email) = free_email(tx, token, Some(user)).await? {
        row.email_key = Set(Some(text::email_key(&email)));
        row.email = Set(Some(email));
        row.verified_at = Set(Some(core.clock.now()));
    }
    if !row.is_changed() {
        return Ok(());
    }
    profile::save_in(tx, core, user.id, row).await
}

/// Converts a claim into a valid username: a name such as `Ann Lee` becomes `Ann-Lee`, and of an address only the part
/// before the `@` is used.
fn username(claim: &str) -> String {
    let local = claim.split('@').next().unwrap_or_default();
    let name: String = local
        .chars()
        .map(|char| match char {
            '.' | '_' => char,
            char if char.is_ascii_alphanumeric() => char,
            _ => '-',
        })
        .take(*validation::USERNAME.end())
        .collect();
    let name = name.trim_matches(|char: char| !char.is_ascii_alphanumeric());
    let mut problems = vec![];
    let name = validation::username(name, &mut problems);
    if problems.is_empty() {
        name
    } else {
        DEFAULT_USERNAME.to_owned()
    }
}

/// Returns a display name without what is too long; none if it cannot be shown.
fn display_name(claim: &str) -> Option<String> {
    let claim: String = claim.chars().take(validation::NAME).collect();
    let mut problems = vec![];
    let name = validation::display_name(&claim, &mut problems);
    problems.is_empty().then_some(name)
}

/// Returns the username, or one that begins with it, that no other account has.
async fn free_username(tx: &Tx, base: &str) -> Result<String, Error> {
    if is_free(tx, base).await? {
        return Ok(base.to_owned());
    }
    let with = |suffix: &str| {
        let kept = validation::USERNAME.end() - suffix.len() - 1;
        let kept = base.get(..kept).unwrap_or(base);
        let kept = kept.trim_end_matches(|char: char| !char.is_ascii_alphanumeric());
        format!("{kept}-{suffix}")
    };
    for number in 2..=LAST_NUMBER {
        let name = with(&number.to_string());
        if is_free(tx, &name).await? {
            return Ok(name);
        }
    }
    Ok(with(&format!("{:08x}", rand::random::<u32>())))
}

async fn is_free(tx: &Tx, username: &str) -> Result<bool, Error> {
    let has_name = user::Column::UsernameKey.eq(users::key(username));
    Ok(users::find_id(tx, has_name).await?.is_none())
}

/// Returns the verified address of the token, if it differs from that of the account and no other account has it. The
/// token does not give access to an account with the same address, which may belong to another person.
async fn free_email(
    tx: &Tx,
    token: &IssuedToken,
    user: Option<&user::Model>,
) -> Result<Option<String>, Error> {
    let Some(email) = token.email.as_deref().and_then(text::email_address) else {
        return Ok(None);
    };
    if user.is_some_and(|user| user.email.as_ref() == Some(&email)) {
        return Ok(None);
    }
    let has_address = user::Column::EmailKey.eq(text::email_key(&email));
    let owner = users::find_id(tx, has_address).await?;
    let is_free = owner.is_none_or(|owner| Some(owner) == user.map(|user| user.id));
    Ok(Some(email).filter(|_| is_free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_become_valid_usernames() {
        for (claim, expected) in [
            ("ann", "ann"),
            ("Ann Lee", "Ann-Lee"),
            ("ann@example.org", "ann"),
            (
                "auth0|5f7c8ec7c33c6c004bbafe82",
                "auth0-5f7c8ec7c33c6c004bbafe82",
            ),
            ("_ann_", "ann"),
            ("安", "user"),
            ("", "user"),
            ("a", "user"),
            (
                "a123456789012345678901234567890-2",
                "a123456789012345678901234567890",
            ),
        ] {
            assert_eq!(username(claim), expected, "{claim}");
        }
    }

    #[test]
    fn display_names_are_shortened() {
        assert_eq!(display_name(&"é".repeat(100)), Some("é".repeat(80)));
        assert_eq!(display_name(" "), None);
        assert_eq!(display_name("\u{202e}nnA"), None);
    }
}
