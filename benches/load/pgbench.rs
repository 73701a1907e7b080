//! The floor below the floor: PostgreSQL's own `pgbench` with nothing but the statements of **a** and **d**, so what the
//! database alone takes for them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    Scale,
    databases::Postgres,
    floor::{BUSIEST, NEXT, PLACES, SOMEBODY, TIMELINE},
    process,
    report::{Report, Row},
    walks::BODY,
};

/// A process that the database started meanwhile for itself may stay.
const PATIENCE: Duration = Duration::from_secs(2);

/// The tool and its scripts.
pub(crate) struct Pgbench {
    program: PathBuf,
    folder: String,
    pid: u32,
    list: PathBuf,
    send: PathBuf,
}

impl Pgbench {
    /// None where it is not installed.
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
        let list = TIMELINE.replace("$1", &quoted(&find(BUSIEST).await[0]));
        let sender = quoted(&find(SOMEBODY).await[0]);
        let places = find(PLACES).await;
        let all: Vec<String> = places.iter().map(Uuid::to_string).collect();
        let place = format!("('{{{}}}'::uuid[])[:turn]", all.join(","));
        let next = NEXT.replace("$1", &place);
        let send = format!(
            "\\set turn random(1, {})\nBEGIN;\n{next}, id AS place \\gset\n\
             INSERT INTO message (id, conversation_id, seq, sender_id, depth, path, kind, priority, body, created_at) \
             VALUES (gen_random_uuid(), :place, :last_seq, {sender}, 0, int4send(:last_seq::int), 'USER', 'NORMAL', \
             '{BODY}', now());\nCOMMIT;\n",
            all.len()
        );
        Some(Self {
            program,
            folder: postgres.folder.clone(),
            pid: postgres.pid,
            list: write("list.sql", one_line(&list)),
            send: write("send.sql", send),
        })
    }

    pub(crate) fn round(&self, scale: &Scale, report: &mut Report) {
        let seconds = scale.slot.as_secs().max(1).to_string();
        for (operation, callers, script) in [
            ("a", 8, &self.list),
            ("d", 8, &self.send),
            ("d", 64, &self.send),
        ] {
            // Connecting and preparing is not what is measured: one transaction each tells what that takes.
            let first = self.run(script, callers, &["--transactions", "1"]);
            let all = self.run(script, callers, &["--time", &seconds]);
            let spent = all.spent.saturating_sub(first.spent).as_secs_f64() * 1e6;
            let count = (all.count - first.count).max(1.0);
            let tool = "pgbench on PostgreSQL";
            report.add(Row::of_tool(
                tool,
                operation,
                callers,
                all.per_second,
                spent / count,
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
        let (others, before) = (process::below(self.pid).len(), process::cpu(self.pid, true));
        let output = command.output().unwrap();
        // What an ending process took is counted neither there nor at its parent until the parent has seen its end.
        let begun = Instant::now();
        while process::below(self.pid).len() > others && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        let spent = process::cpu(self.pid, true).saturating_sub(before);
        let said = String::from_utf8_lossy(&output.stdout);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pgbench: {told}");
        let number = |after: &str| -> f64 {
            let rest = said.split(after).nth(1);
            let word = rest.and_then(|rest| rest.split_whitespace().next());
            word.and_then(|word| word.split('/').next()?.parse().ok())
                .unwrap_or_else(|| panic!("pgbench said: {said}"))
        };
        Run {
            count: number("actually processed: "),
            per_second: number("tps = "),
            spent,
        }
    }
}

/// What one run gave.
struct Run {
    count: f64,
    per_second: f64,
    /// By the database alone.
    spent: Duration,
}

/// A statement ends with its line.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    format!("{};\n", words.join(" "))
}

/// On the search path, or where Debian keeps the server's programs.
fn program() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let kept = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin/pgbench")));
    let mut all: Vec<PathBuf> = kept.collect();
    all.push(PathBuf::from("pgbench"));
    all.into_iter().find(|path| {
        let asked = Command::new(path).arg("--version").output();
        asked.is_ok_and(|output| output.status.success())
    })
}
