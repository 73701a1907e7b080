//! The `heddle` program, started as operators start it, for behavior that only a real process has.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use heddle::db::Db;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::postgres;

/// A debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// The file of the server's log, in its directory.
const LOG: &str = "server.log";

/// A running server on a free port, with its own data directory. It ends with the test.
pub(crate) struct Binary {
    running: Running,
    database_url: Option<String>,
    settings: Vec<(&'static str, String)>,
    folder: TempDir,
}

struct Running {
    url: String,
    server: Child,
    /// Kept open without reading: a closed pipe would fail the server's next line.
    _output: BufReader<ChildStdout>,
}

impl Binary {
    /// Starts the program on SQLite.
    pub(crate) async fn on_sqlite() -> Self {
        Self::start(None, vec![]).await
    }

    /// Starts the program on SQLite, with other settings.
    pub(crate) async fn on_sqlite_with(settings: Vec<(&'static str, &str)>) -> Self {
        let settings = settings
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()));
        Self::start(None, settings.collect()).await
    }

    /// Starts the program on a new PostgreSQL database.
    pub(crate) async fn on_postgres() -> Self {
        Self::start(Some(postgres::fresh_database().await), vec![]).await
    }

    /// Starts the program on a new PostgreSQL database, with other settings.
    pub(crate) async fn on_postgres_with(settings: Vec<(&'static str, &str)>) -> Self {
        let database_url = postgres::fresh_database().await;
        let settings = settings
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()));
        Self::start(Some(database_url), settings.collect()).await
    }

    /// Starts the program on this PostgreSQL database.
    pub(crate) async fn on_postgres_at(url: String) -> Self {
        Self::start(Some(url), vec![]).await
    }

    /// Starts the program on SQLite, with this library preloaded.
    pub(crate) async fn on_sqlite_preloading(
        library: &Path,
        settings: Vec<(&'static str, String)>,
    ) -> Self {
        let mut settings = settings;
        settings.push(("LD_PRELOAD", library.display().to_string()));
        Self::start(None, settings).await
    }

    async fn start(database_url: Option<String>, settings: Vec<(&'static str, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = heddle(&folder, database_url.as_deref());
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        Self {
            running: Running::start(command, folder.path()).await,
            database_url,
            settings,
            folder,
        }
    }

    /// Returns the private memory of the process, in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let id = self.running.server.id().unwrap();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon"));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// Returns the number of open file descriptors of the process.
    pub(crate) fn descriptors(&self) -> usize {
        let id = self.running.server.id().unwrap();
        fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
    }

    /// Returns the processor time that the process has used.
    pub(crate) fn processor_time(&self) -> Duration {
        let id = self.running.server.id().unwrap();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // The name of the program, in parentheses, may contain spaces. The times are the 14th and the 15th field, in
        // hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        let times = fields.skip(11).take(2);
        let hundredths: u64 = times.map(|time| time.parse::<u64>().unwrap()).sum();
        Duration::from_millis(hundredths * 10)
    }

    /// Returns the log since the first start.
    pub(crate) fn log(&self) -> String {
        read_log(self.folder.path())
    }

    /// The URL of the server: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.running.url
    }

    /// Kills the server immediately, like `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.running.server.kill().await.unwrap();
    }

    /// Starts the program again, on another port.
    pub(crate) async fn restart(&mut self) {
        self.running = Running::start(self.heddle(), self.folder.path()).await;
    }

    /// Stops the server and waits until it exits.
    pub(crate) async fn stop(&mut self) {
        let server = &mut self.running.server;
        let id = server.id().unwrap().to_string();
        let requested = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(requested.unwrap().success());
        assert!(server.wait().await.unwrap().success());
    }

    /// Returns the program with the same directory and database, for the arguments of a command.
    pub(crate) fn heddle(&self) -> Command {
        let mut command = heddle(&self.folder, self.database_url.as_deref());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The data folder of the server.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Connects to the database, for data that no client can load.
    pub(crate) async fn db(&self) -> Db {
        let file = self.folder.path().join("data/heddle.sqlite");
        let sqlite = format!("sqlite:{}", file.display());
        let url = self.database_url.as_ref().unwrap_or(&sqlite);
        Db::connect(url).await.unwrap()
    }
}

/// The program under test: this build, or the one that `HEDDLE_TEST_BINARY` names, for a comparison.
#[expect(
    clippy::disallowed_methods,
    reason = "an option of the tests, not a setting of the server"
)]
fn program() -> OsString {
    std::env::var_os("HEDDLE_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_heddle").into())
}

/// Removes the developer's settings, also those of a `.env` file.
fn heddle(folder: &TempDir, database_url: Option<&str>) -> Command {
    let mut command = Command::new(program());
    command
        .env_clear()
        .env("HEDDLE_DATA_DIR", "data")
        .current_dir(folder.path())
        .stdin(Stdio::null());
    if let Some(url) = database_url {
        command.env("HEDDLE_DATABASE_URL", url);
    }
    command
}

impl Drop for Binary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            print(&self.log());
        }
    }
}

impl Running {
    async fn start(mut heddle: Command, folder: &Path) -> Self {
        let mut log = OpenOptions::new();
        log.create(true).append(true);
        let log = log.open(folder.join(LOG)).unwrap();
        let mut server = heddle
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let Ok(Some(url)) = timeout(PATIENCE, announced(&mut output)).await else {
            panic!("the server did not announce itself: {}", read_log(folder));
        };
        Self {
            url,
            server,
            _output: output,
        }
    }
}

fn read_log(folder: &Path) -> String {
    fs::read_to_string(folder.join(LOG)).unwrap_or_default()
}

#[expect(clippy::print_stderr, reason = "shown beside the failing test")]
fn print(log: &str) {
    eprintln!("the server's own words:\n{log}");
}

/// Returns the address on the banner, which is printed when the server is ready; none if it exits before.
pub(super) async fn announced(output: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    while output.read_line(&mut line).await.unwrap() > 0 {
        if let Some(api) = line.trim().strip_prefix("API ") {
            return Some(api.trim().trim_end_matches("/graphql").to_owned());
        }
        line.clear();
    }
    None
}
