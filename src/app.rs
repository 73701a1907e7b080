//! What every room shares: the database, the clock, the configuration, the keys. Cheap to clone; no
//! logic.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{known::Sessions, password::Passwords, throttle::Throttles, token::Keys},
    clock::Clock,
    config::Config,
    db::Db,
    domain::messages::Sends,
    error::Error,
    live::hub::Hub,
};

/// The running server.
#[derive(Clone, Debug)]
pub struct App {
    /// Settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// Key material for tokens.
    pub keys: Arc<Keys>,
    /// Sessions that were in use a moment ago.
    pub sessions: Sessions,
    /// Password hashing.
    pub passwords: Passwords,
    /// Messages that wait to be sent together.
    pub sends: Sends,
    /// How often one network address may try things.
    pub throttles: Arc<Throttles>,
    /// The event stream of this node.
    pub hub: Hub,
    /// Detached work, which shutdown waits for.
    pub tasks: TaskTracker,
    /// Cancelled when the server is to stop.
    pub shutdown: CancellationToken,
}

impl App {
    /// Connects to the database and puts the rooms together. Does not migrate.
    pub async fn open(config: Config, secret: &[u8]) -> Result<Self, Error> {
        let mut db = Db::connect(&config.database_url).await?;
        if config.read_in_place {
            db = db.with_inline_reads(&config.database_url);
        }
        let (clock, tasks) = (Clock::default(), TaskTracker::new());
        let shutdown = CancellationToken::new();
        let throttles = Throttles::new(&clock, config.mode);
        Ok(Self {
            hub: Hub::new(
                &db,
                &clock,
                &tasks,
                &shutdown,
                config.event_replay,
                config.redis_url.clone(),
            ),
            config: Arc::new(config),
            clock,
            sends: Sends::new(db.backend()),
            db,
            keys: Arc::new(Keys::new(secret)?),
            sessions: Sessions::default(),
            passwords: Passwords::default(),
            throttles: Arc::new(throttles),
            tasks,
            shutdown,
        })
    }
}
