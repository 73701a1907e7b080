//! Carries the doorbell between nodes over Redis or Valkey. It never holds anything up: while Redis is
//! away, nodes look at the log by themselves.

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

use super::{Side, Wakeup};
use crate::{db::Db, error::Error};

/// How long Redis may take to answer before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a quiet connection is asked for a sign of life: a cut cable sends no goodbye.
const BEAT: Duration = Duration::from_secs(1);
/// The rest before connecting again: at first, and after many failures.
const REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// What the names of our channels begin with.
const CHANNELS: &str = "heddle:";
/// What goes over the wire beside the node's id: one letter for each bell.
const LETTERS: [(Wakeup, &str); 2] = [(Wakeup::Log, "l"), (Wakeup::Ephemeral, "f")];

/// The link of one node to the others.
#[derive(Debug)]
pub struct Link {
    client: Client,
    channel: String,
    /// Ours are heard in this process already.
    node: Uuid,
    near: Side,
    log: watch::Sender<u64>,
    ephemeral: watch::Sender<u64>,
    /// Whether rings are carried at this moment, for others to ask.
    carries: Arc<AtomicBool>,
    is_gone: bool,
    failures: u32,
}

impl Link {
    /// A link over the Redis at this address, for the nodes of this installation. Connects later, and keeps
    /// `carries` true while it does.
    pub fn new(
        url: &str,
        installation: Uuid,
        db: &Db,
        carries: &Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        Ok(Self {
            client: client(url)?,
            channel: format!("{CHANNELS}{installation}"),
            node: crate::id::mint(),
            near: Side::near(db),
            log: watch::Sender::new(0),
            ephemeral: watch::Sender::new(0),
            carries: Arc::clone(carries),
            is_gone: false,
            failures: 0,
        })
    }

    /// Hears what the other nodes ring.
    pub(super) fn listen(&self) -> Side {
        Side {
            log: self.log.subscribe(),
            ephemeral: self.ephemeral.subscribe(),
        }
    }

    /// Carries rings both ways until the server stops, and comes back whenever Redis does.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let error = tokio::select! {
                () = shutdown.cancelled() => return,
                Err(error) = self.carry() => error,
            };
            self.carries.store(false, Ordering::Release);
            if !self.is_gone {
                self.is_gone = true;
                tracing::warn!(%error, "Redis is away: events of other nodes come a second later");
            }
            let rest = (REST * 2_u32.saturating_pow(self.failures)).min(LONGEST_REST);
            self.failures = self.failures.saturating_add(1).min(u32::BITS);
            // Nodes that lost Redis at the same moment do not all come back at the same moment.
            let rest = rest.mul_f64(rand::rng().random_range(0.5..1.0));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(rest) => {}
            }
        }
    }

    /// One connection, until it fails.
    async fn carry(&mut self) -> Result<std::convert::Infallible, RedisError> {
        // Bounded by the tasks of this process: rings of other nodes are coalesced by them.
        let (push, mut pushes) = mpsc::unbounded_channel();
        let config = config().set_push_sender(push);
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await?;
        connection.subscribe(self.channel.as_str()).await?;
        // What rang before is not told again, neither here nor to the others. And a Redis that lets us in but not
        // ring is still away: it would be back, and away, with every ring.
        for wakeup in Wakeup::ALL {
            self.heard(wakeup);
            self.publish(&mut connection, wakeup).await?;
        }
        self.failures = 0;
        self.carries.store(true, Ordering::Release);
        if std::mem::take(&mut self.is_gone) {
            tracing::info!("Redis is back");
        }
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Whatever is committed while this is on its way is one more ring, not many.
                wakeup = self.near.notified() => self.publish(&mut connection, wakeup).await?,
                Some(push) = pushes.recv() => self.pushed(push)?,
                _ = beat.tick() => Cmd::new().arg("PING").exec_async(&mut connection).await?,
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

    fn pushed(&self, push: PushInfo) -> Result<(), RedisError> {
        if push.kind == PushKind::Disconnection {
            return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        }
        let Some(ring) = Msg::from_push_info(push) else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(ring.get_payload_bytes()).into_owned();
        if text.starts_with(&self.node.simple().to_string()) {
            return Ok(());
        }
        // A newer version may ring bells that this one does not have.
        for (wakeup, _) in LETTERS.iter().filter(|(_, letter)| text.ends_with(letter)) {
            self.heard(*wakeup);
        }
        Ok(())
    }

    fn heard(&self, wakeup: Wakeup) {
        let side = match wakeup {
            Wakeup::Log => &self.log,
            Wakeup::Ephemeral => &self.ephemeral,
        };
        side.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// What is at this address, and how it answers: its name and version. Fails when we may not ring there.
pub async fn probe(url: &str) -> Result<String, Error> {
    let failed = |error: RedisError| Error::internal(error.to_string());
    let client = client(url)?;
    let config = config();
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let mut connection = connecting.await.map_err(failed)?;
    let mut info = Cmd::new();
    info.arg("INFO").arg("server");
    let text: String = info.query_async(&mut connection).await.map_err(failed)?;
    let mut ring = Cmd::new();
    ring.arg("PUBLISH").arg(format!("{CHANNELS}doctor")).arg("");
    ring.exec_async(&mut connection).await.map_err(failed)?;
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
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
}

/// One connection for both directions needs the newer protocol: Redis has it since 6, Valkey always.
fn client(url: &str) -> Result<Client, Error> {
    let failed = |error: RedisError| Error::internal(error.to_string());
    let info = url.into_connection_info().map_err(failed)?;
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings)).map_err(failed)
}
