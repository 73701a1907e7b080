//! How often passwords may be tried against one name. A try is counted before the password is looked
//! at, so that many at once gain nothing; success wipes the count. Names that nobody has are counted
//! the same, or the counting would tell which names exist.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};

use crate::{
    core::Core,
    db::Tx,
    entity::{unknown_sign_in, user},
    error::{Code, Error},
    id::UserId,
};

/// Wrong passwords in a row before the first pause.
const FREE: i32 = 5;
/// The first pause; each next one is twice as long.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(20);
/// The longest pause.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(15);
/// Wrong passwords in a row after which only a reset helps.
const MOST: i32 = 100;
/// A name that nobody has is forgotten after this time without a try.
const FORGET_AFTER: TimeDelta = TimeDelta::days(30);

/// Against what a password is tried.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Somebody's account.
    Account(UserId),
    /// A name that nobody has, in a form that tells nothing.
    Unknown(Vec<u8>),
}

impl Target {
    /// Of what somebody typed as their name.
    pub(super) fn of(core: &Core, account: Option<&user::Model>, login: &str) -> Self {
        match account {
            Some(user) => Self::Account(user.id),
            None => Self::Unknown(core.keys.blind_index(login)),
        }
    }
}

/// Counts one try; refuses it while a pause lasts.
pub(super) async fn count(core: &Core, target: &Target) -> Result<(), Error> {
    let now = core.clock.now();
    core.db
        .write(|tx| async move { count_in(&tx, target, now).await })
        .await
}

async fn count_in(tx: &Tx, target: &Target, now: DateTime<Utc>) -> Result<(), Error> {
    // The account was deleted a moment ago: the password will be refused.
    let Some((failed, blocked_until)) = load_in(tx, target, now).await? else {
        return Ok(());
    };
    if failed >= MOST {
        let message = "Too many wrong passwords in a row. The password must be reset first.";
        return Err(Error::new(Code::LimitReached, message));
    }
    if let Some(until) = blocked_until.filter(|&until| until > now) {
        return Err(Error::rate_limited(
            (until - now).to_std().unwrap_or_default(),
        ));
    }
    let failed = failed + 1;
    let blocked_until = pause(failed).map(|pause| now + pause);
    match target {
        Target::Account(user) => {
            user::Entity::update_many()
                .set(user::ActiveModel {
                    failed_sign_ins: Set(failed),
                    sign_in_blocked_until: Set(blocked_until),
                    ..Default::default()
                })
                .filter(user::Column::Id.eq(*user))
                .exec(tx)
                .await?
        }
        Target::Unknown(login) => {
            unknown_sign_in::Entity::update_many()
                .set(unknown_sign_in::ActiveModel {
                    failed_sign_ins: Set(failed),
                    sign_in_blocked_until: Set(blocked_until),
                    ..Default::default()
                })
                .filter(unknown_sign_in::Column::Login.eq(login.as_slice()))
                .exec(tx)
                .await?
        }
    };
    Ok(())
}

/// Locks the target's row, and returns its number of failed attempts and the end of its pause.
async fn load_in(
    tx: &Tx,
    target: &Target,
    now: DateTime<Utc>,
) -> Result<Option<(i32, Option<DateTime<Utc>>)>, Error> {
    let found = match target {
        Target::Account(user) => {
            user::Entity::find_by_id(*user)
                .select_only()
                .columns([
                    user::Column::FailedSignIns,
                    user::Column::SignInBlockedUntil,
                ])
                .lock_exclusive()
                .into_tuple()
                .one(tx)
                .await
        }
        Target::Unknown(login) => {
            remember_in(tx, login, now).await?;
            unknown_sign_in::Entity::find_by_id(login.clone())
                .select_only()
                .columns([
                    unknown_sign_in::Column::FailedSignIns,
                    unknown_sign_in::Column::SignInBlockedUntil,
                ])
                .lock_exclusive()
                .into_tuple()
                .one(tx)
                .await
        }
    };
    Ok(found?)
}

async fn remember_in(tx: &Tx, login: &[u8], now: DateTime<Utc>) -> Result<(), Error> {
    unknown_sign_in::Entity::delete_many()
        .filter(unknown_sign_in::Column::TriedAt.lt(now - FORGET_AFTER))
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

/// How long nothing may be tried after this many failures.
fn pause(failed: i32) -> Option<TimeDelta> {
    let doublings = u32::try_from(failed - FREE).ok()?;
    let factor = 2_i32.saturating_pow(doublings.min(10));
    Some((FIRST_PAUSE * factor).min(LONGEST_PAUSE))
}

/// Takes a try back that came to no verdict, because the server was too busy to look.
pub(super) async fn take_back(core: &Core, target: &Target) -> Result<(), Error> {
    core.db
        .write(|tx| async move { take_back_in(&tx, target).await })
        .await
}

async fn take_back_in(tx: &Tx, target: &Target) -> Result<(), Error> {
    use sea_orm::ExprTrait;

    match target {
        Target::Account(user) => {
            let failed = user::Column::FailedSignIns;
            user::Entity::update_many()
                .col_expr(failed, Expr::col(failed).sub(1))
                .col_expr(user::Column::SignInBlockedUntil, Expr::null())
                .filter(user::Column::Id.eq(*user))
                .filter(failed.gt(0))
                .exec(tx)
                .await?
        }
        Target::Unknown(login) => {
            let failed = unknown_sign_in::Column::FailedSignIns;
            unknown_sign_in::Entity::update_many()
                .col_expr(failed, Expr::col(failed).sub(1))
                .col_expr(unknown_sign_in::Column::SignInBlockedUntil, Expr::null())
                .filter(unknown_sign_in::Column::Login.eq(login.as_slice()))
                .filter(failed.gt(0))
                .exec(tx)
                .await?
        }
    };
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
        assert_eq!(pause(i32::MAX), Some(LONGEST_PAUSE));
    }
}
