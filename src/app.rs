//! The running server: the shared services and the send queue. Contains no logic.

use std::ops::Deref;

use crate::{config::Config, core::Core, domain::messages::SendQueue, error::Error};

/// The running server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    core: Core,
    /// The queue of messages that are sent in one transaction.
    pub sends: SendQueue,
}

impl App {
    /// Connects to the database and creates the services. Does not run migrations.
    pub async fn open(config: Config, secret: &[u8]) -> Result<Self, Error> {
        let core = Core::open(config, secret).await?;
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
