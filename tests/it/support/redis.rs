//! A Redis or Valkey server of a test's own, which can be killed and started again, and asks for what people make
//! theirs ask for.

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

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

/// What whoever comes has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// The user and password of an account that may do no more than the documentation says a node needs.
    Account,
    /// The same of an account that may listen and not ring.
    AccountWithoutVoice,
    /// The one password of the server, as old installations have it.
    Password,
    /// An account, over TLS, with a certificate that only our own authority vouches for.
    AccountOverTls,
}

/// A Redis server, running or not. It ends with the test.
pub(crate) struct Redis {
    asks: Asks,
    address: String,
    port: u16,
    bind: String,
    server: Option<Child>,
    folder: TempDir,
}

impl Redis {
    /// On this machine alone, with an account.
    pub(crate) async fn start() -> Self {
        Self::that(Asks::Account).await
    }

    /// On this machine alone.
    pub(crate) async fn that(asks: Asks) -> Self {
        let mut redis = Self::at(asks, "127.0.0.1", cluster::free_port());
        redis.again().await;
        redis
    }

    /// With an account, on these addresses, of which the first is where it is waited for.
    pub(crate) async fn listening(bind: &str, port: u16) -> Self {
        let mut redis = Self::at(Asks::Account, bind, port);
        redis.again().await;
        redis
    }

    /// Not started yet.
    pub(crate) fn at(asks: Asks, bind: &str, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if asks == Asks::AccountOverTls {
            certify(&folder);
        }
        let first = bind.split(' ').next().unwrap();
        Self {
            asks,
            address: format!("{first}:{port}"),
            port,
            bind: bind.to_owned(),
            server: None,
            folder,
        }
    }

    /// Where nodes find it.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.asks == Asks::AccountOverTls {
            "rediss"
        } else {
            "redis"
        };
        let user = if self.asks == Asks::Password {
            ""
        } else {
            "heddle"
        };
        let password = PASSWORD.replace(':', "%3A");
        format!("{scheme}://{user}:{password}@{}/0", self.address)
    }

    /// The certificate of the authority that vouches for it.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        let file = self.folder.path().join("authority.crt");
        (self.asks == Asks::AccountOverTls).then_some(file)
    }

    /// It is gone, without a word.
    pub(crate) async fn is_killed(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().await.unwrap();
        }
    }

    /// It is back, and remembers nothing.
    pub(crate) async fn again(&mut self) {
        let mut command = Command::new(program());
        let port = self.port.to_string();
        match self.asks {
            Asks::AccountOverTls => command
                .args(["--port", "0", "--tls-port", &port])
                .args(["--tls-cert-file", "server.crt"])
                .args(["--tls-key-file", "server.key"])
                .args(["--tls-ca-cert-file", "authority.crt"])
                .args(["--tls-auth-clients", "no"]),
            _ => command.args(["--port", &port]),
        };
        match self.asks {
            Asks::Password => command.args(["--requirepass", PASSWORD]),
            _ => command
                .args(["--user", "heddle", "on", &format!(">{PASSWORD}")])
                .args(["&heddle:*", "-@all", "+@connection", "+@pubsub", "+info"])
                .args((self.asks == Asks::AccountWithoutVoice).then_some("-publish"))
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
        let answers = async {
            while TcpStream::connect(&self.address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, answers).await.unwrap();
    }
}

/// Valkey where it is installed, and Redis elsewhere.
fn program() -> &'static str {
    let works = |name: &str| {
        let asked = std::process::Command::new(name).arg("--version").output();
        asked.is_ok_and(|output| output.status.success())
    };
    if works("valkey-server") {
        "valkey-server"
    } else {
        "redis-server"
    }
}

/// An authority of the test's own, and a certificate of it for this machine.
fn certify(folder: &TempDir) {
    let names = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    fs::write(folder.path().join("names"), names).unwrap();
    for words in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=weavers \
         -keyout authority.key -out authority.crt",
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis \
         -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 \
         -extfile names -out server.crt",
    ] {
        let output = std::process::Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(folder.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {told}");
    }
}
