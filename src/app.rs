//! The running server: the shared services and the send queue. Contains no logic.

use std::ops::Deref;

use crate::{config::Config, core::Core, db::Db, domain::messages::SendQueue, error::Error};

/// The running server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    core: Core,
    /// The queue of messages that are sent in one transaction.
    pub sends: SendQueue,
}

impl App {
    /// Creates the services on a database whose tables are up to date.
    pub async fn open(db: Db, config: Config, secret: &[u8]) -> Result<Self, Error> {
        let core = Core::open(db, config, secret).await?;
        let sends = SendQueue::new(core.db.backend());
        Ok(Self { core, sends })
    }
}

impl Deref for App {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}
