//! Exchanges wake-ups between nodes over Redis or Valkey. Nothing waits for it: while Redis is unavailable, each node
//! still reads the log every second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::Rng;
use redis::{
    AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, Msg, ProtocolVersion, PushInfo,
    PushKind, RedisError, aio::MultiplexedConnection,
};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::wakeup::{Wakeup, WakeupSource};
use crate::{db::Db, error::Error};

/// How long Redis may take to respond before the connection counts as lost.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the connection is pinged, because a broken network does not close it.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// The delay before the first reconnection, and the longest one after many failures.
const MIN_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The prefix of channel names.
const CHANNEL_PREFIX: &str = "heddle:";
/// The last letter of a message, after the id of the node that sent it.
const LETTERS: [(Wakeup, &str); 2] = [(Wakeup::Log, "l"), (Wakeup::Ephemeral, "f")];

/// The link of one node to the others.
#[derive(Debug)]
pub struct Link {
    client: Client,
    channel: String,
    /// Identifies this node's own messages, which it ignores.
    node: Uuid,
    local: WakeupSource,
    log: watch::Sender<u64>,
    ephemeral: watch::Sender<u64>,
    /// True while connected; shared with the hub.
    is_linked: Arc<AtomicBool>,
    is_failing: bool,
    failures: u32,
}

impl Link {
    /// A link over the Redis at this URL between the nodes of this installation. [`Link::run`] connects it and keeps
    /// `is_linked` true while it is connected.
    pub fn new(
        url: &str,
        installation: Uuid,
        db: &Db,
        is_linked: &Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        Ok(Self {
            client: client(url)?,
            channel: format!("{CHANNEL_PREFIX}{installation}"),
            node: crate::id::mint(),
            local: WakeupSource::local(db),
            log: watch::Sender::new(0),
            ephemeral: watch::Sender::new(0),
            is_linked: Arc::clone(is_linked),
            is_failing: false,
            failures: 0,
        })
    }

    /// The wake-ups of the other nodes.
    pub(in crate::live) fn subscribe(&self) -> WakeupSource {
        WakeupSource::new(self.log.subscribe(), self.ephemeral.subscribe())
    }

    /// Sends and receives wake-ups until the server stops. Reconnects after a failure.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let error = tokio::select! {
                () = shutdown.cancelled() => return,
                Err(error) = self.connect() => error,
            };
            self.is_linked.store(false, Ordering::Release);
            if !self.is_failing {
                self.is_failing = true;
                tracing::warn!(%error, "Redis is unavailable: events of other nodes arrive up to a second later");
            }
            let delay = (MIN_DELAY * 2_u32.saturating_pow(self.failures)).min(MAX_DELAY);
            self.failures = self.failures.saturating_add(1).min(u32::BITS);
            // Random, so that the nodes do not all reconnect at the same time.
            let delay = delay.mul_f64(rand::rng().random_range(0.5..1.0));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(delay) => {}
            }
        }
    }

    /// One connection, until it fails.
    async fn connect(&mut self) -> Result<std::convert::Infallible, RedisError> {
        // Unbounded, but short: the loop below drains it, and wake-ups that it has read are coalesced.
        let (push, mut pushes) = mpsc::unbounded_channel();
        let config = config().set_push_sender(push);
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await?;
        connection.subscribe(self.channel.as_str()).await?;
        // Wake-ups before the connection were lost in both directions, so each side reads once. This also finds out
        // whether publishing is permitted; otherwise the link would be up and down with every wake-up.
        for wakeup in Wakeup::ALL {
            self.receive(wakeup);
            self.publish(&mut connection, wakeup).await?;
        }
        self.failures = 0;
        self.is_linked.store(true, Ordering::Release);
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("Redis is available again");
        }
        let mut ping = interval(PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Commits during the publication become one more wake-up.
                wakeup = self.local.notified() => self.publish(&mut connection, wakeup).await?,
                Some(push) = pushes.recv() => self.receive_push(push)?,
                _ = ping.tick() => Cmd::new().arg("PING").exec_async(&mut connection).await?,
            }
        }
    }

    async fn publish(
        &self,
        connection: &mut MultiplexedConnection,
        wakeup: Wakeup,
    ) -> Result<(), RedisError> {
        let letter = LETTERS.iter().find(|(known, _)| *known == wakeup);
        let (_, letter) = letter.unwrap_or(&LETTERS[0]);
        let mut publish = Cmd::new();
        publish
            .arg("PUBLISH")
            .arg(&self.channel)
            .arg(format!("{}{letter}", self.node.simple()));
        publish.exec_async(connection).await
    }

    fn receive_push(&self, push: PushInfo) -> Result<(), RedisError> {
        if push.kind == PushKind::Disconnection {
            return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        }
        let Some(message) = Msg::from_push_info(push) else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
        if text.starts_with(&self.node.simple().to_string()) {
            return Ok(());
        }
        // A newer version may send letters that this one does not know.
        for (wakeup, _) in LETTERS.iter().filter(|(_, letter)| text.ends_with(letter)) {
            self.receive(*wakeup);
        }
        Ok(())
    }

    fn receive(&self, wakeup: Wakeup) {
        let sender = match wakeup {
            Wakeup::Log => &self.log,
            Wakeup::Ephemeral => &self.ephemeral,
        };
        sender.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Connects to this URL and returns the name and version of the server. Fails when publishing or scripts are not
/// permitted.
pub async fn probe(url: &str) -> Result<String, Error> {
    let failed = |error: RedisError| Error::internal(error.to_string());
    let client = client(url)?;
    let config = config();
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let mut connection = connecting.await.map_err(failed)?;
    let mut info = Cmd::new();
    info.arg("INFO").arg("server");
    let text: String = info.query_async(&mut connection).await.map_err(failed)?;
    let mut publish = Cmd::new();
    publish
        .arg("PUBLISH")
        .arg(format!("{CHANNEL_PREFIX}doctor"))
        .arg("");
    publish.exec_async(&mut connection).await.map_err(failed)?;
    // As the rate limits do.
    let mut evaluate = Cmd::new();
    evaluate.arg("EVAL").arg("return redis.call('TIME')").arg(0);
    evaluate.exec_async(&mut connection).await.map_err(failed)?;
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(key, value)| (key == name).then_some(value))
    };
    let found = match value("valkey_version") {
        Some(version) => format!("Valkey {version}"),
        None => format!(
            "Redis {}",
            value("redis_version").unwrap_or("of no version")
        ),
    };
    Ok(found)
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(RESPONSE_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
}

/// RESP3 allows one connection for both directions. Redis supports it since version 6, every Valkey does.
fn client(url: &str) -> Result<Client, Error> {
    let failed = |error: RedisError| Error::internal(error.to_string());
    let info = url.into_connection_info().map_err(failed)?;
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings)).map_err(failed)
}
