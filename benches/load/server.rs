//! The servers under measurement: Heddle itself and the floors, each a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::process;

/// A server that answers.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    /// From the start of the process to its first answer.
    pub(crate) started_in: Duration,
    child: Child,
    /// The database's own process, where it is not inside the server.
    database: Option<u32>,
}

/// Processor time so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) server: Duration,
    pub(crate) database: Duration,
}

impl Server {
    /// `heddle serve` with these arguments.
    pub(crate) fn heddle(name: &'static str, arguments: &[&str], database: Option<u32>) -> Self {
        let mut command = heddle(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments);
        Self::start(name, command, database, |line| {
            let address = line
                .trim()
                .strip_prefix("API ")?
                .trim()
                .strip_prefix("http://")?;
            Some(address.trim_end_matches("/graphql").to_owned())
        })
    }

    /// This program itself in one of its other roles.
    pub(crate) fn floor(name: &'static str, arguments: &[&str], database: Option<u32>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments);
        Self::start(name, command, database, |line| Some(line.trim().to_owned()))
    }

    fn start(
        name: &'static str,
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
            child,
            database,
        }
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

/// The program itself, with nobody's settings but these.
pub(crate) fn heddle(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heddle"));
    command
        .args(arguments)
        .env_clear()
        .env("HEDDLE_ACCESS_TOKEN_MINUTES", "60")
        .env("HEDDLE_CONNECTIONS", "50000");
    command
}

/// Runs a command of `heddle` to its end.
pub(crate) fn run(arguments: &[&str]) -> String {
    let output = heddle(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}
