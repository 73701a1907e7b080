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
struct Side {
    log: watch::Receiver<u64>,
    fleeting: watch::Receiver<u64>,
}

impl Side {
    fn near(db: &Db) -> Self {
        Self {
            log: db.doorbell(),
            fleeting: db.fleeting_bell(),
        }
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
    far: Option<Side>,
}

impl Bus {
    /// A listener to what this process commits from now on, and to what the link brings.
    #[must_use]
    pub fn new(db: &Db, link: Option<&Link>) -> Self {
        Self {
            near: Side::near(db),
            far: link.map(Link::listen),
        }
    }

    /// Ends at the next ring, or at once when it rang since the last call. Rings in between are one.
    pub async fn rung(&mut self) -> Bell {
        match &mut self.far {
            Some(far) => tokio::select! {
                bell = self.near.rung() => bell,
                bell = far.rung() => bell,
            },
            None => self.near.rung().await,
        }
    }
}
