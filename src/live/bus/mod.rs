//! The doorbell: says that there is something new to read, never what. Losing a ring loses nothing,
//! because the hub also looks by itself.

mod redis;

pub use self::redis::{Link, probe};

use tokio::sync::watch;

use crate::db::Db;

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// The event log has grown.
    Log,
    /// Somebody came, went, or types.
    Ephemeral,
}

impl Wakeup {
    const ALL: [Self; 2] = [Self::Log, Self::Ephemeral];
}

/// Listens to the rings of one side: this process, or the other nodes.
#[derive(Clone, Debug)]
pub(super) struct Side {
    log: watch::Receiver<u64>,
    ephemeral: watch::Receiver<u64>,
}

impl Side {
    pub(super) fn new(log: watch::Receiver<u64>, ephemeral: watch::Receiver<u64>) -> Self {
        Self { log, ephemeral }
    }

    fn near(db: &Db) -> Self {
        Self::new(db.wakeups(), db.ephemeral_wakeups())
    }

    /// Nobody rings here.
    fn silent() -> Self {
        let (_, nothing) = watch::channel(0);
        Self::new(nothing.clone(), nothing)
    }

    /// The next ring. Rings since the last call are one. For ever when nobody can ring any more.
    async fn notified(&mut self) -> Wakeup {
        tokio::select! {
            Ok(()) = self.log.changed() => Wakeup::Log,
            Ok(()) = self.ephemeral.changed() => Wakeup::Ephemeral,
            else => std::future::pending().await,
        }
    }
}

/// Hears the doorbell of this process and, where one is configured, of the other nodes.
#[derive(Clone, Debug)]
pub struct Bus {
    near: Side,
    far: Side,
}

impl Bus {
    /// A listener to what this process commits from now on, and to what the link brings.
    #[must_use]
    pub fn new(db: &Db, link: Option<&Link>) -> Self {
        Self::between(Side::near(db), link.map_or_else(Side::silent, Link::listen))
    }

    pub(super) fn between(near: Side, far: Side) -> Self {
        Self { near, far }
    }

    /// Ends at the next ring, or at once when it rang since the last call. Rings in between are one.
    ///
    /// Whoever hears any ring reads the log, so the log's own bell can come last and never go unheard;
    /// the other way round a busy log would drown what is fleeting.
    pub async fn notified(&mut self) -> Wakeup {
        let Self { near, far } = self;
        tokio::select! {
            biased;
            Ok(()) = near.ephemeral.changed() => Wakeup::Ephemeral,
            Ok(()) = far.ephemeral.changed() => Wakeup::Ephemeral,
            Ok(()) = near.log.changed() => Wakeup::Log,
            Ok(()) = far.log.changed() => Wakeup::Log,
            else => std::future::pending().await,
        }
    }
}
