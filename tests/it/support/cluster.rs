//! Several nodes as operators run them: real processes, each with its own data directory, on one PostgreSQL and one
//! Redis that belong to the test and can be stopped.

use std::{net::TcpListener, process::Stdio, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::{
    binary,
    network::{Cable, Network},
    person::Person,
    redis::Redis,
};

/// A debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_mins(1);
/// The secret key of all nodes of a cluster.
const SECRET_KEY: &str = "every node of a cluster has the same key";

/// Several nodes with their database and Redis. All of it ends with the test.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) redis: Option<Redis>,
    /// The database of all nodes.
    pub(crate) database_url: String,
    /// None on SQLite.
    pub(crate) postgres: Option<Postgres>,
    /// The networks of the nodes from the second on.
    pub(crate) network: Option<Network>,
    /// The directory of SQLite's file.
    _folder: Option<TempDir>,
}

impl Cluster {
    /// Starts this number of nodes, with Redis.
    pub(crate) async fn with_redis(nodes: usize) -> Self {
        Self::with(nodes, Redis::start().await).await
    }

    /// Starts this number of nodes, with this Redis.
    pub(crate) async fn with(nodes: usize, redis: Redis) -> Self {
        Self::start(nodes, Some(redis)).await
    }

    /// Starts this number of nodes without Redis: each polls the log for events of the others.
    pub(crate) async fn without_redis(nodes: usize) -> Self {
        Self::start(nodes, None).await
    }

    /// Starts one node on SQLite.
    pub(crate) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database_url = format!("sqlite:{}/heddle.sqlite", folder.path().display());
        Self {
            nodes: vec![Node::start(&database_url, None).await],
            redis: None,
            database_url,
            postgres: None,
            network: None,
            _folder: Some(folder),
        }
    }

    async fn start(count: usize, redis: Option<Redis>) -> Self {
        let postgres = Postgres::start(&[]).await;
        let mut nodes = vec![];
        for _ in 0..count {
            nodes.push(Node::start(&postgres.url, redis.as_ref()).await);
        }
        Self {
            nodes,
            redis,
            database_url: postgres.url.clone(),
            postgres: Some(postgres),
            network: None,
            _folder: None,
        }
    }

    /// Starts three nodes with Redis: one on this machine, and two in their own networks.
    pub(crate) async fn with_cables() -> Self {
        let network = Network::of(2);
        let databases = network.all(Cable::Postgres).join(",");
        let postgres = Postgres::start(&[&databases, "5432"]).await;
        let caches = network.all(Cable::Redis).join(" ");
        let redis = Redis::listening(&format!("127.0.0.1 {caches}"), free_port()).await;
        let mut nodes = vec![Node::start(&postgres.url, Some(&redis)).await];
        for node in 0..2 {
            let host = network.here(node, Cable::Postgres);
            let database = format!("postgres://heddle@{host}:5432/postgres");
            let host = network.here(node, Cable::Redis);
            let cache = redis.url().replace("127.0.0.1", &host);
            let address = format!("{}:8000", network.there(node, Cable::People));
            let inside = network.inside(node);
            let settings = vec![("HEDDLE_REDIS_URL", cache)];
            nodes.push(Node::listening(address, &inside, &database, settings).await);
        }
        Self {
            nodes,
            redis: Some(redis),
            database_url: postgres.url.clone(),
            postgres: Some(postgres),
            network: Some(network),
            _folder: None,
        }
    }

    /// Signs up a user at the first node.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let anonymous = Person::anonymous_at(self.nodes[0].endpoint());
        anonymous.sign_up(name).await
    }

    /// The user as a client of this node.
    pub(crate) fn at(&self, node: usize, who: &Person) -> Person {
        who.at(self.nodes[node].endpoint())
    }
}

