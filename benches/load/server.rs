//! The servers under measurement: Heddle itself and the floors, each a process of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{databases::Postgres, process};

/// What all nodes of a database seal tokens with.
const SECRET_KEY: &str = "every node of a measurement has the same key";

/// An installation of Heddle: where its data is and what it stands on. Any number of nodes can be started of it.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The database, as people call it, and what else tells this installation from others.
    pub(crate) name: String,
    pub(crate) database_url: String,
    data: String,
    redis_url: Option<String>,
    /// The database's own process, where it is not inside the server.
    database: Option<u32>,
}

impl Home {
    /// On a fresh file below this folder.
    pub(crate) fn on_sqlite(folder: &Path, name: &str) -> Self {
        let data = folder.join(name).display().to_string();
        Self {
            name: name.to_owned(),
            database_url: format!("sqlite:{data}/heddle.sqlite"),
            data,
            redis_url: None,
            database: None,
        }
    }

    /// On this server's only database.
    pub(crate) fn on_postgres(folder: &Path, name: &str, postgres: &Postgres) -> Self {
        Self {
            name: name.to_owned(),
            database_url: postgres.url.clone(),
            data: folder.join(name).display().to_string(),
            redis_url: None,
            database: Some(postgres.pid),
        }
    }

    /// The same, with nodes that ring for each other there.
    pub(crate) fn with_redis(mut self, url: &str) -> Self {
        self.redis_url = Some(url.to_owned());
        self
    }

    /// The file of the embedded database.
    pub(crate) fn file(&self) -> &str {
        self.database_url.trim_start_matches("sqlite:")
    }

    /// One node.
    pub(crate) fn start(&self) -> Server {
        let command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let name = format!("Heddle on {}", self.name);
        let mut server = Server::start(name, command, self.database, |line| {
            let address = line.trim().strip_prefix("API ")?.trim();
            let address = address.strip_prefix("http://")?;
            Some(address.trim_end_matches("/graphql").to_owned())
        });
        server.answers();
        server
    }

    /// One of the other roles of this program, on the same database.
    pub(crate) fn floor(&self, arguments: &[&str]) -> Server {
        let name = format!("floor on {}", self.name);
        Server::floor(name, arguments, self.database)
    }

    /// Fills the database with people, conversations and messages.
    pub(crate) fn seed(&self, users: usize, conversations: usize, messages: usize) -> String {
        let [users, conversations, messages] =
            [users, conversations, messages].map(|count| count.max(1).to_string());
        let mut words = vec!["seed", "--users", &users];
        words.extend(["--conversations", &conversations, "--messages", &messages]);
        self.run(&words)
    }

    /// Runs a command of `heddle` to its end.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{words:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    /// The program, with nobody's settings but these.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heddle"));
        command
            .args(words)
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

/// A server that answers.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: String,
    /// From the start of the process to its first answer.
    pub(crate) started_in: Duration,
    begun: Instant,
    child: Child,
    database: Option<u32>,
}

/// Processor time so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) server: Duration,
    pub(crate) database: Duration,
}

impl Spent {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            database: self.database.saturating_sub(before.database),
        }
    }

    pub(crate) fn all(self) -> Duration {
        self.server + self.database
    }
}

impl Server {
    /// This program itself in one of its other roles.
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
        let begun = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| address(&line.unwrap())).unwrap();
        let started_in = begun.elapsed();
        // A closed pipe would fail the server's next line.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            name,
            address,
            started_in,
            begun,
            child,
            database,
        }
    }

    /// Waits for the first answer to a query.
    fn answers(&mut self) {
        let body = r#"{"query":"{ __typename }"}"#;
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        self.started_in = self.begun.elapsed();
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent {
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

/// Processor time of several nodes of one installation, its database counted once.
pub(crate) fn spent(nodes: &[Server]) -> Spent {
    let mut all = Spent::default();
    for node in nodes {
        let one = node.spent();
        all.server += one.server;
        all.database = one.database;
    }
    all
}
