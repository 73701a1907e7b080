//! Limits failed sign-ins per login. An attempt is counted before its password is verified, so that concurrent attempts
//! gain nothing; a successful one resets the count. Logins that no account has are counted too: otherwise the limit
//! would reveal which accounts exist.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set,
    sea_query::{Expr, IntoTableRef, OnConflict, Query, TableRef},
};

use crate::{
    core::Core,
    db::Tx,
    entity::{
        unknown_sign_in,
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
/// Consecutive failures after which the account is locked until its password is reset.
const FAILURES_MAX: i32 = 100;
/// The time without attempts after which an unknown login is deleted.
const UNKNOWN_RETENTION: TimeDelta = TimeDelta::days(30);

/// The subject of the limit.
#[derive(Clone, Debug)]
pub(super) enum LockoutKey {
    /// An existing account.
    Account(UserId),
    /// A login that no account has, as a keyed hash.
    Unknown(Vec<u8>),
}

impl LockoutKey {
    /// Returns the key for a login and the account found for it.
    pub(super) fn new(core: &Core, account: Option<&user::Model>, login: &str) -> Self {
        match account {
            Some(user) => Self::Account(user.id),
            None => Self::Unknown(core.keys.blind_index(login)),
        }
    }

    /// Returns the table of the key, and the condition for its row. Both tables have the same columns for the limit.
    fn row(&self) -> (TableRef, Expr) {
        match self {
            Self::Account(user) => (user::Entity.into_table_ref(), user::Column::Id.eq(*user)),
            Self::Unknown(login) => {
                let table = unknown_sign_in::Entity.into_table_ref();
                (table, unknown_sign_in::Column::Login.eq(login.as_slice()))
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
        let message =
            "This account is locked after too many wrong passwords. Reset the password to sign in.";
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
    if let LockoutKey::Unknown(login) = key {
        insert_unknown_in(tx, login, now).await?;
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

async fn insert_unknown_in(tx: &Tx, login: &[u8], now: DateTime<Utc>) -> Result<(), Error> {
    unknown_sign_in::Entity::delete_many()
        .filter(unknown_sign_in::Column::TriedAt.lt(now - UNKNOWN_RETENTION))
        .exec(tx)
        .await?;
    let row = unknown_sign_in::ActiveModel {
        login: Set(login.to_vec()),
        failed_sign_ins: Set(0),
        sign_in_blocked_until: Set(None),
        tried_at: Set(now),
    };
    unknown_sign_in::Entity::insert(row)
        .on_conflict(
            OnConflict::column(unknown_sign_in::Column::Login)
                .update_column(unknown_sign_in::Column::TriedAt)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
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
