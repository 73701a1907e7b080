//! Who is around: leases in the database, one for each node that lives and one for each person with a
//! live socket on it. Who may know is for others to say.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QuerySelect,
    Set, Value,
    sea_query::{Expr, OnConflict},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    clock::Clock,
    db::{self, Db, Tx, with_timeout},
    entity::{connected, node, presence, typing, user},
    error::Error,
    id::UserId,
};

/// How often a node says that it lives, and looks for those that do not.
const BEAT: Duration = Duration::from_secs(5);
/// How long a node is believed to live after it said so.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// Whoever comes back within this time was never gone: pages are loaded anew, networks change.
const GRACE: Duration = Duration::from_secs(5);
/// How long it is remembered that somebody typed, so that every node hears when they stopped.
const TYPED: TimeDelta = TimeDelta::minutes(1);
/// People in one statement.
const CHUNK: usize = 1000;

/// Somebody's first socket on this node opened (true), or their last one closed.
pub(super) type PresenceSignal = (UserId, bool);

/// The people of one node.
#[derive(Debug)]
pub(super) struct Presence {
    db: Db,
    clock: Clock,
    node: Uuid,
    passing: mpsc::UnboundedReceiver<PresenceSignal>,
    here: HashSet<UserId>,
    leaving: HashMap<UserId, Instant>,
    is_failing: bool,
}

impl Presence {
    /// Of a node that nobody is on yet.
    pub(super) fn new(
        db: &Db,
        clock: &Clock,
        passing: mpsc::UnboundedReceiver<PresenceSignal>,
    ) -> Self {
        Self {
            db: db.clone(),
            clock: clock.clone(),
            node: crate::id::mint(),
            passing,
            here: HashSet::new(),
            leaving: HashMap::new(),
            is_failing: false,
        }
    }

