//! How often passwords may be tried against one name. A try is counted before the password is looked
//! at, so that many at once gain nothing; success wipes the count. Names that nobody has are counted
//! the same, or the counting would tell which names exist.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Value};

use crate::{
    core::Core,
    db::{self, Tx},
    entity::user,
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

#[derive(FromQueryResult)]
struct Tries {
    failed_sign_ins: i32,
    sign_in_blocked_until: Option<DateTime<Utc>>,
}

/// Counts one try; refuses it while a pause lasts.
pub(super) async fn count(core: &Core, target: &Target) -> Result<(), Error> {
    let now = core.clock.now();
    core.db
        .write(|tx| async move { count_in(&tx, target, now).await })
        .await
}

async fn count_in(tx: &Tx, target: &Target, now: DateTime<Utc>) -> Result<(), Error> {
    let (table, column, id): (_, _, Value) = match target {
        Target::Account(user) => ("\"user\"", "id", (*user).into()),
        Target::Unknown(login) => {
            remember_in(tx, login, now).await?;
            ("unknown_sign_in", "login", login.clone().into())
        }
    };
    let lock = match tx.get_database_backend() {
        DbBackend::Postgres => "FOR UPDATE",
        _ => "",
    };
    let text = format!(
        "SELECT failed_sign_ins, sign_in_blocked_until FROM {table} WHERE {column} = ? {lock}"
    );
    let tries: Option<Tries> = db::fetch_one(tx, &text, [id.clone()]).await?;
    // The account was deleted a moment ago: the password will be refused.
    let Some(tries) = tries else { return Ok(()) };
    if tries.failed_sign_ins >= MOST {
        let message = "Too many wrong passwords in a row. The password must be reset first.";
        return Err(Error::new(Code::LimitReached, message));
    }
    if let Some(until) = tries.sign_in_blocked_until.filter(|&until| until > now) {
        return Err(Error::rate_limited(
            (until - now).to_std().unwrap_or_default(),
        ));
    }
    let failed = tries.failed_sign_ins + 1;
    let blocked_until = pause(failed).map(|pause| now + pause);
    let text = format!(
        "UPDATE {table} SET failed_sign_ins = ?, sign_in_blocked_until = ? WHERE {column} = ?"
    );
    db::execute(tx, &text, [failed.into(), blocked_until.into(), id]).await?;
    Ok(())
}

async fn remember_in(tx: &Tx, login: &[u8], now: DateTime<Utc>) -> Result<(), Error> {
    let text = "DELETE FROM unknown_sign_in WHERE tried_at < ?";
    db::execute(tx, text, [(now - FORGET_AFTER).into()]).await?;
    let text = "INSERT INTO unknown_sign_in (login, failed_sign_ins, tried_at) VALUES (?, 0, ?)
                ON CONFLICT (login) DO UPDATE SET tried_at = excluded.tried_at";
    db::execute(tx, text, [login.to_vec().into(), now.into()]).await?;
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
    let (text, id): (_, Value) = match target {
        Target::Account(user) => (
            r#"UPDATE "user" SET failed_sign_ins = failed_sign_ins - 1, sign_in_blocked_until = NULL
               WHERE id = ? AND failed_sign_ins > 0"#,
            (*user).into(),
        ),
        Target::Unknown(login) => (
            "UPDATE unknown_sign_in
             SET failed_sign_ins = failed_sign_ins - 1, sign_in_blocked_until = NULL
             WHERE login = ? AND failed_sign_ins > 0",
            login.clone().into(),
        ),
    };
    let id = &id;
    core.db
        .write(|tx| async move { db::execute(&*tx, text, [id.clone()]).await })
        .await?;
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