/// Returns a free port of this machine.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// One node, running or not.
pub(crate) struct Node {
    address: String,
    /// The command prefix that enters the node's network.
    inside: Vec<String>,
    settings: Vec<(&'static str, String)>,
    server: Option<(Child, BufReader<ChildStdout>)>,
    folder: TempDir,
}

impl Node {
    /// Starts a node on a free port of this machine.
    pub(crate) async fn start(database_url: &str, redis: Option<&Redis>) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let url = redis.map(|redis| ("HEDDLE_REDIS_URL", redis.url()));
        let authority = redis.and_then(Redis::authority);
        let authority = authority.map(|file| ("SSL_CERT_FILE", file.display().to_string()));
        let settings = url.into_iter().chain(authority).collect();
        Self::listening(address, &[], database_url, settings).await
    }

    /// Starts a node on this address, which may be in another network.
    async fn listening(
        address: String,
        inside: &[String],
        database_url: &str,
        mut settings: Vec<(&'static str, String)>,
    ) -> Self {
        settings.extend([
            ("HEDDLE_LISTEN", address.clone()),
            ("HEDDLE_DATA_DIR", "data".to_owned()),
            ("HEDDLE_DATABASE_URL", database_url.to_owned()),
            ("HEDDLE_SECRET_KEY", SECRET_KEY.to_owned()),
            ("HEDDLE_LOG_LEVEL", "error".to_owned()),
        ]);
        let mut node = Self {
            address,
            inside: inside.to_vec(),
            settings,
            server: None,
            folder: tempfile::tempdir().unwrap(),
        };
        node.again().await;
        node
    }

    /// The URL of its API.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    /// Kills the process.
    pub(crate) async fn is_killed(&mut self) {
        if let Some((mut server, _)) = self.server.take() {
            server.kill().await.unwrap();
        }
    }

    /// Returns the status and the body of this path.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let requested = reqwest::get(format!("http://{}{path}", self.address)).await;
        let response = requested.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Removes one of its settings, for its next start.
    pub(crate) fn forgets(&mut self, name: &str) {
        self.settings.retain(|(known, _)| *known != name);
    }

    /// Runs `heddle doctor` and returns its exit code and output.
    pub(crate) async fn doctor(&self) -> (Option<i32>, String) {
        let output = self.program().arg("doctor").output().await.unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), printed)
    }

    /// Returns the program with this node's settings, inside its network.
    fn program(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_heddle");
        let words: Vec<&str> = self.inside.iter().map(String::as_str).collect();
        let mut command = match words.as_slice() {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (*name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Starts the node again, at the same address.
    pub(crate) async fn again(&mut self) {
        let mut server = self
            .program()
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let announced = timeout(PATIENCE, binary::announced(&mut output)).await;
        announced.unwrap().unwrap();
        self.server = Some((server, output));
    }
}

/// A PostgreSQL server for one test, which can be restarted.
pub(crate) struct Postgres {
    pub(crate) url: String,
    _server: Child,
    orders: ChildStdin,
    responses: BufReader<ChildStdout>,
}

impl Postgres {
    /// Starts a server on its own socket and, if given, on network addresses and a port.
    pub(crate) async fn start(network: &[&str]) -> Self {
        let mut server = Command::new("sh")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres"))
            .args(network)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut postgres = Self {
            url: String::new(),
            orders: server.stdin.take().unwrap(),
            responses: BufReader::new(server.stdout.take().unwrap()),
            // It is not killed with the test: it exits and cleans up when its standard input closes.
            _server: server,
        };
        postgres.url = postgres.address().await;
        postgres
    }

    /// Closes every connection and restarts the server.
    pub(crate) async fn restarts(&mut self) {
        self.orders.write_all(b"restart\n").await.unwrap();
        self.address().await;
    }

    async fn address(&mut self) -> String {
        let mut line = String::new();
        let responded = timeout(PATIENCE, self.responses.read_line(&mut line)).await;
        responded.unwrap().unwrap();
        assert!(
            !line.is_empty(),
            "PostgreSQL did not start; its own words are above"
        );
        line.trim_end().to_owned()
    }
}
