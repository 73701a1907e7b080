//! The cost of the floor's statements alone: `pgbench` runs those of `timeline` and `send` without a server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    databases::Postgres,
    floor::statements::{GROUPS, LARGEST_CONVERSATION, NEXT_SEQ, SENDER, TIMELINE},
    operations::BODY,
    process,
    report::{Report, Row},
    scale::Scale,
};

/// How long to wait for the processes of ended connections. The database may have started others for itself.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Pgbench {
    program: PathBuf,
    folder: String,
    pid: u32,
    timeline: PathBuf,
    send: PathBuf,
}

impl Pgbench {
    /// Writes the scripts; `None` if the program is not installed.
    pub(crate) async fn prepare(postgres: &Postgres, folder: &Path) -> Option<Self> {
        let program = program()?;
        let pool = PgPool::connect(&postgres.url).await.unwrap();
        let find = async |text: &'static str| -> Vec<Uuid> {
            sqlx::query_scalar(text).fetch_all(&pool).await.unwrap()
        };
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let quoted = |id: &Uuid| format!("'{id}'::uuid");
        let timeline = TIMELINE.replace("$1", &quoted(&find(LARGEST_CONVERSATION).await[0]));
        let sender = quoted(&find(SENDER).await[0]);
        let groups = find(GROUPS).await;
        let all: Vec<String> = groups.iter().map(Uuid::to_string).collect();
        let group = format!("('{{{}}}'::uuid[])[:turn]", all.join(","));
        let next = NEXT_SEQ.replace("$1", &group);
        let send = format!(
            "\\set turn random(1, {})\nBEGIN;\n{next}, id AS group_id \\gset\n\
             INSERT INTO message (id, conversation_id, seq, sender_id, depth, path, kind, priority, body, created_at) \
             VALUES (gen_random_uuid(), :group_id, :last_seq, {sender}, 0, int4send(:last_seq::int), 'USER', 'NORMAL', \
             '{BODY}', now());\nCOMMIT;\n",
            all.len()
        );
        Some(Self {
            program,
            folder: postgres.folder.clone(),
            pid: postgres.pid,
            timeline: write("timeline.sql", one_line(&timeline)),
            send: write("send.sql", send),
        })
    }

    pub(crate) fn round(&self, scale: &Scale, report: &mut Report) {
        let seconds = scale.slot.as_secs().max(1).to_string();
        for (operation, callers, script) in [
            ("timeline", 8, &self.timeline),
            ("send", 8, &self.send),
            ("send", 64, &self.send),
        ] {
            // Subtracts the cost of connecting and preparing, measured with one transaction per connection.
            let first = self.run(script, callers, &["--transactions", "1"]);
            let all = self.run(script, callers, &["--time", &seconds]);
            let cpu_us = all.cpu_time.saturating_sub(first.cpu_time).as_secs_f64() * 1e6;
            let count = (all.count - first.count).max(1.0);
            let tool = "pgbench on PostgreSQL";
            report.add(Row::of_tool(
                tool,
                operation,
                callers,
                all.per_second,
                cpu_us / count,
            ));
        }
    }

    fn run(&self, script: &Path, callers: usize, length: &[&str]) -> Run {
        let clients = callers.to_string();
        let mut command = Command::new(&self.program);
        command
            .args([
                "--no-vacuum",
                "--protocol",
                "prepared",
                "--host",
                &self.folder,
            ])
            .args(["--username", "heddle", "--client", &clients])
            .args(length)
            .arg("--file")
            .arg(script)
            .arg("postgres");
        let (others, before) = (
            process::children_of(self.pid).len(),
            process::cpu(self.pid, true),
        );
        let output = command.output().unwrap();
        // The time of an ending process is counted nowhere until its parent has collected it.
        let started = Instant::now();
        while process::children_of(self.pid).len() > others && started.elapsed() < TIMEOUT {
            std::thread::sleep(Duration::from_millis(5));
        }
        let cpu_time = process::cpu(self.pid, true).saturating_sub(before);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pgbench: {errors}");
        let text = String::from_utf8_lossy(&output.stdout);
        let number = |after: &str| -> f64 {
            let rest = text.split(after).nth(1);
            let figure = rest.and_then(|rest| rest.split_whitespace().next());
            figure
                .and_then(|figure| figure.split('/').next()?.parse().ok())
                .unwrap_or_else(|| panic!("unexpected output of pgbench: {text}"))
        };
        Run {
            count: number("actually processed: "),
            per_second: number("tps = "),
            cpu_time,
        }
    }
}

struct Run {
    count: f64,
    per_second: f64,
    /// Of the database.
    cpu_time: Duration,
}

/// Joins the lines: pgbench ends a statement at the end of a line.
fn one_line(text: &str) -> String {
    let parts: Vec<&str> = text.split_whitespace().collect();
    format!("{};\n", parts.join(" "))
}

/// Finds the program in the folder of the Debian package or on the search path.
fn program() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let packaged = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin/pgbench")));
    let mut all: Vec<PathBuf> = packaged.collect();
    all.push(PathBuf::from("pgbench"));
    all.into_iter().find(|path| {
        let version = Command::new(path).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    })
}
