//! The command line, tested through the real program.

mod accounts;
mod archive;
mod audit;
mod counts;
mod data_dir;
mod failures;
mod first_start;
mod invitations;
mod jobs;
mod mails;
mod seed;
mod serving;
mod settings;
mod tokens;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use heddle::db::Db;
use tempfile::TempDir;

use crate::support::postgres;

/// A data directory and a database for the program.
pub(crate) struct Machine {
    folder: TempDir,
    database_url: Option<String>,
}

impl Machine {
    pub(crate) fn sqlite() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            database_url: None,
        }
    }

    pub(crate) async fn postgres() -> Self {
        let database_url = Some(postgres::fresh_database().await);
        Self {
            database_url,
            ..Self::sqlite()
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the program with these arguments and an empty environment.
    pub(crate) fn heddle(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heddle"));
        command
            .args(arguments)
            .env_clear()
            .current_dir(self.folder.path());
        if let Some(url) = &self.database_url {
            command.env("HEDDLE_DATABASE_URL", url);
        }
        command
    }

    /// Returns the output of a command that must succeed.
    #[track_caller]
    pub(crate) fn runs(&self, arguments: &[&str]) -> String {
        let output = self.heddle(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            out(&output),
            err(&output)
        );
        out(&output)
    }

    /// Returns the errors of a command that must fail with this exit code.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.heddle(arguments).output().unwrap();
        let printed = format!("{}{}", out(&output), err(&output));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}");
        printed
    }

    /// Runs a command with this standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.heddle(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// Connects to the database, for data that no command prints.
    pub(crate) async fn db(&self) -> Db {
        let sqlite = format!("sqlite:{}", self.path("data/heddle.sqlite").display());
        Db::connect(self.database_url.as_ref().unwrap_or(&sqlite))
            .await
            .unwrap()
    }

    /// Returns the first column of the first row.
    pub(crate) async fn db_number(&self, query: &str) -> i64 {
        use sea_orm::ConnectionTrait;
        let db = self.db().await;
        let statement = heddle::db::sql(db.backend(), query, []);
        let row = db.read().query_one_raw(statement).await.unwrap().unwrap();
        let number = row.try_get_by_index(0).unwrap();
        db.close().await.unwrap();
        number
    }
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Runs each test twice: `on_both!(story)` defines the tests `story::sqlite` and `story::postgres` of
/// `async fn story(machine: Machine)`.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[tokio::test]
            async fn sqlite() {
                super::$story($crate::cli::Machine::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$story($crate::cli::Machine::postgres().await).await;
            }
        }
    )+};
}
pub(crate) use on_both;
