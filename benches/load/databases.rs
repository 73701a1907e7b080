//! What Heddle stands on, private to this run: PostgreSQL with its ordinary, durable settings, and Redis.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

/// A busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A PostgreSQL server. It ends when its standard input does.
pub(crate) struct Postgres {
    pub(crate) url: String,
    /// Where its socket is.
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

/// A Redis server that keeps nothing, and can be killed and started again.
pub(crate) struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    /// None where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut redis = Self { port, child: None };
        redis.again().then_some(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// It is gone, without a word.
    pub(crate) fn is_killed(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// It is back, and remembers nothing. False where it is not installed.
    pub(crate) fn again(&mut self) -> bool {
        let port = self.port.to_string();
        let spawned = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let Ok(child) = spawned else { return false };
        self.child = Some(child);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "Redis does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.is_killed();
    }
}
