//! The counts of all nodes, in Redis or Valkey.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, aio::MultiplexedConnection};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::action::{Action, Quota};
use crate::error::Error;

/// How long an action waits for Redis. After that, only the counts of this node apply.
const TIMEOUT: Duration = Duration::from_millis(250);
/// How long Redis is not used after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The generic cell rate algorithm, in microseconds of the clock of Redis: `KEYS[1]` is the time at which the quota is
/// full again; the arguments are the interval, the burst and the count. Returns how long to wait; 0 if the action is
/// allowed.
const SCRIPT: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = tonumber(redis.call('GET', KEYS[1])) or now
if full_at < now then full_at = now end
local next = full_at + ARGV[1] * ARGV[3]
local wait = next - now - ARGV[1] * ARGV[2]
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000) + 1)
return 0";

/// The counts of an installation.
pub(super) struct SharedLimits {
    client: Client,
    connection: Mutex<Connection>,
    is_failing: AtomicBool,
}

enum Connection {
    Open(MultiplexedConnection),
    /// None may be opened before this time.
    Closed(Option<Instant>),
}

impl SharedLimits {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let client = Client::open(url).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self {
            client,
            connection: Mutex::new(Connection::Closed(None)),
            is_failing: AtomicBool::new(false),
        })
    }

    /// Counts the action on all nodes. Allows it while Redis is unavailable.
    pub(super) async fn consume(
        &self,
        subject: Uuid,
        action: Action,
        quota: Quota,
        count: u32,
    ) -> Result<(), Error> {
        let Some(connection) = self.connection().await else {
            return Ok(());
        };
        match Self::wait(connection, subject, action, quota, count).await {
            Ok(Duration::ZERO) => Ok(()),
            Ok(wait) => Err(Error::rate_limited(wait)),
            Err(error) => {
                self.fail(&error).await;
                Ok(())
            }
        }
    }

    async fn wait(
        mut connection: MultiplexedConnection,
        subject: Uuid,
        action: Action,
        quota: Quota,
        count: u32,
    ) -> Result<Duration, RedisError> {
        let interval = u64::try_from(quota.interval().as_micros()).unwrap_or(u64::MAX);
        let mut evaluate = Cmd::new();
        evaluate
            .arg("EVAL")
            .arg(SCRIPT)
            .arg(1)
            .arg(format!(
                "heddle:limit:{}:{}",
                action.name(),
                subject.simple()
            ))
            .arg(interval)
            .arg(quota.burst)
            .arg(count);
        let micros = evaluate.query_async(&mut connection).await?;
        Ok(Duration::from_micros(micros))
    }

    /// The connection, opened if necessary. None while Redis is unavailable.
    async fn connection(&self) -> Option<MultiplexedConnection> {
        let mut connection = self.connection.lock().await;
        match &*connection {
            Connection::Open(open) => return Some(open.clone()),
            Connection::Closed(Some(until)) if Instant::now() < *until => return None,
            Connection::Closed(_) => {}
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let opening = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        match opening.await {
            Ok(open) => {
                *connection = Connection::Open(open.clone());
                if self.is_failing.swap(false, Ordering::AcqRel) {
                    tracing::info!(
                        "Redis is available again: rate limits apply to all nodes together"
                    );
                }
                Some(open)
            }
            Err(error) => {
                drop(connection);
                self.fail(&error).await;
                None
            }
        }
    }

    async fn fail(&self, error: &RedisError) {
        let retry_at = Instant::now() + RETRY_INTERVAL;
        *self.connection.lock().await = Connection::Closed(Some(retry_at));
        if !self.is_failing.swap(true, Ordering::AcqRel) {
            tracing::warn!(%error, "Redis is unavailable: rate limits apply to each node separately");
        }
    }
}

impl fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimits").finish_non_exhaustive()
    }
}
