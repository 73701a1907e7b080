//! The sources of wake-ups, and the receiver that merges them.

use tokio::sync::watch;

use crate::db::Db;

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// The event log has grown.
    Log,
    /// Presence or typing has changed.
    Ephemeral,
}

impl Wakeup {
    pub(super) const ALL: [Self; 2] = [Self::Log, Self::Ephemeral];
}

/// The wake-ups of one source: this process, or the other nodes. The numbers count them.
#[derive(Clone, Debug)]
pub(in crate::live) struct WakeupSource {
    log: watch::Receiver<u64>,
    ephemeral: watch::Receiver<u64>,
}

impl WakeupSource {
    pub(in crate::live) fn new(log: watch::Receiver<u64>, ephemeral: watch::Receiver<u64>) -> Self {
        Self { log, ephemeral }
    }

    /// The commits of this process.
    pub(super) fn local(db: &Db) -> Self {
        Self::new(db.wakeups(), db.ephemeral_wakeups())
    }

    /// A source without wake-ups.
    fn none() -> Self {
        let (_, closed) = watch::channel(0);
        Self::new(closed.clone(), closed)
    }

    /// Waits for a wake-up. Those since the last call are one. Never completes when the senders are gone.
    pub(super) async fn notified(&mut self) -> Wakeup {
        tokio::select! {
            Ok(()) = self.log.changed() => Wakeup::Log,
            Ok(()) = self.ephemeral.changed() => Wakeup::Ephemeral,
            else => std::future::pending().await,
        }
    }
}

/// Receives the wake-ups of this process and, where Redis is configured, of the other nodes.
#[derive(Clone, Debug)]
pub struct Bus {
    local: WakeupSource,
    remote: WakeupSource,
}

impl Bus {
    /// A receiver of the wake-ups from now on.
    pub(in crate::live) fn new(db: &Db, remote: Option<WakeupSource>) -> Self {
        let remote = remote.unwrap_or_else(WakeupSource::none);
        Self::merge(WakeupSource::local(db), remote)
    }

    pub(in crate::live) fn merge(local: WakeupSource, remote: WakeupSource) -> Self {
        Self { local, remote }
    }

    /// Waits for a wake-up; returns immediately when there was one since the last call. Those in between are one.
    ///
    /// The hub reads the log after any wake-up, so a wake-up of the log may come last without being lost. In the other
    /// order, a busy log would hold up ephemeral events.
    pub async fn notified(&mut self) -> Wakeup {
        let Self { local, remote } = self;
        tokio::select! {
            biased;
            Ok(()) = local.ephemeral.changed() => Wakeup::Ephemeral,
            Ok(()) = remote.ephemeral.changed() => Wakeup::Ephemeral,
            Ok(()) = local.log.changed() => Wakeup::Log,
            Ok(()) = remote.log.changed() => Wakeup::Log,
            else => std::future::pending().await,
        }
    }
}
