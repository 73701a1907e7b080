//! A Redis or Valkey server for one test. It can be killed and restarted, and can require a password, an account or
//! TLS.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::{certificates, cluster};

/// A busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "shuttle:race";

/// The credentials that the server requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requires {
    /// The user and password of an account with exactly the permissions that the documentation requires.
    Account,
    /// The user and password of an account that may subscribe and not publish.
    AccountWithoutPublish,
    /// The password of the server, without accounts, as in old installations.
    Password,
    /// An account, over TLS, with a certificate of a private authority.
    AccountOverTls,
}

/// A Redis server, running or not. It ends with the test.
pub(crate) struct Redis {
    execute: Requires,
    address: String,
    port: u16,
    bind: String,
    server: Option<Child>,
    folder: TempDir,
}

impl Redis {
    /// Starts a server on this machine, with an account.
    pub(crate) async fn start() -> Self {
        Self::that(Requires::Account).await
    }

    /// Starts a server on this machine.
    pub(crate) async fn that(execute: Requires) -> Self {
        let mut redis = Self::at(execute, "127.0.0.1", cluster::free_port());
        redis.again().await;
        redis
    }

    /// Starts a server with an account, on these addresses, and waits for it on the first.
    pub(crate) async fn listening(bind: &str, port: u16) -> Self {
        let mut redis = Self::at(Requires::Account, bind, port);
        redis.again().await;
        redis
    }

    /// Creates a server without starting it.
    pub(crate) fn at(execute: Requires, bind: &str, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if execute == Requires::AccountOverTls {
            certificates::create(folder.path());
        }
        let first = bind.split(' ').next().unwrap();
        Self {
            execute,
            address: format!("{first}:{port}"),
            port,
            bind: bind.to_owned(),
            server: None,
            folder,
        }
    }

    /// Returns the URL for nodes.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.execute == Requires::AccountOverTls {
            "rediss"
        } else {
            "redis"
        };
        let user = if self.execute == Requires::Password {
            ""
        } else {
            "heddle"
        };
        let password = PASSWORD.replace(':', "%3A");
        format!("{scheme}://{user}:{password}@{}/0", self.address)
    }

    /// The certificate of its authority.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        let file = self.folder.path().join("authority.crt");
        (self.execute == Requires::AccountOverTls).then_some(file)
    }

    /// Kills the process.
    pub(crate) async fn is_killed(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().await.unwrap();
        }
    }

    /// Starts the server again, without data.
    pub(crate) async fn again(&mut self) {
        let mut command = Command::new(program());
        let port = self.port.to_string();
        match self.execute {
            Requires::AccountOverTls => command
                .args(["--port", "0", "--tls-port", &port])
                .args(["--tls-cert-file", "server.crt"])
                .args(["--tls-key-file", "server.key"])
                .args(["--tls-ca-cert-file", "authority.crt"])
                .args(["--tls-auth-clients", "no"]),
            _ => command.args(["--port", &port]),
        };
        match self.execute {
            Requires::Password => command.args(["--requirepass", PASSWORD]),
            _ => command
                .args(["--user", "heddle", "on", &format!(">{PASSWORD}")])
                .args(["&heddle:*", "-@all", "+@connection", "+@pubsub", "+info"])
                .args(["~heddle:*", "+eval", "+get", "+set", "+time"])
                .args((self.execute == Requires::AccountWithoutPublish).then_some("-publish"))
                .args(["--user", "default", "off"]),
        };
        let server = command
            .arg("--bind")
            .args(self.bind.split(' '))
            .args(["--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.server = Some(server);
        let responses = async {
            while TcpStream::connect(&self.address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, responses).await.unwrap();
    }
}

/// Returns the program: Valkey if it is installed, and Redis otherwise.
fn program() -> &'static str {
    let works = |name: &str| {
        let requested = std::process::Command::new(name).arg("--version").output();
        requested.is_ok_and(|output| output.status.success())
    };
    if works("valkey-server") {
        "valkey-server"
    } else {
        "redis-server"
    }
}