    /// Until the server stops, and then a last word: everybody here is gone.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begun = self.begin().await;
        self.report(&begun);
        loop {
            let far = Instant::now() + BEAT;
            let next = self.leaving.values().copied().min().unwrap_or(far);
            let mut passing = vec![];
            let outcome = tokio::select! {
                () = shutdown.cancelled() => break,
                count = self.passing.recv_many(&mut passing, CHUNK) => {
                    if count == 0 {
                        break;
                    }
                    with_timeout(self.pass(passing)).await
                }
                () = sleep_until(next) => with_timeout(self.let_go()).await,
                _ = beat.tick() => with_timeout(self.beat()).await,
            };
            self.report(&outcome);
        }
        let everybody: Vec<_> = self.here.drain().collect();
        let gone = with_timeout(self.gone(&everybody)).await;
        self.report(&gone);
    }

    /// Says once that it fails. What was missed is made good by a beat.
    fn report(&mut self, outcome: &Result<(), Error>) {
        if let (Err(error), false) = (outcome, self.is_failing) {
            tracing::warn!(%error, "who is around cannot be told to others; trying again");
        }
        self.is_failing = outcome.is_err();
    }

    /// SQLite belongs to one process: whoever an earlier one left behind is gone.
    async fn begin(&self) -> Result<(), Error> {
        if self.db.backend() == DbBackend::Postgres {
            return Ok(());
        }
        let write = |tx: std::sync::Arc<Tx>| async move {
            node::Entity::delete_many().exec(&*tx).await?;
            Ok(())
        };
        self.db.write(write).await
    }

    async fn pass(&mut self, passing: Vec<PresenceSignal>) -> Result<(), Error> {
        let mut came = vec![];
        for (user, is_here) in passing {
            if is_here {
                self.leaving.remove(&user);
                if self.here.insert(user) {
                    came.push(user);
                }
            } else {
                self.leaving.insert(user, Instant::now() + GRACE);
            }
        }
        if came.is_empty() {
            return Ok(());
        }
        let (node, now) = (self.node, self.clock.now());
        let (lease, came) = (self.lease(now), &came);
        self.db
            .write(|tx| async move {
                renew(&tx, node, lease).await?;
                connect(&tx, node, came).await?;
                seen(&tx, came, now).await?;
                touch(&tx, came, Some(node), now).await
            })
            .await
    }

    async fn let_go(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let due = |(user, at): (&UserId, &Instant)| (*at <= now).then_some(*user);
        let gone: Vec<_> = self.leaving.iter().filter_map(due).collect();
        for user in &gone {
            self.leaving.remove(user);
            self.here.remove(user);
        }
        self.gone(&gone).await
    }

    async fn gone(&self, people: &[UserId]) -> Result<(), Error> {
        if people.is_empty() {
            return Ok(());
        }
        let (node, now) = (self.node, self.clock.now());
        self.db
            .write(|tx| async move {
                for some in people.chunks(CHUNK) {
                    connected::Entity::delete_many()
                        .filter(connected::Column::NodeId.eq(node))
                        .filter(connected::Column::UserId.is_in(some.iter().copied()))
                        .exec(&*tx)
                        .await?;
                }
                seen(&tx, people, now).await?;
                touch(&tx, people, Some(node), now).await
            })
            .await
    }

    /// Renews this node's lease, ends those of the dead, and lets what people said of themselves lapse.
    async fn beat(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        if self.db.backend() == DbBackend::Postgres {
            self.renew(now).await?;
        }
        if !is_due(&self.db, now).await? {
            return Ok(());
        }
        self.db
            .write(|tx| async move {
                bury(&tx, now).await?;
                let expired = presence::Entity::update_many()
                    .set(presence::ActiveModel {
                        status: Set(None),
                        status_text: Set(None),
                        lapses_at: Set(None),
                        changed_at: Set(now),
                        ..Default::default()
                    })
                    .filter(presence::Column::LapsesAt.lte(now))
                    .exec(&*tx)
                    .await?;
                if expired.rows_affected > 0 {
                    tx.notify_ephemeral_on_commit();
                }
                typing::Entity::delete_many()
                    .filter(typing::Column::ExpiresAt.lt(now - TYPED))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await
    }

    async fn renew(&self, now: DateTime<Utc>) -> Result<(), Error> {
        if self.here.is_empty() {
            return Ok(());
        }
        let (node, lease) = (self.node, self.lease(now));
        let here: Vec<_> = self.here.iter().copied().collect();
        let here = &here;
        self.db
            .write(|tx| async move {
                renew(&tx, node, lease).await?;
                // After a crash of PostgreSQL, or when others took this node for dead.
                let known = connected::Entity::find()
                    .filter(connected::Column::NodeId.eq(node))
                    .count(&*tx)
                    .await?;
                if usize::try_from(known).is_ok_and(|known| known < here.len()) {
                    touch(&tx, here, None, now).await?;
                    connect(&tx, node, here).await?;
                }
                Ok(())
            })
            .await
    }

    /// Until when this node is believed to live. SQLite's one process needs no renewal, which would
    /// write to an idle disk.
    fn lease(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.db.backend() {
            DbBackend::Postgres => now + LEASE,
            _ => now + TimeDelta::days(36_500),
        }
    }
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

fn ids(people: &[UserId]) -> impl Iterator<Item = Value> {
    people.iter().map(|&user| user.into())
}

async fn renew(tx: &Tx, node: Uuid, lease: DateTime<Utc>) -> Result<(), Error> {
    let row = node::ActiveModel {
        id: Set(node),
        expires_at: Set(lease),
    };
    node::Entity::insert(row)
        .on_conflict(
            OnConflict::column(node::Column::Id)
                .update_column(node::Column::ExpiresAt)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

async fn connect(tx: &Tx, node: Uuid, people: &[UserId]) -> Result<(), Error> {
    for some in people.chunks(CHUNK) {
        // SQL, because it selects the users that still exist and inserts their rows in one statement.
        let text = format!(
            r#"INSERT INTO connected (user_id, node_id) SELECT id, ? FROM "user" WHERE id IN ({})
               ON CONFLICT (user_id, node_id) DO NOTHING"#,
            db::placeholders(some.len())
        );
        db::execute(tx, &text, [Value::from(node)].into_iter().chain(ids(some))).await?;
    }
    Ok(())
}

async fn seen(tx: &Tx, people: &[UserId], now: DateTime<Utc>) -> Result<(), Error> {
    for some in people.chunks(CHUNK) {
        user::Entity::update_many()
            .col_expr(user::Column::LastActiveAt, Expr::value(now))
            .filter(user::Column::Id.is_in(some.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// These people came or went. Others hear of it, unless they are around elsewhere than on this node, or
/// do not share it.
async fn touch(
    tx: &Tx,
    people: &[UserId],
    but: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for some in people.chunks(CHUNK) {
        // SQL, because it inserts the rows that a condition over three tables selects.
        let text = format!(
            r#"INSERT INTO presence (user_id, changed_at) SELECT id, ? FROM "user"
               WHERE id IN ({}) AND NOT EXISTS (
                   SELECT 1 FROM connected c JOIN node n ON n.id = c.node_id
                   WHERE c.user_id = "user".id AND n.id <> ? AND n.expires_at > ?)
               ON CONFLICT (user_id) DO UPDATE SET changed_at = excluded.changed_at
               WHERE presence.is_shared AND COALESCE(presence.status, '') <> 'OFFLINE'"#,
            db::placeholders(some.len())
        );
        let but = but.unwrap_or_default();
        let values = [now.into()].into_iter().chain(ids(some));
        db::execute(tx, &text, values.chain([but.into(), now.into()])).await?;
    }
    tx.notify_ephemeral_on_commit();
    Ok(())
}

/// Whether a beat finds anything to do.
async fn is_due(db: &Db, now: DateTime<Utc>) -> Result<bool, Error> {
    // SQL, because one statement checks three tables.
    let text = "SELECT COUNT(*) AS count FROM (
        SELECT 1 AS x FROM node WHERE expires_at < ?
        UNION ALL SELECT 1 FROM presence WHERE lapses_at <= ?
        UNION ALL SELECT 1 FROM typing WHERE expires_at < ?) due";
    let values = [now.into(), now.into(), (now - TYPED).into()];
    let found: Option<Count> = db::fetch_one(db.read(), text, values).await?;
    Ok(found.is_some_and(|found| found.count > 0))
}

/// Whoever was on nodes that died is gone.
async fn bury(tx: &Tx, now: DateTime<Utc>) -> Result<(), Error> {
    let people: Vec<UserId> = connected::Entity::find()
        .select_only()
        .column(connected::Column::UserId)
        .inner_join(node::Entity)
        .filter(node::Column::ExpiresAt.lt(now))
        .into_tuple()
        .all(tx)
        .await?;
    let expired = node::Entity::delete_many()
        .filter(node::Column::ExpiresAt.lt(now))
        .exec(tx)
        .await?;
    if expired.rows_affected > 0 {
        touch(tx, &people, None, now).await?;
    }
    Ok(())
}
