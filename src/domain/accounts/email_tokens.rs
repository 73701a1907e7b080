//! Tokens in mails. Who has one reads mail to the address to which it was sent. Each can be used once.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Set, sea_query::Expr};

use crate::{
    auth::secret_token::{SecretToken, hash},
    core::Core,
    db::Tx,
    entity::{
        email_token::{self, EmailTokenPurpose},
        user,
    },
    error::{Code, Error},
    id::UserId,
};

/// The prefix of a token.
const PREFIX: &str = "het_";
/// The number of mails of one kind to a user, and to an address, in [`WINDOW`].
const MAILS_MAX: u64 = 3;
/// The time in which mails are counted.
const WINDOW: TimeDelta = TimeDelta::hours(1);

impl EmailTokenPurpose {
    /// How long a token is valid.
    const fn lifetime(self) -> TimeDelta {
        match self {
            Self::VerifyEmail => TimeDelta::hours(24),
            Self::ResetPassword => TimeDelta::minutes(15),
            Self::SetUpAccount => TimeDelta::days(7),
        }
    }
}

/// Whether the user has received so many mails of this kind that no more is sent.
pub(super) async fn is_exhausted(
    core: &Core,
    user: UserId,
    purpose: EmailTokenPurpose,
) -> Result<bool, Error> {
    is_reached(core, email_token::Column::UserId.eq(user), purpose).await
}

/// Whether the address has received so many mails of this kind, for any account, that no more is sent.
pub(super) async fn is_address_exhausted(
    core: &Core,
    email_key: &str,
    purpose: EmailTokenPurpose,
) -> Result<bool, Error> {
    is_reached(core, email_token::Column::EmailKey.eq(email_key), purpose).await
}

async fn is_reached(core: &Core, of: Expr, purpose: EmailTokenPurpose) -> Result<bool, Error> {
    let recent = email_token::Entity::find()
        .filter(of)
        .filter(email_token::Column::Purpose.eq(purpose))
        .filter(email_token::Column::CreatedAt.gt(core.clock.now() - WINDOW));
    Ok(recent.count(core.db.read()).await? >= MAILS_MAX)
}

/// The error of a user who requests another mail too early.
pub(super) fn too_many() -> Error {
    Error::rate_limited(WINDOW.to_std().unwrap_or_default())
}

/// Stores the hash of a new token for a user and an address.
pub(super) async fn create(
    core: &Core,
    user: UserId,
    email_key: &str,
    purpose: EmailTokenPurpose,
) -> Result<SecretToken, Error> {
    let token = SecretToken::generate(PREFIX);
    let now = core.clock.now();
    let row = email_token::ActiveModel {
        token_hash: Set(token.hash.clone()),
        user_id: Set(user),
        purpose: Set(purpose),
        email_key: Set(email_key.to_owned()),
        created_at: Set(now),
        expires_at: Set(now + purpose.lifetime()),
    };
    let row = &row;
    core.db
        .write(|tx| async move {
            email_token::Entity::insert(row.clone())
                .exec_without_returning(&*tx)
                .await?;
            Ok(())
        })
        .await?;
    Ok(token)
}

/// Deletes a token whose mail could not be sent, so that it does not count.
pub(super) async fn discard(core: &Core, token: &SecretToken) -> Result<(), Error> {
    let hash = &token.hash;
    core.db
        .write(|tx| async move {
            email_token::Entity::delete_by_id(hash.clone())
                .exec(&*tx)
                .await?;
            Ok(())
        })
        .await
}

/// Returns the token with this text and one of these purposes, and its user. The caller compares the address.
pub(super) async fn find(
    core: &Core,
    text: &str,
    purposes: &[EmailTokenPurpose],
) -> Result<(email_token::Model, user::Model), Error> {
    let found = email_token::Entity::find_by_id(hash(text))
        .filter(email_token::Column::Purpose.is_in(purposes.iter().copied()))
        .find_also_related(user::Entity)
        .one(core.db.read())
        .await?;
    let Some((token, Some(user))) = found else {
        return Err(invalid());
    };
    check_expiry(&token, core.clock.now())?;
    Ok((token, user))
}

/// Uses a token: deletes it with all others of the user and of these kinds. Fails if another request was faster.
pub(super) async fn use_in(
    tx: &Tx,
    text: &str,
    user: UserId,
    purposes: &[EmailTokenPurpose],
) -> Result<(), Error> {
    let deleted = email_token::Entity::delete_by_id(hash(text))
        .exec(tx)
        .await?;
    if deleted.rows_affected == 0 {
        return Err(invalid());
    }
    email_token::Entity::delete_many()
        .filter(email_token::Column::UserId.eq(user))
        .filter(email_token::Column::Purpose.is_in(purposes.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

fn check_expiry(token: &email_token::Model, now: DateTime<Utc>) -> Result<(), Error> {
    if token.expires_at < now {
        let message = "This link has expired. Request another mail.";
        return Err(Error::new(Code::Expired, message));
    }
    Ok(())
}

/// The error of a token that proves nothing.
pub(super) fn invalid() -> Error {
    let message =
        "This link is not valid: it was used, or a later one replaced it. Request another mail.";
    Error::new(Code::WrongCredentials, message)
}
