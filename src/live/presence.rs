//! Stores which users are connected: a lease per running node, and a row per user with a subscriber on that node. Who
//! may see a user's presence is decided in `domain`.

use std::{
    collections::{HashMap, HashSet},
    ops::RangeInclusive,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Set, Value,
    sea_query::{Expr, OnConflict},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
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

/// How often a node renews its lease and looks for expired ones.
const BEAT: Duration = Duration::from_secs(5);
/// How long a lease is valid.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// A user who reconnects within this time counts as connected throughout: pages reload, networks change.
const GRACE: Duration = Duration::from_secs(5);
/// How long the end of typing stays in the database, so that every node reads it.
const TYPING_RETENTION: TimeDelta = TimeDelta::minutes(1);
/// How long signals are collected after the first one, in milliseconds: users who connect together are announced
/// together. Random, so that the nodes of a cluster do not write at the same time.
const WINDOW: RangeInclusive<u64> = 50..=200;
/// Users in one statement.
const CHUNK: usize = 1000;

/// A user's first subscriber on this node was added (true), or the last one was removed (false).
pub(super) type PresenceSignal = (UserId, bool);

/// The connected users of one node.
#[derive(Debug)]
pub(super) struct Presence {
    db: Db,
    clock: Clock,
    node: Uuid,
    signals: mpsc::UnboundedReceiver<PresenceSignal>,
    connected: HashSet<UserId>,
    leaving: HashMap<UserId, Instant>,
    is_failing: bool,
}

impl Presence {
    pub(super) fn new(
        db: &Db,
        clock: &Clock,
        signals: mpsc::UnboundedReceiver<PresenceSignal>,
    ) -> Self {
        Self {
            db: db.clone(),
            clock: clock.clone(),
            node: crate::id::mint(),
            signals,
            connected: HashSet::new(),
            leaving: HashMap::new(),
            is_failing: false,
        }
    }

    /// Runs until the server stops, and then removes the users of this node.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = self.delete_old_nodes().await;
        self.report(&outcome);
        loop {
            let latest = Instant::now() + BEAT;
            let next = self.leaving.values().copied().min().unwrap_or(latest);
            let mut signals = vec![];
            let outcome = tokio::select! {
                () = shutdown.cancelled() => break,
                count = self.signals.recv_many(&mut signals, CHUNK) => {
                    if count == 0 {
                        break;
                    }
                    self.collect(&mut signals).await;
                    with_timeout(self.apply(signals)).await
                }
                () = sleep_until(next) => with_timeout(self.remove_due()).await,
                _ = beat.tick() => with_timeout(self.beat()).await,
            };
            self.report(&outcome);
        }
        let all: Vec<_> = self.connected.drain().collect();
        let outcome = with_timeout(self.remove(&all)).await;
        self.report(&outcome);
    }

    /// Adds the signals that follow within a short time.
    async fn collect(&mut self, signals: &mut Vec<PresenceSignal>) {
        sleep(Duration::from_millis(rand::random_range(WINDOW))).await;
        while signals.len() < CHUNK
            && let Ok(signal) = self.signals.try_recv()
        {
            signals.push(signal);
        }
    }

    /// Logs the first failure of a series. A later beat stores what was missed.
    fn report(&mut self, outcome: &Result<(), Error>) {
        if let (Err(error), false) = (outcome, self.is_failing) {
            tracing::warn!(%error, "presence cannot be stored; trying again");
        }
        self.is_failing = outcome.is_err();
    }

    /// On SQLite, which one process uses at a time, deletes what an earlier process left behind.
    async fn delete_old_nodes(&self) -> Result<(), Error> {
        if self.db.backend() == DbBackend::Postgres {
            return Ok(());
        }
        let write = |tx: std::sync::Arc<Tx>| async move {
            node::Entity::delete_many().exec(&*tx).await?;
            Ok(())
        };
        self.db.write(write).await
    }

    async fn apply(&mut self, signals: Vec<PresenceSignal>) -> Result<(), Error> {
        let mut added = vec![];
        for (user, is_connected) in signals {
            if is_connected {
                self.leaving.remove(&user);
                if self.connected.insert(user) {
                    added.push(user);
                }
            } else {
                self.leaving.insert(user, Instant::now() + GRACE);
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        let (node, now) = (self.node, self.clock.now());
        let (lease, added) = (self.lease(now), &added);
        self.db
            .write(|tx| async move {
                renew(&tx, node, lease).await?;
                insert_connected(&tx, node, added).await?;
                set_last_active(&tx, added, now).await?;
                announce(&tx, added, Some(node), now).await
            })
            .await
    }

    /// Removes the users whose grace period has ended.
    async fn remove_due(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let due = |(user, at): (&UserId, &Instant)| (*at <= now).then_some(*user);
        let due: Vec<_> = self.leaving.iter().filter_map(due).collect();
        for user in &due {
            self.leaving.remove(user);
            self.connected.remove(user);
        }
        self.remove(&due).await
    }

    async fn remove(&self, users: &[UserId]) -> Result<(), Error> {
        if users.is_empty() {
            return Ok(());
        }
        let (node, now) = (self.node, self.clock.now());
        self.db
            .write(|tx| async move {
                for chunk in users.chunks(CHUNK) {
                    connected::Entity::delete_many()
                        .filter(connected::Column::NodeId.eq(node))
                        .filter(connected::Column::UserId.is_in(chunk.iter().copied()))
                        .exec(&*tx)
                        .await?;
                }
                set_last_active(&tx, users, now).await?;
                announce(&tx, users, Some(node), now).await
            })
            .await
    }

    /// Renews this node's lease, deletes expired leases, and clears expired statuses and typing.
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
                delete_expired_nodes(&tx, now).await?;
                let expired = presence::Entity::update_many()
                    .set(presence::ActiveModel {
                        status: Set(None),
                        status_text: Set(None),
                        expires_at: Set(None),
                        changed_at: Set(now),
                        ..Default::default()
                    })
                    .filter(presence::Column::ExpiresAt.lte(now))
                    .exec(&*tx)
                    .await?;
                if expired.rows_affected > 0 {
                    tx.notify_ephemeral_on_commit();
                }
                typing::Entity::delete_many()
                    .filter(typing::Column::ExpiresAt.lt(now - TYPING_RETENTION))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await
    }

    async fn renew(&self, now: DateTime<Utc>) -> Result<(), Error> {
        if self.connected.is_empty() {
            return Ok(());
        }
        let (node, lease) = (self.node, self.lease(now));
        let connected: Vec<_> = self.connected.iter().copied().collect();
        let connected = &connected;
        self.db
            .write(|tx| async move {
                renew(&tx, node, lease).await?;
                // Rows are missing after a crash of PostgreSQL, or when another node found this node's lease expired.
                let stored = connected::Entity::find()
                    .filter(connected::Column::NodeId.eq(node))
                    .count(&*tx)
                    .await?;
                if usize::try_from(stored).is_ok_and(|stored| stored < connected.len()) {
                    announce(&tx, connected, None, now).await?;
                    insert_connected(&tx, node, connected).await?;
                }
                Ok(())
            })
            .await
    }

    /// The expiry of this node's lease. On SQLite there is one process and no renewal, which would write to an idle
    /// disk.
    fn lease(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.db.backend() {
            DbBackend::Postgres => now + LEASE,
            _ => now + TimeDelta::days(36_500),
        }
    }
}

fn ids(users: &[UserId]) -> impl Iterator<Item = Value> {
    users.iter().map(|&user| user.into())
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

async fn insert_connected(tx: &Tx, node: Uuid, users: &[UserId]) -> Result<(), Error> {
    for chunk in users.chunks(CHUNK) {
        // SQL, because it selects the users that still exist and inserts their rows in one statement.
        let text = format!(
            r#"INSERT INTO connected (user_id, node_id) SELECT id, ? FROM "user" WHERE id IN ({})
               ON CONFLICT (user_id, node_id) DO NOTHING"#,
            db::placeholders(chunk.len())
        );
        db::execute(tx, &text, [Value::from(node)].into_iter().chain(ids(chunk))).await?;
    }
    Ok(())
}

async fn set_last_active(tx: &Tx, users: &[UserId], now: DateTime<Utc>) -> Result<(), Error> {
    for chunk in users.chunks(CHUNK) {
        user::Entity::update_many()
            .col_expr(user::Column::LastActiveAt, Expr::value(now))
            .filter(user::Column::Id.is_in(chunk.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Announces that the presence of these users has changed, except of those who are connected to another node than
/// `ignored_node` or who do not share their presence.
async fn announce(
    tx: &Tx,
    users: &[UserId],
    ignored_node: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for chunk in users.chunks(CHUNK) {
        // SQL, because it inserts the rows that a condition over three tables selects.
        let text = format!(
            r#"INSERT INTO presence (user_id, changed_at) SELECT id, ? FROM "user"
               WHERE id IN ({}) AND NOT EXISTS (
                   SELECT 1 FROM connected c JOIN node n ON n.id = c.node_id
                   WHERE c.user_id = "user".id AND n.id <> ? AND n.expires_at > ?)
               ON CONFLICT (user_id) DO UPDATE SET changed_at = excluded.changed_at
               WHERE presence.is_shared AND COALESCE(presence.status, '') <> 'OFFLINE'"#,
            db::placeholders(chunk.len())
        );
        let ignored_node = ignored_node.unwrap_or_default();
        let values = [now.into()].into_iter().chain(ids(chunk));
        db::execute(tx, &text, values.chain([ignored_node.into(), now.into()])).await?;
    }
    tx.notify_ephemeral_on_commit();
    Ok(())
}

/// Whether something has expired.
async fn is_due(db: &Db, now: DateTime<Utc>) -> Result<bool, Error> {
    // SQL, because one statement checks three tables.
    let text = "SELECT COUNT(*) AS count FROM (
        SELECT 1 AS x FROM node WHERE expires_at < ?
        UNION ALL SELECT 1 FROM presence WHERE lapses_at <= ?
        UNION ALL SELECT 1 FROM typing WHERE expires_at < ?) due";
    let values = [now.into(), now.into(), (now - TYPING_RETENTION).into()];
    let count: Option<i64> = db::fetch_one(db.read(), text, values).await?;
    Ok(count.is_some_and(|count| count > 0))
}

/// Deletes the nodes whose lease has expired, and announces that their users have left.
async fn delete_expired_nodes(tx: &Tx, now: DateTime<Utc>) -> Result<(), Error> {
    let users: Vec<UserId> = connected::Entity::find()
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
        announce(tx, &users, None, now).await?;
    }
    Ok(())
}
