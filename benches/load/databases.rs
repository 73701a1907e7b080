//! The servers that Heddle uses, private to this run: PostgreSQL with its default, durable settings, and Redis.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

/// Generous, because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A PostgreSQL server. It ends when its standard input does.
pub(crate) struct Postgres {
    pub(crate) url: String,
    /// The folder of its socket.
    pub(crate) folder: String,
    pub(crate) pid: u32,
    child: Child,
    hold: Option<ChildStdin>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let mut child = Command::new("sh")
            .arg("tests/postgres")
            .env("HEDDLE_TEST_POSTGRES_IS_DURABLE", "yes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        let url = url.trim().to_owned();
        let folder = url.split("host=").nth(1).unwrap().to_owned();
        let file = fs::read_to_string(format!("{folder}/data/postmaster.pid")).unwrap();
        let pid = file.lines().next().unwrap().parse().unwrap();
        let hold = child.stdin.take();
        Self {
            url,
            folder,
            pid,
            child,
            hold,
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.hold.take());
        let _ = self.child.wait();
    }
}

/// A Redis server without persistence that can be killed and restarted.
pub(crate) struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    /// Starts the server; `None` if it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut redis = Self { port, child: None };
        redis.restart().then_some(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the server on the same port. Returns false if it is not installed.
    pub(crate) fn restart(&mut self) -> bool {
        let port = self.port.to_string();
        let spawned = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let Ok(child) = spawned else { return false };
        self.child = Some(child);
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < TIMEOUT, "Redis does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
