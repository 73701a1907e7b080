//! A Redis server of a test's own, which can be killed and started again. It asks for user and password.

use std::{process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::cluster;

/// A busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "shuttle:race";

/// A Redis server, running or not. It ends with the test.
pub(crate) struct Redis {
    address: String,
    port: u16,
    bind: String,
    server: Option<Child>,
    folder: TempDir,
}

impl Redis {
    /// On this machine alone.
    pub(crate) async fn start() -> Self {
        Self::listening("127.0.0.1", cluster::free_port()).await
    }

    /// On these addresses, of which the first is where it is waited for.
    pub(crate) async fn listening(bind: &str, port: u16) -> Self {
        let first = bind.split(' ').next().unwrap();
        let mut redis = Self {
            address: format!("{first}:{port}"),
            port,
            bind: bind.to_owned(),
            server: None,
            folder: tempfile::tempdir().unwrap(),
        };
        redis.again().await;
        redis
    }

    /// Where nodes find it.
    pub(crate) fn url(&self) -> String {
        let password = PASSWORD.replace(':', "%3A");
        format!("redis://heddle:{password}@{}/0", self.address)
    }

    /// It is gone, without a word.
    pub(crate) async fn is_killed(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().await.unwrap();
        }
    }

    /// It is back, and remembers nothing.
    pub(crate) async fn again(&mut self) {
        let server = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind"])
            .args(self.bind.split(' '))
            .args(["--save", "", "--appendonly", "no", "--loglevel", "warning"])
            // No more than the documentation says a node needs.
            .args(["--user", "heddle", "on", &format!(">{PASSWORD}")])
            .args(["&heddle:*", "-@all", "+@connection", "+@pubsub", "+info"])
            .args(["--user", "default", "off"])
            .arg("--dir")
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.server = Some(server);
        let answers = async {
            while TcpStream::connect(&self.address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, answers).await.unwrap();
    }
}
