//! The epoch of the event log, which every cursor contains. A new epoch begins when the database was restored, copied or
//! moved: positions of the log that was lost then mean other events, or none.

use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, SimpleExpr},
};

use crate::{db::Db, entity::installation, error::Error};

/// An epoch. The upper half counts the epochs, so that a later one can be distinguished from that of an older backup. The
/// lower half is random, so that two copies of a database begin different ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogEpoch(pub(in crate::live) i64);

impl LogEpoch {
    /// Bits of the random half.
    const RANDOM: u32 = 32;

    fn number(self) -> i64 {
        self.0 >> Self::RANDOM
    }

    /// Whether this epoch began after the other one, in a database that has both.
    #[must_use]
    pub fn is_later_than(self, other: Self) -> bool {
        self.number() > other.number()
    }

    /// An epoch that is later than both.
    fn following(self, other: Self) -> Self {
        let number = self.number().max(other.number()) + 1;
        Self(number << Self::RANDOM | i64::from(rand::random::<u32>()))
    }
}

/// The stored epoch, and the log to which it belongs.
#[derive(Debug)]
struct StoredEpoch {
    epoch: LogEpoch,
    /// What identified the log when the epoch began.
    log: Option<String>,
    /// What identifies it now.
    found: Option<String>,
}

impl StoredEpoch {
    fn is_of_another_log(&self) -> bool {
        self.found.is_some() && self.found != self.log
    }
}

/// The current epoch. On PostgreSQL, it begins a new one if the database was replaced by another one: by a dump, a
/// promoted standby, or a recovery to an earlier time. All nodes find the same.
pub async fn current(db: &Db) -> Result<LogEpoch, Error> {
    let stored = read(db).await?;
    if stored.is_of_another_log() {
        return begin(db, &stored, LogEpoch::default()).await;
    }
    Ok(stored.epoch)
}

/// Begins a new epoch, which is also later than `other`. Returns that of another node which was faster.
pub async fn begin_after(db: &Db, other: LogEpoch) -> Result<LogEpoch, Error> {
    begin(db, &read(db).await?, other).await
}

async fn begin(db: &Db, stored: &StoredEpoch, other: LogEpoch) -> Result<LogEpoch, Error> {
    use installation::Column;
    let (next, log) = (&stored.epoch.following(other), &stored.found);
    db.write(|tx| async move {
        installation::Entity::update_many()
            .col_expr(Column::Epoch, Expr::value(next.0))
            .col_expr(Column::LogIdentity, Expr::value(log.clone()))
            // Of several nodes, one changes it.
            .filter(Column::Epoch.eq(stored.epoch.0))
            .exec(&*tx)
            .await?;
        Ok(())
    })
    .await?;
    Ok(read(db).await?.epoch)
}

async fn read(db: &Db) -> Result<StoredEpoch, Error> {
    let found = match db.backend() {
        DbBackend::Postgres => query(db, identity()).await,
        // The file of the database is checked when the server starts: it cannot be replaced under a running one.
        _ => query(db, Expr::cust("NULL")).await,
    };
    let found = match found {
        // Some services do not permit the functions. The epoch is then changed by hand.
        Err(error) if db.backend() == DbBackend::Postgres => {
            tracing::debug!(%error, "the database cluster cannot be identified");
            query(db, Expr::cust("CAST(NULL AS TEXT)")).await?
        }
        found => found?,
    };
    let (epoch, log, found) =
        found.ok_or_else(|| Error::internal("the installation row is missing"))?;
    Ok(StoredEpoch {
        epoch: LogEpoch(epoch),
        log,
        found,
    })
}

type EpochRow = (i64, Option<String>, Option<String>);

async fn query(db: &Db, found: SimpleExpr) -> Result<Option<EpochRow>, Error> {
    let row = installation::Entity::find()
        .select_only()
        .column(installation::Column::Epoch)
        .column(installation::Column::LogIdentity)
        .expr_as(found, "found")
        .filter(installation::Column::One.eq(1))
        .into_tuple()
        .one(db.read())
        .await?;
    Ok(row)
}

/// Identifies the log on PostgreSQL: the cluster, its timeline (which a promotion and a recovery to an earlier time
/// change), the database and the table (which a restored dump creates).
fn identity() -> SimpleExpr {
    Expr::cust(
        "(SELECT system_identifier FROM pg_control_system())::text
            || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
            || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())::text
            || '/' || 'event'::regclass::oid::text",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_following_epoch_is_later_than_both_and_unique() {
        let first = LogEpoch::default().following(LogEpoch::default());
        let second = first.following(LogEpoch::default());
        for other in [first, second] {
            let next = first.following(other);
            assert!(next.is_later_than(first) && next.is_later_than(other));
            assert!(!other.is_later_than(next));
        }
        assert_ne!(first.following(first), first.following(first));
    }
}
