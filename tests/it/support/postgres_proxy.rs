//! A proxy in front of PostgreSQL that cuts a connection at a chosen request. Contains no tests.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

use super::postgres;

/// No connection is cut.
const NEVER: i64 = i64::MAX;
/// The name of the socket that a PostgreSQL client expects in a directory.
const SOCKET: &str = ".s.PGSQL.5432";

/// The time of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before the server has received the request.
    BeforeRequest,
    /// After the server has received the request and before the client receives the response.
    BeforeResponse,
}

/// A proxy in front of a new database.
pub(crate) struct PostgresProxy {
    plan: Arc<Plan>,
    url: String,
    accepting: JoinHandle<()>,
    _folder: TempDir,
}

#[derive(Debug)]
struct Plan {
    /// The number of requests that pass before the cut.
    passing: AtomicI64,
    before_response: AtomicBool,
}

impl PostgresProxy {
    pub(crate) async fn new() -> Self {
        let mut url = url::Url::parse(&postgres::fresh_database().await).unwrap();
        let host = url.query_pairs().find(|(name, _)| name == "host");
        let behind = format!("{}/{SOCKET}", host.unwrap().1);
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        url.set_query(Some(&format!("host={}", folder.path().display())));
        url.set_port(Some(5432)).unwrap();
        let plan = Arc::new(Plan {
            passing: AtomicI64::new(NEVER),
            before_response: false.into(),
        });
        let shared = Arc::clone(&plan);
        #[expect(clippy::disallowed_methods, reason = "aborted with the proxy")]
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&behind).await.unwrap();
                tokio::spawn(forward(client, server, Arc::clone(&shared)));
            }
        });
        Self {
            plan,
            url: url.into(),
            accepting,
            _folder: folder,
        }
    }

    /// Returns the URL of the database, through the proxy.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Cuts the connection of the request after the next `passing` ones.
    pub(crate) fn arm(&self, cut: Cut, passing: i64) {
        let before_response = cut == Cut::BeforeResponse;
        self.plan
            .before_response
            .store(before_response, Ordering::SeqCst);
        self.plan.passing.store(passing, Ordering::SeqCst);
    }

    /// Disables the cut, and returns whether a connection has been cut.
    pub(crate) fn disarm(&self) -> bool {
        self.plan.passing.swap(NEVER, Ordering::SeqCst) < 0
    }
}

impl Drop for PostgresProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A client writes each request in one call, so each read returns one request.
async fn forward(client: UnixStream, server: UnixStream, plan: Arc<Plan>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let muted = AtomicBool::new(false);
    let requests = async {
        let mut buffer = vec![0; 1 << 20];
        loop {
            let size = from_client.read(&mut buffer).await.unwrap_or(0);
            let cut = plan.passing.load(Ordering::SeqCst) != NEVER
                && plan.passing.fetch_sub(1, Ordering::SeqCst) == 0;
            let before_response = plan.before_response.load(Ordering::SeqCst);
            if size == 0 || cut && !before_response {
                return;
            }
            muted.fetch_or(cut, Ordering::SeqCst);
            if to_server.write_all(&buffer[..size]).await.is_err() {
                return;
            }
        }
    };
    let responses = async {
        let mut buffer = vec![0; 1 << 20];
        loop {
            let size = from_server.read(&mut buffer).await.unwrap_or(0);
            if size == 0 || muted.load(Ordering::SeqCst) {
                return;
            }
            if to_client.write_all(&buffer[..size]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = requests => (),
        () = responses => (),
    }
}
