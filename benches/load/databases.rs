//! What Heddle stands on, private to this run: PostgreSQL with its ordinary, durable settings.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
};

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
