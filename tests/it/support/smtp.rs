//! A real mail server for one test.

use std::{path::Path, process::Stdio, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::{certificates, cluster, mailbox::Mail};

/// A busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// How connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    StartTls,
    Tls,
}

/// A mail as the server received it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) is_encrypted: bool,
    pub(crate) login: Option<String>,
    pub(crate) mail: Mail,
}

/// A mail server, running or not. It ends with the test.
pub(crate) struct SmtpServer {
    encryption: Encryption,
    pub(crate) port: u16,
    folder: TempDir,
    running: Option<(Child, Lines<BufReader<ChildStdout>>)>,
}

impl SmtpServer {
    /// Reserves a port, on which no server runs yet.
    pub(crate) fn new(encryption: Encryption) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates::create(folder.path());
        Self {
            encryption,
            port: cluster::free_port(),
            folder,
            running: None,
        }
    }

    /// Starts the server, and waits until it listens.
    pub(crate) async fn start(&mut self) {
        let mode = match self.encryption {
            Encryption::None => "plain",
            Encryption::StartTls => "starttls",
            Encryption::Tls => "tls",
        };
        // The interpreter of the distribution, for which its package of the library is.
        let mut command = Command::new("/usr/bin/python3");
        command
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/it/support/smtp_server.py"
            ))
            .args([&self.port.to_string(), mode, "server.crt", "server.key"])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut server = command.spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        assert_eq!(port, Some(self.port.to_string()), "needs python3-aiosmtpd");
        self.running = Some((server, lines));
    }

    /// Kills the server with its connections.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// The certificate of the authority.
    pub(crate) fn authority(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join("authority.crt")
    }

    /// Waits for the next mail.
    pub(crate) async fn receives(&mut self) -> Received {
        let (_, lines) = self.running.as_mut().unwrap();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let seen: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let source = STANDARD.decode(seen["data"].as_str().unwrap()).unwrap();
        Received {
            from: seen["from"].as_str().unwrap().to_owned(),
            to: seen["to"][0].as_str().unwrap().to_owned(),
            is_encrypted: seen["encrypted"].as_bool().unwrap(),
            login: seen["login"].as_str().map(str::to_owned),
            mail: Mail::parse(&String::from_utf8(source).unwrap()),
        }
    }
}
