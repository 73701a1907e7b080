//! The `heddle` program itself, started as people start it: for what only a real process can show.

use std::{process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::postgres;

/// A debug build on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server on a free port, with a data folder of its own. It ends with the test.
pub(crate) struct Binary {
    url: String,
    _server: Child,
    /// Read no further, but held: a closed pipe would fail the server's next line.
    _output: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Binary {
    /// On the embedded database.
    pub(crate) async fn on_sqlite() -> Self {
        Self::start(&[]).await
    }

    /// On a PostgreSQL database of its own.
    pub(crate) async fn on_postgres() -> Self {
        Self::start(&["--database-url", &postgres::fresh_database().await]).await
    }

    async fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_heddle"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"])
            .args(more)
            // Neither the developer's settings nor their .env have a say here.
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let url = timeout(PATIENCE, announced(&mut output)).await.unwrap();
        Self {
            url,
            _server: server,
            _output: output,
            _folder: folder,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The address on the banner, which is printed when the server answers.
async fn announced(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    while output.read_line(&mut line).await.unwrap() > 0 {
        if let Some(api) = line.trim().strip_prefix("API ") {
            return api.trim().trim_end_matches("/graphql").to_owned();
        }
        line.clear();
    }
    panic!("the server ended before it announced itself; its own words are above");
}
