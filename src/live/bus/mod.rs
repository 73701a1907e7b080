//! The doorbell: says that there is something new to read, never what. Losing a ring loses nothing,
//! because the hub also looks by itself.

mod redis;

pub use self::redis::{Link, probe};

use tokio::sync::watch;

use crate::db::Db;

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bell {
    /// The event log has grown.
    Log,
    /// Somebody came, went, or types.
    Fleeting,
}

impl Bell {
    const ALL: [Self; 2] = [Self::Log, Self::Fleeting];
}

/// Listens to the rings of one side: this process, or the other nodes.
#[derive(Clone, Debug)]
pub(super) struct Side {
    log: watch::Receiver<u64>,
    fleeting: watch::Receiver<u64>,
}

impl Side {
    pub(super) fn new(log: watch::Receiver<u64>, fleeting: watch::Receiver<u64>) -> Self {
        Self { log, fleeting }
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
    async fn rung(&mut self) -> Bell {
        tokio::select! {
            Ok(()) = self.log.changed() => Bell::Log,
            Ok(()) = self.fleeting.changed() => Bell::Fleeting,
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
    pub async fn rung(&mut self) -> Bell {
        let Self { near, far } = self;
        tokio::select! {
            biased;
            Ok(()) = near.fleeting.changed() => Bell::Fleeting,
            Ok(()) = far.fleeting.changed() => Bell::Fleeting,
            Ok(()) = near.log.changed() => Bell::Log,
            Ok(()) = far.log.changed() => Bell::Log,
            else => std::future::pending().await,
        }
    }
}
