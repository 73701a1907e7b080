//! Limits wrong passwords and codes: at sign-in per login, and of signed-in users per account, so that a stranger who fails
//! to sign in does not keep the owner from changing the password. An attempt is counted before its password is verified, so that
//! attempts on several nodes gain nothing; a successful one resets the count.
//!
//! A login is a username or an email address, whether an account has it or not: the limit reveals neither which accounts
//! exist nor which name belongs to which address.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set,
    sea_query::{Expr, IntoTableRef, OnConflict, Query, TableRef},
};

use crate::{
    auth::password::HashOwner,
    core::Core,
    db::Tx,
    domain::users,
    entity::{
        sign_in_attempt,
        user::{
            self,
            Column::{FailedSignIns, SignInBlockedUntil},
        },
    },
    error::{Code, Error},
    id::UserId,
};

/// Consecutive failures that cause no pause.
const FAILURES_WITHOUT_PAUSE: i32 = 5;
/// The first pause. Each further one is twice as long.
const PAUSE_MIN: TimeDelta = TimeDelta::seconds(20);
/// The longest pause.
const PAUSE_MAX: TimeDelta = TimeDelta::minutes(15);
/// Consecutive failures after which the login is locked until the password of the account is changed.
const FAILURES_MAX: i32 = 100;

/// The subject of the limit.
#[derive(Clone, Debug)]
pub(super) enum LockoutKey {
    /// Sign-ins with a login, as a keyed hash.
    Login(Vec<u8>),
    /// Codes of a second factor, as a keyed hash of the user's id. It differs from that of every login.
    SecondFactor(Vec<u8>),
    /// A signed-in user, who types the password again.
    Account(UserId),
}

impl LockoutKey {
    /// Returns the key for sign-ins with a normalised login.
    pub(super) fn login(core: &Core, login: &str) -> Self {
        Self::Login(core.keys.blind_index(login))
    }

    /// Returns the key for the codes of a user.
    pub(super) fn second_factor(core: &Core, user: UserId) -> Self {
        Self::SecondFactor(codes_key(core, user))
    }

    /// Who is charged for the hashing of an attempt.
    pub(super) fn owner(&self) -> HashOwner {
        match self {
            Self::Login(login) | Self::SecondFactor(login) => HashOwner::Login(login.clone()),
            Self::Account(user) => HashOwner::Account(*user),
        }
    }

    /// Returns the table of the key, and the condition for its row. Both tables have the same columns for the limit.
    fn row(&self) -> (TableRef, Expr) {
        match self {
            Self::Account(user) => (user::Entity.into_table_ref(), user::Column::Id.eq(*user)),
            Self::Login(login) | Self::SecondFactor(login) => {
                let table = sign_in_attempt::Entity.into_table_ref();
                (table, sign_in_attempt::Column::Login.eq(login.as_slice()))
            }
        }
    }
}

/// Counts one attempt, or rejects it during a pause.
pub(super) async fn count(core: &Core, key: &LockoutKey) -> Result<(), Error> {
    let now = core.clock.now();
    core.db
        .write(|tx| async move { count_in(&tx, key, now).await })
        .await
}

async fn count_in(tx: &Tx, key: &LockoutKey, now: DateTime<Utc>) -> Result<(), Error> {
    // The account has just been deleted, so verifying the password will fail.
    let Some((failed, blocked_until)) = load_in(tx, key, now).await? else {
        return Ok(());
    };
    if failed >= FAILURES_MAX {
        let message = "This account is locked after too many wrong passwords or codes. Reset the password to sign in.";
        return Err(Error::new(Code::LimitReached, message));
    }
    if let Some(until) = blocked_until.filter(|&until| until > now) {
        return Err(Error::rate_limited(
            (until - now).to_std().unwrap_or_default(),
        ));
    }
    let failed = failed + 1;
    let (table, is_key) = key.row();
    let counted = Query::update()
        .table(table)
        .value(FailedSignIns, failed)
        .value(SignInBlockedUntil, pause(failed).map(|pause| now + pause))
        .and_where(is_key)
        .to_owned();
    ConnectionTrait::execute(tx, &counted).await?;
    Ok(())
}

