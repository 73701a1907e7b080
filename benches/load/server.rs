//! The servers that are measured: Heddle and the floors, each in its own process.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{databases::Postgres, process};

/// The key of all nodes.
const SECRET_KEY: &str = "every node of a measurement uses the same key";

/// An installation of Heddle: its data, database and Redis. It can start any number of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// The name of the database and of the size, as it appears in the results.
    pub(crate) name: String,
    pub(crate) database_url: String,
    data: String,
    /// How many nodes were started.
    nodes: Arc<AtomicUsize>,
    redis_url: Option<String>,
    /// The process of the database, if it is separate from the server.
    database: Option<u32>,
}

impl Installation {
    /// An installation on a new file below this folder.
    pub(crate) fn on_sqlite(folder: &Path, name: &str) -> Self {
        let data = folder.join(name).display().to_string();
        Self {
            name: name.to_owned(),
            database_url: format!("sqlite:{data}/heddle.sqlite"),
            data,
            nodes: Arc::default(),
            redis_url: None,
            database: None,
        }
    }

    /// An installation on the only database of this server.
    pub(crate) fn on_postgres(folder: &Path, name: &str, postgres: &Postgres) -> Self {
        Self {
            name: name.to_owned(),
            database_url: postgres.url.clone(),
            data: folder.join(name).display().to_string(),
            nodes: Arc::default(),
            redis_url: None,
            database: Some(postgres.pid),
        }
    }

    /// Adds a Redis server, which carries wake-ups between the nodes.
    pub(crate) fn with_redis(mut self, url: &str) -> Self {
        self.redis_url = Some(url.to_owned());
        self
    }

    /// The file of the embedded database.
    pub(crate) fn file(&self) -> &str {
        self.database_url.trim_start_matches("sqlite:")
    }

    /// Starts a node and waits for its first response.
    pub(crate) fn start(&self) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        // Each server locks its data folder.
        let node = self.nodes.fetch_add(1, Ordering::Relaxed);
        command.env("HEDDLE_DATA_DIR", format!("{}/node-{node}", self.data));
        let name = format!("Heddle on {}", self.name);
        let mut server = Server::start(name, command, self.database, |line| {
            let address = line.trim().strip_prefix("API ")?.trim();
            let address = address.strip_prefix("http://")?;
            Some(address.trim_end_matches("/graphql").to_owned())
        });
        server.wait_for_response();
        server
    }

    /// Starts a floor on the same database.
    pub(crate) fn floor(&self, arguments: &[&str]) -> Server {
        let name = format!("floor on {}", self.name);
        Server::floor(name, arguments, self.database)
    }

    /// Fills the database with users, conversations and messages. Returns the output of the command.
    pub(crate) fn seed(&self, users: usize, conversations: usize, messages: usize) -> String {
        let [users, conversations, messages] =
            [users, conversations, messages].map(|count| count.max(1).to_string());
        let mut arguments = vec!["seed", "--users", &users];
        arguments.extend(["--conversations", &conversations, "--messages", &messages]);
        self.run(&arguments)
    }

    /// Runs a command of `heddle` and returns its output.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let output_text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {output_text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output_text
    }

    /// The `heddle` program with these settings only.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heddle"));
        command
            .args(arguments)
            .env_clear()
            .env("HEDDLE_DATA_DIR", &self.data)
            .env("HEDDLE_DATABASE_URL", &self.database_url)
            .env("HEDDLE_SECRET_KEY", SECRET_KEY)
            .env("HEDDLE_ACCESS_TOKEN_MINUTES", "60")
            .env("HEDDLE_CONNECTIONS", "50000");
        if let Some(url) = &self.redis_url {
            command.env("HEDDLE_REDIS_URL", url);
        }
        command
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: String,
    /// From the start of the process to its first response.
    pub(crate) started_in: Duration,
    started: Instant,
    child: Child,
    database: Option<u32>,
}

/// Processor time since the start of the processes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    pub(crate) server: Duration,
    pub(crate) database: Duration,
}

impl CpuTime {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            database: self.database.saturating_sub(before.database),
        }
    }

    pub(crate) fn total(self) -> Duration {
        self.server + self.database
    }
}

impl Server {
    /// Starts this program as a floor.
    pub(crate) fn floor(name: String, arguments: &[&str], database: Option<u32>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments);
        Self::start(name, command, database, |line| Some(line.trim().to_owned()))
    }

    fn start(
        name: String,
        mut command: Command,
        database: Option<u32>,
        address: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| address(&line.unwrap())).unwrap();
        let started_in = started.elapsed();
        // A closed pipe would fail the server's next line.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            name,
            address,
            started_in,
            started,
            child,
            database,
        }
    }

    /// Waits for the first response to a query.
    fn wait_for_response(&mut self) {
        let body = r#"{"query":"{ __typename }"}"#;
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        self.started_in = self.started.elapsed();
    }

    pub(crate) fn cpu_time(&self) -> CpuTime {
        CpuTime {
            server: process::cpu(self.child.id(), false),
            database: self
                .database
                .map_or(Duration::ZERO, |pid| process::cpu(pid, true)),
        }
    }

    /// Memory of the server's process, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        process::resident(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of several nodes of one installation. The database is counted once.
pub(crate) fn cpu_time(nodes: &[Server]) -> CpuTime {
    let mut total = CpuTime::default();
    for node in nodes {
        let one = node.cpu_time();
        total.server += one.server;
        total.database = one.database;
    }
    total
}
