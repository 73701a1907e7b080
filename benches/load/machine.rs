//! What it was measured on, and how many files it may open there.

use std::{fs, os::unix::process::CommandExt, process::Command};

use serde_json::{Value, json};

/// Set once the limit was raised, so that it is tried once.
const TRIED: &str = "HEDDLE_BENCH_FILES";

/// The machine and the programs, for whoever reads the figures.
pub(crate) fn describe() -> Value {
    let of = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key));
        let value = line.and_then(|line| line.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned())
    };
    let memory = of("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kib: Option<f64> = memory.split(' ').next().and_then(|word| word.parse().ok());
    json!({
        "measured_on": chrono::Utc::now().format("%Y-%m-%d").to_string(),
        "commit": said("git", &["rev-parse", "--short", "HEAD"]),
        "profile": profile(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "processor": of("/proc/cpuinfo", "model name"),
        "memory_gib": kib.map(|kib| (kib / 1024.0 / 1024.0).round()),
        "kernel": said("uname", &["-sr"]),
        "sqlite": rusqlite::version(),
        "postgresql": said("sh", &["-c", "$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)/postgres --version \
            2>/dev/null || postgres --version"]).map(|said| said.replace("postgres (PostgreSQL) ", "")),
        "redis": said("redis-server", &["--version"])
            .and_then(|said| Some(said.split("v=").nth(1)?.split(' ').next()?.to_owned())),
        "open_files": open_files().0,
    })
}

/// How this program and the servers were built.
pub(crate) const fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    }
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!said.is_empty()).then_some(said)
}

/// How many files may be open now, and how many if we ask for it.
pub(crate) fn open_files() -> (u64, u64) {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let mut words = line.unwrap_or_default().split_whitespace().skip(3);
    let mut next = || match words.next() {
        Some("unlimited") => u64::MAX,
        word => word.and_then(|word| word.parse().ok()).unwrap_or_default(),
    };
    (next(), next())
}

/// Starts this program again with as many open files as it may have; its servers inherit that. The limit of a running
/// process could only be changed by code that Rust calls unsafe.
pub(crate) fn raise_open_files() {
    let (now, most) = open_files();
    if now >= most || std::env::var_os(TRIED).is_some() {
        return;
    }
    let failed = Command::new("sh")
        .args(["-c", r#"ulimit -S -n "$(ulimit -H -n)"; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(std::env::args().skip(1))
        .env(TRIED, "raised")
        .exec();
    eprintln!("open files stay at {now}: {failed}");
}