/// Locks the row of the key and returns its number of failed attempts and the end of its pause.
async fn load_in(
    tx: &Tx,
    key: &LockoutKey,
    now: DateTime<Utc>,
) -> Result<Option<(i32, Option<DateTime<Utc>>)>, Error> {
    if let LockoutKey::Login(login) | LockoutKey::SecondFactor(login) = key {
        let row = try_login_in(tx, login, now).await?;
        return Ok(Some((row.failed_sign_ins, row.sign_in_blocked_until)));
    }
    let (table, is_key) = key.row();
    let select = Query::select()
        .columns([FailedSignIns, SignInBlockedUntil])
        .from(table)
        .and_where(is_key)
        .lock_exclusive()
        .to_owned();
    let found = tx.query_one(&select).await?;
    Ok(found.map(|row| row.try_get_many_by_index()).transpose()?)
}

/// Locks the row of a login, which is inserted if it is missing, and updates the time of its last attempt.
async fn try_login_in(
    tx: &Tx,
    login: &[u8],
    now: DateTime<Utc>,
) -> Result<sign_in_attempt::Model, Error> {
    let row = sign_in_attempt::ActiveModel {
        login: Set(login.to_vec()),
        failed_sign_ins: Set(0),
        sign_in_blocked_until: Set(None),
        tried_at: Set(now),
    };
    let tried = OnConflict::column(sign_in_attempt::Column::Login)
        .update_column(sign_in_attempt::Column::TriedAt)
        .to_owned();
    let row = sign_in_attempt::Entity::insert(row).on_conflict(tried);
    Ok(row.exec_with_returning(tx).await?)
}

/// Resets the count, in the transaction that acts on the correct password.
pub(super) async fn reset_in(tx: &Tx, key: &LockoutKey) -> Result<(), Error> {
    match key {
        LockoutKey::Login(login) | LockoutKey::SecondFactor(login) => {
            sign_in_attempt::Entity::delete_by_id(login.clone())
                .exec(tx)
                .await?;
        }
        LockoutKey::Account(user) => {
            user::Entity::update_many()
                .set(user::ActiveModel {
                    failed_sign_ins: Set(0),
                    sign_in_blocked_until: Set(None),
                    ..Default::default()
                })
                .filter(user::Column::Id.eq(*user))
                .exec(tx)
                .await?;
        }
    }
    Ok(())
}

/// Resets the counts of both logins of an account, whose password is changed, and of its codes.
pub(in crate::domain) async fn reset_logins_in(
    tx: &Tx,
    core: &Core,
    user: &user::Model,
) -> Result<(), Error> {
    let logins = [Some(&user.username), user.email.as_ref()];
    let logins = logins.into_iter().flatten();
    let logins = logins.map(|login| core.keys.blind_index(&users::login_key(login)));
    let logins = logins.chain([codes_key(core, user.id)]);
    sign_in_attempt::Entity::delete_many()
        .filter(sign_in_attempt::Column::Login.is_in(logins))
        .exec(tx)
        .await?;
    Ok(())
}

/// The keyed hash under which wrong codes of a user count.
fn codes_key(core: &Core, user: UserId) -> Vec<u8> {
    core.keys.blind_digest(user.0.as_bytes())
}

/// Returns the pause after this many failures.
fn pause(failed: i32) -> Option<TimeDelta> {
    let doublings = u32::try_from(failed - FAILURES_WITHOUT_PAUSE).ok()?;
    let factor = 2_i32.saturating_pow(doublings.min(10));
    Some((PAUSE_MIN * factor).min(PAUSE_MAX))
}

/// Removes one attempt from the count, because the server was too busy to verify its password.
pub(super) async fn take_back(core: &Core, key: &LockoutKey) -> Result<(), Error> {
    core.db
        .write(|tx| async move { take_back_in(&tx, key).await })
        .await
}

async fn take_back_in(tx: &Tx, key: &LockoutKey) -> Result<(), Error> {
    use sea_orm::ExprTrait;
    let (table, is_key) = key.row();
    let taken_back = Query::update()
        .table(table)
        .value(FailedSignIns, Expr::col(FailedSignIns).sub(1))
        .value(SignInBlockedUntil, Expr::null())
        .and_where(is_key)
        .and_where(Expr::col(FailedSignIns).gt(0))
        .to_owned();
    ConnectionTrait::execute(tx, &taken_back).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let pauses = (1..=12).map(|failed| pause(failed).map_or(0, |pause| pause.num_seconds()));
        assert_eq!(
            pauses.collect::<Vec<_>>(),
            [0, 0, 0, 0, 20, 40, 80, 160, 320, 640, 900, 900]
        );
        assert_eq!(pause(i32::MAX), Some(PAUSE_MAX));
    }
}
