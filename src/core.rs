//! Services that every layer shares: database, clock, configuration, keys, event stream. Contains no logic and
//! depends on nothing above it.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{
        action_limits::ActionLimits, password::Passwords, rate_limit::RateLimits,
        session_cache::SessionCache, token::Keys, trusted_issuers::TrustedIssuers,
    },
    clock::Clock,
    config::Config,
    db::Db,
    egress::Egress,
    error::Error,
    live::{hub::Hub, installation},
    mail::Mailer,
};

/// Services that every layer of the server shares. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Core {
    /// The configuration.
    pub config: Arc<Config>,
    /// The clock.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// The keys that sign tokens.
    pub keys: Arc<Keys>,
    /// The other systems whose access tokens are accepted.
    pub trusted_issuers: Arc<TrustedIssuers>,
    /// The cache of sessions in use.
    pub sessions: SessionCache,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// The rate limits of sign-ins and registrations for each network address.
    pub rate_limits: Arc<RateLimits>,
    /// The rate limits of each user's actions.
    pub action_limits: Arc<ActionLimits>,
    /// Sends mail.
    pub mailer: Mailer,
    /// The hub that delivers events to the subscribers of this node.
    pub hub: Hub,
    /// Background tasks, which shutdown waits for.
    pub tasks: TaskTracker,
    /// Cancelled when the server shuts down.
    pub shutdown: CancellationToken,
}

impl Core {
    /// Creates the services on a database whose tables are up to date.
    pub async fn open(mut db: Db, config: Config, secret: &[u8]) -> Result<Self, Error> {
        let keys = Keys::new(secret, installation::id(&db).await?)?;
        if config.sqlite_inline_reads {
            db = db.with_inline_reads(&config.database_url);
        }
        let (clock, tasks) = (Clock::default(), TaskTracker::new());
        let shutdown = CancellationToken::new();
        let rate_limits = RateLimits::new(&clock, config.mode);
        let action_limits = ActionLimits::new(&config, &clock)?;
        let mailer = Mailer::new(&config)?;
        let egress = Arc::new(Egress::new(&config.egress_networks));
        let trusted_issuers = TrustedIssuers::new(&config, egress, &clock);
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
            db,
            keys: Arc::new(keys),
            trusted_issuers: Arc::new(trusted_issuers),
            sessions: SessionCache::default(),
            passwords: Passwords::default(),
            rate_limits: Arc::new(rate_limits),
            action_limits: Arc::new(action_limits),
            mailer,
            tasks,
            shutdown,
        })
    }
}
